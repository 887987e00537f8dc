#include "services/optimizer/optimizer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/http_client.h"

enum { NODE_REPLY_MAX = 64 << 20, NODE_TIMEOUT_MS = 35000 };

struct optimizer_service {
    struct service *service;
    struct optimizer_nodes nodes;
    pthread_mutex_t lock;
    char node_url[OPTIMIZER_NODE_URL_MAX];
};

/* --- asking the node --- */

/* The node of the caller's tenant; leave_node follows. */
static enum status enter_node(struct request *request, char url[OPTIMIZER_NODE_URL_MAX])
{
    struct optimizer_service *optimizer = request->context;
    if (optimizer->nodes.enter)
        return optimizer->nodes.enter(optimizer->nodes.context, request->identity.tenant, url,
                                      &request->error);
    pthread_mutex_lock(&optimizer->lock);
    memcpy(url, optimizer->node_url, OPTIMIZER_NODE_URL_MAX);
    pthread_mutex_unlock(&optimizer->lock);
    if (url[0])
        return STATUS_OK;
    return error_set(&request->error, STATUS_UNAVAILABLE,
                     "no tenant node is known: it is starting, or this process runs without one");
}

static void leave_node(struct request *request)
{
    struct optimizer_service *optimizer = request->context;
    if (optimizer->nodes.leave)
        optimizer->nodes.leave(optimizer->nodes.context, request->identity.tenant);
}

static enum status call_node(struct request *request, const struct http_call *call,
                             struct http_reply *reply)
{
    struct http_client *client = NULL;
    TRY(http_client_new(&(struct http_client_options){.user_agent = "quarry-optimizer"}, &client,
                        &request->error));
    enum status status = http_client_call(client, call, reply, &request->error);
    http_client_free(client);
    return status;
}

/* The node's answer, whatever its status. */
static enum status ask_node(struct request *request, const char *method, const char *path,
                            struct str body, struct http_reply *reply)
{
    struct http_field fields[3] = {{STR("Content-Type"), STR("application/json")},
                                   {STR("X-Request-Id"), request->request_id}};
    struct str token = http_request_header(request->http, "authorization");
    struct http_call call = {.method = method,
                             .fields = fields,
                             .field_count = 2,
                             .body = body,
                             .timeout_ms = NODE_TIMEOUT_MS};
    char url[OPTIMIZER_NODE_URL_MAX];
    if (token.len)
        fields[call.field_count++] = (struct http_field){STR("Authorization"), token};
    TRY(enter_node(request, url));
    call.url = arena_printf(request->arena, "%s%s", url, path);
    enum status status =
        call.url ? call_node(request, &call, reply) : error_no_memory(&request->error);
    leave_node(request);
    return status;
}

static void pass_on(struct request *request, const struct http_reply *reply)
{
    struct buf body;
    buf_init(&body, NODE_REPLY_MAX);
    buf_append_str(&body, buf_str(&reply->body));
    request_respond_json(request, reply->status, &body);
}

static enum status forward(struct request *request, const char *method, const char *path)
{
    struct http_reply reply;
    http_reply_init(&reply, NODE_REPLY_MAX);
    struct str body = method[0] == 'P' ? STR("{}") : STR_NONE;
    enum status status = ask_node(request, method, path, body, &reply);
    if (status == STATUS_OK)
        pass_on(request, &reply);
    http_reply_release(&reply);
    return status;
}

/* --- the question --- */

/* A plan of the interpreter holds the statement that it stands for. */
static yyjson_val *statement_in(yyjson_val *plan)
{
    static const char *const names[] = {"query", "sql", "canonical_sql", "statement"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (yyjson_is_str(json_get(plan, names[i])))
            return json_get(plan, names[i]);
    yyjson_val *execution = json_get(plan, "execution_plan");
    return execution ? statement_in(execution) : NULL;
}

static void write_statement(struct request *request, struct str text, yyjson_val *plan,
                            struct json_writer *w)
{
    struct str dialect = request_str(request, "dialect");
    yyjson_val *parameters = json_get(plan, "parameters");
    json_kv_str(w, "query", text);
    if (!request_has(request, "dialect") && yyjson_is_str(json_get(plan, "dialect")))
        dialect = json_str_of(json_get(plan, "dialect"));
    json_kv_str(w, "dialect", dialect);
    if (parameters && !yyjson_is_null(parameters)) {
        json_keyz(w, "parameters");
        json_value(w, parameters);
    }
}

/* The body of a search or an aggregate, as its fields. */
static void write_fields(struct request *request, yyjson_val *plan, struct json_writer *w)
{
    static const char *const names[] = {"source_ids",   "filters",  "select_columns",
                                        "limit",        "offset",   "order_by",
                                        "aggregations", "group_by", "as_of"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        yyjson_val *value = json_get(plan, names[i]);
        if (!value && i == 0 && field_find(request->operation->fields, STR("source_ids")) >= 0)
            value = request_json(request, "source_ids");
        if (!value)
            continue;
        json_keyz(w, names[i]);
        json_value(w, value);
    }
}

static enum status write_question(struct request *request, struct buf *body)
{
    yyjson_val *plan = request_json(request, "query_plan");
    yyjson_val *statement = yyjson_is_str(plan) ? plan : statement_in(plan);
    struct str text = json_str_of(statement);
    struct json_writer w;
    if (field_find(request->operation->fields, STR("query")) >= 0 && request_has(request, "query"))
        text = request_str(request, "query");
    if (!text.data && !plan)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "give query_plan or query: what is to be answered");
    json_writer_init(&w, body);
    json_begin_object(&w);
    if (text.data)
        write_statement(request, text, yyjson_is_obj(plan) ? plan : NULL, &w);
    else
        write_fields(request, plan, &w);
    json_end_object(&w);
    return buf_check(body, "the question", &request->error);
}

/* The node's answer to /query/plan. */
static enum status plan_at_node(struct request *request, struct http_reply *reply)
{
    struct buf body;
    buf_init(&body, 8 << 20);
    enum status status = write_question(request, &body);
    if (status == STATUS_OK)
        status = ask_node(request, "POST", "/query/plan", buf_str(&body), reply);
    buf_release(&body);
    return status;
}

/* --- the answers --- */

/* Of several sources each has its plans; the members of the first stand for all then. */
static yyjson_val *first_of(yyjson_val *explain)
{
    return yyjson_is_arr(explain) ? yyjson_arr_get_first(explain) : explain;
}

static void write_members(struct json_writer *w, yyjson_val *object)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        json_key(w, json_str_of(key));
        json_value(w, value);
    }
}

static void answer_plan(struct json_writer *w, yyjson_val *explain)
{
    yyjson_val *first = first_of(explain), *chosen = json_get(first, "chosen_plan");
    static const char *const names[] = {"operators",   "estimated_cost",     "estimated_time_ms",
                                        "index_usage", "parallelism_factor", "file_pruning"};
    write_members(w, first);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        json_keyz(w, names[i]);
        json_value(w, json_get(chosen, names[i]));
    }
    if (yyjson_arr_size(explain) > 1) {
        json_keyz(w, "sources");
        json_value(w, explain);
    }
}

/* The costs of all sources together. */
static void answer_cost(struct json_writer *w, yyjson_val *explain)
{
    static const char *const names[] = {"cpu_cost", "io_cost", "memory_cost", "network_cost",
                                        "total_cost"};
    yyjson_val *first = first_of(explain);
    size_t len = yyjson_is_arr(explain) ? yyjson_arr_size(explain) : 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        double sum = 0;
        for (size_t k = 0; k < len; k++) {
            yyjson_val *one = yyjson_is_arr(explain) ? yyjson_arr_get(explain, k) : explain;
            yyjson_val *cost = json_get(json_get(one, "chosen_plan"), "estimated_cost");
            sum += yyjson_get_num(json_get(cost, names[i]));
        }
        json_kv_double(w, names[i], sum);
        if (i == 4)
            json_kv_double(w, "estimated_time_ms", sum);
    }
    json_kv_str(w, "plan_id", json_str_of(json_get(first, "plan_id")));
    json_kv_str(w, "access_path", json_str_of(json_get(first, "access_path")));
    json_keyz(w, "estimated_rows");
    json_value(w, json_get(first, "estimated_rows"));
}

static enum status answer(struct request *request,
                          void (*write)(struct json_writer *w, yyjson_val *explain))
{
    struct http_reply reply;
    yyjson_doc *doc = NULL;
    struct buf buf;
    struct json_writer w;
    http_reply_init(&reply, NODE_REPLY_MAX);
    enum status status = plan_at_node(request, &reply);
    if (status == STATUS_OK && reply.status == 200)
        status = json_parse(buf_str(&reply.body), &doc, &request->error);
    if (status == STATUS_OK && reply.status != 200)
        pass_on(request, &reply);
    if (status == STATUS_OK && doc) {
        buf_init(&buf, NODE_REPLY_MAX);
        json_writer_init(&w, &buf);
        json_begin_object(&w);
        json_kv_bool(&w, "success", true);
        write(&w, json_get(yyjson_doc_get_root(doc), "explain"));
        json_kv_null(&w, "error_message");
        json_end_object(&w);
        request_respond_json(request, 200, &buf);
    }
    yyjson_doc_free(doc);
    http_reply_release(&reply);
    return status;
}

static enum status handle_optimize(struct request *request)
{
    return answer(request, answer_plan);
}

static enum status handle_costs(struct request *request)
{
    return answer(request, answer_cost);
}

static enum status handle_stats(struct request *request)
{
    return forward(request, "GET", "/query/statistics");
}

static enum status handle_reset(struct request *request)
{
    return forward(request, "POST", "/query/statistics/reset");
}

/* --- life --- */

static const struct service_handler handlers[] = {
    {"optimize_query", handle_optimize},
    {"costs_estimate", handle_costs},
    {"execution_stats", handle_stats},
    {"execution_stats_reset", handle_reset},
};

enum status optimizer_service_start(const struct service_options *base,
                                    const struct optimizer_nodes *nodes,
                                    struct optimizer_service **ret, struct error *err)
{
    struct optimizer_service *optimizer = calloc(1, sizeof *optimizer);
    if (!optimizer)
        return error_no_memory(err);
    struct service_options options = *base;
    optimizer->nodes = *nodes;
    options.kind = SERVICE_OPTIMIZER;
    options.handlers = handlers;
    options.handlers_len = sizeof handlers / sizeof *handlers;
    options.context = optimizer;
    pthread_mutex_init(&optimizer->lock, NULL);
    enum status status = service_start(&options, &optimizer->service, err);
    if (status != STATUS_OK) {
        pthread_mutex_destroy(&optimizer->lock);
        free(optimizer);
        return status;
    }
    *ret = optimizer;
    return STATUS_OK;
}

struct service *optimizer_service_of(struct optimizer_service *optimizer)
{
    return optimizer->service;
}

void optimizer_service_set_node(struct optimizer_service *optimizer, const char *url)
{
    pthread_mutex_lock(&optimizer->lock);
    snprintf(optimizer->node_url, sizeof optimizer->node_url, "%s", url);
    pthread_mutex_unlock(&optimizer->lock);
}

void optimizer_service_stop(struct optimizer_service *optimizer, uint32_t grace_ms)
{
    if (!optimizer)
        return;
    service_stop(optimizer->service, grace_ms);
    pthread_mutex_destroy(&optimizer->lock);
    free(optimizer);
}
