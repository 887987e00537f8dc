/* catalog.c: opening and closing, ids and keys, commits with their audit events. */
#include "catalog/catalog.h"

#include <stdlib.h>

#include "base/uuid.h"
#include "catalog/catalog_int.h"

enum status catalog_open(const struct catalog_options *options, struct catalog **ret,
                         struct error *err)
{
    struct catalog *catalog = calloc(1, sizeof *catalog);
    if (!catalog)
        return error_no_memory(err);
    catalog->sys = options->sys;
    catalog->backend = options->backend;
    catalog->touch_interval_us = options->touch_interval_us ? options->touch_interval_us : 5000000;
    enum status status = touch_start(catalog, err);
    if (status != STATUS_OK) {
        free(catalog);
        return status;
    }
    *ret = catalog;
    return STATUS_OK;
}

void catalog_close(struct catalog *catalog)
{
    if (!catalog)
        return;
    touch_stop(catalog);
    backend_close(catalog->backend);
    free(catalog);
}

struct backend *catalog_backend(struct catalog *catalog)
{
    return catalog->backend;
}

/* Milliseconds and 12 bits of their fraction, always larger than the one before: ids of one process
 * sort as they were made (RFC 9562 6.2, method 3). */
static uint64_t next_tick(struct catalog *catalog)
{
    uint64_t now_us = (uint64_t)sys_now_us(catalog->sys);
    uint64_t tick = now_us / 1000 << 12 | now_us % 1000 * 4096 / 1000;
    pthread_mutex_lock(&catalog->lock);
    catalog->last_tick = tick > catalog->last_tick ? tick : catalog->last_tick + 1;
    tick = catalog->last_tick;
    pthread_mutex_unlock(&catalog->lock);
    return tick;
}

struct sys *catalog_sys(struct catalog *catalog)
{
    return catalog->sys;
}

static enum status new_id(struct catalog *catalog, struct arena *arena, struct str *ret,
                          struct error *err)
{
    unsigned char random[10];
    char text[UUID_TEXT_LEN + 1];
    uint64_t tick = next_tick(catalog);
    sys_random(catalog->sys, random, sizeof random);
    random[0] = (unsigned char)(tick >> 8 & 0x0f);
    random[1] = (unsigned char)tick;
    uuid_format(uuid_v7(tick >> 12, random), text);
    *ret = arena_str(arena, str_make(text, UUID_TEXT_LEN));
    return ret->data ? STATUS_OK : error_no_memory(err);
}

enum status catalog_record_begin(struct catalog *catalog, const struct caller *caller,
                                 struct record *record, struct arena *arena, struct error *err)
{
    if (!record->id.len)
        TRY(new_id(catalog, arena, &record->id, err));
    record->tenant = caller->tenant;
    record->revision = 1;
    record->created_us = record->updated_us = sys_now_us(catalog->sys);
    record->deleted_us = 0;
    return STATUS_OK;
}

bool key_part(struct buf *buf, struct str part)
{
    for (size_t i = 0; i < part.len; i++) {
        if (part.data[i] == '%' || part.data[i] == '/')
            buf_printf(buf, "%%%02X", (unsigned)(unsigned char)part.data[i]);
        else
            buf_append_char(buf, part.data[i]);
    }
    return !buf_failed(buf);
}

enum status key_join(const struct str *parts, uint32_t len, struct arena *arena, struct str *ret,
                     struct error *err)
{
    struct buf buf;
    buf_init(&buf, 4096);
    for (uint32_t i = 0; i < len; i++) {
        if (i)
            buf_append_char(&buf, '/');
        key_part(&buf, parts[i]);
    }
    enum status status = buf_check(&buf, "a name", err);
    if (status == STATUS_OK) {
        *ret = arena_str(arena, buf_str(&buf));
        status = ret->data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&buf);
    return status;
}

static enum status audit_attributes(const struct caller *caller, struct str detail,
                                    struct arena *arena, struct str *ret, struct error *err)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, RECORD_JSON_MAX);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    if (caller->user_agent.len)
        json_kv_str(&w, "user_agent", caller->user_agent);
    if (caller->session.len)
        json_kv_str(&w, "session_id", caller->session);
    json_keyz(&w, "details");
    json_raw(&w, detail.len ? detail : STR("{}"));
    json_end_object(&w);
    enum status status = buf_check(&buf, "an audit event", err);
    if (status == STATUS_OK) {
        *ret = arena_str(arena, buf_str(&buf));
        status = ret->data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&buf);
    return status;
}

/* A resource type in the singular, as the seeds have it: the kind of an asset or principal. */
static struct str resource_type(const struct record *object)
{
    static const char *const names[DOMAIN_COUNT] = {
        [DOMAIN_RELATION] = "relation", [DOMAIN_GRANT] = "permission",
        [DOMAIN_EVENT] = "event",       [DOMAIN_CONFIG] = "config",
        [DOMAIN_LOCATION] = "location", [DOMAIN_SERVICE] = "service",
    };
    const char *name = names[object->domain];
    return name ? str_of(name) : object->kind;
}

enum status audit_event(struct catalog *catalog, const struct caller *caller, const char *action,
                        const struct record *object, bool success, struct str detail,
                        struct arena *arena, struct record *ret, struct error *err)
{
    *ret = (struct record){.domain = DOMAIN_EVENT,
                           .kind = STR("audit"),
                           .namespace = resource_type(object),
                           .name = str_of(action),
                           .subject = caller->principal,
                           .object = object->id,
                           .location = caller->address,
                           .success = success};
    TRY(audit_attributes(caller, detail, arena, &ret->attributes, err));
    return catalog_record_begin(catalog, caller, ret, arena, err);
}

/* The daily work on collections, which enable_audit_logging is about (decision record 0043). Who
 * may do what, who owns what, what is gone for good and what was refused is told always. */
static bool is_switchable(const char *action, const struct record *object)
{
    static const char *const kinds[] = {"collection", "partition", "index"};
    static const char *const actions[] = {"asset.create", "asset.update",   "asset.statistics",
                                          "asset.delete", "asset.undelete", "asset.lifecycle"};
    bool kind = false, daily = false;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        kind = kind || (object->domain == DOMAIN_ASSET && str_is(object->kind, kinds[i]));
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        daily = daily || strcmp(action, actions[i]) == 0;
    return kind && daily;
}

static enum status is_told(struct catalog *catalog, const struct caller *caller, const char *action,
                           const struct record *object, struct arena *arena, bool *ret,
                           struct error *err)
{
    struct str value;
    *ret = true;
    if (!is_switchable(action, object))
        return STATUS_OK;
    TRY(setting_get(catalog, caller, "enable_audit_logging", "true", arena, &value, err));
    *ret = !str_is(value, "false");
    return STATUS_OK;
}

enum status commit_audited(struct catalog *catalog, const struct caller *caller, const char *action,
                           const struct record *object, struct str detail,
                           const struct change *changes, uint32_t len, struct arena *arena,
                           struct commit_result *ret, struct error *err)
{
    struct record event;
    bool told = true;
    struct change *all = arena_array(arena, len + 1, sizeof *all);
    if (!all)
        return error_no_memory(err);
    TRY(is_told(catalog, caller, action, object, arena, &told, err));
    if (!told)
        return backend_commit(catalog->backend, changes, len, ret, err);
    TRY(audit_event(catalog, caller, action, object, true, detail, arena, &event, err));
    if (len)
        memcpy(all, changes, len * sizeof *all);
    all[len] = (struct change){.kind = CHANGE_INSERT, .record = &event};
    return backend_commit(catalog->backend, all, len + 1, ret, err);
}
