/* forecast.c: what bounds and key filters leave of a view, and counting over a batch. */
#include <stdlib.h>

#include "query/exec/scan_int.h"

static bool has_hash(const struct view *view, uint32_t field)
{
    if (!view->source)
        return false;
    const struct source_config *config = source_config(view->source);
    for (uint32_t i = 0; i < config->index_columns_len; i++)
        if (str_eq(config->index_columns[i], view->schema->fields[field].name))
            return true;
    return false;
}

static bool has_points(const struct exec_forecast *forecast, uint32_t field)
{
    for (uint32_t i = 0; i < forecast->points_len; i++)
        if (forecast->points[i].field == field)
            return true;
    return false;
}

/* Hash: all of its columns are compared for equality; sorted: the first one is. */
static bool composite_serves(const struct view *view, const struct exec_forecast *forecast)
{
    struct composite list[SOURCE_COMPOSITES_MAX];
    uint32_t len = view->source ? view_composites(view, list) : 0;
    for (uint32_t i = 0; i < len; i++) {
        uint32_t wanted = list[i].kind == INDEX_KIND_HASH ? list[i].def.fields_len : 1, found = 0;
        while (found < wanted && has_points(forecast, list[i].fields[found]))
            found++;
        if (found == wanted)
            return true;
    }
    return false;
}

static void look_at_predicate(const struct scan *scan, uint32_t predicate, struct value *points,
                              struct exec_forecast *ret)
{
    int32_t field = bound_filter_column(scan->filter, predicate);
    struct value_range range;
    if (field < 0)
        return;
    enum type type = scan->view->schema->fields[field].type;
    int32_t n = bound_filter_points(scan->filter, predicate, type, points);
    bool sorted = view_has_sorted(scan->view, (uint32_t)field);
    bool indexed = n >= 0 ? sorted || has_hash(scan->view, (uint32_t)field)
                          : sorted && bound_filter_range(scan->filter, predicate, type, &range);
    ret->indexed |= indexed;
    if (n < 0 || ret->points_len == FORECAST_POINTS_MAX)
        return;
    ret->points[ret->points_len].field = (uint32_t)field;
    ret->points[ret->points_len].indexed = indexed;
    ret->points[ret->points_len++].values = n;
}

static bool is_candidate(const struct scan *scan, uint32_t at)
{
    return !scan->candidates || (scan->candidates[at / 64] >> (at % 64) & 1);
}

static enum status look(struct scan *scan, struct exec_forecast *ret, struct error *err)
{
    struct view *view = scan->view;
    struct value *points = malloc(BOUND_POINTS_MAX * sizeof *points);
    if (!points)
        return error_no_memory(err);
    ret->conditions = bound_filter_predicates(scan->filter);
    ret->never = bound_filter_is_never(scan->filter);
    for (uint32_t p = 0; view->source && p < ret->conditions; p++)
        look_at_predicate(scan, p, points, ret);
    free(points);
    ret->indexed = ret->indexed || composite_serves(view, ret);
    for (uint32_t i = 0; i < view->segments_len; i++) {
        struct segment_info info = segment_info(view->segments[i]);
        if (!is_candidate(scan, i) || !scan_segment_may_match(scan, view->segments[i], info.rows))
            continue;
        ret->files++;
        ret->file_rows += info.rows;
        ret->file_bytes += info.bytes;
    }
    for (uint32_t i = 0; i < view->chunks_len; i++)
        ret->chunk_rows += view->chunks[i]->rows;
    return STATUS_OK;
}

enum status exec_forecast(struct view *view, const struct filter *filter,
                          const struct exec_context *context, struct exec_forecast *ret,
                          struct error *err)
{
    struct scan scan;
    *ret = (struct exec_forecast){0};
    TRY(scan_init(&scan, view, filter, context, err));
    enum status status = look(&scan, ret, err);
    scan_release(&scan);
    return status;
}

enum status exec_count(const struct view *view, struct batch *rows, const struct filter *filter,
                       const struct exec_context *context, uint64_t *ret, struct error *err)
{
    struct view one = {
        .schema = view->schema, .chunks = &rows, .chunks_len = 1, .rows = rows->rows};
    struct scan scan;
    bool more = true;
    TRY(scan_init(&scan, &one, filter, context, err));
    enum status status = STATUS_OK;
    while (status == STATUS_OK && more)
        status = scan_next(&scan, &more, err);
    *ret = scan.stats.rows_matched;
    scan_release(&scan);
    return status;
}
