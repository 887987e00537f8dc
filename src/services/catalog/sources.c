/* sources.c: the tenant node's sources as assets.
 *
 * The node is the authority. When somebody asks, the catalog asks the node (with the asker's own
 * token), registers what is new, takes sizes over, and hides what is gone; then it answers from the
 * assets. So grants, lineage and search work for sources as for everything else. */
#include "net/http_client.h"
#include "services/catalog/catalog_int.h"

enum { NODE_REPLY_MAX = 64 << 20, NODE_TIMEOUT_MS = 15000 };

/* --- asking the node --- */

static enum status node_url(struct request *request, const char *path, char **ret)
{
    struct catalog_service *service = service_of(request);
    pthread_mutex_lock(&service->lock);
    bool known = service->node_url[0] != 0;
    char *url = arena_printf(request->arena, "%s%s", service->node_url, path);
    pthread_mutex_unlock(&service->lock);
    if (!known)
        return error_set(
            &request->error, STATUS_UNAVAILABLE,
            "no tenant node is known: it is starting, or this process runs without one");
    *ret = url;
    return url ? STATUS_OK : error_no_memory(&request->error);
}

static enum status node_failed(struct request *request, const struct http_reply *reply)
{
    yyjson_doc *doc = yyjson_read(reply->body.data, reply->body.len, 0);
    const char *message = yyjson_get_str(json_get(yyjson_doc_get_root(doc), "error_message"));
    enum status status = reply->status == 401   ? STATUS_UNAUTHENTICATED
                         : reply->status == 403 ? STATUS_FORBIDDEN
                         : reply->status == 404 ? STATUS_UNKNOWN_SOURCE
                         : reply->status < 500  ? STATUS_INVALID_ARGUMENT
                                                : STATUS_UNAVAILABLE;
    error_set(&request->error, status, "the tenant node: %s", message ? message : "no message");
    yyjson_doc_free(doc);
    return status;
}

/* The node's answer, JSON, which the caller frees. */
enum status sources_ask_node(struct request *request, const char *method, const char *path,
                             struct str body, struct http_reply *reply)
{
    struct http_client *client = NULL;
    char traceparent[TRACE_PARENT_LEN + 1];
    struct http_field fields[5] = {{STR("Content-Type"), STR("application/json")},
                                   {STR("X-Request-Id"), request->request_id}};
    struct str token = http_request_header(request->http, "authorization");
    struct http_call call = {.method = method,
                             .fields = fields,
                             .field_count = 2,
                             .body = body,
                             .timeout_ms = NODE_TIMEOUT_MS};
    char *url = NULL;
    TRY(node_url(request, path, &url));
    call.url = url;
    if (token.len)
        fields[call.field_count++] = (struct http_field){STR("Authorization"), token};
    TRY(http_client_new(&(struct http_client_options){.user_agent = "quarry-catalog"}, &client,
                        &request->error));
    int span = span_begin(request, "node.call", SPAN_CLIENT);
    trace_outgoing(request, traceparent);
    if (traceparent[0])
        fields[call.field_count++] = (struct http_field){STR("traceparent"), str_of(traceparent)};
    if (request->trace.state.data)
        fields[call.field_count++] = (struct http_field){STR("tracestate"), request->trace.state};
    enum status status = http_client_call(client, &call, reply, &request->error);
    span_end(request, span);
    http_client_free(client);
    if (status == STATUS_OK && reply->status >= 300)
        status = node_failed(request, reply);
    return status;
}

/* --- registering --- */

/* One source as the node tells of it. */
struct source_info {
    struct str id, name;
    struct asset_statistics statistics;
};

static struct source_info info_of(yyjson_val *json)
{
    return (struct source_info){
        .id = json_str_of(json_get(json, "source_id")),
        .name = json_str_of(json_get(json, "name")),
        .statistics = {.row_count = yyjson_get_sint(json_get(json, "total_rows")),
                       .node_count = -1,
                       .edge_count = -1,
                       .hyperedge_count = -1,
                       .file_count = yyjson_get_sint(json_get(json, "total_files")),
                       .size_bytes = yyjson_get_sint(json_get(json, "total_size_bytes"))}};
}

/* The node's word is taken over in the name of the system, not of the one who happened to ask. */
static struct caller system_caller(const struct caller *caller)
{
    return (struct caller){.tenant = caller->tenant, .principal = STR("system"), .admin = true};
}

static enum status register_source(struct request *request, const struct caller *system,
                                   const struct source_info *info)
{
    struct catalog *catalog = catalog_of(request);
    struct record asset;
    enum status status = asset_find(catalog, system, STR("source"), STR_NONE, info->id, STR_NONE,
                                    request->arena, &asset, &request->error);
    if (status == STATUS_NOT_FOUND) {
        struct record draft = {.kind = STR("source"),
                               .name = info->id,
                               .title = info->name,
                               .row_count = info->statistics.row_count,
                               .file_count = info->statistics.file_count,
                               .size_bytes = info->statistics.size_bytes};
        status = asset_create(catalog, system, &draft, request->arena, &asset, &request->error);
        return status == STATUS_CONFLICT ? STATUS_OK : status; /* another request was faster */
    }
    TRY(status);
    if (asset.row_count == info->statistics.row_count &&
        asset.file_count == info->statistics.file_count &&
        asset.size_bytes == info->statistics.size_bytes)
        return STATUS_OK;
    return asset_set_statistics(catalog, system, asset.id, &info->statistics, request->arena,
                                &asset, &request->error);
}

enum status sources_hide_gone(struct request *request, const struct caller *system, struct str kind,
                              yyjson_val *details)
{
    struct match match = {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1};
    struct record_query query = {.matches = &match, .matches_len = 1, .limit = QUERY_LIMIT_MAX};
    struct record_page page;
    do {
        TRY(asset_query(catalog_of(request), system, &query, request->arena, &page,
                        &request->error));
        for (uint32_t i = 0; i < page.len; i++) {
            struct str name = page.records[i].name;
            struct record ignored;
            if (yyjson_obj_getn(details, name.data, name.len))
                continue;
            enum status status = asset_delete(catalog_of(request), system, page.records[i].id, 0,
                                              request->arena, &ignored, &request->error);
            if (status != STATUS_OK && status != STATUS_NOT_FOUND)
                return status;
        }
        query.cursor = page.next;
    } while (page.next.len);
    return STATUS_OK;
}

static enum status take_over(struct request *request, const struct caller *system,
                             struct str answer)
{
    yyjson_doc *doc = NULL;
    size_t at, max;
    yyjson_val *key, *value;
    TRY(json_parse(answer, &doc, &request->error));
    yyjson_val *details = json_get(yyjson_doc_get_root(doc), "source_details");
    enum status status = STATUS_OK;
    yyjson_obj_foreach(details, at, max, key, value)
    {
        struct source_info info = info_of(value);
        if (status == STATUS_OK)
            status = register_source(request, system, &info);
    }
    if (status == STATUS_OK)
        status = sources_hide_gone(request, system, STR("source"), details);
    if (status == STATUS_OK)
        status =
            views_take_over(request, system, json_get(yyjson_doc_get_root(doc), "view_details"));
    yyjson_doc_free(doc);
    return status;
}

enum status sources_sync(struct request *request, const struct caller *caller)
{
    struct caller system = system_caller(caller);
    struct http_reply reply;
    http_reply_init(&reply, NODE_REPLY_MAX);
    enum status status = sources_ask_node(request, "GET", "/sources", STR_NONE, &reply);
    if (status == STATUS_OK)
        status = take_over(request, &system, buf_str(&reply.body));
    http_reply_release(&reply);
    return status;
}

/* --- answering --- */

static void write_source(struct json_writer *w, const struct record *source)
{
    json_begin_object(w);
    json_kv_str(w, "source_id", source->name);
    json_kv_str(w, "asset_id", source->id);
    json_kv_text(w, "name", source->title);
    json_kv_str(w, "tenant_id", source->tenant);
    json_kv_int(w, "total_files", source->file_count);
    json_kv_int(w, "total_size_bytes", source->size_bytes);
    json_kv_int(w, "total_rows", source->row_count);
    json_time(w, "last_updated", source->updated_us);
    json_list(w, "tags", &source->tags);
    json_end_object(w);
}

static enum status check_tenant(struct request *request, const struct caller *caller)
{
    struct str tenant = request_str(request, "tenant");
    if (tenant.len && !str_eq(tenant, caller->tenant))
        return error_set(&request->error, STATUS_FORBIDDEN,
                         "the tenant is your token's; another one's sources are not shown");
    return STATUS_OK;
}

enum status metadata_sources(struct request *request)
{
    static const struct str kind[] = {STR("source")};
    struct caller caller = caller_of(request);
    struct match match = {.field = RECORD_kind, .op = MATCH_EQ, .values = kind, .values_len = 1};
    struct record_query query = {.matches = &match,
                                 .matches_len = 1,
                                 .order = RECORD_name,
                                 .cursor = request_str(request, "cursor"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    struct record_page page;
    TRY(check_tenant(request, &caller));
    TRY(sources_sync(request, &caller));
    TRY(asset_query(catalog_of(request), &caller, &query, request->arena, &page, &request->error));
    return respond_page(request, "sources", &page, write_source);
}

/* Statistics of the columns, as the node gives them; null when it cannot (the totals stand). */
static void write_statistics(struct request *request, struct json_writer *w)
{
    struct http_reply reply;
    yyjson_doc *doc = NULL;
    http_reply_init(&reply, NODE_REPLY_MAX);
    struct error before = request->error;
    json_keyz(w, "source_statistics");
    if (sources_ask_node(request, "GET", "/statistics", STR_NONE, &reply) == STATUS_OK &&
        json_parse(buf_str(&reply.body), &doc, &request->error) == STATUS_OK)
        json_value(w, json_get(yyjson_doc_get_root(doc), "sources"));
    else
        json_null(w);
    request->error = before;
    yyjson_doc_free(doc);
    http_reply_release(&reply);
}

enum status metadata_stats(struct request *request)
{
    static const struct str kind[] = {STR("source")};
    struct caller caller = caller_of(request);
    struct match match = {.field = RECORD_kind, .op = MATCH_EQ, .values = kind, .values_len = 1};
    struct group_query sources = {.records = {.matches = &match, .matches_len = 1},
                                  .by = GROUP_ALL,
                                  .numbers = {RECORD_file_count, RECORD_size_bytes,
                                              RECORD_row_count},
                                  .numbers_len = 3},
                       kinds = {.by = RECORD_kind};
    struct group_answer sums, counts;
    struct buf buf;
    struct json_writer w;
    TRY(sources_sync(request, &caller));
    TRY(asset_group(catalog_of(request), &caller, &sources, request->arena, &sums,
                    &request->error));
    TRY(asset_group(catalog_of(request), &caller, &kinds, request->arena, &counts,
                    &request->error));
    int64_t files = sums.rows[0].sum[0];
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_int(&w, "total_sources", sums.rows[0].count);
    json_kv_int(&w, "total_files", files);
    json_kv_int(&w, "total_size_bytes", sums.rows[0].sum[1]);
    json_kv_int(&w, "total_rows", sums.rows[0].sum[2]);
    json_kv_double(&w, "average_file_size",
                   files ? (double)sums.rows[0].sum[1] / (double)files : 0);
    json_kv_double(&w, "average_rows_per_file",
                   files ? (double)sums.rows[0].sum[2] / (double)files : 0);
    json_keyz(&w, "assets");
    json_begin_object(&w);
    for (uint32_t i = 0; i < counts.len; i++) {
        json_key(&w, counts.rows[i].value);
        json_int(&w, counts.rows[i].count);
    }
    json_end_object(&w);
    if (request_bool(request, "statistics"))
        write_statistics(request, &w);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

/* {"source_id":..., and the members of policy} */
static enum status compact_body(struct request *request, struct buf *buf)
{
    struct json_writer w;
    size_t at, max;
    yyjson_val *key, *value;
    json_writer_init(&w, buf);
    json_begin_object(&w);
    json_kv_str(&w, "source_id", request_str(request, "source_id"));
    yyjson_obj_foreach(request_json(request, "policy"), at, max, key, value)
    {
        if (str_is(json_str_of(key), "source_id"))
            continue;
        json_key(&w, json_str_of(key));
        json_value(&w, value);
    }
    json_end_object(&w);
    return buf_check(buf, "the policy", &request->error);
}

/* The node does it; its answer goes back as it is. */
enum status metadata_compact(struct request *request)
{
    struct http_reply reply;
    struct buf body, answer;
    buf_init(&body, 1 << 20);
    http_reply_init(&reply, NODE_REPLY_MAX);
    enum status status = compact_body(request, &body);
    if (status == STATUS_OK)
        status = sources_ask_node(request, "POST", "/metadata/compact", buf_str(&body), &reply);
    if (status == STATUS_OK) {
        buf_init(&answer, NODE_REPLY_MAX);
        buf_append_str(&answer, buf_str(&reply.body));
        request_respond_json(request, reply.status, &answer);
    }
    http_reply_release(&reply);
    buf_release(&body);
    return status;
}
