/* agg_write.c: states become JSON. Percentiles: the values of each group are brought together by a
 * counting sort, then the two neighbours of the wanted rank are selected (Hoare's find with random
 * pivots: expected linear). */
#include <math.h>
#include <stdlib.h>

#include "query/exec/agg_int.h"

/* Values of a percentile state, group after group. */
struct sorted {
    uint64_t *starts; /* groups + 1 */
    double *values;
};

static enum status gather_groups(const struct agg_state *state, uint32_t groups, struct sorted *ret,
                                 struct error *err)
{
    ret->starts = calloc((size_t)groups + 2, sizeof *ret->starts);
    ret->values = malloc(((size_t)state->values_len + 1) * sizeof *ret->values);
    if (!ret->starts || !ret->values)
        return error_no_memory(err);
    for (uint32_t i = 0; i < state->values_len; i++)
        ret->starts[state->value_groups[i] + 2]++;
    for (uint32_t g = 2; g <= groups; g++)
        ret->starts[g] += ret->starts[g - 1];
    for (uint32_t i = 0; i < state->values_len; i++)
        ret->values[ret->starts[state->value_groups[i] + 1]++] = state->values[i];
    return STATUS_OK;
}

static void swap(double *a, double *b)
{
    double t = *a;
    *a = *b;
    *b = t;
}

/* Afterwards v[rank] is what a sort would put there and nothing behind it is smaller. */
static void select_rank(double *v, uint64_t n, uint64_t rank)
{
    uint64_t lo = 0, hi = n, random = 0x9E3779B97F4A7C15u ^ n;
    while (hi - lo > 1) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        double pivot = v[lo + random % (hi - lo)];
        uint64_t less = lo, at = lo, more = hi;
        while (at < more) {
            if (v[at] < pivot)
                swap(&v[at++], &v[less++]);
            else if (v[at] > pivot)
                swap(&v[at], &v[--more]);
            else
                at++;
        }
        if (rank < less)
            hi = less;
        else if (rank >= more)
            lo = more;
        else
            return;
    }
}

static double percentile_of(double *v, uint64_t n, double fraction)
{
    double position = fraction * (double)(n - 1);
    uint64_t rank = (uint64_t)position;
    double rest = position - (double)rank;
    if (rank >= n)
        rank = n - 1;
    select_rank(v, n, rank);
    double low = v[rank];
    if (rest == 0 || rank + 1 == n)
        return low;
    double next = v[rank + 1];
    for (uint64_t i = rank + 2; i < n; i++)
        next = v[i] < next ? v[i] : next;
    return low + (next - low) * rest;
}

static void write_sum(struct json_writer *w, const struct agg_state *state, uint32_t group)
{
    __int128 whole = state->ints[group];
    if (state->reals)
        json_double(w, state->sums[group] + (state->lost[group] + (double)whole));
    else if (whole >= INT64_MIN && whole <= INT64_MAX)
        json_int(w, (int64_t)whole);
    else
        json_double(w, (double)whole);
}

static void write_state(struct json_writer *w, const struct agg_state *state, uint32_t group,
                        const struct sorted *sorted)
{
    uint64_t n = state->counts[group];
    enum aggregate_kind kind = state->spec.kind;
    json_key(w, state->spec.alias);
    if (kind == AGG_COUNT || kind == AGG_COUNT_DISTINCT) {
        json_uint(w, n);
    } else if (n == 0 || (kind == AGG_STDDEV && n < 2)) {
        json_null(w);
    } else if (kind == AGG_SUM) {
        write_sum(w, state, group);
    } else if (kind == AGG_AVG) {
        double sum = state->sums[group] + (state->lost[group] + (double)state->ints[group]);
        json_double(w, sum / (double)n);
    } else if (kind == AGG_STDDEV) {
        json_double(w, sqrt(fmax(state->m2s[group], 0) / (double)(n - 1)));
    } else if (kind == AGG_PERCENTILE) {
        uint64_t start = sorted->starts[group];
        json_double(w, percentile_of(sorted->values + start, sorted->starts[group + 1] - start,
                                     state->spec.percentile));
    } else {
        value_write_json(w, &state->bests[group].value);
    }
}

static void free_sorted(struct sorted *sorted, uint32_t n)
{
    for (uint32_t i = 0; sorted && i < n; i++) {
        free(sorted[i].starts);
        free(sorted[i].values);
    }
    free(sorted);
}

static enum status sort_values(const struct aggregate *agg, struct sorted **ret, struct error *err)
{
    struct sorted *sorted = calloc((size_t)agg->states_len + 1, sizeof *sorted);
    if (!sorted)
        return error_no_memory(err);
    for (uint32_t i = 0; i < agg->states_len; i++) {
        if (agg->states[i].spec.kind != AGG_PERCENTILE)
            continue;
        enum status status = gather_groups(&agg->states[i], agg_groups(agg), &sorted[i], err);
        if (status != STATUS_OK) {
            free_sorted(sorted, agg->states_len);
            return status;
        }
    }
    *ret = sorted;
    return STATUS_OK;
}

enum status aggregate_write_members(const struct aggregate *agg, struct json_writer *w,
                                    struct error *err)
{
    struct sorted *sorted = NULL;
    if (agg->keys_len)
        return error_set(err, STATUS_INTERNAL, "an aggregation with keys has no single group");
    TRY(sort_values(agg, &sorted, err));
    for (uint32_t i = 0; i < agg->states_len; i++)
        write_state(w, &agg->states[i], 0, &sorted[i]);
    free_sorted(sorted, agg->states_len);
    return STATUS_OK;
}

/* A group and the start of its key in a form whose order is that of the keys, as far as it goes. */
struct place {
    uint64_t prefix;
    uint32_t group;
};

static uint64_t ordered_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static uint64_t prefix_of(struct str key)
{
    uint64_t prefix = 0;
    struct value value = key_decode(&key);
    if (value.is_null)
        return 0;
    if (value.type == TYPE_DOUBLE)
        prefix = ordered_bits(value.real);
    else if (value.type == TYPE_INT64)
        prefix = ordered_bits((double)value.int64);
    else if (value.type == TYPE_BOOL)
        prefix = value.boolean;
    else if (type_is_bytes(value.type))
        for (size_t i = 0; i < 8; i++)
            prefix = prefix << 8 | (i < value.bytes.len ? (uint8_t)value.bytes.data[i] : 0u);
    else
        prefix = (uint64_t)value.int64 ^ (uint64_t)1 << 63;
    return (uint64_t)key_rank(&value) << 61 | prefix >> 3;
}

static int compare_places(const void *a, const void *b, void *context)
{
    const struct aggregate *agg = context;
    const struct place *x = a;
    const struct place *y = b;
    if (x->prefix != y->prefix)
        return x->prefix < y->prefix ? -1 : 1;
    return key_compare(key_table_key(&agg->groups, x->group), key_table_key(&agg->groups, y->group),
                       agg->keys_len);
}

/* A whole number of a column that was only ever DOUBLE is written as a double. */
static void write_keys(struct json_writer *w, const struct aggregate *agg, uint32_t group)
{
    struct str key = key_table_key(&agg->groups, group);
    for (uint32_t k = 0; k < agg->keys_len; k++) {
        struct value value = key_decode(&key);
        json_key(w, agg->keys[k]);
        if (!value.is_null && value.type == TYPE_INT64 && agg->key_reals[k] && !agg->key_ints[k])
            json_double(w, (double)value.int64);
        else
            value_write_json(w, &value);
    }
}

enum status aggregate_write_groups(const struct aggregate *agg, struct json_writer *w,
                                   struct error *err)
{
    uint32_t groups = agg_groups(agg);
    struct sorted *sorted = NULL;
    struct place *order = malloc(((size_t)groups + 1) * sizeof *order);
    if (!order)
        return error_no_memory(err);
    enum status status = sort_values(agg, &sorted, err);
    if (status != STATUS_OK) {
        free(order);
        return status;
    }
    for (uint32_t g = 0; g < groups; g++)
        order[g] = (struct place){agg->keys_len ? prefix_of(key_table_key(&agg->groups, g)) : 0, g};
    if (agg->keys_len)
        qsort_r(order, groups, sizeof *order, compare_places, (void *)(uintptr_t)agg);
    json_begin_array(w);
    for (uint32_t g = 0; g < groups; g++) {
        json_begin_object(w);
        if (agg->keys_len)
            write_keys(w, agg, order[g].group);
        for (uint32_t i = 0; i < agg->states_len; i++)
            write_state(w, &agg->states[i], order[g].group, &sorted[i]);
        json_end_object(w);
    }
    json_end_array(w);
    free(order);
    free_sorted(sorted, agg->states_len);
    return STATUS_OK;
}
