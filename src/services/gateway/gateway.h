/* gateway.h: the one door to all services (port 8080): users and tokens, and a reverse proxy that
 * finds the service by the operation asked for. */
#ifndef QUARRY_SERVICES_GATEWAY_H
#define QUARRY_SERVICES_GATEWAY_H

#include "auth/rate.h"
#include "catalog/catalog.h"
#include "service/query_queue.h"
#include "service/revocations.h"
#include "service/service.h"
#include "service/tenant_book.h"
#include "services/gateway/upstream.h"

struct gateway;

enum { GATEWAY_NODE_URL_MAX = 128 };

/* Where a tenant's node serves, started if need be; it stays up from enter to leave. Any thread.
 * NULL: calls to tenant nodes go to the targets that were added. */
struct gateway_nodes {
    void *context;
    enum status (*enter)(void *context, struct str tenant, char url[GATEWAY_NODE_URL_MAX],
                         struct error *err);
    void (*leave)(void *context, struct str tenant);
};

/* All borrowed. */
struct gateway_options {
    struct query_queue *queue; /* NULL: queries do not wait here */
    uint32_t query_threads;    /* beyond base's workers, for queries that wait or run */
    struct gateway_nodes nodes;
    struct catalog *catalog; /* users live there */
    struct verifier *verifier;
    struct revocations *revocations; /* of the writer */
    const struct keyring *keys;      /* the first signs */
    const char *issuer, *audience;   /* of tokens */
    const char *tenant;              /* who names none belongs to it */
    bool shares_catalog;             /* gateways of other machines may have the same one */
    const char *tenants_path;        /* the file that it writes ... */
    struct tenant_book *tenants;     /* ... and this process reads */
    int64_t access_life_s, refresh_life_s;
    int bcrypt_rounds;
    bool open_registration;
    const char *default_role;
    struct rate rate; /* of each user, or address without one; per_second 0: unlimited */
    /* The first admin was made; the password is told nobody else. */
    void (*first_admin)(void *context, const char *username, const char *password);
    void *first_admin_context;
};

/* `base` has everything but kind and handlers. */
enum status gateway_start(const struct service_options *base, const struct gateway_options *options,
                          struct gateway **ret, struct error *err);
struct service *gateway_service(struct gateway *gateway);
/* The instances of a service are these and no others; any thread. */
enum status gateway_set_targets(struct gateway *gateway, enum service_kind kind,
                                const struct upstream_target *targets, uint32_t len,
                                struct error *err);
/* NULL is fine. */
void gateway_stop(struct gateway *gateway, uint32_t grace_ms);

#endif
