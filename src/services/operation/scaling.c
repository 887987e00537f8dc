/* scaling.c: how the tenants' nodes are scaled, and what was done. The contract's fields (1.8) are
 * those of the caller's tenant; the operator sees all nodes besides. */
#include "service/reply.h"
#include "services/operation/operation_int.h"

enum { SCALING_ANSWER_MAX = 1 << 20, HISTORY_MAX = 100 };

static void write_metrics(const struct scale_sample *s, struct json_writer *w)
{
    json_begin_object(w);
    json_kv_double(w, "cpu_usage", s->cpu);
    json_kv_double(w, "memory_usage", s->memory);
    json_kv_double(w, "avg_query_time", s->query_s);
    json_end_object(w);
}

static void write_fields(const struct scaling_node *node, struct json_writer *w)
{
    json_kv_int(w, "current_workers", node->workers);
    json_kv_int(w, "workers_alive", node->workers_alive);
    json_kv_int(w, "workers_most", node->workers_most);
    json_kv_bool(w, "scaling_in_progress", node->in_progress);
    json_kv_int(w, "active_queries", (int64_t)node->last.running);
    json_kv_int(w, "queued_queries", (int64_t)node->last.queued);
    json_keyz(w, "recent_metrics");
    write_metrics(&node->average, w);
    json_keyz(w, "last_metrics");
    write_metrics(&node->last, w);
    json_kv_int(w, "memory_bytes", (int64_t)node->memory_bytes);
    json_keyz(w, "last_scale_up");
    operation_write_time(w, node->up_us);
    json_keyz(w, "last_scale_down");
    operation_write_time(w, node->down_us);
    json_kv_str(w, "reason", node->reason[0] ? str_of(node->reason) : STR_NONE);
}

static bool is_seen(struct str scope, const char *tenant)
{
    return !scope.data || str_is(scope, tenant);
}

static enum status no_scaler(struct error *err)
{
    return error_set(err, STATUS_NOT_FOUND, "This process supervises no nodes.");
}

enum status operation_scaling_status(struct request *request)
{
    const struct operation_service *operation = request->context;
    const struct operation_scaling *scaling = &operation->options.scaling;
    struct scaling_node *nodes = arena_array(request->arena, OPERATION_NODES_MAX, sizeof *nodes);
    struct str scope = operation_scope(request);
    struct buf body;
    struct json_writer w;
    if (!scaling->list)
        return no_scaler(&request->error);
    if (!nodes)
        return error_no_memory(&request->error);
    uint32_t len = scaling->list(scaling->context, nodes, OPERATION_NODES_MAX);
    buf_init(&body, SCALING_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_kv_bool(&w, "enabled", scaling->enabled(scaling->context));
    for (uint32_t i = 0; i < len; i++)
        if (str_is(request->identity.tenant, nodes[i].tenant_id))
            write_fields(&nodes[i], &w);
    json_keyz(&w, "nodes");
    json_begin_array(&w);
    for (uint32_t i = 0; i < len; i++) {
        if (!is_seen(scope, nodes[i].tenant_id))
            continue;
        json_begin_object(&w);
        json_kv_strz(&w, "tenant_id", nodes[i].tenant_id);
        write_fields(&nodes[i], &w);
        json_end_object(&w);
    }
    json_end_array(&w);
    return reply_end(request, 200, &body, &w);
}

static void write_event(const struct scaling_event *event, struct json_writer *w)
{
    json_begin_object(w);
    json_keyz(w, "at");
    operation_write_time(w, event->at_us);
    json_kv_strz(w, "tenant_id", event->tenant_id);
    json_kv_strz(w, "action", scale_action_name(event->action));
    json_kv_int(w, "from", event->from);
    json_kv_int(w, "to", event->to);
    json_kv_strz(w, "reason", event->reason);
    json_end_object(w);
}

enum status operation_scaling_history(struct request *request)
{
    const struct operation_service *operation = request->context;
    const struct operation_scaling *scaling = &operation->options.scaling;
    struct scaling_event *events = arena_array(request->arena, HISTORY_MAX, sizeof *events);
    struct str scope = operation_scope(request);
    uint32_t limit = (uint32_t)request_int(request, "limit"), shown = 0;
    struct buf body;
    struct json_writer w;
    if (!scaling->history)
        return no_scaler(&request->error);
    if (!events)
        return error_no_memory(&request->error);
    uint32_t len = scaling->history(scaling->context, events, HISTORY_MAX);
    buf_init(&body, SCALING_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_keyz(&w, "history");
    json_begin_array(&w);
    for (uint32_t i = 0; i < len && shown < limit; i++)
        if (is_seen(scope, events[i].tenant_id)) {
            write_event(&events[i], &w);
            shown++;
        }
    json_end_array(&w);
    json_kv_int(&w, "count", shown);
    return reply_end(request, 200, &body, &w);
}

/* One series a tenant; the registry of metrics bounds them. */
void operation_collect_scaling(struct operation_service *operation, struct metrics *metrics)
{
    const struct operation_scaling *scaling = &operation->options.scaling;
    struct scaling_node nodes[OPERATION_NODES_MAX];
    uint32_t len = scaling->list ? scaling->list(scaling->context, nodes, OPERATION_NODES_MAX) : 0;
    for (uint32_t i = 0; i < len; i++) {
        const char *label[] = {nodes[i].tenant_id};
        metric_set(metrics_series(metrics, METRIC_SCALING_WORKERS, label), nodes[i].workers);
        metric_set(metrics_series(metrics, METRIC_SCALING_ALIVE, label), nodes[i].workers_alive);
        metric_set(metrics_series(metrics, METRIC_SCALING_MEMORY, label),
                   (double)nodes[i].memory_bytes);
    }
}
