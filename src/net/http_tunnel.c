/* http_tunnel.c: two pipes with a buffer each, moved by one poll loop. When one side has ended,
 * what it sent before is delivered, then both are done. */
#include "net/http_tunnel.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <poll.h>
#include <unistd.h>

#include "net/http_int.h"

enum { LOOK_MS = 500 /* so often the tunnel looks whether the server drains */ };

struct side {
    int fd;
    gnutls_session_t tls; /* NULL: plain text */
};

struct pipe {
    struct side *from, *to;
    char data[HTTP_TUNNEL_BYTES];
    struct str head; /* goes first; then `data` from `start` */
    size_t start, len;
    bool ended; /* `from` has nothing more to say */
};

struct tunnel {
    struct side client, other;
    struct pipe down, up; /* to the client, from the client */
};

/* --- bytes; -1 with errno, EAGAIN: not now --- */

static ssize_t of_tls(ssize_t n)
{
    if (n >= 0)
        return n;
    errno = n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED ? EAGAIN : EIO;
    return -1;
}

static ssize_t side_read(struct side *side, void *data, size_t cap)
{
    return side->tls ? of_tls(gnutls_record_recv(side->tls, data, cap))
                     : recv(side->fd, data, cap, MSG_DONTWAIT);
}

static ssize_t side_write(struct side *side, const void *data, size_t len)
{
    return side->tls ? of_tls(gnutls_record_send(side->tls, data, len))
                     : send(side->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool must_wait(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* --- a pipe; false: it is broken --- */

static bool fill(struct pipe *pipe)
{
    if (pipe->head.len || pipe->len || pipe->ended)
        return true;
    ssize_t n = side_read(pipe->from, pipe->data, sizeof pipe->data);
    if (n < 0)
        return must_wait();
    pipe->ended = n == 0;
    pipe->start = 0;
    pipe->len = (size_t)n;
    return true;
}

static bool drain(struct pipe *pipe)
{
    while (pipe->head.len || pipe->len) {
        bool first = pipe->head.len > 0;
        const char *data = first ? pipe->head.data : pipe->data + pipe->start;
        ssize_t n = side_write(pipe->to, data, first ? pipe->head.len : pipe->len);
        if (n < 0)
            return must_wait();
        if (first) {
            pipe->head.data += n;
            pipe->head.len -= (size_t)n;
        } else {
            pipe->start += (size_t)n;
            pipe->len -= (size_t)n;
        }
    }
    return true;
}

static bool is_empty(const struct pipe *pipe)
{
    return !pipe->head.len && !pipe->len;
}

/* What it waits for: bytes from one side, or room at the other. */
static void await(const struct pipe *pipe, struct pollfd *from, struct pollfd *to)
{
    if (!is_empty(pipe))
        to->events |= POLLOUT;
    else if (!pipe->ended)
        from->events |= POLLIN;
}

/* --- both --- */

static bool move(struct pipe *pipe)
{
    return fill(pipe) && drain(pipe);
}

/* A TLS session may hold bytes that were read from the socket already. */
static bool has_pending(const struct tunnel *tunnel)
{
    return tunnel->client.tls && is_empty(&tunnel->up) &&
           gnutls_record_check_pending(tunnel->client.tls) > 0;
}

static void run(struct tunnel *tunnel, const struct http_server *server, uint32_t idle_s)
{
    int64_t until_ms = http_now_ms() + idle_s * 1000ll;
    while (move(&tunnel->down) && move(&tunnel->up) && !atomic_load(&server->draining)) {
        if ((tunnel->down.ended && is_empty(&tunnel->down)) ||
            (tunnel->up.ended && is_empty(&tunnel->up)))
            return;
        if (has_pending(tunnel))
            continue;
        struct pollfd fds[] = {{.fd = tunnel->client.fd}, {.fd = tunnel->other.fd}};
        await(&tunnel->down, &fds[1], &fds[0]);
        await(&tunnel->up, &fds[0], &fds[1]);
        int ready = poll(fds, 2, LOOK_MS);
        if (ready > 0)
            until_ms = http_now_ms() + idle_s * 1000ll;
        else if (http_now_ms() >= until_ms)
            return;
    }
}

void http_tunnel(struct http_request *r, struct str head, int fd, uint32_t idle_s)
{
    struct tunnel *tunnel = ARENA_NEW(&r->arena, struct tunnel);
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (tunnel && r->answer == HTTP_ANSWER_NONE && !r->here) {
        tunnel->client = (struct side){r->fd, tls ? tls->tls_session : NULL};
        tunnel->other = (struct side){fd, NULL};
        tunnel->down.from = tunnel->up.to = &tunnel->other;
        tunnel->down.to = tunnel->up.from = &tunnel->client;
        tunnel->down.head = head;
        run(tunnel, r->server, idle_s);
    }
    http_abort(r); /* closes the client's connection */
}
