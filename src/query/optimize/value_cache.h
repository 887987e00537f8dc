/* cache.h: values under keys within a budget of bytes: query results and partial aggregates.
 *
 * A key names everything that the value depends on (the question, snapshot, log position, file), so
 * a value that is found is never stale; what nobody asks for any more goes by itself. Who goes:
 * GreedyDual-Size (Cao and Irani 1997), the least of (age of last use + cost / bytes) among
 * VALUE_CACHE_LOOKED_AT entries picked by chance. Any thread; one lock. */
#ifndef QUARRY_QUERY_CACHE_H
#define QUARRY_QUERY_CACHE_H

#include "base/status.h"
#include "base/str.h"
#include "sys/sys.h"

enum { VALUE_CACHE_ENTRIES_MAX = 16384, VALUE_CACHE_LOOKED_AT = 16, VALUE_CACHE_SHARE_MAX = 8 };

/* How values are counted; they do not change while they are in the cache. */
struct value_cache_kind {
    void (*ref)(void *value);
    void (*unref)(void *value);
};

enum value_cache_part { VALUE_CACHE_RESULTS, VALUE_CACHE_PARTIALS, VALUE_CACHE_PARTS };

struct value_cache_options {
    struct sys *sys;
    uint64_t bytes;  /* 0: nothing is kept */
    int64_t life_us; /* of what is not asked for; 0: nothing is kept */
};

struct value_cache_stats {
    uint64_t hits[VALUE_CACHE_PARTS], misses[VALUE_CACHE_PARTS];
    uint64_t bytes, bytes_max, entries, evicted;
};

struct value_cache;

enum status value_cache_open(const struct value_cache_options *options, struct value_cache **ret,
                             struct error *err);
void value_cache_close(struct value_cache *cache); /* NULL is fine */
/* A referenced value, or NULL. */
void *value_cache_get(struct value_cache *cache, enum value_cache_part part, struct str key);
/* Whether it is there, without using it. */
bool value_cache_has(struct value_cache *cache, struct str key);
/* Takes a reference of its own, in place of one under the same key. `cost_us`: what it took to
 * make. A value that takes more than 1 / VALUE_CACHE_SHARE_MAX of the budget is not kept. */
void value_cache_put(struct value_cache *cache, struct str key, void *value,
                     const struct value_cache_kind *kind, uint64_t bytes, int64_t cost_us);
void value_cache_clear(struct value_cache *cache);
void value_cache_get_stats(struct value_cache *cache, struct value_cache_stats *ret);

#endif
