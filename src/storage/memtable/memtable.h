/* memtable.h: the unflushed rows of one source, as a list of immutable chunks in LSN order.
 *
 * A row is known by the LSN of its frame and its number there, also after chunks were merged: that
 * is how the log names rows to delete. Deleted rows stay in their chunk (`deleted` says which)
 * until it is flushed.
 *
 * Appending never needs memory, so that a write that is durable can always be published. Small
 * chunks are merged eight at a time, so that a row is copied at most log8(65536) times and a
 * source of one-row writes has some forty chunks. Lists are guarded by the source's lock; chunks
 * are shared by reference and never change (their lazy parts have their own lock). */
#ifndef QUARRY_STORAGE_MEMTABLE_H
#define QUARRY_STORAGE_MEMTABLE_H

#include <pthread.h>

#include "data/batch.h"
#include "data/value.h"
#include "storage/table/deletion.h"
#include "sys/sys.h"

enum {
    CHUNK_MERGE_FAN = 8,
    CHUNK_MERGE_ROWS_MAX = 65536,
    CHUNK_INDEX_ROWS_MIN = 2048, /* smaller ones are scanned */
    CHUNK_INDEX_SHARE = 4,       /* lazy indexes take at most a quarter of the store's memory */
};

#define CHUNK_NO_ROW UINT32_MAX

struct chunk_index;
struct chunk_list;

struct chunk_frame {
    uint64_t lsn;
    uint32_t first_row;
};

/* What the lazy indexes of all chunks may take and take; the store's. Beyond it chunks are scanned.
 */
struct chunk_budget {
    _Atomic uint64_t used;
    uint64_t max;
};

struct chunk {
    _Atomic uint32_t refs;
    struct batch *batch;
    uint64_t first_lsn, last_lsn;
    struct chunk_frame *frames; /* by LSN; NULL: it is one frame, first_lsn */
    uint32_t frames_len;
    uint64_t bytes;
    struct chunk *prev, *next; /* in the list; guarded by the source's lock */
    struct deletion *deleted;  /* at present; NULL: none; guarded by the source's lock */

    struct sys *sys;      /* removes the overlay file */
    pthread_mutex_t lock; /* the lazy parts */
    struct chunk_index *indexes;
    struct chunk_budget *budget; /* NULL: unbounded */
    char *overlay_path;          /* Parquet file of the same rows for other processes, or NULL */
};

/* Takes a reference to the batch. NULL when memory is out. */
struct chunk *chunk_new(struct sys *sys, struct batch *batch, uint64_t first_lsn,
                        uint64_t last_lsn);
struct chunk *chunk_ref(struct chunk *chunk);
void chunk_unref(struct chunk *chunk);
/* Row numbers, ascending, whose columns (at most INDEX_FIELDS_MAX) equal the values (exactly).
 * Builds the index when there is none. `*ret_used` false: too small, no such columns, or no memory
 * for an index: scan. */
enum status chunk_lookup(struct chunk *chunk, const struct str *columns, const struct value *values,
                         uint32_t len, bool *ret_used, uint32_t **ret_rows, uint32_t *ret_len,
                         struct error *err);

/* A Bloom filter over the keys of one index, of which a key sets bits in one word; valid as long as
 * the chunk. Keys are found by values_hash. */
struct chunk_filter {
    const uint64_t *words; /* NULL: the chunk may have any key */
    uint32_t words_len;
    uint32_t mask; /* of the index's buckets */
    const uint32_t *heads;
};
/* Of the index over one column; false when that is not built yet. */
bool chunk_filter_of(struct chunk *chunk, uint32_t column, struct chunk_filter *ret);

static inline const uint64_t *chunk_filter_word(const struct chunk_filter *filter, uint64_t hash)
{
    return filter->words + ((hash >> 32) * filter->words_len >> 32);
}

/* Four bits, from others of the hash than its word and its bucket. */
static inline uint64_t chunk_filter_bits(uint64_t hash)
{
    uint64_t mixed = hash * UINT64_C(0x9E3779B97F4A7C15);
    return UINT64_C(1) << (mixed >> 58) | UINT64_C(1) << (mixed >> 52 & 63) |
           UINT64_C(1) << (mixed >> 46 & 63) | UINT64_C(1) << (mixed >> 40 & 63);
}

static inline bool chunk_filter_has(const struct chunk_filter *filter, uint64_t hash)
{
    uint64_t bits = chunk_filter_bits(hash);
    return !filter->words || (*chunk_filter_word(filter, hash) & bits) == bits;
}

static inline void chunk_filter_prefetch(const struct chunk_filter *filter, uint64_t hash)
{
    if (filter->words)
        __builtin_prefetch(chunk_filter_word(filter, hash));
}

/* Where a look-up of a key that the filter lets through begins: most probably its first row, or
 * CHUNK_NO_ROW. */
static inline const uint32_t *chunk_filter_head(const struct chunk_filter *filter, uint64_t hash)
{
    return &filter->heads[hash & filter->mask];
}

/* Row in the chunk of a frame's first row, and the frame's rows; false when it has no such frame.
 */
bool chunk_find_frame(const struct chunk *chunk, uint64_t lsn, uint32_t *ret_first,
                      uint32_t *ret_rows);
uint32_t chunk_frames(const struct chunk *chunk);
uint64_t chunk_frame_lsn(const struct chunk *chunk, uint32_t frame);

struct memtable {
    struct chunk *head, *tail;
    uint32_t chunks;
    uint64_t rows, bytes, frames;
    uint64_t deleted;        /* of the rows */
    int64_t since_us;        /* first append */
    struct chunk_list *list; /* of all chunks as they are, for views; NULL: made when asked for */
};

/* Takes over the caller's reference; a frame more. */
void memtable_append(struct memtable *table, struct chunk *chunk);
/* The tail chunks that are to be merged now, oldest first, with what is deleted of them, all
 * referenced; 0 when none. */
struct chunk_merge_input {
    struct chunk *chunk;
    struct deletion *deleted;
};
uint32_t memtable_merge_pick(struct memtable *table, struct chunk_merge_input ret[CHUNK_MERGE_FAN]);
/* Makes one chunk of some; NULL when it cannot be (no memory): then they simply stay. */
struct chunk *chunk_merge(const struct chunk_merge_input *from, uint32_t len);
/* Puts `merged` in place of `from` if they are still the table's tail and no further rows of them
 * were deleted; takes the reference over and returns true in that case. */
bool memtable_merge_swap(struct memtable *table, const struct chunk_merge_input *from, uint32_t len,
                         struct chunk *merged);
/* Other rows of a chunk of the table are deleted than before; takes the reference over and returns
 * the former one. Needs no memory. */
struct deletion *memtable_set_deleted(struct memtable *table, struct chunk *chunk,
                                      struct deletion *deleted);
/* Moves all chunks of `from` behind those of `to`. */
void memtable_move(struct memtable *to, struct memtable *from);
/* Lets go of all chunks. */
void memtable_clear(struct memtable *table);

#endif
