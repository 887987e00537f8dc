/* hybrid_int.h: what the parts of the hybrid back end share. */
#ifndef QUARRY_CATALOG_HYBRID_INT_H
#define QUARRY_CATALOG_HYBRID_INT_H

#include <stdatomic.h>

#include "catalog/hybrid/hybrid_backend.h"
#include "net/breaker.h"
#include "sys/thread.h"

/* --- generations.c: which cached records count --- */

enum { GENERATION_STRIPES = 4096 };

struct generations_shared;
struct generations {
    struct sys *sys;
    int fd;
    struct generations_shared *shared;
};

/* What was current at one moment. `trusted`: no commit was under way. */
struct stamp {
    uint64_t instance, foreign, stripe;
    bool trusted;
};

enum status generations_open(struct sys *sys, const char *path, struct generations *ret,
                             struct error *err);
void generations_close(struct generations *generations);
struct stamp generations_look(const struct generations *generations, enum domain domain,
                              struct str id);
/* The same for all records together. */
struct stamp generations_look_all(const struct generations *generations);
static inline bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->trusted && b->trusted && a->instance == b->instance && a->foreign == b->foreign &&
           a->stripe == b->stripe;
}
/* Around a commit. `uncertain`: it may still happen. */
void generations_begin(struct generations *generations, const struct change *changes, uint32_t len);
void generations_end(struct generations *generations, const struct change *changes, uint32_t len,
                     bool uncertain);
/* Anything may have changed. */
void generations_void(struct generations *generations);

/* --- flight.c: equal reads at the same time --- */

struct flight;
struct flights {
    pthread_mutex_t lock;
    pthread_cond_t landed;
    struct flight *first;
};

struct flight_key {
    enum domain domain;
    bool by_key;
    struct str tenant, text;
    struct stamp stamp;
};

void flights_init(struct flights *flights);
void flights_release(struct flights *flights);
/* True: another thread's read answered. False: read; if *ret_flight is set, flight_land then. */
bool flight_join(struct flights *flights, const struct flight_key *key, struct flight **ret_flight,
                 struct arena *arena, struct record *ret, enum status *ret_status,
                 struct error *err);
/* `record` counts with STATUS_OK. */
void flight_land(struct flights *flights, struct flight *flight, enum status status,
                 const struct record *record, const struct error *err);

struct hybrid_backend {
    struct backend base;
    struct sys *sys;
    struct backend *primary, *cache;
    struct breaker breaker;
    struct generations generations;
    struct flights flights;
    atomic_uint_least64_t hits, misses, cache_failures, shared_reads, mended;
    /* the search engine; all below stays zero without one */
    char *search_url;
    enum status (*search_open)(struct sys *sys, const char *url, struct backend **ret,
                               struct error *err);
    struct backend *_Atomic search; /* NULL until it was reached; then it stays */
    atomic_bool search_ready;       /* compared with the primary */
    struct breaker search_breaker;
    struct thread follower;
    atomic_uint_least64_t searches, search_passed, search_failures, followed, search_mended;
    atomic_int_least64_t entries; /* in the cache, about */
    struct thread sweeper;
    pthread_mutex_t stop_lock;
    pthread_cond_t stop_changed;
    bool stopping, search_wanted;
};

/* The threads are to end. */
bool hybrid_is_stopping(struct hybrid_backend *backend);

/* --- cache.c --- */

enum cache_answer { CACHE_HIT, CACHE_MISS, CACHE_FAILED };

enum cache_answer cache_get(struct hybrid_backend *backend, enum domain domain, struct str tenant,
                            struct str id, const struct stamp *stamp, struct arena *arena,
                            struct record *ret);
enum cache_answer cache_find(struct hybrid_backend *backend, enum domain domain, struct str tenant,
                             struct str key, struct arena *arena, struct record *ret);
/* `stamp` is from before the record was read from the primary. */
void hybrid_cache_put(struct hybrid_backend *backend, const struct record *record,
                      const struct stamp *stamp);
/* CACHE_MISS: void, CACHE_FAILED: not an entry at all. */
enum cache_answer cache_decode(struct hybrid_backend *backend, const struct record *entry,
                               const struct stamp *stamp, struct arena *arena, struct record *ret);

/* --- read.c --- */

enum status hybrid_get(struct backend *base, enum domain domain, struct str tenant, struct str id,
                       struct arena *arena, struct record *ret, struct error *err);
enum status hybrid_find(struct backend *base, enum domain domain, struct str tenant, struct str key,
                        struct arena *arena, struct record *ret, struct error *err);

/* --- sweep.c --- */

enum status hybrid_verify(struct backend *base, backend_fault_fn fault, void *context,
                          struct error *err);
enum status sweep_start(struct hybrid_backend *backend, struct error *err);
/* hybrid_is_stopping is true by then. */
void sweep_stop(struct hybrid_backend *backend);

/* --- outbox.c: which assets the search engine has yet to hear of --- */

enum { OUTBOX_ASSETS_MAX = 4 * COMMIT_CHANGES_MAX };

struct outbox_asset {
    struct str tenant, id;
};
struct outbox_assets {
    struct outbox_asset *items; /* OUTBOX_ASSETS_MAX */
    uint32_t len;
};

/* Commits to the primary, with an entry when there is something to tell. */
enum status outbox_commit(struct hybrid_backend *backend, const struct change *changes,
                          uint32_t len, struct commit_result *ret, struct error *err);
/* Whether the record is an entry: callers do not get to see these. */
bool outbox_has(const struct record *record);
/* The oldest entries. */
enum status outbox_read(struct hybrid_backend *backend, uint32_t limit, bool count,
                        struct arena *arena, struct record_page *ret, struct error *err);
/* Adds the assets that an entry names. */
enum status outbox_assets_of(const struct record *entry, struct arena *arena,
                             struct outbox_assets *to, struct error *err);
enum status outbox_remove(struct hybrid_backend *backend, const struct record *entry,
                          struct error *err);

/* --- follow.c: the thread that keeps the search engine in step --- */

enum status follow_start(struct hybrid_backend *backend, struct error *err);
void follow_stop(struct hybrid_backend *backend);
/* There is something in the outbox. */
void search_wake(struct hybrid_backend *backend);
/* Opens the engine if it was not reached yet. */
enum status search_reach(struct hybrid_backend *backend, struct error *err);
/* Makes the engine's copies what the primary has. */
enum status follow_assets(struct hybrid_backend *backend, struct backend *search,
                          const struct outbox_asset *assets, uint32_t len, struct error *err);
/* Whether a copy says what the record says, as far as copies do. */
bool follow_equal(const struct record *copy, const struct record *stored);
enum status follow_is_same(struct hybrid_backend *backend, struct backend *search,
                           const struct outbox_asset *asset, bool *ret, struct error *err);

/* --- compare.c --- */

/* All assets of both. `mends`: copies that differ are made anew. `fault` may be NULL. */
enum status hybrid_compare(struct hybrid_backend *backend, struct backend *search, bool mends,
                           backend_fault_fn fault, void *context, struct error *err);

/* --- search.c: true when the engine answered --- */

bool search_query(struct hybrid_backend *backend, const struct record_query *query,
                  struct arena *arena, struct record_page *ret);
bool search_group(struct hybrid_backend *backend, const struct group_query *query,
                  struct arena *arena, struct group_answer *ret);

#endif
