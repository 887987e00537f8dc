/* execute.c: POST /query/execute: a query in SQL or the DSL, run by the caller's tenant's node.
 *
 *   1. its turn in the queue of queries
 *   2. the node, started if need be
 *   3. POST /query/sql or /query/dsl there, with the caller's own token: the node checks it itself
 *   4. the rows as objects, and what it took
 * What the node refuses is passed on as it came. */
#include <stdio.h>

#include "net/http_client.h"
#include "services/operation/operation_int.h"

enum {
    REPLY_MAX = 64 << 20, /* larger results: POST /query/sql, which streams */
    ANSWER_MAX = 256 << 20,
    CALL_TIMEOUT_MS = 600000,
};

struct execution {
    struct request *request;
    struct operation_service *operation;
    struct query_ticket ticket;
    struct http_reply reply;
    struct buf body;
};

static bool is_cancelled(void *context)
{
    struct execution *e = context;
    return atomic_load(&e->ticket.cancelled) || http_request_gone(e->request->http);
}

/* --- 3. --- */

static bool is_dsl(struct str query)
{
    return str_starts(str_trim(query), STR("{"));
}

/* The DSL is read here so that its faults have a place; the node gets it as it is. */
static enum status write_body(struct execution *e)
{
    struct request *request = e->request;
    struct str query = request_str(request, "query");
    struct json_writer w;
    json_writer_init(&w, &e->body);
    json_begin_object(&w);
    if (is_dsl(query)) {
        yyjson_doc *doc = yyjson_read(query.data, query.len, 0);
        bool good = doc != NULL;
        yyjson_doc_free(doc);
        if (!good)
            return error_set(&request->error, STATUS_INVALID_JSON,
                             "query begins like the JSON DSL, but is no JSON.");
        json_keyz(&w, "query");
        json_raw(&w, query);
    } else {
        json_kv_str(&w, "query", query);
        if (request_has(request, "dialect"))
            json_kv_str(&w, "dialect", request_str(request, "dialect"));
    }
    if (request_has(request, "optimization_level"))
        json_kv_str(&w, "optimization_level", request_str(request, "optimization_level"));
    json_end_object(&w);
    return buf_check(&e->body, "the query", &request->error);
}

static enum status call_node(struct execution *e, const char *node_url)
{
    struct request *request = e->request;
    const char *path = is_dsl(request_str(request, "query")) ? "/query/dsl" : "/query/sql";
    char *url = arena_printf(request->arena, "%s%s", node_url, path);
    struct str token = http_request_header(request->http, "authorization");
    const struct http_field fields[] = {{STR("Content-Type"), STR("application/json")},
                                        {STR("X-Request-Id"), request->request_id},
                                        {STR("Authorization"), token}};
    const struct http_call call = {.method = "POST",
                                   .url = url,
                                   .fields = fields,
                                   .field_count = token.data ? 3 : 2,
                                   .body = buf_str(&e->body),
                                   .cancelled = is_cancelled,
                                   .context = e,
                                   .timeout_ms = CALL_TIMEOUT_MS};
    struct http_client *client = NULL;
    if (!url)
        return error_no_memory(&request->error);
    TRY(http_client_new(&(struct http_client_options){.user_agent = "quarry-operation"}, &client,
                        &request->error));
    enum status status = http_client_call(client, &call, &e->reply, &request->error);
    http_client_free(client);
    return status;
}

/* --- 4. --- */

static void write_row(struct json_writer *w, yyjson_val *columns, yyjson_val *row)
{
    size_t at, max;
    yyjson_val *value;
    json_begin_object(w);
    yyjson_arr_foreach(row, at, max, value)
    {
        json_keyz(w, yyjson_get_str(yyjson_obj_get(yyjson_arr_get(columns, at), "name")));
        json_value(w, value);
    }
    json_end_object(w);
}

static void write_answer(struct execution *e, yyjson_val *root, struct json_writer *w)
{
    yyjson_val *columns = yyjson_obj_get(root, "columns"), *rows = yyjson_obj_get(root, "rows");
    yyjson_val *statistics = yyjson_obj_get(root, "statistics"), *row;
    int64_t took_us = sys_mono_us(e->operation->sys) - e->ticket.entered_us;
    size_t at, max;
    json_begin_object(w);
    json_kv_strz(w, "query_id", e->ticket.id);
    json_kv_bool(w, "success", true);
    json_keyz(w, "results");
    json_begin_array(w);
    yyjson_arr_foreach(rows, at, max, row) write_row(w, columns, row);
    json_end_array(w);
    json_keyz(w, "metadata");
    json_begin_object(w);
    json_kv_int(w, "total_rows_returned", (int64_t)yyjson_arr_size(rows));
    json_kv_int(w, "partitions_processed",
                yyjson_get_sint(yyjson_obj_get(statistics, "files_read")));
    json_kv_double(w, "execution_time_ms", (double)took_us / 1000);
    json_kv_double(w, "queue_ms", (double)(e->ticket.started_us - e->ticket.entered_us) / 1000);
    json_keyz(w, "nodes_involved");
    json_begin_array(w);
    json_string(w, e->request->identity.tenant);
    json_end_array(w);
    json_keyz(w, "statistics");
    if (statistics)
        json_value(w, statistics);
    else
        json_null(w);
    json_end_object(w);
    json_kv_null(w, "error_message");
    json_end_object(w);
}

static enum status answer(struct execution *e)
{
    struct request *request = e->request;
    struct buf body;
    struct json_writer w;
    buf_init(&body, ANSWER_MAX);
    if (e->reply.status != 200) {
        buf_append_str(&body, buf_str(&e->reply.body));
        request_respond_text(request, e->reply.status, STR("application/json"), &body);
        return STATUS_OK;
    }
    yyjson_doc *doc = yyjson_read(e->reply.body.data, e->reply.body.len, YYJSON_READ_BIGNUM_AS_RAW);
    if (!doc)
        return error_set(&request->error, STATUS_UNAVAILABLE,
                         "The tenant node's answer cannot be read.");
    json_writer_init(&w, &body);
    write_answer(e, yyjson_doc_get_root(doc), &w);
    yyjson_doc_free(doc);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}

/* --- 1., 2. --- */

static enum status run(struct execution *e)
{
    const struct operation_nodes *nodes = &e->operation->options.nodes;
    struct str tenant = e->request->identity.tenant;
    char url[OPERATION_URL_MAX];
    TRY(nodes->enter(nodes->context, tenant, url, &e->request->error));
    enum status status = call_node(e, url);
    nodes->leave(nodes->context, tenant);
    TRY(status);
    return answer(e);
}

enum status operation_execute(struct request *request)
{
    struct operation_service *operation = request->context;
    struct execution *e = ARENA_NEW(request->arena, struct execution);
    if (!e)
        return error_no_memory(&request->error);
    if (!operation->options.nodes.enter)
        return error_set(&request->error, STATUS_UNAVAILABLE,
                         "This process supervises no tenant nodes; ask a node's /query/sql.");
    *e = (struct execution){.request = request, .operation = operation};
    buf_init(&e->body, OPERATION_BODY_MAX);
    http_reply_init(&e->reply, REPLY_MAX);
    snprintf(e->ticket.id, sizeof e->ticket.id, "%.*s", STR_ARG(request->request_id));
    snprintf(e->ticket.tenant, sizeof e->ticket.tenant, "%.*s", STR_ARG(request->identity.tenant));
    snprintf(e->ticket.label, sizeof e->ticket.label, "POST /query/execute");
    enum status status = write_body(e);
    if (status == STATUS_OK)
        status = query_queue_enter(operation->options.queue, &e->ticket, is_cancelled, e,
                                   &request->error);
    if (status == STATUS_OK) {
        status = run(e);
        query_queue_leave(operation->options.queue, &e->ticket);
    }
    http_reply_release(&e->reply);
    buf_release(&e->body);
    return status;
}
