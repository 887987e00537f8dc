/* segment_write.h: rows into new segment files of a source. */
#ifndef QUARRY_STORAGE_SEGMENT_WRITE_H
#define QUARRY_STORAGE_SEGMENT_WRITE_H

#include "storage/table/snapshot.h"

/* Files are synced together: the file system then commits once for many. */
enum { SEGMENT_BATCH_OPEN_MAX = 192 };

/* What one flush has made so far; everything is undone by segment_batch_discard. */
struct segment_batch {
    struct sys *sys;
    const char *dir; /* of the source */
    struct reader_pool *readers;
    const struct source_config *config;
    const struct schema *schema;
    uint64_t *next_id; /* of segments */
    struct segment **segments;
    uint32_t len, cap;
    struct deletion **deletions; /* with their new files */
    uint32_t deletions_len, deletions_cap;
    struct sys_file *open[SEGMENT_BATCH_OPEN_MAX]; /* written, not yet synced */
    uint32_t open_len;
};

/* Splits the rows by partition, sorts each by the first index column, writes segments (at most
 * max_file_size_mb each) and indexes. */
enum status segment_batch_add(struct segment_batch *batch, const struct batch *rows,
                              struct error *err);
/* --- the same as a stream: one file of one partition, rows in their final order --- */

struct segment_stream;
struct segment_stream_options {
    const struct str *partition; /* a value for each partition column */
    const struct field *fields;  /* of the file; borrowed until the end */
    uint32_t fields_len;
    uint32_t row_group_rows; /* 0: the format's default */
};
/* Takes the next segment id and makes the file. */
enum status segment_stream_open(struct segment_batch *batch,
                                const struct segment_stream_options *options,
                                struct segment_stream **ret, struct error *err);
/* All rows of a batch whose columns are the fields. */
enum status segment_stream_append(struct segment_stream *stream, const struct batch *rows,
                                  struct error *err);
uint64_t segment_stream_rows(const struct segment_stream *stream);
/* Written so far; the row group under way is not counted. */
uint64_t segment_stream_bytes(const struct segment_stream *stream);
/* Ends the file, writes its indexes, adds it to the batch. The stream is freed, also by failure,
 * which removes the file. */
enum status segment_stream_finish(struct segment_stream *stream, struct error *err);
/* Removes the file. NULL is fine. */
void segment_stream_abort(struct segment_stream *stream);

/* Writes what is deleted of a segment (any of the source) as its delete file; it names the
 * segment's file below `location`, the table's URI. */
enum status segment_batch_add_deletion(struct segment_batch *batch, struct str location,
                                       struct segment *segment, struct deletion *deletion,
                                       struct error *err);

/* Syncs all files and their directories. */
enum status segment_batch_sync(struct segment_batch *batch, struct error *err);
/* Removes the files that were made. */
void segment_batch_discard(struct segment_batch *batch);
void segment_batch_release(struct segment_batch *batch);

#endif
