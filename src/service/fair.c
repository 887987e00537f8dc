#include "service/fair.h"

#include <stdlib.h>

static const int64_t COST[PRIORITY_COUNT] = {1, 4, 16};
static const int64_t FIRST_GUESS_US = 1000;

struct fair_flow {
    struct fair_tenant *tenant;
    struct fair_query *first, *last; /* that wait, in the order of their arrival */
    uint32_t waiting;
    int64_t tag;
    int64_t usual_us; /* moving average of what its queries took */
};

struct fair_tenant {
    char name[FAIR_TENANT_NAME_MAX + 1];
    uint32_t running, waiting;
    struct fair_flow flows[PRIORITY_COUNT];
};

struct fair {
    struct fair_options options;
    struct fair_tenant *tenants[FAIR_TENANTS_MAX];
    uint32_t tenants_len;
    uint32_t running, waiting;
    int64_t virtual_us; /* the tag of the flow that was served last */
};

static const char *const NAMES[PRIORITY_COUNT] = {"interactive", "batch", "maintenance"};

const char *query_priority_name(enum query_priority priority)
{
    return NAMES[priority];
}

bool query_priority_parse(struct str text, enum query_priority *ret)
{
    for (int i = 0; i < PRIORITY_COUNT; i++)
        if (str_is(text, NAMES[i])) {
            *ret = (enum query_priority)i;
            return true;
        }
    return false;
}

enum status fair_new(const struct fair_options *options, struct fair **ret, struct error *err)
{
    struct fair *fair = calloc(1, sizeof *fair);
    if (!fair)
        return error_no_memory(err);
    fair->options = *options;
    *ret = fair;
    return STATUS_OK;
}

void fair_free(struct fair *fair)
{
    for (uint32_t i = 0; fair && i < fair->tenants_len; i++)
        free(fair->tenants[i]);
    free(fair);
}

uint32_t fair_running(const struct fair *fair)
{
    return fair->running;
}

uint32_t fair_waiting(const struct fair *fair)
{
    return fair->waiting;
}

/* --- tenants --- */

/* One that has nothing here and is not ahead of the others has nothing to be remembered for. */
static bool is_forgettable(const struct fair *fair, const struct fair_tenant *tenant)
{
    bool ahead = false;
    for (int i = 0; i < PRIORITY_COUNT; i++)
        ahead |= tenant->flows[i].tag > fair->virtual_us;
    return tenant->running == 0 && tenant->waiting == 0 && (!ahead || fair->running == 0);
}

static struct fair_tenant *make_room(struct fair *fair)
{
    if (fair->tenants_len < FAIR_TENANTS_MAX) {
        struct fair_tenant *tenant = calloc(1, sizeof *tenant);
        if (tenant)
            fair->tenants[fair->tenants_len++] = tenant;
        return tenant;
    }
    for (uint32_t i = 0; i < fair->tenants_len; i++)
        if (is_forgettable(fair, fair->tenants[i]))
            return fair->tenants[i];
    return NULL;
}

static struct fair_tenant *tenant_of(struct fair *fair, struct str name)
{
    for (uint32_t i = 0; i < fair->tenants_len; i++)
        if (str_is(name, fair->tenants[i]->name))
            return fair->tenants[i];
    if (name.len > FAIR_TENANT_NAME_MAX)
        return NULL;
    struct fair_tenant *tenant = make_room(fair);
    if (!tenant)
        return NULL;
    *tenant = (struct fair_tenant){0};
    memcpy(tenant->name, name.data, name.len);
    for (int i = 0; i < PRIORITY_COUNT; i++)
        tenant->flows[i] = (struct fair_flow){.tenant = tenant, .usual_us = FIRST_GUESS_US};
    return tenant;
}

/* --- queries --- */

static int64_t cost_of(const struct fair_flow *flow, int64_t took_us)
{
    return took_us * COST[flow - flow->tenant->flows];
}

enum status fair_add(struct fair *fair, struct str tenant_name, enum query_priority priority,
                     struct fair_query *query, struct error *err)
{
    struct fair_tenant *tenant = tenant_of(fair, tenant_name);
    if (!tenant || tenant->waiting >= fair->options.waiting_max) {
        error_set(err, STATUS_TOO_MANY_REQUESTS,
                  "%u queries of this tenant wait already; ask again later.",
                  tenant ? tenant->waiting : fair->waiting);
        if (err)
            err->retry_after_s = 1;
        return STATUS_TOO_MANY_REQUESTS;
    }
    struct fair_flow *flow = &tenant->flows[priority];
    bool idle = flow->waiting == 0 && tenant->running == 0;
    if (idle && flow->tag < fair->virtual_us)
        flow->tag = fair->virtual_us;
    *query = (struct fair_query){.flow = flow};
    *(flow->last ? &flow->last->next : &flow->first) = query;
    flow->last = query;
    flow->waiting++;
    tenant->waiting++;
    fair->waiting++;
    return STATUS_OK;
}

static struct fair_flow *lowest(struct fair *fair)
{
    struct fair_flow *best = NULL;
    for (uint32_t i = 0; i < fair->tenants_len; i++) {
        struct fair_tenant *tenant = fair->tenants[i];
        if (tenant->waiting == 0 || tenant->running >= fair->options.tenant_max)
            continue;
        for (int p = 0; p < PRIORITY_COUNT; p++)
            if (tenant->flows[p].first && (!best || tenant->flows[p].tag < best->tag))
                best = &tenant->flows[p];
    }
    return best;
}

static void unlink_waiting(struct fair *fair, struct fair_flow *flow, struct fair_query *query)
{
    struct fair_query **at = &flow->first, *before = NULL;
    for (; *at != query; at = &(*at)->next)
        before = *at;
    *at = query->next;
    if (flow->last == query)
        flow->last = before;
    query->next = NULL;
    flow->waiting--;
    flow->tenant->waiting--;
    fair->waiting--;
}

struct fair_query *fair_next(struct fair *fair)
{
    struct fair_flow *flow = fair->running < fair->options.slots ? lowest(fair) : NULL;
    if (!flow)
        return NULL;
    struct fair_query *query = flow->first;
    unlink_waiting(fair, flow, query);
    if (flow->tag > fair->virtual_us)
        fair->virtual_us = flow->tag;
    query->running = true;
    query->charged_us = flow->usual_us;
    flow->tag += cost_of(flow, query->charged_us);
    flow->tenant->running++;
    fair->running++;
    return query;
}

void fair_remove(struct fair *fair, struct fair_query *query, int64_t took_us)
{
    struct fair_flow *flow = query->flow;
    if (!query->running) {
        unlink_waiting(fair, flow, query);
    } else {
        flow->tag += cost_of(flow, took_us - query->charged_us);
        flow->usual_us += (took_us - flow->usual_us) / 8;
        flow->tenant->running--;
        fair->running--;
    }
    query->flow = NULL;
}
