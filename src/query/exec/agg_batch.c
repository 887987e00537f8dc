/* agg_batch.c: states become rows: one a group in no order, a column a key and one an aggregation,
 * in the types that the caller wants. */
#include <math.h>

#include "query/exec/agg_int.h"

enum { WHOLE_TEXT_MAX = 48 };

/* Decimal text of 128 bits. */
static size_t whole_text(__int128 value, char out[WHOLE_TEXT_MAX])
{
    char digits[WHOLE_TEXT_MAX];
    size_t n = 0, at = 0;
    unsigned __int128 rest = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    do {
        digits[n++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest);
    if (value < 0)
        out[at++] = '-';
    while (n)
        out[at++] = digits[--n];
    return at;
}

/* A sum of integers: exact, as text in a JSON column. */
static enum status append_whole(struct column *to, __int128 value)
{
    char text[WHOLE_TEXT_MAX];
    if (to->type == TYPE_INT64)
        return column_append_int64(to, (int64_t)value);
    return column_append_bytes(to, str_make(text, whole_text(value, text)));
}

static double sum_of(const struct agg_state *state, uint32_t group)
{
    return state->sums[group] + (state->lost[group] + (double)state->ints[group]);
}

static enum status append_real(struct column *to, double value)
{
    return isfinite(value) ? column_append_double(to, value) : column_append_null(to);
}

static enum status append_state(struct column *to, const struct agg_state *state, uint32_t group)
{
    uint64_t n = state->counts[group];
    switch (state->spec.kind) {
    case AGG_COUNT:
    case AGG_COUNT_DISTINCT:
        return column_append_int64(to, (int64_t)n);
    case AGG_SUM:
        if (n == 0)
            return column_append_null(to);
        return state->reals ? append_real(to, sum_of(state, group))
                            : append_whole(to, state->ints[group]);
    case AGG_AVG:
        return n ? append_real(to, sum_of(state, group) / (double)n) : column_append_null(to);
    case AGG_STDDEV:
        if (n < 2)
            return column_append_null(to);
        return append_real(to, sqrt(fmax(state->m2s[group], 0) / (double)(n - 1)));
    case AGG_MIN:
    case AGG_MAX:
        return n ? column_append_value(to, &state->bests[group].value) : column_append_null(to);
    case AGG_PERCENTILE:
        break;
    }
    return STATUS_INVALID_ARGUMENT;
}

/* The key table makes no difference between 1 and 1.0. */
static enum status append_key(struct column *to, struct value value)
{
    if (value.is_null)
        return column_append_null(to);
    if (to->type == TYPE_DOUBLE && value.type == TYPE_INT64) {
        value.real = (double)value.int64;
        value.type = TYPE_DOUBLE;
    }
    return column_append_value(to, &value);
}

static enum status fill(const struct aggregate *agg, struct batch *batch)
{
    uint32_t groups = agg_groups(agg);
    for (uint32_t i = 0; i < groups; i++) {
        struct str key = agg->keys_len ? key_table_key(&agg->groups, i) : STR_NONE;
        for (uint32_t k = 0; k < agg->keys_len; k++)
            TRY(append_key(&batch->columns[k].column, key_decode(&key)));
        for (uint32_t s = 0; s < agg->states_len; s++)
            TRY(append_state(&batch->columns[agg->keys_len + s].column, &agg->states[s], i));
    }
    return batch_set_rows(batch, groups);
}

static enum status add_columns(const struct aggregate *agg, const enum type *types,
                               struct batch *batch)
{
    uint32_t index;
    for (uint32_t k = 0; k < agg->keys_len; k++)
        TRY(batch_add_column(batch, agg->keys[k], types[k], &index));
    for (uint32_t s = 0; s < agg->states_len; s++)
        TRY(batch_add_column(batch, agg->states[s].spec.alias, types[agg->keys_len + s], &index));
    return STATUS_OK;
}

enum status aggregate_batch(const struct aggregate *agg, const enum type *types,
                            struct batch **ret_batch, struct error *err)
{
    struct batch *batch = batch_new();
    enum status status = batch ? add_columns(agg, types, batch) : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = fill(agg, batch);
    if (status != STATUS_OK) {
        batch_unref(batch);
        return error_set(err, status, "the groups do not fit into one answer");
    }
    *ret_batch = batch;
    return STATUS_OK;
}

static size_t table_memory(const struct key_table *table)
{
    return table->bytes_cap + (size_t)table->cap * 3 * sizeof(uint64_t);
}

static size_t state_width(enum aggregate_kind kind)
{
    switch (kind) {
    case AGG_SUM:
    case AGG_AVG:
        return sizeof(uint64_t) + sizeof(__int128) + 2 * sizeof(double);
    case AGG_MIN:
    case AGG_MAX:
        return sizeof(uint64_t) + sizeof(struct best) + 32;
    case AGG_STDDEV:
        return sizeof(uint64_t) + 2 * sizeof(double);
    default:
        return sizeof(uint64_t);
    }
}

size_t aggregate_memory(const struct aggregate *agg)
{
    size_t bytes = sizeof *agg + agg->arena.total + table_memory(&agg->groups);
    for (uint32_t i = 0; i < agg->states_len; i++) {
        const struct agg_state *state = &agg->states[i];
        bytes += sizeof *state + agg->groups_cap * state_width(state->spec.kind) +
                 state->values_cap * (sizeof *state->values + sizeof *state->value_groups) +
                 state->seen_cap + table_memory(&state->distinct);
    }
    return bytes;
}
