/* table_stats.c: bounds and nulls by aggregating (which takes them from metadata where it may),
 * the rest from the profile. */
#include <stdio.h>

#include "query/stats/profile.h"
#include "query/stats/table_stats.h"

enum { COLUMNS_AT_ONCE = 64, SPECS_A_COLUMN = 3 };

static bool is_ordered(enum type type)
{
    return type != TYPE_JSON;
}

/* count, min, max of the columns from `first` on. */
static uint32_t make_specs(const struct table_stats *stats, uint32_t first, uint32_t len,
                           struct aggregate_spec *specs, enum type *types, char (*names)[24])
{
    uint32_t n = 0;
    for (uint32_t i = first; i < first + len; i++) {
        static const enum aggregate_kind kinds[] = {AGG_COUNT, AGG_MIN, AGG_MAX};
        const struct column_statistics *column = &stats->columns[i];
        for (uint32_t k = 0; k < (is_ordered(column->type) ? SPECS_A_COLUMN : 1u); k++, n++) {
            snprintf(names[n], sizeof names[n], "%u.%u", i, k);
            specs[n] = (struct aggregate_spec){
                .kind = kinds[k], .column = column->name, .alias = str_of(names[n])};
            types[n] = kinds[k] == AGG_COUNT ? TYPE_INT64 : column->type;
        }
    }
    return n;
}

static enum status take_results(struct table_stats *stats, uint32_t first, uint32_t len,
                                const struct batch *batch)
{
    uint32_t n = 0;
    for (uint32_t i = first; i < first + len; i++) {
        struct column_statistics *column = &stats->columns[i];
        uint64_t values = (uint64_t)column_int64(&batch->columns[n++].column, 0);
        column->nulls = stats->rows > values ? stats->rows - values : 0;
        if (!is_ordered(column->type))
            continue;
        struct value min = value_of_column(&batch->columns[n].column, 0);
        struct value max = value_of_column(&batch->columns[n + 1].column, 0);
        n += 2;
        column->has_bounds = !min.is_null && !max.is_null;
        if (!value_copy(&stats->arena, &min, &column->min) ||
            !value_copy(&stats->arena, &max, &column->max))
            return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

static enum status measure(struct table_stats *stats, struct view *view, uint32_t first,
                           uint32_t len, const struct exec_context *context, struct error *err)
{
    struct aggregate_spec specs[COLUMNS_AT_ONCE * SPECS_A_COLUMN];
    enum type types[COLUMNS_AT_ONCE * SPECS_A_COLUMN];
    char names[COLUMNS_AT_ONCE * SPECS_A_COLUMN][24];
    struct aggregate *agg = NULL;
    struct batch *batch = NULL;
    uint32_t n = make_specs(stats, first, len, specs, types, names);
    TRY(aggregate_new(specs, n, NULL, 0, &agg, err));
    enum status status = aggregate_add_view(agg, view, NULL, context, NULL, err);
    if (status == STATUS_OK)
        status = aggregate_batch(agg, types, &batch, err);
    if (status == STATUS_OK && take_results(stats, first, len, batch) != STATUS_OK)
        status = error_no_memory(err);
    batch_unref(batch);
    aggregate_free(agg);
    return status;
}

static enum status take_profile(struct table_stats *stats, const struct view *view,
                                const struct sketch *sketch, struct error *err)
{
    const struct batch *sample = sketch_sample(sketch);
    stats->sample_rows = sample->rows;
    stats->sketch_bytes = sketch_memory(sketch);
    for (uint32_t i = 0; i < stats->columns_len; i++) {
        struct column_statistics *column = &stats->columns[i];
        uint64_t values = view->rows - (column->nulls < view->rows ? column->nulls : view->rows);
        int32_t at = batch_find(sample, column->name);
        column->distinct = sketch_distinct(sketch, column->name);
        if (column->distinct > (double)values)
            column->distinct = (double)values;
        if (at >= 0 && sample->rows)
            TRY(common_values(&sample->columns[at].column, &stats->arena, column, err));
    }
    return STATUS_OK;
}

static enum status fill(struct table_stats *stats, struct view *view,
                        const struct exec_context *context, struct error *err)
{
    struct sketch *sketch = NULL;
    for (uint32_t i = 0; i < view->schema->fields_len; i++) {
        struct column_statistics *column = &stats->columns[i];
        column->name = arena_str(&stats->arena, view->schema->fields[i].name);
        column->type = view->schema->fields[i].type;
        column->distinct = -1;
        if (!column->name.data)
            return error_no_memory(err);
    }
    stats->columns_len = view->schema->fields_len;
    for (uint32_t i = 0; i < stats->columns_len; i += COLUMNS_AT_ONCE) {
        uint32_t left = stats->columns_len - i;
        TRY(measure(stats, view, i, left < COLUMNS_AT_ONCE ? left : COLUMNS_AT_ONCE, context, err));
    }
    TRY(profile_of_view(view, &sketch, err));
    if (!sketch)
        return STATUS_OK;
    enum status status = take_profile(stats, view, sketch, err);
    sketch_unref(sketch);
    return status;
}

enum status table_stats_make(struct view *view, const struct exec_context *context,
                             struct table_stats *ret, struct error *err)
{
    *ret = (struct table_stats){.rows = view->rows,
                                .files = view->segments_len,
                                .snapshot_id = view->snapshot_id,
                                .lsn = view->lsn};
    arena_init(&ret->arena, 0);
    for (uint32_t i = 0; i < view->segments_len; i++)
        ret->bytes += segment_info(view->segments[i]).bytes;
    ret->columns = arena_array(&ret->arena, view->schema->fields_len + 1u, sizeof *ret->columns);
    struct sketch *sketch = view->source ? source_sketch(view->source) : NULL;
    ret->stale = profile_is_stale(view, sketch);
    sketch_unref(sketch);
    enum status status = ret->columns ? fill(ret, view, context, err) : error_no_memory(err);
    if (status != STATUS_OK)
        table_stats_release(ret);
    return status;
}

void table_stats_release(struct table_stats *stats)
{
    arena_release(&stats->arena);
    *stats = (struct table_stats){0};
}
