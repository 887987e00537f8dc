/* hybrid_backend.c: opening and closing; commits; what only the primary answers. */
#include "catalog/hybrid/hybrid_backend.h"

#include <stdlib.h>

#include "catalog/hybrid/hybrid_int.h"

static enum status hybrid_query(struct backend *base, const struct record_query *query,
                                struct arena *arena, struct record_page *ret, struct error *err)
{
    struct hybrid_backend *backend = (struct hybrid_backend *)base;
    if (search_query(backend, query, arena, ret))
        return STATUS_OK;
    return backend_query(backend->primary, query, arena, ret, err);
}

static enum status hybrid_group(struct backend *base, const struct group_query *query,
                                struct arena *arena, struct group_answer *ret, struct error *err)
{
    struct hybrid_backend *backend = (struct hybrid_backend *)base;
    if (search_group(backend, query, arena, ret))
        return STATUS_OK;
    return backend_group(backend->primary, query, arena, ret, err);
}

/* Without the outbox's entries. */
static enum status hybrid_scan(struct backend *base, enum domain domain, struct str after,
                               uint32_t limit, struct arena *arena, struct record_page *ret,
                               struct error *err)
{
    struct backend *primary = ((struct hybrid_backend *)base)->primary;
    for (;;) {
        TRY(backend_scan(primary, domain, after, limit, arena, ret, err));
        uint32_t found = ret->len, kept = 0;
        if (found)
            after = ret->records[found - 1].id;
        for (uint32_t i = 0; i < found; i++)
            if (!outbox_has(&ret->records[i]))
                ret->records[kept++] = ret->records[i];
        ret->len = kept;
        if (kept || found < limit)
            return STATUS_OK;
    }
}

/* Without cache and search engine everything works. */
static enum status hybrid_health(struct backend *base, struct error *err)
{
    return backend_health(((struct hybrid_backend *)base)->primary, err);
}

static enum status hybrid_commit(struct backend *base, const struct change *changes, uint32_t len,
                                 struct commit_result *ret, struct error *err)
{
    struct hybrid_backend *backend = (struct hybrid_backend *)base;
    generations_begin(&backend->generations, changes, len);
    enum status status = outbox_commit(backend, changes, len, ret, err);
    bool certain = status == STATUS_OK || status == STATUS_CONFLICT ||
                   status == STATUS_INVALID_ARGUMENT || status == STATUS_RESOURCE_LIMIT;
    generations_end(&backend->generations, changes, len, !certain);
    return status;
}

/* A commit of another process. */
static void on_primary(void *context, const struct change *changes, uint32_t len)
{
    struct hybrid_backend *backend = context;
    generations_void(&backend->generations);
    backend_notify(&backend->base, changes, len);
}

void hybrid_look(struct backend *base, struct hybrid_stats *ret)
{
    struct hybrid_backend *backend = (struct hybrid_backend *)base;
    *ret = (struct hybrid_stats){
        .hits = atomic_load(&backend->hits),
        .misses = atomic_load(&backend->misses),
        .cache_failures = atomic_load(&backend->cache_failures),
        .shared_reads = atomic_load(&backend->shared_reads),
        .mended = atomic_load(&backend->mended),
        .cache_state =
            backend->cache ? breaker_state_name(breaker_look(&backend->breaker)) : "none",
        .searches = atomic_load(&backend->searches),
        .search_passed = atomic_load(&backend->search_passed),
        .search_failures = atomic_load(&backend->search_failures),
        .followed = atomic_load(&backend->followed),
        .search_mended = atomic_load(&backend->search_mended),
        .search_ready = atomic_load(&backend->search_ready),
        .search_state = backend->search_url
                            ? breaker_state_name(breaker_look(&backend->search_breaker))
                            : "none",
    };
}

enum status hybrid_outbox(struct backend *base, uint64_t *ret, struct error *err)
{
    struct hybrid_backend *backend = (struct hybrid_backend *)base;
    struct record_page page = {0};
    struct arena arena;
    *ret = 0;
    if (!backend->search_url)
        return STATUS_OK;
    arena_init(&arena, 0);
    enum status status = outbox_read(backend, 1, true, &arena, &page, err);
    if (status == STATUS_OK)
        *ret = (uint64_t)page.total;
    arena_release(&arena);
    return status;
}

void hybrid_parts(struct backend *base, struct backend **ret_primary, struct backend **ret_cache,
                  struct backend **ret_search)
{
    struct hybrid_backend *backend = (struct hybrid_backend *)base;
    *ret_primary = backend->primary;
    *ret_cache = backend->cache;
    *ret_search = atomic_load(&backend->search);
}

bool hybrid_is_stopping(struct hybrid_backend *backend)
{
    pthread_mutex_lock(&backend->stop_lock);
    bool stopping = backend->stopping;
    pthread_mutex_unlock(&backend->stop_lock);
    return stopping;
}

static void stop_threads(struct hybrid_backend *backend)
{
    pthread_mutex_lock(&backend->stop_lock);
    backend->stopping = true;
    pthread_cond_broadcast(&backend->stop_changed);
    pthread_mutex_unlock(&backend->stop_lock);
    sweep_stop(backend);
    follow_stop(backend);
}

static void hybrid_close(struct backend *base)
{
    struct hybrid_backend *backend = (struct hybrid_backend *)base;
    stop_threads(backend);
    backend_close(backend->primary); /* its watch is quiet from here on */
    backend_close(backend->cache);
    generations_close(&backend->generations);
    flights_release(&backend->flights);
    breaker_release(&backend->breaker);
    breaker_release(&backend->search_breaker);
    free(backend->search_url);
    pthread_mutex_destroy(&backend->stop_lock);
    pthread_cond_destroy(&backend->stop_changed);
    free(backend);
}

static const struct backend_ops hybrid_ops = {
    .name = "hybrid",
    .get = hybrid_get,
    .find = hybrid_find,
    .query = hybrid_query,
    .group = hybrid_group,
    .commit = hybrid_commit,
    .scan = hybrid_scan,
    .verify = hybrid_verify,
    .health = hybrid_health,
    .close = hybrid_close,
};

enum status hybrid_backend_open(const struct hybrid_options *options, struct backend **ret,
                                struct error *err)
{
    struct hybrid_backend *backend = calloc(1, sizeof *backend);
    if (!backend) {
        backend_close(options->primary);
        backend_close(options->cache);
        return error_no_memory(err);
    }
    backend->base.ops = &hybrid_ops;
    backend->sys = options->sys;
    backend->primary = options->primary;
    backend->cache = options->cache;
    backend->generations.fd = -1;
    backend->search_open = options->search_open;
    breaker_init(&backend->breaker, options->sys);
    breaker_init(&backend->search_breaker, options->sys);
    flights_init(&backend->flights);
    pthread_mutex_init(&backend->stop_lock, NULL);
    thread_cond_init(&backend->stop_changed);
    enum status status =
        generations_open(options->sys, options->generations_path, &backend->generations, err);
    if (status == STATUS_OK && options->search_url) {
        backend->search_url = str_dup(str_of(options->search_url));
        status = backend->search_url ? STATUS_OK : error_no_memory(err);
    }
    if (status == STATUS_OK) {
        backend_watch(backend->primary, on_primary, backend);
        status = sweep_start(backend, err);
    }
    if (status == STATUS_OK)
        status = follow_start(backend, err);
    if (status != STATUS_OK) {
        hybrid_close(&backend->base);
        return status;
    }
    *ret = &backend->base;
    return STATUS_OK;
}

struct backend *hybrid_primary(struct backend *backend)
{
    return backend->ops == &hybrid_ops ? ((struct hybrid_backend *)backend)->primary : backend;
}
