/* agg_known.c: counts, least and greatest values that a segment's bounds know. */
#include "query/exec/agg_run_int.h"

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

static struct known column_known(const struct agg_run *run, uint32_t index, struct segment *segment,
                                 uint64_t rows)
{
    struct known known = {0};
    enum aggregate_kind kind = run->agg->states[index].spec.kind;
    if (kind != AGG_COUNT && kind != AGG_MIN && kind != AGG_MAX)
        return known;
    int32_t column = run->columns[index];
    if (agg_is_computed(run, column))
        return known;
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

static enum status take_known(struct agg_run *run, uint32_t index, struct segment *segment,
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

enum status agg_segment_known(void *context, struct segment *segment, bool *ret_known,
                              struct error *err)
{
    struct agg_run *run = context;
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
