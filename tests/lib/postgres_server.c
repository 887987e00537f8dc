#include "lib/postgres_server.h"

#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/sys.h"

enum { START_TRIES = 600, TRY_US = 50000 };

#define FOLDER "/usr/lib/postgresql"

/* The newest version's programs. */
static bool find_program(const char *name, char out[256])
{
    for (int version = 20; version >= 13; version--) {
        snprintf(out, 256, FOLDER "/%d/bin/%s", version, name);
        if (access(out, X_OK) == 0)
            return true;
    }
    printf("# no %s below " FOLDER ": install postgresql-15\n", name);
    return false;
}

static void become_postgres(void)
{
    const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (user && (setgroups(0, NULL) < 0 || setgid(user->pw_gid) < 0 || setuid(user->pw_uid) < 0))
        _exit(126);
}

/* The arguments end with NULL. */
static pid_t run(const char *folder, char *const arguments[])
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    become_postgres();
    char log[96];
    snprintf(log, sizeof log, "%s/log", folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || chdir(folder) < 0)
        _exit(126);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execv(arguments[0], arguments);
    _exit(127);
}

static bool is_up(const struct postgres_server *server)
{
    return PQping(server->url) == PQPING_OK;
}

static bool launch(struct postgres_server *server)
{
    char program[256], data[96], socket[96];
    if (!find_program("postgres", program))
        return false;
    snprintf(data, sizeof data, "%s/data", server->folder);
    snprintf(socket, sizeof socket, "%s", server->folder);
    char *arguments[] = {program,
                         "-D",
                         data,
                         "-k",
                         socket,
                         "-c",
                         "listen_addresses=",
                         "-c",
                         "max_connections=60",
                         "-c",
                         "shared_buffers=16MB",
                         "-c",
                         "log_statement=none",
                         NULL};
    server->pid = run(server->folder, arguments);
    for (int i = 0; i < START_TRIES; i++) {
        int status;
        if (is_up(server))
            return true;
        if (waitpid(server->pid, &status, WNOHANG) == server->pid) {
            server->pid = 0;
            break;
        }
        usleep(TRY_US);
    }
    printf("# the server in %s did not start; see log there\n", server->folder);
    return false;
}

bool postgres_server_start(struct postgres_server *server)
{
    char program[256], data[96];
    int status;
    *server = (struct postgres_server){.folder = "/tmp/quarry-pg-XXXXXX"};
    if (!find_program("initdb", program) || !mkdtemp(server->folder))
        return false;
    const struct passwd *user = geteuid() == 0 ? getpwnam("postgres") : NULL;
    if (user && chown(server->folder, user->pw_uid, user->pw_gid) < 0)
        return false;
    snprintf(server->url, sizeof server->url, "host=%s dbname=postgres user=postgres",
             server->folder);
    snprintf(data, sizeof data, "%s/data", server->folder);
    char *arguments[] = {program,     "-D",       data, "-A",   "trust",
                         "-U",        "postgres", "-E", "UTF8", "--locale=C.UTF-8",
                         "--no-sync", NULL};
    pid_t pid = run(server->folder, arguments);
    if (waitpid(pid, &status, 0) != pid || status != 0) {
        printf("# initdb failed; see %s/log\n", server->folder);
        return false;
    }
    return launch(server);
}

static void end(struct postgres_server *server, int signal)
{
    if (server->pid <= 0)
        return;
    kill(server->pid, signal);
    waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

bool postgres_server_crash(struct postgres_server *server)
{
    end(server, SIGQUIT); /* as after a crash: no checkpoint, children gone */
    return launch(server);
}

void postgres_server_stop(struct postgres_server *server)
{
    end(server, SIGQUIT);
    (void)sys_remove_tree(sys_posix(), server->folder, NULL);
}
