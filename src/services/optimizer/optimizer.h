/* optimizer.h: plans and their costs (port 8082).
 *
 * The optimizer itself is a library inside the tenant node (query/optimize), where the statistics
 * and the caches are. This service asks the node with the caller's own token, so that rights are
 * checked where the data is, and answers in the contract's terms. */
#ifndef QUARRY_SERVICES_OPTIMIZER_H
#define QUARRY_SERVICES_OPTIMIZER_H

#include "service/service.h"

struct optimizer_service;

enum { OPTIMIZER_NODE_URL_MAX = 128 };

/* Where a tenant's node serves, started if need be; it stays up from enter to leave. Any thread.
 * All NULL: there is one node, told by optimizer_service_set_node. */
struct optimizer_nodes {
    void *context;
    enum status (*enter)(void *context, struct str tenant, char *url, struct error *err);
    void (*leave)(void *context, struct str tenant);
};

/* `base` has everything but kind and handlers. */
enum status optimizer_service_start(const struct service_options *base,
                                    const struct optimizer_nodes *nodes,
                                    struct optimizer_service **ret, struct error *err);
struct service *optimizer_service_of(struct optimizer_service *optimizer);
/* Where the tenant node is: "http://address:port". Until then requests answer 503. */
void optimizer_service_set_node(struct optimizer_service *optimizer, const char *url);
void optimizer_service_stop(struct optimizer_service *optimizer, uint32_t grace_ms);

#endif
