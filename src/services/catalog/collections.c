/* collections.c: collections in the shape of the seed's rows, and their statistics. */
#include "services/catalog/collections_int.h"

enum { DIMENSION_MAX = 32768, METRIC_TYPE_MAX = 50 };

/* --- shared with the other collections*.c --- */

enum status collection_of_path(struct request *request, const struct caller *caller,
                               enum right permission, struct record *ret)
{
    return collection_open(catalog_of(request), caller, request_path_param(request, "collection"),
                           permission, request->arena, ret, &request->error);
}

enum status collection_of_field(struct request *request, const struct caller *caller,
                                enum right permission, struct record *ret)
{
    return collection_open(catalog_of(request), caller, request_str(request, "collection_id"),
                           permission, request->arena, ret, &request->error);
}

struct caller acting(const struct caller *caller)
{
    struct caller acting = *caller;
    acting.admin = true;
    return acting;
}

void attributes_begin(struct buf *buf, struct json_writer *w)
{
    buf_init(buf, RECORD_JSON_MAX);
    json_writer_init(w, buf);
    json_begin_object(w);
}

enum status attributes_end(struct request *request, struct buf *buf, struct str *ret)
{
    enum status status = buf_check(buf, "the attributes", &request->error);
    if (status == STATUS_OK) {
        *ret = arena_str(request->arena, buf_str(buf));
        status = ret->data ? STATUS_OK : error_no_memory(&request->error);
    }
    buf_release(buf);
    return status;
}

void json_attribute(struct json_writer *w, yyjson_val *root, const char *name)
{
    yyjson_val *value = json_get(root, name);
    json_keyz(w, name);
    if (value)
        json_value(w, value);
    else
        json_null(w);
}

void attribute_text(struct json_writer *w, const struct request *request, const char *name)
{
    if (request_has(request, name))
        json_kv_str(w, name, request_str(request, name));
}

void attribute_int(struct json_writer *w, const struct request *request, const char *name)
{
    if (request_has(request, name))
        json_kv_int(w, name, request_int(request, name));
}

void attribute_json(struct json_writer *w, const struct request *request, const char *name)
{
    if (!request_has(request, name))
        return;
    json_keyz(w, name);
    json_value(w, request_json(request, name));
}

enum status properties_from(struct request *request, const char *name, struct record *record)
{
    if (!request_has(request, name))
        return STATUS_OK;
    return record_set_json(record, RECORD_properties, request_json(request, name), request->arena,
                           &request->error);
}

enum status bad_field(struct request *request, const char *name, const char *what)
{
    error_set(&request->error, STATUS_INVALID_ARGUMENT, "'%s' %s", name, what);
    error_at_field(&request->error, name, (uint32_t)strlen(name), NULL, 0);
    return STATUS_INVALID_ARGUMENT;
}

enum status respond_row(struct request *request, int http_status, record_writer write,
                        const struct record *record)
{
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    write(&w, record);
    return writer_respond(request, http_status, &buf);
}

/* --- collections --- */

/* A row of collections. */
static void write_collection(struct json_writer *w, const struct record *collection)
{
    yyjson_doc *doc = yyjson_read(collection->attributes.data, collection->attributes.len, 0);
    yyjson_val *attributes = yyjson_doc_get_root(doc);
    json_begin_object(w);
    json_kv_str(w, "id", collection->id);
    json_kv_str(w, "collection_name", collection->name);
    json_kv_text(w, "description", collection->description);
    json_attribute(w, attributes, "dimension");
    json_attribute(w, attributes, "metric_type");
    json_attribute(w, attributes, "index_type");
    json_attribute(w, attributes, "partition_key");
    json_kv_str(w, "status", collection->lifecycle);
    json_kv_text(w, "created_by", collection->owner);
    json_time(w, "created_at", collection->created_us);
    json_time(w, "updated_at", collection->updated_us);
    json_object(w, "metadata", collection->properties);
    json_kv_int(w, "revision", collection->revision);
    json_end_object(w);
    yyjson_doc_free(doc);
}

static enum status check_new(struct request *request)
{
    int64_t dimension = request_int(request, "dimension");
    struct str metric = request_str(request, "metric_type");
    if (dimension < 1 || dimension > DIMENSION_MAX)
        return bad_field(request, "dimension", "must be 1 to 32768");
    if (metric.len < 1 || metric.len > METRIC_TYPE_MAX)
        return bad_field(request, "metric_type", "must have 1 to 50 bytes: COSINE, L2, IP, ...");
    return STATUS_OK;
}

enum status collections_create(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record collection, draft = {.domain = DOMAIN_ASSET,
                                       .kind = STR("collection"),
                                       .name = request_str(request, "collection_name"),
                                       .description = request_str(request, "description"),
                                       .owner = request_str(request, "created_by")};
    struct buf buf;
    struct json_writer w;
    TRY(check_new(request));
    TRY(properties_from(request, "metadata", &draft));
    attributes_begin(&buf, &w);
    attribute_int(&w, request, "dimension");
    attribute_text(&w, request, "metric_type");
    attribute_text(&w, request, "index_type");
    attribute_text(&w, request, "partition_key");
    json_end_object(&w);
    TRY(attributes_end(request, &buf, &draft.attributes));
    TRY(asset_create(catalog_of(request), &caller, &draft, request->arena, &collection,
                     &request->error));
    return respond_row(request, 201, write_collection, &collection);
}

/* Newest first, of one state. */
static enum status query_collections(struct request *request, const struct caller *caller,
                                     struct str status, struct record_page *ret)
{
    struct str kind = STR("collection");
    struct match matches[] = {
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1},
        {.field = RECORD_lifecycle, .op = MATCH_EQ, .values = &status, .values_len = 1}};
    struct record_query query = {.matches = matches,
                                 .matches_len = str_is(status, "all") ? 1 : 2,
                                 .order = RECORD_id,
                                 .descending = true,
                                 .cursor = request_str(request, "cursor"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    return asset_query(catalog_of(request), caller, &query, request->arena, ret, &request->error);
}

enum status collections_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record_page page;
    TRY(query_collections(request, &caller, request_str(request, "status"), &page));
    return respond_page(request, "collections", &page, write_collection);
}

enum status collections_get(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record collection;
    TRY(collection_of_path(request, &caller, RIGHT_READ, &collection));
    return respond_row(request, 200, write_collection, &collection);
}

static enum status edit_collection(void *context, struct record *collection, struct arena *arena,
                                   struct error *err)
{
    static const char *const texts[] = {"index_type", "partition_key"};
    struct request *request = context;
    if (request_has(request, "description"))
        collection->description = request_str(request, "description");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (request_has(request, texts[i]))
            TRY(attribute_set(&collection->attributes, texts[i], request_str(request, texts[i]),
                              arena, err));
    return properties_from(request, "metadata", collection);
}

enum status collections_update(struct request *request)
{
    static const char *const fields[] = {"description", "index_type", "partition_key", "status",
                                         "metadata"};
    struct caller caller = caller_of(request);
    struct record collection;
    struct transition transition = {.to = request_str(request, "status"),
                                    .reason = request_str(request, "reason"),
                                    .also = edit_collection,
                                    .context = request};
    struct asset_edit edit = {
        .action = "asset.update",
        .permission = RIGHT_WRITE,
        .expected = request_has(request, "revision") ? request_int(request, "revision") : 0,
        .edit = edit_collection,
        .context = request};
    bool any = false;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        any |= request_has(request, fields[i]);
    if (!any)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "nothing to change: give description, index_type, partition_key, status "
                         "or metadata");
    TRY(collection_of_path(request, &caller, RIGHT_WRITE, &collection));
    if (transition.to.len && !str_eq(transition.to, collection.lifecycle))
        TRY(asset_transition(catalog_of(request), &caller, collection.id, edit.expected,
                             &transition, request->arena, &collection, &request->error));
    else
        TRY(asset_edit(catalog_of(request), &caller, collection.id, &edit, request->arena,
                       &collection, &request->error));
    return respond_row(request, 200, write_collection, &collection);
}

enum status collections_delete(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record collection;
    TRY(collection_of_path(request, &caller, RIGHT_WRITE, &collection));
    TRY(asset_delete(catalog_of(request), &caller, collection.id, 0, request->arena, &collection,
                     &request->error));
    return respond_done(request);
}

/* --- statistics --- */

/* A row of collection_stats. */
static void write_stats(struct json_writer *w, const struct record *collection,
                        const struct collection_stats *stats)
{
    yyjson_doc *doc = yyjson_read(collection->attributes.data, collection->attributes.len, 0);
    yyjson_val *attributes = yyjson_doc_get_root(doc);
    json_begin_object(w);
    json_kv_str(w, "id", collection->id);
    json_kv_str(w, "collection_name", collection->name);
    json_kv_text(w, "description", collection->description);
    json_attribute(w, attributes, "dimension");
    json_attribute(w, attributes, "metric_type");
    json_kv_str(w, "status", collection->lifecycle);
    json_time(w, "created_at", collection->created_us);
    json_kv_int(w, "partition_count", stats->partition_count);
    json_kv_int(w, "user_count", stats->user_count);
    if (stats->total_queries)
        json_kv_double(w, "avg_query_duration",
                       (double)stats->duration_us / 1000 / (double)stats->total_queries);
    else
        json_kv_null(w, "avg_query_duration");
    json_kv_int(w, "total_queries", stats->total_queries);
    json_kv_int(w, "successful_queries", stats->successful_queries);
    json_end_object(w);
    yyjson_doc_free(doc);
}

enum status collections_stats(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record_page page = {0};
    struct record one;
    struct buf buf;
    struct json_writer w;
    if (request_has(request, "collection_id")) {
        TRY(collection_of_field(request, &caller, RIGHT_READ, &one));
        page.records = &one;
        page.len = 1;
    } else {
        TRY(query_collections(request, &caller, STR("all"), &page));
    }
    struct collection_stats *stats = arena_array(request->arena, page.len, sizeof *stats);
    if (!stats)
        return error_no_memory(&request->error);
    TRY(collection_stats(catalog_of(request), &caller, page.records, page.len, request->arena,
                         stats, &request->error));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_keyz(&w, "collections");
    json_begin_array(&w);
    for (uint32_t i = 0; i < page.len; i++)
        write_stats(&w, &page.records[i], &stats[i]);
    json_end_array(&w);
    json_kv_text(&w, "next_cursor", page.next);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}
