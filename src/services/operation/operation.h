/* operation.h: the operation service (port 8081): tenant nodes and their life. In this release it
 * shows the state of the node that quarryd supervises; starting nodes on demand, queues and scaling
 * arrive with release 0.5. */
#ifndef QUARRY_SERVICES_OPERATION_H
#define QUARRY_SERVICES_OPERATION_H

#include "service/service.h"

enum node_state { NODE_STARTING, NODE_RUNNING, NODE_BACKING_OFF, NODE_STOPPING, NODE_STOPPED };
const char *node_state_name(enum node_state state);

struct node_status {
    char tenant_id[128];
    enum node_state state;
    int pid; /* 0: none */
    uint16_t port;
    uint32_t restarts;  /* after crashes */
    int64_t since_us;   /* in this state since, 1970 */
    char last_end[160]; /* why it ended last, "" never */
};

struct operation_options {
    /* Fills the present state; from any thread. False: no node is supervised here. */
    bool (*node)(void *context, struct node_status *ret);
    void *context;
};

struct operation_service;

/* `base` has everything but kind, handlers and calls. */
enum status operation_start(const struct service_options *base,
                            const struct operation_options *options,
                            struct operation_service **ret_operation, struct error *err);
struct service *operation_service(struct operation_service *operation);
void operation_stop(struct operation_service *operation, uint32_t grace_ms); /* NULL is fine */

#endif
