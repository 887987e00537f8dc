/* aggregate.c: making and freeing the states, their growth, and merging. */
#include <stdio.h>
#include <stdlib.h>

#include "query/exec/agg_int.h"

static const struct {
    const char *name;
    enum aggregate_kind kind;
} kinds[] = {
    {"count", AGG_COUNT},   {"sum", AGG_SUM},
    {"avg", AGG_AVG},       {"min", AGG_MIN},
    {"max", AGG_MAX},       {"count_distinct", AGG_COUNT_DISTINCT},
    {"stddev", AGG_STDDEV}, {"percentile", AGG_PERCENTILE},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

bool aggregate_kind_parse(struct str name, enum aggregate_kind *ret)
{
    for (int i = 0; i < KINDS; i++) {
        if (str_is(name, kinds[i].name)) {
            *ret = kinds[i].kind;
            return true;
        }
    }
    return false;
}

static const char *kind_name(enum aggregate_kind kind)
{
    return kinds[kind].name;
}

static struct str default_alias(struct arena *arena, const struct aggregate_spec *spec)
{
    const char *name = kind_name(spec->kind);
    if (!spec->column.data)
        return arena_str(arena, str_of(name));
    size_t len = strlen(name) + 1 + spec->column.len;
    char *text = arena_alloc(arena, len + 1);
    if (!text)
        return STR_NONE;
    snprintf(text, len + 1, "%s_", name);
    memcpy(text + strlen(name) + 1, spec->column.data, spec->column.len);
    return str_make(text, len);
}

static enum status take_spec(struct aggregate *agg, const struct aggregate_spec *spec,
                             struct agg_state *state, struct error *err)
{
    state->spec = *spec;
    if (spec->kind != AGG_COUNT && !spec->column.data)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s wants a column", kind_name(spec->kind));
    if (spec->kind == AGG_PERCENTILE && !(spec->percentile >= 0 && spec->percentile <= 1))
        return error_set(err, STATUS_INVALID_ARGUMENT, "percentile wants a fraction from 0 to 1");
    if (spec->column.data)
        state->spec.column = arena_str(&agg->arena, spec->column);
    state->spec.alias =
        spec->alias.data ? arena_str(&agg->arena, spec->alias) : default_alias(&agg->arena, spec);
    key_table_init(&state->distinct, AGGREGATE_VALUES_MAX);
    if (!state->spec.alias.data || (spec->column.data && !state->spec.column.data))
        return error_no_memory(err);
    return STATUS_OK;
}

static enum status twice(struct str name, struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "two members of the result are named '%.*s'",
              name.len < 100 ? (int)name.len : 100, name.data);
    error_at_field(err, name.data, (uint32_t)name.len, NULL, 0);
    return STATUS_INVALID_ARGUMENT;
}

static enum status check_names(const struct aggregate *agg, struct error *err)
{
    for (uint32_t i = 0; i < agg->keys_len; i++)
        for (uint32_t k = 0; k < i; k++)
            if (str_eq(agg->keys[i], agg->keys[k]))
                return twice(agg->keys[i], err);
    for (uint32_t i = 0; i < agg->states_len; i++) {
        struct str alias = agg->states[i].spec.alias;
        for (uint32_t k = 0; k < i; k++)
            if (str_eq(alias, agg->states[k].spec.alias))
                return twice(alias, err);
        for (uint32_t k = 0; k < agg->keys_len; k++)
            if (str_eq(alias, agg->keys[k]))
                return twice(alias, err);
    }
    return STATUS_OK;
}

static enum status fill_new(struct aggregate *agg, const struct aggregate_spec *specs,
                            uint32_t specs_len, const struct str *keys, uint32_t keys_len,
                            struct error *err)
{
    agg->states = arena_array(&agg->arena, specs_len, sizeof *agg->states);
    agg->keys = arena_array(&agg->arena, keys_len, sizeof *agg->keys);
    agg->key_ints = arena_array(&agg->arena, keys_len, sizeof *agg->key_ints);
    agg->key_reals = arena_array(&agg->arena, keys_len, sizeof *agg->key_reals);
    if (!agg->states || !agg->keys || !agg->key_ints || !agg->key_reals)
        return error_no_memory(err);
    for (uint32_t i = 0; i < keys_len; i++, agg->keys_len++) {
        agg->keys[i] = arena_str(&agg->arena, keys[i]);
        if (!agg->keys[i].data)
            return error_no_memory(err);
    }
    for (uint32_t i = 0; i < specs_len; i++) {
        agg->states_len++;
        TRY(take_spec(agg, &specs[i], &agg->states[i], err));
    }
    TRY(check_names(agg, err));
    return agg_grow(agg, err);
}

enum status aggregate_new(const struct aggregate_spec *specs, uint32_t specs_len,
                          const struct str *keys, uint32_t keys_len, struct aggregate **ret_agg,
                          struct error *err)
{
    if (specs_len > AGGREGATE_SPECS_MAX || keys_len > AGGREGATE_KEYS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "at most %d aggregations and %d grouping columns are allowed",
                         AGGREGATE_SPECS_MAX, AGGREGATE_KEYS_MAX);
    if (specs_len == 0 && keys_len == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "no aggregation is given");
    struct aggregate *agg = calloc(1, sizeof *agg);
    if (!agg)
        return error_no_memory(err);
    arena_init(&agg->arena, 0);
    buf_init(&agg->scratch, (size_t)COLUMN_BYTES_MAX + 4096);
    key_table_init(&agg->groups, AGGREGATE_GROUPS_MAX);
    enum status status = fill_new(agg, specs, specs_len, keys, keys_len, err);
    if (status != STATUS_OK) {
        aggregate_free(agg);
        return status;
    }
    *ret_agg = agg;
    return STATUS_OK;
}

void aggregate_compute(struct aggregate *agg, const struct computed *computed, uint32_t len)
{
    agg->computed = computed;
    agg->computed_len = len;
}

void aggregate_free(struct aggregate *agg)
{
    if (!agg)
        return;
    for (uint32_t i = 0; i < agg->states_len; i++) {
        struct agg_state *state = &agg->states[i];
        free(state->counts);
        free(state->ints);
        free(state->sums);
        free(state->lost);
        free(state->means);
        free(state->m2s);
        free(state->bests);
        free(state->value_groups);
        free(state->values);
        free(state->seen);
        key_table_release(&state->distinct);
    }
    key_table_release(&agg->groups);
    buf_release(&agg->scratch);
    key_batch_free(agg->batch);
    arena_release(&agg->arena);
    free(agg);
}

/* One array from `from` to `to` elements, the new ones zero. */
static bool grow_array(void **array, size_t width, uint32_t from, uint32_t to)
{
    char *grown = realloc(*array, to * width);
    if (!grown)
        return false;
    memset(grown + from * width, 0, (to - from) * width);
    *array = grown;
    return true;
}

#define GROW(array) grow_array((void **)&(array), sizeof *(array), from, to)

static bool grow_state(struct agg_state *state, uint32_t from, uint32_t to)
{
    if (!GROW(state->counts))
        return false;
    switch (state->spec.kind) {
    case AGG_SUM:
    case AGG_AVG:
        return GROW(state->ints) && GROW(state->sums) && GROW(state->lost);
    case AGG_MIN:
    case AGG_MAX:
        return GROW(state->bests);
    case AGG_STDDEV:
        return GROW(state->means) && GROW(state->m2s);
    default:
        return true;
    }
}

enum status agg_grow(struct aggregate *agg, struct error *err)
{
    uint32_t need = agg_groups(agg);
    if (need <= agg->groups_cap)
        return STATUS_OK;
    uint32_t cap = agg->groups_cap ? agg->groups_cap : agg->keys_len ? 64 : 1;
    while (cap < need)
        cap *= 2;
    for (uint32_t i = 0; i < agg->states_len; i++)
        if (!grow_state(&agg->states[i], agg->groups_cap, cap))
            return error_no_memory(err);
    agg->groups_cap = cap;
    return STATUS_OK;
}

struct key_batch *agg_batch(struct aggregate *agg)
{
    if (!agg->batch)
        agg->batch = key_batch_new();
    if (agg->batch)
        key_batch_clear(agg->batch);
    return agg->batch;
}

uint64_t aggregate_groups(const struct aggregate *agg)
{
    return agg_groups(agg);
}

static bool same_shape(const struct aggregate *a, const struct aggregate *b)
{
    if (a->states_len != b->states_len || a->keys_len != b->keys_len)
        return false;
    for (uint32_t i = 0; i < a->states_len; i++)
        if (a->states[i].spec.kind != b->states[i].spec.kind)
            return false;
    return true;
}

static enum status merge_distinct(struct aggregate *into, struct agg_state *state,
                                  const struct agg_state *from, const uint32_t *map,
                                  struct error *err)
{
    for (uint32_t i = 0; i < from->distinct.len; i++) {
        struct str key = key_table_key(&from->distinct, i);
        uint32_t group, number;
        bool fresh;
        memcpy(&group, key.data, sizeof group);
        buf_clear(&into->scratch);
        buf_append_u32(&into->scratch, map[group]);
        buf_append(&into->scratch, key.data + sizeof group, key.len - sizeof group);
        TRY(buf_check(&into->scratch, "a distinct value", err));
        TRY(key_table_put(&state->distinct, buf_str(&into->scratch), &number, &fresh, err));
        state->counts[map[group]] += fresh;
        into->values_held += fresh;
        if (into->values_held > AGGREGATE_VALUES_MAX)
            return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d values would be held",
                             AGGREGATE_VALUES_MAX);
    }
    return STATUS_OK;
}

static enum status merge_group(struct aggregate *into, struct agg_state *state,
                               const struct agg_state *from, uint32_t a, uint32_t b,
                               struct error *err)
{
    switch (state->spec.kind) {
    case AGG_SUM:
    case AGG_AVG:
        if (__builtin_add_overflow(state->ints[a], from->ints[b], &state->ints[a]))
            return error_set(err, STATUS_RESOURCE_LIMIT, "an integer sum exceeds 128 bits");
        agg_add_real(state, a, from->sums[b]);
        agg_add_real(state, a, from->lost[b]);
        break;
    case AGG_MIN:
    case AGG_MAX:
        if (from->counts[b])
            TRY(agg_offer(into, state, a, &from->bests[b].value, err));
        break;
    case AGG_STDDEV:
        agg_add_moments(state, a, from->counts[b], from->means[b], from->m2s[b]);
        return STATUS_OK; /* the count is among the moments */
    default:
        break;
    }
    state->counts[a] += from->counts[b];
    return STATUS_OK;
}

static enum status merge_state(struct aggregate *into, struct agg_state *state,
                               const struct agg_state *from, const uint32_t *map, uint32_t groups,
                               struct error *err)
{
    state->reals |= from->reals;
    if (state->spec.kind == AGG_COUNT_DISTINCT)
        return merge_distinct(into, state, from, map, err);
    if (state->spec.kind == AGG_PERCENTILE) {
        for (uint32_t i = 0; i < from->values_len; i++)
            TRY(agg_put_percentile(into, state, map[from->value_groups[i]], from->values[i], err));
        return STATUS_OK;
    }
    for (uint32_t g = 0; g < groups; g++)
        TRY(merge_group(into, state, from, map[g], g, err));
    return STATUS_OK;
}

enum status aggregate_merge(struct aggregate *into, const struct aggregate *from, struct error *err)
{
    if (!same_shape(into, from))
        return error_set(err, STATUS_INTERNAL, "two different aggregations cannot be merged");
    uint32_t groups = agg_groups(from);
    uint32_t *map = calloc((size_t)groups + 1, sizeof *map);
    if (!map)
        return error_no_memory(err);
    enum status status = STATUS_OK;
    for (uint32_t g = 0; into->keys_len && g < groups && status == STATUS_OK; g++) {
        bool fresh;
        status =
            key_table_put(&into->groups, key_table_key(&from->groups, g), &map[g], &fresh, err);
    }
    for (uint32_t k = 0; k < into->keys_len; k++) {
        into->key_ints[k] |= from->key_ints[k];
        into->key_reals[k] |= from->key_reals[k];
    }
    if (status == STATUS_OK)
        status = agg_grow(into, err);
    for (uint32_t i = 0; i < into->states_len && status == STATUS_OK; i++)
        status = merge_state(into, &into->states[i], &from->states[i], map, groups, err);
    free(map);
    return status;
}
