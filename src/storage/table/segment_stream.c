/* segment_stream.c: one segment written as its rows come, so that memory holds one row group and
 * the hashes of the index columns (16 bytes a row and column), whatever the size of the file.
 *
 *   1. open: directories, data/<partition>/<id>.parquet.tmp
 *   2. append: rows to the Parquet writer, hashes of indexed values to the side
 *   3. finish: footer, rename, index sidecars; the batch syncs them all later
 * Nothing refers to the file before a snapshot is committed. */
#include <stdlib.h>

#include "storage/index/hash_index.h"
#include "storage/table/segment_write_int.h"

struct stream_index {
    const struct field *field;
    struct hash_pair *pairs;
    uint32_t len, cap;
};

struct segment_stream {
    struct piece piece;
    struct parquet_writer *writer;
    struct stream_index *indexes; /* in the arena */
    uint32_t indexes_len;
    uint64_t rows;
    bool renamed;
};

static enum status choose_indexes(struct segment_stream *stream, struct error *err)
{
    struct piece *piece = &stream->piece;
    const struct source_config *config = piece->batch->config;
    stream->indexes =
        arena_array(&piece->arena, config->index_columns_len + 1u, sizeof *stream->indexes);
    piece->meta.indexes =
        arena_array(&piece->arena, config->index_columns_len + 1u, sizeof *piece->meta.indexes);
    if (!stream->indexes || !piece->meta.indexes)
        return error_no_memory(err);
    for (uint32_t i = 0; i < config->index_columns_len; i++) {
        for (uint32_t f = 0; f < piece->fields_len; f++) {
            if (str_eq(piece->fields[f].name, config->index_columns[i]))
                stream->indexes[stream->indexes_len++].field = &piece->fields[f];
        }
    }
    return STATUS_OK;
}

static enum status open_file(struct segment_stream *stream,
                             const struct segment_stream_options *options, struct error *err)
{
    struct piece *piece = &stream->piece;
    char path[SYS_PATH_MAX];
    struct parquet_write_options format;
    TRY(segment_piece_path(piece, options->partition, err));
    TRY(choose_indexes(stream, err));
    TRY(segment_write_options(piece, false, &format, err));
    format.row_group_rows = options->row_group_rows;
    TRY(sys_path(path, err, "%s/%.*s.tmp", piece->batch->dir, STR_ARG(piece->meta.path)));
    TRY(segment_make_parents(piece->batch, piece->meta.path, err));
    TRY(sys_open(piece->batch->sys, path, SYS_READ | SYS_WRITE | SYS_CREATE | SYS_TRUNCATE,
                 &piece->file, err));
    return parquet_writer_open(piece->fields, piece->fields_len, &format, segment_sink, piece,
                               &stream->writer, err);
}

enum status segment_stream_open(struct segment_batch *batch,
                                const struct segment_stream_options *options,
                                struct segment_stream **ret, struct error *err)
{
    struct segment_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return error_no_memory(err);
    struct piece *piece = &stream->piece;
    piece->batch = batch;
    arena_init(&piece->arena, 0);
    piece->meta.id = (*batch->next_id)++;
    piece->meta.partition_len = batch->config->partition_columns_len;
    piece->meta.partition =
        (struct str *)(uintptr_t)options->partition; /* copied by segment_push */
    enum status status = segment_set_fields(piece, options->fields, options->fields_len, err);
    if (status == STATUS_OK)
        status = open_file(stream, options, err);
    if (status != STATUS_OK) {
        segment_stream_abort(stream);
        return status;
    }
    *ret = stream;
    return STATUS_OK;
}

static enum status collect(struct stream_index *index, const struct column *column, uint64_t first,
                           struct error *err)
{
    if (index->cap - index->len < column->rows) {
        uint64_t cap = index->cap ? (uint64_t)index->cap * 2 : 8192;
        while (cap - index->len < column->rows)
            cap *= 2;
        struct hash_pair *grown =
            cap <= UINT32_MAX ? realloc(index->pairs, cap * sizeof *grown) : NULL;
        if (!grown)
            return error_no_memory(err);
        index->pairs = grown;
        index->cap = (uint32_t)cap;
    }
    for (uint32_t row = 0; row < column->rows; row++) {
        if (column_is_null(column, row))
            continue;
        struct value value = value_of_column(column, row);
        index->pairs[index->len++] =
            (struct hash_pair){value_hash(&value), (uint32_t)(first + row)};
    }
    return STATUS_OK;
}

enum status segment_stream_append(struct segment_stream *stream, const struct batch *rows,
                                  struct error *err)
{
    TRY(parquet_writer_append(stream->writer, rows, NULL, rows->rows, err));
    for (uint32_t i = 0; i < stream->indexes_len; i++) {
        int32_t column = batch_find(rows, stream->indexes[i].field->name);
        if (column >= 0)
            TRY(collect(&stream->indexes[i], &rows->columns[column].column, stream->rows, err));
    }
    stream->rows += rows->rows;
    return STATUS_OK;
}

uint64_t segment_stream_rows(const struct segment_stream *stream)
{
    return stream->rows;
}

uint64_t segment_stream_bytes(const struct segment_stream *stream)
{
    return stream->piece.offset;
}

static enum status end_file(struct segment_stream *stream, struct error *err)
{
    struct piece *piece = &stream->piece;
    struct parquet_file_stats stats = {0};
    char path[SYS_PATH_MAX], temp[SYS_PATH_MAX];
    TRY(parquet_writer_finish(stream->writer, &stats, err));
    enum status status = segment_take_stats(piece, &stats, err);
    parquet_file_stats_release(&stats);
    TRY(status);
    TRY(sys_path(path, err, "%s/%.*s", piece->batch->dir, STR_ARG(piece->meta.path)));
    TRY(sys_path(temp, err, "%s.tmp", path));
    TRY(sys_rename(piece->batch->sys, temp, path, err));
    stream->renamed = true;
    struct sys_file *file = piece->file;
    piece->file = NULL;
    return segment_keep_open(piece->batch, file, err);
}

static enum status write_indexes(struct segment_stream *stream, struct error *err)
{
    struct piece *piece = &stream->piece;
    for (uint32_t i = 0; i < stream->indexes_len; i++) {
        struct stream_index *from = &stream->indexes[i];
        struct segment_index *index = &piece->meta.indexes[piece->meta.indexes_len];
        struct sys_file *file = NULL;
        char path[SYS_PATH_MAX];
        *index = (struct segment_index){.field_id = from->field->id, .entries = from->len};
        TRY(segment_batch_index_path(piece->batch, piece->meta.id, index->field_id, path, err));
        piece->meta.indexes_len++; /* from here on the file is to be removed on failure */
        TRY(hash_index_write_pairs(piece->batch->sys, path, index->field_id, from->pairs, from->len,
                                   stream->rows, &file, &index->bytes, err));
        TRY(segment_keep_open(piece->batch, file, err));
    }
    return STATUS_OK;
}

static void release(struct segment_stream *stream)
{
    for (uint32_t i = 0; i < stream->indexes_len; i++)
        free(stream->indexes[i].pairs);
    parquet_writer_free(stream->writer);
    sys_close(stream->piece.batch->sys, stream->piece.file);
    arena_release(&stream->piece.arena);
    free(stream);
}

enum status segment_stream_finish(struct segment_stream *stream, struct error *err)
{
    enum status status = end_file(stream, err);
    if (status == STATUS_OK)
        status = write_indexes(stream, err);
    if (status == STATUS_OK)
        status = segment_push(stream->piece.batch, &stream->piece.meta, err);
    if (status == STATUS_OK)
        release(stream);
    else
        segment_stream_abort(stream);
    return status;
}

void segment_stream_abort(struct segment_stream *stream)
{
    char path[SYS_PATH_MAX];
    if (!stream)
        return;
    struct piece *piece = &stream->piece;
    if (stream->renamed)
        segment_remove_files(piece->batch, &piece->meta);
    else if (piece->file && sys_path(path, NULL, "%s/%.*s.tmp", piece->batch->dir,
                                     STR_ARG(piece->meta.path)) == STATUS_OK)
        (void)sys_unlink(piece->batch->sys, path, NULL); /* the next start removes what stays */
    release(stream);
}
