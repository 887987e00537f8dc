/* outbox.c: which assets the search engine has yet to hear of: records in the primary.
 *
 * An entry is a record of the domain "services" and the tenant OUTBOX_TENANT, which no caller can
 * have; it is part of the commit that it tells of, so it is there exactly when that happened:
 *   {"kind": "search-outbox", "attributes": {"assets": [["<tenant>", "<id>"], ...]}}
 * It says what to look at, not what to write: entries may be carried out twice, late, or by several
 * processes. Touches are not told: what a search finds is read from the primary. */
#include "base/uuid.h"
#include "catalog/hybrid/hybrid_int.h"

#define OUTBOX_TENANT "~search"
#define OUTBOX_KIND   "search-outbox"

enum { ENTRY_BYTES_MAX = 1 << 20 };

/* --- in --- */

static bool is_told(const struct change *change)
{
    return change->record->domain == DOMAIN_ASSET && change->kind != CHANGE_TOUCH;
}

static enum status write_assets(const struct change *changes, uint32_t len, struct buf *buf,
                                struct error *err)
{
    struct json_writer w;
    json_writer_init(&w, buf);
    json_begin_object(&w);
    json_keyz(&w, "assets");
    json_begin_array(&w);
    for (uint32_t i = 0; i < len; i++) {
        if (!is_told(&changes[i]))
            continue;
        json_begin_array(&w);
        json_string(&w, changes[i].record->tenant);
        json_string(&w, changes[i].record->id);
        json_end_array(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return buf_check(buf, "a commit", err);
}

static enum status commit_with(struct hybrid_backend *backend, const struct change *changes,
                               uint32_t len, struct str assets, struct commit_result *ret,
                               struct error *err)
{
    char id[UUID_TEXT_LEN + 1];
    unsigned char random[10];
    int64_t now_us = sys_now_us(backend->sys);
    struct arena arena;
    sys_random(backend->sys, random, sizeof random);
    uuid_format(uuid_v7((uint64_t)now_us / 1000, random), id);
    const struct record entry = {.domain = DOMAIN_SERVICE,
                                 .id = str_of(id),
                                 .tenant = STR(OUTBOX_TENANT),
                                 .kind = STR(OUTBOX_KIND),
                                 .attributes = assets,
                                 .revision = 1,
                                 .created_us = now_us,
                                 .updated_us = now_us};
    arena_init(&arena, 0);
    struct change *all = arena_array(&arena, (size_t)len + 1, sizeof *all);
    enum status status = STATUS_NO_MEMORY;
    if (all) {
        memcpy(all, changes, len * sizeof *all);
        all[len] = (struct change){.kind = CHANGE_INSERT, .record = &entry};
        status = backend_commit_checked(backend->primary, all, len + 1, ret, err);
    }
    arena_release(&arena);
    return all ? status : error_no_memory(err);
}

enum status outbox_commit(struct hybrid_backend *backend, const struct change *changes,
                          uint32_t len, struct commit_result *ret, struct error *err)
{
    struct buf assets;
    bool told = false;
    for (uint32_t i = 0; i < len && backend->search_url; i++)
        told = told || is_told(&changes[i]);
    if (!told)
        return backend_commit_checked(backend->primary, changes, len, ret, err);
    buf_init(&assets, ENTRY_BYTES_MAX);
    enum status status = write_assets(changes, len, &assets, err);
    if (status == STATUS_OK)
        status = commit_with(backend, changes, len, buf_str(&assets), ret, err);
    buf_release(&assets);
    if (status == STATUS_OK)
        search_wake(backend);
    return status;
}

/* --- out --- */

bool outbox_has(const struct record *record)
{
    return record->domain == DOMAIN_SERVICE && str_is(record->tenant, OUTBOX_TENANT);
}

enum status outbox_read(struct hybrid_backend *backend, uint32_t limit, bool count,
                        struct arena *arena, struct record_page *ret, struct error *err)
{
    const struct record_query query = {.domain = DOMAIN_SERVICE,
                                       .tenant = STR(OUTBOX_TENANT),
                                       .order = RECORD_id,
                                       .limit = limit,
                                       .count = count};
    return backend_query(backend->primary, &query, arena, ret, err);
}

static enum status add_asset(yyjson_val *pair, struct arena *arena, struct outbox_assets *to,
                             struct error *err)
{
    yyjson_val *tenant = yyjson_arr_get(pair, 0), *id = yyjson_arr_get(pair, 1);
    if (!yyjson_is_str(tenant) || !yyjson_is_str(id))
        return error_set(err, STATUS_CORRUPT, "an entry of the catalog's outbox is damaged");
    if (to->len == OUTBOX_ASSETS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "an entry of the outbox is too long");
    struct outbox_asset *asset = &to->items[to->len++];
    asset->tenant = arena_str(arena, json_str_of(tenant));
    asset->id = arena_str(arena, json_str_of(id));
    return asset->tenant.data && asset->id.data ? STATUS_OK : error_no_memory(err);
}

enum status outbox_assets_of(const struct record *entry, struct arena *arena,
                             struct outbox_assets *to, struct error *err)
{
    yyjson_doc *doc = yyjson_read(entry->attributes.data, entry->attributes.len, 0);
    yyjson_val *pairs = json_get(yyjson_doc_get_root(doc), "assets"), *pair;
    enum status status = STATUS_OK;
    size_t at, max;
    yyjson_arr_foreach(pairs, at, max, pair)
    {
        if (status == STATUS_OK)
            status = add_asset(pair, arena, to, err);
    }
    yyjson_doc_free(doc);
    return status;
}

/* Another process may have done it. */
enum status outbox_remove(struct hybrid_backend *backend, const struct record *entry,
                          struct error *err)
{
    const struct change change = {.kind = CHANGE_REMOVE, .record = entry};
    enum status status = backend_commit(backend->primary, &change, 1, NULL, err);
    return status == STATUS_CONFLICT ? STATUS_OK : status;
}
