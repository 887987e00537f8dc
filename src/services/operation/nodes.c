/* nodes.c: the tenants' nodes as the operator sees them. */
#include "base/datetime.h"
#include "service/reply.h"
#include "services/operation/operation_int.h"

enum { NODES_ANSWER_MAX = 64 << 10 };

const char *node_state_name(enum node_state state)
{
    static const char *const names[] = {"starting", "running", "backing_off", "stopping",
                                        "stopped"};
    return names[state];
}

void operation_write_time(struct json_writer *w, int64_t us)
{
    char text[TIMESTAMP_TEXT_MAX + 1];
    if (us == 0) {
        json_null(w);
        return;
    }
    size_t n = timestamp_format(us, text);
    text[n++] = 'Z';
    json_string(w, str_make(text, n));
}

static void write_node(struct json_writer *w, const struct node_status *node)
{
    json_begin_object(w);
    json_kv_strz(w, "tenant_id", node->tenant_id);
    json_kv_strz(w, "state", node_state_name(node->state));
    json_keyz(w, "since");
    operation_write_time(w, node->since_us);
    json_keyz(w, "pid");
    if (node->pid)
        json_int(w, node->pid);
    else
        json_null(w);
    json_kv_int(w, "port", node->port);
    json_kv_int(w, "calls", node->calls);
    json_kv_int(w, "restarts", node->restarts);
    json_kv_str(w, "last_end", node->last_end[0] ? str_of(node->last_end) : STR_NONE);
    json_end_object(w);
}

static uint32_t list_nodes(const struct operation_service *operation, struct node_status *ret)
{
    const struct operation_nodes *nodes = &operation->options.nodes;
    return nodes->list ? nodes->list(nodes->context, ret, OPERATION_NODES_MAX) : 0;
}

/* Whether the first tenant's node, which is always to run, does. */
static bool is_up(const struct node_status *nodes, uint32_t len)
{
    return len == 0 || nodes[0].state == NODE_RUNNING;
}

static void write_nodes(struct json_writer *w, const struct node_status *nodes, uint32_t len)
{
    json_keyz(w, "nodes");
    json_begin_array(w);
    for (uint32_t i = 0; i < len; i++)
        write_node(w, &nodes[i]);
    json_end_array(w);
}

/* The service itself works as long as it answers; a node that is down makes it unhealthy. */
bool operation_health(void *context, struct json_writer *details, const char **ret_status)
{
    struct operation_service *operation = context;
    struct node_status nodes[OPERATION_NODES_MAX] = {{.port = 0}};
    uint32_t len = list_nodes(operation, nodes);
    write_nodes(details, nodes, len);
    json_keyz(details, "timestamp");
    operation_write_time(details, sys_now_us(operation->sys));
    if (!is_up(nodes, len))
        *ret_status = "the tenant node is not running";
    return is_up(nodes, len);
}

bool operation_ready(void *context)
{
    struct node_status nodes[OPERATION_NODES_MAX];
    return is_up(nodes, list_nodes(context, nodes));
}

/* One series a tenant; the registry of metrics bounds them. */
void operation_collect_nodes(struct operation_service *operation, struct metrics *metrics)
{
    struct node_status nodes[OPERATION_NODES_MAX];
    uint32_t len = list_nodes(operation, nodes);
    for (uint32_t i = 0; i < len; i++) {
        const char *label[] = {nodes[i].tenant_id};
        metric_set(metrics_series(metrics, METRIC_NODE_UP, label), nodes[i].state == NODE_RUNNING);
        metric_raise(metrics_series(metrics, METRIC_NODE_RESTARTS, label), nodes[i].restarts);
    }
}

/* --- operations --- */

enum status operation_nodes_get(struct request *request)
{
    struct node_status nodes[OPERATION_NODES_MAX];
    uint32_t len = list_nodes(request->context, nodes);
    struct buf body;
    struct json_writer w;
    buf_init(&body, NODES_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    write_nodes(&w, nodes, len);
    json_kv_int(&w, "count", len);
    return reply_end(request, 200, &body, &w);
}

enum status operation_node_command(struct request *request)
{
    static const char *const names[] = {"start", "stop", "restart"};
    struct operation_service *operation = request->context;
    const struct operation_nodes *nodes = &operation->options.nodes;
    struct str tenant = request_path_param(request, "tenant_id");
    struct str action = request_str(request, "action");
    if (!nodes->command)
        return error_set(&request->error, STATUS_NOT_FOUND, "This process supervises no nodes.");
    enum node_command command = NODE_COMMAND_START;
    while (!str_is(action, names[command]))
        command++;
    TRY(nodes->command(nodes->context, tenant, command, &request->error));
    struct buf body;
    struct json_writer w;
    buf_init(&body, NODES_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_kv_str(&w, "tenant_id", tenant);
    json_kv_str(&w, "action", action);
    return reply_end(request, 202, &body, &w);
}
