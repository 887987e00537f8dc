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
    const struct source_config *config;
    const struct schema *schema;
    uint64_t *next_id; /* of segments */
    struct segment **segments;
    uint32_t len, cap;
    struct sys_file *open[SEGMENT_BATCH_OPEN_MAX]; /* written, not yet synced */
    uint32_t open_len;
};

/* Splits the rows by partition, sorts each by the first index column, writes segments (at most
 * max_file_size_mb each) and indexes. */
enum status segment_batch_add(struct segment_batch *batch, const struct batch *rows,
                              struct error *err);
/* Syncs all files and their directories. */
enum status segment_batch_sync(struct segment_batch *batch, struct error *err);
/* Removes the files that were made. */
void segment_batch_discard(struct segment_batch *batch);
void segment_batch_release(struct segment_batch *batch);

#endif
