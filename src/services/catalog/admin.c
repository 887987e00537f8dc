/* admin.c: users and roles, configuration, the audit log. */
#include "base/datetime.h"
#include "services/catalog/catalog_int.h"

/* --- principals --- */

static void write_principal(struct json_writer *w, const struct record *principal)
{
    struct arena arena;
    arena_init(&arena, 0);
    json_begin_object(w);
    json_kv_str(w, "id", principal->id);
    json_kv_str(w, "kind", principal->kind);
    json_kv_str(w, "name", principal->name);
    json_kv_text(w, "email", attribute_get(principal->attributes, "email", &arena));
    json_kv_text(w, "display_name", principal->title);
    json_kv_text(w, "description", principal->description);
    json_list(w, "roles", &principal->roles);
    json_object(w, "properties", principal->properties);
    json_kv_bool(w, "is_active", str_is(principal->lifecycle, "active"));
    json_time(w, "created_at", principal->created_us);
    json_time(w, "updated_at", principal->updated_us);
    json_time(w, "last_login", principal->accessed_us);
    json_kv_int(w, "revision", principal->revision);
    json_end_object(w);
    arena_release(&arena);
}

static enum status respond_principal(struct request *request, int http_status,
                                     const struct record *principal)
{
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    write_principal(&w, principal);
    return writer_respond(request, http_status, &buf);
}

static enum status check_kind(struct request *request)
{
    struct str kind = request_path_param(request, "kind");
    if (str_is(kind, "user") || str_is(kind, "role"))
        return STATUS_OK;
    return error_set(&request->error, STATUS_NOT_FOUND,
                     "there are no principals of kind '%.*s', only user and role", STR_ARG(kind));
}

static enum status edit_principal(void *context, struct record *principal, struct arena *arena,
                                  struct error *err)
{
    static const struct {
        const char *name;
        enum record_field field;
    } fields[] = {{"display_name", RECORD_title},
                  {"description", RECORD_description},
                  {"roles", RECORD_roles},
                  {"properties", RECORD_properties}};
    struct request *request = context;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        yyjson_val *value = json_get(request->body, fields[i].name);
        if (value)
            TRY(record_set_json(principal, fields[i].field, value, arena, err));
    }
    if (json_get(request->body, "email"))
        TRY(attribute_set(&principal->attributes, "email", request_str(request, "email"), arena,
                          err));
    if (json_get(request->body, "is_active"))
        principal->lifecycle = request_bool(request, "is_active") ? STR("active") : STR("disabled");
    return STATUS_OK;
}

enum status principals_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str kind = request_path_param(request, "kind");
    struct match match = {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1};
    struct record_query query = {.domain = DOMAIN_PRINCIPAL,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .order = RECORD_name,
                                 .cursor = request_str(request, "cursor"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    struct record_page page;
    TRY(check_kind(request));
    TRY(entry_query(catalog_of(request), &caller, &query, request->arena, &page, &request->error));
    return respond_page(request, "principals", &page, write_principal);
}

enum status principals_create(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record draft = {.domain = DOMAIN_PRINCIPAL,
                           .kind = request_path_param(request, "kind"),
                           .name = request_str(request, "name")},
                  principal;
    TRY(check_kind(request));
    TRY(edit_principal(request, &draft, request->arena, &request->error));
    TRY(entry_create(catalog_of(request), &caller, &draft, request->arena, &principal,
                     &request->error));
    return respond_principal(request, 201, &principal);
}

static enum status find_principal(struct request *request, const struct caller *caller,
                                  struct record *ret)
{
    struct str kind = request_path_param(request, "kind"),
               name = request_path_param(request, "name");
    char *path = arena_printf(request->arena, "%.*s/%.*s", STR_ARG(kind), STR_ARG(name));
    TRY(check_kind(request));
    if (!path)
        return error_no_memory(&request->error);
    enum status status = entry_find(catalog_of(request), caller, DOMAIN_PRINCIPAL, str_of(path),
                                    request->arena, ret, &request->error);
    if (status == STATUS_NOT_FOUND)
        return error_set(&request->error, STATUS_NOT_FOUND, "there is no %.*s named '%.*s'",
                         STR_ARG(kind), STR_ARG(name));
    return status;
}

enum status principals_get(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record principal;
    TRY(find_principal(request, &caller, &principal));
    return respond_principal(request, 200, &principal);
}

enum status principals_update(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record principal;
    struct asset_edit edit = {.edit = edit_principal, .context = request};
    TRY(find_principal(request, &caller, &principal));
    TRY(entry_edit(catalog_of(request), &caller, DOMAIN_PRINCIPAL, principal.id, &edit,
                   request->arena, &principal, &request->error));
    return respond_principal(request, 200, &principal);
}

enum status principals_delete(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record principal;
    TRY(find_principal(request, &caller, &principal));
    TRY(entry_remove(catalog_of(request), &caller, DOMAIN_PRINCIPAL, principal.id,
                     &request->error));
    return respond_done(request);
}

/* --- configuration --- */

/* `value` data NULL: that of an encrypted setting, which is not shown. */
static void write_setting(struct json_writer *w, const struct record *config, struct str value)
{
    json_begin_object(w);
    json_kv_str(w, "key", config->name);
    json_kv_str(w, "value", value);
    json_kv_str(w, "type", config->kind);
    json_kv_text(w, "category", config->namespace);
    json_kv_text(w, "description", config->description);
    json_kv_bool(w, "is_encrypted", config_is_secret(config));
    json_time(w, "updated_at", config->updated_us);
    json_kv_int(w, "revision", config->revision);
    json_end_object(w);
}

static void write_config(struct json_writer *w, const struct record *config)
{
    struct arena arena;
    arena_init(&arena, 0);
    struct str value = attribute_get(config->attributes, "value", &arena);
    write_setting(w, config, value.data || config_is_secret(config) ? value : STR(""));
    arena_release(&arena);
}

static enum status respond_config(struct request *request, const struct record *config,
                                  struct str secret)
{
    struct buf buf;
    struct json_writer w;
    writer_begin(&buf, &w);
    if (config_is_secret(config))
        write_setting(&w, config, secret);
    else
        write_config(&w, config);
    return writer_respond(request, 200, &buf);
}

enum status config_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str category = request_str(request, "category");
    struct match match = {
        .field = RECORD_namespace, .op = MATCH_EQ, .values = &category, .values_len = 1};
    struct record_query query = {.domain = DOMAIN_CONFIG,
                                 .matches = &match,
                                 .matches_len = category.len ? 1 : 0,
                                 .order = RECORD_name,
                                 .cursor = request_str(request, "cursor"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    struct record_page page;
    TRY(entry_query(catalog_of(request), &caller, &query, request->arena, &page, &request->error));
    return respond_page(request, "config", &page, write_config);
}

enum status config_get(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record config;
    TRY(entry_find(catalog_of(request), &caller, DOMAIN_CONFIG, request_path_param(request, "key"),
                   request->arena, &config, &request->error));
    struct str secret = STR_NONE;
    if (config_is_secret(&config))
        TRY(config_unseal(request, &caller, &config, &secret));
    return respond_config(request, &config, secret);
}

static enum status check_value(struct request *request, struct str type, struct str value)
{
    int64_t number;
    yyjson_doc *doc = NULL;
    bool fits = true;
    if (str_is(type, "integer")) {
        fits = str_to_int64(value, &number);
    } else if (str_is(type, "boolean")) {
        fits = str_is(value, "true") || str_is(value, "false");
    } else if (str_is(type, "json")) {
        fits = json_parse(value, &doc, NULL) == STATUS_OK;
        if (fits)
            yyjson_doc_free(doc);
    }
    if (fits)
        return STATUS_OK;
    error_set(&request->error, STATUS_INVALID_ARGUMENT, "the value does not fit the type %.*s",
              STR_ARG(type));
    error_at_field(&request->error, "value", 5, value.data, (uint32_t)value.len);
    return STATUS_INVALID_ARGUMENT;
}

enum status config_set(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str key = request_path_param(request, "key"), value = request_str(request, "value");
    struct record config = {.domain = DOMAIN_CONFIG,
                            .kind = STR("string"),
                            .name = key,
                            .namespace = STR("general")},
                  old;
    enum status status = entry_find(catalog_of(request), &caller, DOMAIN_CONFIG, key,
                                    request->arena, &old, &request->error);
    if (status == STATUS_OK)
        config = old;
    else if (status != STATUS_NOT_FOUND)
        return status;
    if (request_has(request, "type"))
        config.kind = request_str(request, "type");
    if (request_has(request, "category"))
        config.namespace = request_str(request, "category");
    if (request_has(request, "description"))
        config.description = request_str(request, "description");
    TRY(check_value(request, config.kind, value));
    bool encrypted = request_has(request, "is_encrypted") ? request_bool(request, "is_encrypted")
                                                          : config_is_secret(&config);
    config.secret = STR_NONE;
    if (encrypted)
        TRY(config_seal(request, value, &config));
    TRY(attribute_set(&config.attributes, "value", encrypted ? STR_NONE : value, request->arena,
                      &request->error));
    TRY(entry_put(catalog_of(request), &caller, &config, request->arena, &config, &request->error));
    return respond_config(request, &config, STR_NONE);
}

enum status config_delete(struct request *request)
{
    struct caller caller = caller_of(request);
    struct record config;
    TRY(entry_find(catalog_of(request), &caller, DOMAIN_CONFIG, request_path_param(request, "key"),
                   request->arena, &config, &request->error));
    TRY(entry_remove(catalog_of(request), &caller, DOMAIN_CONFIG, config.id, &request->error));
    return respond_done(request);
}

/* --- the audit log --- */

/* A row of audit_logs. */
static void write_audit(struct json_writer *w, const struct record *event)
{
    json_begin_object(w);
    json_kv_str(w, "id", event->id);
    json_kv_text(w, "user_id", event->subject);
    json_kv_str(w, "action", event->name);
    json_kv_text(w, "resource_type", event->namespace);
    json_kv_text(w, "resource_id", event->object);
    json_kv_bool(w, "success", event->success);
    json_object(w, "details", event->attributes);
    json_kv_text(w, "ip_address", event->location);
    json_time(w, "timestamp", event->created_us);
    json_end_object(w);
}

enum status audit_list(struct request *request)
{
    static const struct {
        const char *name;
        enum record_field field;
    } fields[] = {{"user_id", RECORD_subject},
                  {"action", RECORD_name},
                  {"resource_type", RECORD_namespace},
                  {"resource_id", RECORD_object}};
    struct caller caller = caller_of(request);
    struct str kind = STR("audit"), values[4];
    struct match matches[7] = {
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1}};
    struct record_query query = {.domain = DOMAIN_EVENT,
                                 .matches = matches,
                                 .matches_len = 1,
                                 .order = RECORD_id,
                                 .descending = true,
                                 .cursor = request_str(request, "cursor"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    int64_t since_us = 0;
    struct record_page page;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        values[i] = request_str(request, fields[i].name);
        if (values[i].len)
            matches[query.matches_len++] = (struct match){
                .field = fields[i].field, .op = MATCH_EQ, .values = &values[i], .values_len = 1};
    }
    if (request_has(request, "success"))
        matches[query.matches_len++] = (struct match){
            .field = RECORD_success, .op = MATCH_EQ, .number = request_bool(request, "success")};
    if (request_has(request, "since") && !timestamp_parse(request_str(request, "since"), &since_us))
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "'since' must be an ISO 8601 time");
    if (since_us)
        matches[query.matches_len++] =
            (struct match){.field = RECORD_created_us, .op = MATCH_GTE, .number = since_us};
    TRY(entry_query(catalog_of(request), &caller, &query, request->arena, &page, &request->error));
    return respond_page(request, "audit", &page, write_audit);
}

enum status events_list(struct request *request)
{
    struct caller caller = caller_of(request);
    struct str kind = request_str(request, "kind");
    struct match match = {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1};
    struct record_query query = {.domain = DOMAIN_EVENT,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .cursor = request_str(request, "cursor"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    struct record_page page;
    struct buf buf;
    struct json_writer w;
    TRY(entry_query(catalog_of(request), &caller, &query, request->arena, &page, &request->error));
    writer_begin(&buf, &w);
    json_begin_object(&w);
    json_kv_str(&w, "tenant_id", caller.tenant);
    json_keyz(&w, "events");
    json_begin_array(&w);
    for (uint32_t i = 0; i < page.len; i++)
        json_record(&w, &page.records[i]);
    json_end_array(&w);
    json_kv_text(&w, "next_cursor", page.next);
    json_end_object(&w);
    return writer_respond(request, 200, &buf);
}
