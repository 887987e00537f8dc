/* chunk.c: one run of unflushed rows, with hash indexes that are built at the first look-up.
 *
 * An index is a bucket array of row numbers and a chain from row to the next row of its bucket;
 * rows are put in from the last to the first, so each chain ascends. */
#include "storage/memtable/memtable.h"

#include <stdlib.h>

#define CHUNK_NO_ROW UINT32_MAX

struct chunk_index {
    struct chunk_index *next_index;
    uint64_t bytes; /* counted in the budget */
    uint32_t column;
    uint32_t mask;
    uint32_t *heads; /* mask + 1 */
    uint32_t *next;  /* rows of the chunk; in the same allocation */
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
        free(index->heads);
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

static struct chunk_index *index_build(const struct chunk *chunk, uint32_t column)
{
    uint32_t rows = chunk->batch->rows, buckets = CHUNK_INDEX_ROWS_MIN;
    while (buckets < rows)
        buckets *= 2;
    size_t bytes = ((size_t)buckets + rows) * sizeof(uint32_t);
    if (!budget_take(chunk->budget, bytes))
        return NULL;
    struct chunk_index *index = calloc(1, sizeof *index);
    if (index)
        index->heads = malloc(bytes);
    if (!index || !index->heads) {
        if (chunk->budget)
            atomic_fetch_sub(&chunk->budget->used, bytes);
        free(index);
        return NULL;
    }
    index->bytes = bytes;
    index->column = column;
    index->mask = buckets - 1;
    index->next = index->heads + buckets;
    memset(index->heads, 0xff, buckets * sizeof *index->heads);
    const struct column *data = &chunk->batch->columns[column].column;
    for (uint32_t row = rows; row-- > 0;) {
        if (column_is_null(data, row))
            continue;
        struct value value = value_of_column(data, row);
        uint32_t *head = &index->heads[value_hash(&value) & index->mask];
        index->next[row] = *head;
        *head = row;
    }
    return index;
}

static struct chunk_index *index_get(struct chunk *chunk, uint32_t column)
{
    pthread_mutex_lock(&chunk->lock);
    struct chunk_index *index = chunk->indexes;
    while (index && index->column != column)
        index = index->next_index;
    if (!index) {
        index = index_build(chunk, column);
        if (index) {
            index->next_index = chunk->indexes;
            chunk->indexes = index;
        }
    }
    pthread_mutex_unlock(&chunk->lock);
    return index;
}

static enum status collect(const struct chunk_index *index, const struct column *data,
                           const struct value *value, uint32_t **ret_rows, uint32_t *ret_len,
                           struct error *err)
{
    uint32_t *rows = NULL, len = 0, cap = 0;
    for (uint32_t row = index->heads[value_hash(value) & index->mask]; row != CHUNK_NO_ROW;
         row = index->next[row]) {
        struct value found = value_of_column(data, row);
        if (value_compare(&found, value) != 0)
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

enum status chunk_lookup(struct chunk *chunk, struct str column, const struct value *value,
                         bool *ret_used, uint32_t **ret_rows, uint32_t *ret_len, struct error *err)
{
    *ret_used = false;
    *ret_rows = NULL;
    *ret_len = 0;
    int32_t at = batch_find(chunk->batch, column);
    if (at < 0 || chunk->batch->rows < CHUNK_INDEX_ROWS_MIN || value->is_null)
        return STATUS_OK;
    const struct column *data = &chunk->batch->columns[at].column;
    if (data->type != value->type)
        return STATUS_OK;
    struct chunk_index *index = index_get(chunk, (uint32_t)at);
    if (!index)
        return STATUS_OK;
    TRY(collect(index, data, value, ret_rows, ret_len, err));
    *ret_used = true;
    return STATUS_OK;
}
