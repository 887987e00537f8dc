/* collections_parts.c: partitions, indexes being built, runs of ingestion of a collection.
 *
 * The right is checked on the collection; the parts have none of their own. */
#include "base/datetime.h"
#include "services/catalog/collections_int.h"

/* --- partitions and indexes: assets in the namespace of the collection's id --- */

static enum status list_parts(struct request *request, struct str kind, const char *name,
                              record_writer write)
{
    struct caller caller = caller_of(request), acts = acting(&caller);
    struct record collection;
    struct record_page page;
    TRY(collection_of_path(request, &caller, RIGHT_READ, &collection));
    struct match matches[] = {
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1},
        {.field = RECORD_namespace, .op = MATCH_EQ, .values = &collection.id, .values_len = 1}};
    struct record_query query = {.matches = matches,
                                 .matches_len = 2,
                                 .order = RECORD_name,
                                 .cursor = request_str(request, "cursor"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    TRY(asset_query(catalog_of(request), &acts, &query, request->arena, &page, &request->error));
    return respond_page(request, name, &page, write);
}

/* `draft` has kind, name and attributes. */
static enum status create_part(struct request *request, struct record *draft, record_writer write)
{
    struct caller caller = caller_of(request);
    struct record collection, part;
    TRY(collection_of_path(request, &caller, RIGHT_WRITE, &collection));
    draft->domain = DOMAIN_ASSET;
    draft->namespace = collection.id;
    TRY(asset_create(catalog_of(request), &caller, draft, request->arena, &part, &request->error));
    return respond_row(request, 201, write, &part);
}

static enum status find_part(struct request *request, const char *kind, const struct caller *acts,
                             struct record *ret)
{
    struct caller caller = caller_of(request);
    struct record collection;
    TRY(collection_of_path(request, &caller, RIGHT_WRITE, &collection));
    return asset_find(catalog_of(request), acts, str_of(kind), collection.id,
                      request_path_param(request, kind), STR_NONE, request->arena, ret,
                      &request->error);
}

static enum status delete_part(struct request *request, const char *kind)
{
    struct caller caller = caller_of(request), acts = acting(&caller);
    struct record part;
    TRY(find_part(request, kind, &acts, &part));
    TRY(asset_delete(catalog_of(request), &acts, part.id, 0, request->arena, &part,
                     &request->error));
    return respond_done(request);
}

/* A row of collection_partitions. */
static void write_partition(struct json_writer *w, const struct record *partition)
{
    json_begin_object(w);
    json_kv_str(w, "id", partition->id);
    json_kv_str(w, "collection_id", partition->namespace);
    json_kv_str(w, "partition_name", partition->name);
    json_kv_text(w, "description", partition->description);
    json_kv_str(w, "status", partition->lifecycle);
    json_time(w, "created_at", partition->created_us);
    json_end_object(w);
}

enum status partitions_create(struct request *request)
{
    struct record draft = {.kind = STR("partition"),
                           .name = request_str(request, "partition_name"),
                           .description = request_str(request, "description")};
    return create_part(request, &draft, write_partition);
}

enum status partitions_list(struct request *request)
{
    return list_parts(request, STR("partition"), "partitions", write_partition);
}

enum status partitions_delete(struct request *request)
{
    return delete_part(request, "partition");
}

/* A row of index_management. */
static void write_index(struct json_writer *w, const struct record *index)
{
    static const char *const names[] = {"index_type",          "index_params", "status",
                                        "progress_percentage", "completed_at", "error_message"};
    yyjson_doc *doc = yyjson_read(index->attributes.data, index->attributes.len, 0);
    json_begin_object(w);
    json_kv_str(w, "id", index->id);
    json_kv_str(w, "collection_id", index->namespace);
    json_kv_str(w, "index_name", index->name);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        json_attribute(w, yyjson_doc_get_root(doc), names[i]);
    json_time(w, "created_at", index->created_us);
    json_end_object(w);
    yyjson_doc_free(doc);
}

enum status index_builds_create(struct request *request)
{
    struct record draft = {.kind = STR("index"), .name = request_str(request, "index_name")};
    struct buf buf;
    struct json_writer w;
    attributes_begin(&buf, &w);
    attribute_text(&w, request, "index_type");
    attribute_json(&w, request, "index_params");
    json_kv_strz(&w, "status", "building");
    json_kv_int(&w, "progress_percentage", 0);
    json_end_object(&w);
    TRY(attributes_end(request, &buf, &draft.attributes));
    return create_part(request, &draft, write_index);
}

enum status index_builds_list(struct request *request)
{
    return list_parts(request, STR("index"), "indexes", write_index);
}

enum status index_builds_delete(struct request *request)
{
    return delete_part(request, "index");
}

/* How an index stands after the request; the rest of its attributes stays. */
static void write_progress(struct json_writer *w, struct request *request, yyjson_val *old)
{
    static const char *const kept[] = {"index_type", "index_params"};
    bool has_status = request_has(request, "status");
    struct str status =
        has_status ? request_str(request, "status") : json_str_of(json_get(old, "status"));
    bool completed = str_is(status, "completed");
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
        if (json_get(old, kept[i]))
            json_attribute(w, old, kept[i]);
    json_kv_str(w, "status", status);
    json_kv_int(w, "progress_percentage",
                completed ? 100
                : request_has(request, "progress_percentage")
                    ? request_int(request, "progress_percentage")
                    : yyjson_get_sint(json_get(old, "progress_percentage")));
    if (has_status && !str_is(status, "building"))
        json_time(w, "completed_at", sys_now_us(service_of(request)->sys));
    else if (!has_status)
        json_attribute(w, old, "completed_at");
    if (request_has(request, "error_message"))
        attribute_text(w, request, "error_message");
    else if (!has_status || str_is(status, "failed"))
        json_attribute(w, old, "error_message");
}

static enum status edit_index(void *context, struct record *index, struct arena *arena,
                              struct error *err)
{
    struct request *request = context;
    yyjson_doc *doc = yyjson_read(index->attributes.data, index->attributes.len, 0);
    struct buf buf;
    struct json_writer w;
    (void)arena; /* the request's */
    (void)err;
    attributes_begin(&buf, &w);
    write_progress(&w, request, yyjson_doc_get_root(doc));
    json_end_object(&w);
    yyjson_doc_free(doc);
    return attributes_end(request, &buf, &index->attributes);
}

enum status index_builds_update(struct request *request)
{
    struct caller caller = caller_of(request), acts = acting(&caller);
    struct record index;
    struct asset_edit edit = {.action = "asset.update",
                              .permission = RIGHT_WRITE,
                              .edit = edit_index,
                              .context = request};
    TRY(find_part(request, "index", &acts, &index));
    TRY(asset_edit(catalog_of(request), &acts, index.id, &edit, request->arena, &index,
                   &request->error));
    return respond_row(request, 200, write_index, &index);
}

/* --- runs of ingestion --- */

/* A row of ingestion_logs. */
static void write_ingestion(struct json_writer *w, const struct record *run)
{
    yyjson_doc *doc = yyjson_read(run->attributes.data, run->attributes.len, 0);
    yyjson_val *attributes = yyjson_doc_get_root(doc);
    json_begin_object(w);
    json_kv_str(w, "id", run->id);
    json_kv_str(w, "collection_id", run->object);
    json_kv_text(w, "user_id", run->subject);
    json_attribute(w, attributes, "batch_id");
    json_kv_int(w, "records_count", run->row_count);
    json_kv_int(w, "file_size_bytes", run->size_bytes);
    json_kv_text(w, "source_type", run->name);
    json_kv_str(w, "status", run->lifecycle);
    json_time(w, "started_at", run->created_us);
    json_attribute(w, attributes, "completed_at");
    json_kv_text(w, "error_message", run->description);
    json_object(w, "metadata", run->properties);
    json_end_object(w);
    yyjson_doc_free(doc);
}

static bool is_final(struct str status)
{
    return str_is(status, "completed") || str_is(status, "failed");
}

/* What the request says of status, counts and error; completed_at with the last status. */
static enum status take_progress(struct request *request, struct record *run)
{
    char text[TIMESTAMP_TEXT_MAX + 1];
    if (request_has(request, "records_count"))
        run->row_count = request_int(request, "records_count");
    if (request_has(request, "file_size_bytes"))
        run->size_bytes = request_int(request, "file_size_bytes");
    if (request_has(request, "error_message"))
        run->description = request_str(request, "error_message");
    if (!request_has(request, "status") && run->lifecycle.len)
        return STATUS_OK;
    run->lifecycle = request_str(request, "status");
    run->success = !str_is(run->lifecycle, "failed");
    if (!is_final(run->lifecycle))
        return STATUS_OK;
    size_t len = timestamp_format(sys_now_us(service_of(request)->sys), text);
    text[len++] = 'Z';
    return attribute_set(&run->attributes, "completed_at", str_make(text, len), request->arena,
                         &request->error);
}

enum status ingestions_start(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record collection, run = {.domain = DOMAIN_EVENT,
                                     .kind = STR("ingestion"),
                                     .name = request_str(request, "source_type"),
                                     .subject = request_str(request, "user_id"),
                                     .attributes = STR("{}")};
    TRY(collection_of_path(request, &caller, RIGHT_WRITE, &collection));
    run.object = collection.id;
    if (request_has(request, "batch_id"))
        TRY(attribute_set(&run.attributes, "batch_id", request_str(request, "batch_id"),
                          request->arena, &request->error));
    TRY(properties_from(request, "metadata", &run));
    TRY(take_progress(request, &run));
    TRY(event_append(catalog_of(request), &caller, &run, 1, request->arena, &request->error));
    return respond_row(request, 201, write_ingestion, &run);
}

enum status ingestions_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str kind = STR("ingestion"), status = request_str(request, "status");
    struct record collection;
    struct record_page page;
    TRY(collection_of_path(request, &caller, RIGHT_READ, &collection));
    struct match matches[] = {
        {.field = RECORD_object, .op = MATCH_EQ, .values = &collection.id, .values_len = 1},
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1},
        {.field = RECORD_lifecycle, .op = MATCH_EQ, .values = &status, .values_len = 1}};
    struct record_query query = {.domain = DOMAIN_EVENT,
                                 .matches = matches,
                                 .matches_len = status.len ? 3 : 2,
                                 .order = RECORD_id,
                                 .descending = true,
                                 .cursor = request_str(request, "cursor"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    TRY(entry_query(catalog_of(request), &caller, &query, request->arena, &page, &request->error));
    return respond_page(request, "ingestions", &page, write_ingestion);
}

static enum status edit_ingestion(void *context, struct record *run, struct arena *arena,
                                  struct error *err)
{
    struct request *request = context;
    (void)arena; /* the request's */
    if (is_final(run->lifecycle))
        return error_set(err, STATUS_CONFLICT, "the ingestion has %.*s: it cannot change any more",
                         STR_ARG(run->lifecycle));
    return take_progress(request, run);
}

enum status ingestions_update(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record collection, run;
    TRY(collection_of_path(request, &caller, RIGHT_WRITE, &collection));
    TRY(ingestion_edit(catalog_of(request), &caller, collection.id,
                       request_path_param(request, "ingestion_id"), edit_ingestion, request,
                       request->arena, &run, &request->error));
    return respond_row(request, 200, write_ingestion, &run);
}
