/* gather.h: rows picked from a column, widened on the way when the target is wider. */
#ifndef QUARRY_QUERY_GATHER_H
#define QUARRY_QUERY_GATHER_H

#include "data/column.h"

/* Appends `n` rows of `from` (row numbers in `rows`; NULL: rows first..first+n-1). `into` has the
 * same type, or DOUBLE for INT64 (rounded to nearest), or TIMESTAMP for DATE; STATUS_CORRUPT
 * otherwise. On failure `into` may hold some of the rows. */
enum status gather_rows(struct column *into, const struct column *from, const uint32_t *rows,
                        uint32_t first, uint32_t n, struct error *err);

/* Rows [first, first + n) of `from` as a column that borrows its memory; `first` is a multiple
 * of 8. Not to be released. */
struct column gather_window(const struct column *from, uint32_t first, uint32_t n);

#endif
