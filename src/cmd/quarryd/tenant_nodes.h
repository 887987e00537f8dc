/* tenant_nodes.h: the tenant nodes of this process: one supervisor a tenant.
 *
 * The node of TENANT_ID runs as long as quarryd does, on DATA_PATH itself. Every other tenant's
 * node is started when the tenant is first asked for, on DATA_PATH/tenants/<tenant>, and stopped
 * when nobody has called it for TENANT_IDLE_SECONDS. A tenant's processes share secrets, revoked
 * tokens and the folder of logs, nothing else.
 *
 * Threads: tenant_nodes_enter, tenant_nodes_leave, tenant_nodes_list and tenant_nodes_command from
 * any; all others from the thread that made it, which lives as long as the process (the nodes die
 * with it). */
#ifndef QUARRY_CMD_QUARRYD_TENANT_NODES_H
#define QUARRY_CMD_QUARRYD_TENANT_NODES_H

#include "cmd/quarryd/scaler.h"
#include "cmd/quarryd/supervisor.h"

enum {
    NODES_MAX = 64,
    NODES_FDS = 1 + NODES_MAX * SUPERVISOR_FDS,
    NODE_URL_MAX = 128,
};

struct tenant_nodes;

/* Spawns TENANT_ID's node. `auth_folder` is borrowed until the call ends. */
enum status tenant_nodes_start(const struct quarryd_options *options, struct sys *sys,
                               const struct log *log, const char *auth_folder,
                               struct tenant_nodes **ret, struct error *err);
/* For poll(2): fills at most NODES_FDS; returns for how long to wait (ms, -1 for ever). */
int tenant_nodes_poll(struct tenant_nodes *nodes, struct pollfd *fds, uint32_t *ret_len);
/* After poll: takes in what happened. It fails when TENANT_ID's node did not start at all. */
enum status tenant_nodes_step(struct tenant_nodes *nodes, const struct pollfd *fds,
                              struct error *err);
/* Of their load; lives as long as the nodes. */
struct scaler *tenant_nodes_scaler(struct tenant_nodes *nodes);
/* Of TENANT_ID's node. */
void tenant_nodes_first(struct tenant_nodes *nodes, struct node_status *ret);
void tenant_nodes_signal(struct tenant_nodes *nodes, int signal);
/* Stops all, the last ones killed after grace_ms; frees. NULL is fine. False when one had to be
 * killed or ended badly. */
bool tenant_nodes_stop(struct tenant_nodes *nodes, uint32_t grace_ms);

/* `url` becomes where the tenant's node serves, started if need be; waits for it for a while. It is
 * not stopped for idleness before tenant_nodes_leave. STATUS_UNAVAILABLE (does not start, or
 * TENANT_NODES_MAX is reached), STATUS_INVALID_ARGUMENT (the tenant's name fits no folder). */
enum status tenant_nodes_enter(struct tenant_nodes *nodes, struct str tenant,
                               char url[NODE_URL_MAX], struct error *err);
void tenant_nodes_leave(struct tenant_nodes *nodes, struct str tenant);
/* In the order of their first starts; returns how many. */
uint32_t tenant_nodes_list(struct tenant_nodes *nodes, struct node_status *ret, uint32_t cap);
/* Returns when it is under way. STATUS_NOT_FOUND: no node of that tenant was ever started here;
 * STATUS_CONFLICT: TENANT_ID's node is not to be stopped. */
enum status tenant_nodes_command(struct tenant_nodes *nodes, struct str tenant,
                                 enum node_command command, struct error *err);

#endif
