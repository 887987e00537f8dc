/* segment_tuple.c: row numbers of a segment from its composite sidecars. What cannot be used is not
 * an error: the caller asks another index or scans. */
#include <stdlib.h>

#include "storage/index/hash_index.h"
#include "storage/index/sorted_index.h"
#include "storage/index/tuple.h"
#include "storage/table/snapshot.h"

static bool has_types(const struct segment *segment, const struct index_def *def,
                      const struct value *values, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        enum type type;
        if (values[i].is_null || !segment_column_type(segment, def->fields[i], &type) ||
            values[i].type != type)
            return false;
    }
    return true;
}

enum status segment_lookup_tuple(struct segment *segment, const struct index_def *def,
                                 const struct value *values, uint64_t limit, bool *ret_used,
                                 uint64_t **ret_rows, uint32_t *ret_len, struct error *err)
{
    *ret_used = false;
    *ret_rows = NULL;
    *ret_len = 0;
    if (!segment_has_columns(segment, def) || !has_types(segment, def, values, def->fields_len))
        return STATUS_OK;
    const struct hash_index *index = segment_hash_index(segment, def->id);
    if (!index)
        return STATUS_OK;
    enum status status = hash_index_lookup(index, values_hash(values, def->fields_len), limit,
                                           ret_rows, ret_len, err);
    if (status == STATUS_CORRUPT) { /* slower, never wrong: the caller scans */
        segment_index_damaged(segment, def->id);
        *ret_len = 0;
        return STATUS_OK;
    }
    *ret_used = status == STATUS_OK && *ret_len <= limit;
    return status;
}

/* Prefix and next column are there, in the segment's own types. */
static bool range_fits(const struct segment *segment, const struct index_def *def,
                       const struct tuple_range *range)
{
    const struct value_range *next = range->next;
    if (!segment_has_columns(segment, def) ||
        !has_types(segment, def, range->prefix, range->prefix_len) ||
        range->prefix_len + (next != NULL) > def->fields_len)
        return false;
    enum type type;
    return !next ||
           (segment_column_type(segment, def->fields[range->prefix_len], &type) &&
            (!next->has_lo || next->lo.type == type) && (!next->has_hi || next->hi.type == type));
}

/* The sidecar, and the range as its keys; NULL when it cannot be used. */
static enum status open_range(struct segment *segment, const struct index_def *def,
                              const struct tuple_range *range, struct tuple_bounds *bounds,
                              struct value_range *keys, const struct sorted_index **ret,
                              struct error *err)
{
    *ret = range_fits(segment, def, range) ? segment_sorted_index(segment, def->id) : NULL;
    return *ret ? tuple_bounds(range, bounds, keys, err) : STATUS_OK;
}

enum status segment_range_tuple(struct segment *segment, const struct index_def *def,
                                const struct tuple_range *range, uint64_t limit, bool *ret_used,
                                uint64_t **ret_rows, uint32_t *ret_len, struct error *err)
{
    const struct sorted_index *index;
    struct tuple_bounds bounds;
    struct value_range keys;
    *ret_used = false;
    *ret_rows = NULL;
    *ret_len = 0;
    TRY(open_range(segment, def, range, &bounds, &keys, &index, err));
    if (!index)
        return STATUS_OK;
    enum status status = sorted_index_lookup(index, &keys, limit, ret_rows, ret_len, err);
    tuple_bounds_release(&bounds);
    if (status == STATUS_CORRUPT) {
        segment_index_damaged(segment, def->id);
        *ret_len = 0;
        return STATUS_OK;
    }
    *ret_used = status == STATUS_OK && *ret_len <= limit;
    return status;
}

static enum status first_of(struct segment *segment, const struct index_def *def,
                            const struct tuple_range *range, bool descending, uint32_t count,
                            struct sorted_first *ret, struct error *err)
{
    const struct sorted_index *index;
    struct tuple_bounds bounds;
    struct value_range keys;
    *ret = (struct sorted_first){0};
    TRY(open_range(segment, def, range, &bounds, &keys, &index, err));
    if (!index)
        return STATUS_OK;
    enum status status = sorted_index_first(index, &keys, descending, count,
                                            segment_meta(segment)->rows / 4 + 1, ret, err);
    tuple_bounds_release(&bounds);
    if (status != STATUS_CORRUPT)
        return status;
    segment_index_damaged(segment, def->id);
    *ret = (struct sorted_first){0};
    return STATUS_OK;
}

enum status segment_first_tuples(struct segment *segment, const struct index_def *def,
                                 const struct tuple_range *range, bool descending, uint32_t count,
                                 bool *ret_used, uint64_t **ret_rows, uint32_t *ret_len,
                                 struct error *err)
{
    const struct value_range values = {0};
    struct tuple_range present = *range;
    struct sorted_first first;
    if (descending && !present.next) /* nulls come last in both directions */
        present.next = &values;
    TRY(first_of(segment, def, &present, descending, count, &first, err));
    if (first.used && !first.enough && !range->next && descending) {
        free(first.rows);
        TRY(first_of(segment, def, range, false, UINT32_MAX, &first, err));
    }
    *ret_used = first.used;
    *ret_rows = first.rows;
    *ret_len = first.len;
    return STATUS_OK;
}
