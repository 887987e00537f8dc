/* ordered.h: the first rows of a view in order of some columns. */
#ifndef QUARRY_QUERY_ORDERED_H
#define QUARRY_QUERY_ORDERED_H

#include "query/exec/scan_int.h"

struct ordered;

/* `scan` is fresh and the ordered search's from now on. `most`: rows wanted, those to be skipped
 * included. STATUS_INVALID_ARGUMENT: a column cannot be ordered by. */
enum status ordered_new(struct scan *scan, const struct search_order *order, uint32_t len,
                        uint32_t most, struct ordered **ret, struct error *err);
void ordered_free(struct ordered *ordered);
/* Finds the rows. */
enum status ordered_run(struct ordered *ordered, struct error *err);
/* After it: how many there are (at most `most`), and whether there are more. */
uint32_t ordered_rows(const struct ordered *ordered);
bool ordered_has_more(const struct ordered *ordered);
/* Makes row `at` the scan's present slice. */
enum status ordered_seek(struct ordered *ordered, uint32_t at, struct error *err);

#endif
