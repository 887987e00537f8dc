/* operation.h: the operation service (port 8081): tenant nodes and their life, queries over several
 * sources. */
#ifndef QUARRY_SERVICES_OPERATION_H
#define QUARRY_SERVICES_OPERATION_H

#include "catalog/presence.h"
#include "service/query_queue.h"
#include "service/scale.h"
#include "service/service.h"

enum node_state { NODE_STARTING, NODE_RUNNING, NODE_BACKING_OFF, NODE_STOPPING, NODE_STOPPED };
const char *node_state_name(enum node_state state);

struct node_status {
    char tenant_id[128];
    enum node_state state;
    int pid; /* 0: none */
    uint16_t port;
    uint32_t restarts;  /* after crashes */
    uint32_t calls;     /* under way through this process */
    int64_t since_us;   /* in this state since, 1970 */
    int64_t restart_us; /* while backing off: monotonic time of the next start */
    char last_end[160]; /* why it ended last, "" never */
};

enum node_command { NODE_COMMAND_START, NODE_COMMAND_STOP, NODE_COMMAND_RESTART };

enum { OPERATION_NODES_MAX = 64, OPERATION_URL_MAX = 128 };

/* The nodes that this process supervises; calls from any thread. All NULL: none are. */
struct operation_nodes {
    void *context;
    uint32_t (*list)(void *context, struct node_status *ret, uint32_t cap);
    enum status (*command)(void *context, struct str tenant, enum node_command command,
                           struct error *err);
    /* Where the tenant's node serves, started if need be; it stays up until `leave`. */
    enum status (*enter)(void *context, struct str tenant, char url[OPERATION_URL_MAX],
                         struct error *err);
    void (*leave)(void *context, struct str tenant);
};

enum { SCALING_TENANT_MAX = 127 };

/* How a tenant's node is scaled at present. */
struct scaling_node {
    char tenant_id[SCALING_TENANT_MAX + 1];
    uint32_t workers;       /* that it may have */
    uint32_t workers_alive; /* that it had at the last look */
    uint32_t workers_most;  /* that this machine lets it have */
    bool in_progress;       /* it was told of a change and has not yet said that it is done */
    struct scale_sample last, average;
    uint64_t memory_bytes;
    int64_t up_us, down_us;        /* of the last changes, since 1970; 0: none */
    char reason[SCALE_REASON_MAX]; /* of the last decision */
};

struct scaling_event {
    int64_t at_us; /* since 1970 */
    char tenant_id[SCALING_TENANT_MAX + 1];
    enum scale_action action;
    uint32_t from, to;
    char reason[SCALE_REASON_MAX];
};

/* The loop that scales the nodes of this process; any thread. All NULL: there is none. */
struct operation_scaling {
    void *context;
    uint32_t (*list)(void *context, struct scaling_node *ret, uint32_t cap);
    uint32_t (*history)(void *context, struct scaling_event *ret, uint32_t cap); /* newest first */
    bool (*enabled)(void *context);
};

/* Where the services of the installation are; any thread. NULL: not known. */
struct operation_services {
    void *context;
    enum status (*list)(void *context, struct arena *arena, struct instances *ret,
                        struct error *err);
};

struct operation_options {
    struct operation_nodes nodes;
    struct operation_services services;
    struct operation_scaling scaling;
    struct query_queue *queue; /* borrowed */
    const char *tenant;        /* its admins are operators */
};

struct operation_service;

/* `base` has everything but kind, handlers and calls. */
enum status operation_start(const struct service_options *base,
                            const struct operation_options *options,
                            struct operation_service **ret_operation, struct error *err);
struct service *operation_service(struct operation_service *operation);
void operation_stop(struct operation_service *operation, uint32_t grace_ms); /* NULL is fine */

#endif
