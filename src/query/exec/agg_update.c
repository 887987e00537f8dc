/* agg_update.c: a dense column goes into a state.
 *
 * Keyless updates are loops that the compiler turns into vectors: null slots hold zero, so sums
 * need no test. Integer sums add the halves of 64-bit numbers apart (a slice has at most 2^13 rows,
 * so neither overflows) and are joined in 128 bits. */
#include <math.h>
#include <stdlib.h>

#include "query/exec/agg_int.h"

void agg_add_real(struct agg_state *state, uint32_t group, double value)
{
    double sum = state->sums[group];
    double total = sum + value;
    if (fabs(sum) >= fabs(value))
        state->lost[group] += (sum - total) + value;
    else
        state->lost[group] += (value - total) + sum;
    state->sums[group] = total;
}

void agg_add_moments(struct agg_state *state, uint32_t group, uint64_t n, double mean, double m2)
{
    if (n == 0)
        return;
    double a = (double)state->counts[group];
    double b = (double)n;
    double delta = mean - state->means[group];
    state->means[group] += delta * b / (a + b);
    state->m2s[group] += m2 + delta * delta * a * b / (a + b);
    state->counts[group] += n;
}

static __int128 sum_ints(const int64_t *v, uint32_t n)
{
    uint64_t low = 0;
    int64_t high = 0;
    for (uint32_t i = 0; i < n; i++) {
        low += (uint32_t)v[i];
        high += v[i] >> 32;
    }
    return (__int128)high * ((__int128)1 << 32) + low;
}

static double sum_reals(const double *v, uint32_t n)
{
    double part[4] = {0, 0, 0, 0};
    uint32_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++)
            part[k] += v[i + (uint32_t)k];
    for (; i < n; i++)
        part[0] += v[i];
    return (part[0] + part[1]) + (part[2] + part[3]);
}

static void update_sum(struct agg_state *state, const struct column *column, const uint32_t *groups)
{
    bool reals = column->type == TYPE_DOUBLE;
    uint32_t n = column->rows;
    if (!groups) {
        state->counts[0] += n - column->nulls;
        if (reals)
            agg_add_real(state, 0, sum_reals(column->values, n));
        else
            state->ints[0] += sum_ints(column->values, n);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t group = groups[i];
        state->counts[group] += !column_is_null(column, i);
        if (reals)
            agg_add_real(state, group, column_double(column, i));
        else
            state->ints[group] += column_int64(column, i);
    }
}

static double number_at(const struct column *column, uint32_t row)
{
    return column->type == TYPE_DOUBLE ? column_double(column, row)
                                       : (double)column_int64(column, row);
}

/* Keyless: mean first, then squares, then joined. */
static void update_stddev(struct agg_state *state, const struct column *column,
                          const uint32_t *groups)
{
    if (groups) {
        for (uint32_t i = 0; i < column->rows; i++)
            if (!column_is_null(column, i))
                agg_add_moments(state, groups[i], 1, number_at(column, i), 0);
        return;
    }
    uint32_t n = column->rows - column->nulls;
    double sum = 0, m2 = 0;
    for (uint32_t i = 0; i < column->rows; i++)
        sum += number_at(column, i); /* null slots hold zero */
    double mean = sum / (n ? n : 1);
    for (uint32_t i = 0; i < column->rows; i++) {
        double d = number_at(column, i) - mean;
        m2 += column_is_null(column, i) ? 0 : d * d;
    }
    agg_add_moments(state, 0, n, mean, m2);
}

static enum status keep_bytes(struct aggregate *agg, struct best *best, struct str bytes,
                              struct error *err)
{
    if (bytes.len > best->room_len || !best->room) {
        size_t room = bytes.len < 16 ? 32 : bytes.len * 2;
        best->room = arena_alloc(&agg->arena, room);
        if (!best->room)
            return error_no_memory(err);
        best->room_len = (uint32_t)room;
    }
    if (bytes.len)
        memcpy(best->room, bytes.data, bytes.len);
    best->value.bytes = str_make(best->room, bytes.len);
    return STATUS_OK;
}

static bool is_number(enum type type)
{
    return type == TYPE_INT64 || type == TYPE_DOUBLE;
}

static enum status types_differ(const struct agg_state *state, enum type a, enum type b,
                                struct error *err)
{
    struct str name = state->spec.column;
    error_set(err, STATUS_INVALID_ARGUMENT,
              "min and max of '%.*s' cannot compare %s with %s of another source",
              name.len < 100 ? (int)name.len : 100, name.data, type_name(a), type_name(b));
    error_at_field(err, name.data, (uint32_t)name.len, NULL, 0);
    return STATUS_INVALID_ARGUMENT;
}

/* counts[group] stays the caller's business, but is 0 exactly while there is no best value. */
enum status agg_offer(struct aggregate *agg, struct agg_state *state, uint32_t group,
                      const struct value *value, struct error *err)
{
    struct best *best = &state->bests[group];
    if (state->counts[group]) {
        enum type type = best->value.type;
        if (type != value->type && !(is_number(type) && is_number(value->type)))
            return types_differ(state, type, value->type, err);
        int order = value_compare(value, &best->value);
        if (state->spec.kind == AGG_MIN ? order >= 0 : order <= 0)
            return STATUS_OK;
    }
    best->value = *value;
    if (value->type == TYPE_DOUBLE)
        best->value.real += 0.0; /* -0.0 and 0.0 are equal: the answer must not depend on order */
    return type_is_bytes(value->type) ? keep_bytes(agg, best, value->bytes, err) : STATUS_OK;
}

static enum status update_best(struct aggregate *agg, struct agg_state *state,
                               const struct column *column, const uint32_t *groups,
                               struct error *err)
{
    for (uint32_t i = 0; i < column->rows; i++) {
        if (column_is_null(column, i))
            continue;
        uint32_t group = groups ? groups[i] : 0;
        struct value value = value_of_column(column, i);
        TRY(agg_offer(agg, state, group, &value, err));
        state->counts[group]++;
    }
    return STATUS_OK;
}

/* Keyless, over INT64 and TIMESTAMP or DOUBLE without nulls: one candidate a slice. */
#define EXTREME(type, member)                                                                      \
    do {                                                                                           \
        const type *v = column->values;                                                            \
        type low = v[0], high = v[0];                                                              \
        for (uint32_t i = 1; i < column->rows; i++) {                                              \
            low = v[i] < low ? v[i] : low;                                                         \
            high = v[i] > high ? v[i] : high;                                                      \
        }                                                                                          \
        value.member = state->spec.kind == AGG_MIN ? low : high;                                   \
    } while (0)

static enum status update_extreme(struct aggregate *agg, struct agg_state *state,
                                  const struct column *column, struct error *err)
{
    struct value value = {.type = column->type};
    if (column->rows == 0)
        return STATUS_OK;
    if (column->type == TYPE_DOUBLE)
        EXTREME(double, real);
    else
        EXTREME(int64_t, int64);
    TRY(agg_offer(agg, state, 0, &value, err));
    state->counts[0] += column->rows;
    return STATUS_OK;
}

enum status agg_put_distinct(struct aggregate *agg, struct agg_state *state, uint32_t group,
                             const struct column *column, uint32_t row, struct error *err)
{
    uint32_t number;
    bool fresh;
    buf_clear(&agg->scratch);
    buf_append(&agg->scratch, &group, sizeof group);
    key_encode(&agg->scratch, column, row);
    TRY(buf_check(&agg->scratch, "a distinct value", err));
    TRY(key_table_put(&state->distinct, buf_str(&agg->scratch), &number, &fresh, err));
    if (!fresh)
        return STATUS_OK;
    state->counts[group]++;
    if (++agg->values_held > AGGREGATE_VALUES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d values would be held",
                         AGGREGATE_VALUES_MAX);
    return STATUS_OK;
}

static enum status update_distinct(struct aggregate *agg, struct agg_state *state,
                                   const struct column *column, const uint32_t *groups,
                                   struct error *err)
{
    struct key_batch *batch = agg_batch(agg);
    if (!batch)
        return error_no_memory(err);
    for (uint32_t i = 0; i < column->rows; i++) {
        uint32_t group = groups ? groups[i] : 0;
        if (column_is_null(column, i))
            continue;
        buf_append(&batch->keys, &group, sizeof group);
        key_encode(&batch->keys, column, i);
        key_batch_end(batch);
    }
    TRY(key_table_put_batch(&state->distinct, batch, err));
    for (uint32_t i = 0; i < batch->len; i++) {
        uint32_t group;
        memcpy(&group, batch->keys.data + (i ? batch->ends[i - 1] : 0), sizeof group);
        state->counts[group] += batch->fresh[i];
        agg->values_held += batch->fresh[i];
    }
    if (agg->values_held > AGGREGATE_VALUES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d values would be held",
                         AGGREGATE_VALUES_MAX);
    return STATUS_OK;
}

enum status agg_put_percentile(struct aggregate *agg, struct agg_state *state, uint32_t group,
                               double value, struct error *err)
{
    if (++agg->values_held > AGGREGATE_VALUES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d values would be held",
                         AGGREGATE_VALUES_MAX);
    if (state->values_len == state->values_cap) {
        uint32_t cap = state->values_cap ? state->values_cap * 2 : 1024;
        double *values = realloc(state->values, cap * sizeof *values);
        if (!values)
            return error_no_memory(err);
        state->values = values;
        uint32_t *groups = realloc(state->value_groups, cap * sizeof *groups);
        if (!groups)
            return error_no_memory(err);
        state->value_groups = groups;
        state->values_cap = cap;
    }
    state->value_groups[state->values_len] = group;
    state->values[state->values_len++] = value + 0.0; /* no -0.0 */
    state->counts[group]++;
    return STATUS_OK;
}

static enum status update_percentile(struct aggregate *agg, struct agg_state *state,
                                     const struct column *column, const uint32_t *groups,
                                     struct error *err)
{
    for (uint32_t i = 0; i < column->rows; i++)
        if (!column_is_null(column, i))
            TRY(agg_put_percentile(agg, state, groups ? groups[i] : 0, number_at(column, i), err));
    return STATUS_OK;
}

static void update_count(struct agg_state *state, const struct column *column,
                         const uint32_t *groups)
{
    if (!groups) {
        state->counts[0] += column->rows - column->nulls;
        return;
    }
    for (uint32_t i = 0; i < column->rows; i++)
        state->counts[groups[i]] += !column_is_null(column, i);
}

enum status agg_update(struct aggregate *agg, struct agg_state *state, const struct column *column,
                       const uint32_t *groups, struct error *err)
{
    bool wide =
        column->type == TYPE_INT64 || column->type == TYPE_TIMESTAMP || column->type == TYPE_DOUBLE;
    switch (state->spec.kind) {
    case AGG_COUNT:
        update_count(state, column, groups);
        return STATUS_OK;
    case AGG_SUM:
    case AGG_AVG:
        update_sum(state, column, groups);
        return STATUS_OK;
    case AGG_STDDEV:
        update_stddev(state, column, groups);
        return STATUS_OK;
    case AGG_MIN:
    case AGG_MAX:
        if (!groups && wide && !column->nulls)
            return update_extreme(agg, state, column, err);
        return update_best(agg, state, column, groups, err);
    case AGG_COUNT_DISTINCT:
        return update_distinct(agg, state, column, groups, err);
    default:
        return update_percentile(agg, state, column, groups, err);
    }
}
