/* change.h: deletes and updates by filter, inside of a mutation (storage/store.h). */
#ifndef QUARRY_QUERY_CHANGE_H
#define QUARRY_QUERY_CHANGE_H

#include "query/exec/exec.h"

/* Marks all rows of the mutation's view that the filter lets through. `stats` is added to. */
enum status change_delete(struct mutation *mutation, const struct filter *filter,
                          const struct exec_context *context, struct exec_stats *stats,
                          struct error *err);

/* What an update sets: columns of `values`, which has one row; any may be null. */
struct change_set {
    const struct str *columns;
    uint32_t columns_len;
    const struct batch *values; /* a column that it lacks is null */
};
/* Marks the same rows and makes them anew with the columns set: `*ret_rows` (NULL: none matches) is
 * for mutation_commit. STATUS_SCHEMA for a column that the source lacks; STATUS_SCHEMA_CHANGED as
 * source_write by the epoch of `values`; STATUS_RESOURCE_LIMIT beyond MUTATION_ROWS_MAX rows or
 * MUTATION_BYTES_MAX. */
enum status change_update(struct mutation *mutation, const struct filter *filter,
                          const struct change_set *set, const struct exec_context *context,
                          struct exec_stats *stats, struct batch **ret_rows, struct error *err);

#endif
