/* touch.c: access counts, gathered in memory and written by a thread of their own.
 *
 * A read costs one step in a hash table, not a commit. Every touch_interval_us, and when half of
 * TOUCHED_MAX assets have counts, the table is taken and written as TOUCH changes, in the order of
 * ids: neighbours lie together on disk, so one page takes several. A crash loses the counts of one
 * interval; a failed write too: they are statistics, not data. */
#include <stdlib.h>

#include "catalog/catalog_int.h"

enum { PLACES_MIN = 256, TOUCHES_TOGETHER = COMMIT_CHANGES_MAX / 10 };

static int by_id(const void *a, const void *b)
{
    const struct touched *x = a, *y = b;
    return strcmp(x->id, y->id);
}

static enum status write_touched(struct catalog *catalog, const struct touched *list, uint32_t len)
{
    struct record records[TOUCHES_TOGETHER];
    struct change changes[TOUCHES_TOGETHER];
    for (uint32_t done = 0; done < len;) {
        uint32_t now = len - done < TOUCHES_TOGETHER ? len - done : TOUCHES_TOGETHER;
        for (uint32_t i = 0; i < now; i++) {
            const struct touched *from = &list[done + i];
            records[i] = (struct record){.domain = DOMAIN_ASSET,
                                         .id = str_of(from->id),
                                         .tenant = str_of(from->tenant),
                                         .access_count = from->count,
                                         .accessed_us = from->last_us};
            changes[i] = (struct change){.kind = CHANGE_TOUCH, .record = &records[i]};
        }
        TRY(backend_commit(catalog->backend, changes, now, NULL, NULL));
        done += now;
    }
    return STATUS_OK;
}

/* Moves what there is to the front; returns how many. */
static uint32_t gather(struct touched *table, uint32_t places)
{
    uint32_t len = 0;
    for (uint32_t i = 0; i < places; i++)
        if (table[i].count)
            table[len++] = table[i];
    return len;
}

/* Takes the table and writes it. With the lock, which is let go meanwhile. */
static void flush(struct catalog *catalog)
{
    struct touched *table = catalog->touched;
    uint32_t places = catalog->touched_places;
    catalog->touched = NULL;
    catalog->touched_len = catalog->touched_places = 0;
    pthread_mutex_unlock(&catalog->lock);
    if (table) {
        uint32_t len = gather(table, places);
        qsort(table, len, sizeof *table, by_id);
        (void)write_touched(catalog, table, len); /* lost counts are no fault, see above */
    }
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

/* The place of the asset, its own or a free one: there is always one. */
static struct touched *place_of(struct touched *table, uint32_t places, struct str tenant,
                                struct str id)
{
    uint64_t hash = str_hash(id);
    for (uint32_t i = 0;; i++) {
        struct touched *place = &table[(hash + i) % places];
        if (!place->count || (str_is(id, place->id) && str_is(tenant, place->tenant)))
            return place;
    }
}

/* Room for one more; false when there is none. With the lock. */
static bool make_room(struct catalog *catalog)
{
    uint32_t places = catalog->touched_places ? 2 * catalog->touched_places : PLACES_MIN;
    if (2 * catalog->touched_len < catalog->touched_places)
        return true;
    struct touched *table =
        places <= 2 * TOUCHED_MAX ? calloc(places, sizeof *catalog->touched) : NULL;
    if (!table)
        return false;
    for (uint32_t i = 0; i < catalog->touched_places; i++) {
        const struct touched *from = &catalog->touched[i];
        if (from->count)
            *place_of(table, places, str_of(from->tenant), str_of(from->id)) = *from;
    }
    free(catalog->touched);
    catalog->touched = table;
    catalog->touched_places = places;
    return true;
}

void touch_count(struct catalog *catalog, const struct record *asset)
{
    int64_t now_us = sys_now_us(catalog->sys);
    pthread_mutex_lock(&catalog->lock);
    struct touched *place = NULL;
    if (make_room(catalog))
        place = place_of(catalog->touched, catalog->touched_places, asset->tenant, asset->id);
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
