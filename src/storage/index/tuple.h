/* tuple.h: the values of several columns as one key of a sorted index: bytes that order as the
 * values do, the first column first, nulls behind all values of their column.
 *
 * A null is the byte 2; a value the byte 1 and: of texts the bytes, a zero byte in them as 0 255,
 * and 0 0 at the end; of bools one byte; of others eight bytes, highest first, of the number that
 * sorted sidecars use (sorted_index_int.h). */
#ifndef QUARRY_STORAGE_TUPLE_H
#define QUARRY_STORAGE_TUPLE_H

#include "base/buf.h"
#include "storage/store.h"

void tuple_append(struct buf *out, const struct value *value);

/* One text for each row of some columns of equal length. */
enum status tuple_column(const struct column *columns, uint32_t len, struct column *ret,
                         struct error *err);

/* The keys of a range lie between the two and may begin with the second. */
struct tuple_bounds {
    struct buf lo, hi;
};
enum status tuple_bounds(const struct tuple_range *range, struct tuple_bounds *ret,
                         struct value_range *ret_range, struct error *err);
void tuple_bounds_release(struct tuple_bounds *bounds);

#endif
