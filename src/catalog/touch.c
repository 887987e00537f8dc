/* touch.c: access counts, gathered in memory and written by a thread of their own.
 *
 * A read costs one step in a hash table, not a commit. Every touch_interval_us, and when
 * TOUCHED_MAX assets have counts, the table is taken and written as TOUCH changes. A crash loses
 * the counts of one interval; a failed write too: they are statistics, not data. */
#include <stdlib.h>

#include "catalog/catalog_int.h"

enum { PLACES = 2 * TOUCHED_MAX };

static enum status write_touched(struct catalog *catalog, const struct touched *table)
{
    struct record records[COMMIT_CHANGES_MAX / 10];
    struct change changes[COMMIT_CHANGES_MAX / 10];
    uint32_t len = 0, max = sizeof changes / sizeof changes[0];
    for (uint32_t i = 0; i < PLACES; i++) {
        const struct touched *from = &table[i];
        if (!from->count)
            continue;
        records[len] = (struct record){.domain = DOMAIN_ASSET,
                                       .id = str_of(from->id),
                                       .tenant = str_of(from->tenant),
                                       .access_count = from->count,
                                       .accessed_us = from->last_us};
        changes[len] = (struct change){.kind = CHANGE_TOUCH, .record = &records[len]};
        if (++len == max) {
            TRY(backend_commit(catalog->backend, changes, len, NULL, NULL));
            len = 0;
        }
    }
    return backend_commit(catalog->backend, changes, len, NULL, NULL);
}

/* Takes the table and writes it. With the lock, which is let go meanwhile. */
static void flush(struct catalog *catalog)
{
    struct touched *table = catalog->touched;
    catalog->touched = NULL;
    catalog->touched_len = 0;
    pthread_mutex_unlock(&catalog->lock);
    if (table)
        (void)write_touched(catalog, table); /* lost counts are no fault, see above */
    free(table);
    pthread_mutex_lock(&catalog->lock);
}

static void *run_flusher(void *argument)
{
    struct catalog *catalog = argument;
    pthread_mutex_lock(&catalog->lock);
    while (!catalog->stopping) {
        int64_t until_us = sys_mono_us(catalog->sys) + catalog->touch_interval_us;
        while (!catalog->stopping && catalog->touched_len < TOUCHED_MAX / 2 &&
               thread_cond_wait_until(&catalog->wake, &catalog->lock, until_us))
            ;
        flush(catalog);
    }
    flush(catalog);
    pthread_mutex_unlock(&catalog->lock);
    return NULL;
}

enum status touch_start(struct catalog *catalog, struct error *err)
{
    pthread_mutex_init(&catalog->lock, NULL);
    thread_cond_init(&catalog->wake);
    return thread_start(&catalog->flusher, "catalog-touch", 0, run_flusher, catalog, err);
}

void touch_stop(struct catalog *catalog)
{
    pthread_mutex_lock(&catalog->lock);
    catalog->stopping = true;
    pthread_cond_signal(&catalog->wake);
    pthread_mutex_unlock(&catalog->lock);
    thread_join(&catalog->flusher);
    pthread_mutex_destroy(&catalog->lock);
    pthread_cond_destroy(&catalog->wake);
    free(catalog->touched);
}

/* The place of the asset, its own or a free one; NULL when the table is full. With the lock. */
static struct touched *place_of(struct catalog *catalog, const struct record *asset)
{
    if (!catalog->touched)
        catalog->touched = calloc(PLACES, sizeof *catalog->touched);
    if (!catalog->touched)
        return NULL;
    uint64_t hash = str_hash(asset->id);
    for (uint32_t i = 0; i < PLACES; i++) {
        struct touched *place = &catalog->touched[(hash + i) % PLACES];
        if (!place->count)
            return catalog->touched_len < TOUCHED_MAX ? place : NULL;
        if (str_is(asset->id, place->id) && str_is(asset->tenant, place->tenant))
            return place;
    }
    return NULL;
}

void touch_count(struct catalog *catalog, const struct record *asset)
{
    int64_t now_us = sys_now_us(catalog->sys);
    pthread_mutex_lock(&catalog->lock);
    struct touched *place = place_of(catalog, asset);
    if (place && !place->count) {
        memcpy(place->id, asset->id.data, asset->id.len);
        memcpy(place->tenant, asset->tenant.data, asset->tenant.len);
        if (++catalog->touched_len == TOUCHED_MAX / 2)
            pthread_cond_signal(&catalog->wake);
    }
    if (place) {
        place->count++;
        place->last_us = now_us;
    }
    pthread_mutex_unlock(&catalog->lock);
}
