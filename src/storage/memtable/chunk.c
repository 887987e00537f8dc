/* chunk.c: one run of unflushed rows, with hash indexes that are built at the first look-up.
 *
 * An index is a bucket array of row numbers and a chain from row to the next row of its bucket;
 * rows are put in from the last to the first, so each chain ascends. Beside them stands a Bloom
 * filter of 8 bits a row, for asking many chunks at once (chunk_list.h). */
#include "storage/memtable/memtable.h"

#include <stdlib.h>

struct chunk_index {
    struct chunk_index *next_index;
    uint64_t bytes; /* counted in the budget */
    uint32_t columns[INDEX_FIELDS_MAX];
    uint32_t columns_len;
    uint32_t mask;
    uint64_t *filter; /* filter_len words; one allocation with the next two */
    uint32_t filter_len;
    uint32_t *heads; /* mask + 1 */
    uint32_t *next;  /* rows of the chunk */
};

struct chunk *chunk_new(struct sys *sys, struct batch *batch, uint64_t first_lsn, uint64_t last_lsn)
{
    struct chunk *chunk = calloc(1, sizeof *chunk);
    if (!chunk)
        return NULL;
    atomic_init(&chunk->refs, 1);
    pthread_mutex_init(&chunk->lock, NULL);
    chunk->sys = sys;
    chunk->batch = batch_ref(batch);
    chunk->first_lsn = first_lsn;
    chunk->last_lsn = last_lsn;
    chunk->bytes = batch_memory(batch) + sizeof *chunk;
    return chunk;
}

struct chunk *chunk_ref(struct chunk *chunk)
{
    atomic_fetch_add_explicit(&chunk->refs, 1, memory_order_relaxed);
    return chunk;
}

void chunk_unref(struct chunk *chunk)
{
    if (!chunk || atomic_fetch_sub_explicit(&chunk->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct chunk_index *next;
    for (struct chunk_index *index = chunk->indexes; index; index = next) {
        next = index->next_index;
        if (chunk->budget)
            atomic_fetch_sub(&chunk->budget->used, index->bytes);
        free(index->filter);
        free(index);
    }
    if (chunk->overlay_path)
        (void)sys_unlink(chunk->sys, chunk->overlay_path, NULL); /* emptied at start anyway */
    free(chunk->overlay_path);
    free(chunk->frames);
    deletion_unref(chunk->deleted);
    batch_unref(chunk->batch);
    pthread_mutex_destroy(&chunk->lock);
    free(chunk);
}

uint32_t chunk_frames(const struct chunk *chunk)
{
    return chunk->frames ? chunk->frames_len : 1;
}

uint64_t chunk_frame_lsn(const struct chunk *chunk, uint32_t frame)
{
    return chunk->frames ? chunk->frames[frame].lsn : chunk->first_lsn;
}

bool chunk_find_frame(const struct chunk *chunk, uint64_t lsn, uint32_t *ret_first,
                      uint32_t *ret_rows)
{
    uint32_t low = 0, high = chunk_frames(chunk);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (chunk_frame_lsn(chunk, middle) < lsn)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == chunk_frames(chunk) || chunk_frame_lsn(chunk, low) != lsn)
        return false;
    uint32_t end =
        low + 1 < chunk_frames(chunk) ? chunk->frames[low + 1].first_row : chunk->batch->rows;
    *ret_first = chunk->frames ? chunk->frames[low].first_row : 0;
    *ret_rows = end - *ret_first;
    return true;
}

static bool budget_take(struct chunk_budget *budget, uint64_t bytes)
{
    if (!budget || atomic_fetch_add(&budget->used, bytes) + bytes <= budget->max)
        return true;
    atomic_fetch_sub(&budget->used, bytes);
    return false;
}

/* The values of a row in some columns; false when one is null. */
static bool take_values(const struct chunk *chunk, const uint32_t *columns, uint32_t len,
                        uint32_t row, struct value *ret)
{
    for (uint32_t i = 0; i < len; i++) {
        ret[i] = value_of_column(&chunk->batch->columns[columns[i]].column, row);
        if (ret[i].is_null)
            return false;
    }
    return true;
}

static void index_fill(struct chunk_index *index, const struct chunk *chunk)
{
    struct value values[INDEX_FIELDS_MAX];
    for (uint32_t row = chunk->batch->rows; row-- > 0;) {
        if (!take_values(chunk, index->columns, index->columns_len, row, values))
            continue;
        uint64_t hash = values_hash(values, index->columns_len);
        uint32_t *head = &index->heads[hash & index->mask];
        index->next[row] = *head;
        *head = row;
        index->filter[(hash >> 32) * index->filter_len >> 32] |= chunk_filter_bits(hash);
    }
}

static struct chunk_index *index_build(const struct chunk *chunk, const uint32_t *columns,
                                       uint32_t len)
{
    uint32_t rows = chunk->batch->rows, buckets = CHUNK_INDEX_ROWS_MIN;
    while (buckets < rows)
        buckets *= 2;
    uint32_t words = rows / 8 + 1;
    size_t bytes = ((size_t)buckets + rows) * sizeof(uint32_t) + words * sizeof(uint64_t);
    if (!budget_take(chunk->budget, bytes))
        return NULL;
    struct chunk_index *index = calloc(1, sizeof *index);
    if (index)
        index->filter = malloc(bytes);
    if (!index || !index->filter) {
        if (chunk->budget)
            atomic_fetch_sub(&chunk->budget->used, bytes);
        free(index);
        return NULL;
    }
    index->bytes = bytes;
    memcpy(index->columns, columns, len * sizeof *columns);
    index->columns_len = len;
    index->mask = buckets - 1;
    index->filter_len = words;
    index->heads = (uint32_t *)(void *)(index->filter + words);
    index->next = index->heads + buckets;
    memset(index->filter, 0, words * sizeof *index->filter);
    memset(index->heads, 0xff, buckets * sizeof *index->heads);
    index_fill(index, chunk);
    return index;
}

/* chunk->lock is held. */
static struct chunk_index *find_index(const struct chunk *chunk, const uint32_t *columns,
                                      uint32_t len)
{
    struct chunk_index *index = chunk->indexes;
    while (index && (index->columns_len != len ||
                     memcmp(index->columns, columns, len * sizeof *columns) != 0))
        index = index->next_index;
    return index;
}

bool chunk_filter_of(struct chunk *chunk, uint32_t column, struct chunk_filter *ret)
{
    pthread_mutex_lock(&chunk->lock);
    const struct chunk_index *index = find_index(chunk, &column, 1);
    pthread_mutex_unlock(&chunk->lock);
    if (index)
        *ret = (struct chunk_filter){index->filter, index->filter_len, index->mask, index->heads};
    return index != NULL;
}

static struct chunk_index *index_get(struct chunk *chunk, const uint32_t *columns, uint32_t len)
{
    pthread_mutex_lock(&chunk->lock);
    struct chunk_index *index = find_index(chunk, columns, len);
    if (!index) {
        index = index_build(chunk, columns, len);
        if (index) {
            index->next_index = chunk->indexes;
            chunk->indexes = index;
        }
    }
    pthread_mutex_unlock(&chunk->lock);
    return index;
}

static bool is_equal(const struct chunk *chunk, const struct chunk_index *index, uint32_t row,
                     const struct value *values)
{
    struct value found[INDEX_FIELDS_MAX];
    if (!take_values(chunk, index->columns, index->columns_len, row, found))
        return false;
    for (uint32_t i = 0; i < index->columns_len; i++)
        if (value_compare(&found[i], &values[i]) != 0)
            return false;
    return true;
}

static enum status collect(const struct chunk *chunk, const struct chunk_index *index,
                           const struct value *values, uint32_t **ret_rows, uint32_t *ret_len,
                           struct error *err)
{
    uint32_t *rows = NULL, len = 0, cap = 0;
    uint64_t hash = values_hash(values, index->columns_len);
    for (uint32_t row = index->heads[hash & index->mask]; row != CHUNK_NO_ROW;
         row = index->next[row]) {
        if (!is_equal(chunk, index, row, values))
            continue;
        if (len == cap) {
            cap = cap ? cap * 2 : 8;
            uint32_t *grown = realloc(rows, cap * sizeof *rows);
            if (!grown) {
                free(rows);
                return error_no_memory(err);
            }
            rows = grown;
        }
        rows[len++] = row;
    }
    *ret_rows = rows;
    *ret_len = len;
    return STATUS_OK;
}

enum status chunk_lookup(struct chunk *chunk, const struct str *columns, const struct value *values,
                         uint32_t len, bool *ret_used, uint32_t **ret_rows, uint32_t *ret_len,
                         struct error *err)
{
    uint32_t at[INDEX_FIELDS_MAX];
    *ret_used = false;
    *ret_rows = NULL;
    *ret_len = 0;
    if (chunk->batch->rows < CHUNK_INDEX_ROWS_MIN)
        return STATUS_OK;
    for (uint32_t i = 0; i < len; i++) {
        int32_t column = batch_find(chunk->batch, columns[i]);
        if (column < 0 || values[i].is_null ||
            chunk->batch->columns[column].column.type != values[i].type)
            return STATUS_OK;
        at[i] = (uint32_t)column;
    }
    struct chunk_index *index = index_get(chunk, at, len);
    if (!index)
        return STATUS_OK;
    TRY(collect(chunk, index, values, ret_rows, ret_len, err));
    *ret_used = true;
    return STATUS_OK;
}
