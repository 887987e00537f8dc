/* reader_pool.h: parsed files between two uses, and rows of them, under one budget of bytes for a
 * whole store.
 *
 * A reader holds the parsed footer and page indexes of its file and decoded pages. While somebody
 * reads with it, it is that one's alone; in between it waits in the pool, in the list of its home
 * (the segment). Beyond the budget those unused for longest are freed; decoded pages of one reader
 * keep to a share of it. Readers in use are not counted: each holds PARQUET_CACHE_BYTES_MAX of
 * decoded pages at the most.
 *
 * All calls may be made from any thread. One lock, a leaf, held for list operations only. */
#ifndef QUARRY_STORAGE_READER_POOL_H
#define QUARRY_STORAGE_READER_POOL_H

#include <pthread.h>

#include "format/parquet/parquet.h"
#include "storage/table/row_cache.h"

enum {
    READER_HOME_MAX = 8, /* that wait for one segment */
    READER_SHARE = 8,    /* decoded pages of one reader: at most 1/8 of the budget */
};

struct pooled_reader;

struct reader_pool {
    pthread_mutex_t lock;
    struct pooled_reader *newest, *oldest;
    uint64_t bytes, budget; /* `rows` counts against it too */
    struct row_cache rows;  /* takes three quarters of the budget at the most */
};

/* The waiting readers of one segment; zero at first. Guarded by the pool's lock. */
struct reader_home {
    struct pooled_reader *first;
    uint32_t len;
};

void reader_pool_init(struct reader_pool *pool, uint64_t budget);
/* All homes must be empty. */
void reader_pool_release(struct reader_pool *pool);
/* The reader that was used last, or NULL. */
struct parquet_reader *reader_pool_take(struct reader_pool *pool, struct reader_home *home);
/* Takes the reader over; it, or others, may be freed. */
void reader_pool_give(struct reader_pool *pool, struct reader_home *home,
                      struct parquet_reader *reader);
/* Frees all readers of a home. */
void reader_pool_empty(struct reader_pool *pool, struct reader_home *home);
/* Rows included. */
uint64_t reader_pool_bytes(struct reader_pool *pool);

#endif
