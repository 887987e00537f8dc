/* text.h: the text form of the DSL.
 *
 *   SEARCH FROM sales WHERE amount >= 100 AND NOT (city IN ('Oslo', :other)) SELECT id, amount
 *     ORDER BY amount DESC NULLS FIRST LIMIT 10 OFFSET 5
 *   AGGREGATE SUM(amount) AS total, COUNT(*) FROM sales WHERE ... GROUP BY customer HAVING total >
 * 5
 *
 * Words fold case; clauses behind FROM come in any order, each once. It becomes the JSON form and
 * is then checked as such, so pointers in later errors point into that. */
#ifndef QUARRY_QUERY_DSL_TEXT_H
#define QUARRY_QUERY_DSL_TEXT_H

#include "query/dsl/dsl.h"

enum { DSL_TEXT_DEPTH_MAX = 60 };

/* *ret_doc holds strings of the query: free it after the query (it may be NULL). A text that begins
 * with a brace is JSON. */
enum status dsl_parse_text(struct arena *arena, struct str text, const struct dsl_options *options,
                           struct dsl_query **ret_query, yyjson_doc **ret_doc, struct error *err);

#endif
