/* own.c: a statement's rows: a search's as they come; an aggregate's groups, ordered and cut. */
#include "query/optimize/own.h"

#include <stdlib.h>

#include "query/optimize/derived.h"
#include "query/optimize/partials.h"

enum {
    SHARED_SHARE = 64, /* several threads: when a group has at least that many rows */
};

enum exec_access own_access(enum access_path path)
{
    switch (path) {
    case PATH_PRUNED_SCAN:
    case PATH_FILE_PARTIALS:
        return EXEC_SCAN;
    case PATH_FULL_SCAN:
        return EXEC_FULL;
    default:
        return EXEC_ANY;
    }
}

/* --- aggregates --- */

static bool keeps_each_file(const struct view *view, const struct access_choice *choice)
{
    double files = view->segments_len, rows = (double)view->rows;
    double groups = files > 0 && rows / files < choice->rows_out ? rows / files : choice->rows_out;
    return files * groups < rows / ACCESS_GROUP_SHARE;
}

enum status own_aggregate(struct value_cache *cache, struct view *view,
                          const struct query_shape *shape, const struct access_choice *choice,
                          const struct exec_context *context, struct exec_stats *stats,
                          struct aggregate **ret, struct error *err)
{
    enum access_path path = access_chosen(choice)->path;
    struct exec_context with = *context;
    with.access = own_access(path);
    if (choice->rows_out * SHARED_SHARE > (double)view->rows)
        with.threads = 1; /* merging would cost what was won */
    if (path == PATH_FILE_PARTIALS)
        return partials_aggregate(cache, view, shape, keeps_each_file(view, choice), &with, stats,
                                  ret, err);
    struct aggregate *agg = NULL;
    TRY(aggregate_new(shape->specs, shape->specs_len, shape->keys, shape->keys_len, &agg, err));
    aggregate_compute(agg, shape->computed, shape->computed_len);
    enum status status = aggregate_add_view(agg, view, shape->filter, &with, stats, err);
    if (status != STATUS_OK) {
        aggregate_free(agg);
        return status;
    }
    *ret = agg;
    return STATUS_OK;
}

void own_offer_partials(struct value_cache *cache, const struct view *view,
                        const struct query_shape *shape, struct access_offer *offer)
{
    struct value_cache_stats stats;
    value_cache_get_stats(cache, &stats);
    if (!shape->aggregates || !view->source || !stats.bytes_max || view->segments_len == 0)
        return;
    for (uint32_t i = 0; i < shape->specs_len; i++)
        if (shape->specs[i].kind == AGG_PERCENTILE)
            return; /* they hold every value */
    offer->partials = true;
    partials_known(cache, view, shape, &offer->kept_files, &offer->kept_rows);
}

/* --- a statement's frame --- */

struct run {
    const struct own_statement *statement;
    const struct sql_sink *sink;
    struct sql_stats *stats;
    int64_t left; /* rows that may still go out; -1: all */
    bool begun;   /* the columns went out; until then the engine can still be asked */
};

static enum status send_columns(struct run *run, struct error *err)
{
    const struct own_statement *statement = run->statement;
    uint32_t n = statement->outputs_len;
    if (run->begun)
        return STATUS_OK;
    run->begun = true;
    struct str *names = malloc(2 * ((size_t)n + 1) * sizeof *names);
    if (!names)
        return error_no_memory(err);
    for (uint32_t i = 0; i < n; i++) {
        names[i] = statement->outputs[i].name;
        names[n + i] = str_of(statement->outputs[i].sql_type);
    }
    enum status status = run->sink->columns(run->sink->context, names, names + n, n, err);
    free(names);
    return status;
}

static enum status add_columns(const struct run *run, const struct batch *from, struct batch *to)
{
    const struct own_statement *statement = run->statement;
    uint32_t index;
    for (uint32_t i = 0; i < statement->outputs_len; i++)
        TRY(batch_add_column(to, statement->outputs[i].name,
                             from->columns[statement->outputs[i].from].column.type, &index));
    return STATUS_OK;
}

static enum status copy_rows(const struct run *run, const struct batch *from, const uint32_t *rows,
                             uint32_t first, uint32_t len, struct batch *to)
{
    for (uint32_t i = 0; i < to->columns_len; i++) {
        const struct column *column = &from->columns[run->statement->outputs[i].from].column;
        struct column *into = &to->columns[i].column;
        if (!rows) {
            TRY(column_append_range(into, column, first, len));
            continue;
        }
        for (uint32_t k = 0; k < len; k++)
            TRY(column_append_from(into, column, rows[first + k]));
    }
    return batch_set_rows(to, len);
}

/* Rows [first, first + len) (of `rows`, or of the batch) as the answer has them. */
static enum status send_rows(struct run *run, const struct batch *from, const uint32_t *rows,
                             uint32_t first, uint32_t len, struct error *err)
{
    if (run->left >= 0 && len > (uint64_t)run->left) {
        len = (uint32_t)run->left;
        run->stats->truncated = true;
    }
    TRY(send_columns(run, err));
    if (len == 0)
        return STATUS_OK;
    struct batch *to = batch_new();
    enum status status = to ? add_columns(run, from, to) : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = copy_rows(run, from, rows, first, len, to);
    if (status != STATUS_OK)
        status = error_set(err, status, "the answer's rows do not fit into memory");
    else
        status = run->sink->rows(run->sink->context, to, err);
    batch_unref(to);
    run->stats->rows += len;
    run->left -= run->left >= 0 ? (int64_t)len : 0;
    return status;
}

/* --- groups --- */

struct ordering {
    const struct batch *batch;
    const struct own_statement *statement;
};

/* Nulls last in both directions, as the engine has it. HUGEINTs are texts in JSON columns. */
static int compare_values(const struct column *column, uint32_t a, uint32_t b, bool descending)
{
    bool a_null = column_is_null(column, a), b_null = column_is_null(column, b);
    if (a_null || b_null)
        return a_null - b_null;
    struct value x = value_of_column(column, a), y = value_of_column(column, b);
    int order;
    if (column->type == TYPE_JSON) {
        bool x_minus = x.bytes.data[0] == '-', y_minus = y.bytes.data[0] == '-';
        if (x_minus != y_minus)
            order = x_minus ? -1 : 1;
        else if (x.bytes.len != y.bytes.len)
            order = (x.bytes.len < y.bytes.len ? -1 : 1) * (x_minus ? -1 : 1);
        else if ((order = memcmp(x.bytes.data, y.bytes.data, x.bytes.len)) != 0)
            order = (order < 0) == x_minus ? 1 : -1;
    } else {
        order = value_compare(&x, &y);
    }
    return descending ? -order : order;
}

static int compare_rows(const void *a, const void *b, void *context)
{
    const struct ordering *ordering = context;
    const uint32_t *x = a;
    const uint32_t *y = b;
    for (uint32_t i = 0; i < ordering->statement->orders_len; i++) {
        const struct own_order *order = &ordering->statement->orders[i];
        int found = compare_values(&ordering->batch->columns[order->from].column, *x, *y,
                                   order->descending);
        if (found)
            return found;
    }
    return *x < *y ? -1 : *x > *y;
}

enum { GROUPS_AT_ONCE = 4096 };

static enum status number_rows(uint32_t rows, uint32_t **ret, struct error *err)
{
    *ret = malloc(((size_t)rows + 1) * sizeof **ret);
    if (!*ret)
        return error_no_memory(err);
    for (uint32_t i = 0; i < rows; i++)
        (*ret)[i] = i;
    return STATUS_OK;
}

static enum status send_groups(struct run *run, const struct batch *groups, struct error *err)
{
    const struct own_statement *statement = run->statement;
    struct ordering ordering = {groups, statement};
    uint32_t *order = NULL, rows = 0;
    TRY(derived_having(statement, groups, &order, &rows, err));
    uint64_t end = rows;
    if (statement->limit >= 0 && (uint64_t)statement->limit + statement->offset < end)
        end = (uint64_t)statement->limit + statement->offset;
    if (statement->orders_len) {
        if (!order)
            TRY(number_rows(rows, &order, err));
        qsort_r(order, rows, sizeof *order, compare_rows, &ordering);
    }
    enum status status = STATUS_OK;
    for (uint64_t at = statement->offset; at < end && status == STATUS_OK; at += GROUPS_AT_ONCE) {
        uint64_t len = end - at < GROUPS_AT_ONCE ? end - at : GROUPS_AT_ONCE;
        status = send_rows(run, groups, order, (uint32_t)at, (uint32_t)len, err);
    }
    free(order);
    return status;
}

static enum status run_aggregate(struct run *run, struct value_cache *cache, struct view *view,
                                 const struct access_choice *choice,
                                 const struct exec_context *context, struct exec_stats *exec,
                                 struct error *err)
{
    struct aggregate *agg = NULL;
    struct batch *groups = NULL;
    TRY(own_aggregate(cache, view, &run->statement->shape, choice, context, exec, &agg, err));
    enum status status = aggregate_batch(agg, run->statement->types, &groups, err);
    aggregate_free(agg);
    if (status == STATUS_OK)
        status = derived_add(run->statement, groups, err);
    if (status == STATUS_OK)
        status = send_groups(run, groups, err);
    batch_unref(groups);
    return status;
}

/* --- rows --- */

static enum status pump(struct run *run, struct search *search, struct error *err)
{
    for (bool done = false; !done;) {
        struct batch *batch = NULL;
        TRY(search_next(search, &batch, err));
        if (!batch)
            return STATUS_OK;
        enum status status = derived_add(run->statement, batch, err);
        if (status == STATUS_OK)
            status = send_rows(run, batch, NULL, 0, batch->rows, err);
        batch_unref(batch);
        TRY(status);
        done = run->stats->truncated;
    }
    return STATUS_OK;
}

static enum status run_search(struct run *run, struct view *view,
                              const struct access_choice *choice,
                              const struct exec_context *context, struct exec_stats *exec,
                              struct error *err)
{
    const struct query_shape *shape = &run->statement->shape;
    struct exec_context with = *context;
    struct search *search = NULL;
    struct search_options options = {.filter = shape->filter,
                                     .columns = shape->columns,
                                     .columns_len = shape->columns_len,
                                     .limit = shape->limit,
                                     .offset = shape->offset,
                                     .order = shape->order,
                                     .order_len = shape->order_len};
    with.access = own_access(access_chosen(choice)->path);
    TRY(search_open(view, &options, &with, &search, err));
    enum status status = pump(run, search, err);
    *exec = *search_stats(search);
    search_close(search);
    return status;
}

enum status own_statement_run(struct value_cache *cache, struct view *view,
                              const struct own_statement *statement,
                              const struct access_choice *choice, int64_t limit,
                              const struct exec_context *context, const struct sql_sink *sink,
                              struct sql_stats *stats, struct exec_stats *exec, bool *ret_begun,
                              struct error *err)
{
    struct run run = {.statement = statement, .sink = sink, .stats = stats, .left = limit};
    int64_t began_us = sys_mono_us(context->sys);
    *stats = (struct sql_stats){0};
    *exec = (struct exec_stats){0};
    enum status status = statement->shape.aggregates
                             ? run_aggregate(&run, cache, view, choice, context, exec, err)
                             : run_search(&run, view, choice, context, exec, err);
    if (status == STATUS_OK)
        status = send_columns(&run, err);
    *ret_begun = run.begun;
    stats->execute_us = sys_mono_us(context->sys) - began_us;
    stats->files = view->segments_len;
    return status;
}
