/* records_parquet.c: the rows of a Parquet file as NDJSON lines: each row group's columns are read
 * in stretches of rows, then written row by row. Columns of forms that the reader does not know are
 * an error that names the column. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "cmd/quarry/records_int.h"
#include "data/column.h"
#include "data/value.h"
#include "format/parquet/parquet.h"
#include "sys/sys.h"

enum { STRETCH_ROWS = 8192 };

struct parquet_source {
    struct sys_file *file;
    struct sys_map map;
    struct parquet_reader *reader;
    const struct field *fields;
    uint32_t fields_len;
    struct column *columns; /* of the present stretch */
    uint32_t stretch_rows, stretch_at;
    uint32_t group;
    uint64_t group_row;        /* behind the stretch */
    _Atomic uint64_t rows_out; /* also the number of the next row */
};

static enum status open_reader(struct parquet_source *source, const char *path, struct error *err)
{
    struct sys *sys = sys_posix();
    TRY(sys_open(sys, path, SYS_READ, &source->file, err));
    TRY(sys_map(sys, source->file, &source->map, err));
    struct slice bytes = {source->map.data, source->map.len};
    TRY(parquet_reader_open(bytes, &source->reader, err));
    source->fields = parquet_reader_fields(source->reader, &source->fields_len);
    for (uint32_t i = 0; i < source->fields_len; i++)
        TRY(parquet_reader_column_check(source->reader, i, err));
    source->columns = calloc(source->fields_len + 1, sizeof *source->columns);
    if (!source->columns)
        return error_no_memory(err);
    for (uint32_t i = 0; i < source->fields_len; i++)
        column_init(&source->columns[i], source->fields[i].type);
    return STATUS_OK;
}

enum status parquet_source_open(const struct record_options *options, struct parquet_source **ret,
                                struct error *err)
{
    struct parquet_source *source = calloc(1, sizeof *source);
    if (!source)
        return error_no_memory(err);
    enum status status = open_reader(source, options->path, err);
    if (status != STATUS_OK) {
        parquet_source_close(source);
        return status;
    }
    *ret = source;
    return STATUS_OK;
}

/* Reads the next stretch; stretch_rows 0 at the end. */
static enum status next_stretch(struct parquet_source *source, struct error *err)
{
    struct parquet_reader *reader = source->reader;
    source->stretch_at = 0;
    source->stretch_rows = 0;
    while (source->group < parquet_reader_row_groups(reader) &&
           source->group_row == parquet_row_group_rows(reader, source->group)) {
        source->group++;
        source->group_row = 0;
    }
    if (source->group == parquet_reader_row_groups(reader))
        return STATUS_OK;
    uint64_t left = parquet_row_group_rows(reader, source->group) - source->group_row;
    uint32_t rows = left < STRETCH_ROWS ? (uint32_t)left : STRETCH_ROWS;
    for (uint32_t i = 0; i < source->fields_len; i++) {
        column_release(&source->columns[i]);
        column_init(&source->columns[i], source->fields[i].type);
        TRY(parquet_read_column(reader, source->group, i, source->group_row, rows,
                                &source->columns[i], err));
    }
    source->group_row += rows;
    source->stretch_rows = rows;
    return STATUS_OK;
}

static void write_row(struct parquet_source *source, struct buf *body)
{
    struct json_writer writer;
    json_writer_init(&writer, body);
    json_begin_object(&writer);
    for (uint32_t i = 0; i < source->fields_len; i++) {
        json_key(&writer, source->fields[i].name);
        column_write_json(&writer, &source->columns[i], source->stretch_at);
    }
    json_end_object(&writer);
    buf_append_char(body, '\n');
}

enum status parquet_source_next(struct parquet_source *source, struct record_batch *batch,
                                const struct record_options *options, struct error *err)
{
    while (batch->records < options->records_max && batch->body.len < options->bytes_max) {
        if (source->stretch_at == source->stretch_rows) {
            TRY(next_stretch(source, err));
            if (!source->stretch_rows)
                break;
        }
        write_row(source, &batch->body);
        source->stretch_at++;
        if (!record_batch_add(batch, (int64_t)atomic_fetch_add(&source->rows_out, 1) + 1))
            return error_no_memory(err);
    }
    return buf_check(&batch->body, "the batch", err);
}

void parquet_source_progress(const struct parquet_source *source, uint64_t *ret_done,
                             uint64_t *ret_total)
{
    uint64_t rows = parquet_reader_rows(source->reader);
    uint64_t out = atomic_load(&((struct parquet_source *)source)->rows_out);
    *ret_total = source->map.len;
    *ret_done = rows ? (uint64_t)((double)out / (double)rows * (double)source->map.len) : 0;
}

void parquet_source_close(struct parquet_source *source)
{
    if (!source)
        return;
    for (uint32_t i = 0; source->columns && i < source->fields_len; i++)
        column_release(&source->columns[i]);
    free(source->columns);
    if (source->reader)
        parquet_reader_free(source->reader);
    if (source->map.data)
        sys_unmap(sys_posix(), &source->map);
    sys_close(sys_posix(), source->file);
    free(source);
}
