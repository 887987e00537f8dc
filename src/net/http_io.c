/* http_io.c: libmicrohttpd's call backs: a request from its first line to its answer.
 *
 * MHD calls, for one request: http_io_uri (the request line is there), http_io_call without data
 * (the head is there), with data any number of times (pieces of the body), without data again (all
 * is there, until an answer is queued), http_io_completed. What happens in between:
 *
 *   no body, or a buffered one:  all there -> queue + suspend -> handler answers -> resume -> send
 *   the same, tried here first:  all there -> on_request_now answers -> send
 *   a streamed body:             head there -> queue + suspend -> handler reads -> resume -> body
 * in pieces through the ring -> suspend at its end -> answer -> send
 *
 * A handler that answers without having read sends its answer at once, even before "100 Continue".
 * A handler that answers in the middle of a body has to wait for the body's end, since MHD takes an
 * answer only before or after it; the rest is thrown away, at most HTTP_DISCARD_MAX bytes of it:
 * then the answer is written past MHD (answer_past). */
#include <stdlib.h>
#include <sys/uio.h>

#include "net/http_int.h"

void *http_io_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct http_server *server = cls;
    struct http_connection *c = http_connection_of(connection);
    struct http_request *r = c && !c->poisoned ? http_request_new(server, c) : NULL;
    if (!r)
        return NULL;
    r->connection = connection;
    c->loop->in_a_row = c->loop->last == c ? c->loop->in_a_row + 1 : 0;
    c->loop->last = c;
    r->target_len = uri ? strlen(uri) : 0;
    struct error fault = ERROR_INIT;
    if (http_head_set_target(&r->head, &r->arena, str_of(uri ? uri : ""), &fault) != STATUS_OK) {
        r->head_fault = ARENA_NEW(&r->arena, struct error);
        if (r->head_fault)
            *r->head_fault = fault;
    }
    int64_t until = http_now_ms() + server->options.request_timeout_s * 1000ll;
    int64_t before = atomic_load(&c->deadline_ms);
    if (before == HTTP_NO_DEADLINE || before > until)
        atomic_compare_exchange_strong(&c->deadline_ms, &before, until);
    pthread_mutex_lock(&server->connections_mutex);
    c->request = r;
    pthread_mutex_unlock(&server->connections_mutex);
    return r;
}

/* It is the server's turn now; false when the sweeper has cut the connection. */
static bool end_deadline(struct MHD_Connection *connection)
{
    struct http_connection *c = http_connection_of(connection);
    int64_t before = atomic_load(&c->deadline_ms);
    while (before != HTTP_CUT &&
           !atomic_compare_exchange_weak(&c->deadline_ms, &before, HTTP_NO_DEADLINE))
        ;
    return before != HTTP_CUT;
}

static enum MHD_Result send_fault(struct http_request *r, struct MHD_Connection *connection,
                                  const struct error *fault, bool close)
{
    atomic_fetch_add_explicit(&r->server->refused, 1, memory_order_relaxed);
    if (!end_deadline(connection))
        return MHD_NO;
    struct MHD_Response *response = http_fault_response(r, fault, close);
    if (!response)
        return MHD_NO;
    if (close)
        http_connection_of(connection)->linger = true;
    enum MHD_Result result =
        MHD_queue_response(connection, (unsigned)status_info(fault->status)->http, response);
    MHD_destroy_response(response);
    return result;
}

/* --- moving on --- */

/* MHD looks first at what a connection wants to do when it has a time out of its own, else first at
 * its socket: then a client that has closed its sending half (`nc -N`) would lose its answer. */
static void look_first(struct http_server *server, struct MHD_Connection *connection, bool first)
{
    (void)MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                    server->options.idle_timeout_s + first);
}

/* Under the mutex. */
static void suspend(struct http_request *r)
{
    if (!r->suspended_once)
        look_first(r->server, r->connection, true);
    r->suspended = r->suspended_once = true;
    MHD_suspend_connection(r->connection);
}

static enum MHD_Result send_answer(struct http_request *r, struct MHD_Connection *connection)
{
    if (r->answer == HTTP_ANSWER_CUT)
        return MHD_NO;
    if (r->head.has_body && r->streamed && !r->body_ended)
        http_connection_of(connection)->linger = true;
    return MHD_queue_response(connection, (unsigned)r->answer_status, r->response);
}

static void body_refused(const struct http_request *r, struct error *ret)
{
    error_set(ret, r->body_fault,
              r->body_fault == STATUS_TOO_LARGE ? "the body is larger than %llu bytes"
                                                : "no memory for a body of up to %llu bytes",
              (unsigned long long)r->body_max);
}

static enum MHD_Result refuse_body(struct http_request *r, struct MHD_Connection *connection)
{
    struct error fault = ERROR_INIT;
    body_refused(r, &fault);
    return send_fault(r, connection, &fault, true);
}

static enum MHD_Result refuse_request(struct http_request *r, struct MHD_Connection *connection)
{
    struct error fault = ERROR_INIT;
    error_set(&fault, STATUS_UNAVAILABLE, "the server has too many requests waiting");
    fault.retry_after_s = 1;
    return send_fault(r, connection, &fault, r->streamed && r->head.has_body);
}

/* A request that does not fit is refused when it comes back. */
static void enqueue(struct http_request *r)
{
    struct http_server *server = r->server;
    atomic_fetch_add_explicit(&r->holders, 1, memory_order_relaxed);
    atomic_fetch_add(&server->active, 1);
    if (http_queue_put(server, r)) {
        atomic_fetch_add_explicit(&server->requests, 1, memory_order_relaxed);
        return;
    }
    atomic_fetch_sub(&server->active, 1);
    atomic_fetch_sub_explicit(&r->holders, 1, memory_order_relaxed);
    pthread_mutex_lock(&r->mutex);
    r->refused = true;
    r->queued = false;
    http_request_resume(r);
    pthread_mutex_unlock(&r->mutex);
}

/* To the workers. */
static void hand_over(struct http_request *r)
{
    pthread_mutex_lock(&r->mutex);
    r->queued = true;
    suspend(r); /* first, for a worker may answer at once */
    pthread_mutex_unlock(&r->mutex);
    enqueue(r);
}

/* May it block, since nobody else has asked this I/O thread for anything for a while? Until it is
 * done the others, one of which at least stays free, accept. */
static bool enter_alone(struct http_request *r)
{
    struct http_server *server = r->server;
    if (r->loop->in_a_row < HTTP_ALONE_AFTER)
        return false;
    if (atomic_fetch_add(&server->loops_busy, 1) + 1 < server->options.io_threads)
        return true;
    atomic_fetch_sub(&server->loops_busy, 1);
    return false;
}

/* Tries the request on this thread; false: it has to go to a worker. */
static bool run_now(struct http_request *r)
{
    struct http_server *server = r->server;
    if (!r->try_now || !server->options.on_request_now || (r->head.has_body && r->streamed) ||
        r->body_len > HTTP_NOW_BODY_MAX ||
        atomic_load_explicit(&server->draining, memory_order_relaxed))
        return false;
    bool alone = enter_alone(r);
    atomic_fetch_add(&server->active, 1);
    r->here = true;
    bool done = server->options.on_request_now(server->options.context, r, alone);
    if (done)
        http_answer_unanswered(r);
    r->here = false;
    if (alone)
        atomic_fetch_sub(&server->loops_busy, 1);
    if (done) {
        r->queued = true; /* counted as active until its end */
        atomic_fetch_add_explicit(&server->requests, 1, memory_order_relaxed);
        return true;
    }
    atomic_fetch_sub(&server->active, 1);
    r->headers_out = NULL;
    return false;
}

enum step { STEP_NONE, STEP_RUN, STEP_REFUSE, STEP_ANSWER };

/* Under the mutex: what to do after unlocking (MHD takes locks of its own there). */
static enum step next_step(struct http_request *r)
{
    if (r->answer != HTTP_ANSWER_NONE)
        return STEP_ANSWER;
    if (!r->queued)
        return r->refused || r->body_fault != STATUS_OK ? STEP_REFUSE : STEP_RUN;
    if (r->body_open && !r->body_reading) {
        r->body_reading = true; /* MHD goes on to "100 Continue" and the body */
        return STEP_NONE;
    }
    if (r->body_reading) {
        r->body_ended = true;
        http_request_wake(r);
    }
    suspend(r);
    return STEP_NONE;
}

static enum MHD_Result advance(struct http_request *r, struct MHD_Connection *connection)
{
    if (!r->queued && !end_deadline(connection)) /* only the I/O thread changes `queued` */
        return MHD_NO;
    pthread_mutex_lock(&r->mutex);
    enum step step = next_step(r);
    pthread_mutex_unlock(&r->mutex);
    switch (step) {
    case STEP_RUN:
        if (run_now(r))
            return send_answer(r, connection);
        hand_over(r);
        break;
    case STEP_REFUSE:
        return r->refused ? refuse_request(r, connection) : refuse_body(r, connection);
    case STEP_ANSWER:
        return send_answer(r, connection);
    case STEP_NONE:
        break;
    }
    return MHD_YES;
}

/* --- the body; under the mutex --- */

static enum status grow_body(struct http_request *r, size_t need)
{
    if (need <= r->body_cap)
        return STATUS_OK;
    size_t first = r->head.content_length < (1u << 20) ? (size_t)r->head.content_length : 1u << 20;
    size_t cap = r->body_cap ? r->body_cap : first;
    while (cap < need)
        cap = cap < 4096 ? 4096 : cap * 2;
    if (!r->head.chunked && cap > r->head.content_length)
        cap = (size_t)r->head.content_length;
    uint64_t more = cap - r->body_cap;
    if (atomic_fetch_add(&r->server->buffered, more) + more > HTTP_BUFFERED_MAX) {
        atomic_fetch_sub(&r->server->buffered, more);
        return STATUS_NO_MEMORY;
    }
    char *body = realloc(r->body, cap);
    if (!body) {
        atomic_fetch_sub(&r->server->buffered, more);
        return STATUS_NO_MEMORY;
    }
    r->body = body;
    r->body_cap = cap;
    return STATUS_OK;
}

static void drop_body(struct http_request *r, enum status why)
{
    atomic_fetch_sub(&r->server->buffered, r->body_cap);
    free(r->body);
    r->body = NULL;
    r->body_len = r->body_cap = 0;
    r->body_fault = why;
    r->discard = true;
}

static void buffer_body(struct http_request *r, const char *data, size_t len)
{
    enum status status = grow_body(r, r->body_len + len);
    if (status != STATUS_OK) {
        drop_body(r, status);
        return;
    }
    memcpy(r->body + r->body_len, data, len);
    r->body_len += len;
}

static const char *early_head(struct http_request *r, struct arena *arena, int status,
                              struct str type, size_t len)
{
    const char *head = arena_printf(arena, "HTTP/1.1 %d %s\r\nConnection: close\r\n", status,
                                    MHD_get_reason_phrase_for((unsigned)status));
    for (const struct http_header_out *h = r->headers_out; h && head; h = h->next)
        head = arena_printf(arena, "%s%s: %s\r\n", head, h->name, h->value);
    return head ? arena_printf(arena, "%sContent-Type: %.*s\r\nContent-Length: %zu\r\n\r\n", head,
                               STR_ARG(type), len)
                : NULL;
}

/* MHD takes no answer in the middle of a body. When too much of it is left to wait for its end, the
 * answer is written past MHD, and the connection closed softly. Best effort: nothing else is under
 * way, so an answer of this size fits the socket's buffer. */
static void answer_past(struct http_request *r)
{
    struct http_connection *c = http_connection_of(r->connection);
    struct str body = r->early_body, type = r->early_type;
    int status = r->answer_status;
    struct arena arena;
    struct error fault = ERROR_INIT;
    arena_init(&arena, 1 << 20);
    if (r->answer == HTTP_ANSWER_NONE) {
        body_refused(r, &fault);
        status = status_info(fault.status)->http;
        http_fault_text(r->server, &arena, &fault, &body, &type);
    }
    const char *head = body.len <= HTTP_EARLY_MAX && !c->tls && !r->streaming
                           ? early_head(r, &arena, status, type, body.len)
                           : NULL;
    struct iovec parts[] = {{(void *)(uintptr_t)head, head ? strlen(head) : 0},
                            {(void *)(uintptr_t)body.data, body.len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (head && sendmsg(r->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        c->linger = true;
    arena_release(&arena);
}

static enum MHD_Result discard(struct http_request *r, size_t *size)
{
    if (r->discarded + *size <= HTTP_DISCARD_MAX) {
        r->discarded += *size;
        *size = 0;
        return MHD_YES;
    }
    if (r->queued && r->answer == HTTP_ANSWER_NONE) { /* the handler is about to answer */
        suspend(r);
        return MHD_YES;
    }
    if (r->answer != HTTP_ANSWER_CUT)
        answer_past(r);
    return MHD_NO;
}

static enum MHD_Result stream_body(struct http_request *r, const char *data, size_t *size)
{
    if (!ring_ready(&r->in))
        return MHD_NO;
    size_t n = ring_put(&r->in, data, *size);
    r->body_seen += n;
    *size -= n;
    http_request_wake(r);
    if (*size)
        suspend(r);
    return MHD_YES;
}

static enum MHD_Result take_body(struct http_request *r, const char *data, size_t *size)
{
    if (!r->discard && r->body_seen + *size > r->body_max) {
        r->too_large = r->discard = true;
        if (!r->streamed)
            drop_body(r, STATUS_TOO_LARGE);
        http_request_wake(r);
    }
    if (r->discard)
        return discard(r, size);
    if (r->streamed)
        return stream_body(r, data, size);
    buffer_body(r, data, *size);
    r->body_seen += *size;
    *size = 0;
    return MHD_YES;
}

enum MHD_Result http_io_call(void *cls, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *data,
                             size_t *size, void **context)
{
    struct http_request *r = *context;
    if (!r)
        return MHD_NO;
    if (!r->head_taken) {
        struct error fault = ERROR_INIT;
        r->head_taken = true;
        if (http_io_check_head(r, connection, url, method, version, &fault) != STATUS_OK)
            return send_fault(r, connection, &fault, true);
        if (!r->streamed || !r->head.has_body)
            return MHD_YES;
    }
    size_t before = *size;
    if (before == 0)
        return advance(r, connection);
    pthread_mutex_lock(&r->mutex);
    enum MHD_Result result = take_body(r, data, size);
    pthread_mutex_unlock(&r->mutex);
    atomic_fetch_add_explicit(&((struct http_server *)cls)->bytes_in, before - *size,
                              memory_order_relaxed);
    return result;
}

ssize_t http_io_read_answer(void *cls, uint64_t position, char *data, size_t cap)
{
    (void)position;
    struct http_request *r = cls;
    ssize_t result;
    pthread_mutex_lock(&r->mutex);
    if (r->out_aborted) {
        result = MHD_CONTENT_READER_END_WITH_ERROR;
    } else if (r->out.len) {
        result = (ssize_t)ring_get(&r->out, data, cap);
        if (ring_free(&r->out) >= HTTP_RING_BYTES / 2)
            http_request_wake(r);
        atomic_fetch_add_explicit(&r->server->bytes_out, (uint64_t)result, memory_order_relaxed);
    } else if (r->out_ended) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        suspend(r);
        result = 0;
    }
    pthread_mutex_unlock(&r->mutex);
    return result;
}

/* --- the end --- */

static void count_end(struct http_server *server, bool queued)
{
    if (!queued || atomic_fetch_sub(&server->active, 1) != 1 || !atomic_load(&server->draining))
        return;
    pthread_mutex_lock(&server->connections_mutex);
    pthread_cond_broadcast(&server->drained);
    pthread_mutex_unlock(&server->connections_mutex);
}

/* MHD has refused the head by itself. After some faults (a wrong Content-Length, say) it would take
 * what follows for the next request. */
static void poison(struct http_connection *c)
{
    c->poisoned = c->linger = true;
    shutdown(c->fd, SHUT_RD);
}

void http_io_completed(void *cls, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode code)
{
    struct http_server *server = cls;
    struct http_request *r = *context;
    struct http_connection *c = http_connection_of(connection);
    *context = NULL;
    if (!r || !c)
        return;
    pthread_mutex_lock(&server->connections_mutex);
    c->request = NULL;
    pthread_mutex_unlock(&server->connections_mutex);
    if (r->suspended_once)
        look_first(server, connection, false);
    if (!r->head_taken)
        poison(c);
    int64_t before = atomic_load(&c->deadline_ms);
    if (before != HTTP_CUT)
        atomic_compare_exchange_strong(
            &c->deadline_ms, &before,
            http_now_ms() +
                1000ll * (server->options.idle_timeout_s + server->options.request_timeout_s));
    pthread_mutex_lock(&r->mutex);
    atomic_fetch_sub(&server->buffered, r->body_cap);
    r->connection = NULL;
    r->timed_out |= code == MHD_REQUEST_TERMINATED_TIMEOUT_REACHED;
    bool queued = r->queued;
    http_request_wake(r);
    pthread_mutex_unlock(&r->mutex);
    http_request_drop(r);
    count_end(server, queued);
}
