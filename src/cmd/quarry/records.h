/* records.h: a file of any known format as a sequence of request bodies of bounded size.
 *
 * The cut depends on the file, the format and the two bounds only: a second run makes the same
 * batches with the same numbers, which is what resuming a load stands on. Batches are made by one
 * thread and may be used and freed by another. */
#ifndef QUARRY_CMD_RECORDS_H
#define QUARRY_CMD_RECORDS_H

#include "base/buf.h"

enum record_format {
    RECORD_NDJSON,
    RECORD_JSON, /* one array of objects */
    RECORD_CSV,  /* first line names the columns */
    RECORD_PARQUET,
    RECORD_APT_CONTENTS,
    RECORD_APT_PACKAGES,
};

/* Also "auto" through record_format_guess. */
bool record_format_parse(const char *name, enum record_format *ret);
const char *record_format_name(enum record_format format);
/* By the file's name, for .json also by its first byte. */
enum status record_format_guess(const char *path, enum record_format *ret, struct error *err);

enum {
    RECORD_BYTES_MAX = 32 << 20, /* of one record of the file */
    BATCH_BYTES_USUAL = 4 << 20,
    BATCH_BODY_MAX = 63 << 20,
    BATCH_RECORDS_MAX = 1000000,
};

struct record_batch {
    uint64_t number; /* from 0 */
    struct buf body;
    const char *content_type;
    uint32_t records;
    int64_t *lines; /* of each record: line (or row, for Parquet) of the file, from 1 */
    uint32_t lines_cap;
};

struct record_options {
    const char *path; /* "-": standard input (not for Parquet) */
    enum record_format format;
    uint32_t records_max;    /* of a batch; a line that makes several records may exceed it */
    size_t bytes_max;        /* a batch is closed when its body is at least so long */
    struct str architecture; /* apt-contents; data NULL: from the file's name */
};

struct record_source;

enum status record_source_open(const struct record_options *options, struct record_source **ret,
                               struct error *err);
/* NULL in *ret_batch at the end. Errors carry the line. */
enum status record_source_next(struct record_source *source, struct record_batch **ret_batch,
                               struct error *err);
/* Bytes of the file read and its size (0: unknown). Any thread. */
void record_source_progress(const struct record_source *source, uint64_t *ret_done,
                            uint64_t *ret_total);
void record_source_close(struct record_source *source);

struct record_batch *record_batch_new(uint64_t number, const char *content_type);
/* The record that the body just got stands in this line. False: memory is out. */
bool record_batch_add(struct record_batch *batch, int64_t line);
void record_batch_free(struct record_batch *batch);

#endif
