/* bounds_read.c: statistics' bytes as values, converted like the column's values. A bound that does
 * not convert (wrong length, NaN, overflow) counts as absent. */
#include <math.h>

#include "format/parquet/reader_int.h"

static int64_t floor_div(int64_t value, int64_t by)
{
    int64_t quotient = value / by;
    return quotient - (value % by < 0);
}

static bool timestamp_bound(const struct pq_leaf *leaf, int64_t raw, int64_t *ret)
{
    if (leaf->unit == PQ_MILLIS)
        return !__builtin_mul_overflow(raw, (int64_t)1000, ret);
    *ret = leaf->unit == PQ_NANOS ? floor_div(raw, 1000) : raw;
    return true;
}

static bool fixed_bound(const struct pq_leaf *leaf, struct str bytes, struct value *ret)
{
    int32_t i32;
    int64_t i64;
    float f32;
    switch (leaf->physical) {
    case PQ_BOOLEAN:
        ret->boolean = bytes.len == 1 && bytes.data[0];
        return bytes.len == 1;
    case PQ_INT32:
        if (bytes.len != sizeof i32)
            return false;
        memcpy(&i32, bytes.data, sizeof i32);
        ret->int64 = leaf->is_unsigned ? (int64_t)(uint32_t)i32 : i32;
        return true;
    case PQ_INT64:
        if (bytes.len != sizeof i64)
            return false;
        memcpy(&i64, bytes.data, sizeof i64);
        ret->int64 = i64;
        if (leaf->field.type == TYPE_TIMESTAMP)
            return timestamp_bound(leaf, i64, &ret->int64);
        return !leaf->is_unsigned || i64 >= 0;
    case PQ_FLOAT:
        if (bytes.len != sizeof f32)
            return false;
        memcpy(&f32, bytes.data, sizeof f32);
        ret->real = (double)f32;
        return isfinite(ret->real);
    case PQ_DOUBLE:
        if (bytes.len != sizeof ret->real)
            return false;
        memcpy(&ret->real, bytes.data, sizeof ret->real);
        return isfinite(ret->real);
    default:
        return false;
    }
}

static bool bound(const struct pq_leaf *leaf, struct str bytes, struct value *ret)
{
    *ret = (struct value){.type = leaf->field.type};
    if (!bytes.data || leaf->refusal || leaf->form || leaf->field.type == TYPE_JSON)
        return false;
    if (leaf->physical != PQ_BYTE_ARRAY)
        return fixed_bound(leaf, bytes, ret);
    ret->bytes = bytes;
    return true;
}

static bool both(const struct pq_leaf *leaf, struct str min, struct str max, struct value *ret_min,
                 struct value *ret_max)
{
    return bound(leaf, min, ret_min) && bound(leaf, max, ret_max) &&
           value_compare(ret_min, ret_max) <= 0;
}

bool parquet_reader_bounds(const struct parquet_reader *reader, uint32_t group, uint32_t column,
                           struct value *ret_min, struct value *ret_max, uint64_t *ret_nulls)
{
    if (group >= reader->groups_len || column >= reader->columns_len ||
        !reader->columns[column].flat)
        return false;
    column = reader->columns[column].leaf;
    const struct pq_chunk *chunk = &reader->groups[group].chunks[column];
    if (chunk->nulls < 0 || (uint64_t)chunk->nulls > chunk->values)
        return false;
    *ret_nulls = (uint64_t)chunk->nulls;
    return both(&reader->leaves[column], chunk->min, chunk->max, ret_min, ret_max);
}

void parquet_page(const struct parquet_reader *reader, uint32_t group, uint32_t column,
                  uint32_t page, struct parquet_page_info *ret)
{
    column = reader->columns[column].leaf;
    const struct pq_chunk *chunk = &reader->groups[group].chunks[column];
    const struct pq_page_entry *entry = &chunk->pages[page];
    *ret = (struct parquet_page_info){
        .first_row = entry->first_row, .rows = entry->rows, .compressed_bytes = entry->size};
    if (!chunk->bounds)
        return;
    const struct pq_page_bounds *bounds = &chunk->bounds[page];
    if (bounds->nulls >= 0 && (uint64_t)bounds->nulls <= entry->rows) {
        ret->has_nulls_count = true;
        ret->nulls = (uint64_t)bounds->nulls;
    }
    ret->has_bounds = both(&reader->leaves[column], bounds->min, bounds->max, &ret->min, &ret->max);
}
