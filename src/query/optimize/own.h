/* own.h: doing what was chosen, with our own operators. */
#ifndef QUARRY_QUERY_OWN_H
#define QUARRY_QUERY_OWN_H

#include "query/optimize/optimizer.h"
#include "query/optimize/statement.h"
#include "query/optimize/value_cache.h"

/* What may be read less for a path. */
enum exec_access own_access(enum access_path path);

/* An aggregate of one view by the chosen path (not DuckDB's, not the result cache). */
enum status own_aggregate(struct value_cache *cache, struct view *view,
                          const struct query_shape *shape, const struct access_choice *choice,
                          const struct exec_context *context, struct exec_stats *stats,
                          struct aggregate **ret, struct error *err);

/* What the result cache and partials hold for a question, for optimizer_choose. */
void own_offer_partials(struct value_cache *cache, const struct view *view,
                        const struct query_shape *shape, struct access_offer *offer);

/* Runs a statement into the sink as sql_query would; EXPR_DOUBT: the engine has to do it, and may
 * when *ret_begun is false: nothing has gone out. `limit`: rows at the most (-1: all), the rest
 * is cut and stats->truncated set. */
enum status own_statement_run(struct value_cache *cache, struct view *view,
                              const struct own_statement *statement,
                              const struct access_choice *choice, int64_t limit,
                              const struct exec_context *context, const struct sql_sink *sink,
                              struct sql_stats *stats, struct exec_stats *exec, bool *ret_begun,
                              struct error *err);

#endif
