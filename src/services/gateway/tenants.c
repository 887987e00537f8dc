/* tenants.c: tenants as things to create, limit, suspend and delete.
 *
 * A tenant is a principal of kind "tenant" of the own tenant (TENANT_ID), named by its id:
 *   lifecycle    active, suspended, deleted
 *   description  why it is not active
 *   expires_us   of a deleted one: when its users and keys are removed, and it
 *   attributes   the limits, as texts
 * Whatever changes them is followed by tenants_publish before it is answered, so that every process
 * of this machine obeys within TENANT_BOOK_LOOK_US; those of other machines when their own gateway
 * looks (gateway_maintain). The own tenant can be limited, neither suspended nor deleted. */
#include <stdio.h>
#include <stdlib.h>

#include "services/gateway/gateway_int.h"

enum { ANSWER_MAX = 4 << 20, PAGE = 500, PURGED_AT_ONCE = 64 };
#define DAY_US (INT64_C(86400) * 1000000)

static const char *const LIMITS[] = {"requests_per_second", "burst", "max_bytes", "max_sources"};
enum { LIMITS_LEN = sizeof LIMITS / sizeof *LIMITS };

static struct caller own_caller(struct gateway *gateway, const struct request *request)
{
    struct caller caller = gateway_caller(str_of(gateway->options.tenant));
    if (request) {
        caller.principal = request->identity.user_id;
        caller.address = http_request_client(request->http);
    }
    return caller;
}

static enum status find_tenant(struct request *request, struct record *ret)
{
    struct gateway *gateway = request->context;
    struct caller caller = own_caller(gateway, request);
    struct str id = request_path_param(request, "tenant_id");
    char *name = arena_printf(request->arena, "tenant/%.*s", STR_ARG(id));
    if (!name)
        return error_no_memory(&request->error);
    enum status status = entry_find(gateway->options.catalog, &caller, DOMAIN_PRINCIPAL,
                                    str_of(name), request->arena, ret, &request->error);
    if (status == STATUS_NOT_FOUND || status == STATUS_INVALID_ARGUMENT)
        return error_set(&request->error, STATUS_NOT_FOUND, "There is no tenant '%.*s'.",
                         STR_ARG(id));
    return status;
}

/* --- as JSON: what the API shows and what the file tells --- */

static void write_limits(struct json_writer *w, const struct record *tenant)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    for (int i = 0; i < LIMITS_LEN; i++) {
        struct str text = attribute_get(tenant->attributes, LIMITS[i], &arena);
        int64_t whole = 0;
        json_keyz(w, LIMITS[i]);
        if (text.len == 0 || str_to_int64(text, &whole))
            json_int(w, whole);
        else
            json_double(w, strtod(text.data, NULL));
    }
    arena_release(&arena);
}

static void write_tenant(struct json_writer *w, const struct record *tenant, bool for_people)
{
    json_begin_object(w);
    json_kv_str(w, "tenant_id", tenant->name);
    if (for_people)
        json_kv_str(w, "name", tenant->title.len ? tenant->title : STR_NONE);
    json_kv_str(w, "state", tenant->lifecycle.len ? tenant->lifecycle : STR("active"));
    json_kv_str(w, "reason", tenant->description.len ? tenant->description : STR_NONE);
    write_limits(w, tenant);
    if (for_people) {
        json_kv_int(w, "created_at_s", tenant->created_us / 1000000);
        json_keyz(w, "removed_at_s");
        tenant->expires_us ? json_int(w, tenant->expires_us / 1000000) : json_null(w);
    }
    json_end_object(w);
}

static void begin_answer(struct buf *body, struct json_writer *w)
{
    buf_init(body, ANSWER_MAX);
    json_writer_init(w, body);
    json_begin_object(w);
    json_kv_bool(w, "success", true);
    json_kv_null(w, "error_message");
}

/* `password` NULL: none was made. */
static enum status answer_tenant(struct request *request, int status, const struct record *tenant,
                                 const char *password)
{
    struct json_writer w;
    struct buf body;
    begin_answer(&body, &w);
    json_keyz(&w, "tenant");
    write_tenant(&w, tenant, true);
    if (password) {
        json_kv_str(&w, "admin", request_str(request, "admin"));
        json_kv_strz(&w, "password", password);
        http_set_header(request->http, "Cache-Control", STR("no-store"));
    }
    json_end_object(&w);
    request_respond_json(request, status, &body);
    return STATUS_OK;
}

/* --- all of them --- */

static enum status query_page(struct gateway *gateway, struct str cursor, uint32_t limit,
                              struct arena *arena, struct record_page *ret, struct error *err)
{
    struct caller caller = own_caller(gateway, NULL);
    struct str kind = STR("tenant");
    struct match match = {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1};
    struct record_query query = {.domain = DOMAIN_PRINCIPAL,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .order = RECORD_name,
                                 .cursor = cursor,
                                 .limit = limit};
    return entry_query(gateway->options.catalog, &caller, &query, arena, ret, err);
}

/* Calls `fn` with every tenant; pages are freed as it goes. */
static enum status for_all(struct gateway *gateway,
                           enum status (*fn)(void *context, const struct record *tenant,
                                             struct error *err),
                           void *context, struct error *err)
{
    enum status status = STATUS_OK;
    struct buf cursor; /* outlives its page */
    buf_init(&cursor, 1 << 16);
    do {
        struct record_page page = {0};
        struct arena arena;
        arena_init(&arena, 64 << 20);
        status = query_page(gateway, buf_str(&cursor), PAGE, &arena, &page, err);
        for (uint32_t i = 0; i < page.len && status == STATUS_OK; i++)
            status = fn(context, &page.records[i], err);
        buf_clear(&cursor);
        buf_append_str(&cursor, page.next);
        if (status == STATUS_OK)
            status = buf_check(&cursor, "A cursor", err);
        arena_release(&arena);
    } while (status == STATUS_OK && cursor.len > 0);
    buf_release(&cursor);
    return status;
}

static enum status write_one(void *context, const struct record *tenant, struct error *err)
{
    (void)err;
    write_tenant(context, tenant, false);
    return STATUS_OK;
}

static enum status publish_text(struct gateway *gateway, struct str text, struct error *err)
{
    struct buf old;
    const char *path = gateway->options.tenants_path;
    buf_init(&old, TENANT_BOOK_FILE_MAX);
    enum status status = sys_read_file(gateway->sys, path, &old, NULL);
    bool same = status == STATUS_OK && str_eq(buf_str(&old), text);
    buf_release(&old);
    if (same)
        return STATUS_OK;
    TRY(sys_replace_file(gateway->sys, path, (struct slice){text.data, text.len}, err));
    tenant_book_look_again(gateway->options.tenants);
    return STATUS_OK;
}

enum status tenants_publish(struct gateway *gateway, struct error *err)
{
    struct json_writer w;
    struct buf text;
    buf_init(&text, TENANT_BOOK_FILE_MAX);
    json_writer_init(&w, &text);
    pthread_mutex_lock(&gateway->tenants_lock); /* who reads later writes later */
    json_begin_object(&w);
    json_keyz(&w, "tenants");
    json_begin_array(&w);
    enum status status = for_all(gateway, write_one, &w, err);
    json_end_array(&w);
    json_end_object(&w);
    if (status == STATUS_OK)
        status = buf_check(&text, "The list of tenants", err);
    if (status == STATUS_OK)
        status = publish_text(gateway, buf_str(&text), err);
    pthread_mutex_unlock(&gateway->tenants_lock);
    buf_release(&text);
    return status;
}

enum status tenants_ensure_own(struct gateway *gateway, struct error *err)
{
    struct caller caller = own_caller(gateway, NULL);
    struct record made, draft = {.domain = DOMAIN_PRINCIPAL,
                                 .kind = STR("tenant"),
                                 .name = str_of(gateway->options.tenant),
                                 .lifecycle = STR("active"),
                                 .attributes = STR("{}")};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    enum status status =
        entry_create(gateway->options.catalog, &caller, &draft, &arena, &made, err);
    arena_release(&arena);
    return status == STATUS_CONFLICT ? STATUS_OK : status; /* it is there */
}

/* --- handlers --- */

enum status gateway_tenants(struct request *request)
{
    struct record_page page;
    struct json_writer w;
    struct buf body;
    TRY(query_page(request->context, request_str(request, "cursor"),
                   (uint32_t)request_int(request, "limit"), request->arena, &page,
                   &request->error));
    begin_answer(&body, &w);
    json_keyz(&w, "tenants");
    json_begin_array(&w);
    for (uint32_t i = 0; i < page.len; i++)
        write_tenant(&w, &page.records[i], true);
    json_end_array(&w);
    json_kv_str(&w, "next", page.next.len ? page.next : STR_NONE);
    json_end_object(&w);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}

enum status gateway_tenant_get(struct request *request)
{
    struct record tenant;
    TRY(find_tenant(request, &tenant));
    return answer_tenant(request, 200, &tenant, NULL);
}

/* The limits that the body names. */
static enum status set_limits(const struct request *request, struct str *attributes,
                              struct arena *arena, struct error *err)
{
    for (int i = 0; i < LIMITS_LEN; i++) {
        if (!request_has(request, LIMITS[i]))
            continue;
        bool whole = str_starts(str_of(LIMITS[i]), STR("max_"));
        char *text = whole ? arena_printf(arena, "%lld", (long long)request_int(request, LIMITS[i]))
                           : arena_printf(arena, "%.17g", request_double(request, LIMITS[i]));
        if (!text)
            return error_no_memory(err);
        TRY(attribute_set(attributes, LIMITS[i], str_of(text), arena, err));
    }
    return STATUS_OK;
}

enum status gateway_tenant_create(struct request *request)
{
    struct gateway *gateway = request->context;
    struct error *err = &request->error;
    struct caller caller = own_caller(gateway, request);
    struct str id = request_str(request, "tenant_id");
    char password[SECRET_TEXT_MAX];
    struct record made, draft = {.domain = DOMAIN_PRINCIPAL,
                                 .kind = STR("tenant"),
                                 .name = id,
                                 .title = request_str(request, "name"),
                                 .lifecycle = STR("active"),
                                 .attributes = STR("{}")};
    if (!tenant_id_is_valid(id))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "A tenant's id has 1 to %d letters, digits, '_', '-', '.', the first a "
                         "letter, digit or '_'.",
                         TENANT_ID_MAX);
    TRY(set_limits(request, &draft.attributes, request->arena, err));
    enum status status =
        entry_create(gateway->options.catalog, &caller, &draft, request->arena, &made, err);
    if (status == STATUS_CONFLICT)
        return error_set(err, status, "There is a tenant '%.*s' already.", STR_ARG(id));
    TRY(status);
    caller.tenant = id;
    status = user_create_generated(gateway, &caller, request_str(request, "admin"), password,
                                   request->arena, err);
    if (status != STATUS_OK) { /* nobody could come in */
        caller.tenant = str_of(gateway->options.tenant);
        (void)entry_remove(gateway->options.catalog, &caller, DOMAIN_PRINCIPAL, made.id, NULL);
        return status;
    }
    TRY(tenants_publish(gateway, err));
    return answer_tenant(request, 201, &made, password);
}

/* --- changes --- */

struct tenant_change {
    const struct request *request;
    struct str lifecycle; /* data NULL: as it is */
    struct str reason;
    int64_t expires_us;
};

static enum status change_tenant(void *context, struct record *tenant, struct arena *arena,
                                 struct error *err)
{
    const struct tenant_change *change = context;
    if (!change->lifecycle.data) {
        if (request_has(change->request, "name"))
            tenant->title = request_str(change->request, "name");
        return set_limits(change->request, &tenant->attributes, arena, err);
    }
    tenant->lifecycle = change->lifecycle;
    tenant->description = change->reason;
    tenant->expires_us = change->expires_us;
    return STATUS_OK;
}

static enum status apply(struct request *request, const struct record *tenant, const char *action,
                         struct tenant_change *change)
{
    struct gateway *gateway = request->context;
    struct caller caller = own_caller(gateway, request);
    const struct asset_edit edit = {.action = action, .edit = change_tenant, .context = change};
    struct record changed;
    change->request = request;
    TRY(entry_edit(gateway->options.catalog, &caller, DOMAIN_PRINCIPAL, tenant->id, &edit,
                   request->arena, &changed, &request->error));
    TRY(tenants_publish(gateway, &request->error));
    return answer_tenant(request, 200, &changed, NULL);
}

enum status gateway_tenant_update(struct request *request)
{
    struct record tenant;
    struct tenant_change change = {.lifecycle = STR_NONE};
    TRY(find_tenant(request, &tenant));
    return apply(request, &tenant, "tenant.update", &change);
}

/* A tenant that may be moved: not the own one, and in the state `from`. */
static enum status find_movable(struct request *request, const char *from, struct record *ret)
{
    struct gateway *gateway = request->context;
    TRY(find_tenant(request, ret));
    if (str_is(ret->name, gateway->options.tenant))
        return error_set(&request->error, STATUS_CONFLICT,
                         "'%.*s' runs this place: it is neither suspended nor deleted.",
                         STR_ARG(ret->name));
    if (!str_is(ret->lifecycle, from))
        return error_set(&request->error, STATUS_CONFLICT, "The tenant '%.*s' is not %s, but %.*s.",
                         STR_ARG(ret->name), from, STR_ARG(ret->lifecycle));
    return STATUS_OK;
}

enum status gateway_tenant_suspend(struct request *request)
{
    struct record tenant;
    struct tenant_change change = {.lifecycle = STR("suspended"),
                                   .reason = request_str(request, "reason")};
    TRY(find_movable(request, "active", &tenant));
    if (change.reason.len > TENANT_REASON_MAX)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT, "A reason has at most %d bytes.",
                         TENANT_REASON_MAX);
    return apply(request, &tenant, "tenant.suspend", &change);
}

enum status gateway_tenant_resume(struct request *request)
{
    struct record tenant;
    struct tenant_change change = {.lifecycle = STR("active")};
    TRY(find_movable(request, "suspended", &tenant));
    return apply(request, &tenant, "tenant.resume", &change);
}

enum status gateway_tenant_delete(struct request *request)
{
    struct gateway *gateway = request->context;
    struct record tenant;
    struct tenant_change change = {.lifecycle = STR("deleted"),
                                   .expires_us = sys_now_us(gateway->sys) +
                                                 request_int(request, "grace_days") * DAY_US};
    TRY(find_tenant(request, &tenant));
    TRY(find_movable(request, str_is(tenant.lifecycle, "suspended") ? "suspended" : "active",
                     &tenant));
    return apply(request, &tenant, "tenant.delete", &change);
}

enum status gateway_tenant_undelete(struct request *request)
{
    struct record tenant;
    struct tenant_change change = {.lifecycle = STR("active")};
    TRY(find_movable(request, "deleted", &tenant));
    return apply(request, &tenant, "tenant.undelete", &change);
}

/* --- when the grace is over --- */

struct purge {
    int64_t now_us;
    struct arena arena;
    struct record due[PURGED_AT_ONCE]; /* more: the next time */
    uint32_t len;
};

static enum status take_due(void *context, const struct record *tenant, struct error *err)
{
    struct purge *purge = context;
    if (!str_is(tenant->lifecycle, "deleted") || tenant->expires_us > purge->now_us ||
        purge->len == PURGED_AT_ONCE)
        return STATUS_OK;
    return record_copy(tenant, &purge->arena, &purge->due[purge->len++], err);
}

/* Users, keys, roles, invitations: everybody of the tenant. */
static enum status remove_principals(struct gateway *gateway, struct str tenant, struct error *err)
{
    struct caller caller = gateway_caller(tenant);
    struct record_query query = {.domain = DOMAIN_PRINCIPAL, .limit = PAGE};
    struct record_page page = {0};
    enum status status = STATUS_OK;
    do {
        struct arena arena;
        arena_init(&arena, 64 << 20);
        status = entry_query(gateway->options.catalog, &caller, &query, &arena, &page, err);
        for (uint32_t i = 0; i < page.len && status == STATUS_OK; i++) {
            status = entry_remove(gateway->options.catalog, &caller, DOMAIN_PRINCIPAL,
                                  page.records[i].id, err);
            if (status == STATUS_NOT_FOUND)
                status = STATUS_OK; /* went with another one */
        }
        arena_release(&arena);
    } while (status == STATUS_OK && page.len > 0);
    return status;
}

enum status tenants_purge(struct gateway *gateway, struct error *err)
{
    struct caller caller = own_caller(gateway, NULL);
    struct purge *purge = calloc(1, sizeof *purge);
    if (!purge)
        return error_no_memory(err);
    purge->now_us = sys_now_us(gateway->sys);
    arena_init(&purge->arena, 64 << 20);
    enum status status = for_all(gateway, take_due, purge, err);
    for (uint32_t i = 0; i < purge->len && status == STATUS_OK; i++) {
        status = remove_principals(gateway, purge->due[i].name, err);
        if (status == STATUS_OK)
            status = entry_remove(gateway->options.catalog, &caller, DOMAIN_PRINCIPAL,
                                  purge->due[i].id, err);
    }
    arena_release(&purge->arena);
    free(purge);
    return status;
}
