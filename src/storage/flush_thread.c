/* flush_thread.c: which source is flushed when, without being asked.
 *
 * A flush thread takes, of the sources that nobody is flushing and that are not backing off,
 *   the one with most unflushed bytes while memory is above memtable_bytes or writers wait, else
 *   one whose oldest unflushed row is older than flush_age_us;
 * and sleeps otherwise (woken by writers when memory is short, at least once a second). After a
 * failure a source is left alone for a time that doubles up to FLUSH_BACKOFF_MAX_US. */
#include "storage/store_int.h"

enum { FLUSH_SLEEP_US = 1000000 };

/* Somebody else works on the source's files (an update looks for its rows, say): waiting for it
 * would stall the sources that can be flushed meanwhile. It may still come between. Trying is fine
 * against the order of locks. */
static bool is_busy(struct source *source)
{
    if (pthread_mutex_trylock(&source->flush_lock) != 0)
        return true;
    pthread_mutex_unlock(&source->flush_lock);
    return false;
}

/* source->lock is held. */
static bool is_due(const struct source *source, int64_t now_us, bool memory_short)
{
    const struct memtable *oldest = source->frozen.head ? &source->frozen : &source->active;
    if (!source_is_dirty(source) || source->flushing || source->removed ||
        now_us < source->flush_not_before_us)
        return false;
    int64_t since_us = source->mutated_since_us;
    if (oldest->head && (!source->first_mutation_lsn || oldest->since_us < since_us))
        since_us = oldest->since_us;
    return memory_short || now_us - since_us >= source->store->options.flush_age_us;
}

/* The source to flush next, referenced and marked, or NULL. */
static struct source *pick(struct store *store, bool memory_short)
{
    int64_t now_us = sys_mono_us(store->sys);
    struct source *best = NULL;
    uint64_t best_bytes = 0;
    pthread_mutex_lock(&store->lock);
    for (uint32_t i = 0; i < store->sources_len; i++) {
        struct source *source = store->sources[i];
        pthread_mutex_lock(&source->lock);
        uint64_t bytes = source->frozen.bytes + source->active.bytes +
                         (source->deleted ? source->deleted->memory : 0);
        if (is_due(source, now_us, memory_short) && (!best || bytes > best_bytes) &&
            !is_busy(source)) {
            best = source;
            best_bytes = bytes;
        }
        pthread_mutex_unlock(&source->lock);
    }
    if (best) {
        source_ref(best);
        pthread_mutex_lock(&best->lock);
        best->flushing = true;
        pthread_mutex_unlock(&best->lock);
    }
    pthread_mutex_unlock(&store->lock);
    return best;
}

static void flush_one(struct source *source)
{
    enum status status = source_flush_once(source, NULL); /* kept in the source's statistics */
    pthread_mutex_lock(&source->lock);
    source->flushing = false;
    if (status == STATUS_OK) {
        source->flush_backoff_us = 0;
        source->flush_not_before_us = 0;
    } else {
        source->flush_backoff_us =
            source->flush_backoff_us ? source->flush_backoff_us * 2 : FLUSH_BACKOFF_FIRST_US;
        if (source->flush_backoff_us > FLUSH_BACKOFF_MAX_US)
            source->flush_backoff_us = FLUSH_BACKOFF_MAX_US;
        source->flush_not_before_us = sys_mono_us(source->store->sys) + source->flush_backoff_us;
    }
    pthread_mutex_unlock(&source->lock);
    source_unref(source);
}

static void *flush_main(void *context)
{
    struct store *store = context;
    pthread_mutex_lock(&store->memory_lock);
    while (!store->stopping) {
        bool memory_short =
            store_memory_used(store) >= store->options.memtable_bytes || store->writers_waiting;
        pthread_mutex_unlock(&store->memory_lock);
        struct source *source = pick(store, memory_short);
        if (source)
            flush_one(source);
        pthread_mutex_lock(&store->memory_lock);
        if (!source && !store->stopping)
            (void)thread_cond_wait_until(&store->flush_work, &store->memory_lock,
                                         store_wait_until(FLUSH_SLEEP_US));
    }
    pthread_mutex_unlock(&store->memory_lock);
    return NULL;
}

enum status store_flush_start(struct store *store, struct error *err)
{
    while (store->flush_threads_len < store->options.flush_threads) {
        TRY(thread_start(&store->flush_threads[store->flush_threads_len], "flush", 0, flush_main,
                         store, err));
        store->flush_threads_len++;
    }
    return STATUS_OK;
}

void store_flush_stop(struct store *store)
{
    pthread_mutex_lock(&store->memory_lock);
    store->stopping = true;
    pthread_cond_broadcast(&store->flush_work);
    pthread_cond_broadcast(&store->memory_freed);
    pthread_cond_broadcast(&store->index_work);
    pthread_mutex_unlock(&store->memory_lock);
    for (uint32_t i = 0; i < store->flush_threads_len; i++)
        thread_join(&store->flush_threads[i]);
    store->flush_threads_len = 0;
}
