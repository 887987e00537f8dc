/* segment_lookup.c: row numbers of a segment from its sidecars. What cannot be used is not an
 * error: the caller scans. */
#include <stdlib.h>

#include "storage/index/hash_index.h"
#include "storage/index/index_id.h"
#include "storage/index/sorted_index.h"
#include "storage/table/snapshot.h"

/* The value in the column's own type; false when no value of that type equals it. */
static bool narrow(struct value *value, enum type type)
{
    if (value->type == type)
        return true;
    if (value->type == TYPE_DOUBLE && type == TYPE_INT64) {
        double real = value->real;
        if (!(real >= -9007199254740992.0 && real <= 9007199254740992.0) ||
            (double)(int64_t)real != real)
            return false;
        *value = (struct value){.type = TYPE_INT64, .int64 = (int64_t)real};
        return true;
    }
    if (value->type == TYPE_TIMESTAMP && type == TYPE_DATE) {
        const int64_t day = INT64_C(86400000000);
        if (value->int64 % day != 0)
            return false;
        *value = (struct value){.type = TYPE_DATE, .int64 = value->int64 / day};
        return true;
    }
    return false;
}

enum status segment_lookup(struct segment *segment, int32_t field_id, const struct value *value,
                           uint64_t limit, bool *ret_used, uint64_t **ret_rows, uint32_t *ret_len,
                           struct error *err)
{
    *ret_used = false;
    *ret_rows = NULL;
    *ret_len = 0;
    int32_t column = segment_column(segment, field_id);
    if (column < 0 || value->is_null)
        return STATUS_OK;
    struct value wanted = *value;
    bool comparable = wanted.type == segment_meta(segment)->columns[column].type ||
                      type_can_widen(segment_meta(segment)->columns[column].type, wanted.type);
    if (!comparable)
        return STATUS_OK;
    const struct hash_index *index = segment_hash_index(segment, field_id);
    if (!index)
        return STATUS_OK;
    if (narrow(&wanted, segment_meta(segment)->columns[column].type)) {
        enum status status =
            hash_index_lookup(index, value_hash(&wanted), limit, ret_rows, ret_len, err);
        if (status == STATUS_CORRUPT) { /* slower, never wrong: the caller scans */
            segment_index_damaged(segment, field_id);
            *ret_len = 0;
            return STATUS_OK;
        }
        TRY(status);
    }
    *ret_used = *ret_len <= limit;
    return STATUS_OK;
}

enum status segment_range(struct segment *segment, int32_t field_id,
                          const struct value_range *range, uint64_t limit, bool *ret_used,
                          uint64_t **ret_rows, uint32_t *ret_len, struct error *err)
{
    *ret_used = false;
    *ret_rows = NULL;
    *ret_len = 0;
    const struct sorted_index *index = segment_sorted_index(segment, index_id_sorted(field_id));
    if (!index || (range->has_lo && range->lo.type != index->type) ||
        (range->has_hi && range->hi.type != index->type))
        return STATUS_OK;
    enum status status = sorted_index_lookup(index, range, limit, ret_rows, ret_len, err);
    if (status == STATUS_CORRUPT) {
        segment_index_damaged(segment, index_id_sorted(field_id));
        *ret_len = 0;
        return STATUS_OK;
    }
    *ret_used = status == STATUS_OK && *ret_len <= limit;
    return status;
}

enum status segment_first_rows(struct segment *segment, int32_t field_id, bool descending,
                               uint32_t count, bool *ret_used, uint64_t **ret_rows,
                               uint32_t *ret_len, struct error *err)
{
    *ret_used = false;
    *ret_rows = NULL;
    *ret_len = 0;
    const struct sorted_index *index = segment_sorted_index(segment, index_id_sorted(field_id));
    if (!index || index->entries_len < count || count > index->entries_len / 4)
        return STATUS_OK;
    const struct value_range all = {0};
    struct sorted_first first;
    enum status status =
        sorted_index_first(index, &all, descending, count, index->entries_len / 4 + 1, &first, err);
    if (status == STATUS_CORRUPT) {
        segment_index_damaged(segment, index_id_sorted(field_id));
        return STATUS_OK;
    }
    *ret_used = status == STATUS_OK && first.used;
    *ret_rows = first.rows;
    *ret_len = first.len;
    return status;
}
