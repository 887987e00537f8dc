#include "services/operation/operation.h"

#include <stdlib.h>

#include "base/datetime.h"

struct operation_service {
    struct operation_options options;
    struct sys *sys;
    struct service *service;
};

const char *node_state_name(enum node_state state)
{
    static const char *const names[] = {"starting", "running", "backing_off", "stopping",
                                        "stopped"};
    return names[state];
}

static void write_time(struct json_writer *w, const char *key, int64_t us)
{
    char text[TIMESTAMP_TEXT_MAX + 1];
    size_t n = timestamp_format(us, text);
    text[n++] = 'Z';
    json_kv_str(w, key, str_make(text, n));
}

static void write_node(struct json_writer *w, const struct node_status *node)
{
    json_begin_object(w);
    json_kv_strz(w, "tenant_id", node->tenant_id);
    json_kv_strz(w, "state", node_state_name(node->state));
    write_time(w, "since", node->since_us);
    json_keyz(w, "pid");
    if (node->pid)
        json_int(w, node->pid);
    else
        json_null(w);
    json_kv_int(w, "port", node->port);
    json_kv_int(w, "restarts", node->restarts);
    json_kv_str(w, "last_end", node->last_end[0] ? str_of(node->last_end) : STR_NONE);
    json_end_object(w);
}

/* The service itself works as long as it answers; a node that is down makes it unhealthy. */
static bool health(void *context, struct json_writer *details, const char **ret_status)
{
    struct operation_service *operation = context;
    struct node_status node;
    bool up = true;
    json_keyz(details, "nodes");
    json_begin_array(details);
    if (operation->options.node && operation->options.node(operation->options.context, &node)) {
        up = node.state == NODE_RUNNING;
        write_node(details, &node);
    }
    json_end_array(details);
    write_time(details, "timestamp", sys_now_us(operation->sys));
    if (!up)
        *ret_status = "the tenant node is not running";
    return up;
}

static bool ready(void *context)
{
    struct operation_service *operation = context;
    struct node_status node;
    return !operation->options.node ||
           !operation->options.node(operation->options.context, &node) ||
           node.state == NODE_RUNNING;
}

static void collect(void *context, struct metrics *metrics)
{
    struct operation_service *operation = context;
    struct node_status node;
    if (!operation->options.node || !operation->options.node(operation->options.context, &node))
        return;
    const char *label[] = {node.tenant_id};
    metric_set(metrics_series(metrics, METRIC_NODE_UP, label), node.state == NODE_RUNNING);
    metric_raise(metrics_series(metrics, METRIC_NODE_RESTARTS, label), node.restarts);
}

enum status operation_start(const struct service_options *base,
                            const struct operation_options *options,
                            struct operation_service **ret_operation, struct error *err)
{
    struct operation_service *operation = calloc(1, sizeof *operation);
    if (!operation)
        return error_no_memory(err);
    operation->options = *options;
    operation->sys = base->sys;
    struct service_options service = *base;
    service.kind = SERVICE_OPERATION;
    service.context = operation;
    service.health = health;
    service.ready = ready;
    service.collect = collect;
    enum status status = service_start(&service, &operation->service, err);
    if (status != STATUS_OK) {
        free(operation);
        return status;
    }
    *ret_operation = operation;
    return STATUS_OK;
}

struct service *operation_service(struct operation_service *operation)
{
    return operation->service;
}

void operation_stop(struct operation_service *operation, uint32_t grace_ms)
{
    if (!operation)
        return;
    service_stop(operation->service, grace_ms);
    free(operation);
}
