/* stats.c: what a store and its sources report of themselves. */
#include "storage/store_int.h"

#include <stdio.h>

static uint64_t segment_rows(const struct source *source)
{
    const struct snapshot *snapshot = source->snapshot;
    return source->deleted ? snapshot->rows + snapshot->deleted_rows - source->deleted->rows
                           : snapshot->rows;
}

static uint64_t memtable_rows(const struct source *source)
{
    const struct memtable *frozen = &source->frozen, *active = &source->active;
    return frozen->rows + active->rows - frozen->deleted - active->deleted;
}

void source_get_stats(struct source *source, struct source_stats *ret_stats)
{
    pthread_mutex_lock(&source->lock);
    const struct snapshot *snapshot = source->snapshot;
    *ret_stats = (struct source_stats){
        .files = snapshot->segments_len,
        .bytes = snapshot->bytes,
        .rows = segment_rows(source) + memtable_rows(source),
        .memtable_rows = memtable_rows(source),
        .memtable_bytes = source->frozen.bytes + source->active.bytes,
        .last_updated_us = source->last_updated_us,
        .snapshot_id = snapshot->id,
        .flushes = source->flushes,
        .flush_failures = source->flush_failures,
        .index_entries = snapshot->index_entries,
        .snapshots = source->history.len + (snapshot->id != 0),
        .retention_us = source->retention_us,
        .retention_rows = source->retention_rows,
        .retention_files = source->retention_files,
    };
    snprintf(ret_stats->retention_error, sizeof ret_stats->retention_error, "%s",
             source->retention_error);
    snprintf(ret_stats->damage, sizeof ret_stats->damage, "%s", source->damage);
    snprintf(ret_stats->flush_error, sizeof ret_stats->flush_error, "%s", source->flush_error);
    pthread_mutex_unlock(&source->lock);
}

/* Frames that no snapshot holds yet. */
static uint64_t count_pending(struct store *store)
{
    uint64_t pending = 0;
    pthread_mutex_lock(&store->lock);
    for (uint32_t i = 0; i < store->sources_len; i++) {
        struct source *source = store->sources[i];
        pthread_mutex_lock(&source->lock);
        pending += source->active.frames + source->frozen.frames + source->bare_mutations;
        pthread_mutex_unlock(&source->lock);
    }
    pthread_mutex_unlock(&store->lock);
    return pending;
}

void store_get_stats(struct store *store, struct store_stats *ret_stats)
{
    struct wal_stats wal;
    wal_get_stats(store->wal, &wal);
    *ret_stats = (struct store_stats){
        .wal_files = wal.files,
        .wal_bytes = wal.bytes,
        .wal_syncs = wal.syncs,
        .lsn = wal.lsn,
        .wal_pending = count_pending(store),
        .page_cache_bytes = reader_pool_bytes(&store->readers),
        .writes = atomic_load(&store->writes),
        .rows_written = atomic_load(&store->rows_written),
        .writes_refused = atomic_load(&store->writes_refused),
    };
    snprintf(ret_stats->wal_current, sizeof ret_stats->wal_current, "%s", wal.current);
    pthread_mutex_lock(&store->memory_lock);
    ret_stats->memtable_bytes = store_memory_used(store);
    pthread_mutex_unlock(&store->memory_lock);
}
