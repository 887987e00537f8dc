/* publish.c: a durable write becomes readable, and small chunks are merged (the thread that writes
 * the log, recovery). */
#include "storage/store_int.h"

void source_publish(struct source *source, struct chunk *chunk, int64_t now_us)
{
    if (!source->active.head)
        source->active.since_us = sys_mono_us(source->store->sys);
    source->published_lsn = chunk->last_lsn;
    source->last_updated_us = now_us;
    memtable_append(&source->active, chunk);
}

void source_merge_chunks(struct source *source)
{
    struct chunk_merge_input from[CHUNK_MERGE_FAN];
    struct chunk *merged;
    bool more = true;
    while (more) {
        pthread_mutex_lock(&source->lock);
        uint32_t len = source->mutating ? 0 : memtable_merge_pick(&source->active, from);
        pthread_mutex_unlock(&source->lock);
        if (len == 0)
            return;
        merged = chunk_merge(from, len);
        uint64_t before = 0;
        for (uint32_t i = 0; i < len; i++)
            before += from[i].chunk->bytes;
        uint64_t after = merged ? merged->bytes : 0;
        pthread_mutex_lock(&source->lock);
        more =
            merged && !source->mutating && memtable_merge_swap(&source->active, from, len, merged);
        pthread_mutex_unlock(&source->lock);
        if (more) {
            store_memory_add(source->store, after);
            store_memory_give(source->store, before);
        } else {
            chunk_unref(merged);
        }
        for (uint32_t i = 0; i < len; i++) {
            chunk_unref(from[i].chunk);
            deletion_unref(from[i].deleted);
        }
    }
}

void source_list_for_merge(struct source *source)
{
    if (source->merge_listed)
        return;
    source->merge_listed = true;
    source->next_merge = source->store->to_merge;
    source->store->to_merge = source_ref(source);
}

void store_after_group(void *context)
{
    struct store *store = context;
    while (store->to_merge) {
        struct source *source = store->to_merge;
        store->to_merge = source->next_merge;
        source->merge_listed = false;
        source_merge_chunks(source);
        source_unref(source);
    }
}
