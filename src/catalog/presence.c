#include "catalog/presence.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/uuid.h"

enum {
    HOST_MAX = 255,
    VERSION_MAX = 63,
    BODY_MAX = 256 << 10,
    PAGE = 500,
};

/* What was seen of another process's record. */
struct sight {
    char id[UUID_TEXT_LEN + 1];
    int64_t revision;
    int64_t changed_us; /* monotonic: when that revision was first seen */
    bool alive;
    bool current; /* in this look */
};

struct presence {
    struct presence_options options;
    char id[UUID_TEXT_LEN + 1];
    char host[HOST_MAX + 1], version[VERSION_MAX + 1];
    int64_t started_us;
    int64_t revision; /* of our record; 0: not known, or there is none */
    int64_t highest;  /* that our record ever had: each beat is seen as a change */
    struct sight sights[PRESENCE_PROCESSES_MAX];
    uint32_t sights_len;
};

enum status presence_new(const struct presence_options *options, struct presence **ret,
                         struct error *err)
{
    unsigned char random[10];
    struct presence *presence = calloc(1, sizeof *presence);
    if (!presence)
        return error_no_memory(err);
    presence->options = *options;
    presence->started_us = sys_now_us(options->sys);
    snprintf(presence->host, sizeof presence->host, "%s", options->host);
    snprintf(presence->version, sizeof presence->version, "%s", options->version);
    sys_random(options->sys, random, sizeof random);
    uuid_format(uuid_v7((uint64_t)presence->started_us / 1000, random), presence->id);
    *ret = presence;
    return STATUS_OK;
}

void presence_free(struct presence *presence)
{
    free(presence);
}

const char *presence_id(const struct presence *presence)
{
    return presence->id;
}

/* --- the own record --- */

static enum status write_attributes(const struct presence *presence, const struct instance *own,
                                    uint32_t len, struct buf *body, struct error *err)
{
    struct json_writer w;
    json_writer_init(&w, body);
    json_begin_object(&w);
    json_kv_int(&w, "ttl_us", presence->options.ttl_us);
    json_kv_int(&w, "pid", presence->options.pid);
    json_keyz(&w, "services");
    json_begin_array(&w);
    for (uint32_t i = 0; i < len; i++) {
        json_begin_object(&w);
        json_kv_str(&w, "service", own[i].service);
        json_kv_str(&w, "url", own[i].url);
        if (own[i].tenant.len)
            json_kv_str(&w, "tenant", own[i].tenant);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return buf_check(body, "the list of services", err);
}

static enum status find_revision(struct presence *presence, struct error *err)
{
    struct record stored;
    struct arena arena;
    arena_init(&arena, BODY_MAX * 4);
    enum status status =
        backend_get(presence->options.backend, DOMAIN_SERVICE, STR(PRESENCE_TENANT),
                    str_of(presence->id), &arena, &stored, err);
    if (status == STATUS_OK)
        presence->revision = stored.revision;
    if (presence->revision > presence->highest)
        presence->highest = presence->revision;
    arena_release(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static struct record record_of(const struct presence *presence, struct str attributes)
{
    int64_t now_us = sys_now_us(presence->options.sys);
    return (struct record){.domain = DOMAIN_SERVICE,
                           .id = str_of(presence->id),
                           .tenant = STR(PRESENCE_TENANT),
                           .kind = STR("process"),
                           .name = str_of(presence->id),
                           .version = str_of(presence->version),
                           .location = str_of(presence->host),
                           .attributes = attributes,
                           .properties = STR("{}"),
                           .revision = presence->highest + 1,
                           .created_us = presence->started_us,
                           .updated_us = now_us,
                           .accessed_us = now_us,
                           .expires_us = now_us + presence->options.ttl_us};
}

static enum status beat_once(struct presence *presence, struct str attributes, struct error *err)
{
    if (presence->revision == 0)
        TRY(find_revision(presence, err));
    struct record record = record_of(presence, attributes);
    struct change change = {.kind = presence->revision ? CHANGE_UPDATE : CHANGE_INSERT,
                            .expected = presence->revision,
                            .record = &record};
    enum status status = backend_commit(presence->options.backend, &change, 1, NULL, err);
    presence->highest++;
    presence->revision = status == STATUS_OK ? record.revision : 0;
    return status;
}

enum status presence_beat(struct presence *presence, const struct instance *own, uint32_t len,
                          struct error *err)
{
    struct buf body;
    if (len > PRESENCE_SERVICES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a process registers at most %d services",
                         PRESENCE_SERVICES_MAX);
    buf_init(&body, BODY_MAX);
    enum status status = write_attributes(presence, own, len, &body, err);
    if (status == STATUS_OK)
        status = beat_once(presence, buf_str(&body), err);
    if (status == STATUS_CONFLICT) /* forgotten, or stored by a beat that seemed to fail */
        status = beat_once(presence, buf_str(&body), err);
    buf_release(&body);
    return status;
}

enum status presence_leave(struct presence *presence, struct error *err)
{
    struct commit_result result = {0};
    struct record record = record_of(presence, STR("{}"));
    struct change change = {.kind = CHANGE_REMOVE, .record = &record};
    enum status status = backend_commit(presence->options.backend, &change, 1, &result, err);
    presence->revision = 0;
    return result.conflict == CONFLICT_MISSING ? STATUS_OK : status;
}

/* --- the others --- */

static struct sight *find_sight(struct presence *presence, struct str id)
{
    for (uint32_t i = 0; i < presence->sights_len; i++)
        if (str_is(id, presence->sights[i].id))
            return &presence->sights[i];
    return NULL;
}

/* At first sight the wall clock decides, from then on whether the record goes on changing. */
static enum status judge(struct presence *presence, const struct record *record, int64_t ttl_us,
                         bool *ret_alive, struct error *err)
{
    int64_t now_us = sys_mono_us(presence->options.sys);
    struct sight *sight = find_sight(presence, record->id);
    if (!sight) {
        if (presence->sights_len == PRESENCE_PROCESSES_MAX)
            return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d processes are registered",
                             PRESENCE_PROCESSES_MAX);
        sight = &presence->sights[presence->sights_len++];
        *sight = (struct sight){.revision = record->revision, .changed_us = now_us};
        snprintf(sight->id, sizeof sight->id, "%.*s", STR_ARG(record->id));
        sight->alive = record->expires_us > sys_now_us(presence->options.sys);
    } else if (sight->revision != record->revision) {
        sight->revision = record->revision;
        sight->changed_us = now_us;
        sight->alive = true;
    } else if (now_us - sight->changed_us >= ttl_us / 2) {
        sight->alive = false;
    }
    sight->current = true;
    *ret_alive = sight->alive;
    return STATUS_OK;
}

static enum status add_service(const struct record *record, yyjson_val *attributes,
                               yyjson_val *service, bool alive, struct arena *arena,
                               struct instance *to, struct error *err)
{
    *to = (struct instance){.service = arena_str(arena, json_str_of(json_get(service, "service"))),
                            .url = arena_str(arena, json_str_of(json_get(service, "url"))),
                            .tenant = arena_str(arena, json_str_of(json_get(service, "tenant"))),
                            .process = record->id,
                            .host = record->location,
                            .version = record->version,
                            .source = "registered",
                            .pid = yyjson_get_sint(json_get(attributes, "pid")),
                            .started_us = record->created_us,
                            .heartbeat_us = record->accessed_us,
                            .expires_us = record->expires_us,
                            .alive = alive};
    return to->service.data && to->url.data && to->tenant.data ? STATUS_OK : error_no_memory(err);
}

static enum status add_services(const struct record *record, yyjson_val *attributes, bool alive,
                                struct arena *arena, struct instances *to, struct error *err)
{
    yyjson_val *services = json_get(attributes, "services"), *service;
    size_t len = yyjson_arr_size(services), at, max;
    if (len > PRESENCE_SERVICES_MAX)
        return error_set(err, STATUS_CORRUPT, "a process has registered too many services");
    struct instance *items = arena_array(arena, to->len + len, sizeof *items);
    if (!items)
        return error_no_memory(err);
    if (to->len)
        memcpy(items, to->items, to->len * sizeof *items);
    to->items = items;
    yyjson_arr_foreach(services, at, max, service)
    {
        TRY(add_service(record, attributes, service, alive, arena, &to->items[to->len], err));
        to->len++;
    }
    return STATUS_OK;
}

/* Lost for long: nobody waits for it any more. Whoever is faster, it is gone. */
static void forget(struct presence *presence, const struct record *record)
{
    const struct change change = {
        .kind = CHANGE_REMOVE, .expected = record->revision, .record = record};
    (void)backend_commit(presence->options.backend, &change, 1, NULL, NULL);
}

static enum status take_record(struct presence *presence, const struct record *record,
                               struct arena *arena, struct instances *to, struct error *err)
{
    bool alive = false;
    if (!str_is(record->kind, "process") || str_is(record->id, presence->id))
        return STATUS_OK;
    yyjson_doc *doc = yyjson_read(record->attributes.data, record->attributes.len, 0);
    yyjson_val *attributes = yyjson_doc_get_root(doc);
    int64_t ttl_us = yyjson_get_sint(json_get(attributes, "ttl_us"));
    enum status status = judge(presence, record, ttl_us, &alive, err);
    int64_t late_us = sys_now_us(presence->options.sys) - record->expires_us;
    if (status == STATUS_OK && !alive && late_us > INT64_C(1000000) * PRESENCE_FORGET_S)
        forget(presence, record);
    else if (status == STATUS_OK)
        status = add_services(record, attributes, alive, arena, to, err);
    yyjson_doc_free(doc);
    return status;
}

/* Processes whose records are gone. */
static void drop_sights(struct presence *presence)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < presence->sights_len; i++) {
        struct sight sight = presence->sights[i];
        if (!sight.current)
            continue;
        sight.current = false;
        presence->sights[kept++] = sight;
    }
    presence->sights_len = kept;
}

enum status presence_look(struct presence *presence, struct arena *arena, struct instances *ret,
                          struct error *err)
{
    struct record_query query = {.domain = DOMAIN_SERVICE,
                                 .tenant = STR(PRESENCE_TENANT),
                                 .order = RECORD_id,
                                 .limit = PAGE};
    struct record_page page;
    *ret = (struct instances){0};
    do {
        TRY(backend_query(presence->options.backend, &query, arena, &page, err));
        for (uint32_t i = 0; i < page.len; i++)
            TRY(take_record(presence, &page.records[i], arena, ret, err));
        query.cursor = page.next;
    } while (page.next.len > 0);
    drop_sights(presence);
    return STATUS_OK;
}
