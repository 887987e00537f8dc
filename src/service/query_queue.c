#include "service/query_queue.h"

#include <stddef.h>
#include <stdlib.h>

#include "base/datetime.h"
#include "sys/thread.h"

/* How often a waiting query asks whether anybody still wants it. */
enum { LOOK_US = 100000 };

struct query_queue {
    struct query_queue_options options;
    pthread_mutex_t lock;
    struct fair *fair;
    struct query_ticket *first, *last; /* all that are in it, in the order of their arrival */
    uint64_t done, refused, cancelled;
    int64_t waited_us;
};

enum status query_queue_new(const struct query_queue_options *options, struct query_queue **ret,
                            struct error *err)
{
    struct query_queue *queue = calloc(1, sizeof *queue);
    if (!queue)
        return error_no_memory(err);
    queue->options = *options;
    enum status status = fair_new(&options->fair, &queue->fair, err);
    if (status != STATUS_OK) {
        free(queue);
        return status;
    }
    pthread_mutex_init(&queue->lock, NULL);
    *ret = queue;
    return STATUS_OK;
}

void query_queue_free(struct query_queue *queue)
{
    if (!queue)
        return;
    fair_free(queue->fair);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

/* --- under the lock --- */

static void link_ticket(struct query_queue *queue, struct query_ticket *ticket)
{
    ticket->next = NULL;
    ticket->prev = queue->last;
    *(queue->last ? &queue->last->next : &queue->first) = ticket;
    queue->last = ticket;
}

static void unlink_ticket(struct query_queue *queue, struct query_ticket *ticket)
{
    *(ticket->prev ? &ticket->prev->next : &queue->first) = ticket->next;
    *(ticket->next ? &ticket->next->prev : &queue->last) = ticket->prev;
}

static struct query_ticket *ticket_of(struct fair_query *query)
{
    return (struct query_ticket *)(void *)((char *)query - offsetof(struct query_ticket, query));
}

/* Lets those run that may; they see it in query.running. */
static void dispatch(struct query_queue *queue)
{
    for (struct fair_query *query; (query = fair_next(queue->fair));)
        pthread_cond_signal(&ticket_of(query)->moved);
}

static enum status give_up(struct query_queue *queue, struct query_ticket *ticket,
                           enum status status, struct error *err)
{
    fair_remove(queue->fair, &ticket->query, 0);
    unlink_ticket(queue, ticket);
    if (status == STATUS_CANCELLED) {
        queue->cancelled++;
        return error_set(err, status, "The query was cancelled while it waited.");
    }
    queue->refused++;
    error_set(err, status, "The query waited %lld s for its turn; ask again later.",
              (long long)(queue->options.wait_max_us / 1000000));
    if (err)
        err->retry_after_s = 1;
    return status;
}

static enum status await_turn(struct query_queue *queue, struct query_ticket *ticket,
                              bool (*gone)(void *context), void *context, struct error *err)
{
    int64_t end_us = ticket->entered_us + queue->options.wait_max_us;
    while (!ticket->query.running) {
        int64_t now = sys_mono_us(queue->options.sys);
        if (atomic_load(&ticket->cancelled) || (gone && gone(context)))
            return give_up(queue, ticket, STATUS_CANCELLED, err);
        if (now >= end_us)
            return give_up(queue, ticket, STATUS_TOO_MANY_REQUESTS, err);
        int64_t look_us = now + LOOK_US < end_us ? now + LOOK_US : end_us;
        (void)thread_cond_wait_until(&ticket->moved, &queue->lock, look_us);
    }
    return STATUS_OK;
}

/* --- calls --- */

enum status query_queue_enter(struct query_queue *queue, struct query_ticket *ticket,
                              bool (*gone)(void *context), void *context, struct error *err)
{
    ticket->entered_us = sys_mono_us(queue->options.sys);
    ticket->entered_wall_us = sys_now_us(queue->options.sys);
    ticket->started_us = 0;
    atomic_store(&ticket->cancelled, false);
    thread_cond_init(&ticket->moved);
    pthread_mutex_lock(&queue->lock);
    enum status status =
        fair_add(queue->fair, str_of(ticket->tenant), ticket->priority, &ticket->query, err);
    if (status != STATUS_OK) {
        queue->refused++;
    } else {
        link_ticket(queue, ticket);
        dispatch(queue);
        status = await_turn(queue, ticket, gone, context, err);
    }
    if (status == STATUS_OK) {
        ticket->started_us = sys_mono_us(queue->options.sys);
        queue->waited_us += ticket->started_us - ticket->entered_us;
    }
    pthread_mutex_unlock(&queue->lock);
    pthread_cond_destroy(&ticket->moved); /* who runs is not signalled any more */
    return status;
}

void query_queue_leave(struct query_queue *queue, struct query_ticket *ticket)
{
    pthread_mutex_lock(&queue->lock);
    fair_remove(queue->fair, &ticket->query, sys_mono_us(queue->options.sys) - ticket->started_us);
    unlink_ticket(queue, ticket);
    queue->done++;
    dispatch(queue);
    pthread_mutex_unlock(&queue->lock);
}

enum status query_queue_cancel(struct query_queue *queue, struct str id, struct str tenant,
                               struct error *err)
{
    bool found = false;
    pthread_mutex_lock(&queue->lock);
    for (struct query_ticket *t = queue->first; t; t = t->next) {
        if (!str_is(id, t->id) || (tenant.data && !str_is(tenant, t->tenant)))
            continue;
        atomic_store(&t->cancelled, true);
        if (!t->query.running)
            pthread_cond_signal(&t->moved);
        found = true;
    }
    pthread_mutex_unlock(&queue->lock);
    if (!found)
        return error_set(err, STATUS_NOT_FOUND, "No query '%.*s' waits or runs.", STR_ARG(id));
    return STATUS_OK;
}

void query_queue_get_state(struct query_queue *queue, struct query_queue_state *ret)
{
    pthread_mutex_lock(&queue->lock);
    *ret = (struct query_queue_state){.running = fair_running(queue->fair),
                                      .waiting = fair_waiting(queue->fair),
                                      .done = queue->done,
                                      .refused = queue->refused,
                                      .cancelled = queue->cancelled,
                                      .waited_us = (uint64_t)queue->waited_us};
    pthread_mutex_unlock(&queue->lock);
}

static void write_ticket(const struct query_ticket *t, int64_t now, struct json_writer *w)
{
    char text[TIMESTAMP_TEXT_MAX + 1];
    size_t n = timestamp_format(t->entered_wall_us, text);
    text[n++] = 'Z';
    bool runs = t->started_us != 0;
    json_begin_object(w);
    json_kv_strz(w, "query_id", t->id);
    json_kv_strz(w, "tenant_id", t->tenant);
    json_kv_strz(w, "what", t->label);
    json_kv_strz(w, "priority", query_priority_name(t->priority));
    json_kv_strz(w, "state", runs ? "running" : "waiting");
    json_kv_str(w, "entered_at", str_make(text, n));
    json_kv_int(w, "waited_ms", ((runs ? t->started_us : now) - t->entered_us) / 1000);
    json_kv_int(w, "running_ms", runs ? (now - t->started_us) / 1000 : 0);
    json_end_object(w);
}

void query_queue_write(struct query_queue *queue, struct str tenant, uint32_t max,
                       struct json_writer *w)
{
    pthread_mutex_lock(&queue->lock);
    int64_t now = sys_mono_us(queue->options.sys);
    json_kv_int(w, "running", fair_running(queue->fair));
    json_kv_int(w, "waiting", fair_waiting(queue->fair));
    json_keyz(w, "queries");
    json_begin_array(w);
    for (struct query_ticket *t = queue->first; t && max > 0; t = t->next)
        if (!tenant.data || str_is(tenant, t->tenant)) {
            write_ticket(t, now, w);
            max--;
        }
    json_end_array(w);
    pthread_mutex_unlock(&queue->lock);
}
