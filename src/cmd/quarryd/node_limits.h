/* node_limits.h: what a tenant's node may take of the machine: memory and niceness by the settings
 * TENANT_MEMORY_MB and TENANT_NICE, for itself and its SQL workers, which inherit them.
 *
 * The limit is RLIMIT_DATA: memory of the process's own. Mapped files do not count, so it says what
 * would be taken from others. Beyond it allocations fail, and what needed them is refused
 * (STATUS_NO_MEMORY); the rest goes on. */
#ifndef QUARRY_CMD_QUARRYD_NODE_LIMITS_H
#define QUARRY_CMD_QUARRYD_NODE_LIMITS_H

#include "service/settings.h"
#include "services/tenant/tenant.h"

enum { NODE_MEMORY_MIN_MB = 256 };

/* For this process, for good. STATUS_INVALID_ARGUMENT: less than NODE_MEMORY_MIN_MB. */
enum status node_limits_set(const struct settings *settings, struct error *err);
/* Buffers and caches that fit into the limit, if there is one. */
void node_limits_fit(const struct settings *settings, struct tenant_node_options *node);

#endif
