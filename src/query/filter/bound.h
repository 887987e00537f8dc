/* bound.h: a filter bound to a schema, evaluated over columns.
 *
 * A bound filter is a list of predicates, one a column (or path in a JSON column), cheapest first;
 * a row matches when every predicate is true. Evaluation narrows a selection: ascending row numbers
 * of a column. A column may have the schema's type or a narrower one (INT64 for DOUBLE, DATE for
 * TIMESTAMP); results are exact for both.
 *
 * The predicates are immutable, but evaluation uses scratch memory and compiled expressions: one
 * bound filter is used by one thread at a time. */
#ifndef QUARRY_QUERY_BOUND_H
#define QUARRY_QUERY_BOUND_H

#include "query/filter/filter.h"

struct bound_filter;

/* Wrong literal for a column's type: STATUS_INVALID_ARGUMENT with field and value. The filter may
 * be freed before the bound filter; the schema need not stay either. */
enum status filter_bind(const struct filter *filter, const struct schema *schema,
                        struct bound_filter **ret_bound, struct error *err);
void bound_filter_free(struct bound_filter *bound);

/* True when no row of any data can match. */
bool bound_filter_is_never(const struct bound_filter *bound);
/* What rows have to be beside what the predicates say; NULL: nothing. The caller evaluates it. */
const struct expr *bound_filter_where(const struct bound_filter *bound);
uint32_t bound_filter_predicates(const struct bound_filter *bound);
/* Schema index of the column that a predicate reads; -1: the schema lacks it, all is null. */
int32_t bound_filter_column(const struct bound_filter *bound, uint32_t predicate);
/* True when the predicate may hold for null: then it cannot be decided over a dictionary. */
bool bound_filter_takes_null(const struct bound_filter *bound, uint32_t predicate);

/* Rows of `column` for which the predicate holds, of those in `in` (`n` ascending row numbers;
 * NULL: the first `n` rows) into `out` (room for n; may be `in`). `column` NULL: all null. */
enum status bound_filter_eval(struct bound_filter *bound, uint32_t index,
                              const struct column *column, const uint32_t *in, uint32_t n,
                              uint32_t *out, uint32_t *ret_n, struct error *err);

/* What is known of a column in some rows. */
struct column_bounds {
    bool known_nulls;
    uint64_t rows, nulls;
    bool has_range; /* min and max below; they may be wider than the data */
    struct value min, max;
};
/* False when certainly no row matches. */
bool bound_filter_may_match(const struct bound_filter *bound, uint32_t predicate,
                            const struct column_bounds *bounds);

/* The finite set of values that the predicate lets through, as values of a column of type
 * `physical`, for index look-ups: their number, or -1 when there is none (ranges, patterns, paths,
 * more than BOUND_POINTS_MAX). Rows found by them still have to be evaluated. Byte values are
 * borrowed. */
enum { BOUND_POINTS_MAX = 1000 };
int32_t bound_filter_points(const struct bound_filter *bound, uint32_t index, enum type physical,
                            struct value *ret_values);

/* The interval outside of which the predicate lets nothing through, as values of a column of type
 * `physical`; false when there is none (both ends open). Rows inside still have to be evaluated.
 * Byte values are borrowed. */
bool bound_filter_range(const struct bound_filter *bound, uint32_t index, enum type physical,
                        struct value_range *ret);
/* That interval is all that there is to the predicate: what is inside needs no evaluation. */
bool bound_filter_is_range(const struct bound_filter *bound, uint32_t index);

#endif
