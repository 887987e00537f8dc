/* index_build.c: a sidecar from its segment, when it was lost, damaged or is wanted later.
 *
 *   1. read the column, all row groups
 *   2. write index/<id>.<field id>.<kind>.tmp and sync it
 *   3. rename it into place, sync the directory
 * A crash before 3 leaves a *.tmp that the next start removes. Readers that have the old file
 * mapped go on with it: an index of an immutable segment is never out of date. */
#include <stdlib.h>

#include "storage/index/hash_index.h"
#include "storage/index/index_id.h"
#include "storage/index/sorted_index.h"
#include "storage/table/partition.h"
#include "storage/table/snapshot.h"

enum { INDEX_BUILD_BYTES_A_ROW = 24 }; /* pairs, entries and directory */

uint64_t segment_index_memory(const struct segment *segment)
{
    const struct segment_meta *meta = segment_meta(segment);
    uint64_t columns = meta->columns_len ? meta->columns_len : 1;
    return meta->rows * INDEX_BUILD_BYTES_A_ROW + 4 * meta->bytes / columns;
}

static enum status read_all(struct segment *segment, uint32_t which, struct column *into,
                            struct error *err)
{
    struct parquet_reader *reader = NULL;
    TRY(segment_reader(segment, &reader, err));
    enum status status = STATUS_OK;
    for (uint32_t g = 0; g < parquet_reader_row_groups(reader) && status == STATUS_OK; g++) {
        status =
            parquet_read_column(reader, g, which, 0, parquet_row_group_rows(reader, g), into, err);
        parquet_group_done(reader, g);
    }
    segment_reader_release(segment, reader);
    if (status != STATUS_OK)
        return error_wrap(err, "%s cannot be read", segment_info(segment).path);
    return STATUS_OK;
}

/* The rows of a sidecar in its order: of a hash index all, of a sorted one those that are not null,
 * by value. */
static enum status order_rows(const struct column *column, bool sorted, uint32_t **ret,
                              uint32_t *ret_len, struct error *err)
{
    uint32_t *order = malloc((column->rows + (size_t)1) * sizeof *order), len = 0;
    if (!order)
        return error_no_memory(err);
    for (uint32_t i = 0; i < column->rows; i++)
        if (!sorted || !column_is_null(column, i))
            order[len++] = i;
    enum status status = sorted ? order_by_column(column, order, len, err) : STATUS_OK;
    if (status != STATUS_OK) {
        free(order);
        return status;
    }
    *ret = order;
    *ret_len = len;
    return STATUS_OK;
}

static enum status write_temp(struct sys *sys, const char *temp, int32_t index_id,
                              const struct column *column, struct sys_file **ret_file,
                              struct error *err)
{
    int32_t field_id = index_field(index_id);
    bool sorted = index_is_sorted(index_id);
    uint32_t *order = NULL, len = 0;
    uint64_t entries, bytes;
    *ret_file = NULL;
    TRY(order_rows(column, sorted, &order, &len, err));
    enum status status =
        sorted ? sorted_index_write(sys, temp, field_id, column, order, len, ret_file, &bytes, err)
               : hash_index_write(sys, temp, field_id, column, order, len, ret_file, &entries,
                                  &bytes, err);
    free(order);
    return status;
}

static enum status write_index(struct sys *sys, const char *path, int32_t index_id,
                               const struct column *column, struct error *err)
{
    char temp[SYS_PATH_MAX], parent[SYS_PATH_MAX];
    struct sys_file *file = NULL;
    TRY(sys_path(temp, err, "%s.tmp", path));
    TRY(sys_path(parent, err, "%s", path));
    *strrchr(parent, '/') = 0;
    enum status status = write_temp(sys, temp, index_id, column, &file, err);
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

enum status segment_index_build(struct sys *sys, struct segment *segment, int32_t index_id,
                                struct error *err)
{
    char path[SYS_PATH_MAX];
    struct column column;
    int32_t which = segment_column(segment, index_field(index_id));
    if (which < 0)
        return error_set(err, STATUS_NOT_FOUND, "the segment does not have the column");
    int32_t own = segment_meta(segment)->columns[which].field_id;
    TRY(segment_index_path(segment, index_id, path, err));
    column_init(&column, segment_meta(segment)->columns[which].type);
    enum status status = read_all(segment, (uint32_t)which, &column, err);
    if (status == STATUS_OK)
        status = write_index(sys, path, index_id_of(index_id, own), &column, err);
    column_release(&column);
    return status;
}
