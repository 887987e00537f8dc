/* partitions.c: POST /metadata/partitions: where the partitions of sources are: tenant nodes,
 * files, their sizes, indexes. The tenant node tells; what the caller may read, the catalog. */
#include "net/http_client.h"
#include "services/catalog/catalog_int.h"

enum { PARTITIONS_REPLY_MAX = 64 << 20 };

static bool is_wanted(yyjson_val *wanted, struct str partition)
{
    size_t at, max;
    yyjson_val *one;
    if (!wanted)
        return true;
    yyjson_arr_foreach(wanted, at, max, one)
    {
        if (str_eq(json_str_of(one), partition))
            return true;
    }
    return false;
}

static void write_partition(struct request *request, struct json_writer *w, yyjson_val *partition,
                            yyjson_val *indexes)
{
    struct catalog_service *service = service_of(request);
    size_t at, max;
    yyjson_val *key, *value;
    json_begin_object(w);
    yyjson_obj_foreach(partition, at, max, key, value)
    {
        json_key(w, json_str_of(key));
        json_value(w, value);
    }
    json_keyz(w, "index_info");
    json_value(w, indexes);
    json_keyz(w, "tenant_nodes");
    json_begin_array(w);
    json_stringz(w, service->options.tenant_id);
    json_end_array(w);
    json_end_object(w);
}

static void write_source(struct request *request, struct json_writer *w, yyjson_val *source)
{
    size_t at, max;
    yyjson_val *partition, *wanted = request_json(request, "partitions");
    json_begin_object(w);
    json_keyz(w, "source_id");
    json_value(w, json_get(source, "source_id"));
    json_keyz(w, "unflushed_rows");
    json_value(w, json_get(source, "unflushed_rows"));
    json_keyz(w, "partitions");
    json_begin_array(w);
    yyjson_arr_foreach(json_get(source, "partitions"), at, max, partition)
    {
        if (is_wanted(wanted, json_str_of(json_get(partition, "partition"))))
            write_partition(request, w, partition, json_get(source, "index_info"));
    }
    json_end_array(w);
    json_end_object(w);
}

static enum status add_source(struct request *request, struct str id, struct json_writer *w)
{
    struct http_reply reply;
    yyjson_doc *doc = NULL;
    /* ids hold only letters, digits and _.- (storage/store.h) */
    char *path = arena_printf(request->arena, "/sources/%.*s/partitions", STR_ARG(id));
    if (!path)
        return error_no_memory(&request->error);
    http_reply_init(&reply, PARTITIONS_REPLY_MAX);
    enum status status = sources_ask_node(request, "GET", path, STR_NONE, &reply);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&reply.body), &doc, &request->error);
    if (status == STATUS_OK)
        write_source(request, w, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    http_reply_release(&reply);
    return status;
}

/* The sources that the caller may read; one that is gone meanwhile is left out. */
static enum status add_sources(struct request *request, const struct caller *caller,
                               struct json_writer *w)
{
    struct str kind = STR("source"), id = request_str(request, "source_id");
    struct match matches[] = {
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1},
        {.field = RECORD_name, .op = MATCH_EQ, .values = &id, .values_len = 1}};
    struct record_query query = {.matches = matches,
                                 .matches_len = request_has(request, "source_id") ? 2 : 1,
                                 .order = RECORD_name,
                                 .limit = QUERY_LIMIT_MAX};
    struct record_page page;
    TRY(asset_query(catalog_of(request), caller, &query, request->arena, &page, &request->error));
    if (!page.len && query.matches_len == 2)
        return error_set(&request->error, STATUS_UNKNOWN_SOURCE, "there is no source '%.*s'",
                         STR_ARG(id));
    for (uint32_t i = 0; i < page.len; i++) {
        enum status status = add_source(request, page.records[i].name, w);
        if (status != STATUS_UNKNOWN_SOURCE)
            TRY(status);
    }
    return STATUS_OK;
}

enum status metadata_partitions(struct request *request)
{
    struct caller caller = caller_of(request);
    struct buf buf;
    struct json_writer w;
    TRY(sources_sync(request, &caller));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_keyz(&w, "sources");
    json_begin_array(&w);
    enum status status = add_sources(request, &caller, &w);
    json_end_array(&w);
    json_end_object(&w);
    if (status == STATUS_OK)
        return writer_respond(request, 200, &buf);
    buf_release(&buf);
    return status;
}
