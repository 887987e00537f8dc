/* partition.h: rows into partitions, and partition values into directory names.
 *
 * A partition is one combination of values of the partition columns: dates and timestamps by day,
 * other types by value, null is a value of its own. */
#ifndef QUARRY_STORAGE_PARTITION_H
#define QUARRY_STORAGE_PARTITION_H

#include "data/batch.h"
#include "data/value.h"

struct partition_split {
    uint32_t groups;
    uint32_t *starts;   /* groups + 1; group g is order[starts[g]] to order[starts[g + 1]] */
    uint32_t *order;    /* row numbers, ascending within a group */
    struct str *values; /* groups * columns: text of each value; data NULL: null */
    uint32_t columns_len;
    struct arena arena;
};

/* A column that the batch lacks is null everywhere. Groups stand in order of first appearance. */
enum status partition_split(const struct batch *batch, const struct str *columns,
                            uint32_t columns_len, struct partition_split *ret, struct error *err);
void partition_split_release(struct partition_split *split);

/* The text of a partition value; data NULL when memory is out. */
struct str partition_text(struct arena *arena, const struct value *value);
/* Appends "column=value": '/', '%', '=', '~', '\', control and non-ASCII bytes and a leading dot as
 * ~XX (no percent signs: readers of Iceberg tables differ on whether these are an encoding);
 * null as __HIVE_DEFAULT_PARTITION__; a value beyond PARTITION_NAME_MAX is cut and ends with "~"
 * and 16 hex digits of its XXH3. */
enum { PARTITION_NAME_MAX = 120 };
bool partition_append_name(struct buf *buf, struct str column, struct str value);

/* Puts row numbers in order of a column: nulls first, equal ones by row number. */
enum status order_by_column(const struct column *column, uint32_t *order, uint32_t count,
                            struct error *err);

#endif
