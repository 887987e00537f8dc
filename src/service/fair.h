/* fair.h: whose query is next: start-time fair queueing over tenants and priorities.
 *
 * Every tenant has one flow a priority. A flow's tag is the virtual time up to which it has been
 * served: a query moves it on by its cost (its time, known at its end, until then as long as the
 * flow's queries take on average), times 1, 4 or 16 by priority. Of the waiting queries that one is
 * next whose flow has the lowest tag. A flow that was idle starts at the present virtual time: it
 * neither saves up credit nor pays for the past. So under load each tenant gets its share of the
 * slots, whatever the others send, and batch work a quarter of that; no flow starves. A tenant
 * holds at most `tenant_max` slots, so that a newcomer need not wait for a flood's long queries.
 * (P. Goyal, H. Vin, H. Cheng: Start-time Fair Queuing, SIGCOMM 1996; costs charged afterwards as
 * in M. Shreedhar's and G. Varghese's deficit rounds.)
 *
 * Pure: no threads, no clock; query_queue.h puts both around it. */
#ifndef QUARRY_SERVICE_FAIR_H
#define QUARRY_SERVICE_FAIR_H

#include "base/status.h"
#include "base/str.h"

enum query_priority { PRIORITY_INTERACTIVE, PRIORITY_BATCH, PRIORITY_MAINTENANCE, PRIORITY_COUNT };
const char *query_priority_name(enum query_priority priority);
bool query_priority_parse(struct str text, enum query_priority *ret);

enum {
    FAIR_TENANTS_MAX = 256, /* with anything waiting or running; idle ones are forgotten */
    FAIR_TENANT_NAME_MAX = 200,
};

struct fair_query {
    struct fair_query *next; /* in its flow */
    struct fair_flow *flow;  /* NULL: not in the queue */
    bool running;
    int64_t charged_us;
};

struct fair_options {
    uint32_t slots;       /* queries at the same time */
    uint32_t tenant_max;  /* of these for one tenant */
    uint32_t waiting_max; /* of one tenant */
};

struct fair;

enum status fair_new(const struct fair_options *options, struct fair **ret, struct error *err);
void fair_free(struct fair *fair); /* NULL is fine; nothing may be in it */
/* Puts the query behind its flow's others. STATUS_TOO_MANY_REQUESTS: too many of the tenant's wait,
 * or too many tenants. */
enum status fair_add(struct fair *fair, struct str tenant, enum query_priority priority,
                     struct fair_query *query, struct error *err);
/* The query that may run now, marked as running; NULL: none may. */
struct fair_query *fair_next(struct fair *fair);
/* Takes it out: it ended after took_us, or was given up while it waited. */
void fair_remove(struct fair *fair, struct fair_query *query, int64_t took_us);
uint32_t fair_running(const struct fair *fair);
uint32_t fair_waiting(const struct fair *fair);

#endif
