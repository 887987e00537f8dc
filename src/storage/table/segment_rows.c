/* segment_rows.c: rows of a segment in memory (row_cache.h): asked for, and made from the file. */
#include <stdatomic.h>

#include "format/parquet/parquet.h"
#include "storage/table/row_cache.h"
#include "storage/table/snapshot.h"

enum { BLOCKS_MADE_MAX = 4 }; /* by one call: others are waiting */

/* Rows [first, first + count) of the file, over row groups. */
static enum status read_span(struct parquet_reader *reader, uint32_t column, uint64_t first,
                             uint64_t count, struct column *into)
{
    uint64_t base = 0;
    for (uint32_t g = 0; count && g < parquet_reader_row_groups(reader); g++) {
        uint64_t rows = parquet_row_group_rows(reader, g);
        if (first < base + rows) {
            uint64_t left = base + rows - first, n = count < left ? count : left;
            TRY(parquet_read_column(reader, g, column, first - base, n, into, NULL));
            first += n;
            count -= n;
        }
        base += rows;
    }
    return count ? STATUS_CORRUPT : STATUS_OK;
}

static bool read_columns(struct parquet_reader *reader, uint64_t first, uint64_t count,
                         struct column *columns, uint32_t len)
{
    enum status status = STATUS_OK;
    for (uint32_t c = 0; c < len && status == STATUS_OK; c++)
        status = read_span(reader, c, first, count, &columns[c]);
    return status == STATUS_OK;
}

/* A reference; NULL when there can be none: whoever reads the rows otherwise hears why. */
static struct row_block *make_block(struct segment *segment, struct row_cache *cache,
                                    struct row_home *home, uint32_t number)
{
    struct column columns[ROW_BLOCK_COLUMNS_MAX];
    struct parquet_reader *reader = NULL;
    struct row_block *block = NULL;
    uint64_t first = (uint64_t)number * ROW_BLOCK_ROWS;
    uint64_t rows = segment_meta(segment)->rows - first;
    uint32_t len;
    if (segment_reader(segment, &reader, NULL) != STATUS_OK)
        return NULL;
    const struct field *fields = parquet_reader_fields(reader, &len);
    for (uint32_t c = 0; c < len && len <= ROW_BLOCK_COLUMNS_MAX; c++)
        column_init(&columns[c], fields[c].type);
    if (len && len <= ROW_BLOCK_COLUMNS_MAX) {
        rows = rows < ROW_BLOCK_ROWS ? rows : ROW_BLOCK_ROWS;
        if (read_columns(reader, first, rows, columns, len))
            block = row_cache_put(cache, home, number, columns, len);
        for (uint32_t c = 0; c < len; c++)
            column_release(&columns[c]);
    }
    segment_reader_release(segment, reader);
    return block;
}

/* A full cache makes a block for one question of eight: where all rows are equally likely it would
 * make blocks for others to push out, where some are not those still get in. */
static bool is_worth_it(const struct row_cache *cache, uint64_t row)
{
    bool full = atomic_load(&cache->bytes) > cache->budget - cache->budget / 8;
    return !full || row * UINT64_C(0x9E3779B97F4A7C15) >> 61 == 0;
}

/* As far as the file's size tells. */
static bool rows_are_small(const struct segment_meta *meta)
{
    return meta->columns_len <= ROW_BLOCK_COLUMNS_MAX &&
           meta->bytes / (meta->rows + 1) < ROW_BLOCK_BYTES_MAX / ROW_BLOCK_ROWS / 2;
}

bool segment_pin_rows(struct segment *segment, const uint64_t *rows, uint32_t len,
                      struct row_pin *ret)
{
    struct row_cache *cache;
    struct row_home *home = segment_row_home(segment, &cache);
    const struct segment_meta *meta = segment_meta(segment);
    uint32_t made = 0;
    bool all = true;
    ret->len = 0;
    if (!cache || len == 0 || len > ROW_PIN_MAX || !rows_are_small(meta))
        return false;
    for (uint32_t i = 0; i < len; i++) {
        uint32_t number = (uint32_t)(rows[i] / ROW_BLOCK_ROWS);
        bool wanted = false;
        ret->rows[i] = (uint32_t)(rows[i] % ROW_BLOCK_ROWS);
        if (i && rows[i - 1] / ROW_BLOCK_ROWS == number) {
            ret->blocks[i] = ret->blocks[i - 1];
            continue;
        }
        ret->blocks[i] = row_cache_get(home, meta->rows, number, &wanted);
        if (wanted && is_worth_it(cache, rows[i]) && made++ < BLOCKS_MADE_MAX)
            ret->blocks[i] = make_block(segment, cache, home, number);
        all &= ret->blocks[i] != NULL;
    }
    ret->len = len;
    for (uint32_t i = 0; i < len && all; i++)
        row_block_prefetch(ret->blocks[i], ret->rows[i]);
    if (!all)
        row_pin_release(ret);
    return all;
}

void row_pin_release(struct row_pin *pin)
{
    for (uint32_t i = 0; i < pin->len; i++)
        if (i == 0 || pin->blocks[i] != pin->blocks[i - 1])
            row_block_unref(pin->blocks[i]);
    pin->len = 0;
}

enum status row_pin_append(const struct row_pin *pin, uint32_t row, uint32_t column,
                           struct column *into)
{
    return row_block_append(pin->blocks[row], pin->rows[row], column, into);
}
