/* compare.c: all assets of the primary against those of the search engine, in the order of ids. */
#include <stdlib.h>

#include "catalog/hybrid/hybrid_int.h"
#include "catalog/record_walk.h"

enum { PAGE = 200 };

struct compare {
    struct hybrid_backend *backend;
    struct record_walk stored, copied;
    bool mends;
    backend_fault_fn fault; /* may be NULL */
    void *context;
    struct outbox_asset assets[PAGE]; /* that differ */
    uint32_t len;
    struct arena arena; /* of these */
};

/* --- those that differ --- */

/* By now it may be different, or on its way through the outbox. */
static enum status report(struct compare *compare, const struct outbox_asset *asset,
                          struct error *err)
{
    struct arena arena;
    struct record_page waiting = {0};
    bool same = false;
    arena_init(&arena, 0);
    enum status status = outbox_read(compare->backend, 1, false, &arena, &waiting, err);
    if (status == STATUS_OK && !waiting.len)
        status = follow_is_same(compare->backend, compare->copied.backend, asset, &same, err);
    if (status == STATUS_OK && !waiting.len && !same) {
        char *text = arena_printf(&arena,
                                  "the search engine's copy of asset %.*s differs from the "
                                  "primary's",
                                  STR_ARG(asset->id));
        if (text)
            compare->fault(compare->context, text);
        else
            status = error_no_memory(err);
    }
    arena_release(&arena);
    return status;
}

static enum status flush(struct compare *compare, struct error *err)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < compare->len && compare->fault && status == STATUS_OK; i++)
        status = report(compare, &compare->assets[i], err);
    if (status == STATUS_OK && compare->mends && compare->len) {
        status = follow_assets(compare->backend, compare->copied.backend, compare->assets,
                               compare->len, err);
        atomic_fetch_add(&compare->backend->search_mended, compare->len);
    }
    compare->len = 0;
    arena_release(&compare->arena);
    return status;
}

static enum status differs(struct compare *compare, const struct record *record, struct error *err)
{
    struct outbox_asset *asset = &compare->assets[compare->len++];
    asset->tenant = arena_str(&compare->arena, record->tenant);
    asset->id = arena_str(&compare->arena, record->id);
    if (!asset->tenant.data || !asset->id.data)
        return error_no_memory(err);
    return compare->len == PAGE ? flush(compare, err) : STATUS_OK;
}

/* --- the merge --- */

static enum status step(struct compare *compare, struct error *err)
{
    const struct record *stored = record_walk_record(&compare->stored);
    const struct record *copied = record_walk_record(&compare->copied);
    int order = !stored ? 1 : !copied ? -1 : str_cmp(stored->id, copied->id);
    if (order != 0 || !follow_equal(copied, stored))
        TRY(differs(compare, order <= 0 ? stored : copied, err));
    if (order <= 0)
        record_walk_next(&compare->stored);
    if (order >= 0)
        record_walk_next(&compare->copied);
    return STATUS_OK;
}

static enum status merge(struct compare *compare, struct error *err)
{
    for (;;) {
        if (hybrid_is_stopping(compare->backend))
            return error_set(err, STATUS_CANCELLED, "the catalog is being closed");
        TRY(record_walk_fill(&compare->stored, err));
        TRY(record_walk_fill(&compare->copied, err));
        if (!record_walk_record(&compare->stored) && !record_walk_record(&compare->copied))
            return flush(compare, err);
        TRY(step(compare, err));
    }
}

enum status hybrid_compare(struct hybrid_backend *backend, struct backend *search, bool mends,
                           backend_fault_fn fault, void *context, struct error *err)
{
    struct compare *compare = calloc(1, sizeof *compare);
    if (!compare)
        return error_no_memory(err);
    *compare =
        (struct compare){.backend = backend, .mends = mends, .fault = fault, .context = context};
    record_walk_init(&compare->stored, backend->primary, DOMAIN_ASSET);
    record_walk_init(&compare->copied, search, DOMAIN_ASSET);
    arena_init(&compare->arena, 0);
    enum status status = merge(compare, err);
    record_walk_release(&compare->stored);
    record_walk_release(&compare->copied);
    arena_release(&compare->arena);
    free(compare);
    return status;
}
