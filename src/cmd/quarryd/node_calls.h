/* node_calls.h: what the gateway and the operation service share in this process: the tenants'
 * nodes, as calls that know nothing of processes, and the queue of queries. */
#ifndef QUARRY_CMD_QUARRYD_NODE_CALLS_H
#define QUARRY_CMD_QUARRYD_NODE_CALLS_H

#include "cmd/quarryd/tenant_nodes.h"
#include "services/gateway/gateway.h"
#include "services/optimizer/optimizer.h"

struct operation_nodes operation_calls(struct tenant_nodes *nodes);
struct operation_scaling scaling_calls(struct tenant_nodes *nodes);
struct gateway_nodes gateway_calls(struct tenant_nodes *nodes);
struct optimizer_nodes optimizer_calls(struct tenant_nodes *nodes);
/* By the settings QUERY_*. */
enum status queue_open(const struct settings *settings, struct sys *sys, struct query_queue **ret,
                       struct error *err);
/* Threads that the gateway may need beyond HTTP_WORKERS for queries that wait or run. */
uint32_t queue_threads(const struct settings *settings);

#endif
