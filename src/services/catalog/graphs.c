/* graphs.c: the graph registry (contracts 2.1): assets of kind graph, in the shape of its rows.
 *
 * A graph's type is its namespace, its schema and storage location are attributes, its path is
 * BASE/FOLDER/NAME.parquet with the name made safe for a file. */
#include "services/catalog/catalog_int.h"

static void write_json_attribute(struct json_writer *w, const struct record *graph,
                                 const char *name, const char *empty)
{
    yyjson_doc *doc = yyjson_read(graph->attributes.data, graph->attributes.len, 0);
    yyjson_val *value = json_get(yyjson_doc_get_root(doc), name);
    json_keyz(w, name);
    if (value)
        json_value(w, value);
    else
        json_raw(w, str_of(empty));
    yyjson_doc_free(doc);
}

/* A row of graph_registry. */
static void write_graph(struct json_writer *w, const struct record *graph)
{
    json_begin_object(w);
    json_kv_str(w, "id", graph->id);
    json_kv_str(w, "name", graph->name);
    json_kv_text(w, "display_name", graph->title);
    json_kv_text(w, "description", graph->description);
    json_kv_str(w, "graph_type", graph->namespace);
    json_kv_str(w, "owner_id", graph->owner);
    json_kv_str(w, "status", graph->lifecycle);
    json_kv_text(w, "version", graph->version);
    json_kv_bool(w, "is_public", graph->is_public);
    json_kv_text(w, "storage_path", graph->location);
    write_json_attribute(w, graph, "storage_location", "null");
    write_json_attribute(w, graph, "metadata_path", "null");
    write_json_attribute(w, graph, "backup_paths", "[]");
    json_kv_int(w, "node_count", graph->node_count);
    json_kv_int(w, "edge_count", graph->edge_count);
    json_kv_int(w, "hyperedge_count", graph->hyperedge_count);
    json_kv_int(w, "file_size_bytes", graph->size_bytes);
    json_time(w, "last_computed_stats", graph->stats_us);
    json_list(w, "tags", &graph->tags);
    json_list(w, "categories", &graph->categories);
    json_object(w, "properties", graph->properties);
    write_json_attribute(w, graph, "schema_info", "{}");
    json_time(w, "created_at", graph->created_us);
    json_time(w, "updated_at", graph->updated_us);
    json_time(w, "last_accessed", graph->accessed_us);
    json_kv_int(w, "access_count", graph->access_count);
    json_kv_int(w, "revision", graph->revision);
    json_end_object(w);
}

static enum status no_graph(struct request *request, struct str id)
{
    return error_set(&request->error, STATUS_NOT_FOUND, "Graph not found: '%.*s'", STR_ARG(id));
}

/* The live graph of the path. */
static enum status open_graph(struct request *request, const struct caller *caller,
                              struct record *ret)
{
    struct str id = request_path_param(request, "graph_id");
    enum status status =
        asset_get(catalog_of(request), caller, id, request->arena, ret, &request->error);
    if (status == STATUS_NOT_FOUND)
        return no_graph(request, id);
    TRY(status);
    return ret->deleted_us || !str_is(ret->kind, "graph") ? no_graph(request, id) : STATUS_OK;
}

/* --- reading --- */

enum status graphs_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str kind = STR("graph"), type = request_str(request, "graph_type"),
               state = request_str(request, "status");
    struct match matches[4] = {
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1}};
    struct record_query query = {.matches = matches,
                                 .matches_len = 1,
                                 .text = request_str(request, "q"),
                                 .order = RECORD_updated_us,
                                 .descending = true,
                                 .cursor = request_str(request, "cursor"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    if (type.len)
        matches[query.matches_len++] = (struct match){
            .field = RECORD_namespace, .op = MATCH_EQ, .values = &type, .values_len = 1};
    if (!str_is(state, "all"))
        matches[query.matches_len++] = (struct match){
            .field = RECORD_lifecycle, .op = MATCH_EQ, .values = &state, .values_len = 1};
    if (request_has(request, "is_public"))
        matches[query.matches_len++] = (struct match){.field = RECORD_is_public,
                                                      .op = MATCH_EQ,
                                                      .number = request_bool(request, "is_public")};
    struct record_page page;
    struct buf buf;
    struct json_writer w;
    TRY(asset_query(catalog_of(request), &caller, &query, request->arena, &page, &request->error));
    if (page.next.len)
        http_set_header(request->http, "X-Next-Cursor", page.next);
    writer_begin(&buf, &w);
    json_begin_array(&w);
    for (uint32_t i = 0; i < page.len; i++)
        write_graph(&w, &page.records[i]);
    json_end_array(&w);
    return writer_respond(request, 200, &buf);
}

enum status graphs_get(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record graph;
    struct buf buf;
    struct json_writer w;
    TRY(open_graph(request, &caller, &graph));
    writer_begin(&buf, &w);
    write_graph(&w, &graph);
    return writer_respond(request, 200, &buf);
}

enum status graphs_stats(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record graph;
    struct buf buf;
    struct json_writer w;
    TRY(open_graph(request, &caller, &graph));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_int(&w, "node_count", graph.node_count);
    json_kv_int(&w, "edge_count", graph.edge_count);
    json_kv_int(&w, "hyperedge_count", graph.hyperedge_count);
    json_kv_int(&w, "file_size_bytes", graph.size_bytes);
    json_time(&w, "last_computed_stats", graph.stats_us);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

/* A row of query_history. */
static void write_history(struct json_writer *w, const struct record *event)
{
    json_begin_object(w);
    json_kv_str(w, "id", event->id);
    json_kv_str(w, "graph_id", event->object);
    json_kv_text(w, "user_id", event->subject);
    json_kv_str(w, "operation_type", event->name);
    json_object(w, "query_info", event->attributes);
    json_kv_double(w, "execution_time_ms", (double)event->duration_us / 1000);
    json_kv_int(w, "result_count", event->row_count);
    json_kv_bool(w, "success", event->success);
    json_kv_text(w, "error_message", event->description);
    json_time(w, "timestamp", event->created_us);
    json_kv_text(w, "ip_address", event->location);
    json_end_object(w);
}

enum status graphs_history(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record graph;
    struct record_page page;
    TRY(open_graph(request, &caller, &graph));
    TRY(asset_history(catalog_of(request), &caller, graph.id, STR("query"),
                      (uint32_t)request_int(request, "limit"), request_str(request, "cursor"),
                      request->arena, &page, &request->error));
    return respond_page(request, "history", &page, write_history);
}

/* Sums of the active graphs; `by` gives a row for each value of that field. */
static enum status sum_graphs(struct request *request, const struct caller *caller, int by,
                              bool only_public, struct group_answer *ret)
{
    static const struct str kind[] = {STR("graph")}, active[] = {STR("active")};
    const struct match matches[] = {
        {.field = RECORD_kind, .op = MATCH_EQ, .values = kind, .values_len = 1},
        {.field = RECORD_lifecycle, .op = MATCH_EQ, .values = active, .values_len = 1},
        {.field = RECORD_is_public, .op = MATCH_EQ, .number = 1}};
    struct group_query query = {
        .records = {.matches = matches, .matches_len = only_public ? 3 : 2},
        .by = by,
        .numbers = {RECORD_node_count, RECORD_edge_count, RECORD_size_bytes},
        .numbers_len = 3};
    return asset_group(catalog_of(request), caller, &query, request->arena, ret, &request->error);
}

enum status registry_stats(struct request *request)
{
    struct caller caller = caller_of(request);
    struct group_answer all, public, owners, types;
    struct buf buf;
    struct json_writer w;
    TRY(sum_graphs(request, &caller, GROUP_ALL, false, &all));
    TRY(sum_graphs(request, &caller, GROUP_ALL, true, &public));
    TRY(sum_graphs(request, &caller, RECORD_owner, false, &owners));
    TRY(sum_graphs(request, &caller, RECORD_namespace, false, &types));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_int(&w, "total_graphs", all.rows[0].count);
    json_kv_int(&w, "public_graphs", public.rows[0].count);
    json_kv_int(&w, "total_users", owners.len);
    json_kv_int(&w, "graph_types", types.len);
    json_kv_int(&w, "total_nodes", all.rows[0].sum[0]);
    json_kv_int(&w, "total_edges", all.rows[0].sum[1]);
    json_keyz(&w, "total_storage_bytes");
    if (all.rows[0].count)
        json_int(&w, all.rows[0].sum[2]);
    else
        json_null(&w);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

/* --- changes --- */

/* Letters, digits, '_', '-', '.' (not first); other bytes as %XX: no name leaves its folder. */
static void append_file_name(struct buf *buf, struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.data[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '_' || c == '-' || (c == '.' && i > 0);
        if (plain)
            buf_append_char(buf, (char)c);
        else
            buf_printf(buf, "%%%02X", (unsigned)c);
    }
}

static enum status storage_path(struct request *request, const struct record *location,
                                struct str type, struct str name, struct str *ret)
{
    struct buf buf;
    bool slash = str_ends(location->location, STR("/"));
    buf_init(&buf, 4096);
    buf_printf(&buf, "%.*s%s%.*ss/", STR_ARG(location->location), slash ? "" : "/", STR_ARG(type));
    append_file_name(&buf, name);
    buf_append_str(&buf, STR(".parquet"));
    enum status status = buf_check(&buf, "the storage path", &request->error);
    if (status == STATUS_OK) {
        *ret = arena_str(request->arena, buf_str(&buf));
        status = ret->data ? STATUS_OK : error_no_memory(&request->error);
    }
    buf_release(&buf);
    return status;
}

static enum status graph_attributes(struct request *request, const struct record *location,
                                    struct str *ret)
{
    struct buf buf;
    struct json_writer w;
    yyjson_val *schema = request_json(request, "schema_info");
    buf_init(&buf, RECORD_JSON_MAX);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    json_kv_str(&w, "storage_location", location->name);
    if (schema) {
        json_keyz(&w, "schema_info");
        json_value(&w, schema);
    }
    json_end_object(&w);
    enum status status = buf_check(&buf, "schema_info", &request->error);
    if (status == STATUS_OK) {
        *ret = arena_str(request->arena, buf_str(&buf));
        status = ret->data ? STATUS_OK : error_no_memory(&request->error);
    }
    buf_release(&buf);
    return status;
}

enum status graphs_create(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record draft = {.domain = DOMAIN_ASSET}, location, graph;
    struct buf buf;
    struct json_writer w;
    TRY(record_from_body(request, &draft));
    draft.kind = STR("graph");
    draft.namespace = request_str(request, "graph_type");
    draft.version = request_str(request, "version");
    TRY(location_choose(catalog_of(request), &caller, request_str(request, "storage_location"),
                        request->arena, &location, &request->error));
    TRY(storage_path(request, &location, draft.namespace, draft.name, &draft.location));
    TRY(graph_attributes(request, &location, &draft.attributes));
    TRY(asset_create(catalog_of(request), &caller, &draft, request->arena, &graph,
                     &request->error));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_str(&w, "graph_id", graph.id);
    json_kv_str(&w, "name", graph.name);
    json_kv_str(&w, "storage_path", graph.location);
    json_kv_strz(&w, "status", "created");
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

/* Without status and reason, which are the lifecycle's. */
static enum status edit_graph(void *context, struct record *graph, struct arena *arena,
                              struct error *err)
{
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(((struct request *)context)->body, at, max, key, value)
    {
        enum record_field field;
        if (record_field_find(DOMAIN_ASSET, json_str_of(key), &field) &&
            record_field_info[field].access == ACCESS_FREE)
            TRY(record_set_json(graph, field, value, arena, err));
    }
    return STATUS_OK;
}

enum status graphs_update(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record graph;
    struct buf buf;
    struct json_writer w;
    struct asset_edit edit = {
        .action = "asset.update",
        .permission = RIGHT_WRITE,
        .expected = request_has(request, "revision") ? request_int(request, "revision") : 0,
        .edit = edit_graph,
        .context = request};
    struct transition transition = {.to = request_str(request, "status"),
                                    .reason = request_str(request, "reason"),
                                    .also = edit_graph,
                                    .context = request};
    TRY(open_graph(request, &caller, &graph));
    if (transition.to.len && !str_eq(transition.to, graph.lifecycle))
        TRY(asset_transition(catalog_of(request), &caller, graph.id, edit.expected, &transition,
                             request->arena, &graph, &request->error));
    else
        TRY(asset_edit(catalog_of(request), &caller, graph.id, &edit, request->arena, &graph,
                       &request->error));
    writer_begin(&buf, &w);
    write_graph(&w, &graph);
    return writer_respond(request, 200, &buf);
}

enum status graphs_delete(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record graph;
    TRY(open_graph(request, &caller, &graph));
    TRY(asset_delete(catalog_of(request), &caller, graph.id, 0, request->arena, &graph,
                     &request->error));
    return respond_done(request);
}
