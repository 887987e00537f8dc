/* batch.h: rows as columns. A batch is built by one thread, then shared by reference and never
 * changed again; the last batch_unref frees it. */
#ifndef QUARRY_DATA_BATCH_H
#define QUARRY_DATA_BATCH_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "data/column.h"

enum { BATCH_ROWS_MAX = 1 << 24 };

struct batch_column {
    struct str name; /* in the batch's arena */
    struct column column;
};

struct batch {
    _Atomic uint32_t refs;
    uint32_t
        epoch; /* of the column names (storage/store.h); 0: not known, as in what was decoded */
    uint32_t rows;
    uint32_t columns_len;
    uint32_t columns_cap;
    struct batch_column *columns; /* each has `rows` rows; names are unique */
    struct arena arena;           /* names */
};

/* One reference; NULL when memory is out. */
struct batch *batch_new(void);
struct batch *batch_ref(struct batch *batch);
void batch_unref(struct batch *batch); /* NULL is fine */

/* Adds a column of `batch->rows` nulls and gives its index. */
enum status batch_add_column(struct batch *batch, struct str name, enum type type,
                             uint32_t *ret_index);
/* Index, or -1. Linear: batches have few columns. */
int32_t batch_find(const struct batch *batch, struct str name);
/* After appending to some columns: fills the others with nulls up to `rows` and sets batch->rows.
 */
enum status batch_set_rows(struct batch *batch, uint32_t rows);
/* Appends rows of another batch: columns are matched by name, missing ones are added or filled with
 * nulls; types must be equal or widen (the wider one stays). */
enum status batch_append(struct batch *to, const struct batch *from, uint32_t first, uint32_t count,
                         struct error *err);
size_t batch_memory(const struct batch *batch);

/* Our own wire form (WAL, process to process), versioned: columns, their names, types, validity,
 * values, bytes; little-endian, layout in batch_wire.c. */
enum status batch_encode(const struct batch *batch, struct buf *out, struct error *err);
/* Checks every length, offset and UTF-8 before use; STATUS_CORRUPT on anything else. */
enum status batch_decode(struct slice bytes, struct batch **ret_batch, struct error *err);

#endif
