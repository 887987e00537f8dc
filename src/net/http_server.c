/* http_server.c: start, stop and figures of a listener.
 *
 * Stopping, in steps: (1) the listener is shut and the loop quiesces MHD: no more connections,
 * answers say "Connection: close"; (2) requests that run get `grace_ms`; (3) waits inside handlers
 * are cancelled, sockets shut down; (4) the workers come to an end, which resumes every suspended
 * connection: the loop must not end before; (5) the loop ends, MHD stops.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/http_int.h"

enum { BACKLOG = 1024 };

static struct http_server_options with_defaults(const struct http_server_options *given)
{
    struct http_server_options o = *given;
    if (!o.host)
        o.host = "127.0.0.1";
    if (!o.io_threads)
        o.io_threads = 1;
    if (o.io_threads > HTTP_IO_THREADS_MAX)
        o.io_threads = HTTP_IO_THREADS_MAX;
    if (!o.workers)
        o.workers = 16;
    if (!o.queue_max)
        o.queue_max = 1024;
    if (!o.connections_max)
        o.connections_max = 10000;
    if (!o.idle_timeout_s)
        o.idle_timeout_s = 30;
    if (!o.request_timeout_s)
        o.request_timeout_s = 60;
    if (!o.body_max)
        o.body_max = (uint64_t)64 << 20;
    return o;
}

static enum status parse_address(const struct http_server_options *o, struct sockaddr_storage *ret,
                                 socklen_t *ret_len, struct error *err)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(o->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(o->port)};
    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, o->host, &v4.sin_addr) == 1) {
        memcpy(ret, &v4, *ret_len = sizeof v4);
        return STATUS_OK;
    }
    if (inet_pton(AF_INET6, o->host, &v6.sin6_addr) == 1) {
        memcpy(ret, &v6, *ret_len = sizeof v6);
        return STATUS_OK;
    }
    return error_set(err, STATUS_INVALID_ARGUMENT, "%s is no IPv4 or IPv6 address", o->host);
}

static enum status bind_socket(struct http_server *server, const struct sockaddr_storage *address,
                               socklen_t len, struct error *err)
{
    const struct http_server_options *o = &server->options;
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    server->listen_fd = fd;
    int on = 1;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return error_errno(err, errno, "cannot make a socket");
    if (bind(fd, (const struct sockaddr *)(const void *)address, len) < 0 ||
        listen(fd, BACKLOG) < 0) {
        if (errno == EADDRINUSE)
            return error_set(err, STATUS_CONFLICT, "port %u of %s is in use", o->port, o->host);
        return error_errno(err, errno, "cannot listen on port %u of %s", o->port, o->host);
    }
    struct sockaddr_storage bound;
    len = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)(void *)&bound, &len) < 0)
        return error_errno(err, errno, "cannot ask for the port");
    server->port =
        ntohs(bound.ss_family == AF_INET ? ((struct sockaddr_in *)(void *)&bound)->sin_port
                                         : ((struct sockaddr_in6 *)(void *)&bound)->sin6_port);
    return STATUS_OK;
}

/* While starting, the last thing MHD has to say; later nothing. */
static void keep_message(void *cls, const char *format, va_list args)
{
    struct http_server *server = cls;
    if (atomic_load(&server->started))
        return;
    vsnprintf(server->start_log, sizeof server->start_log, format, args);
    size_t len = strlen(server->start_log);
    while (len && server->start_log[len - 1] == '\n')
        server->start_log[--len] = 0;
}

/* Escapes are http_head.c's business. */
static size_t keep_escapes(void *cls, struct MHD_Connection *connection, char *text)
{
    (void)cls, (void)connection;
    return strlen(text);
}

static enum status start_daemon(struct http_server *server, struct http_loop *loop,
                                struct error *err)
{
    const struct http_server_options *o = &server->options;
    unsigned connections = (o->connections_max + o->io_threads - 1) / o->io_threads;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem items[8];
    int n = 0;
    if (server->tls) {
        flags |= MHD_USE_TLS;
        n += http_tls_options(server->tls, items + n);
    }
    items[n] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    loop->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, http_io_call, server, MHD_OPTION_EXTERNAL_LOGGER, keep_message,
        server, MHD_OPTION_LISTEN_SOCKET, server->listen_fd, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HTTP_POOL_BYTES, MHD_OPTION_CONNECTION_LIMIT, connections,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)o->idle_timeout_s, MHD_OPTION_NOTIFY_COMPLETED,
        http_io_completed, server, MHD_OPTION_NOTIFY_CONNECTION, http_connection_notify, loop,
        MHD_OPTION_URI_LOG_CALLBACK, http_io_uri, server, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_ARRAY, items, MHD_OPTION_END);
    if (!loop->daemon)
        return error_set(err, STATUS_IO, "cannot start the HTTP server: %s", server->start_log);
    return STATUS_OK;
}

static enum status start_loop(struct http_server *server, struct http_loop *loop, struct error *err)
{
    *loop = (struct http_loop){.server = server, .wake_fd = -1};
    atomic_store(&server->started, false);
    TRY(start_daemon(server, loop, err));
    atomic_store(&server->started, true);
    enum status status = http_loop_start(loop, err);
    if (status == STATUS_OK) {
        server->loops_len++;
        return STATUS_OK;
    }
    (void)MHD_quiesce_daemon(loop->daemon);
    MHD_stop_daemon(loop->daemon);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    return status;
}

/* All or none. */
static enum status start_loops(struct http_server *server, struct error *err)
{
    enum status status = STATUS_OK;
    server->loops = calloc(server->options.io_threads, sizeof *server->loops);
    if (!server->loops)
        return error_no_memory(err);
    for (uint32_t i = 0; i < server->options.io_threads && status == STATUS_OK; i++)
        status = start_loop(server, &server->loops[i], err);
    if (status != STATUS_OK) {
        atomic_store(&server->draining, true);
        http_loops_end(server);
    }
    return status;
}

static enum status start_all(struct http_server *server, struct error *err)
{
    const struct http_server_options *o = &server->options;
    struct sockaddr_storage address;
    socklen_t len = 0;
    TRY(parse_address(o, &address, &len, err));
    if (o->tls_key)
        TRY(http_tls_new(o->tls_certificate, o->tls_key, o->tls_newest_only,
                         o->request_timeout_s + o->idle_timeout_s, &server->tls, err));
    TRY(bind_socket(server, &address, len, err));
    TRY(thread_start(&server->sweeper, "http-sweeper", 0, http_sweep_run, server, err));
    return start_loops(server, err);
}

static void server_free(struct http_server *server)
{
    pthread_mutex_lock(&server->connections_mutex);
    server->sweeper_ends = true;
    pthread_cond_signal(&server->sweep_now);
    pthread_mutex_unlock(&server->connections_mutex);
    thread_join(&server->sweeper);
    http_linger_release(server);
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    for (uint32_t i = 0; i < server->loops_len; i++)
        close(server->loops[i].wake_fd);
    free(server->loops);
    http_queue_release(&server->queue);
    http_tls_free(server->tls);
    pthread_cond_destroy(&server->sweep_now);
    pthread_cond_destroy(&server->drained);
    pthread_mutex_destroy(&server->connections_mutex);
    free(server);
}

enum status http_server_start(const struct http_server_options *options,
                              struct http_server **ret_server, struct error *err)
{
    *ret_server = NULL;
    if (!options->on_request || !options->tls_certificate != !options->tls_key)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "an HTTP server needs a handler, and TLS both certificate and key");
    struct http_server *server = calloc(1, sizeof *server);
    if (!server)
        return error_no_memory(err);
    server->options = with_defaults(options);
    server->listen_fd = -1;
    enum status status =
        http_queue_init(&server->queue, server->options.workers, server->options.queue_max, err);
    if (status != STATUS_OK) {
        free(server);
        return status;
    }
    pthread_mutex_init(&server->connections_mutex, NULL);
    thread_cond_init(&server->sweep_now);
    thread_cond_init(&server->drained);
    status = start_all(server, err);
    /* Texts that only the start needed are the caller's again. */
    server->options.host = server->options.tls_certificate = server->options.tls_key = NULL;
    if (status != STATUS_OK) {
        server_free(server);
        return status;
    }
    *ret_server = server;
    return STATUS_OK;
}

enum status http_server_set_certificate(struct http_server *server, const char *certificate,
                                        const char *key, struct error *err)
{
    return http_tls_replace(server->tls, certificate, key, err);
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

static void await_drained(struct http_server *server, uint32_t grace_ms)
{
    int64_t until_us = (http_now_ms() + grace_ms) * 1000;
    pthread_mutex_lock(&server->connections_mutex);
    while (atomic_load(&server->active) > 0 &&
           thread_cond_wait_until(&server->drained, &server->connections_mutex, until_us))
        ;
    pthread_mutex_unlock(&server->connections_mutex);
}

void http_server_stop(struct http_server *server, uint32_t grace_ms)
{
    if (!server)
        return;
    atomic_store(&server->draining, true);
    shutdown(server->listen_fd, SHUT_RDWR);
    http_loops_wake(server);
    await_drained(server, grace_ms);
    atomic_store(&server->stopping, true);
    http_connections_shut(server);
    http_queue_close(&server->queue);
    http_loops_end(server);
    server_free(server);
}

void http_server_get_stats(const struct http_server *server, struct http_server_stats *ret)
{
    struct http_server *own = (struct http_server *)(uintptr_t)server;
    pthread_mutex_lock(&own->queue.mutex);
    uint64_t queued = own->queue.length;
    pthread_mutex_unlock(&own->queue.mutex);
    pthread_mutex_lock(&own->connections_mutex);
    uint64_t connections = own->connection_count;
    pthread_mutex_unlock(&own->connections_mutex);
    *ret = (struct http_server_stats){
        .requests = atomic_load(&own->requests),
        .refused = atomic_load(&own->refused),
        .active = atomic_load(&own->active),
        .queued = queued,
        .connections = connections,
        .bytes_in = atomic_load(&own->bytes_in),
        .bytes_out = atomic_load(&own->bytes_out),
    };
}
