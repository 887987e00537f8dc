/* agg_add.c: a view goes into the states. Per slice: number the rows' groups, then let each
 * aggregation take its column. Dictionary codes replace values where they suffice: for the group of
 * one key, for counting non-null values, and keyless for min, max and distinct counts. Segments
 * whose bounds answer everything are not opened. */
#include <stdlib.h>

#include "query/exec/agg_int.h"

/* The work on one view. */
struct run {
    struct aggregate *agg;
    struct scan scan;
    int32_t *columns;     /* schema field of each state, -1: none */
    int32_t *key_columns; /* of each key */
    bool *known;          /* states that have the open segment already, from its bounds */
    uint32_t *groups;     /* of each selected row; SCAN_SLICE_ROWS */
    uint32_t *codes;
    /* Groups of all combinations of the keys' present dictionary entries (null is one more entry of
     * each); UINT32_MAX: not asked yet. */
    const struct column *dictionaries[AGGREGATE_KEYS_MAX];
    uint32_t *map;
    uint32_t map_cap;
    uint64_t map_serial; /* row group that the map is about */
};

enum { MAP_MAX = 1 << 20 };

static enum status wants_numbers(const struct agg_state *state, enum type type, struct error *err)
{
    struct str name = state->spec.column;
    error_set(err, STATUS_INVALID_ARGUMENT,
              "column '%.*s' is %s; sum, avg, stddev and percentile want numbers",
              name.len < 100 ? (int)name.len : 100, name.data, type_name(type));
    error_at_field(err, name.data, (uint32_t)name.len, NULL, 0);
    return STATUS_INVALID_ARGUMENT;
}

static enum status find_columns(struct run *run, struct error *err)
{
    struct aggregate *agg = run->agg;
    const struct schema *schema = run->scan.view->schema;
    for (uint32_t i = 0; i < agg->states_len; i++) {
        struct agg_state *state = &agg->states[i];
        run->columns[i] = state->spec.column.data ? schema_find(schema, state->spec.column) : -1;
        if (run->columns[i] < 0)
            continue;
        enum type type = schema->fields[run->columns[i]].type;
        bool arithmetic = state->spec.kind == AGG_SUM || state->spec.kind == AGG_AVG ||
                          state->spec.kind == AGG_STDDEV || state->spec.kind == AGG_PERCENTILE;
        if (arithmetic && type != TYPE_INT64 && type != TYPE_DOUBLE)
            return wants_numbers(state, type, err);
        state->reals |= type == TYPE_DOUBLE;
    }
    for (uint32_t k = 0; k < agg->keys_len; k++) {
        run->key_columns[k] = schema_find(schema, agg->keys[k]);
        if (run->key_columns[k] < 0)
            continue;
        enum type type = schema->fields[run->key_columns[k]].type;
        agg->key_ints[k] |= type == TYPE_INT64;
        agg->key_reals[k] |= type == TYPE_DOUBLE;
    }
    return STATUS_OK;
}

/* --- groups --- */

static enum status put_group(struct aggregate *agg, uint32_t *ret, struct error *err)
{
    bool fresh;
    TRY(buf_check(&agg->scratch, "a group key", err));
    TRY(key_table_put(&agg->groups, buf_str(&agg->scratch), ret, &fresh, err));
    return fresh ? agg_grow(agg, err) : STATUS_OK;
}

static enum status group_of_entries(struct run *run, uint32_t cell, uint32_t *ret,
                                    struct error *err)
{
    struct aggregate *agg = run->agg;
    buf_clear(&agg->scratch);
    for (uint32_t k = 0; k < agg->keys_len; k++) {
        const struct column *dictionary = run->dictionaries[k];
        uint32_t entry = cell % (dictionary->rows + 1);
        cell /= dictionary->rows + 1;
        key_encode(&agg->scratch, entry < dictionary->rows ? dictionary : NULL, entry);
    }
    return put_group(agg, ret, err);
}

/* A key's dictionary serves when it makes the same keys as the column's values: numbers of either
 * type do, a date and its midnight do not. */
static bool makes_keys(const struct column *dictionary, enum type type)
{
    return dictionary->type == type || (dictionary->type == TYPE_INT64 && type == TYPE_DOUBLE);
}

/* Finds the dictionaries of all keys and makes the map fit. *ret false: codes will not do. */
static enum status prepare_map(struct run *run, bool *ret, struct error *err)
{
    uint64_t cells = 1;
    bool same = run->map != NULL;
    *ret = false;
    for (uint32_t k = 0; k < run->agg->keys_len; k++) {
        const struct column *dictionary = NULL;
        if (run->key_columns[k] < 0 || !run->scan.segment || run->scan.by_rows)
            return STATUS_OK;
        uint32_t field = (uint32_t)run->key_columns[k];
        TRY(scan_dictionary(&run->scan, field, &dictionary, err));
        if (!dictionary || !makes_keys(dictionary, run->scan.view->schema->fields[field].type))
            return STATUS_OK;
        cells *= (uint64_t)dictionary->rows + 1;
        if (cells > MAP_MAX)
            return STATUS_OK;
        same &= run->dictionaries[k] == dictionary;
        run->dictionaries[k] = dictionary;
    }
    *ret = true;
    if (same && run->map_serial == run->scan.group_serial)
        return STATUS_OK;
    run->map_serial = run->scan.group_serial;
    if (cells > run->map_cap) {
        free(run->map);
        run->map_cap = 0;
        run->map = malloc(cells * sizeof *run->map);
        if (!run->map)
            return error_no_memory(err);
        run->map_cap = (uint32_t)cells;
    }
    memset(run->map, 0xFF, cells * sizeof *run->map);
    return STATUS_OK;
}

/* Cells of the map for the selected rows, into run->groups. */
static enum status number_cells(struct run *run, struct error *err)
{
    uint32_t stride = 1;
    for (uint32_t k = 0; k < run->agg->keys_len; k++) {
        const struct column *dictionary;
        TRY(scan_codes(&run->scan, (uint32_t)run->key_columns[k], &dictionary, run->codes, err));
        uint32_t n = dictionary->rows;
        for (uint32_t i = 0; i < run->scan.selected; i++) {
            uint32_t entry = run->codes[i] < n ? run->codes[i] : n;
            run->groups[i] = (k ? run->groups[i] : 0) + entry * stride;
        }
        stride *= n + 1;
    }
    return STATUS_OK;
}

static enum status group_codes(struct run *run, struct error *err)
{
    TRY(number_cells(run, err));
    for (uint32_t i = 0; i < run->scan.selected; i++) {
        uint32_t cell = run->groups[i];
        uint32_t group = run->map[cell];
        if (group == UINT32_MAX) {
            TRY(group_of_entries(run, cell, &group, err));
            run->map[cell] = group;
        }
        run->groups[i] = group;
    }
    return STATUS_OK;
}

static enum status group_values(struct run *run, struct error *err)
{
    struct aggregate *agg = run->agg;
    const struct column *columns[AGGREGATE_KEYS_MAX];
    for (uint32_t k = 0; k < agg->keys_len; k++) {
        columns[k] = NULL;
        if (run->key_columns[k] >= 0)
            TRY(scan_dense(&run->scan, (uint32_t)run->key_columns[k], &columns[k], err));
    }
    struct key_batch *batch = agg_batch(agg);
    if (!batch)
        return error_no_memory(err);
    for (uint32_t i = 0; i < run->scan.selected; i++) {
        for (uint32_t k = 0; k < agg->keys_len; k++)
            key_encode(&batch->keys, columns[k], i);
        key_batch_end(batch);
    }
    TRY(key_table_put_batch(&agg->groups, batch, err));
    memcpy(run->groups, batch->numbers, batch->len * sizeof *run->groups);
    return agg_grow(agg, err);
}

static enum status number_groups(struct run *run, struct error *err)
{
    bool codes;
    TRY(prepare_map(run, &codes, err));
    return codes ? group_codes(run, err) : group_values(run, err);
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
static enum status update_codes(struct run *run, struct agg_state *state,
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

static bool codes_suffice(const struct run *run, const struct agg_state *state)
{
    if (state->spec.kind == AGG_COUNT)
        return true;
    return !run->agg->keys_len && (state->spec.kind == AGG_COUNT_DISTINCT ||
                                   state->spec.kind == AGG_MIN || state->spec.kind == AGG_MAX);
}

static enum status update_state(struct run *run, uint32_t index, const uint32_t *groups,
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
    if (codes_suffice(run, state)) {
        TRY(scan_codes(&run->scan, field, &column, run->codes, err));
        if (column && state->spec.kind == AGG_COUNT) {
            count_codes(state, run->codes, groups, run->scan.selected);
            return STATUS_OK;
        }
        if (column && column->type == run->scan.view->schema->fields[field].type)
            return update_codes(run, state, column, err);
    }
    TRY(scan_dense(&run->scan, field, &column, err));
    return column ? agg_update(run->agg, state, column, groups, err) : STATUS_OK;
}

static enum status add_slices(struct run *run, struct error *err)
{
    for (;;) {
        bool more;
        TRY(scan_next(&run->scan, &more, err));
        if (!more)
            return STATUS_OK;
        const uint32_t *groups = NULL;
        if (run->agg->keys_len) {
            TRY(number_groups(run, err));
            groups = run->groups;
        }
        for (uint32_t i = 0; i < run->agg->states_len; i++)
            if (!run->scan.segment || !run->known[i])
                TRY(update_state(run, i, groups, err));
    }
}

/* --- metadata --- */

struct known {
    bool sure;
    uint64_t nulls;
    struct value min, max;
};

static void widen(struct value *value, enum type type)
{
    if (value->type == TYPE_INT64 && type == TYPE_DOUBLE)
        value->real = (double)value->int64;
    else if (value->type == TYPE_DATE && type == TYPE_TIMESTAMP)
        value->int64 *= 86400 * (int64_t)1000000;
    value->type = type;
}

static struct known column_known(const struct run *run, uint32_t index, struct segment *segment,
                                 uint64_t rows)
{
    struct known known = {0};
    enum aggregate_kind kind = run->agg->states[index].spec.kind;
    if (kind != AGG_COUNT && kind != AGG_MIN && kind != AGG_MAX)
        return known;
    int32_t column = run->columns[index];
    known.sure = true;
    if (!run->agg->states[index].spec.column.data)
        return known;
    if (column < 0) {
        known.nulls = rows;
        return known;
    }
    const struct field *field = &run->scan.view->schema->fields[column];
    if (segment_column(segment, field->id) < 0 && run->scan.view->schema->traits[column].initial)
        return (struct known){.sure = false}; /* rows of before the column was added */
    known.sure = segment_bounds(segment, field->id, &known.min, &known.max, &known.nulls);
    if (known.sure && known.nulls < rows) {
        known.sure = !known.min.is_null && !known.max.is_null &&
                     (kind == AGG_COUNT || field->type != TYPE_JSON);
        widen(&known.min, field->type);
        widen(&known.max, field->type);
    }
    return known;
}

static enum status take_known(struct run *run, uint32_t index, struct segment *segment,
                              uint64_t rows, uint64_t deleted, struct error *err)
{
    struct agg_state *state = &run->agg->states[index];
    struct known known = column_known(run, index, segment, rows);
    const struct value *value = state->spec.kind == AGG_MIN ? &known.min : &known.max;
    if (state->spec.kind != AGG_COUNT && known.nulls < rows)
        TRY(agg_offer(run->agg, state, 0, value, err));
    state->counts[0] += rows - deleted - known.nulls;
    return STATUS_OK;
}

/* Aggregations that a segment's bounds answer take it from there; known when these are all. */
static enum status segment_known(void *context, struct segment *segment, bool *ret_known,
                                 struct error *err)
{
    struct run *run = context;
    uint64_t deleted = deletion_count(run->scan.deleted);
    uint64_t rows = segment_info(segment).rows;
    *ret_known = true;
    for (uint32_t i = 0; i < run->agg->states_len; i++) {
        bool of_column = run->agg->states[i].spec.column.data != NULL;
        run->known[i] = column_known(run, i, segment, rows).sure &&
                        !(deleted && of_column); /* bounds cover deleted rows */
        if (run->known[i])
            TRY(take_known(run, i, segment, rows, deleted, err));
        *ret_known &= run->known[i];
    }
    return STATUS_OK;
}

/* --- */

static enum status run_init(struct run *run, const struct filter *filter, struct error *err)
{
    struct aggregate *agg = run->agg;
    run->columns = calloc((size_t)agg->states_len + 1, sizeof *run->columns);
    run->key_columns = calloc((size_t)agg->keys_len + 1, sizeof *run->key_columns);
    run->known = calloc((size_t)agg->states_len + 1, sizeof *run->known);
    run->groups = malloc(SCAN_SLICE_ROWS * sizeof *run->groups);
    run->codes = malloc(SCAN_SLICE_ROWS * sizeof *run->codes);
    if (!run->columns || !run->key_columns || !run->known || !run->groups || !run->codes)
        return error_no_memory(err);
    if (!agg->keys_len && filter_is_empty(filter)) {
        run->scan.segment_known = segment_known;
        run->scan.segment_known_context = run;
    }
    for (uint32_t i = 0; i < agg->states_len; i++)
        agg->states[i].seen_dictionary = NULL;
    return find_columns(run, err);
}

static void add_stats(struct exec_stats *to, const struct exec_stats *from)
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
    struct run run = {.agg = agg};
    TRY(scan_init(&run.scan, view, filter, context, err));
    enum status status = run_init(&run, filter, err);
    if (status == STATUS_OK)
        status = add_slices(&run, err);
    if (stats)
        add_stats(stats, &run.scan.stats);
    for (uint32_t i = 0; i < agg->states_len; i++)
        agg->states[i].seen_dictionary = NULL;
    scan_release(&run.scan);
    free(run.columns);
    free(run.key_columns);
    free(run.known);
    free(run.groups);
    free(run.codes);
    free(run.map);
    return status;
}
