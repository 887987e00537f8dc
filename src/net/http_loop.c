/* http_loop.c: the I/O thread: waits for events and lets MHD work on them.
 *
 * The thread is ours, not one that MHD starts, since MHD_quiesce_daemon may only be called between
 * two rounds: from another thread it races with MHD's own loop, both take the listener out of the
 * epoll set, and MHD 0.9.75 then aborts the process.
 *
 * A round: wait for MHD's epoll set or for `wake_fd`, then run MHD once. Whoever resumes a
 * connection wakes the loop; `awake` spares all but the first write between two rounds. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/http_int.h"

enum { STOPPING_ROUND_MS = 10 /* while it stops: the longest sleep */ };

/* In ms for poll: until MHD has a time out to look at, -1 when it has none. */
static int sleep_ms(struct http_server *server)
{
    MHD_UNSIGNED_LONG_LONG due = 0;
    bool bounded = MHD_get_timeout(server->daemon, &due) == MHD_YES;
    if (atomic_load(&server->draining) && (!bounded || due > STOPPING_ROUND_MS))
        return STOPPING_ROUND_MS;
    return !bounded ? -1 : due > INT32_MAX ? INT32_MAX : (int)due;
}

static void run_round(struct http_server *server)
{
    struct pollfd fds[] = {{.fd = server->epoll_fd, .events = POLLIN},
                           {.fd = server->wake_fd, .events = POLLIN}};
    (void)poll(fds, 2, sleep_ms(server)); /* a failure makes the round an early one */
    if (fds[1].revents) {
        eventfd_t count;
        (void)eventfd_read(server->wake_fd, &count);
        /* Before MHD looks: a connection that is resumed from here on wakes the next round. */
        atomic_store(&server->awake, false);
    }
    (void)MHD_run_wait(server->daemon, 0);
}

/* All signals are blocked in it, SIGPIPE too. */
static void *run_loop(void *argument)
{
    struct http_server *server = argument;
    while (!atomic_load(&server->draining))
        run_round(server);
    (void)MHD_quiesce_daemon(server->daemon); /* gives listen_fd back; http_server.c closes it */
    while (!atomic_load(&server->loop_ends))
        run_round(server);
    (void)MHD_run_wait(server->daemon, 0); /* resumes what asked for it last */
    MHD_stop_daemon(server->daemon);
    return NULL;
}

enum status http_loop_start(struct http_server *server, struct error *err)
{
    const union MHD_DaemonInfo *info =
        MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!info || server->wake_fd < 0)
        return error_errno(err, errno, "cannot make the HTTP server's event loop");
    server->epoll_fd = info->epoll_fd;
    return thread_start(&server->loop, "http-io", 0, run_loop, server, err);
}

void http_loop_wake(struct http_server *server)
{
    if (!atomic_exchange(&server->awake, true))
        (void)eventfd_write(server->wake_fd, 1);
}

void http_loop_end(struct http_server *server)
{
    atomic_store(&server->loop_ends, true);
    http_loop_wake(server);
    thread_join(&server->loop);
}
