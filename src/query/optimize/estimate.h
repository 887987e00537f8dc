/* estimate.h: how many rows a filter lets through, how many groups there will be. */
#ifndef QUARRY_QUERY_ESTIMATE_H
#define QUARRY_QUERY_ESTIMATE_H

#include "query/optimize/access.h"
#include "storage/sketch/sketch.h"

enum { ESTIMATE_HITS_MIN = 5 }; /* of the sample; below, distinct counts have a say */

/* `sketch` NULL: nothing is known of the values. */
enum status estimate_rows(const struct view *view, const struct query_shape *shape,
                          const struct exec_forecast *forecast, const struct sketch *sketch,
                          const struct exec_context *context, double *ret, struct error *err);
double estimate_groups(const struct view *view, const struct query_shape *shape,
                       const struct sketch *sketch, double rows);

#endif
