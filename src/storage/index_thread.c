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

static bool is_in_force(const struct source *source, struct str column)
{
    const struct source_config *config = source_config(source);
    for (uint32_t i = 0; i < config->index_columns_len; i++) {
        if (str_eq(config->index_columns[i], column))
            return true;
    }
    return false;
}

static void build(struct source *source, struct segment *segment, int32_t field_id,
                  struct str column)
{
    struct store *store = source->store;
    char path[SYS_PATH_MAX];
    uint64_t memory = segment_index_memory(segment);
    uint64_t most = store->options.memtable_bytes / INDEX_MEMORY_SHARE;
    if (memory > most) /* counted up to a share: one large file must not flush all memory */
        memory = most;
    store_memory_add(store, memory);
    enum status status = segment_index_build(store->sys, segment, field_id, NULL);
    store_memory_give(store, memory);
    bool later = status == STATUS_STORAGE_FULL || status == STATUS_NO_MEMORY;
    segment_index_set(segment, field_id,
                      status == STATUS_OK ? SEGMENT_INDEX_READY
                      : later             ? SEGMENT_INDEX_MISSING
                                          : SEGMENT_INDEX_FAILED);
    /* Dropped while it was made: its file must not stay. */
    if (status == STATUS_OK && !is_in_force(source, column) &&
        segment_index_path(segment, field_id, path, NULL) == STATUS_OK) {
        segment_index_set(segment, field_id, SEGMENT_INDEX_NONE);
        (void)sys_unlink(store->sys, path, NULL); /* the next start removes it else */
    }
}

static void visit_column(struct source *source, const struct snapshot *snapshot, struct str column)
{
    int32_t at = schema_find(snapshot->schema, column);
    if (at < 0)
        return;
    int32_t field_id = snapshot->schema->fields[at].id;
    for (uint32_t i = 0; i < snapshot->segments_len; i++) {
        /* Dropped and added again before a restart: the snapshot lists files that are gone. */
        if (!source->indexes_rechecked && source_config(source)->declared_index_columns)
            segment_index_recheck(snapshot->segments[i], field_id);
        if (segment_index_look(snapshot->segments[i], field_id) != SEGMENT_INDEX_MISSING)
            continue;
        if (stops(source->store) || !is_in_force(source, column))
            return;
        build(source, snapshot->segments[i], field_id, column);
    }
}

static void refresh_finders(struct source *source, struct snapshot *snapshot)
{
    const struct source_config *config = source_config(source);
    int32_t fields[SOURCE_COLUMNS_LISTED_MAX];
    uint32_t len = 0;
    for (uint32_t i = 0; i < config->index_columns_len; i++) {
        int32_t at = schema_find(snapshot->schema, config->index_columns[i]);
        if (at >= 0)
            fields[len++] = snapshot->schema->fields[at].id;
    }
    finder_list_refresh(&source->finders, snapshot, fields, len);
}

static void visit_source(struct source *source)
{
    const struct source_config *config = source_config(source);
    if (!config->index_columns_len)
        return;
    pthread_mutex_lock(&source->lock);
    bool removed = source->removed;
    struct snapshot *snapshot = snapshot_ref(source->snapshot);
    pthread_mutex_unlock(&source->lock);
    for (uint32_t i = 0; i < config->index_columns_len && !removed; i++)
        visit_column(source, snapshot, config->index_columns[i]);
    source->indexes_rechecked = true;
    if (!removed)
        refresh_finders(source, snapshot);
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
