/* upstream.h: the instances of the services behind the gateway, and the connections to them.
 *
 * An instance is one of a list that may be set anew while calls are under way (one that is taken
 * off it gets no more of them), or the node of a tenant that this process keeps running.
 *
 * A call borrows an instance (the one with the fewest calls under way whose breaker lets it pass)
 * and a client with its kept connections, and gives both back. Threads: any. */
#ifndef QUARRY_SERVICES_GATEWAY_UPSTREAM_H
#define QUARRY_SERVICES_GATEWAY_UPSTREAM_H

#include "base/json.h"
#include "net/breaker.h"
#include "net/http_client.h"
#include "service/metrics.h"
#include "service/operation.h"

enum {
    UPSTREAM_INSTANCES_MAX = 128, /* of one service */
    UPSTREAM_CLIENTS_MAX = 256,   /* kept between calls */
    UPSTREAM_STALL_S = 300,
    UPSTREAM_URL_MAX = 256,
    UPSTREAM_TENANT_MAX = 128,
};

struct upstreams;

/* Where a service is; a tenant's node serves nobody else. */
struct upstream_target {
    struct str url;    /* "http://127.0.0.1:8000" */
    struct str tenant; /* empty: not known, or any */
};

struct upstream_instance {
    char url[UPSTREAM_URL_MAX];
    char tenant[UPSTREAM_TENANT_MAX + 1];
    bool listed; /* set by upstreams_set */
    bool gone;   /* off the list; freed when no call is under way */
    struct breaker breaker;
    _Atomic uint32_t active;
    _Atomic uint64_t calls, failures;
};

/* Which instance a call wants. */
struct upstream_wish {
    const char *url;                       /* this one, added if need be; NULL: any ... */
    struct str tenant;                     /* ... that serves this tenant ... */
    const struct upstream_instance *avoid; /* ... rather not this one */
};

/* One call on its way. */
struct upstream_call {
    struct upstream_instance *instance;
    struct http_client *client;
};

enum status upstreams_new(struct sys *sys, struct upstreams **ret, struct error *err);
/* No call may be under way. */
void upstreams_free(struct upstreams *upstreams);
/* The listed instances of a service are these; those that were there already keep their state.
 * STATUS_RESOURCE_LIMIT (the first ones are taken). */
enum status upstreams_set(struct upstreams *upstreams, enum service_kind kind,
                          const struct upstream_target *targets, uint32_t len, struct error *err);
/* STATUS_UNAVAILABLE: no instance, or none that works. */
enum status upstream_take(struct upstreams *upstreams, enum service_kind kind,
                          const struct upstream_wish *wish, struct upstream_call *ret,
                          struct error *err);
/* `ok`: it answered. */
void upstream_give(struct upstreams *upstreams, struct upstream_call *call, bool ok);
/* Whether a failed call may be tried again: at most one in ten of all calls is a retry. */
bool upstream_may_retry(struct upstreams *upstreams);
/* {"tenant":[{"url","state","active","calls","failures"}],...} */
void upstreams_write(struct upstreams *upstreams, struct json_writer *w);
/* The same as metrics, summed over the instances of each service. */
void upstreams_collect(struct upstreams *upstreams, struct metrics *metrics);

#endif
