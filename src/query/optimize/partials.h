/* partials.h: aggregates that are kept: of each immutable file, and of the longest list of files
 * that was asked about ("base"), so that a repeated question costs only what is new.
 *
 * Exact: a file without deleted rows gives the same partial for ever; one with deleted rows is
 * computed each time. Integer sums, counts, bounds and distinct values come out the same in
 * whatever order parts are merged; sums of doubles within rounding (they are compensated). */
#ifndef QUARRY_QUERY_PARTIALS_H
#define QUARRY_QUERY_PARTIALS_H

#include "query/optimize/access.h"
#include "query/optimize/value_cache.h"

/* Of the files of a view: how many have a kept partial for the question, and their rows. */
void partials_known(struct value_cache *cache, const struct view *view,
                    const struct query_shape *shape, uint64_t *ret_files, uint64_t *ret_rows);

/* The whole aggregate. `per_file`: partials of single files are made and kept too (few groups). */
enum status partials_aggregate(struct value_cache *cache, struct view *view,
                               const struct query_shape *shape, bool per_file,
                               const struct exec_context *context, struct exec_stats *stats,
                               struct aggregate **ret, struct error *err);

#endif
