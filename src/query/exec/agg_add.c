/* agg_add.c: a view goes into the states. Per slice: number the rows' groups, then let each
 * aggregation take its column. Dictionary codes replace values where they suffice: for the group of
 * one key, for counting non-null values, and keyless for min, max and distinct counts. Segments
 * whose bounds answer everything are not opened. */
#include <stdlib.h>

#include "query/exec/agg_run_int.h"
static enum status wants_numbers(const struct agg_state *state, enum type type, struct error *err)
{
    struct str name = state->spec.column;
    error_set(err, STATUS_INVALID_ARGUMENT,
              "column '%.*s' is %s; sum, avg, stddev and percentile want numbers",
              name.len < 100 ? (int)name.len : 100, name.data, type_name(type));
    error_at_field(err, name.data, (uint32_t)name.len, NULL, 0);
    return STATUS_INVALID_ARGUMENT;
}

static enum status find_columns(struct agg_run *run, struct error *err)
{
    struct aggregate *agg = run->agg;
    for (uint32_t i = 0; i < agg->states_len; i++) {
        struct agg_state *state = &agg->states[i];
        enum type type = TYPE_COUNT;
        run->columns[i] =
            state->spec.column.data ? agg_find_column(run, state->spec.column, &type) : -1;
        if (run->columns[i] < 0)
            continue;
        bool arithmetic = state->spec.kind == AGG_SUM || state->spec.kind == AGG_AVG ||
                          state->spec.kind == AGG_STDDEV || state->spec.kind == AGG_PERCENTILE;
        if (arithmetic && type != TYPE_INT64 && type != TYPE_DOUBLE)
            return wants_numbers(state, type, err);
        state->reals |= type == TYPE_DOUBLE;
    }
    for (uint32_t k = 0; k < agg->keys_len; k++) {
        enum type type = TYPE_COUNT;
        run->key_columns[k] = agg_find_column(run, agg->keys[k], &type);
        if (run->key_columns[k] < 0)
            continue;
        agg->key_ints[k] |= type == TYPE_INT64;
        agg->key_reals[k] |= type == TYPE_DOUBLE;
    }
    return STATUS_OK;
}

/* --- aggregations of one slice --- */

static void count_rows(struct agg_state *state, const uint32_t *groups, uint32_t n)
{
    if (!groups) {
        state->counts[0] += n;
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        state->counts[groups[i]]++;
}

static void count_codes(struct agg_state *state, const uint32_t *codes, const uint32_t *groups,
                        uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        state->counts[groups ? groups[i] : 0] += codes[i] != PARQUET_CODE_NULL;
}

static enum status prepare_seen(struct agg_state *state, const struct column *dictionary,
                                uint64_t serial, struct error *err)
{
    if (state->seen_dictionary == dictionary && state->seen_serial == serial)
        return STATUS_OK;
    if (dictionary->rows > state->seen_cap || !state->seen) {
        uint8_t *seen = realloc(state->seen, dictionary->rows + 1);
        if (!seen)
            return error_no_memory(err);
        state->seen = seen;
        state->seen_cap = dictionary->rows;
    }
    memset(state->seen, 0, dictionary->rows);
    state->seen_dictionary = dictionary;
    state->seen_serial = serial;
    return STATUS_OK;
}

/* Keyless min, max, count_distinct: each entry is looked at once. */
static enum status update_codes(struct agg_run *run, struct agg_state *state,
                                const struct column *dictionary, struct error *err)
{
    TRY(prepare_seen(state, dictionary, run->scan.group_serial, err));
    for (uint32_t i = 0; i < run->scan.selected; i++) {
        uint32_t code = run->codes[i];
        if (code == PARQUET_CODE_NULL || state->seen[code])
            continue;
        state->seen[code] = 1;
        if (state->spec.kind == AGG_COUNT_DISTINCT) {
            TRY(agg_put_distinct(run->agg, state, 0, dictionary, code, err));
            continue;
        }
        struct value value = value_of_column(dictionary, code);
        TRY(agg_offer(run->agg, state, 0, &value, err));
        state->counts[0]++;
    }
    return STATUS_OK;
}

static bool codes_suffice(const struct agg_run *run, const struct agg_state *state)
{
    if (state->spec.kind == AGG_COUNT)
        return true;
    return !run->agg->keys_len && (state->spec.kind == AGG_COUNT_DISTINCT ||
                                   state->spec.kind == AGG_MIN || state->spec.kind == AGG_MAX);
}

static enum status update_state(struct agg_run *run, uint32_t index, const uint32_t *groups,
                                struct error *err)
{
    struct agg_state *state = &run->agg->states[index];
    if (!state->spec.column.data) {
        count_rows(state, groups, run->scan.selected);
        return STATUS_OK;
    }
    if (run->columns[index] < 0)
        return STATUS_OK;
    uint32_t field = (uint32_t)run->columns[index];
    const struct column *column;
    if (!agg_is_computed(run, run->columns[index]) && codes_suffice(run, state)) {
        TRY(scan_codes(&run->scan, field, &column, run->codes, err));
        if (column && state->spec.kind == AGG_COUNT) {
            count_codes(state, run->codes, groups, run->scan.selected);
            return STATUS_OK;
        }
        if (column && column->type == run->scan.view->schema->fields[field].type)
            return update_codes(run, state, column, err);
    }
    TRY(agg_column(run, run->columns[index], &column, err));
    return column ? agg_update(run->agg, state, column, groups, err) : STATUS_OK;
}

static enum status add_slices(struct agg_run *run, struct error *err)
{
    for (;;) {
        bool more;
        TRY(scan_next(&run->scan, &more, err));
        if (!more)
            return STATUS_OK;
        agg_computed_forget(run);
        const uint32_t *groups = NULL;
        if (run->agg->keys_len) {
            TRY(agg_number_groups(run, err));
            groups = run->groups;
        }
        for (uint32_t i = 0; i < run->agg->states_len; i++)
            if (!run->scan.segment || !run->known[i])
                TRY(update_state(run, i, groups, err));
    }
}

/* --- */

static enum status run_init(struct agg_run *run, const struct filter *filter, struct error *err)
{
    struct aggregate *agg = run->agg;
    run->columns = calloc((size_t)agg->states_len + 1, sizeof *run->columns);
    run->key_columns = calloc((size_t)agg->keys_len + 1, sizeof *run->key_columns);
    run->known = calloc((size_t)agg->states_len + 1, sizeof *run->known);
    run->groups = malloc(SCAN_SLICE_ROWS * sizeof *run->groups);
    run->codes = malloc(SCAN_SLICE_ROWS * sizeof *run->codes);
    if (!run->columns || !run->key_columns || !run->known || !run->groups || !run->codes)
        return error_no_memory(err);
    if (!agg->keys_len && filter_is_empty(filter) && !run->scan.context.parts) {
        run->scan.segment_known = agg_segment_known;
        run->scan.segment_known_context = run;
    }
    for (uint32_t i = 0; i < agg->states_len; i++)
        agg->states[i].seen_dictionary = NULL;
    TRY(agg_computed_init(run, err));
    return find_columns(run, err);
}

void exec_stats_add(struct exec_stats *to, const struct exec_stats *from)
{
    to->segments += from->segments;
    to->segments_pruned += from->segments_pruned;
    to->segments_by_index += from->segments_by_index;
    to->segments_scanned += from->segments_scanned;
    to->segments_read += from->segments_read;
    to->rows_scanned += from->rows_scanned;
    to->rows_matched += from->rows_matched;
    to->index_used |= from->index_used;
}

enum status aggregate_add_view(struct aggregate *agg, struct view *view,
                               const struct filter *filter, const struct exec_context *context,
                               struct exec_stats *stats, struct error *err)
{
    struct agg_run run = {.agg = agg};
    if (agg_is_shared(view, context))
        return agg_add_shared(agg, view, filter, context, stats, err);
    TRY(scan_init(&run.scan, view, filter, context, err));
    enum status status = run_init(&run, filter, err);
    if (status == STATUS_OK)
        status = add_slices(&run, err);
    if (stats)
        exec_stats_add(stats, &run.scan.stats);
    for (uint32_t i = 0; i < agg->states_len; i++)
        agg->states[i].seen_dictionary = NULL;
    agg_computed_release(&run);
    scan_release(&run.scan);
    free(run.columns);
    free(run.key_columns);
    free(run.known);
    free(run.groups);
    free(run.codes);
    free(run.map);
    return status;
}
