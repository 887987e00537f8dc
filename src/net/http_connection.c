/* http_connection.c: the list of connections, and the sweeper that goes over it.
 *
 * MHD ends a connection that is silent for long, but one that sends a byte now and then would stay
 * for ever. So each connection has a deadline while the server waits for a request: from the accept
 * or, on a kept-alive connection, from its request line, request_timeout_s (before the line,
 * idle_timeout_s more). The sweeper answers 408 and shuts the socket down. Who changes deadline_ms
 * away from a time owns the connection's answer: sweeper and I/O thread cannot both send. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "net/http_int.h"

enum { LINGER_TICK_MS = 10 };

int64_t http_now_ms(void)
{
    return sys_mono_us(sys_posix()) / 1000;
}

struct http_connection *http_connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static void set_client(struct http_connection *c, const struct sockaddr *address)
{
    const void *bytes = NULL;
    if (address && address->sa_family == AF_INET)
        bytes = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    else if (address && address->sa_family == AF_INET6)
        bytes = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    if (!bytes || !inet_ntop(address->sa_family, bytes, c->client, sizeof c->client))
        snprintf(c->client, sizeof c->client, "unknown");
    if (!strncmp(c->client, "::ffff:", 7) && strchr(c->client, '.'))
        memmove(c->client, c->client + 7, strlen(c->client + 7) + 1);
}

static void connection_open(struct http_loop *loop, struct MHD_Connection *connection,
                            void **context)
{
    struct http_server *server = loop->server;
    struct http_connection *c = calloc(1, sizeof *c);
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    *context = c;
    if (!c)
        return; /* its requests are cut */
    c->loop = loop;
    c->fd = fd->connect_fd;
    c->tls = server->tls;
    set_client(c, address ? address->client_addr : NULL);
    atomic_init(&c->deadline_ms, http_now_ms() + server->options.request_timeout_s * 1000ll);
    pthread_mutex_lock(&server->connections_mutex);
    c->next = server->connections;
    if (c->next)
        c->next->prev = c;
    server->connections = c;
    server->connection_count++;
    pthread_mutex_unlock(&server->connections_mutex);
}

/* Under the mutex. MHD closes its descriptor right after; ours keeps the socket. */
static void start_linger(struct http_server *server, int fd)
{
    if (server->linger_count == HTTP_LINGER_MAX || atomic_load(&server->stopping))
        return;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0)
        return; /* it will be reset: a pity, not a fault */
    shutdown(copy, SHUT_WR);
    server->lingering[server->linger_count++] =
        (struct http_lingerer){copy, http_now_ms() + HTTP_LINGER_MS, HTTP_LINGER_BYTES};
    pthread_cond_signal(&server->sweep_now);
}

static void connection_close(struct http_server *server, struct http_connection *c)
{
    pthread_mutex_lock(&server->connections_mutex);
    if (c->prev)
        c->prev->next = c->next;
    else
        server->connections = c->next;
    if (c->next)
        c->next->prev = c->prev;
    server->connection_count--;
    if (c->linger)
        start_linger(server, c->fd);
    pthread_mutex_unlock(&server->connections_mutex);
    free(c);
}

void http_connection_notify(void *cls, struct MHD_Connection *connection, void **context,
                            enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        connection_open(cls, connection, context);
    else if (*context)
        connection_close(((struct http_loop *)cls)->server, *context);
}

static void send_timeout_answer(struct http_server *server, const struct http_connection *c)
{
    struct arena arena;
    struct str body, type;
    struct error fault = ERROR_INIT;
    arena_init(&arena, 1 << 20);
    error_set(&fault, STATUS_REQUEST_TIMEOUT, "the request did not arrive within %u s",
              server->options.request_timeout_s);
    http_fault_text(server, &arena, &fault, &body, &type);
    const char *text = arena_printf(&arena,
                                    "HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
                                    "Content-Type: %.*s\r\nContent-Length: %zu\r\n\r\n%.*s",
                                    STR_ARG(type), body.len, STR_ARG(body));
    if (text)
        (void)!send(c->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL); /* best effort */
    arena_release(&arena);
}

/* Under the mutex, so that MHD cannot close the descriptor meanwhile. */
static void sweep_connections(struct http_server *server)
{
    int64_t now = http_now_ms();
    for (struct http_connection *c = server->connections; c; c = c->next) {
        int64_t deadline = atomic_load(&c->deadline_ms);
        if (deadline <= 0 || now < deadline ||
            !atomic_compare_exchange_strong(&c->deadline_ms, &deadline, HTTP_CUT))
            continue;
        atomic_fetch_add_explicit(&server->refused, 1, memory_order_relaxed);
        if (!c->tls)
            send_timeout_answer(server, c);
        shutdown(c->fd, SHUT_RDWR);
    }
}

/* True when the socket is done with. */
static bool drain(struct http_lingerer *l)
{
    char scrap[16 * 1024];
    while (l->left > 0) {
        ssize_t n = recv(l->fd, scrap, sizeof scrap, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return true;
        if (n < 0)
            return http_now_ms() >= l->until_ms;
        l->left = l->left > (uint64_t)n ? l->left - (uint64_t)n : 0;
    }
    return true;
}

static void sweep_lingering(struct http_server *server)
{
    for (uint32_t i = 0; i < server->linger_count;) {
        if (!drain(&server->lingering[i])) {
            i++;
            continue;
        }
        close(server->lingering[i].fd);
        server->lingering[i] = server->lingering[--server->linger_count];
    }
}

void *http_sweep_run(void *argument)
{
    struct http_server *server = argument;
    int64_t next_ms = 0;
    pthread_mutex_lock(&server->connections_mutex);
    while (!server->sweeper_ends) {
        if (http_now_ms() >= next_ms) {
            sweep_connections(server);
            next_ms = http_now_ms() + HTTP_SWEEP_MS;
        }
        sweep_lingering(server);
        int64_t tick = server->linger_count ? LINGER_TICK_MS : HTTP_SWEEP_MS;
        thread_cond_wait_until(&server->sweep_now, &server->connections_mutex,
                               (http_now_ms() + tick) * 1000);
    }
    pthread_mutex_unlock(&server->connections_mutex);
    return NULL;
}

void http_connections_shut(struct http_server *server)
{
    pthread_mutex_lock(&server->connections_mutex);
    for (struct http_connection *c = server->connections; c; c = c->next) {
        if (c->request) {
            pthread_mutex_lock(&c->request->mutex);
            http_request_wake(c->request);
            pthread_mutex_unlock(&c->request->mutex);
        }
        shutdown(c->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&server->connections_mutex);
}

void http_linger_release(struct http_server *server)
{
    for (uint32_t i = 0; i < server->linger_count; i++)
        close(server->lingering[i].fd);
    server->linger_count = 0;
}
