/* deletion.h: the rows of one segment (or chunk of unflushed rows) that are deleted: an immutable
 * set of row numbers, shared by reference. A later delete makes a new set that holds the old one.
 *
 * One that a snapshot names has a file: an Iceberg v2 position delete file beside the segment's own
 * (Parquet, sorted: file_path string, field id 2147483546; pos long, field id 2147483545), whole:
 * it is replaced by a later one, never added to. It is read at first use (deletion_load); one that
 * was made in memory is loaded from the start.
 *
 * Few rows are kept as sorted numbers, many (over 1/32) as a bitmap. What readers call is in
 * store.h. Threads: all calls from any thread. */
#ifndef QUARRY_STORAGE_DELETION_H
#define QUARRY_STORAGE_DELETION_H

#include "storage/store.h"

/* The stored description of the file. */
struct deletion_file {
    uint64_t id;     /* from the source's segment ids: unique, ascending */
    uint64_t rows;   /* how many are deleted */
    uint64_t bytes;  /* of the file */
    struct str path; /* below the source's directory, NUL-ended */
};

/* One that is in a file. `segment_rows`: of the segment; bounds the row numbers. */
struct deletion *deletion_open(struct sys *sys, const char *source_dir,
                               const struct deletion_file *file, uint64_t segment_rows,
                               struct error *err);
struct deletion *deletion_ref(struct deletion *deletion);
void deletion_unref(struct deletion *deletion); /* NULL is fine */
/* NULL: it is in memory only. */
const struct deletion_file *deletion_file(const struct deletion *deletion);
const char *deletion_full_path(const struct deletion *deletion);
/* The caller's reference is the only one. */
bool deletion_is_last(const struct deletion *deletion);
/* Removes the file; what cannot be removed goes at the next start. */
void deletion_unlink(const struct deletion *deletion);

/* Writes a loaded one as a file beside `data_path` (the segment's, below the source's directory)
 * and gives the same rows with their file. `data_uri` is what the file says of the data file: its
 * full URI. The file is not synced: `*ret_file` is open, for who syncs it before the commit. */
enum status deletion_write(struct sys *sys, const char *source_dir, struct str data_path,
                           struct str data_uri, uint64_t id, struct deletion *from,
                           struct deletion **ret, struct sys_file **ret_file, struct error *err);

/* A file with its rows for readers in other processes: its own, or one that is written to `path` at
 * first use (not synced, removed with the last reference). Loaded, or with a file. */
enum status deletion_overlay(struct deletion *deletion, struct sys *sys, const char *path,
                             const char **ret_path, struct error *err);

/* --- making one --- */

struct deletion_builder {
    uint64_t segment_rows;
    uint32_t *rows; /* in the order they came; then moved to `bits` */
    uint32_t len, cap;
    uint64_t *bits;
};
void deletion_builder_init(struct deletion_builder *builder, uint64_t segment_rows);
/* A row may be added again. `row` is below segment_rows. */
enum status deletion_builder_add(struct deletion_builder *builder, uint64_t row, struct error *err);
/* All rows of a loaded one (NULL: none), the n-th as row first + n. */
enum status deletion_builder_add_all(struct deletion_builder *builder,
                                     const struct deletion *deletion, uint64_t first,
                                     struct error *err);
/* The set, NULL in `*ret` when it is empty. The builder is empty then. */
enum status deletion_builder_finish(struct deletion_builder *builder, struct deletion **ret,
                                    struct error *err);
void deletion_builder_release(struct deletion_builder *builder);
/* Heap bytes held. */
uint64_t deletion_memory(const struct deletion *deletion);

/* --- as bytes: in the log --- */

/* 0 segment_rows u64 | 8 count u32 | 12 form u8 | 13 row numbers u32 each (form 0), or the bitmap
 * in words of 64 bits (form 1); little-endian. */
void deletion_encode(const struct deletion *deletion, struct buf *out);
/* Takes it off the front of `bytes`; at least one row. STATUS_CORRUPT. */
enum status deletion_decode(struct slice *bytes, struct deletion **ret, struct error *err);

/* --- those of all segments of a state, immutable once it is shared --- */

struct deletion_set {
    _Atomic uint32_t refs;
    uint32_t len;
    uint64_t rows;            /* deleted, in all */
    uint64_t memory;          /* of the items without a file */
    struct deletion *items[]; /* parallel to the snapshot's segments; NULL: none; referenced */
};
/* One reference, nothing deleted. NULL when memory is out. */
struct deletion_set *deletion_set_new(uint32_t len);
/* Takes over the caller's reference (NULL: none). Once for each place. */
void deletion_set_put(struct deletion_set *set, uint32_t at, struct deletion *deletion);
struct deletion_set *deletion_set_ref(struct deletion_set *set);
void deletion_set_unref(struct deletion_set *set); /* NULL is fine */

#endif
