/* chunk_gather.c: rows of a batch's column, selected and widened, as dense keys or strings.
 *
 * Each type has one loop over the selection; nulls are left out and their validity bits cleared. */
#include "format/parquet/writer_int.h"

static inline uint32_t row_of(const struct pq_selection *rows, uint32_t i)
{
    return rows->order ? rows->order[i] : rows->first + i;
}

/* Loops over the values that are not null: `row` is the batch's row, `n` the count so far. */
#define GATHER(statement)                                                                          \
    do {                                                                                           \
        if (column->nulls == 0) {                                                                  \
            for (uint32_t i = 0; i < rows.count; i++) {                                            \
                uint32_t row = row_of(&rows, i);                                                   \
                statement;                                                                         \
                n++;                                                                               \
            }                                                                                      \
        } else {                                                                                   \
            for (uint32_t i = 0; i < rows.count; i++) {                                            \
                uint32_t row = row_of(&rows, i);                                                   \
                if (column_is_null(column, row)) {                                                 \
                    set_null(chunk, i);                                                            \
                } else {                                                                           \
                    statement;                                                                     \
                    n++;                                                                           \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
    } while (0)

static inline void set_null(struct chunk_builder *chunk, uint32_t i)
{
    uint32_t row = chunk->rows + i;
    chunk->validity[row >> 3] &= (uint8_t) ~(1u << (row & 7));
}

static inline uint64_t double_key(double value)
{
    uint64_t key;
    memcpy(&key, &value, sizeof key);
    return key;
}

static uint32_t gather_same(struct chunk_builder *chunk, const struct column *column,
                            struct pq_selection rows, struct pq_segment *segment)
{
    uint32_t n = 0;
    uint64_t *keys = segment->keys;
    switch (column->type) {
    case TYPE_BOOL:
        GATHER(keys[n] = column_bool(column, row));
        break;
    case TYPE_DATE:
        GATHER(keys[n] = (uint64_t)(int64_t)column_date(column, row));
        break;
    case TYPE_STRING:
    case TYPE_JSON:
        GATHER(segment->strs[n] = column_str(column, row));
        break;
    default: /* 64 bits */
        GATHER(keys[n] = ((const uint64_t *)column->values)[row]);
        break;
    }
    return n;
}

static enum status widen_ints(struct pq_segment *segment, struct error *err)
{
    const int64_t exact = (int64_t)1 << 53;
    for (uint32_t i = 0; i < segment->count; i++) {
        int64_t value = (int64_t)segment->keys[i];
        if (value < -exact || value > exact)
            return error_set(err, STATUS_SCHEMA,
                             "the integer %lld cannot become a double without loss",
                             (long long)value);
        segment->keys[i] = double_key((double)value);
    }
    return STATUS_OK;
}

enum status chunk_gather(struct chunk_builder *chunk, const struct column *column,
                         struct pq_selection rows, struct pq_segment *segment, struct error *err)
{
    segment->count = 0;
    if (!column) {
        for (uint32_t i = 0; i < rows.count; i++)
            set_null(chunk, i);
        return STATUS_OK;
    }
    segment->count = gather_same(chunk, column, rows, segment);
    if (column->type == chunk->type)
        return STATUS_OK;
    if (chunk->type == TYPE_DOUBLE)
        return widen_ints(segment, err);
    for (uint32_t i = 0; i < segment->count; i++) /* days to microseconds */
        segment->keys[i] = (uint64_t)((int64_t)segment->keys[i] * 86400 * 1000000);
    return STATUS_OK;
}
