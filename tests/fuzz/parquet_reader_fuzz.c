/* parquet_reader_fuzz.c: any bytes through every call of the Parquet reader: no crash, no leak, no
 * column with rows that were not asked for. The corpus has small files of our own writer (also with
 * delta encodings, V2 pages and bloom filters) and nested ones of DuckDB's. */
#include <stdlib.h>

#include "format/parquet/parquet.h"

enum { ROWS_MAX = 4096, COLUMNS_MAX = 32, GROUPS_MAX = 8 };

static void check_rows(const struct column *column, uint64_t rows)
{
    if (column->rows != rows || column->nulls > column->rows)
        abort();
    if (type_is_bytes(column->type) && rows) {
        const uint32_t *offsets = column->values;
        for (uint64_t i = 0; i < rows; i++)
            if (offsets[i] > offsets[i + 1] || offsets[i + 1] > column->bytes_len)
                abort();
    }
}

static void read_chunk(struct parquet_reader *reader, uint32_t group, uint32_t c, enum type type)
{
    struct column column;
    uint64_t rows = parquet_row_group_rows(reader, group);
    uint64_t count = rows < ROWS_MAX ? rows : ROWS_MAX;
    column_init(&column, type);
    if (parquet_read_column(reader, group, c, 0, count, &column, NULL) == STATUS_OK)
        check_rows(&column, count);
    else if (column.rows)
        abort();
    column_truncate(&column, 0);
    if (count > 2 &&
        parquet_read_column(reader, group, c, 1, count - 2, &column, NULL) == STATUS_OK)
        check_rows(&column, count - 2);
    column_truncate(&column, 0); /* back: nested columns start the group again */
    if (count && parquet_read_column(reader, group, c, 0, 1, &column, NULL) == STATUS_OK)
        check_rows(&column, 1);
    column_release(&column);
    struct value min, max;
    uint64_t nulls;
    (void)parquet_reader_bounds(reader, group, c, &min, &max, &nulls);
    uint32_t pages = 0;
    if (parquet_pages(reader, group, c, &pages, NULL) == STATUS_OK) {
        for (uint32_t p = 0; p < pages; p++) {
            struct parquet_page_info info;
            parquet_page(reader, group, c, p, &info);
        }
    }
    const struct column *dictionary;
    uint32_t codes[64];
    uint64_t n = count < 64 ? count : 64;
    if (parquet_chunk_dictionary(reader, group, c, &dictionary, NULL) == STATUS_OK && dictionary &&
        parquet_read_codes(reader, group, c, 0, n, codes, NULL) == STATUS_OK)
        for (uint64_t i = 0; i < n; i++)
            if (codes[i] != PARQUET_CODE_NULL && codes[i] >= dictionary->rows)
                abort();
}

static void ask_bloom(struct parquet_reader *reader, uint32_t group, uint32_t c, enum type type)
{
    struct value value = {.type = type, .int64 = 7};
    if (type_is_bytes(type))
        value.bytes = STR("Hello");
    else if (type == TYPE_BOOL)
        value.boolean = true;
    (void)parquet_bloom_check(reader, group, c, &value);
}

static void read_points(struct parquet_reader *reader, uint32_t c, enum type type)
{
    uint64_t rows = parquet_reader_rows(reader);
    if (rows == 0)
        return;
    uint64_t wanted[3] = {0, rows / 2, rows - 1};
    struct column column;
    column_init(&column, type);
    if (parquet_read_rows(reader, c, wanted, 3, &column, NULL) == STATUS_OK)
        check_rows(&column, 3);
    column_release(&column);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct parquet_reader *reader;
    if (parquet_reader_open((struct slice){data, size}, &reader, NULL) != STATUS_OK)
        return 0;
    uint32_t len;
    const struct field *fields = parquet_reader_fields(reader, &len);
    uint32_t groups = parquet_reader_row_groups(reader);
    for (uint32_t c = 0; c < len && c < COLUMNS_MAX; c++) {
        for (uint32_t g = 0; g < groups && g < GROUPS_MAX; g++) {
            read_chunk(reader, g, c, fields[c].type);
            ask_bloom(reader, g, c, fields[c].type);
        }
        read_points(reader, c, fields[c].type);
    }
    parquet_reader_free(reader);
    return 0;
}
