/* http_loop.c: an I/O thread: waits for events and lets MHD work on them.
 *
 * The thread is ours, not one that MHD starts, since MHD_quiesce_daemon may only be called between
 * two rounds: from another thread it races with MHD's own loop, both take the listener out of the
 * epoll set, and MHD 0.9.75 then aborts the process.
 *
 * A round: wait for MHD's epoll set or for `wake_fd`, then run MHD once. Whoever resumes a
 * connection wakes the loop; `awake` spares all but the first write between two rounds. A round
 * that has finished requests that were put off (http_now.c) is followed by the next one at once,
 * which sends their answers. */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/http_int.h"

enum { STOPPING_ROUND_MS = 10 /* while it stops: the longest sleep */ };

/* In ms for poll: until MHD has a time out to look at, -1 when it has none. */
static int sleep_ms(struct http_loop *loop)
{
    MHD_UNSIGNED_LONG_LONG due = 0;
    bool bounded = MHD_get_timeout(loop->daemon, &due) == MHD_YES;
    if (atomic_load(&loop->server->draining) && (!bounded || due > STOPPING_ROUND_MS))
        return STOPPING_ROUND_MS;
    return !bounded ? -1 : due > INT32_MAX ? INT32_MAX : (int)due;
}

static void sleep_until_due(struct http_loop *loop)
{
    struct pollfd fds[] = {{.fd = loop->epoll_fd, .events = POLLIN},
                           {.fd = loop->wake_fd, .events = POLLIN}};
    (void)poll(fds, 2, sleep_ms(loop)); /* a failure makes the round an early one */
    if (fds[1].revents) {
        eventfd_t count;
        (void)eventfd_read(loop->wake_fd, &count);
        /* Before MHD looks: a connection that is resumed from here on wakes the next round. */
        atomic_store(&loop->awake, false);
    }
}

/* `*due`: something is to be done at once, now or then. */
static void run_round(struct http_loop *loop, bool *due)
{
    if (!*due)
        sleep_until_due(loop);
    (void)MHD_run_wait(loop->daemon, 0);
    *due = http_now_round(loop);
}

/* All signals are blocked in it, SIGPIPE too. */
static void *run_loop(void *argument)
{
    struct http_loop *loop = argument;
    struct http_server *server = loop->server;
    bool due = false;
    loop->self = pthread_self();
    while (!atomic_load(&server->draining))
        run_round(loop, &due);
    (void)MHD_quiesce_daemon(loop->daemon); /* gives listen_fd back; http_server.c closes it */
    while (!atomic_load(&server->loops_end) || loop->pending)
        run_round(loop, &due);
    (void)MHD_run_wait(loop->daemon, 0); /* resumes what asked for it last */
    MHD_stop_daemon(loop->daemon);
    return NULL;
}

enum status http_loop_start(struct http_loop *loop, struct error *err)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!info || loop->wake_fd < 0)
        return error_errno(err, errno, "cannot make the HTTP server's event loop");
    loop->epoll_fd = info->epoll_fd;
    return thread_start(&loop->thread, "http-io", HTTP_STACK_BYTES, run_loop, loop, err);
}

void http_loop_wake(struct http_loop *loop)
{
    if (!atomic_exchange(&loop->awake, true))
        (void)eventfd_write(loop->wake_fd, 1);
}

void http_loops_wake(struct http_server *server)
{
    for (uint32_t i = 0; i < server->loops_len; i++)
        http_loop_wake(&server->loops[i]);
}

void http_loops_end(struct http_server *server)
{
    atomic_store(&server->loops_end, true);
    http_loops_wake(server);
    for (uint32_t i = 0; i < server->loops_len; i++)
        thread_join(&server->loops[i].thread);
}
