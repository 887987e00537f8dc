/* assets.c: assets of all kinds. */
#include "base/datetime.h"
#include "services/catalog/catalog_int.h"

enum status assets_create(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record draft = {.domain = DOMAIN_ASSET}, asset;
    TRY(record_from_body(request, &draft));
    TRY(asset_create(catalog_of(request), &caller, &draft, request->arena, &asset,
                     &request->error));
    return respond_record(request, 201, &asset);
}

enum status assets_get(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str id = request_path_param(request, "id");
    struct record asset;
    if (request->here) {
        if (!asset_get_now(catalog_of(request), &caller, id, request->arena, &asset))
            return request_give_back(request);
    } else {
        TRY(asset_get(catalog_of(request), &caller, id, request->arena, &asset, &request->error));
    }
    if (asset.deleted_us && !request_bool(request, "deleted"))
        return error_set(&request->error, STATUS_NOT_FOUND, "no asset has the id '%.*s'",
                         STR_ARG(id));
    return respond_record(request, 200, &asset);
}

/* --- listing --- */

enum { LIST_MATCHES = 16 };

static void add_text_match(struct record_query *query, struct match *matches,
                           struct request *request, const char *name, enum record_field field,
                           enum match_op op)
{
    struct str *value = ARENA_NEW(request->arena, struct str);
    if (!value || !request_has(request, name))
        return;
    *value = request_str(request, name);
    matches[query->matches_len++] =
        (struct match){.field = field, .op = op, .values = value, .values_len = 1};
}

static enum status add_list_match(struct record_query *query, struct match *matches,
                                  struct request *request, const char *name,
                                  enum record_field field, enum match_op op)
{
    struct match *match = &matches[query->matches_len];
    if (!request_has(request, name))
        return STATUS_OK;
    *match = (struct match){.field = field, .op = op};
    query->matches_len++;
    return strings_of(request, request_str(request, name), &match->values, &match->values_len);
}

static enum status add_time_match(struct record_query *query, struct match *matches,
                                  struct request *request, const char *name,
                                  enum record_field field)
{
    int64_t us = 0;
    if (!request_has(request, name))
        return STATUS_OK;
    if (!timestamp_parse(request_str(request, name), &us)) {
        error_set(&request->error, STATUS_INVALID_ARGUMENT, "'%s' must be an ISO 8601 time", name);
        error_at_field(&request->error, name, (uint32_t)strlen(name), NULL, 0);
        return STATUS_INVALID_ARGUMENT;
    }
    matches[query->matches_len++] = (struct match){.field = field, .op = MATCH_GT, .number = us};
    return STATUS_OK;
}

/* name:JSON; a value that is no JSON scalar is taken for a text. */
static enum status add_property_match(struct record_query *query, struct match *matches,
                                      struct request *request)
{
    struct str value = request_str(request, "property"), name;
    if (!request_has(request, "property"))
        return STATUS_OK;
    if (!str_split(&value, ':', &name) || !value.data)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "'property' must be name:value, such as size:5");
    yyjson_doc *doc = yyjson_read(value.data, value.len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool scalar = yyjson_is_str(root) || yyjson_is_num(root) || yyjson_is_bool(root);
    yyjson_doc_free(doc);
    if (!scalar) {
        struct buf buf;
        struct json_writer w;
        buf_init(&buf, 1 << 16);
        json_writer_init(&w, &buf);
        json_string(&w, value);
        value = arena_str(request->arena, buf_str(&buf));
        buf_release(&buf);
    }
    matches[query->matches_len++] =
        (struct match){.field = RECORD_properties, .op = MATCH_JSON, .path = name, .json = value};
    return STATUS_OK;
}

static enum status read_filters(struct request *request, struct record_query *query,
                                struct match *matches)
{
    query->matches = matches;
    TRY(add_list_match(query, matches, request, "kind", RECORD_kind, MATCH_IN));
    TRY(add_list_match(query, matches, request, "lifecycle", RECORD_lifecycle, MATCH_IN));
    TRY(add_list_match(query, matches, request, "tags", RECORD_tags, MATCH_HAS));
    TRY(add_list_match(query, matches, request, "categories", RECORD_categories, MATCH_HAS));
    add_text_match(query, matches, request, "name", RECORD_name, MATCH_EQ);
    add_text_match(query, matches, request, "name_pattern", RECORD_name, MATCH_GLOB);
    add_text_match(query, matches, request, "namespace", RECORD_namespace, MATCH_EQ);
    add_text_match(query, matches, request, "version", RECORD_version, MATCH_EQ);
    add_text_match(query, matches, request, "owner", RECORD_owner, MATCH_EQ);
    TRY(add_time_match(query, matches, request, "created_after", RECORD_created_us));
    TRY(add_time_match(query, matches, request, "updated_after", RECORD_updated_us));
    if (request_has(request, "is_public"))
        matches[query->matches_len++] =
            (struct match){.field = RECORD_is_public,
                           .op = MATCH_EQ,
                           .number = request_bool(request, "is_public")};
    return add_property_match(query, matches, request);
}

static enum status read_query(struct request *request, struct record_query *query,
                              struct match *matches)
{
    struct str deleted = request_str(request, "deleted"), order = request_str(request, "order");
    query->domain = DOMAIN_ASSET;
    query->text = request_str(request, "q");
    query->cursor = request_str(request, "cursor");
    query->limit = (uint32_t)request_int(request, "limit");
    query->count = request_bool(request, "count");
    query->descending = request_bool(request, "descending");
    query->deleted = str_is(deleted, "only")   ? DELETED_ONLY
                     : str_is(deleted, "show") ? DELETED_SHOW
                                               : DELETED_HIDE;
    if (!record_field_find(DOMAIN_ASSET, order, &query->order))
        return error_set(&request->error, STATUS_INVALID_ARGUMENT, "assets have no field '%.*s'",
                         STR_ARG(order));
    return read_filters(request, query, matches);
}

/* "facets": {FIELD: [{"value":..,"count":..}]} */
static enum status write_facets(struct request *request, const struct caller *caller,
                                const struct record_query *query, struct json_writer *w)
{
    struct str rest = request_str(request, "facets"), name;
    if (!request_has(request, "facets"))
        return STATUS_OK;
    json_keyz(w, "facets");
    json_begin_object(w);
    while (str_split(&rest, ',', &name)) {
        enum record_field field;
        struct group_answer answer;
        if (!record_field_find(DOMAIN_ASSET, name, &field))
            return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                             "assets have no field '%.*s'", STR_ARG(name));
        struct group_query group = {.records = *query, .by = (int)field};
        TRY(asset_group(catalog_of(request), caller, &group, request->arena, &answer,
                        &request->error));
        json_key(w, name);
        json_begin_array(w);
        for (uint32_t i = 0; i < answer.len; i++) {
            json_begin_object(w);
            json_kv_str(w, "value", answer.rows[i].value);
            json_kv_int(w, "count", answer.rows[i].count);
            json_end_object(w);
        }
        json_end_array(w);
    }
    json_end_object(w);
    return STATUS_OK;
}

enum status assets_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct match matches[LIST_MATCHES];
    struct record_query query = {0};
    struct record_page page;
    struct buf buf;
    struct json_writer w;
    TRY(read_query(request, &query, matches));
    TRY(asset_query(catalog_of(request), &caller, &query, request->arena, &page, &request->error));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_keyz(&w, "assets");
    json_begin_array(&w);
    for (uint32_t i = 0; i < page.len; i++)
        json_record(&w, &page.records[i]);
    json_end_array(&w);
    json_kv_text(&w, "next_cursor", page.next);
    if (page.total >= 0)
        json_kv_int(&w, "total", page.total);
    enum status status = write_facets(request, &caller, &query, &w);
    if (status != STATUS_OK) {
        buf_release(&buf);
        return status;
    }
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

/* --- changes --- */

/* The revision that the client means: of the field, else of If-Match; 0: none. */
static enum status expected_of(struct request *request, int64_t *ret)
{
    *ret = request_has(request, "revision") ? request_int(request, "revision") : 0;
    if (*ret || !request_has(request, "If-Match"))
        return STATUS_OK;
    struct str tag = request_str(request, "If-Match");
    if (tag.len > 2 && tag.data[0] == '"' && tag.data[tag.len - 1] == '"')
        tag = str_make(tag.data + 1, tag.len - 2);
    if (!str_to_int64(tag, ret) || *ret < 1)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "If-Match must hold a revision, as ETag gave it");
    return STATUS_OK;
}

enum status assets_update(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record asset;
    int64_t expected = 0;
    TRY(expected_of(request, &expected));
    TRY(asset_update(catalog_of(request), &caller, request_path_param(request, "id"), expected,
                     request->body, request->arena, &asset, &request->error));
    return respond_record(request, 200, &asset);
}

enum status assets_delete(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str id = request_path_param(request, "id");
    struct record asset;
    int64_t expected = request_has(request, "revision") ? request_int(request, "revision") : 0;
    if (request_bool(request, "purge"))
        TRY(asset_purge(catalog_of(request), &caller, id, &request->error));
    else
        TRY(asset_delete(catalog_of(request), &caller, id, expected, request->arena, &asset,
                         &request->error));
    return respond_done(request);
}

enum status assets_undelete(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record asset;
    TRY(asset_undelete(catalog_of(request), &caller, request_path_param(request, "id"),
                       request->arena, &asset, &request->error));
    return respond_record(request, 200, &asset);
}

enum status assets_lifecycle(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record asset;
    unsigned lacks = 0;
    struct transition transition = {.ret_lacks = &lacks,
                                    .to = request_str(request, "to"),
                                    .reason = request_str(request, "reason"),
                                    .deprecated_by = request_str(request, "deprecated_by")};
    int64_t expected = request_has(request, "revision") ? request_int(request, "revision") : 0;
    TRY(asset_transition(catalog_of(request), &caller, request_path_param(request, "id"), expected,
                         &transition, request->arena, &asset, &request->error));
    return respond_moved(request, &asset, lacks);
}

enum status assets_owner(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record asset;
    int64_t expected = request_has(request, "revision") ? request_int(request, "revision") : 0;
    TRY(asset_set_owner(catalog_of(request), &caller, request_path_param(request, "id"), expected,
                        request_str(request, "owner"), request->arena, &asset, &request->error));
    return respond_record(request, 200, &asset);
}

static int64_t count_of(struct request *request, const char *field)
{
    return request_has(request, field) ? request_int(request, field) : -1;
}

enum status assets_statistics(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record asset;
    struct asset_statistics statistics = {.row_count = count_of(request, "row_count"),
                                          .node_count = count_of(request, "node_count"),
                                          .edge_count = count_of(request, "edge_count"),
                                          .hyperedge_count = count_of(request, "hyperedge_count"),
                                          .file_count = count_of(request, "file_count"),
                                          .size_bytes = count_of(request, "size_bytes")};
    TRY(asset_set_statistics(catalog_of(request), &caller, request_path_param(request, "id"),
                             &statistics, request->arena, &asset, &request->error));
    return respond_record(request, 200, &asset);
}

enum status assets_history(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record_page page;
    TRY(asset_history(catalog_of(request), &caller, request_path_param(request, "id"),
                      request_str(request, "kind"), (uint32_t)request_int(request, "limit"),
                      request_str(request, "cursor"), request->arena, &page, &request->error));
    return respond_page(request, "events", &page, json_record);
}

enum status assets_lineage(struct request *request)
{
    struct caller caller = caller_of(request);
    struct lineage lineage;
    struct buf buf;
    struct json_writer w;
    bool upstream = str_is(request_str(request, "direction"), "upstream");
    TRY(asset_lineage(catalog_of(request), &caller, request_path_param(request, "id"), upstream,
                      (uint32_t)request_int(request, "depth"), request->arena, &lineage,
                      &request->error));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_keyz(&w, "lineage");
    json_begin_array(&w);
    for (uint32_t i = 0; i < lineage.len; i++) {
        json_begin_object(&w);
        json_kv_int(&w, "depth", lineage.steps[i].depth);
        json_kv_str(&w, "relationship_type", lineage.steps[i].kind);
        json_kv_str(&w, "from", lineage.steps[i].from);
        json_keyz(&w, "asset");
        json_record(&w, &lineage.steps[i].asset);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_kv_bool(&w, "cut", lineage.cut);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}
