/* system_logs.c: the catalog's logs as system tables: who did what, and what was done with
 * collections.
 *
 * The catalog keeps them; the node asks it, page by page, in the caller's name and with the
 * caller's token, so the catalog's rights hold here too: logs of a whole tenant are for its admins.
 * A statement that names such a table gets all of it (at most LOG_ROWS_MAX entries), as of that
 * moment. */
#include <stdio.h>

#include "base/datetime.h"
#include "net/http_client.h"
#include "services/tenant/system.h"

enum {
    LOG_ROWS_MAX = 200000,
    LOG_PAGE = 1000,
    LOG_REPLY_MAX = 64 << 20,
    LOG_TIMEOUT_MS = 30000,
    PORTS_FILE_MAX = 4096,
};

/* Where a column's value is in an event. */
enum place { IN_EVENT, IN_ATTRIBUTES };

struct log_member {
    const char *name;
    enum place place;
    int divisor; /* of numbers; 0: 1 */
};

struct log_table {
    const char *kind;                              /* of its events */
    struct log_member members[SYSTEM_COLUMNS_MAX]; /* in the order of the table's columns */
};

#define EVENT(member)                                                                              \
    {                                                                                              \
        .name = (member)                                                                           \
    }
#define ATTRIBUTE(member)                                                                          \
    {                                                                                              \
        .name = (member), .place = IN_ATTRIBUTES                                                   \
    }
#define MILLIS(member)                                                                             \
    {                                                                                              \
        .name = (member), .divisor = 1000                                                          \
    }

static const struct log_table audit_logs = {
    "audit",
    {EVENT("id"), EVENT("subject"), EVENT("name"), EVENT("namespace"), EVENT("object"),
     EVENT("success"), ATTRIBUTE("details"), EVENT("location"), ATTRIBUTE("user_agent"),
     ATTRIBUTE("session_id"), ATTRIBUTE("reported_by"), EVENT("created_at")}};

static const struct log_table query_logs = {
    "query",
    {EVENT("id"), EVENT("subject"), EVENT("object"), EVENT("name"),
     ATTRIBUTE("query_vector_dimension"), ATTRIBUTE("top_k"), ATTRIBUTE("search_params"),
     ATTRIBUTE("result_count"), MILLIS("duration_us"), EVENT("success"), EVENT("description"),
     EVENT("created_at")}};

static const struct log_table performance_metrics = {
    "performance",
    {EVENT("id"), EVENT("object"), EVENT("name"), ATTRIBUTE("operation_id"), MILLIS("duration_us"),
     EVENT("success"), EVENT("description"), EVENT("properties"), EVENT("created_at")}};

static const struct log_table ingestion_logs = {
    "ingestion",
    {EVENT("id"), EVENT("object"), EVENT("subject"), ATTRIBUTE("batch_id"), EVENT("row_count"),
     EVENT("size_bytes"), EVENT("name"), EVENT("lifecycle"), EVENT("created_at"),
     ATTRIBUTE("completed_at"), EVENT("description"), EVENT("properties")}};

/* ---- asking ---- */

static enum status port_of_file(struct tenant_node *node, struct arena *arena, int64_t *ret,
                                struct error *err)
{
    struct sys_file *file = NULL;
    yyjson_doc *doc = NULL;
    size_t len = 0;
    char *text = arena_alloc(arena, PORTS_FILE_MAX);
    if (!text)
        return error_no_memory(err);
    TRY(sys_open(node->sys, node->options.ports_file, SYS_READ, &file, err));
    enum status status = sys_pread(node->sys, file, text, PORTS_FILE_MAX, 0, &len, err);
    sys_close(node->sys, file);
    TRY(status);
    TRY(json_parse(str_make(text, len), &doc, err));
    *ret = yyjson_get_sint(json_get(yyjson_doc_get_root(doc), "catalog"));
    yyjson_doc_free(doc);
    return STATUS_OK;
}

static enum status catalog_url(struct system_fill *fill, struct str kind, struct str cursor,
                               char **ret, struct error *err)
{
    struct tenant_node *node = fill->request->context;
    struct arena *arena = fill->request->arena;
    const char *host = node->options.catalog_host;
    int64_t port = node->options.catalog_port;
    if (!port && node->options.ports_file)
        TRY(port_of_file(node, arena, &port, err));
    if (!port || !host)
        return error_set(err, STATUS_UNAVAILABLE,
                         "this node knows no catalog, which keeps the logs: SERVICE_ADDRESSES, or "
                         "CATALOG_PORT");
    const char *bracket = strchr(host, ':') ? "[" : "";
    *ret = arena_printf(arena, "http://%s%s%s:%d/events?kind=%.*s&limit=%d%s%.*s", bracket, host,
                        bracket[0] ? "]" : "", (int)port, STR_ARG(kind), LOG_PAGE,
                        cursor.len ? "&cursor=" : "", STR_ARG(cursor));
    return *ret ? STATUS_OK : error_no_memory(err);
}

static enum status judge(const struct http_reply *reply, struct error *err)
{
    enum status status = reply->status == 401   ? STATUS_UNAUTHENTICATED
                         : reply->status == 403 ? STATUS_FORBIDDEN
                                                : STATUS_UNAVAILABLE;
    if (reply->status < 300)
        return STATUS_OK;
    if (status == STATUS_UNAVAILABLE)
        return error_set(err, status, "the catalog, which keeps the logs, answers %d",
                         reply->status);
    return error_set(err, status, "the logs of a tenant are for its admins");
}

static enum status ask(struct system_fill *fill, struct http_client *client, const char *url,
                       struct http_reply *reply, struct error *err)
{
    struct request *request = fill->request;
    char traceparent[TRACE_PARENT_LEN + 1];
    struct http_field fields[3] = {{STR("X-Request-Id"), request->request_id}};
    struct http_call call = {
        .url = url, .fields = fields, .field_count = 1, .timeout_ms = LOG_TIMEOUT_MS};
    struct str token = http_request_header(request->http, "authorization");
    if (token.len)
        fields[call.field_count++] = (struct http_field){STR("Authorization"), token};
    int span = span_begin(request, "catalog.call", SPAN_CLIENT);
    trace_outgoing(request, traceparent);
    if (traceparent[0])
        fields[call.field_count++] = (struct http_field){STR("traceparent"), str_of(traceparent)};
    enum status status = http_client_call(client, &call, reply, err);
    span_end(request, span);
    return status == STATUS_OK ? judge(reply, err)
                               : error_wrap(err, "the catalog, which keeps the logs");
}

/* ---- rows ---- */

static void put_json(struct system_row *row, yyjson_val *value)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, LOG_REPLY_MAX);
    json_writer_init(&w, &text);
    json_value(&w, value);
    if (buf_failed(&text))
        system_row_failed(row, STATUS_NO_MEMORY);
    else
        system_put_text(row, buf_str(&text));
    buf_release(&text);
}

static void put_value(struct system_row *row, enum type type, yyjson_val *value, int divisor)
{
    int64_t us = 0;
    if (!value || yyjson_is_null(value))
        system_put_null(row);
    else if (type == TYPE_BOOL)
        system_put_bool(row, yyjson_get_bool(value));
    else if (type == TYPE_INT64)
        system_put_int(row, yyjson_get_sint(value) / (divisor ? divisor : 1));
    else if (type == TYPE_TIMESTAMP)
        system_put_time(row, timestamp_parse(json_str_of(value), &us) ? us : 0);
    else if (yyjson_is_str(value))
        system_put_text(row, json_str_of(value));
    else
        put_json(row, value);
}

static enum status put_event(struct system_fill *fill, const struct log_table *table,
                             yyjson_val *event, struct error *err)
{
    struct system_row row = {.fill = fill};
    for (uint32_t i = 0; i < SYSTEM_COLUMNS_MAX && table->members[i].name; i++) {
        const struct log_member *member = &table->members[i];
        yyjson_val *object = member->place == IN_EVENT ? event : json_get(event, "attributes");
        put_value(&row, fill->batch->columns[i].column.type, json_get(object, member->name),
                  member->divisor);
    }
    return system_end_row(&row, err);
}

/* One page; *ret_cursor empty: the last. */
static enum status put_page(struct system_fill *fill, const struct log_table *table,
                            struct str json, struct str *ret_cursor, struct error *err)
{
    const struct tenant_node *node = fill->request->context;
    yyjson_doc *doc = NULL;
    size_t at, max;
    yyjson_val *event;
    TRY(json_parse(json, &doc, err));
    yyjson_val *root = yyjson_doc_get_root(doc);
    enum status status = STATUS_OK;
    /* without a token the catalog takes everybody for its own tenant's */
    if (!str_is(json_str_of(json_get(root, "tenant_id")), node->options.tenant_id))
        status = error_set(err, STATUS_FORBIDDEN, "the logs of this tenant need its token");
    yyjson_arr_foreach(json_get(root, "events"), at, max, event)
    {
        if (status == STATUS_OK && fill->batch->rows == LOG_ROWS_MAX)
            status = error_set(err, STATUS_RESOURCE_LIMIT,
                               "the log has more than %d entries: shorten data_retention_days (old "
                               "ones go to Parquet files, which can be loaded), or ask the catalog "
                               "page by page",
                               LOG_ROWS_MAX);
        if (status == STATUS_OK)
            status = put_event(fill, table, event, err);
    }
    yyjson_val *next = json_get(root, "next_cursor");
    *ret_cursor =
        yyjson_is_str(next) ? arena_str(fill->request->arena, json_str_of(next)) : STR("");
    yyjson_doc_free(doc);
    return status == STATUS_OK && !ret_cursor->data ? error_no_memory(err) : status;
}

static enum status fill_log(struct system_fill *fill, const struct log_table *table,
                            struct error *err)
{
    struct http_client *client = NULL;
    struct http_reply reply;
    struct str cursor = STR("");
    char *url = NULL;
    TRY(http_client_new(&(struct http_client_options){.user_agent = "quarry-node"}, &client, err));
    http_reply_init(&reply, LOG_REPLY_MAX);
    enum status status = STATUS_OK;
    do {
        status = catalog_url(fill, str_of(table->kind), cursor, &url, err);
        if (status == STATUS_OK)
            status = ask(fill, client, url, &reply, err);
        if (status == STATUS_OK)
            status = put_page(fill, table, buf_str(&reply.body), &cursor, err);
    } while (status == STATUS_OK && cursor.len);
    http_reply_release(&reply);
    http_client_free(client);
    return status;
}

enum status system_fill_audit_logs(struct system_fill *fill, struct error *err)
{
    return fill_log(fill, &audit_logs, err);
}

enum status system_fill_query_logs(struct system_fill *fill, struct error *err)
{
    return fill_log(fill, &query_logs, err);
}

enum status system_fill_performance_metrics(struct system_fill *fill, struct error *err)
{
    return fill_log(fill, &performance_metrics, err);
}

enum status system_fill_ingestion_logs(struct system_fill *fill, struct error *err)
{
    return fill_log(fill, &ingestion_logs, err);
}
