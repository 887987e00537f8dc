/* http_now.c: requests that run on the I/O thread: tried, put off, finished.
 *
 *   1. on_request_now answers, gives back (a worker begins anew), or puts off: somebody else will
 *      say http_request_ready. MHD is not told: it calls again in its next round, in vain.
 *   2. after MHD's round, if any was put off: on_round. It may block (and so make one deed do for
 *      all of them) when nothing but such requests has come to this thread for a while, and another
 *      thread is free; else the deed is done elsewhere.
 *   3. those that are not ready yet are suspended
 *   4. those that are ready: on_later answers, and the answer is queued for MHD's next round at
 *      once, without a change of threads and without touching the epoll set
 *
 * `later`, `put_off` and `pending` are the I/O thread's; `ready` is a stack that any thread adds
 * to.
 */
#include "net/http_int.h"

static void put_off(struct http_request *r)
{
    struct http_loop *loop = r->loop;
    atomic_fetch_add_explicit(&r->holders, 1, memory_order_relaxed);
    r->later = true;
    r->later_next = loop->put_off;
    loop->put_off = r;
    loop->pending++;
    loop->in_a_row++;
}

static bool may_try(const struct http_request *r)
{
    const struct http_server *server = r->server;
    return r->try_now && server->options.on_request_now && !(r->head.has_body && r->streamed) &&
           r->body_len <= HTTP_NOW_BODY_MAX &&
           !atomic_load_explicit(&server->draining, memory_order_relaxed);
}

enum http_now http_now_try(struct http_request *r)
{
    struct http_server *server = r->server;
    enum http_now outcome = HTTP_NOW_BACK;
    if (may_try(r)) {
        atomic_fetch_add(&server->active, 1);
        r->here = true;
        outcome = server->options.on_request_now(server->options.context, r);
        if (outcome == HTTP_NOW_DONE)
            http_answer_unanswered(r);
        r->here = false;
        if (outcome == HTTP_NOW_BACK) {
            atomic_fetch_sub(&server->active, 1);
            r->headers_out = NULL;
        }
    }
    if (outcome != HTTP_NOW_LATER)
        r->loop->in_a_row = 0;
    if (outcome == HTTP_NOW_BACK)
        return outcome;
    r->queued = true; /* counted as active until its end */
    atomic_fetch_add_explicit(&server->requests, 1, memory_order_relaxed);
    if (outcome == HTTP_NOW_LATER)
        put_off(r);
    return outcome;
}

void http_request_ready(struct http_request *r)
{
    struct http_loop *loop = r->loop;
    struct http_request *head = atomic_load_explicit(&loop->ready, memory_order_relaxed);
    atomic_store(&r->ready, true);
    do
        r->ready_next = head;
    while (!atomic_compare_exchange_weak(&loop->ready, &head, r));
    if (!head && !pthread_equal(pthread_self(), loop->self))
        http_loop_wake(loop);
}

/* --- after a round of MHD --- */

/* May it block? Until it is done the others, one of which at least stays free, accept. */
static bool enter_wait(struct http_loop *loop)
{
    struct http_server *server = loop->server;
    if (loop->in_a_row < HTTP_WAIT_AFTER)
        return false;
    if (atomic_fetch_add(&server->loops_busy, 1) + 1 < server->options.io_threads)
        return true;
    atomic_fetch_sub(&server->loops_busy, 1);
    return false;
}

static void do_deed(struct http_loop *loop)
{
    struct http_server *server = loop->server;
    bool wait = enter_wait(loop);
    server->options.on_round(server->options.context, wait);
    if (wait)
        atomic_fetch_sub(&server->loops_busy, 1);
}

static void suspend_unready(struct http_loop *loop)
{
    for (struct http_request *r = loop->put_off; r; r = r->later_next) {
        pthread_mutex_lock(&r->mutex);
        if (!atomic_load(&r->ready) && r->connection)
            http_io_suspend(r);
        pthread_mutex_unlock(&r->mutex);
    }
    loop->put_off = NULL;
}

static void finish(struct http_request *r)
{
    struct http_server *server = r->server;
    bool was_suspended = r->suspended; /* then MHD calls once it has resumed it */
    r->here = true;
    server->options.on_later(server->options.context, r);
    http_answer_unanswered(r);
    r->here = false;
    r->later = false;
    r->loop->pending--;
    if (!was_suspended && r->connection && r->answer == HTTP_ANSWER_READY)
        (void)http_io_send(r, r->connection); /* if it fails, MHD's next call tells it */
    http_request_drop(r);
}

bool http_now_round(struct http_loop *loop)
{
    if (loop->put_off) {
        do_deed(loop);
        suspend_unready(loop);
    }
    struct http_request *r = atomic_exchange(&loop->ready, NULL);
    bool any = r != NULL;
    while (r) {
        struct http_request *next = r->ready_next;
        finish(r);
        r = next;
    }
    return any;
}
