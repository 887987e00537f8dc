/* cache.c: records in the cache, and calls to it that nobody has to wait long for.
 *
 * An entry is a record of the same domain, id, tenant and live key; its revision is the monotonic
 * time at which it was made, its attributes are
 *   {"stamp": "<instance>-<foreign>-<stripe>", "record": {...}}
 * It counts while its stamp is current. Secrets are not put into the cache. */
#include <inttypes.h>
#include <stdio.h>

#include "catalog/hybrid/hybrid_int.h"

enum { STAMP_TEXT_MAX = 64, PUT_TRIES = 3 };

static void stamp_text(const struct stamp *stamp, char out[STAMP_TEXT_MAX])
{
    snprintf(out, STAMP_TEXT_MAX, "%016" PRIx64 "-%" PRIx64 "-%" PRIx64, stamp->instance,
             stamp->foreign, stamp->stripe);
}

/* --- calls with a breaker --- */

struct attempt {
    int64_t begin_us;
};

static bool attempt_begin(struct hybrid_backend *backend, struct attempt *ret)
{
    if (!backend->cache ||
        breaker_enter(&backend->breaker, "the catalog's cache", NULL) != STATUS_OK)
        return false;
    ret->begin_us = sys_mono_us(backend->sys);
    return true;
}

/* True: the cache answered, perhaps with a no. */
static bool attempt_end(struct hybrid_backend *backend, const struct attempt *attempt,
                        enum status status)
{
    bool answered = status == STATUS_OK || status == STATUS_NOT_FOUND ||
                    status == STATUS_CONFLICT || status == STATUS_INVALID_ARGUMENT ||
                    status == STATUS_RESOURCE_LIMIT;
    bool slow = sys_mono_us(backend->sys) - attempt->begin_us > HYBRID_SLOW_US;
    breaker_done(&backend->breaker, answered && !slow);
    if (!answered || slow)
        atomic_fetch_add(&backend->cache_failures, 1);
    return answered;
}

/* --- out --- */

static enum cache_answer decode_object(struct hybrid_backend *backend, const struct record *entry,
                                       yyjson_val *object, const struct stamp *stamp,
                                       struct arena *arena, struct record *ret)
{
    char current[STAMP_TEXT_MAX];
    yyjson_val *text = json_get(object, "stamp");
    if (!yyjson_is_str(text))
        return CACHE_FAILED;
    stamp_text(stamp, current);
    if (!stamp->trusted || !str_is(json_str_of(text), current) ||
        sys_mono_us(backend->sys) - entry->revision > HYBRID_AGE_MAX_US)
        return CACHE_MISS;
    if (record_read(json_get(object, "record"), arena, ret, NULL) != STATUS_OK)
        return CACHE_FAILED;
    bool same = ret->domain == entry->domain && str_eq(ret->id, entry->id) &&
                str_eq(ret->tenant, entry->tenant);
    return same ? CACHE_HIT : CACHE_FAILED;
}

enum cache_answer cache_decode(struct hybrid_backend *backend, const struct record *entry,
                               const struct stamp *stamp, struct arena *arena, struct record *ret)
{
    yyjson_doc *doc = yyjson_read(entry->attributes.data, entry->attributes.len, 0);
    enum cache_answer answer =
        doc ? decode_object(backend, entry, yyjson_doc_get_root(doc), stamp, arena, ret)
            : CACHE_FAILED;
    yyjson_doc_free(doc);
    return answer;
}

enum cache_answer cache_get(struct hybrid_backend *backend, enum domain domain, struct str tenant,
                            struct str id, const struct stamp *stamp, struct arena *arena,
                            struct record *ret)
{
    struct attempt attempt;
    struct record entry;
    if (!attempt_begin(backend, &attempt))
        return CACHE_FAILED;
    enum status status = backend_get(backend->cache, domain, tenant, id, arena, &entry, NULL);
    if (!attempt_end(backend, &attempt, status))
        return CACHE_FAILED;
    if (status != STATUS_OK || !str_eq(entry.id, id))
        return CACHE_MISS;
    enum cache_answer answer = cache_decode(backend, &entry, stamp, arena, ret);
    return answer == CACHE_HIT ? CACHE_HIT : CACHE_MISS;
}

enum cache_answer cache_find(struct hybrid_backend *backend, enum domain domain, struct str tenant,
                             struct str key, struct arena *arena, struct record *ret)
{
    struct attempt attempt;
    struct record entry;
    if (!attempt_begin(backend, &attempt))
        return CACHE_FAILED;
    enum status status = backend_find(backend->cache, domain, tenant, key, arena, &entry, NULL);
    if (!attempt_end(backend, &attempt, status))
        return CACHE_FAILED;
    if (status != STATUS_OK)
        return CACHE_MISS;
    /* The key only led here: what counts is the record as it is now. Its key is no other's. */
    struct stamp stamp = generations_look(&backend->generations, domain, entry.id);
    if (cache_decode(backend, &entry, &stamp, arena, ret) != CACHE_HIT ||
        !str_eq(ret->tenant, tenant) || !str_eq(ret->key, key) || ret->deleted_us)
        return CACHE_MISS;
    return CACHE_HIT;
}

/* --- in --- */

static enum status encode(const struct record *record, const struct stamp *stamp, struct buf *buf)
{
    char text[STAMP_TEXT_MAX];
    struct json_writer w;
    stamp_text(stamp, text);
    json_writer_init(&w, buf);
    json_begin_object(&w);
    json_kv_strz(&w, "stamp", text);
    json_keyz(&w, "record");
    record_write(&w, record, true);
    json_end_object(&w);
    return buf_check(buf, "a cached record", NULL);
}

static enum status take_out(struct hybrid_backend *backend, const struct record *entry)
{
    const struct change change = {.kind = CHANGE_REMOVE, .record = entry};
    return backend_commit(backend->cache, &change, 1, NULL, NULL);
}

/* What is in the way is an older entry of the same record, or of one that had its key. */
static enum status replace(struct hybrid_backend *backend, const struct record *entry,
                           enum conflict conflict, struct arena *arena)
{
    struct record holder;
    if (conflict == CONFLICT_ID)
        return take_out(backend, entry);
    TRY(backend_find(backend->cache, entry->domain, entry->tenant, entry->key, arena, &holder,
                     NULL));
    return take_out(backend, &holder);
}

static enum status put_entry(struct hybrid_backend *backend, const struct record *entry,
                             struct arena *arena)
{
    const struct change change = {.kind = CHANGE_INSERT, .record = entry};
    enum status status = STATUS_CONFLICT;
    for (int i = 0; i < PUT_TRIES && status == STATUS_CONFLICT; i++) {
        struct commit_result result;
        status = backend_commit(backend->cache, &change, 1, &result, NULL);
        if (status == STATUS_CONFLICT) {
            TRY(replace(backend, entry, result.conflict, arena));
            atomic_fetch_sub(&backend->entries, 1);
        }
    }
    if (status == STATUS_OK)
        atomic_fetch_add(&backend->entries, 1);
    return status;
}

static void try_put(struct hybrid_backend *backend, const struct record *entry)
{
    struct attempt attempt;
    struct arena arena;
    if (!attempt_begin(backend, &attempt))
        return;
    arena_init(&arena, 0);
    (void)attempt_end(backend, &attempt, put_entry(backend, entry, &arena));
    arena_release(&arena);
}

/* Only what comes back as it went in. */
static bool is_faithful(struct hybrid_backend *backend, const struct record *entry,
                        const struct record *record, const struct stamp *stamp)
{
    struct record back;
    struct arena arena;
    arena_init(&arena, 0);
    bool same = cache_decode(backend, entry, stamp, &arena, &back) == CACHE_HIT &&
                record_equal(&back, record);
    arena_release(&arena);
    return same;
}

void hybrid_cache_put(struct hybrid_backend *backend, const struct record *record,
                      const struct stamp *stamp)
{
    if (!backend->cache || !stamp->trusted || record->domain == DOMAIN_EVENT ||
        record->secret.len || atomic_load(&backend->entries) >= HYBRID_ENTRIES_MAX)
        return;
    struct buf buf;
    buf_init(&buf, HYBRID_ENTRY_BYTES_MAX);
    if (encode(record, stamp, &buf) == STATUS_OK) {
        struct record entry = {.domain = record->domain,
                               .id = record->id,
                               .tenant = record->tenant,
                               .key = record->deleted_us ? STR_NONE : record->key,
                               .attributes = buf_str(&buf),
                               .revision = sys_mono_us(backend->sys),
                               .created_us = 1,
                               .updated_us = 1};
        if (is_faithful(backend, &entry, record, stamp))
            try_put(backend, &entry);
    }
    buf_release(&buf);
}
