/* tenants.c: tenants as things to create, limit, suspend and delete.
 *
 * A tenant is a principal of kind "tenant" of the own tenant (TENANT_ID), named by its id:
 *   lifecycle    active, suspended, deleted
 *   description  why it is not active
 *   expires_us   of a deleted one: when its users and keys are removed, and it
 *   attributes   the limits, as texts
 * Whatever changes them is followed by tenants_publish before it is answered, so that every process
 * of this machine obeys within TENANT_BOOK_LOOK_US; those of other machines when their own gateway
 * looks (its upkeep). The own tenant can be limited, neither suspended nor deleted. */

#include "services/gateway/gateway_int.h"

enum { ANSWER_MAX = 4 << 20 };
#define DAY_US (INT64_C(86400) * 1000000)

static enum status find_tenant(struct request *request, struct record *ret)
{
    struct gateway *gateway = request->context;
    struct caller caller = tenants_own_caller(gateway, request);
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

/* `password` NULL: none was made. */
static enum status answer_tenant(struct request *request, int status, const struct record *tenant,
                                 const char *password)
{
    struct json_writer w;
    struct buf body;
    reply_begin(&body, ANSWER_MAX, &w);
    json_keyz(&w, "tenant");
    tenant_write(&w, tenant, true);
    if (password) {
        json_kv_str(&w, "admin", request_str(request, "admin"));
        json_kv_strz(&w, "password", password);
        http_set_header(request->http, "Cache-Control", STR("no-store"));
    }
    return reply_end(request, status, &body, &w);
}

/* --- handlers --- */

enum status gateway_tenants(struct request *request)
{
    struct record_page page;
    struct json_writer w;
    struct buf body;
    TRY(tenants_page(request->context, request_str(request, "cursor"),
                     (uint32_t)request_int(request, "limit"), request->arena, &page,
                     &request->error));
    reply_begin(&body, ANSWER_MAX, &w);
    json_keyz(&w, "tenants");
    json_begin_array(&w);
    for (uint32_t i = 0; i < page.len; i++)
        tenant_write(&w, &page.records[i], true);
    json_end_array(&w);
    json_kv_str(&w, "next", page.next.len ? page.next : STR_NONE);
    return reply_end(request, 200, &body, &w);
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
    for (int i = 0; i < TENANT_LIMITS; i++) {
        if (!request_has(request, tenant_limits[i]))
            continue;
        bool whole = str_starts(str_of(tenant_limits[i]), STR("max_"));
        char *text =
            whole ? arena_printf(arena, "%lld", (long long)request_int(request, tenant_limits[i]))
                  : arena_printf(arena, "%.17g", request_double(request, tenant_limits[i]));
        if (!text)
            return error_no_memory(err);
        TRY(attribute_set(attributes, tenant_limits[i], str_of(text), arena, err));
    }
    return STATUS_OK;
}

enum status gateway_tenant_create(struct request *request)
{
    struct gateway *gateway = request->context;
    struct error *err = &request->error;
    struct caller caller = tenants_own_caller(gateway, request);
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
    struct caller caller = tenants_own_caller(gateway, request);
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
