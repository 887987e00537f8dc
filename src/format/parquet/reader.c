/* reader.c: opens a file and answers what the footer says. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "format/parquet/reader_int.h"

enum status pq_corrupt(struct error *err, const char *format, ...)
{
    char text[ERROR_MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut is fine */
    va_end(args);
    return error_set(err, STATUS_CORRUPT, "Parquet file: %s", text);
}

bool pq_scratch_reserve(struct pq_scratch *scratch, size_t size)
{
    if (size <= scratch->cap)
        return true;
    size_t cap = scratch->cap ? scratch->cap : 4096;
    while (cap < size)
        cap *= 2;
    uint8_t *data = malloc(cap); /* contents need not be kept */
    if (!data)
        return false;
    free(scratch->data);
    scratch->data = data;
    scratch->cap = cap;
    return true;
}

static enum status find_footer(struct slice file, struct slice *ret_footer, struct error *err)
{
    const uint8_t *bytes = file.data;
    if (file.len < PQ_MAGIC_LEN + PQ_TAIL_LEN)
        return pq_corrupt(err, "%zu bytes are too few", file.len);
    const uint8_t *tail = bytes + file.len - PQ_TAIL_LEN;
    if (memcmp(tail + 4, "PARE", PQ_MAGIC_LEN) == 0)
        return error_set(err, STATUS_NOT_IMPLEMENTED, "encrypted Parquet files are not read");
    if (memcmp(bytes, PQ_MAGIC, PQ_MAGIC_LEN) != 0 || memcmp(tail + 4, PQ_MAGIC, PQ_MAGIC_LEN) != 0)
        return pq_corrupt(err, "it does not begin and end with " PQ_MAGIC);
    uint32_t len;
    memcpy(&len, tail, sizeof len);
    if (len > file.len - PQ_MAGIC_LEN - PQ_TAIL_LEN)
        return pq_corrupt(err, "the footer's length %u is beyond the file", len);
    if (len > FOOTER_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a Parquet footer of %u bytes is over %d", len,
                         FOOTER_MAX);
    *ret_footer = (struct slice){tail - len, len};
    return STATUS_OK;
}

enum status parquet_reader_open(struct slice file, struct parquet_reader **ret_reader,
                                struct error *err)
{
    struct slice footer;
    TRY(find_footer(file, &footer, err));
    struct parquet_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return error_no_memory(err);
    arena_init(&reader->arena, 0);
    codec_context_init(&reader->codec);
    reader->file = file.data;
    reader->file_len = file.len;
    reader->data_end = (uint64_t)((const uint8_t *)footer.data - reader->file);
    enum status status = pq_footer_read(reader, footer, err);
    if (status != STATUS_OK) {
        parquet_reader_free(reader);
        return status;
    }
    *ret_reader = reader;
    return STATUS_OK;
}

void parquet_reader_free(struct parquet_reader *reader)
{
    if (!reader)
        return;
    for (uint32_t i = 0; i < reader->columns_len; i++)
        pq_nested_free(reader->columns[i].nested);
    pq_cache_release(reader);
    for (uint32_t g = 0; g < reader->groups_len; g++) {
        struct pq_chunk *chunks = reader->groups[g].chunks;
        for (uint32_t c = 0; chunks && c < reader->leaves_len; c++) {
            free(chunks[c].pages);
            free(chunks[c].bounds);
        }
    }
    codec_context_release(&reader->codec);
    free(reader->plain.data);
    free(reader->validity.data);
    free(reader->codes.data);
    free(reader->expanded.data);
    free(reader->deltas.data);
    arena_release(&reader->arena);
    free(reader);
}

uint64_t parquet_reader_rows(const struct parquet_reader *reader)
{
    return reader->rows;
}

uint32_t parquet_reader_row_groups(const struct parquet_reader *reader)
{
    return reader->groups_len;
}

uint64_t parquet_row_group_rows(const struct parquet_reader *reader, uint32_t group)
{
    return group < reader->groups_len ? reader->groups[group].rows : 0;
}

const struct field *parquet_reader_fields(const struct parquet_reader *reader, uint32_t *ret_len)
{
    *ret_len = reader->columns_len;
    return reader->fields;
}

bool parquet_reader_is_own(const struct parquet_reader *reader)
{
    return reader->own;
}

enum status parquet_reader_column_check(const struct parquet_reader *reader, uint32_t column,
                                        struct error *err)
{
    if (column >= reader->columns_len)
        return error_set(err, STATUS_INVALID_ARGUMENT, "no column %u in the Parquet file", column);
    if (reader->columns[column].refusal)
        return error_set(err, STATUS_NOT_IMPLEMENTED, "Parquet column %.*s: %s",
                         STR_ARG(reader->fields[column].name), reader->columns[column].refusal);
    return STATUS_OK;
}

enum status pq_check_place(const struct parquet_reader *reader, uint32_t group, uint32_t column,
                           struct pq_place *ret, struct error *err)
{
    if (group >= reader->groups_len)
        return error_set(err, STATUS_INVALID_ARGUMENT, "no row group %u in the Parquet file",
                         group);
    TRY(parquet_reader_column_check(reader, column, err));
    *ret = (struct pq_place){group, reader->columns[column].leaf};
    return STATUS_OK;
}
