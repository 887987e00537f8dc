/* tenants_list.c: all tenants: as JSON, in the file that tells the processes of this machine, and
 * those whose grace is over. */
#include <stdlib.h>

#include "services/gateway/gateway_int.h"

enum { PAGE = 500, PURGED_AT_ONCE = 64 };

const char *const tenant_limits[TENANT_LIMITS] = {"requests_per_second", "burst", "max_bytes",
                                                  "max_sources"};

struct caller tenants_own_caller(struct gateway *gateway, const struct request *request)
{
    struct caller caller = gateway_caller(str_of(gateway->options.tenant));
    if (request) {
        caller.principal = request->identity.user_id;
        caller.address = http_request_client(request->http);
    }
    return caller;
}

/* --- as JSON: what the API shows and what the file tells --- */

static void write_limits(struct json_writer *w, const struct record *tenant)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    for (int i = 0; i < TENANT_LIMITS; i++) {
        struct str text = attribute_get(tenant->attributes, tenant_limits[i], &arena);
        int64_t whole = 0;
        json_keyz(w, tenant_limits[i]);
        if (text.len == 0 || str_to_int64(text, &whole))
            json_int(w, whole);
        else
            json_double(w, strtod(text.data, NULL));
    }
    arena_release(&arena);
}

void tenant_write(struct json_writer *w, const struct record *tenant, bool for_people)
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

/* --- all of them --- */

enum status tenants_page(struct gateway *gateway, struct str cursor, uint32_t limit,
                         struct arena *arena, struct record_page *ret, struct error *err)
{
    struct caller caller = tenants_own_caller(gateway, NULL);
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
        status = tenants_page(gateway, buf_str(&cursor), PAGE, &arena, &page, err);
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
    tenant_write(context, tenant, false);
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
    struct caller caller = tenants_own_caller(gateway, NULL);
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

enum status tenants_purge(struct gateway *gateway, struct error *err)
{
    struct caller caller = tenants_own_caller(gateway, NULL);
    struct purge *purge = calloc(1, sizeof *purge);
    if (!purge)
        return error_no_memory(err);
    purge->now_us = sys_now_us(gateway->sys);
    arena_init(&purge->arena, 64 << 20);
    enum status status = for_all(gateway, take_due, purge, err);
    for (uint32_t i = 0; i < purge->len && status == STATUS_OK; i++) {
        status = catalog_remove_tenant(gateway->options.catalog, purge->due[i].name, err);
        if (status == STATUS_OK)
            status = entry_remove(gateway->options.catalog, &caller, DOMAIN_PRINCIPAL,
                                  purge->due[i].id, err);
    }
    arena_release(&purge->arena);
    free(purge);
    return status;
}
