/* index_id.h: what names an index of a source, and its sidecar.
 *
 * The index of one column is named by the column's field id and the kind; one over several columns
 * (composite) by a number that the source never uses again, and the kind. */
#ifndef QUARRY_STORAGE_INDEX_ID_H
#define QUARRY_STORAGE_INDEX_ID_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum {
    INDEX_SORTED_BIT = 1 << 29,    /* field ids stay below: 512 generations */
    INDEX_COMPOSITE_BIT = 1 << 30, /* the low bits are a number */
    INDEX_FIELDS_MAX = 8,          /* columns of an index */
    INDEX_FILE_MAX = 64,           /* bytes of a sidecar's name */
};

/* An index of a schema: its columns by their present field ids. */
struct index_def {
    int32_t id;
    uint32_t fields_len;
    int32_t fields[INDEX_FIELDS_MAX];
};

static inline int32_t index_id_sorted(int32_t field_id)
{
    return field_id | INDEX_SORTED_BIT;
}

static inline int32_t index_id_composite(uint32_t number, bool sorted)
{
    return (int32_t)number | INDEX_COMPOSITE_BIT | (sorted ? INDEX_SORTED_BIT : 0);
}

static inline bool index_is_sorted(int32_t index_id)
{
    return index_id & INDEX_SORTED_BIT;
}

static inline bool index_is_composite(int32_t index_id)
{
    return index_id & INDEX_COMPOSITE_BIT;
}

/* The field id of one that is not composite, the number of one that is. */
static inline int32_t index_field(int32_t index_id)
{
    return index_id & ~(INDEX_SORTED_BIT | INDEX_COMPOSITE_BIT);
}

/* The index of the same kind of another field. */
static inline int32_t index_id_of(int32_t index_id, int32_t field_id)
{
    return field_id | (index_id & INDEX_SORTED_BIT);
}

/* What the sidecar's header says: the field id, or the number with INDEX_COMPOSITE_BIT. */
static inline int32_t index_label(int32_t index_id)
{
    return index_id & ~INDEX_SORTED_BIT;
}

/* The sidecar's name in index/. */
static inline void index_file_name(char out[INDEX_FILE_MAX], uint64_t segment_id, int32_t index_id)
{
    (void)snprintf(out, INDEX_FILE_MAX, "%08" PRIu64 ".%s%" PRId32 ".%s", segment_id,
                   index_is_composite(index_id) ? "c" : "", index_field(index_id),
                   index_is_sorted(index_id) ? "sorted" : "hash");
}

#endif
