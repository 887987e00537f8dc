/* http_request.c: life of a request, what a handler may ask of it, and its body. */
#include <poll.h>
#include <stdlib.h>

#include "net/http_int.h"

/* Bound of what handlers may put into a request's arena. */
#define REQUEST_ARENA_MAX ((size_t)1 << 30)

struct http_request *http_request_new(struct http_server *server, struct http_connection *c)
{
    struct arena arena;
    arena_init(&arena, REQUEST_ARENA_MAX);
    struct http_request *r = ARENA_NEW(&arena, struct http_request);
    if (!r)
        return NULL;
    r->server = server;
    r->loop = c->loop;
    r->arena = arena;
    atomic_init(&r->holders, 1);
    r->fd = c->fd;
    r->body_max = server->options.body_max;
    memcpy(r->client, c->client, sizeof r->client);
    pthread_mutex_init(&r->mutex, NULL);
    thread_cond_init(&r->changed);
    ring_init(&r->in, HTTP_RING_BYTES);
    ring_init(&r->out, HTTP_RING_BYTES);
    return r;
}

static void request_free(struct http_request *r)
{
    if (r->response)
        MHD_destroy_response(r->response);
    ring_release(&r->in);
    ring_release(&r->out);
    free(r->body);
    free(r->taken_body);
    pthread_mutex_destroy(&r->mutex);
    pthread_cond_destroy(&r->changed);
    struct arena arena = r->arena; /* holds r itself */
    arena_release(&arena);
}

void http_request_drop(struct http_request *r)
{
    if (atomic_fetch_sub_explicit(&r->holders, 1, memory_order_acq_rel) == 1)
        request_free(r);
}

void http_request_resume(struct http_request *r)
{
    if (!r->suspended || !r->connection)
        return;
    r->suspended = false;
    MHD_resume_connection(r->connection);
    http_loop_wake(r->loop);
}

bool http_request_wait(struct http_request *r, uint32_t timeout_s)
{
    int64_t before = http_now_ms();
    int64_t limit = timeout_s * 1000ll + (int64_t)(r->moved / HTTP_RATE_MIN_PER_MS);
    r->waiting = true;
    bool woken =
        thread_cond_wait_until(&r->changed, &r->mutex, (before + limit - r->waited_ms) * 1000);
    r->waiting = false;
    r->waited_ms += http_now_ms() - before;
    if (woken)
        return true;
    r->timed_out = true;
    if (r->connection)
        shutdown(r->fd, SHUT_RDWR);
    return false;
}

void http_request_wake(struct http_request *r)
{
    if (r->waiting)
        pthread_cond_signal(&r->changed);
}

void http_request_try_now(struct http_request *r)
{
    r->try_now = true;
}

void http_request_set_user(struct http_request *r, void *user)
{
    r->user = user;
}

void *http_request_user(const struct http_request *r)
{
    return r->user;
}

enum http_method http_request_method(const struct http_request *r)
{
    return r->head.method;
}

struct str http_request_method_text(const struct http_request *r)
{
    return r->head.method_text;
}

struct str http_request_path(const struct http_request *r)
{
    return r->head.path;
}

struct str http_request_target(const struct http_request *r)
{
    return r->head.target;
}

struct str http_request_query_text(const struct http_request *r)
{
    return r->head.query.data ? r->head.query : STR("");
}

struct str http_request_header(const struct http_request *r, const char *name)
{
    return http_head_header(&r->head, name);
}

struct str http_request_query(const struct http_request *r, const char *name)
{
    struct str wanted = str_of(name);
    for (uint32_t i = 0; i < r->head.parameter_count; i++)
        if (str_eq(r->head.parameters[i].name, wanted))
            return r->head.parameters[i].value;
    return STR_NONE;
}

bool http_request_header_at(const struct http_request *r, uint32_t index, struct str *ret_name,
                            struct str *ret_value)
{
    if (index >= r->head.header_count)
        return false;
    *ret_name = r->head.headers[index].name;
    *ret_value = r->head.headers[index].value;
    return true;
}

bool http_request_query_at(const struct http_request *r, uint32_t index, struct str *ret_name,
                           struct str *ret_value)
{
    if (index >= r->head.parameter_count)
        return false;
    *ret_name = r->head.parameters[index].name;
    *ret_value = r->head.parameters[index].value;
    return true;
}

struct str http_request_client(const struct http_request *r)
{
    return str_of(r->client);
}

struct arena *http_request_arena(struct http_request *r)
{
    return &r->arena;
}

struct str http_request_body(const struct http_request *r)
{
    return str_make(r->body ? r->body : "", r->body_len);
}

/* A suspended connection is not watched by MHD, so the socket is asked. A client that has shut down
 * its sending side counts as gone, too: it cannot be told from one that has closed. */
bool http_request_gone(const struct http_request *request)
{
    struct http_request *r = (struct http_request *)(uintptr_t)request;
    if (atomic_load_explicit(&r->server->stopping, memory_order_relaxed))
        return true;
    pthread_mutex_lock(&r->mutex);
    bool gone = !r->connection;
    if (!gone) {
        struct pollfd p = {.fd = r->fd, .events = POLLRDHUP};
        gone = poll(&p, 1, 0) > 0 && p.revents & (POLLRDHUP | POLLHUP | POLLERR);
    }
    pthread_mutex_unlock(&r->mutex);
    return gone;
}

/* Under the mutex: why there is nothing more to read. */
static enum status reading_over(struct http_request *r, struct error *err)
{
    if (r->too_large)
        return error_set(err, STATUS_TOO_LARGE, "the body is larger than %llu bytes",
                         (unsigned long long)r->body_max);
    if (r->timed_out)
        return error_set(err, STATUS_REQUEST_TIMEOUT, "the body stopped arriving");
    return error_set(err, STATUS_CANCELLED, "the client is gone");
}

static bool over(struct http_request *r)
{
    return !r->connection || r->too_large ||
           atomic_load_explicit(&r->server->stopping, memory_order_relaxed);
}

static enum status read_stream(struct http_request *r, void *data, size_t cap, size_t *ret_len,
                               struct error *err)
{
    if (!r->body_open && !r->discard) {
        r->body_open = true;
        http_request_resume(r);
    }
    while (r->in.len == 0 && !r->body_ended && !over(r))
        if (!http_request_wait(r, r->server->options.request_timeout_s))
            return reading_over(r, err);
    /* What arrived whole is given out even if the client has gone since. */
    if (over(r) && !(r->body_ended && !r->too_large))
        return reading_over(r, err);
    *ret_len = ring_get(&r->in, data, cap);
    r->moved += *ret_len;
    if (!r->body_ended && ring_free(&r->in) >= HTTP_RING_BYTES / 2)
        http_request_resume(r);
    return STATUS_OK;
}

enum status http_read(struct http_request *r, void *data, size_t cap, size_t *ret_len,
                      struct error *err)
{
    *ret_len = 0;
    if (r->here)
        return error_set(err, STATUS_INTERNAL, "an I/O thread cannot wait for itself");
    if (!r->streamed || !r->head.has_body || cap == 0)
        return STATUS_OK; /* a buffered body is http_request_body's */
    if (r->answer != HTTP_ANSWER_NONE)
        return error_set(err, STATUS_INTERNAL, "the body cannot be read once the answer is begun");
    pthread_mutex_lock(&r->mutex);
    enum status status = read_stream(r, data, cap, ret_len, err);
    pthread_mutex_unlock(&r->mutex);
    return status;
}

uint64_t http_request_sent(struct http_request *r)
{
    pthread_mutex_lock(&r->mutex);
    uint64_t sent = r->streaming ? r->moved : r->early_body.len;
    pthread_mutex_unlock(&r->mutex);
    return sent;
}
