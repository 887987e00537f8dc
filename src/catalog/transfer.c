/* transfer.c: a merge of both sides in the order of ids, page by page; each page of changes is one
 * commit, removals first, so that a name that moved from one record to another is free. */
#include "catalog/transfer.h"

#include <stdlib.h>

#include "catalog/record_walk.h"

enum { PAGE = 200 };

/* --- digests --- */

static enum status digest_domain(struct backend *backend, enum domain domain,
                                 struct catalog_digest *ret, struct error *err)
{
    char after[64] = "";
    for (;;) {
        struct arena arena;
        struct record_page page;
        arena_init(&arena, 0);
        enum status status = backend_scan(backend, domain, str_of(after), PAGE, &arena, &page, err);
        for (uint32_t i = 0; status == STATUS_OK && i < page.len; i++) {
            ret->count[domain]++;
            ret->hash[domain] += record_hash(&page.records[i]);
        }
        if (status == STATUS_OK && page.len) {
            struct str id = page.records[page.len - 1].id;
            memcpy(after, id.data, id.len);
            after[id.len] = 0;
        }
        arena_release(&arena);
        if (status != STATUS_OK || page.len < PAGE)
            return status;
    }
}

enum status catalog_digest(struct backend *backend, struct catalog_digest *ret, struct error *err)
{
    *ret = (struct catalog_digest){0};
    for (int domain = 0; domain < DOMAIN_COUNT; domain++)
        TRY(digest_domain(backend, (enum domain)domain, ret, err));
    return STATUS_OK;
}

bool catalog_digest_equal(const struct catalog_digest *a, const struct catalog_digest *b)
{
    for (int i = 0; i < DOMAIN_COUNT; i++)
        if (a->count[i] != b->count[i] || a->hash[i] != b->hash[i])
            return false;
    return true;
}

/* --- the merge --- */

struct transfer {
    struct record_walk from, to;
    struct arena arena; /* of the changes at hand */
    struct change removals[PAGE], inserts[PAGE];
    uint32_t removals_len, inserts_len;
    struct transfer_result *result;
};

static enum status flush(struct transfer *transfer, struct error *err)
{
    struct change changes[2 * PAGE];
    uint32_t len = transfer->removals_len + transfer->inserts_len;
    memcpy(changes, transfer->removals, transfer->removals_len * sizeof changes[0]);
    memcpy(changes + transfer->removals_len, transfer->inserts,
           transfer->inserts_len * sizeof changes[0]);
    enum status status = backend_commit(transfer->to.backend, changes, len, NULL, err);
    transfer->removals_len = transfer->inserts_len = 0;
    arena_release(&transfer->arena);
    return status;
}

static enum status add_change(struct transfer *transfer, enum change_kind kind,
                              const struct record *record, struct error *err)
{
    struct record *copy = ARENA_NEW(&transfer->arena, struct record);
    if (!copy)
        return error_no_memory(err);
    TRY(record_copy(record, &transfer->arena, copy, err));
    struct change change = {.kind = kind, .record = copy};
    if (kind == CHANGE_REMOVE)
        transfer->removals[transfer->removals_len++] = change;
    else
        transfer->inserts[transfer->inserts_len++] = change;
    return STATUS_OK;
}

/* The smaller of the two ids at hand decides. */
static enum status merge_step(struct transfer *transfer, struct error *err)
{
    const struct record *from = record_walk_record(&transfer->from),
                        *to = record_walk_record(&transfer->to);
    int order = !from ? 1 : !to ? -1 : str_cmp(from->id, to->id);
    bool same = order == 0 && record_equal(from, to);
    if (order >= 0 && !same)
        TRY(add_change(transfer, CHANGE_REMOVE, to, err));
    if (order <= 0 && !same)
        TRY(add_change(transfer, CHANGE_INSERT, from, err));
    transfer->result->same += same;
    transfer->result->copied += order <= 0 && !same;
    transfer->result->removed += order > 0;
    if (order <= 0)
        record_walk_next(&transfer->from);
    if (order >= 0)
        record_walk_next(&transfer->to);
    return STATUS_OK;
}

static enum status merge_domain(struct transfer *transfer, transfer_progress_fn progress,
                                void *context, struct error *err)
{
    uint64_t done = 0;
    for (;;) {
        TRY(record_walk_fill(&transfer->from, err));
        TRY(record_walk_fill(&transfer->to, err));
        bool ended = !record_walk_record(&transfer->from) && !record_walk_record(&transfer->to);
        if (ended || transfer->removals_len == PAGE || transfer->inserts_len == PAGE) {
            TRY(flush(transfer, err));
            if (progress)
                progress(context, transfer->from.domain, done);
        }
        if (ended)
            return STATUS_OK;
        TRY(merge_step(transfer, err));
        done++;
    }
}

static enum status transfer_domain(struct transfer *transfer, struct backend *from,
                                   struct backend *to, enum domain domain,
                                   transfer_progress_fn progress, void *context, struct error *err)
{
    record_walk_init(&transfer->from, from, domain);
    record_walk_init(&transfer->to, to, domain);
    arena_init(&transfer->arena, 0);
    enum status status = merge_domain(transfer, progress, context, err);
    record_walk_release(&transfer->from);
    record_walk_release(&transfer->to);
    arena_release(&transfer->arena);
    return status;
}

enum status catalog_transfer(struct backend *from, struct backend *to,
                             transfer_progress_fn progress, void *context,
                             struct transfer_result *ret, struct error *err)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    enum status status = transfer ? STATUS_OK : error_no_memory(err);
    *ret = (struct transfer_result){0};
    if (transfer)
        transfer->result = ret;
    for (int domain = 0; domain < DOMAIN_COUNT && status == STATUS_OK; domain++)
        status = transfer_domain(transfer, from, to, (enum domain)domain, progress, context, err);
    free(transfer);
    if (status == STATUS_OK)
        status = catalog_digest(from, &ret->from, err);
    if (status == STATUS_OK)
        status = catalog_digest(to, &ret->to, err);
    if (status == STATUS_OK && !catalog_digest_equal(&ret->from, &ret->to))
        status = error_set(err, STATUS_CORRUPT,
                           "both sides differ afterwards: something wrote to one of them; again");
    return status;
}
