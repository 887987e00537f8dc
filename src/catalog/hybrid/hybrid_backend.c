/* hybrid_backend.c: opening and closing; commits; what only the primary answers. */
#include "catalog/hybrid/hybrid_backend.h"

#include <stdlib.h>

#include "catalog/hybrid/hybrid_int.h"

static enum status hybrid_query(struct backend *base, const struct record_query *query,
                                struct arena *arena, struct record_page *ret, struct error *err)
{
    return backend_query(((struct hybrid_backend *)base)->primary, query, arena, ret, err);
}

static enum status hybrid_group(struct backend *base, const struct group_query *query,
                                struct arena *arena, struct group_answer *ret, struct error *err)
{
    return backend_group(((struct hybrid_backend *)base)->primary, query, arena, ret, err);
}

static enum status hybrid_scan(struct backend *base, enum domain domain, struct str after,
                               uint32_t limit, struct arena *arena, struct record_page *ret,
                               struct error *err)
{
    return backend_scan(((struct hybrid_backend *)base)->primary, domain, after, limit, arena, ret,
                        err);
}

/* Without the cache everything works. */
static enum status hybrid_health(struct backend *base, struct error *err)
{
    return backend_health(((struct hybrid_backend *)base)->primary, err);
}

static enum status hybrid_commit(struct backend *base, const struct change *changes, uint32_t len,
                                 struct commit_result *ret, struct error *err)
{
    struct hybrid_backend *backend = (struct hybrid_backend *)base;
    generations_begin(&backend->generations, changes, len);
    /* past backend_commit: the changes are checked */
    enum status status = backend->primary->ops->commit(backend->primary, changes, len, ret, err);
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
        .cache_state = breaker_state_name(breaker_look(&backend->breaker)),
    };
}

static void hybrid_close(struct backend *base)
{
    struct hybrid_backend *backend = (struct hybrid_backend *)base;
    sweep_stop(backend);
    backend_close(backend->primary); /* its watch is quiet from here on */
    backend_close(backend->cache);
    generations_close(&backend->generations);
    flights_release(&backend->flights);
    breaker_release(&backend->breaker);
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
    breaker_init(&backend->breaker, options->sys);
    flights_init(&backend->flights);
    pthread_mutex_init(&backend->stop_lock, NULL);
    thread_cond_init(&backend->stop_changed);
    enum status status =
        generations_open(options->sys, options->generations_path, &backend->generations, err);
    if (status == STATUS_OK) {
        backend_watch(backend->primary, on_primary, backend);
        status = sweep_start(backend, err);
    }
    if (status != STATUS_OK) {
        hybrid_close(&backend->base);
        return status;
    }
    *ret = &backend->base;
    return STATUS_OK;
}
