/* index_thread.c: one thread that makes the sidecars that are missing: of indexes added later, of
 * files lost or found damaged at a look-up.
 *
 * A round goes over the present snapshots and asks each segment for each index column (in memory,
 * cheap); what is missing is built, one at a time, its memory counted in the store's. Rounds come
 * every INDEX_SLEEP_US and when woken. A segment that cannot be read is marked and left alone; a
 * full disk or short memory is tried again in the next round. */
#include "storage/store_int.h"

#include <stdlib.h>

enum { INDEX_SLEEP_US = 2000000, INDEX_MEMORY_SHARE = 4 };

static bool stops(struct store *store)
{
    pthread_mutex_lock(&store->memory_lock);
    bool stopping = store->stopping;
    pthread_mutex_unlock(&store->memory_lock);
    return stopping;
}

static bool is_in_force(const struct source *source, const struct schema *schema, int32_t index_id)
{
    struct index_def indexes[SOURCE_INDEXES_MAX];
    uint32_t len = source_indexes(source_config(source), schema, indexes);
    for (uint32_t i = 0; i < len; i++) {
        if (indexes[i].id == index_id)
            return true;
    }
    return false;
}

static void build(struct source *source, struct segment *segment, const struct index_def *def,
                  const struct schema *schema)
{
    struct store *store = source->store;
    char path[SYS_PATH_MAX];
    int32_t index_id = def->id;
    uint64_t memory = segment_index_memory(segment, def);
    uint64_t most = store->options.memtable_bytes / INDEX_MEMORY_SHARE;
    if (memory > most) /* counted up to a share: one large file must not flush all memory */
        memory = most;
    store_memory_add(store, memory);
    enum status status = segment_index_build(store->sys, segment, def, NULL);
    store_memory_give(store, memory);
    bool later = status == STATUS_STORAGE_FULL || status == STATUS_NO_MEMORY;
    segment_index_set(segment, index_id,
                      status == STATUS_OK ? SEGMENT_INDEX_READY
                      : later             ? SEGMENT_INDEX_MISSING
                                          : SEGMENT_INDEX_FAILED);
    /* Dropped while it was made: its file must not stay. */
    if (status == STATUS_OK && !is_in_force(source, schema, index_id) &&
        segment_index_path(segment, index_id, path, NULL) == STATUS_OK) {
        segment_index_set(segment, index_id, SEGMENT_INDEX_NONE);
        (void)sys_unlink(store->sys, path, NULL); /* the next start removes it else */
    }
}

static void visit_index(struct source *source, const struct snapshot *snapshot,
                        const struct index_def *def)
{
    for (uint32_t i = 0; i < snapshot->segments_len; i++) {
        /* The snapshot lists files that may be gone (dropped and added again before a restart) or
         * be of an older version. */
        if (!source->indexes_rechecked)
            segment_index_recheck(snapshot->segments[i], def->id);
        if (segment_index_look(snapshot->segments[i], def) != SEGMENT_INDEX_MISSING)
            continue;
        if (stops(source->store) || !is_in_force(source, snapshot->schema, def->id))
            return;
        build(source, snapshot->segments[i], def, snapshot->schema);
    }
}

static void visit_source(struct source *source)
{
    struct index_def indexes[SOURCE_INDEXES_MAX];
    pthread_mutex_lock(&source->lock);
    bool removed = source->removed;
    struct snapshot *snapshot = snapshot_ref(source->snapshot);
    pthread_mutex_unlock(&source->lock);
    uint32_t len = source_indexes(source_config(source), snapshot->schema, indexes);
    for (uint32_t i = 0; i < len && !removed; i++)
        visit_index(source, snapshot, &indexes[i]);
    source->indexes_rechecked = true;
    if (!removed)
        finder_list_refresh(&source->finders, snapshot, indexes, len);
    snapshot_unref(snapshot);
    if (atomic_load(&source->history.doomed_len)) /* files that only we held */
        compactor_wake(source);
}

static void run_round(struct store *store)
{
    struct source **sources = NULL;
    uint32_t len = 0;
    if (store_list_sources(store, &sources, &len, NULL) != STATUS_OK)
        return; /* the next round tries again */
    for (uint32_t i = 0; i < len; i++) {
        if (!stops(store))
            visit_source(sources[i]);
        source_unref(sources[i]);
    }
    free(sources);
}

static void *index_main(void *context)
{
    struct store *store = context;
    pthread_mutex_lock(&store->memory_lock);
    while (!store->stopping) {
        store->index_wanted = false;
        pthread_mutex_unlock(&store->memory_lock);
        run_round(store);
        pthread_mutex_lock(&store->memory_lock);
        if (!store->index_wanted && !store->stopping)
            (void)thread_cond_wait_until(&store->index_work, &store->memory_lock,
                                         store_wait_until(INDEX_SLEEP_US));
    }
    pthread_mutex_unlock(&store->memory_lock);
    return NULL;
}

enum status store_index_start(struct store *store, struct error *err)
{
    return thread_start(&store->index_thread, "index", 0, index_main, store, err);
}

/* After store_flush_stop, which sets `stopping` and wakes us. */
void store_index_stop(struct store *store)
{
    thread_join(&store->index_thread);
}

void store_index_wake(struct store *store)
{
    pthread_mutex_lock(&store->memory_lock);
    store->index_wanted = true;
    pthread_cond_signal(&store->index_work);
    pthread_mutex_unlock(&store->memory_lock);
}
