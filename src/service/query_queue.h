/* query_queue.h: the queue that queries of all tenants pass: fair (fair.h), bounded, seen, with
 * deadlines and cancellation. The gateway's proxy and the operation service's own queries share
 * one. Threads: any. */
#ifndef QUARRY_SERVICE_QUERY_QUEUE_H
#define QUARRY_SERVICE_QUERY_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/json.h"
#include "service/fair.h"
#include "sys/sys.h"

enum { QUERY_ID_MAX = 64, QUERY_LABEL_MAX = 128 };

struct query_queue;

struct query_queue_options {
    struct sys *sys;
    struct fair_options fair;
    int64_t wait_max_us; /* beyond it a waiting query is refused */
};

/* A query on its way; the caller's, between enter and leave. The rest is the queue's. */
struct query_ticket {
    char id[QUERY_ID_MAX + 1];
    char tenant[FAIR_TENANT_NAME_MAX + 1];
    char label[QUERY_LABEL_MAX + 1]; /* what is asked for: "POST /query/sql" */
    enum query_priority priority;
    struct fair_query query;
    int64_t entered_us, started_us; /* monotonic; started 0: it waits */
    int64_t entered_wall_us;
    _Atomic bool cancelled;
    pthread_cond_t moved; /* while it waits: it may run, or look again */
    struct query_ticket *prev, *next;
};

enum status query_queue_new(const struct query_queue_options *options, struct query_queue **ret,
                            struct error *err);
void query_queue_free(struct query_queue *queue); /* NULL is fine; nothing may be in it */

/* Waits for a slot; id, tenant, label, priority are set. `gone` is asked now and then whether the
 * client still waits (NULL: it does). STATUS_TOO_MANY_REQUESTS (with retry_after_s): too many wait,
 * or it waited too long; STATUS_CANCELLED. */
enum status query_queue_enter(struct query_queue *queue, struct query_ticket *ticket,
                              bool (*gone)(void *context), void *context, struct error *err);
/* After a successful enter, once. */
void query_queue_leave(struct query_queue *queue, struct query_ticket *ticket);
/* Whoever runs the query asks ticket->cancelled. `tenant` data NULL: of any. STATUS_NOT_FOUND. */
enum status query_queue_cancel(struct query_queue *queue, struct str id, struct str tenant,
                               struct error *err);

struct query_queue_state {
    uint32_t running, waiting;
    uint64_t done, refused, cancelled;
    uint64_t waited_us; /* in sum, of all that ran */
};
void query_queue_get_state(struct query_queue *queue, struct query_queue_state *ret);
/* The members "running", "waiting" and "queries": [{query_id, tenant_id, what, priority, state,
 * entered_at, waited_ms, running_ms}], at most `max` of them, of `tenant` or (data NULL) of all. */
void query_queue_write(struct query_queue *queue, struct str tenant, uint32_t max,
                       struct json_writer *w);

#endif
