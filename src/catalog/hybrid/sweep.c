/* sweep.c: looks at all that is in the cache: takes out what is void, compares the rest with the
 * primary. At opening and every HYBRID_SWEEP_US; as verification; as repair. */
#include "catalog/hybrid/hybrid_int.h"

enum { PAGE = 100, ID_MAX = 64 };

struct sweep {
    struct hybrid_backend *backend;
    bool removes, compares;
    backend_fault_fn fault; /* may be NULL */
    void *context;
    int64_t kept;
};

/* One that is gone, or replaced since it was looked at, is as good. */
static enum status take_out(struct sweep *sweep, const struct record *entry, struct error *err)
{
    const struct change change = {
        .kind = CHANGE_REMOVE, .record = entry, .expected = entry->revision};
    if (!sweep->removes)
        return STATUS_OK;
    enum status status = backend_commit(sweep->backend->cache, &change, 1, NULL, err);
    return status == STATUS_CONFLICT ? STATUS_OK : status;
}

static enum status wrong(struct sweep *sweep, const struct record *entry, const char *how,
                         struct arena *arena, struct error *err)
{
    char *text = arena_printf(arena, "the cache's entry of %s %.*s %s", domain_name(entry->domain),
                              STR_ARG(entry->id), how);
    if (!text)
        return error_no_memory(err);
    TRY(take_out(sweep, entry, err));
    if (sweep->removes)
        atomic_fetch_add(&sweep->backend->mended, 1);
    if (sweep->fault)
        sweep->fault(sweep->context, text);
    return STATUS_OK;
}

static enum status look_at(struct sweep *sweep, const struct record *entry, struct arena *arena,
                           struct error *err)
{
    struct hybrid_backend *backend = sweep->backend;
    struct stamp before = generations_look(&backend->generations, entry->domain, entry->id);
    struct record cached, stored;
    enum cache_answer answer = cache_decode(backend, entry, &before, arena, &cached);
    if (answer == CACHE_FAILED)
        return wrong(sweep, entry, "cannot be read", arena, err);
    if (answer == CACHE_MISS)
        return take_out(sweep, entry, err);
    sweep->kept++;
    if (!sweep->compares)
        return STATUS_OK;
    enum status status =
        backend_get(backend->primary, entry->domain, entry->tenant, entry->id, arena, &stored, err);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    struct stamp after = generations_look(&backend->generations, entry->domain, entry->id);
    if (!stamp_equal(&before, &after) || (status == STATUS_OK && record_equal(&cached, &stored)))
        return STATUS_OK;
    return wrong(sweep, entry,
                 status == STATUS_OK ? "differs from the primary's record"
                                     : "is of a record that the primary does not have",
                 arena, err);
}

static enum status sweep_page(struct sweep *sweep, enum domain domain, char after[ID_MAX],
                              bool *ret_more, struct error *err)
{
    struct record_page page = {0};
    struct arena arena;
    arena_init(&arena, 0);
    enum status status =
        backend_scan(sweep->backend->cache, domain, str_of(after), PAGE, &arena, &page, err);
    for (uint32_t i = 0; i < page.len && status == STATUS_OK; i++)
        status = look_at(sweep, &page.records[i], &arena, err);
    *ret_more = page.len == PAGE;
    if (page.len > 0 && page.records[page.len - 1].id.len < ID_MAX) {
        struct str id = page.records[page.len - 1].id;
        memcpy(after, id.data, id.len);
        after[id.len] = '\0';
    } else {
        *ret_more = false;
    }
    arena_release(&arena);
    return status;
}

static enum status sweep_all(struct sweep *sweep, struct error *err)
{
    for (int i = 0; i < DOMAIN_COUNT && sweep->backend->cache; i++) {
        char after[ID_MAX] = "";
        for (bool more = true; more;) {
            if (hybrid_is_stopping(sweep->backend))
                return error_set(err, STATUS_CANCELLED, "the catalog is being closed");
            TRY(sweep_page(sweep, (enum domain)i, after, &more, err));
        }
    }
    if (sweep->removes)
        atomic_store(&sweep->backend->entries, sweep->kept);
    return STATUS_OK;
}

static enum status verify_search(struct hybrid_backend *backend, bool mends, backend_fault_fn fault,
                                 void *context, struct error *err)
{
    if (!backend->search_url)
        return STATUS_OK;
    if (search_reach(backend, NULL) != STATUS_OK) {
        fault(context, "the search engine cannot be reached; it is compared when it is back");
        return STATUS_OK;
    }
    return hybrid_compare(backend, atomic_load(&backend->search), mends, fault, context, err);
}

enum status hybrid_verify(struct backend *base, backend_fault_fn fault, void *context,
                          struct error *err)
{
    struct sweep sweep = {.backend = (struct hybrid_backend *)base,
                          .compares = true,
                          .fault = fault,
                          .context = context};
    TRY(backend_verify(sweep.backend->primary, fault, context, err));
    TRY(sweep_all(&sweep, err));
    return verify_search(sweep.backend, false, fault, context, err);
}

enum status hybrid_repair(struct backend *base, backend_fault_fn fault, void *context,
                          struct error *err)
{
    struct sweep sweep = {.backend = (struct hybrid_backend *)base,
                          .removes = true,
                          .compares = true,
                          .fault = fault,
                          .context = context};
    TRY(sweep_all(&sweep, err));
    return verify_search(sweep.backend, true, fault, context, err);
}

/* A cache that does not answer is swept the next time. */
static void *sweep_main(void *argument)
{
    struct hybrid_backend *backend = argument;
    while (!hybrid_is_stopping(backend)) {
        struct sweep sweep = {.backend = backend, .removes = true, .compares = true};
        int64_t until = sys_mono_us(backend->sys) + HYBRID_SWEEP_US;
        if (breaker_look(&backend->breaker) == BREAKER_CLOSED)
            (void)sweep_all(&sweep, NULL);
        pthread_mutex_lock(&backend->stop_lock);
        while (!backend->stopping &&
               thread_cond_wait_until(&backend->stop_changed, &backend->stop_lock, until))
            continue;
        pthread_mutex_unlock(&backend->stop_lock);
    }
    return NULL;
}

enum status sweep_start(struct hybrid_backend *backend, struct error *err)
{
    return thread_start(&backend->sweeper, "catalog-sweep", 0, sweep_main, backend, err);
}

void sweep_stop(struct hybrid_backend *backend)
{
    thread_join(&backend->sweeper);
}
