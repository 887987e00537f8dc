/* queue.c: the queries that wait or run behind the gateway. */
#include "service/reply.h"
#include "services/operation/operation_int.h"

enum { QUERIES_ANSWER_MAX = 1 << 20 };

void operation_collect_queue(struct operation_service *operation, struct metrics *metrics)
{
    struct query_queue_state state;
    if (!operation->options.queue)
        return;
    query_queue_get_state(operation->options.queue, &state);
    metric_set(metrics_series(metrics, METRIC_QUEUE_RUNNING, NULL), state.running);
    metric_set(metrics_series(metrics, METRIC_QUEUE_WAITING, NULL), state.waiting);
    metric_raise(metrics_series(metrics, METRIC_QUEUE_DONE, NULL), state.done);
    metric_raise(metrics_series(metrics, METRIC_QUEUE_REFUSED, NULL), state.refused);
    metric_raise(metrics_series(metrics, METRIC_QUEUE_WAITED, NULL), state.waited_us);
}

struct str operation_scope(const struct request *request)
{
    const struct operation_service *operation = request->context;
    bool operator_asks = request->identity.level >= PERMISSION_ADMIN &&
                         str_is(request->identity.tenant, operation->options.tenant);
    return operator_asks ? STR_NONE : request->identity.tenant;
}

enum status operation_queries_get(struct request *request)
{
    struct operation_service *operation = request->context;
    struct buf body;
    struct json_writer w;
    buf_init(&body, QUERIES_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    if (operation->options.queue)
        query_queue_write(operation->options.queue, operation_scope(request),
                          (uint32_t)request_int(request, "limit"), &w);
    return reply_end(request, 200, &body, &w);
}

enum status operation_query_cancel(struct request *request)
{
    struct operation_service *operation = request->context;
    struct str id = request_path_param(request, "query_id");
    struct buf body;
    struct json_writer w;
    if (!operation->options.queue)
        return error_set(&request->error, STATUS_NOT_FOUND, "No queue is kept here.");
    TRY(query_queue_cancel(operation->options.queue, id, operation_scope(request),
                           &request->error));
    buf_init(&body, QUERIES_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_kv_str(&w, "query_id", id);
    return reply_end(request, 202, &body, &w);
}
