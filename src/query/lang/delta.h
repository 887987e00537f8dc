/* delta.h: queries whose result can be brought up to date from new rows alone.
 *
 *   rows    SELECT of one table with columns, expressions, a condition: what new rows give is added
 *   groups  the same with GROUP BY (or only aggregates) where each item is a key or one of count,
 *           sum, min, max, avg: what new rows give is merged into the groups
 *
 * avg is merged by two more columns, its sum and its count (lang_delta_add_state). Everything else
 * (joins, HAVING, DISTINCT, windows, sub-queries, LIMIT, other aggregates) is made anew. */
#ifndef QUARRY_QUERY_LANG_DELTA_H
#define QUARRY_QUERY_LANG_DELTA_H

#include "query/lang/lang.h"

/* Gives the same whenever it is asked of the same rows: no clock, no random, nothing that is not
 * known to be so. DuckDB's dialect. */
bool lang_is_pure(const struct node *root);

enum lang_delta_kind { LANG_DELTA_NONE, LANG_DELTA_ROWS, LANG_DELTA_GROUPS };
enum lang_delta_role {
    LANG_DELTA_KEY,
    LANG_DELTA_COUNT,
    LANG_DELTA_SUM,
    LANG_DELTA_MIN,
    LANG_DELTA_MAX,
    LANG_DELTA_AVG, /* its sum and count are the columns <name>__sum and <name>__count */
};
#define LANG_DELTA_SUM_SUFFIX   "__sum"
#define LANG_DELTA_COUNT_SUFFIX "__count"

struct lang_delta {
    enum lang_delta_kind kind;
    const char *why;             /* of NONE */
    enum lang_delta_role *roles; /* of GROUPS, by item */
    size_t len;
    bool has_avg;
    bool is_pure;
};
/* Of a query in DuckDB's dialect with views put in. */
enum status lang_delta_of(struct arena *arena, const struct lang_query *query,
                          struct lang_delta *ret);

/* The query (of one SELECT) with the sum and the count of each avg at the end of its items. */
enum status lang_delta_add_state(struct arena *arena, struct lang_query *query,
                                 const struct lang_delta *delta);

#endif
