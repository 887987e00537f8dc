/* segment_write.c: one flush's rows into files.
 *
 * For each partition, in pieces of at most max_file_size_mb:
 *   1. directories that are missing are made
 *   2. data/<partition>/<id>.parquet.tmp is written and renamed
 *   3. index/<id>.<field id>.hash for each index column
 * Files stay open and are synced together, at most SEGMENT_BATCH_OPEN_MAX at a time. At the end all
 * directories between data/ and the files are synced. Nothing refers to the files before the
 * snapshot is committed; what a crash leaves is removed at the next start. */
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "storage/index/hash_index.h"
#include "storage/index/index_id.h"
#include "storage/source_files.h"
#include "storage/table/partition.h"
#include "storage/table/segment_write_int.h"

static enum status sync_open_files(struct segment_batch *batch, struct error *err)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < batch->open_len; i++) {
        if (status == STATUS_OK)
            status = sys_sync(batch->sys, batch->open[i], err);
        sys_close(batch->sys, batch->open[i]);
    }
    batch->open_len = 0;
    return status;
}

/* Takes over a written file that is to be synced before the commit. */
enum status segment_keep_open(struct segment_batch *batch, struct sys_file *file, struct error *err)
{
    batch->open[batch->open_len++] = file;
    return batch->open_len < SEGMENT_BATCH_OPEN_MAX ? STATUS_OK : sync_open_files(batch, err);
}

enum status segment_sink(void *context, struct slice bytes, struct error *err)
{
    struct piece *piece = context;
    TRY(sys_pwrite(piece->batch->sys, piece->file, bytes.data, bytes.len, piece->offset, err));
    piece->offset += bytes.len;
    return STATUS_OK;
}

/* Makes missing directories of source/<path> (without its last part); synced at the end. */
enum status segment_make_parents(struct segment_batch *batch, struct str path, struct error *err)
{
    char dir[SYS_PATH_MAX];
    for (size_t i = 5; i < path.len; i++) {
        struct error local = ERROR_INIT;
        if (path.data[i] != '/')
            continue;
        TRY(sys_path(dir, err, "%s/%.*s", batch->dir, (int)i, path.data));
        enum status status = sys_mkdir(batch->sys, dir, &local);
        if (status != STATUS_OK && status != STATUS_CONFLICT) {
            if (err)
                *err = local;
            return status;
        }
    }
    return STATUS_OK;
}

static int compare_fields(const void *a, const void *b)
{
    const struct field *x = a, *y = b;
    return x->id < y->id ? -1 : x->id > y->id;
}

enum status segment_set_fields(struct piece *piece, const struct field *fields, uint32_t len,
                               struct error *err)
{
    piece->fields = arena_array(&piece->arena, len + 1u, sizeof *piece->fields);
    if (!piece->fields)
        return error_no_memory(err);
    memcpy(piece->fields, fields, len * sizeof *fields);
    qsort(piece->fields, len, sizeof *fields, compare_fields);
    piece->fields_len = len;
    return STATUS_OK;
}

/* The schema's fields that the rows have; a file needs at least one column. */
static enum status choose_fields(struct piece *piece, struct error *err)
{
    const struct schema *schema = piece->batch->schema;
    piece->fields = arena_array(&piece->arena, schema->fields_len + 1u, sizeof *piece->fields);
    if (!piece->fields)
        return error_no_memory(err);
    for (uint32_t i = 0; i < schema->fields_len; i++) {
        if (batch_find(piece->rows, schema->fields[i].name) >= 0)
            piece->fields[piece->fields_len++] = schema->fields[i];
    }
    if (piece->fields_len == 0) /* rows without values still count; no schema has this id */
        piece->fields[piece->fields_len++] = (struct field){STR("_"), TYPE_BOOL, FIELD_ID_NONE};
    qsort(piece->fields, piece->fields_len, sizeof *piece->fields, compare_fields);
    return STATUS_OK;
}

static bool is_storable_bound(const struct value *value)
{
    return !type_is_bytes(value->type) || utf8_is_valid(value->bytes.data, value->bytes.len);
}

enum status segment_take_stats(struct piece *piece, const struct parquet_file_stats *stats,
                               struct error *err)
{
    struct segment_meta *meta = &piece->meta;
    meta->rows = stats->rows;
    meta->bytes = stats->bytes;
    meta->columns = arena_array(&piece->arena, stats->columns_len + 1u, sizeof *meta->columns);
    if (!meta->columns)
        return error_no_memory(err);
    for (uint32_t i = 0; i < stats->columns_len; i++) {
        const struct parquet_column_stats *from = &stats->columns[i];
        struct segment_column *to = &meta->columns[meta->columns_len++];
        *to = (struct segment_column){.field_id = piece->fields[i].id,
                                      .type = piece->fields[i].type,
                                      .nulls = from->nulls,
                                      .has_bounds = from->has_bounds};
        if (!from->has_bounds)
            continue;
        to->min = from->min;
        to->max = from->max;
        to->has_bounds = is_storable_bound(&to->min) && is_storable_bound(&to->max);
        if (to->has_bounds && type_is_bytes(to->type)) {
            to->min.bytes = arena_str(&piece->arena, to->min.bytes);
            to->max.bytes = arena_str(&piece->arena, to->max.bytes);
            if (!to->min.bytes.data || !to->max.bytes.data)
                return error_no_memory(err);
        }
    }
    return STATUS_OK;
}

static enum status write_rows(struct piece *piece, struct error *err)
{
    struct parquet_write_options options;
    struct parquet_writer *writer = NULL;
    struct parquet_file_stats stats = {0};
    TRY(segment_write_options(piece, true, &options, err));
    enum status status = parquet_writer_open(piece->fields, piece->fields_len, &options,
                                             segment_sink, piece, &writer, err);
    if (status == STATUS_OK)
        status = parquet_writer_append(writer, piece->rows, piece->order, piece->count, err);
    if (status == STATUS_OK)
        status = parquet_writer_finish(writer, &stats, err);
    if (status == STATUS_OK) {
        status = segment_take_stats(piece, &stats, err);
        parquet_file_stats_release(&stats);
    }
    parquet_writer_free(writer);
    return status;
}

static enum status write_file(struct piece *piece, struct error *err)
{
    struct sys *sys = piece->batch->sys;
    char path[SYS_PATH_MAX], temp[SYS_PATH_MAX];
    TRY(sys_path(path, err, "%s/%.*s", piece->batch->dir, STR_ARG(piece->meta.path)));
    TRY(sys_path(temp, err, "%s.tmp", path));
    TRY(segment_make_parents(piece->batch, piece->meta.path, err));
    TRY(sys_open(sys, temp, SYS_READ | SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &piece->file, err));
    enum status status = write_rows(piece, err);
    if (status == STATUS_OK)
        status = sys_rename(sys, temp, path, err);
    if (status == STATUS_OK)
        return segment_keep_open(piece->batch, piece->file, err);
    sys_close(sys, piece->file);
    (void)sys_unlink(sys, temp, NULL); /* the next start removes what stays */
    return status;
}

enum status segment_batch_index_path(const struct segment_batch *batch, uint64_t id,
                                     int32_t field_id, char out[SYS_PATH_MAX], struct error *err)
{
    char name[INDEX_FILE_MAX];
    index_file_name(name, id, field_id);
    return sys_path(out, err, "%s/index/%s", batch->dir, name);
}

static enum status write_indexes(struct piece *piece, struct error *err)
{
    const struct source_config *config = piece->batch->config;
    struct segment_meta *meta = &piece->meta;
    meta->indexes =
        arena_array(&piece->arena, config->index_columns_len + 1u, sizeof *meta->indexes);
    if (!meta->indexes)
        return error_no_memory(err);
    for (uint32_t i = 0; i < config->index_columns_len; i++) {
        char path[SYS_PATH_MAX];
        struct sys_file *file = NULL;
        int32_t field = schema_find(piece->batch->schema, config->index_columns[i]);
        int32_t column = batch_find(piece->rows, config->index_columns[i]);
        if (field < 0 || column < 0)
            continue;
        /* Rows of before the column widened have been widened: the index is of the file's type. */
        const struct field *in_schema = &piece->batch->schema->fields[field];
        if (piece->rows->columns[column].column.type != in_schema->type)
            continue;
        struct segment_index *index = &meta->indexes[meta->indexes_len];
        index->field_id = in_schema->id;
        TRY(segment_batch_index_path(piece->batch, meta->id, index->field_id, path, err));
        meta->indexes_len++; /* from here on the file is to be removed on failure */
        TRY(hash_index_write(piece->batch->sys, path, index->field_id,
                             &piece->rows->columns[column].column, piece->order, piece->count,
                             &file, &index->entries, &index->bytes, err));
        TRY(segment_keep_open(piece->batch, file, err));
    }
    return STATUS_OK;
}

void segment_remove_files(struct segment_batch *batch, const struct segment_meta *meta)
{
    char path[SYS_PATH_MAX];
    if (sys_path(path, NULL, "%s/%.*s", batch->dir, STR_ARG(meta->path)) == STATUS_OK)
        (void)sys_unlink(batch->sys, path, NULL); /* here and below: the next start removes it */
    for (uint32_t i = 0; i < meta->indexes_len; i++) {
        if (segment_batch_index_path(batch, meta->id, meta->indexes[i].field_id, path, NULL) ==
            STATUS_OK)
            (void)sys_unlink(batch->sys, path, NULL);
    }
    /* The partition's directory goes too when it was only made for this. */
    for (size_t i = meta->path.len; i-- > 5;) {
        if (meta->path.data[i] == '/' &&
            (sys_path(path, NULL, "%s/%.*s", batch->dir, (int)i, meta->path.data) != STATUS_OK ||
             sys_rmdir(batch->sys, path, NULL) != STATUS_OK))
            break;
    }
}

/* Sorted and composite ones, from the file, which was just written. One that cannot be made now is
 * made later by the index thread. */
static void build_others(struct segment_batch *batch, struct segment *segment)
{
    struct index_def defs[SOURCE_INDEXES_MAX];
    uint32_t len = source_indexes(batch->config, batch->schema, defs);
    for (uint32_t i = 0; i < len; i++) {
        int32_t id = defs[i].id;
        if ((index_is_sorted(id) || index_is_composite(id)) &&
            segment_index_look(segment, &defs[i]) == SEGMENT_INDEX_MISSING &&
            segment_index_build(batch->sys, segment, &defs[i], NULL) == STATUS_OK)
            segment_index_set(segment, id, SEGMENT_INDEX_READY);
    }
}

enum status segment_push(struct segment_batch *batch, const struct segment_meta *meta,
                         struct error *err)
{
    if (batch->len == batch->cap) {
        uint32_t cap = batch->cap ? batch->cap * 2 : 16;
        struct segment **grown = realloc(batch->segments, cap * sizeof(*grown));
        if (!grown)
            return error_no_memory(err);
        batch->segments = grown;
        batch->cap = cap;
    }
    struct segment *segment = segment_new(batch->sys, batch->dir, meta, batch->readers, err);
    if (!segment)
        return STATUS_NO_MEMORY;
    batch->segments[batch->len++] = segment;
    build_others(batch, segment);
    return STATUS_OK;
}

static enum status write_piece(struct piece *piece, struct error *err)
{
    TRY(choose_fields(piece, err));
    enum status status = write_file(piece, err);
    if (status == STATUS_OK)
        status = write_indexes(piece, err);
    if (status == STATUS_OK)
        status = segment_push(piece->batch, &piece->meta, err);
    if (status != STATUS_OK)
        segment_remove_files(piece->batch, &piece->meta);
    return status;
}

/* data/<partition>/<id>.parquet */
enum status segment_piece_path(struct piece *piece, const struct str *values, struct error *err)
{
    const struct source_config *config = piece->batch->config;
    struct buf buf;
    buf_init(&buf, SYS_PATH_MAX);
    buf_append_str(&buf, STR("data/"));
    for (uint32_t i = 0; i < config->partition_columns_len; i++) {
        partition_append_name(&buf, config->partition_columns[i], values[i]);
        buf_append_char(&buf, '/');
    }
    buf_printf(&buf, "%08llu.parquet", (unsigned long long)piece->meta.id);
    enum status status = buf_check(&buf, "a partition's path", err);
    if (status == STATUS_OK) {
        piece->meta.path = arena_str(&piece->arena, buf_str(&buf));
        status = piece->meta.path.data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&buf);
    return status;
}

static enum status add_piece(struct segment_batch *batch, const struct batch *rows,
                             const uint32_t *order, uint32_t count, struct str *values,
                             struct error *err)
{
    struct piece piece = {.batch = batch, .rows = rows, .order = order, .count = count};
    piece.meta.id = (*batch->next_id)++;
    piece.meta.partition = values;
    piece.meta.partition_len = batch->config->partition_columns_len;
    arena_init(&piece.arena, 0);
    enum status status = segment_piece_path(&piece, values, err);
    if (status == STATUS_OK)
        status = write_piece(&piece, err);
    arena_release(&piece.arena);
    return status;
}

/* Rows of a file: by their size in memory, an upper bound of what the file takes. */
static uint32_t rows_per_file(const struct segment_batch *batch, const struct batch *rows)
{
    uint64_t max = (uint64_t)batch->config->max_file_size_mb << 20;
    uint64_t row = batch_memory(rows) / (rows->rows ? rows->rows : 1) + 1;
    uint64_t count = max / row;
    return count < 1024 ? 1024 : count > BATCH_ROWS_MAX ? BATCH_ROWS_MAX : (uint32_t)count;
}

static enum status add_group(struct segment_batch *batch, const struct batch *rows, uint32_t *order,
                             uint32_t count, struct str *values, struct error *err)
{
    const struct source_config *config = batch->config;
    int32_t column = config->index_columns_len ? batch_find(rows, config->index_columns[0]) : -1;
    if (column >= 0)
        TRY(order_by_column(&rows->columns[column].column, order, count, err));
    uint32_t most = rows_per_file(batch, rows);
    for (uint32_t at = 0; at < count; at += most) {
        uint32_t part = count - at < most ? count - at : most;
        TRY(add_piece(batch, rows, order + at, part, values, err));
    }
    return STATUS_OK;
}

enum status segment_batch_add(struct segment_batch *batch, const struct batch *rows,
                              struct error *err)
{
    struct partition_split split;
    TRY(partition_split(rows, batch->config->partition_columns,
                        batch->config->partition_columns_len, &split, err));
    enum status status = STATUS_OK;
    for (uint32_t g = 0; g < split.groups && status == STATUS_OK; g++)
        status = add_group(batch, rows, split.order + split.starts[g],
                           split.starts[g + 1] - split.starts[g],
                           split.values + (size_t)g * split.columns_len, err);
    partition_split_release(&split);
    return status;
}

/* Syncs the directories between data/ and a segment's file, except those that are the same as in
 * the path before. All of them, not only those just made: one that an interrupted flush has made
 * may not be on disk yet. */
static enum status sync_parents(struct segment_batch *batch, struct str path, struct str before,
                                struct error *err)
{
    char dir[SYS_PATH_MAX];
    for (size_t i = 5; i < path.len; i++) {
        if (path.data[i] != '/')
            continue;
        if (before.len > i && memcmp(before.data, path.data, i + 1) == 0)
            continue;
        TRY(sys_path(dir, err, "%s/%.*s", batch->dir, (int)i, path.data));
        TRY(sys_sync_dir(batch->sys, dir, err));
    }
    return STATUS_OK;
}

static enum status push_deletion(struct segment_batch *batch, struct deletion *deletion,
                                 struct error *err)
{
    if (batch->deletions_len == batch->deletions_cap) {
        uint32_t cap = batch->deletions_cap ? batch->deletions_cap * 2 : 16;
        struct deletion **grown = realloc(batch->deletions, cap * sizeof(*grown));
        if (!grown)
            return error_no_memory(err);
        batch->deletions = grown;
        batch->deletions_cap = cap;
    }
    batch->deletions[batch->deletions_len++] = deletion;
    return STATUS_OK;
}

enum status segment_batch_add_deletion(struct segment_batch *batch, struct str location,
                                       struct segment *segment, struct deletion *deletion,
                                       struct error *err)
{
    struct deletion *written = NULL;
    struct sys_file *file = NULL;
    char uri[SYS_PATH_MAX];
    struct str path = segment_meta(segment)->path;
    TRY(sys_path(uri, err, "%.*s/%.*s", STR_ARG(location), STR_ARG(path)));
    TRY(deletion_write(batch->sys, batch->dir, path, str_of(uri), (*batch->next_id)++, deletion,
                       &written, &file, err));
    enum status status = push_deletion(batch, written, err);
    if (status == STATUS_OK)
        return segment_keep_open(batch, file, err);
    sys_close(batch->sys, file);
    deletion_unlink(written);
    deletion_unref(written);
    return status;
}

enum status segment_batch_sync(struct segment_batch *batch, struct error *err)
{
    char dir[SYS_PATH_MAX];
    struct str before = STR_NONE;
    TRY(sync_open_files(batch, err));
    for (uint32_t i = 0; i < batch->deletions_len; i++) {
        struct str path = deletion_file(batch->deletions[i])->path;
        TRY(sync_parents(batch, path, before, err));
        before = path;
    }
    before = STR_NONE;
    for (uint32_t i = 0; i < batch->len; i++) {
        struct str path = segment_meta(batch->segments[i])->path;
        TRY(sync_parents(batch, path, before, err));
        before = path;
    }
    TRY(sys_path(dir, err, "%s/data", batch->dir));
    TRY(sys_sync_dir(batch->sys, dir, err));
    TRY(sys_path(dir, err, "%s/index", batch->dir));
    return sys_sync_dir(batch->sys, dir, err);
}

void segment_batch_discard(struct segment_batch *batch)
{
    for (uint32_t i = 0; i < batch->len; i++) {
        segment_unlink(batch->segments[i]); /* with the sidecars that are in no description */
        segment_remove_files(batch, segment_meta(batch->segments[i]));
    }
    for (uint32_t i = 0; i < batch->deletions_len; i++)
        deletion_unlink(batch->deletions[i]); /* here too: the next start removes what stays */
}

void segment_batch_release(struct segment_batch *batch)
{
    for (uint32_t i = 0; i < batch->open_len; i++)
        sys_close(batch->sys, batch->open[i]);
    batch->open_len = 0;
    for (uint32_t i = 0; i < batch->len; i++)
        segment_unref(batch->segments[i]);
    for (uint32_t i = 0; i < batch->deletions_len; i++)
        deletion_unref(batch->deletions[i]);
    free(batch->segments);
    free(batch->deletions);
    batch->deletions = NULL;
    batch->deletions_len = 0;
    batch->segments = NULL;
    batch->len = 0;
}
