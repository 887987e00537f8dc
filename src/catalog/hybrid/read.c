/* read.c: reads of one record: cache, then primary, whose answer goes into the cache. */
#include "catalog/hybrid/hybrid_int.h"

static enum status ask_primary(struct hybrid_backend *backend, const struct flight_key *key,
                               struct arena *arena, struct record *ret, struct error *err)
{
    return key->by_key ? backend_find(backend->primary, key->domain, key->tenant, key->text, arena,
                                      ret, err)
                       : backend_get(backend->primary, key->domain, key->tenant, key->text, arena,
                                     ret, err);
}

/* *ret_own: this thread asked. */
static enum status ask_once(struct hybrid_backend *backend, const struct flight_key *key,
                            struct arena *arena, struct record *ret, bool *ret_own,
                            struct error *err)
{
    struct flight *flight = NULL;
    struct error own = ERROR_INIT;
    enum status status = STATUS_OK;
    *ret_own = false;
    if (flight_join(&backend->flights, key, &flight, arena, ret, &status, err)) {
        atomic_fetch_add(&backend->shared_reads, 1);
        return status;
    }
    *ret_own = true;
    status = ask_primary(backend, key, arena, ret, &own);
    flight_land(&backend->flights, flight, status, ret, &own);
    if (status != STATUS_OK && err)
        *err = own;
    return status;
}

static void count(struct hybrid_backend *backend, enum cache_answer answer)
{
    atomic_fetch_add(answer == CACHE_HIT ? &backend->hits : &backend->misses, 1);
}

enum status hybrid_get(struct backend *base, enum domain domain, struct str tenant, struct str id,
                       struct arena *arena, struct record *ret, struct error *err)
{
    struct hybrid_backend *backend = (struct hybrid_backend *)base;
    const struct flight_key key = {
        .domain = domain,
        .tenant = tenant,
        .text = id,
        .stamp = generations_look(&backend->generations, domain, id),
    };
    enum cache_answer answer = key.stamp.trusted
                                   ? cache_get(backend, domain, tenant, id, &key.stamp, arena, ret)
                                   : CACHE_FAILED;
    bool own = false;
    count(backend, answer);
    if (answer == CACHE_HIT)
        return STATUS_OK;
    TRY(ask_once(backend, &key, arena, ret, &own, err));
    if (own && answer == CACHE_MISS)
        hybrid_cache_put(backend, ret, &key.stamp);
    return STATUS_OK;
}

/* Which record has the key is not known beforehand: its stamp may be taken afterwards when no
 * commit of any record came between. */
enum status hybrid_find(struct backend *base, enum domain domain, struct str tenant, struct str key,
                        struct arena *arena, struct record *ret, struct error *err)
{
    struct hybrid_backend *backend = (struct hybrid_backend *)base;
    enum cache_answer answer = cache_find(backend, domain, tenant, key, arena, ret);
    bool own = false;
    count(backend, answer);
    if (answer == CACHE_HIT)
        return STATUS_OK;
    const struct flight_key flight_key = {
        .domain = domain,
        .by_key = true,
        .tenant = tenant,
        .text = key,
        .stamp = generations_look_all(&backend->generations),
    };
    TRY(ask_once(backend, &flight_key, arena, ret, &own, err));
    struct stamp stamp = generations_look(&backend->generations, domain, ret->id);
    struct stamp now = generations_look_all(&backend->generations);
    if (own && answer == CACHE_MISS && stamp_equal(&flight_key.stamp, &now))
        hybrid_cache_put(backend, ret, &stamp);
    return STATUS_OK;
}
