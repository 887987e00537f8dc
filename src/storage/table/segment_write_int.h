/* segment_write_int.h: what the two ways of writing a segment share: whole from memory
 * (segment_write.c) and as a stream (segment_stream.c). */
#ifndef QUARRY_STORAGE_SEGMENT_WRITE_INT_H
#define QUARRY_STORAGE_SEGMENT_WRITE_INT_H

#include "storage/table/segment_write.h"

/* One file on its way. */
struct piece {
    struct segment_batch *batch;
    const struct batch *rows; /* whole files only, with order and count */
    const uint32_t *order;
    uint32_t count;
    struct segment_meta meta;
    struct field *fields; /* of the file */
    uint32_t fields_len;
    struct sys_file *file;
    uint64_t offset;
    struct arena arena;
};

/* A copy of the fields in the order that all files have: by id. */
enum status segment_set_fields(struct piece *piece, const struct field *fields, uint32_t len,
                               struct error *err);
/* data/<partition>/<id>.parquet into meta.path */
enum status segment_piece_path(struct piece *piece, const struct str *values, struct error *err);
/* Makes missing directories of source/<path> (without its last part); synced at the end. */
enum status segment_make_parents(struct segment_batch *batch, struct str path, struct error *err);
/* Options for a file of these fields, in the piece's arena. `sorted`: the rows certainly are sorted
 * by the first index column. */
enum status segment_write_options(struct piece *piece, bool sorted,
                                  struct parquet_write_options *ret, struct error *err);
/* The Parquet writer's sink: appends to piece->file. `context` is the piece. */
enum status segment_sink(void *context, struct slice bytes, struct error *err);
/* Rows, bytes and bounds into meta. */
enum status segment_take_stats(struct piece *piece, const struct parquet_file_stats *stats,
                               struct error *err);
enum status segment_batch_index_path(const struct segment_batch *batch, uint64_t id,
                                     int32_t field_id, char out[SYS_PATH_MAX], struct error *err);
/* Takes over a written file that is to be synced before the commit. */
enum status segment_keep_open(struct segment_batch *batch, struct sys_file *file,
                              struct error *err);
enum status segment_push(struct segment_batch *batch, const struct segment_meta *meta,
                         struct error *err);
/* The file, its indexes, and its partition's directory when that is then empty. */
void segment_remove_files(struct segment_batch *batch, const struct segment_meta *meta);

#endif
