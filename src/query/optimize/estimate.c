/* estimate.c: the filter is run over the sample (which sees correlations); when hardly a row of it
 * matches, the distinct counts of the columns that are compared for equality decide. */
#include "query/optimize/estimate.h"

#include <math.h>

#define UNKNOWN_SHARE 0.1 /* of the rows, when there is no sample */
#define UNKNOWN_ROWS  100 /* of one value of an indexed column, when there is no sample */

/* Rows that equality lets through, as if the columns had nothing to do with each other; negative:
 * no such condition. */
static double rows_by_points(const struct view *view, const struct exec_forecast *forecast,
                             const struct sketch *sketch)
{
    double rows = (double)view->rows;
    bool some = false;
    for (uint32_t i = 0; i < forecast->points_len; i++) {
        struct str name = view->schema->fields[forecast->points[i].field].name;
        double distinct = sketch_distinct(sketch, name);
        if (distinct < 1)
            continue;
        double share = forecast->points[i].values / distinct;
        rows *= share < 1 ? share : 1;
        some = true;
    }
    return some ? rows : -1;
}

/* Without a sample. Columns are indexed because equality finds few rows; where it does not, the
 * index is not used (SCAN_LOOKUP_SHARE) and the next estimates are corrected. */
static double rows_unknown(double total, const struct exec_forecast *forecast)
{
    double rows = total * UNKNOWN_SHARE;
    for (uint32_t i = 0; i < forecast->points_len; i++)
        if (forecast->points[i].indexed)
            rows = fmin(rows, UNKNOWN_ROWS * (double)forecast->points[i].values);
    return rows;
}

enum status estimate_rows(const struct view *view, const struct query_shape *shape,
                          const struct exec_forecast *forecast, const struct sketch *sketch,
                          const struct exec_context *context, double *ret, struct error *err)
{
    double total = (double)view->rows;
    double most = (double)(forecast->file_rows + forecast->chunk_rows);
    struct batch *sample = sketch ? sketch_sample(sketch) : NULL;
    uint64_t hits = 0;
    *ret = total;
    if (filter_is_empty(shape->filter))
        return STATUS_OK;
    if (forecast->never || !sample || sample->rows == 0) {
        *ret = forecast->never ? 0 : fmin(rows_unknown(total, forecast), most);
        return STATUS_OK;
    }
    TRY(exec_count(view, sample, shape->filter, context, &hits, err));
    double scale = total / sample->rows;
    double rows = (double)hits * scale;
    if (hits < ESTIMATE_HITS_MIN && scale > 1) {
        double points = rows_by_points(view, forecast, sketch);
        if (hits == 0)
            rows = scale / 2;
        if (points >= 0 && (points < rows || hits == 0))
            rows = fmin(points, 2 * scale);
    }
    *ret = fmin(rows, most);
    return STATUS_OK;
}

double estimate_groups(const struct view *view, const struct query_shape *shape,
                       const struct sketch *sketch, double rows)
{
    double groups = 1;
    (void)view;
    if (!shape->aggregates)
        return shape->limit >= 0 ? fmin(rows, (double)shape->limit) : rows;
    for (uint32_t k = 0; k < shape->keys_len; k++) {
        double distinct = sketch ? sketch_distinct(sketch, shape->keys[k]) : -1;
        groups *= distinct < 0 ? 100 : distinct + 1;
    }
    return shape->keys_len ? fmin(groups, fmax(rows, 1)) : 1;
}
