/* filter.h: the filter language of the data routes: column -> {operator: literal, ...}, joined by
 * AND.
 *
 * Operators: eq ne gt lt gte lte in (in_list) not_in (nin) like regex; also `null: true|false` and
 * a bare scalar as eq. Null-aware as SQL: a comparison with a null value is not true, so the row is
 * out, for ne and not_in too; eq null and ne null mean IS NULL and IS NOT NULL. LIKE: % and _, with
 * backslash as escape, whole string, case-sensitive. regex: POSIX extended, unanchored.
 *
 * A filter is bound to no source: literals are JSON scalars and are compared by the column's type
 * (number with number, text with text; date and timestamp columns take ISO text; a text compared
 * with a number column is STATUS_INVALID_ARGUMENT with field and value; a JSON column compares
 * with its scalar value). Immutable after parsing: any thread. */
#ifndef QUARRY_QUERY_FILTER_H
#define QUARRY_QUERY_FILTER_H

#include "base/json.h"
#include "data/batch.h"
#include "data/value.h"
#include "storage/store.h"

enum {
    FILTER_CONDITIONS_MAX = 256,
    FILTER_LIST_MAX = 10000,
    FILTER_PATTERN_MAX = 4096,
};

struct filter;
struct expr;

/* `filters` is the JSON object (NULL: no conditions). Unknown operator, wrong literal, bad regex:
 * STATUS_INVALID_ARGUMENT naming the field and what is known. */
enum status filter_parse(yyjson_val *filters, struct filter **ret_filter, struct error *err);
void filter_free(struct filter *filter);
/* Also asks for what a BOOL expression over the schema's fields (query/expr) says; once a filter.
 * It is not copied. */
void filter_require(struct filter *filter, const struct expr *where);
bool filter_is_empty(const struct filter *filter);

#endif
