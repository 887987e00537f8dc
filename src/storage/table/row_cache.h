/* row_cache.h: rows of files with all their values side by side, for point reads.
 *
 * A block is ROW_BLOCK_ROWS rows of one segment, decoded and turned from columns to rows, so that a
 * row costs two or three cache misses whatever its number of columns, and no page is decoded for
 * it. It is made when rows of it are asked for the second time (until then a row is taken out of
 * its pages), is immutable, and is shared by all threads; who holds a reference may read on while
 * the cache lets it go. Blocks that were not asked for since the hand of the clock passed them go
 * first.
 *
 * A row: a bit a column (set: null), up to a whole byte; a slot a column, where texts have offset
 * (in the row) and length; the texts.
 *
 * Locks: the cache's before a home's. Both are leaves, held for list operations only. */
#ifndef QUARRY_STORAGE_ROW_CACHE_H
#define QUARRY_STORAGE_ROW_CACHE_H

#include <pthread.h>

#include "data/batch.h"

enum {
    ROW_BLOCK_ROWS = 2048,      /* of our pages */
    ROW_BLOCK_COLUMNS_MAX = 64, /* files of more have no blocks: making one would take too long */
    ROW_BLOCK_BYTES_MAX = 4 << 20, /* larger ones are not kept */
    ROW_CACHE_SHARE = 16,          /* a block may take 1/16 of the budget */
};

struct row_block;

/* The blocks of one segment; zero at first. */
struct row_home {
    pthread_mutex_t lock;
    struct row_block **blocks; /* by number; NULL: none */
    uint8_t *asked;            /* how often rows of a block were asked for that is not there */
    uint32_t len;
};

struct row_cache {
    pthread_mutex_t lock;
    struct row_block *hand; /* of the ring of all blocks */
    _Atomic uint64_t bytes;
    uint64_t budget;
};

void row_cache_init(struct row_cache *cache, uint64_t budget);
/* All homes must be empty. */
void row_cache_release(struct row_cache *cache);
void row_home_init(struct row_home *home);
/* Lets go of its blocks; nobody else uses the home any more. */
void row_home_release(struct row_cache *cache, struct row_home *home);

/* A reference to a block, or NULL. `*ret_wanted`: it is not there and should be made. `rows`: of
 * the whole segment. */
struct row_block *row_cache_get(struct row_home *home, uint64_t rows, uint32_t number,
                                bool *ret_wanted);
/* Makes a block of columns (of equally many rows, at most ROW_BLOCK_ROWS) and puts it in: a
 * reference. NULL: it is too large, or memory is out. */
struct row_block *row_cache_put(struct row_cache *cache, struct row_home *home, uint32_t number,
                                const struct column *columns, uint32_t columns_len);
void row_block_unref(struct row_block *block);

/* Appends one value; `into` has the type that the column has in the block. */
enum status row_block_append(const struct row_block *block, uint32_t row, uint32_t column,
                             struct column *into);
void row_block_prefetch(const struct row_block *block, uint32_t row);

#endif
