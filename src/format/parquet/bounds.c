/* bounds.c: smallest and largest value of a page, chunk or file. NaN counts for nothing; zeros take
 * the sign that the format asks for (min -0.0, max +0.0). JSON has no order and so no bounds. */
#include <math.h>

#include "format/parquet/writer_int.h"

static void add_ints(struct pq_bounds *bounds, enum type type, const uint64_t *keys, uint32_t count)
{
    int64_t min = INT64_MAX, max = INT64_MIN;
    for (uint32_t i = 0; i < count; i++) {
        int64_t value = (int64_t)keys[i];
        min = value < min ? value : min;
        max = value > max ? value : max;
    }
    if (!bounds->present || min < bounds->min.int64)
        bounds->min = (struct value){.type = type, .int64 = min};
    if (!bounds->present || max > bounds->max.int64)
        bounds->max = (struct value){.type = type, .int64 = max};
    bounds->present = true;
}

static void add_doubles(struct pq_bounds *bounds, const uint64_t *keys, uint32_t count)
{
    double min = INFINITY, max = -INFINITY;
    bool seen = false;
    for (uint32_t i = 0; i < count; i++) {
        double value;
        memcpy(&value, &keys[i], sizeof value);
        min = value < min ? value : min;
        max = value > max ? value : max;
        seen |= value == value;
    }
    if (!seen)
        return;
    min = min == 0 ? -0.0 : min;
    max = max == 0 ? 0.0 : max;
    if (!bounds->present || min < bounds->min.real)
        bounds->min = (struct value){.type = TYPE_DOUBLE, .real = min};
    if (!bounds->present || max > bounds->max.real)
        bounds->max = (struct value){.type = TYPE_DOUBLE, .real = max};
    bounds->present = true;
}

static void add_bools(struct pq_bounds *bounds, const uint64_t *keys, uint32_t count)
{
    bool any = bounds->present && bounds->max.boolean;
    bool all = !bounds->present || bounds->min.boolean;
    for (uint32_t i = 0; i < count; i++) {
        any |= keys[i] != 0;
        all &= keys[i] != 0;
    }
    bounds->min = (struct value){.type = TYPE_BOOL, .boolean = all};
    bounds->max = (struct value){.type = TYPE_BOOL, .boolean = any};
    bounds->present = true;
}

void bounds_add_keys(struct pq_bounds *bounds, enum type type, const uint64_t *keys, uint32_t count)
{
    if (count == 0)
        return;
    if (type == TYPE_DOUBLE)
        add_doubles(bounds, keys, count);
    else if (type == TYPE_BOOL)
        add_bools(bounds, keys, count);
    else
        add_ints(bounds, type, keys, count);
}

void bounds_add_str(struct pq_bounds *bounds, enum type type, struct str s)
{
    if (!bounds->present) {
        bounds->min = bounds->max = (struct value){.type = type, .bytes = s};
        bounds->present = true;
    } else if (str_cmp(s, bounds->min.bytes) < 0) {
        bounds->min.bytes = s;
    } else if (str_cmp(s, bounds->max.bytes) > 0) {
        bounds->max.bytes = s;
    }
}

enum status bounds_own(struct pq_bounds *bounds, struct arena *arena)
{
    if (!bounds->present || !type_is_bytes(bounds->min.type))
        return STATUS_OK;
    if (bounds->min.bytes.len > PARQUET_BOUND_MAX || bounds->max.bytes.len > PARQUET_BOUND_MAX) {
        *bounds = (struct pq_bounds){.too_long = true};
        return STATUS_OK;
    }
    bounds->min.bytes = arena_str(arena, bounds->min.bytes);
    bounds->max.bytes = arena_str(arena, bounds->max.bytes);
    return bounds->min.bytes.data && bounds->max.bytes.data ? STATUS_OK : STATUS_NO_MEMORY;
}

void bounds_merge(struct pq_bounds *bounds, const struct pq_bounds *more, uint32_t more_values)
{
    if (more_values == 0 || bounds->too_long)
        return;
    if (more->too_long) {
        *bounds = (struct pq_bounds){.too_long = true};
        return;
    }
    if (!more->present)
        return;
    if (!bounds->present) {
        *bounds = *more;
        return;
    }
    if (value_compare(&more->min, &bounds->min) < 0)
        bounds->min = more->min;
    if (value_compare(&more->max, &bounds->max) > 0)
        bounds->max = more->max;
}
