/* hybrid_backend.h: a durable primary back end with a cache before it and a search engine beside
 * it.
 *
 * The primary alone decides: commits, scans and most queries go to it. Reads of one record go
 * through the cache, which may be slow, dead or wrong without anyone getting a wrong answer:
 *   - each cached record carries the generation (generations.c) that was current before it was read
 *     from the primary, and counts only while that is still current. A commit moves the generation
 *     on before it begins, in memory: nothing has to reach the cache for its content to be void;
 *   - a circuit breaker leaves a cache alone that fails or is slow;
 *   - equal reads at the same time ask the primary once.
 * Generations are shared by all processes of one machine. Commits from elsewhere are seen when the
 * primary tells of them (backend_watch), at the latest after HYBRID_AGE_MAX_US.
 * Queries by text go to the search engine while it has everything: commits of assets put an entry
 * into an outbox in the primary, a thread carries it out (follow.c), and while there are entries,
 * or the engine is away or slow, the primary answers (search.c).
 * Why: docs/decisions/0023-hybrid-catalog.md, 0027-hybrid-search.md. */
#ifndef QUARRY_CATALOG_HYBRID_BACKEND_H
#define QUARRY_CATALOG_HYBRID_BACKEND_H

#include "catalog/backend.h"
#include "sys/sys.h"

enum {
    HYBRID_AGE_MAX_US = 30000000,     /* no cached record is believed for longer */
    HYBRID_SLOW_US = 100000,          /* a call to the cache that takes longer is a failure */
    HYBRID_ENTRIES_MAX = 200000,      /* in the cache; no more are put in beyond */
    HYBRID_ENTRY_BYTES_MAX = 1 << 20, /* of one record's JSON; larger ones are not cached */
    HYBRID_SEARCH_SLOW_US = 1000000,  /* the same for the search engine */
    HYBRID_SWEEP_US = 600000000,      /* how often what is void is taken out of the cache */
};

struct hybrid_options {
    struct sys *sys;
    struct backend *primary; /* both are closed with the hybrid one, also when opening fails */
    /* Its calls should give up within HYBRID_SLOW_US. NULL: no cache. */
    struct backend *cache;
    /* Another back end that follows the primary's assets; opened by search_open as soon as it can
     * be reached. NULL: none. */
    const char *search_url;
    enum status (*search_open)(struct sys *sys, const char *url, struct backend **ret,
                               struct error *err);
    /* Where the processes of this machine meet; the same for all users of one primary. */
    const char *generations_path;
};

enum status hybrid_backend_open(const struct hybrid_options *options, struct backend **ret,
                                struct error *err);

struct hybrid_stats {
    uint64_t hits, misses, cache_failures, shared_reads;
    uint64_t mended;         /* wrong entries taken out of the cache */
    const char *cache_state; /* of the breaker: "closed" is good; "none": no cache */
    uint64_t searches;       /* queries that the engine answered */
    uint64_t search_passed;  /* that the primary answered instead */
    uint64_t search_failures;
    uint64_t followed, search_mended; /* copies written; those that were found to differ */
    bool search_ready;                /* compared with the primary since the opening */
    const char *search_state;
};
void hybrid_look(struct backend *base, struct hybrid_stats *ret);
/* Commits that the search engine has yet to hear of. */
enum status hybrid_outbox(struct backend *base, uint64_t *ret, struct error *err);
/* Around a call of the search engine by others; NULL: it is not to be asked now. */
struct backend *hybrid_search_begin(struct backend *base, int64_t *ret_begin_us);
void hybrid_search_end(struct backend *base, int64_t begin_us, enum status status);
/* Borrowed; cache and search may be NULL. */
void hybrid_parts(struct backend *base, struct backend **ret_primary, struct backend **ret_cache,
                  struct backend **ret_search);

/* backend_verify also compares cache and search engine with the primary. This takes what differs
 * out of the cache, makes such copies of the engine anew, and tells it to `fault`; what is merely
 * void goes without a word. */
enum status hybrid_repair(struct backend *base, backend_fault_fn fault, void *context,
                          struct error *err);

/* The back end that keeps the records; of another back end itself. */
struct backend *hybrid_primary(struct backend *backend);

#endif
