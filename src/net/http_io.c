/* http_io.c: libmicrohttpd's call backs: a request from its first line to its answer.
 *
 * MHD calls, for one request: http_io_uri (the request line is there), http_io_call without data
 * (the head is there), with data any number of times (pieces of the body), without data again (all
 * is there, until an answer is queued), http_io_completed. What happens in between:
 *
 *   no body, or a buffered one:  all there -> queue + suspend -> handler answers -> resume -> send
 *   the same, tried here first:  all there -> on_request_now answers -> send
 *   and put off there:           all there -> on_request_now -> (http_now.c) -> on_later -> send
 *   a streamed body:             head there -> queue + suspend -> handler reads -> resume -> body
 * in pieces through the ring -> suspend at its end -> answer -> send
 *
 * A handler that answers without having read sends its answer at once, even before "100 Continue".
 * A handler that answers in the middle of a body has to wait for the body's end, since MHD takes an
 * answer only before or after it; the rest is thrown away, at most HTTP_DISCARD_MAX bytes of it:
 * then the answer is written past MHD (answer_past). */
#include <stdlib.h>

#include "net/http_int.h"

void *http_io_uri(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct http_server *server = cls;
    struct http_connection *c = http_connection_of(connection);
    struct http_request *r = c && !c->poisoned ? http_request_new(server, c) : NULL;
    if (!r)
        return NULL;
    r->connection = connection;
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
void http_io_suspend(struct http_request *r)
{
    if (!r->suspended_once)
        look_first(r->server, r->connection, true);
    r->suspended = r->suspended_once = true;
    MHD_suspend_connection(r->connection);
}

enum MHD_Result http_io_send(struct http_request *r, struct MHD_Connection *connection)
{
    if (r->answer == HTTP_ANSWER_CUT)
        return MHD_NO;
    if (r->head.has_body && r->streamed && !r->body_ended)
        http_connection_of(connection)->linger = true;
    return MHD_queue_response(connection, (unsigned)r->answer_status, r->response);
}

static enum MHD_Result refuse_body(struct http_request *r, struct MHD_Connection *connection)
{
    struct error fault = ERROR_INIT;
    http_io_body_refused(r, &fault);
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
    http_io_suspend(r); /* first, for a worker may answer at once */
    pthread_mutex_unlock(&r->mutex);
    enqueue(r);
}

enum step { STEP_NONE, STEP_RUN, STEP_REFUSE, STEP_ANSWER };

/* Under the mutex: what to do after unlocking (MHD takes locks of its own there). */
static enum step next_step(struct http_request *r)
{
    if (r->answer != HTTP_ANSWER_NONE)
        return STEP_ANSWER;
    if (r->later)
        return STEP_NONE;
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
    http_io_suspend(r);
    return STEP_NONE;
}

static enum MHD_Result run(struct http_request *r, struct MHD_Connection *connection)
{
    switch (http_now_try(r)) {
    case HTTP_NOW_DONE:
        return http_io_send(r, connection);
    case HTTP_NOW_BACK:
        hand_over(r);
        break;
    case HTTP_NOW_LATER:
        break;
    }
    return MHD_YES;
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
        return run(r, connection);
    case STEP_REFUSE:
        return r->refused ? refuse_request(r, connection) : refuse_body(r, connection);
    case STEP_ANSWER:
        return http_io_send(r, connection);
    case STEP_NONE:
        break;
    }
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
    enum MHD_Result result = http_io_take_body(r, data, size);
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
        http_io_suspend(r);
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
