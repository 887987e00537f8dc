/* index_build.c: a sidecar from its segment, when it was lost, damaged or is wanted later.
 *
 *   1. read the columns, all row groups; make of them what the index holds (index_rows)
 *   2. write index/<name>.tmp and sync it
 *   3. rename it into place, sync the directory
 * A crash before 3 leaves a *.tmp that the next start removes. Readers that have the old file
 * mapped go on with it: an index of an immutable segment is never out of date. */
#include <stdlib.h>

#include "storage/index/hash_index.h"
#include "storage/index/sorted_index.h"
#include "storage/index/tuple.h"
#include "storage/table/partition.h"
#include "storage/table/snapshot.h"

enum { INDEX_BUILD_BYTES_A_ROW = 40 }; /* pairs, once more in order, and what is written */

uint64_t segment_index_memory(const struct segment *segment, const struct index_def *def)
{
    const struct segment_meta *meta = segment_meta(segment);
    uint64_t columns = meta->columns_len ? meta->columns_len : 1;
    return meta->rows * INDEX_BUILD_BYTES_A_ROW + 4 * meta->bytes / columns * def->fields_len;
}

/* --- what it is made of --- */

static enum status read_all(struct segment *segment, struct parquet_reader *reader, uint32_t which,
                            struct column *into, struct error *err)
{
    enum status status = STATUS_OK;
    for (uint32_t g = 0; g < parquet_reader_row_groups(reader) && status == STATUS_OK; g++) {
        status =
            parquet_read_column(reader, g, which, 0, parquet_row_group_rows(reader, g), into, err);
        parquet_group_done(reader, g);
    }
    if (status != STATUS_OK)
        return error_wrap(err, "%s cannot be read", segment_info(segment).path);
    return STATUS_OK;
}

/* The columns are inited, also after a failure. */
static enum status read_columns(struct segment *segment, const struct index_def *def,
                                struct column *columns, struct error *err)
{
    struct parquet_reader *reader = NULL;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < def->fields_len; i++) {
        enum type type = TYPE_STRING;
        if (!segment_column_type(segment, def->fields[i], &type))
            status = error_set(err, STATUS_NOT_FOUND, "the segment does not have the column");
        column_init(&columns[i], type);
    }
    TRY(status);
    TRY(segment_reader(segment, &reader, err));
    for (uint32_t i = 0; i < def->fields_len && status == STATUS_OK; i++)
        status = read_all(segment, reader, (uint32_t)segment_column(segment, def->fields[i]),
                          &columns[i], err);
    segment_reader_release(segment, reader);
    return status;
}

/* The pairs of all rows without nulls. */
static enum status make_pairs(const struct column *columns, uint32_t len, struct index_rows *ret,
                              struct error *err)
{
    uint32_t rows = columns[0].rows;
    struct value values[INDEX_FIELDS_MAX];
    ret->pairs = malloc((rows + (size_t)1) * sizeof *ret->pairs);
    if (!ret->pairs)
        return error_no_memory(err);
    for (uint32_t row = 0; row < rows; row++) {
        bool whole = true;
        for (uint32_t i = 0; i < len && whole; i++) {
            values[i] = value_of_column(&columns[i], row);
            whole = !values[i].is_null;
        }
        if (whole)
            ret->pairs[ret->pairs_len++] = (struct hash_pair){values_hash(values, len), row};
    }
    return STATUS_OK;
}

enum status segment_index_rows(struct segment *segment, const struct index_def *def,
                               struct index_rows *ret, struct error *err)
{
    struct column columns[INDEX_FIELDS_MAX];
    *ret = (struct index_rows){0};
    column_init(&ret->column, TYPE_STRING);
    enum status status = read_columns(segment, def, columns, err);
    if (status == STATUS_OK && !index_is_sorted(def->id))
        status = make_pairs(columns, def->fields_len, ret, err);
    else if (status == STATUS_OK && def->fields_len > 1)
        status = tuple_column(columns, def->fields_len, &ret->column, err);
    else if (status == STATUS_OK) {
        ret->column = columns[0];
        column_init(&columns[0], TYPE_STRING);
    }
    for (uint32_t i = 0; i < def->fields_len; i++)
        column_release(&columns[i]);
    if (status != STATUS_OK)
        index_rows_release(ret);
    return status;
}

void index_rows_release(struct index_rows *rows)
{
    column_release(&rows->column);
    free(rows->pairs);
    *rows = (struct index_rows){0};
}

/* --- the file --- */

/* The rows that are not null, by value. */
static enum status write_sorted(struct sys *sys, const char *temp, int32_t label,
                                const struct column *column, struct sys_file **ret_file,
                                struct error *err)
{
    uint32_t *order = malloc((column->rows + (size_t)1) * sizeof *order), len = 0;
    uint64_t bytes;
    if (!order)
        return error_no_memory(err);
    for (uint32_t i = 0; i < column->rows; i++)
        if (!column_is_null(column, i))
            order[len++] = i;
    enum status status = order_by_column(column, order, len, err);
    if (status == STATUS_OK)
        status = sorted_index_write(sys, temp, label, column, order, len, ret_file, &bytes, err);
    free(order);
    return status;
}

static enum status write_temp(struct sys *sys, const char *temp, int32_t index_id,
                              const struct index_rows *from, uint64_t rows,
                              struct sys_file **ret_file, struct error *err)
{
    uint64_t bytes;
    *ret_file = NULL;
    if (index_is_sorted(index_id))
        return write_sorted(sys, temp, index_label(index_id), &from->column, ret_file, err);
    return hash_index_write_pairs(sys, temp, index_label(index_id), from->pairs, from->pairs_len,
                                  rows, ret_file, &bytes, err);
}

static enum status write_index(struct sys *sys, const char *path, int32_t index_id,
                               const struct index_rows *from, uint64_t rows, struct error *err)
{
    char temp[SYS_PATH_MAX], parent[SYS_PATH_MAX];
    struct sys_file *file = NULL;
    TRY(sys_path(temp, err, "%s.tmp", path));
    TRY(sys_path(parent, err, "%s", path));
    *strrchr(parent, '/') = 0;
    enum status status = write_temp(sys, temp, index_id, from, rows, &file, err);
    if (status == STATUS_OK) {
        status = sys_sync(sys, file, err);
        sys_close(sys, file);
    }
    if (status == STATUS_OK)
        status = sys_rename(sys, temp, path, err);
    if (status != STATUS_OK) {
        (void)sys_unlink(sys, temp, NULL); /* the next start removes what stays */
        return status;
    }
    return sys_sync_dir(sys, parent, err);
}

enum status segment_index_build(struct sys *sys, struct segment *segment,
                                const struct index_def *def, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct index_rows rows;
    TRY(segment_index_path(segment, def->id, path, err));
    TRY(segment_index_rows(segment, def, &rows, err));
    int32_t id = def->id;
    if (!index_is_composite(id)) /* the segment may have an earlier generation of the column */
        id = index_id_of(
            id, segment_meta(segment)->columns[segment_column(segment, def->fields[0])].field_id);
    enum status status = write_index(sys, path, id, &rows, segment_meta(segment)->rows, err);
    index_rows_release(&rows);
    return status;
}
