/* sketch.h: a random sample of rows and distinct counts of their columns.
 *
 * A sketch is built by one thread; once it is shared it does not change: sketch_merged makes a new
 * one. Columns go by name; the field id beside it tells whether the name still means the same
 * (sketch_fits). The sample is the SKETCH_SAMPLE_ROWS rows of least priority, or fewer when they
 * would be larger than SKETCH_SAMPLE_BYTES. */
#ifndef QUARRY_STORAGE_SKETCH_H
#define QUARRY_STORAGE_SKETCH_H

#include "data/batch.h"
#include "sys/sys.h"

enum {
    SKETCH_SAMPLE_ROWS = 10000,
    SKETCH_SAMPLE_BYTES = 3 << 19, /* 1.5 MiB */
    SKETCH_COLUMNS_MAX = 256,      /* with distinct counts; the sample has all columns */
};

struct sketch;

/* NULL when memory is out. */
struct sketch *sketch_new(uint64_t seed);
struct sketch *sketch_ref(struct sketch *sketch);
void sketch_unref(struct sketch *sketch); /* NULL is fine */

/* Adds the rows of a batch whose columns are among `fields`. After a failure it can only be freed.
 */
enum status sketch_add(struct sketch *sketch, const struct batch *rows, const struct field *fields,
                       uint32_t fields_len, struct error *err);
/* Both together; `a` may be NULL. */
enum status sketch_merged(const struct sketch *a, const struct sketch *b, struct sketch **ret,
                          struct error *err);

/* Do its columns still have these names? Columns that came later are fine. */
bool sketch_fits(const struct sketch *sketch, const struct field *fields, uint32_t fields_len);

uint64_t sketch_rows(const struct sketch *sketch); /* that were added */
/* Borrowed; at most SKETCH_SAMPLE_ROWS rows. */
struct batch *sketch_sample(const struct sketch *sketch);
/* Of the values that are not null; negative when nothing is known. */
double sketch_distinct(const struct sketch *sketch, struct str column);
size_t sketch_memory(const struct sketch *sketch);
uint32_t sketch_columns(const struct sketch *sketch);

/* Its file, written whole or not at all. Reading checks everything: STATUS_CORRUPT. */
enum status sketch_write(const struct sketch *sketch, struct sys *sys, const char *path,
                         struct error *err);
enum status sketch_read(struct sys *sys, const char *path, struct sketch **ret, struct error *err);

#endif
