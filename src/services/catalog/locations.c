/* locations.c: storage locations, in the shape of the registry's table. */
#include "services/catalog/catalog_int.h"

static void write_location(struct json_writer *w, const struct record *location)
{
    json_begin_object(w);
    json_kv_str(w, "id", location->id);
    json_kv_str(w, "name", location->name);
    json_kv_str(w, "storage_type", location->kind);
    json_kv_str(w, "base_path", location->location);
    json_object(w, "configuration", location->properties);
    json_kv_bool(w, "is_active", str_is(location->lifecycle, "active"));
    json_kv_bool(w, "is_default", location->is_default);
    if (location->capacity_bytes)
        json_kv_int(w, "capacity_bytes", location->capacity_bytes);
    else
        json_kv_null(w, "capacity_bytes");
    json_kv_int(w, "used_bytes", location->size_bytes);
    json_time(w, "last_checked", location->accessed_us);
    json_time(w, "created_at", location->created_us);
    json_time(w, "updated_at", location->updated_us);
    json_kv_int(w, "revision", location->revision);
    json_end_object(w);
}

static enum status respond_location(struct request *request, int http_status,
                                    const struct record *location)
{
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    write_location(&w, location);
    return writer_respond(request, http_status, &buf);
}

enum status locations_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record_query query = {.domain = DOMAIN_LOCATION,
                                 .order = RECORD_name,
                                 .cursor = request_str(request, "cursor"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    struct record_page page;
    TRY(entry_query(catalog_of(request), &caller, &query, request->arena, &page, &request->error));
    return respond_page(request, "storage_locations", &page, write_location);
}

/* The fields of the body into the record; absent ones stay. */
static enum status read_location(void *context, struct record *location, struct arena *arena,
                                 struct error *err)
{
    struct request *request = context;
    yyjson_val *configuration = request_json(request, "configuration");
    if (request_has(request, "base_path"))
        location->location = request_str(request, "base_path");
    if (configuration)
        TRY(record_set_json(location, RECORD_properties, configuration, arena, err));
    if (request_has(request, "capacity_bytes"))
        location->capacity_bytes = request_int(request, "capacity_bytes");
    if (request_has(request, "is_default"))
        location->is_default = request_bool(request, "is_default");
    return STATUS_OK;
}

static enum status edit_location(void *context, struct record *location, struct arena *arena,
                                 struct error *err)
{
    struct request *request = context;
    if (request_has(request, "is_active"))
        location->lifecycle = request_bool(request, "is_active") ? STR("active") : STR("inactive");
    return read_location(context, location, arena, err);
}

static enum status edit_not_default(void *context, struct record *location, struct arena *arena,
                                    struct error *err)
{
    (void)context;
    (void)arena;
    (void)err;
    location->is_default = false;
    return STATUS_OK;
}

/* There is one default: the others lose it before a new one gets it. */
static enum status clear_default(struct request *request, const struct caller *caller)
{
    struct match match = {.field = RECORD_is_default, .op = MATCH_EQ, .number = 1};
    struct record_query query = {
        .domain = DOMAIN_LOCATION, .matches = &match, .matches_len = 1, .limit = QUERY_LIMIT_MAX};
    struct asset_edit edit = {.edit = edit_not_default};
    struct record_page page;
    struct record ignored;
    if (!request_bool(request, "is_default"))
        return STATUS_OK;
    TRY(entry_query(catalog_of(request), caller, &query, request->arena, &page, &request->error));
    for (uint32_t i = 0; i < page.len; i++)
        if (!str_eq(page.records[i].name, request_str(request, "name")))
            TRY(entry_edit(catalog_of(request), caller, DOMAIN_LOCATION, page.records[i].id, &edit,
                           request->arena, &ignored, &request->error));
    return STATUS_OK;
}

enum status locations_create(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record draft = {.domain = DOMAIN_LOCATION,
                           .kind = request_str(request, "storage_type"),
                           .name = request_str(request, "name")},
                  location;
    TRY(read_location(request, &draft, request->arena, &request->error));
    TRY(clear_default(request, &caller));
    TRY(entry_create(catalog_of(request), &caller, &draft, request->arena, &location,
                     &request->error));
    return respond_location(request, 201, &location);
}

static enum status find_location(struct request *request, const struct caller *caller,
                                 struct record *ret)
{
    return entry_find(catalog_of(request), caller, DOMAIN_LOCATION,
                      request_path_param(request, "name"), request->arena, ret, &request->error);
}

enum status locations_get(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record location;
    TRY(find_location(request, &caller, &location));
    return respond_location(request, 200, &location);
}

enum status locations_update(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record location;
    struct asset_edit edit = {.edit = edit_location, .context = request};
    TRY(find_location(request, &caller, &location));
    TRY(clear_default(request, &caller));
    TRY(entry_edit(catalog_of(request), &caller, DOMAIN_LOCATION, location.id, &edit,
                   request->arena, &location, &request->error));
    return respond_location(request, 200, &location);
}

enum status locations_delete(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record location;
    TRY(find_location(request, &caller, &location));
    if (location.size_bytes)
        return error_set(&request->error, STATUS_CONFLICT,
                         "%lld bytes lie in the storage location '%.*s'; make it inactive instead",
                         (long long)location.size_bytes, STR_ARG(location.name));
    TRY(entry_remove(catalog_of(request), &caller, DOMAIN_LOCATION, location.id, &request->error));
    return respond_done(request);
}
