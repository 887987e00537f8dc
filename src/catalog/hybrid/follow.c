/* follow.c: the thread that keeps the search engine in step with the primary.
 *
 * 1. It opens the engine, which may be away, again and again.
 * 2. It compares all assets of both and mends what differs: also what was committed past the hybrid
 *    catalog, or while it ran without the engine. From then on the engine is asked.
 * 3. It carries out the outbox: for each asset named it makes the engine's copy what the primary
 *    has now; then the entry goes. Failures leave it for the next round.
 * Copies are written on the condition of the revision that was read before the primary's record, so
 * of two processes that follow at once the one with the older record gives way. */
#include <stdlib.h>

#include "catalog/hybrid/hybrid_int.h"

enum { ENTRIES = 50, PAGE = 200, TRIES = 5, ROUND_US = 2000000 };

/* --- one asset --- */

/* The copy has no key: while names move from asset to asset, they must not be in each other's way.
 */
static struct record copy_of(const struct record *record)
{
    struct record copy = *record;
    copy.key = STR_NONE;
    return copy;
}

/* But for what copies do not follow. */
bool follow_equal(const struct record *copy, const struct record *stored)
{
    struct record wanted = copy_of(stored);
    wanted.access_count = copy->access_count;
    wanted.accessed_us = copy->accessed_us;
    return record_equal(copy, &wanted);
}

static enum status read_one(struct backend *backend, const struct outbox_asset *asset,
                            struct arena *arena, struct record *ret, bool *ret_there,
                            struct error *err)
{
    enum status status =
        backend_get(backend, DOMAIN_ASSET, asset->tenant, asset->id, arena, ret, err);
    *ret_there = status == STATUS_OK;
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

enum status follow_is_same(struct hybrid_backend *backend, struct backend *search,
                           const struct outbox_asset *asset, bool *ret, struct error *err)
{
    struct arena arena;
    struct record copy, stored;
    bool copied = false, there = false;
    arena_init(&arena, 0);
    enum status status = read_one(search, asset, &arena, &copy, &copied, err);
    if (status == STATUS_OK)
        status = read_one(backend->primary, asset, &arena, &stored, &there, err);
    *ret = copied == there && (!copied || follow_equal(&copy, &stored));
    arena_release(&arena);
    return status;
}

/* *ret_len 0: nothing is to be done. The copy is read first. */
static enum status plan_asset(struct hybrid_backend *backend, struct backend *search,
                              const struct outbox_asset *asset, struct arena *arena,
                              struct change *ret, uint32_t *ret_len, struct error *err)
{
    struct record *copy = ARENA_NEW(arena, struct record);
    struct record *stored = ARENA_NEW(arena, struct record);
    bool copied = false, there = false;
    if (!copy || !stored)
        return error_no_memory(err);
    TRY(read_one(search, asset, arena, copy, &copied, err));
    TRY(read_one(backend->primary, asset, arena, stored, &there, err));
    *ret_len = copied || there;
    if (copied && !there) {
        *ret = (struct change){.kind = CHANGE_REMOVE, .expected = copy->revision, .record = copy};
    } else if (there) {
        *ret_len = !(copied && follow_equal(copy, stored));
        *stored = copy_of(stored);
        *ret = (struct change){.kind = copied ? CHANGE_UPDATE : CHANGE_INSERT,
                               .expected = copied ? copy->revision : 0,
                               .record = stored};
    }
    return STATUS_OK;
}

/* Several in one commit; STATUS_CONFLICT: another process was faster with one of them. */
static enum status follow_once(struct hybrid_backend *backend, struct backend *search,
                               const struct outbox_asset *assets, uint32_t len, struct error *err)
{
    struct arena arena;
    uint32_t changes_len = 0;
    enum status status = STATUS_OK;
    arena_init(&arena, 0);
    struct change *changes = arena_array(&arena, len, sizeof *changes);
    if (!changes)
        status = error_no_memory(err);
    for (uint32_t i = 0; i < len && status == STATUS_OK; i++) {
        uint32_t one = 0;
        status = plan_asset(backend, search, &assets[i], &arena, &changes[changes_len], &one, err);
        changes_len += one;
    }
    if (status == STATUS_OK && changes_len)
        status = backend_commit(search, changes, changes_len, NULL, err);
    if (status == STATUS_OK)
        atomic_fetch_add(&backend->followed, changes_len);
    arena_release(&arena);
    return status;
}

enum status follow_assets(struct hybrid_backend *backend, struct backend *search,
                          const struct outbox_asset *assets, uint32_t len, struct error *err)
{
    for (uint32_t at = 0; at < len; at += PAGE) {
        uint32_t some = len - at < PAGE ? len - at : PAGE;
        enum status status = follow_once(backend, search, assets + at, some, err);
        for (uint32_t i = 0; status == STATUS_CONFLICT && i < some; i++) {
            int tries = 0;
            do
                status = follow_once(backend, search, &assets[at + i], 1, err);
            while (status == STATUS_CONFLICT && ++tries < TRIES);
            if (status == STATUS_OK && i + 1 < some)
                status = STATUS_CONFLICT; /* on with the next */
        }
        TRY(status);
    }
    return STATUS_OK;
}

/* --- the outbox --- */

static int by_asset(const void *a, const void *b)
{
    const struct outbox_asset *x = a, *y = b;
    int order = str_cmp(x->tenant, y->tenant);
    return order ? order : str_cmp(x->id, y->id);
}

/* Each asset once: a commit may name it only once. */
static void make_distinct(struct outbox_assets *assets)
{
    uint32_t len = 0;
    qsort(assets->items, assets->len, sizeof *assets->items, by_asset);
    for (uint32_t i = 0; i < assets->len; i++)
        if (!len || by_asset(&assets->items[len - 1], &assets->items[i]) != 0)
            assets->items[len++] = assets->items[i];
    assets->len = len;
}

/* As many entries as have room; *ret_more: there may be others. */
static enum status follow_entries(struct hybrid_backend *backend, struct backend *search,
                                  struct arena *arena, bool *ret_more, struct error *err)
{
    struct record_page page = {0};
    struct outbox_assets assets = {.items =
                                       arena_array(arena, OUTBOX_ASSETS_MAX, sizeof *assets.items)};
    uint32_t taken = 0;
    if (!assets.items)
        return error_no_memory(err);
    TRY(outbox_read(backend, ENTRIES, false, arena, &page, err));
    while (taken < page.len && assets.len + COMMIT_CHANGES_MAX <= OUTBOX_ASSETS_MAX)
        TRY(outbox_assets_of(&page.records[taken++], arena, &assets, err));
    make_distinct(&assets);
    TRY(follow_assets(backend, search, assets.items, assets.len, err));
    for (uint32_t i = 0; i < taken; i++)
        TRY(outbox_remove(backend, &page.records[i], err));
    *ret_more = taken > 0;
    return STATUS_OK;
}

static enum status follow_outbox(struct hybrid_backend *backend, struct backend *search,
                                 struct error *err)
{
    for (bool more = true; more && !hybrid_is_stopping(backend);) {
        struct arena arena;
        arena_init(&arena, 0);
        enum status status = follow_entries(backend, search, &arena, &more, err);
        arena_release(&arena);
        TRY(status);
    }
    return STATUS_OK;
}

/* --- the thread --- */

/* Two that come at once may both open it; the second one's is closed again. */
enum status search_reach(struct hybrid_backend *backend, struct error *err)
{
    struct backend *search = NULL, *none = NULL;
    if (atomic_load(&backend->search))
        return STATUS_OK;
    TRY(backend->search_open(backend->sys, backend->search_url, &search, err));
    if (!atomic_compare_exchange_strong(&backend->search, &none, search))
        backend_close(search);
    return STATUS_OK;
}

static enum status round_of(struct hybrid_backend *backend, struct error *err)
{
    TRY(search_reach(backend, err));
    struct backend *search = atomic_load(&backend->search);
    if (!atomic_load(&backend->search_ready)) {
        TRY(hybrid_compare(backend, search, true, NULL, NULL, err));
        atomic_store(&backend->search_ready, true);
    }
    return follow_outbox(backend, search, err);
}

static void *follow_main(void *argument)
{
    struct hybrid_backend *backend = argument;
    while (!hybrid_is_stopping(backend)) {
        if (breaker_enter(&backend->search_breaker, "the catalog's search engine", NULL) ==
            STATUS_OK) {
            enum status status = round_of(backend, NULL);
            breaker_done(&backend->search_breaker, status == STATUS_OK);
            if (status != STATUS_OK && status != STATUS_CANCELLED)
                atomic_fetch_add(&backend->search_failures, 1);
        }
        int64_t until_us = sys_mono_us(backend->sys) + ROUND_US;
        pthread_mutex_lock(&backend->stop_lock);
        while (!backend->stopping && !backend->search_wanted &&
               thread_cond_wait_until(&backend->stop_changed, &backend->stop_lock, until_us))
            continue;
        backend->search_wanted = false;
        pthread_mutex_unlock(&backend->stop_lock);
    }
    return NULL;
}

void search_wake(struct hybrid_backend *backend)
{
    pthread_mutex_lock(&backend->stop_lock);
    backend->search_wanted = true;
    pthread_cond_broadcast(&backend->stop_changed);
    pthread_mutex_unlock(&backend->stop_lock);
}

enum status follow_start(struct hybrid_backend *backend, struct error *err)
{
    if (!backend->search_url)
        return STATUS_OK;
    return thread_start(&backend->follower, "catalog-search", 0, follow_main, backend, err);
}

void follow_stop(struct hybrid_backend *backend)
{
    thread_join(&backend->follower);
    backend_close(atomic_load(&backend->search));
}
