/* index_id.h: what names an index of a source: the column's field id and the kind, in one number,
 * and the name of its sidecar. */
#ifndef QUARRY_STORAGE_INDEX_ID_H
#define QUARRY_STORAGE_INDEX_ID_H

#include <stdbool.h>
#include <stdint.h>

enum { INDEX_SORTED_BIT = 1 << 29 }; /* field ids stay below: 512 generations */

static inline int32_t index_id_sorted(int32_t field_id)
{
    return field_id | INDEX_SORTED_BIT;
}

static inline bool index_is_sorted(int32_t index_id)
{
    return index_id & INDEX_SORTED_BIT;
}

static inline int32_t index_field(int32_t index_id)
{
    return index_id & ~INDEX_SORTED_BIT;
}

/* The index of the same kind of another field. */
static inline int32_t index_id_of(int32_t index_id, int32_t field_id)
{
    return field_id | (index_id & INDEX_SORTED_BIT);
}

/* The sidecar is index/<segment id, 8 digits>.<field id>.<this>. */
static inline const char *index_suffix(int32_t index_id)
{
    return index_is_sorted(index_id) ? "sorted" : "hash";
}

#endif
