/* interpreter_int.h: what the handlers of the interpreter share. */
#ifndef QUARRY_SERVICES_INTERPRETER_INT_H
#define QUARRY_SERVICES_INTERPRETER_INT_H

#include <pthread.h>

#include "services/interpreter/interpreter.h"

/* --- cache.c: answers of /transform/query by what was asked, the least recently used go first ---
 */
struct plan_entry;
struct plan_cache {
    pthread_mutex_t lock;
    struct plan_entry *newest, *oldest;
    struct plan_entry **slots; /* hashed; chained */
    uint32_t len, max, mask;
    size_t bytes;
    uint64_t hits, misses, evictions;
};
enum { PLAN_CACHE_BYTES_MAX = 256 << 20, PLAN_ENTRY_BYTES_MAX = 4 << 20 };
enum status plan_cache_init(struct plan_cache *cache, uint32_t max, struct error *err);
void plan_cache_release(struct plan_cache *cache);
/* Appends what is kept under the key; false when nothing is. */
bool plan_cache_get(struct plan_cache *cache, struct str key, struct buf *out);
/* Keeps a copy; silently not, when there is no room for it. */
void plan_cache_put(struct plan_cache *cache, struct str key, struct str answer);
struct plan_cache_stats {
    uint32_t entries, capacity;
    uint64_t hits, misses, evictions;
};
struct plan_cache_stats plan_cache_get_stats(struct plan_cache *cache);

struct interpreter {
    struct interpreter_options options;
    struct sys *sys;
    struct service *service;
    struct plan_cache plans;
};

/* STATUS_TIMEOUT when the request is older than PARSING_TIMEOUT_SECONDS. */
enum status interpreter_check_time(const struct request *request, struct error *err);

/* schema.c: the field `schema`, sources by name; empty without one. */
enum status interpreter_read_schema(struct request *request, struct dsl_catalog *ret,
                                    struct error *err);
/* dsl.c */
enum status handle_parse_dsl(struct request *request);
enum status handle_dsl_schema(struct request *request);
/* transform.c */
enum status handle_transform(struct request *request);

#endif
