/* access.c: relations of assets and permissions on them, in the graph registry's shapes. */
#include "base/datetime.h"
#include "services/catalog/catalog_int.h"

/* A row of graph_relationships. */
static void write_relation(struct json_writer *w, const struct record *relation)
{
    json_begin_object(w);
    json_kv_str(w, "id", relation->id);
    json_kv_str(w, "source_id", relation->subject);
    json_kv_str(w, "target_id", relation->object);
    json_kv_str(w, "relationship_type", relation->kind);
    json_object(w, "properties", relation->properties);
    json_kv_str(w, "created_by", relation->owner);
    json_time(w, "created_at", relation->created_us);
    json_end_object(w);
}

enum status relations_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record_page page;
    TRY(relation_list(catalog_of(request), &caller, request_path_param(request, "id"),
                      request->arena, &page, &request->error));
    return respond_page(request, "relations", &page, write_relation);
}

enum status relations_add(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record relation, body = {.domain = DOMAIN_RELATION};
    struct buf buf;
    struct json_writer w;
    TRY(record_from_body(request, &body)); /* properties */
    TRY(relation_add(catalog_of(request), &caller, request_path_param(request, "id"),
                     request_str(request, "target_id"), request_str(request, "relationship_type"),
                     body.properties, request->arena, &relation, &request->error));
    writer_begin(&buf, &w);
    write_relation(&w, &relation);
    return writer_respond(request, 201, &buf);
}

enum status relations_remove(struct request *request)
{
    struct caller caller = caller_of(request);
    TRY(relation_remove(catalog_of(request), &caller, request_path_param(request, "id"),
                        request_path_param(request, "relation_id"), &request->error));
    return respond_done(request);
}

/* A row of graph_permissions. */
static void write_grant(struct json_writer *w, const struct record *grant)
{
    bool role = str_starts(grant->subject, STR("role:"));
    struct str name = role ? str_make(grant->subject.data + 5, grant->subject.len - 5) : STR_NONE;
    json_begin_object(w);
    json_kv_str(w, "id", grant->id);
    json_kv_str(w, "asset_id", grant->object);
    json_kv_str(w, "user_id", role ? STR_NONE : grant->subject);
    json_kv_str(w, "role", name);
    json_kv_str(w, "permission_type", grant->kind);
    json_kv_str(w, "granted_by", grant->owner);
    json_time(w, "granted_at", grant->updated_us);
    json_time(w, "expires_at", grant->expires_us);
    json_end_object(w);
}

enum status grants_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record_page page;
    TRY(grant_list(catalog_of(request), &caller, request_path_param(request, "id"), request->arena,
                   &page, &request->error));
    return respond_page(request, "permissions", &page, write_grant);
}

static enum status read_grant(struct request *request, struct grant *ret)
{
    struct str user = request_str(request, "user_id"), role = request_str(request, "role");
    *ret = (struct grant){.principal = user};
    if (!user.len == !role.len)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "a grant needs either user_id or role");
    if (role.len) {
        ret->principal = str_of(arena_printf(request->arena, "role:%.*s", STR_ARG(role)));
        if (!ret->principal.data)
            return error_no_memory(&request->error);
    }
    (void)right_parse(request_str(request, "permission_type"), &ret->permission); /* checked */
    if (request_has(request, "expires_at") &&
        !timestamp_parse(request_str(request, "expires_at"), &ret->expires_us))
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "'expires_at' must be an ISO 8601 time");
    return STATUS_OK;
}

enum status grants_add(struct request *request)
{
    struct caller caller = caller_of(request);
    struct grant grant;
    struct record record;
    struct buf buf;
    struct json_writer w;
    TRY(read_grant(request, &grant));
    TRY(grant_put(catalog_of(request), &caller, request_path_param(request, "id"), &grant,
                  request->arena, &record, &request->error));
    writer_begin(&buf, &w);
    write_grant(&w, &record);
    return writer_respond(request, 201, &buf);
}

enum status grants_remove(struct request *request)
{
    struct caller caller = caller_of(request);
    TRY(grant_revoke(catalog_of(request), &caller, request_path_param(request, "id"),
                     request_path_param(request, "grant_id"), &request->error));
    return respond_done(request);
}

enum status grants_check(struct request *request)
{
    struct caller caller = caller_of(request);
    enum right right = RIGHT_READ;
    struct buf buf;
    struct json_writer w;
    bool may = false;
    (void)right_parse(request_str(request, "permission_type"), &right); /* checked */
    TRY(grant_check(catalog_of(request), &caller, request_path_param(request, "id"),
                    request_str(request, "user_id"), right, &may, &request->error));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_bool(&w, "allowed", may);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}
