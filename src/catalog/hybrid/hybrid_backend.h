/* hybrid_backend.h: a durable primary back end with a cache before it.
 *
 * The primary alone decides: commits, queries, groups and scans go to it. Reads of one record go
 * through the cache, which may be slow, dead or wrong without anyone getting a wrong answer:
 *   - each cached record carries the generation (generations.c) that was current before it was read
 *     from the primary, and counts only while that is still current. A commit moves the generation
 *     on before it begins, in memory: nothing has to reach the cache for its content to be void;
 *   - a circuit breaker leaves a cache alone that fails or is slow;
 *   - equal reads at the same time ask the primary once.
 * Generations are shared by all processes of one machine. Commits from elsewhere are seen when the
 * primary tells of them (backend_watch), at the latest after HYBRID_AGE_MAX_US.
 * Why there is no outbox: docs/decisions/0023-hybrid-catalog.md. */
#ifndef QUARRY_CATALOG_HYBRID_BACKEND_H
#define QUARRY_CATALOG_HYBRID_BACKEND_H

#include "catalog/backend.h"
#include "sys/sys.h"

enum {
    HYBRID_AGE_MAX_US = 30000000,     /* no cached record is believed for longer */
    HYBRID_SLOW_US = 100000,          /* a call to the cache that takes longer is a failure */
    HYBRID_ENTRIES_MAX = 200000,      /* in the cache; no more are put in beyond */
    HYBRID_ENTRY_BYTES_MAX = 1 << 20, /* of one record's JSON; larger ones are not cached */
    HYBRID_SWEEP_US = 600000000,      /* how often what is void is taken out of the cache */
};

struct hybrid_options {
    struct sys *sys;
    struct backend *primary; /* both are closed with the hybrid one, also when opening fails */
    struct backend *cache;   /* its calls should give up within HYBRID_SLOW_US */
    /* Where the processes of this machine meet; the same for all users of one primary. */
    const char *generations_path;
};

enum status hybrid_backend_open(const struct hybrid_options *options, struct backend **ret,
                                struct error *err);

struct hybrid_stats {
    uint64_t hits, misses, cache_failures, shared_reads;
    uint64_t mended;         /* wrong entries taken out of the cache */
    const char *cache_state; /* of the breaker: "closed" is good */
};
void hybrid_look(struct backend *base, struct hybrid_stats *ret);

/* backend_verify also compares the cache with the primary. This takes what differs out of the cache
 * and tells it to `fault`; what is merely void goes without a word. */
enum status hybrid_repair(struct backend *base, backend_fault_fn fault, void *context,
                          struct error *err);

#endif
