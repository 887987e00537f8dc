/* process.c: fork, a clean child, exec.
 *
 * Between fork and exec the child of a threaded process may only make async-signal-safe calls: it
 * gets everything ready-made in `struct child_plan`. If something fails there, the child writes the
 * errno into a close-on-exec pipe and exits; end of file on the pipe means that exec succeeded. */
#include "sys/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHILD_ERROR_FD = 4 };

struct child_plan {
    const struct process_options *options;
    int channel; /* -1: none */
    int error_fd;
    int null_fd;
    pid_t parent;
};

static int child_move_fds(const struct child_plan *plan)
{
    /* First above all the targets, so that no dup2 overwrites a source. */
    int error_fd = fcntl(plan->error_fd, F_DUPFD, 10);
    int channel = plan->channel >= 0 ? fcntl(plan->channel, F_DUPFD, 10) : -1;
    int out = fcntl(plan->options->stdout_fd ? plan->options->stdout_fd : 1, F_DUPFD, 10);
    int err = fcntl(plan->options->stderr_fd ? plan->options->stderr_fd : 2, F_DUPFD, 10);
    if (error_fd < 0 || (plan->channel >= 0 && channel < 0))
        return -1;
    if (dup2(plan->null_fd, 0) < 0 || dup2(out < 0 ? plan->null_fd : out, 1) < 0 ||
        dup2(err < 0 ? plan->null_fd : err, 2) < 0)
        return -1;
    if (channel >= 0 && dup2(channel, PROCESS_CHANNEL_FD) < 0)
        return -1;
    if (dup3(error_fd, CHILD_ERROR_FD, O_CLOEXEC) < 0)
        return -1;
    if (channel < 0)
        close(PROCESS_CHANNEL_FD);
    return close_range(CHILD_ERROR_FD + 1, ~0u, 0);
}

static int child_prepare(const struct child_plan *plan)
{
    for (int s = 1; s < NSIG; s++)
        (void)signal(s, SIG_DFL); /* SIGKILL, SIGSTOP and glibc's own refuse: fine */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (!plan->options->die_with_parent)
        return 0;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return -1;
    if (getppid() != plan->parent)
        raise(SIGKILL); /* it went before the line above */
    return 0;
}

static _Noreturn void child_run(const struct child_plan *plan)
{
    const struct process_options *o = plan->options;
    int error_fd = plan->error_fd;
    if (child_prepare(plan) == 0 && child_move_fds(plan) == 0) {
        error_fd = CHILD_ERROR_FD;
        execve(o->executable, o->argv, o->envp ? o->envp : environ);
    }
    int errnum = errno;
    (void)!write(error_fd, &errnum, sizeof errnum);
    _exit(127);
}

/* The errno of a child that did not get as far as its program, or 0. */
static int await_exec(int fd)
{
    int errnum = 0;
    ssize_t n;
    do
        n = read(fd, &errnum, sizeof errnum);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof errnum ? errnum : 0;
}

static void close_pair(int fds[2])
{
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* Forks with all signals blocked: no handler of ours may run in the child. */
static pid_t fork_child(const struct child_plan *plan)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        child_run(plan);
    int errnum = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = errnum;
    return pid;
}

static void reap(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Forks and sees the exec through; 0 or an errno. */
static int start_child(const struct process_options *options, int pair[2], struct process *ret)
{
    int report[2] = {-1, -1};
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int errnum = null_fd < 0 || pipe2(report, O_CLOEXEC) < 0 ? errno : 0;
    pid_t pid = -1;
    if (!errnum) {
        struct child_plan plan = {options, pair[1], report[1], null_fd, getpid()};
        pid = fork_child(&plan);
        errnum = pid < 0 ? errno : 0;
        close(report[1]);
        report[1] = -1;
    }
    if (pid > 0) {
        errnum = await_exec(report[0]);
        ret->pidfd = errnum ? -1 : pidfd_open(pid, 0);
        if (!errnum && ret->pidfd < 0) {
            errnum = errno;
            kill(pid, SIGKILL);
        }
        if (errnum)
            reap(pid);
        ret->pid = pid;
    }
    close_pair(report);
    if (null_fd >= 0)
        close(null_fd);
    return errnum;
}

enum status process_spawn(const struct process_options *options, struct process *ret,
                          struct error *err)
{
    int pair[2] = {-1, -1};
    *ret = PROCESS_NONE;
    if (options->channel && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return error_errno(err, errno, "cannot make a socket pair");
    int errnum = start_child(options, pair, ret);
    if (errnum) {
        close_pair(pair);
        *ret = PROCESS_NONE;
        return error_errno(err, errnum, "cannot start %s", options->executable);
    }
    if (options->channel) {
        close(pair[1]);
        ret->channel = pair[0];
    }
    return STATUS_OK;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True when the process has ended. */
static bool await_end(int pidfd, int timeout_ms)
{
    int64_t until = now_ms() + timeout_ms;
    for (;;) {
        int64_t left = until - now_ms();
        struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
        int r = poll(&poll_fd, 1, timeout_ms < 0 ? -1 : (int)(left > 0 ? left : 0));
        if (r > 0)
            return true;
        if (r == 0 && timeout_ms >= 0 && now_ms() >= until)
            return false;
        if (r < 0 && errno != EINTR)
            return false;
    }
}

enum status process_wait(struct process *process, int timeout_ms, struct process_end *ret,
                         struct error *err)
{
    *ret = (struct process_end){.exit_code = -1};
    if (process->pid == 0)
        return error_set(err, STATUS_NOT_FOUND, "there is no child to wait for");
    if (!await_end(process->pidfd, timeout_ms))
        return error_set(err, STATUS_TIMEOUT, "the child %d still runs", (int)process->pid);
    int state = 0;
    pid_t pid;
    do
        pid = waitpid(process->pid, &state, 0);
    while (pid < 0 && errno == EINTR);
    if (pid < 0)
        return error_errno(err, errno, "cannot wait for child %d", (int)process->pid);
    process->pid = 0;
    if (WIFEXITED(state))
        ret->exit_code = WEXITSTATUS(state);
    else
        ret->signal = WTERMSIG(state);
    return STATUS_OK;
}

void process_kill(struct process *process, int signal)
{
    if (process->pid > 0)
        (void)kill(process->pid, signal); /* fails only when it is over: then all is well */
}

void process_release(struct process *process)
{
    struct process_end end;
    process_kill(process, SIGKILL);
    if (process->pid > 0)
        (void)process_wait(process, -1, &end, NULL);
    if (process->channel >= 0)
        close(process->channel);
    if (process->pidfd >= 0)
        close(process->pidfd);
    *process = PROCESS_NONE;
}

enum status process_own_folder(char *out, size_t cap, struct error *err)
{
    ssize_t n = readlink("/proc/self/exe", out, cap - 1);
    if (n < 0)
        return error_errno(err, errno, "cannot find out where the program is");
    out[n] = 0;
    char *slash = strrchr(out, '/');
    if (!slash || (size_t)n == cap - 1)
        return error_set(err, STATUS_RESOURCE_LIMIT, "the program's path is too long");
    slash[slash == out] = 0;
    return STATUS_OK;
}
