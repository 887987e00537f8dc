/* backend_state.c: the catalog's back end in /metrics and /health: calls, durations, connections;
 * of a hybrid one each part, breakers, cache, outbox. Labels are names of parts, back ends and
 * calls. */
#include "catalog/hybrid/hybrid_backend.h"
#include "service/metrics.h"
#include "services/catalog/catalog_int.h"

enum { PARTS_MAX = 4 };

struct part {
    const char *name;
    struct backend *backend;
};

static bool is_hybrid(const struct backend *backend)
{
    return strcmp(backend->ops->name, "hybrid") == 0;
}

/* The whole, then its parts. */
static uint32_t list_parts(struct backend *backend, struct part parts[PARTS_MAX])
{
    struct backend *primary = NULL, *cache = NULL, *search = NULL;
    uint32_t len = 0;
    parts[len++] = (struct part){"catalog", backend};
    if (!is_hybrid(backend))
        return len;
    hybrid_parts(backend, &primary, &cache, &search);
    parts[len++] = (struct part){"primary", primary};
    if (cache)
        parts[len++] = (struct part){"cache", cache};
    if (search)
        parts[len++] = (struct part){"search", search};
    return len;
}

/* --- /metrics --- */

static void collect_calls(struct metrics *metrics, const struct part *part)
{
    const char *name = part->backend->ops->name;
    for (int call = 0; call < CALL_COUNT; call++) {
        uint64_t counts[OUTCOME_COUNT];
        struct histogram durations;
        const char *call_name = backend_call_name((enum backend_call)call);
        meter_look(&part->backend->meter, (enum backend_call)call, counts, &durations);
        for (int i = 0; i < OUTCOME_COUNT; i++)
            metric_raise(
                metrics_series(metrics, METRIC_CATALOG_CALLS,
                               (const char *const[]){part->name, name, call_name,
                                                     call_outcome_name((enum call_outcome)i)}),
                counts[i]);
        metric_raise_histogram(metrics_series(metrics, METRIC_CATALOG_DURATION,
                                              (const char *const[]){part->name, name, call_name}),
                               &durations);
    }
}

static void collect_connections(struct metrics *metrics, const struct part *part)
{
    if (!part->backend->pool)
        return;
    struct pool_state state = pool_look(part->backend->pool);
    const struct {
        const char *name;
        uint32_t value;
    } states[] = {{"used", state.used}, {"idle", state.idle}, {"max", state.max}};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        metric_set(metrics_series(
                       metrics, METRIC_CATALOG_CONNECTIONS,
                       (const char *const[]){part->name, part->backend->ops->name, states[i].name}),
                   states[i].value);
}

static void collect_outcome(struct metrics *metrics, enum metric metric, const char *outcome,
                            uint64_t count)
{
    metric_raise(metrics_series(metrics, metric, (const char *const[]){outcome}), count);
}

static void collect_breaker(struct metrics *metrics, const char *part, const char *state)
{
    if (strcmp(state, "none") == 0)
        return;
    double open = strcmp(state, "closed") == 0 ? 0 : strcmp(state, "open") == 0 ? 1 : 0.5;
    metric_set(metrics_series(metrics, METRIC_CATALOG_BREAKER, (const char *const[]){part}), open);
}

static void collect_hybrid(struct metrics *metrics, struct backend *backend)
{
    struct hybrid_stats stats;
    uint64_t waiting = 0;
    hybrid_look(backend, &stats);
    collect_breaker(metrics, "cache", stats.cache_state);
    collect_breaker(metrics, "search", stats.search_state);
    collect_outcome(metrics, METRIC_CATALOG_CACHE, "hit", stats.hits);
    collect_outcome(metrics, METRIC_CATALOG_CACHE, "miss", stats.misses);
    collect_outcome(metrics, METRIC_CATALOG_CACHE, "failed", stats.cache_failures);
    if (strcmp(stats.search_state, "none") == 0)
        return;
    collect_outcome(metrics, METRIC_CATALOG_SEARCHES, "engine", stats.searches);
    collect_outcome(metrics, METRIC_CATALOG_SEARCHES, "primary", stats.search_passed);
    collect_outcome(metrics, METRIC_CATALOG_SEARCHES, "failed", stats.search_failures);
    if (hybrid_outbox(backend, &waiting, NULL) == STATUS_OK)
        metrics_set(metrics, METRIC_CATALOG_OUTBOX, (double)waiting);
}

void backend_state_collect(void *context, struct metrics *metrics)
{
    struct catalog_service *service = context;
    struct backend *backend = catalog_backend(service->catalog);
    struct part parts[PARTS_MAX];
    uint32_t len = list_parts(backend, parts);
    for (uint32_t i = 0; i < len; i++) {
        collect_calls(metrics, &parts[i]);
        collect_connections(metrics, &parts[i]);
    }
    if (is_hybrid(backend))
        collect_hybrid(metrics, backend);
}

/* --- /health --- */

static void write_part(struct json_writer *w, const struct part *part)
{
    uint64_t all[OUTCOME_COUNT] = {0};
    for (int call = 0; call < CALL_COUNT; call++) {
        uint64_t counts[OUTCOME_COUNT];
        struct histogram ignored;
        meter_look(&part->backend->meter, (enum backend_call)call, counts, &ignored);
        for (int i = 0; i < OUTCOME_COUNT; i++)
            all[i] += counts[i];
    }
    json_begin_object(w);
    json_kv_strz(w, "part", part->name);
    json_kv_strz(w, "backend", part->backend->ops->name);
    json_kv_int(w, "calls",
                (int64_t)(all[OUTCOME_OK] + all[OUTCOME_REFUSED] + all[OUTCOME_FAILED]));
    json_kv_int(w, "failed", (int64_t)all[OUTCOME_FAILED]);
    if (part->backend->pool) {
        struct pool_state state = pool_look(part->backend->pool);
        json_kv_int(w, "connections_used", state.used);
        json_kv_int(w, "connections_idle", state.idle);
        json_kv_int(w, "connections_max", state.max);
    }
    json_end_object(w);
}

static void write_cache(struct json_writer *w, const struct hybrid_stats *stats)
{
    json_keyz(w, "cache");
    json_begin_object(w);
    json_kv_strz(w, "state", stats->cache_state);
    json_kv_int(w, "hits", (int64_t)stats->hits);
    json_kv_int(w, "misses", (int64_t)stats->misses);
    json_kv_int(w, "failures", (int64_t)stats->cache_failures);
    json_kv_int(w, "shared_reads", (int64_t)stats->shared_reads);
    json_kv_int(w, "mended", (int64_t)stats->mended);
    json_end_object(w);
}

static void write_search(struct json_writer *w, struct backend *backend,
                         const struct hybrid_stats *stats)
{
    uint64_t waiting = 0;
    json_keyz(w, "search_engine");
    json_begin_object(w);
    json_kv_strz(w, "state", stats->search_state);
    json_kv_bool(w, "compared", stats->search_ready);
    json_kv_int(w, "answered", (int64_t)stats->searches);
    json_kv_int(w, "answered_by_primary", (int64_t)stats->search_passed);
    json_kv_int(w, "failures", (int64_t)stats->search_failures);
    json_kv_int(w, "followed", (int64_t)stats->followed);
    json_kv_int(w, "mended", (int64_t)stats->search_mended);
    if (hybrid_outbox(backend, &waiting, NULL) == STATUS_OK)
        json_kv_int(w, "outbox", (int64_t)waiting);
    json_end_object(w);
}

/* No part but the primary is asked anything: their breakers know. */
void backend_state_write(struct backend *backend, struct json_writer *details)
{
    struct part parts[PARTS_MAX];
    uint32_t len = list_parts(backend, parts);
    json_keyz(details, "parts");
    json_begin_array(details);
    for (uint32_t i = 0; i < len; i++)
        write_part(details, &parts[i]);
    json_end_array(details);
    if (!is_hybrid(backend))
        return;
    struct hybrid_stats stats;
    hybrid_look(backend, &stats);
    if (strcmp(stats.cache_state, "none") != 0)
        write_cache(details, &stats);
    if (strcmp(stats.search_state, "none") != 0)
        write_search(details, backend, &stats);
}
