/* memory.c: how much memory unflushed rows take, and writers that wait for it.
 *
 * Taken before a write is logged, given back when its rows are in files or it was refused. */
#include "storage/store_int.h"

int64_t store_wait_until(int64_t us)
{
    return sys_mono_us(sys_posix()) + us;
}

/* memory_lock is held; false: there is no room. A write that is larger than all memory is let in
 * alone. */
static bool count_in(struct store *store, uint64_t bytes)
{
    if (store->memory_used && store_memory_used(store) + bytes > store->options.memtable_max_bytes)
        return false;
    store->memory_used += bytes;
    if (store_memory_used(store) >= store->options.memtable_bytes)
        pthread_cond_signal(&store->flush_work);
    return true;
}

bool store_memory_try(struct store *store, uint64_t bytes)
{
    pthread_mutex_lock(&store->memory_lock);
    bool fits = count_in(store, bytes);
    pthread_mutex_unlock(&store->memory_lock);
    return fits;
}

enum status store_memory_take(struct store *store, uint64_t bytes, struct error *err)
{
    uint64_t max = store->options.memtable_max_bytes;
    int64_t until = store_wait_until(STORE_MEMORY_WAIT_US);
    bool late = false;
    pthread_mutex_lock(&store->memory_lock);
    store->writers_waiting++;
    while (store->memory_used && store_memory_used(store) + bytes > max && !late &&
           !store->stopping) {
        pthread_cond_signal(&store->flush_work);
        late = !thread_cond_wait_until(&store->memory_freed, &store->memory_lock, until);
    }
    store->writers_waiting--;
    bool fits = count_in(store, bytes);
    pthread_mutex_unlock(&store->memory_lock);
    if (fits)
        return STATUS_OK;
    if (atomic_load(&store->disk_full)) /* waiting alone does not help */
        return error_set(err, STATUS_STORAGE_FULL,
                         "the disk is full: rows in memory cannot be made files");
    enum status status = error_set(err, STATUS_TOO_MANY_REQUESTS,
                                   "memory for new rows is full until a flush has ended");
    if (err)
        err->retry_after_s = 1;
    return status;
}

uint64_t store_memory_used(struct store *store)
{
    return store->memory_used + atomic_load(&store->chunk_indexes.used);
}

void store_memory_add(struct store *store, uint64_t bytes)
{
    pthread_mutex_lock(&store->memory_lock);
    store->memory_used += bytes;
    pthread_mutex_unlock(&store->memory_lock);
}

void store_memory_give(struct store *store, uint64_t bytes)
{
    pthread_mutex_lock(&store->memory_lock);
    store->memory_used -= bytes;
    pthread_cond_broadcast(&store->memory_freed);
    pthread_mutex_unlock(&store->memory_lock);
}
