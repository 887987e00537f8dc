/* collections_users.c: grants on collections, and users in the shape of the seed's rows. */
#include "base/datetime.h"
#include "services/catalog/collections_int.h"

/* --- grants --- */

/* A row of permissions. */
static void write_grant(struct json_writer *w, const struct record *grant)
{
    json_begin_object(w);
    json_kv_str(w, "id", grant->id);
    json_kv_str(w, "user_id", grant->subject);
    json_kv_str(w, "collection_id", grant->object);
    json_kv_str(w, "permission_type", grant->kind);
    json_kv_text(w, "granted_by", grant->owner);
    json_time(w, "granted_at", grant->updated_us);
    json_time(w, "expires_at", grant->expires_us);
    json_end_object(w);
}

enum status collection_grants_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record collection;
    struct record_page page;
    TRY(collection_of_path(request, &caller, RIGHT_READ, &collection));
    TRY(grant_list(catalog_of(request), &caller, collection.id, request->arena, &page,
                   &request->error));
    return respond_page(request, "permissions", &page, write_grant);
}

enum status collection_grants_add(struct request *request)
{
    struct caller caller = caller_of(request);
    struct grant grant = {.principal = request_str(request, "user_id"),
                          .granted_by = request_str(request, "granted_by")};
    struct record collection, record;
    (void)right_parse(request_str(request, "permission_type"), &grant.permission); /* checked */
    if (request_has(request, "expires_at") &&
        !timestamp_parse(request_str(request, "expires_at"), &grant.expires_us))
        return bad_field(request, "expires_at", "must be an ISO 8601 time");
    TRY(collection_of_path(request, &caller, RIGHT_ADMIN, &collection));
    TRY(grant_put(catalog_of(request), &caller, collection.id, &grant, request->arena, &record,
                  &request->error));
    return respond_row(request, 201, write_grant, &record);
}

static enum status respond_bool(struct request *request, const char *name, bool value)
{
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_bool(&w, name, value);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}

enum status collection_grants_check(struct request *request)
{
    struct caller caller = caller_of(request);
    enum right right = RIGHT_READ;
    struct record collection;
    bool may = false;
    (void)right_parse(request_str(request, "permission_type"), &right); /* checked */
    TRY(collection_of_path(request, &caller, RIGHT_READ, &collection));
    TRY(grant_check(catalog_of(request), &caller, collection.id, request_str(request, "user_id"),
                    right, &may, &request->error));
    return respond_bool(request, "allowed", may);
}

enum status collection_grants_revoke(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str user = request_str(request, "user_id"),
               right = request_str(request, "permission_type");
    struct record collection;
    struct record_page page;
    TRY(collection_of_path(request, &caller, RIGHT_ADMIN, &collection));
    struct match matches[] = {
        {.field = RECORD_object, .op = MATCH_EQ, .values = &collection.id, .values_len = 1},
        {.field = RECORD_subject, .op = MATCH_EQ, .values = &user, .values_len = 1},
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &right, .values_len = 1}};
    struct record_query query = {
        .domain = DOMAIN_GRANT, .matches = matches, .matches_len = 3, .limit = 1};
    TRY(entry_query(catalog_of(request), &caller, &query, request->arena, &page, &request->error));
    if (page.len)
        TRY(grant_revoke(catalog_of(request), &caller, collection.id, page.records[0].id,
                         &request->error));
    return respond_bool(request, "revoked", page.len > 0);
}

/* --- users --- */

/* A row of users; the password's hash stays inside. */
static void write_user(struct json_writer *w, const struct record *user)
{
    yyjson_doc *doc = yyjson_read(user->attributes.data, user->attributes.len, 0);
    json_begin_object(w);
    json_kv_str(w, "id", user->id);
    json_kv_str(w, "username", user->name);
    json_attribute(w, yyjson_doc_get_root(doc), "email");
    json_kv_text(w, "role", user->roles.len ? user->roles.items[0] : STR_NONE);
    json_kv_bool(w, "is_active", str_is(user->lifecycle, "active"));
    json_time(w, "created_at", user->created_us);
    json_time(w, "updated_at", user->updated_us);
    json_time(w, "last_login", user->accessed_us);
    json_end_object(w);
    yyjson_doc_free(doc);
}

enum status users_create(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str role = request_str(request, "role"), name = request_str(request, "username"),
               hash = request_str(request, "password_hash");
    struct record user, draft = {.domain = DOMAIN_PRINCIPAL,
                                 .kind = STR("user"),
                                 .name = name,
                                 .roles = {&role, 1},
                                 .secret = hash,
                                 .attributes = STR("{}")};
    if (memchr(name.data, '/', name.len))
        return bad_field(request, "username", "must not have a '/'");
    if (!hash.len || str_starts(hash, STR("sha256:"))) /* Quarry's own form */
        return bad_field(request, "password_hash", "must be the hash of a password");
    if (!request_str(request, "email").len)
        return bad_field(request, "email", "must not be empty");
    TRY(attribute_set(&draft.attributes, "email", request_str(request, "email"), request->arena,
                      &request->error));
    TRY(entry_create(catalog_of(request), &caller, &draft, request->arena, &user, &request->error));
    return respond_row(request, 201, write_user, &user);
}

enum status users_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str kind = STR("user");
    struct match match = {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1};
    struct record_query query = {.domain = DOMAIN_PRINCIPAL,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .order = RECORD_name,
                                 .cursor = request_str(request, "cursor"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    struct record_page page;
    TRY(entry_query(catalog_of(request), &caller, &query, request->arena, &page, &request->error));
    return respond_page(request, "users", &page, write_user);
}

static enum status find_user(struct request *request, const struct caller *caller,
                             struct record *ret)
{
    struct str wanted = request_path_param(request, "user");
    enum status status = entry_get(catalog_of(request), caller, DOMAIN_PRINCIPAL, wanted,
                                   request->arena, ret, &request->error);
    if (status == STATUS_NOT_FOUND) {
        char *path = arena_printf(request->arena, "user/%.*s", STR_ARG(wanted));
        if (!path)
            return error_no_memory(&request->error);
        status = entry_find(catalog_of(request), caller, DOMAIN_PRINCIPAL, str_of(path),
                            request->arena, ret, &request->error);
    }
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !str_is(ret->kind, "user")))
        return error_set(&request->error, STATUS_NOT_FOUND, "there is no user '%.*s'",
                         STR_ARG(wanted));
    return status;
}

enum status users_get(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record user;
    TRY(find_user(request, &caller, &user));
    return respond_row(request, 200, write_user, &user);
}

static enum status edit_last_login(void *context, struct record *user, struct arena *arena,
                                   struct error *err)
{
    (void)arena;
    (void)err;
    user->accessed_us = *(int64_t *)context;
    return STATUS_OK;
}

enum status users_login(struct request *request)
{
    struct caller caller = caller_of(request);
    int64_t now_us = sys_now_us(service_of(request)->sys);
    struct asset_edit edit = {.edit = edit_last_login, .context = &now_us};
    struct record user;
    TRY(find_user(request, &caller, &user));
    TRY(entry_edit(catalog_of(request), &caller, DOMAIN_PRINCIPAL, user.id, &edit, request->arena,
                   &user, &request->error));
    return respond_row(request, 200, write_user, &user);
}
