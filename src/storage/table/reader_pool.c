#include "storage/table/reader_pool.h"

#include <stdatomic.h>
#include <stdlib.h>

struct pooled_reader {
    struct pooled_reader *newer, *older; /* in the pool */
    struct pooled_reader *next;          /* in its home */
    struct reader_home *home;
    struct parquet_reader *reader;
    uint64_t bytes;
};

void reader_pool_init(struct reader_pool *pool, uint64_t budget)
{
    *pool = (struct reader_pool){.budget = budget};
    pthread_mutex_init(&pool->lock, NULL);
    row_cache_init(&pool->rows, budget / 4 * 3);
}

void reader_pool_release(struct reader_pool *pool)
{
    row_cache_release(&pool->rows);
    pthread_mutex_destroy(&pool->lock);
}

/* --- the lists; pool->lock is held --- */

static void link_in(struct reader_pool *pool, struct pooled_reader *item)
{
    item->newer = NULL;
    item->older = pool->newest;
    *(pool->newest ? &pool->newest->newer : &pool->oldest) = item;
    pool->newest = item;
    item->next = item->home->first;
    item->home->first = item;
    item->home->len++;
    pool->bytes += item->bytes;
}

static void link_out(struct reader_pool *pool, struct pooled_reader *item)
{
    struct pooled_reader **at = &item->home->first;
    while (*at != item)
        at = &(*at)->next;
    *at = item->next;
    item->home->len--;
    *(item->newer ? &item->newer->older : &pool->newest) = item->older;
    *(item->older ? &item->older->newer : &pool->oldest) = item->newer;
    pool->bytes -= item->bytes;
}

/* Takes the oldest out of the lists, as many as have to go: linked by `next`. */
static struct pooled_reader *shrink(struct reader_pool *pool)
{
    struct pooled_reader *gone = NULL;
    uint64_t rows = atomic_load(&pool->rows.bytes);
    while (pool->bytes && pool->bytes + rows > pool->budget) {
        struct pooled_reader *item = pool->oldest;
        link_out(pool, item);
        item->next = gone;
        gone = item;
    }
    return gone;
}

/* --- */

static void free_all(struct pooled_reader *item)
{
    while (item) {
        struct pooled_reader *next = item->next;
        parquet_reader_free(item->reader);
        free(item);
        item = next;
    }
}

struct parquet_reader *reader_pool_take(struct reader_pool *pool, struct reader_home *home)
{
    struct parquet_reader *reader = NULL;
    pthread_mutex_lock(&pool->lock);
    struct pooled_reader *item = home->first;
    if (item)
        link_out(pool, item);
    pthread_mutex_unlock(&pool->lock);
    if (item)
        reader = item->reader;
    free(item);
    return reader;
}

void reader_pool_give(struct reader_pool *pool, struct reader_home *home,
                      struct parquet_reader *reader)
{
    struct pooled_reader *gone = NULL, *item = malloc(sizeof *item);
    bool kept = false;
    parquet_reader_rest(reader, (size_t)(pool->budget / READER_SHARE));
    if (item) {
        *item = (struct pooled_reader){
            .home = home, .reader = reader, .bytes = parquet_reader_memory(reader)};
        pthread_mutex_lock(&pool->lock);
        kept = home->len < READER_HOME_MAX;
        if (kept)
            link_in(pool, item);
        gone = shrink(pool);
        pthread_mutex_unlock(&pool->lock);
    }
    if (!kept) {
        parquet_reader_free(reader);
        free(item);
    }
    free_all(gone);
}

void reader_pool_empty(struct reader_pool *pool, struct reader_home *home)
{
    struct pooled_reader *gone = NULL;
    pthread_mutex_lock(&pool->lock);
    while (home->first) {
        struct pooled_reader *item = home->first;
        link_out(pool, item);
        item->next = gone;
        gone = item;
    }
    pthread_mutex_unlock(&pool->lock);
    free_all(gone);
}

uint64_t reader_pool_bytes(struct reader_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    uint64_t bytes = pool->bytes;
    pthread_mutex_unlock(&pool->lock);
    return bytes + atomic_load(&pool->rows.bytes);
}
