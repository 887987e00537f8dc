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
    atomic_int_least64_t entries; /* in the cache, about */
    struct thread sweeper;
    pthread_mutex_t stop_lock;
    pthread_cond_t stop_changed;
    bool stopping;
};

/* --- cache.c --- */

enum cache_answer { CACHE_HIT, CACHE_MISS, CACHE_FAILED };

enum cache_answer cache_get(struct hybrid_backend *backend, enum domain domain, struct str tenant,
                            struct str id, const struct stamp *stamp, struct arena *arena,
                            struct record *ret);
enum cache_answer cache_find(struct hybrid_backend *backend, enum domain domain, struct str tenant,
                             struct str key, struct arena *arena, struct record *ret);
/* `stamp` is from before the record was read from the primary. */
void cache_put(struct hybrid_backend *backend, const struct record *record,
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
void sweep_stop(struct hybrid_backend *backend);

#endif
