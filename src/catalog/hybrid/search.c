/* search.c: queries by text through the search engine, when that has everything.
 *
 * The engine answers which assets match and in which order; what they are is read from the primary,
 * and looked at with query_matches. It is asked only while the outbox is empty, so that a query
 * that begins after a commit returned sees it. When it is behind, away, slow or says something that
 * the primary does not confirm, the primary answers. */
#include "catalog/hybrid/hybrid_int.h"

/* Touches are not followed, and copies have no keys. */
static bool is_followed(enum record_field field)
{
    return field != RECORD_key && field != RECORD_access_count && field != RECORD_accessed_us;
}

static bool is_for_search(const struct record_query *query)
{
    struct str word;
    struct arena arena;
    if (query->domain != DOMAIN_ASSET || !query->text.len || !is_followed(query->order))
        return false;
    for (uint32_t i = 0; i < query->matches_len; i++)
        if (!is_followed(query->matches[i].field))
            return false;
    arena_init(&arena, 1 << 14);
    bool words = text_words(query->text, &arena, &word, 1) > 0;
    arena_release(&arena);
    return words;
}

static bool has_everything(struct hybrid_backend *backend)
{
    struct arena arena;
    struct record_page page = {0};
    if (!atomic_load(&backend->search_ready))
        return false;
    arena_init(&arena, 0);
    bool empty = outbox_read(backend, 1, false, &arena, &page, NULL) == STATUS_OK && !page.len;
    arena_release(&arena);
    return empty;
}

/* --- attempts --- */

struct attempt {
    struct backend *search;
    int64_t begin_us;
};

static bool attempt_begin(struct hybrid_backend *backend, struct attempt *ret)
{
    ret->search = atomic_load(&backend->search);
    if (!ret->search || !atomic_load(&backend->search_ready) ||
        breaker_enter(&backend->search_breaker, "the catalog's search engine", NULL) != STATUS_OK)
        return false;
    ret->begin_us = sys_mono_us(backend->sys);
    return true;
}

static bool attempt_end(struct hybrid_backend *backend, const struct attempt *attempt,
                        enum status status)
{
    bool answered = status == STATUS_OK || status == STATUS_INVALID_ARGUMENT;
    bool slow = sys_mono_us(backend->sys) - attempt->begin_us > HYBRID_SEARCH_SLOW_US;
    breaker_done(&backend->search_breaker, answered && !slow);
    if (!answered || slow)
        atomic_fetch_add(&backend->search_failures, 1);
    return status == STATUS_OK;
}

struct backend *hybrid_search_begin(struct backend *base, int64_t *ret_begin_us)
{
    struct attempt attempt;
    if (!attempt_begin((struct hybrid_backend *)base, &attempt))
        return NULL;
    *ret_begin_us = attempt.begin_us;
    return attempt.search;
}

void hybrid_search_end(struct backend *base, int64_t begin_us, enum status status)
{
    struct attempt attempt = {.begin_us = begin_us};
    (void)attempt_end((struct hybrid_backend *)base, &attempt, status);
}

/* --- records of the primary --- */

static enum status read_records(struct hybrid_backend *backend, const struct record_query *query,
                                const struct record_page *found, struct arena *arena,
                                struct record_page *ret, struct error *err)
{
    struct str *ids = arena_array(arena, found->len, sizeof *ids);
    if (!ids)
        return error_no_memory(err);
    for (uint32_t i = 0; i < found->len; i++)
        ids[i] = found->records[i].id;
    const struct match match = {
        .field = RECORD_id, .op = MATCH_IN, .values = ids, .values_len = found->len};
    const struct record_query by_id = {.domain = DOMAIN_ASSET,
                                       .tenant = query->tenant,
                                       .matches = &match,
                                       .matches_len = 1,
                                       .deleted = DELETED_SHOW,
                                       .order = RECORD_id,
                                       .limit = QUERY_LIMIT_MAX};
    return backend_query(backend->primary, &by_id, arena, ret, err);
}

static const struct record *record_of(const struct record_page *page, struct str id)
{
    uint32_t low = 0, high = page->len;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_cmp(page->records[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < page->len && str_eq(page->records[low].id, id) ? &page->records[low] : NULL;
}

/* False when the primary does not confirm what was found. */
static bool confirm(struct hybrid_backend *backend, const struct record_query *query,
                    struct arena *arena, struct record_page *page)
{
    struct record_page stored = {0};
    if (!page->len)
        return true;
    if (read_records(backend, query, page, arena, &stored, NULL) != STATUS_OK)
        return false;
    for (uint32_t i = 0; i < page->len; i++) {
        const struct record *record = record_of(&stored, page->records[i].id);
        if (!record || record->revision != page->records[i].revision ||
            !query_matches(query, record))
            return false;
        page->records[i] = *record;
    }
    return true;
}

bool search_query(struct hybrid_backend *backend, const struct record_query *query,
                  struct arena *arena, struct record_page *ret)
{
    struct attempt attempt;
    struct record_page page = {0};
    if (!backend->search_url || !is_for_search(query))
        return false;
    bool answered =
        has_everything(backend) && attempt_begin(backend, &attempt) &&
        attempt_end(backend, &attempt, backend_query(attempt.search, query, arena, &page, NULL)) &&
        confirm(backend, query, arena, &page);
    atomic_fetch_add(answered ? &backend->searches : &backend->search_passed, 1);
    if (answered)
        *ret = page;
    return answered;
}

/* Facets. */
bool search_group(struct hybrid_backend *backend, const struct group_query *query,
                  struct arena *arena, struct group_answer *ret)
{
    struct attempt attempt;
    struct group_answer found = {0};
    struct record_query records = query->records;
    records.order = RECORD_id;
    if (!backend->search_url || !is_for_search(&records) ||
        (query->by != GROUP_ALL && !is_followed((enum record_field)query->by)))
        return false;
    for (uint32_t i = 0; i < query->numbers_len; i++)
        if (!is_followed(query->numbers[i]))
            return false;
    bool answered =
        has_everything(backend) && attempt_begin(backend, &attempt) &&
        attempt_end(backend, &attempt, backend_group(attempt.search, query, arena, &found, NULL));
    atomic_fetch_add(answered ? &backend->searches : &backend->search_passed, 1);
    if (answered)
        *ret = found;
    return answered;
}
