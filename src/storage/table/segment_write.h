/* segment_write.h: rows into new segment files of a source. */
#ifndef QUARRY_STORAGE_SEGMENT_WRITE_H
#define QUARRY_STORAGE_SEGMENT_WRITE_H

#include "storage/table/snapshot.h"

/* What one flush has made so far; everything is undone by segment_batch_discard. */
struct segment_batch {
    struct sys *sys;
    const char *dir; /* of the source */
    const struct source_config *config;
    const struct schema *schema;
    uint64_t *next_id; /* of segments */
    struct segment **segments;
    uint32_t len, cap;
};

/* Splits the rows by partition, sorts each by the first index column, writes and syncs segments (at
 * most max_file_size_mb each) and indexes, and syncs their directories. */
enum status segment_batch_add(struct segment_batch *batch, const struct batch *rows,
                              struct error *err);
/* Syncs what segment_batch_add has left to do at the end. */
enum status segment_batch_sync(struct segment_batch *batch, struct error *err);
/* Removes the files that were made. */
void segment_batch_discard(struct segment_batch *batch);
void segment_batch_release(struct segment_batch *batch);

#endif
