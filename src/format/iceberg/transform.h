/* transform.h: partition transforms (table spec, "Partition Transforms", Appendix B: bucket hash).
 *
 * Results are `struct value`: bucket, year, month and hour give INT64 (Iceberg int), day gives
 * DATE, identity and truncate the source's type, void always null. Null gives null. */
#ifndef QUARRY_FORMAT_ICEBERG_TRANSFORM_H
#define QUARRY_FORMAT_ICEBERG_TRANSFORM_H

#include "data/value.h"
#include "format/iceberg/type.h"

enum iceberg_transform_kind {
    ICEBERG_IDENTITY,
    ICEBERG_BUCKET,
    ICEBERG_TRUNCATE,
    ICEBERG_YEAR,
    ICEBERG_MONTH,
    ICEBERG_DAY,
    ICEBERG_HOUR,
    ICEBERG_VOID,
    ICEBERG_UNKNOWN, /* readable by name only; nothing can be written with it */
};

struct iceberg_transform {
    enum iceberg_transform_kind kind;
    int32_t param;   /* BUCKET: number, TRUNCATE: width; from 1 */
    struct str text; /* UNKNOWN: its name */
};

/* "identity", "bucket[16]", ...; unknown names give ICEBERG_UNKNOWN with `text` borrowed from
 * `name`; false for a known name with a wrong parameter. */
bool iceberg_transform_parse(struct str name, struct iceberg_transform *ret);
void iceberg_transform_print(struct iceberg_transform transform, struct buf *out);

/* Whether a column of this type may be partitioned so. */
bool iceberg_transform_allows(struct iceberg_transform transform, enum type source);
/* Type of the results as they stand in manifests. */
struct iceberg_type iceberg_transform_result(struct iceberg_transform transform,
                                             const struct iceberg_type *source);
/* `*ret` may borrow bytes from `value`. STATUS_INVALID_ARGUMENT when the type is not allowed. */
enum status iceberg_transform_value(struct iceberg_transform transform, const struct value *value,
                                    struct value *ret, struct error *err);
/* All rows of a column; `out` is initialised here and has one row for each. */
enum status iceberg_transform_column(struct iceberg_transform transform, const struct column *in,
                                     struct column *out, struct error *err);

/* MurmurHash3 x86 32 bits, seed 0 (Austin Appleby, public domain algorithm). */
uint32_t iceberg_murmur3(struct str bytes);
/* The spec's hash of a value: integers and dates as 8 bytes little-endian, strings as UTF-8. */
uint32_t iceberg_hash_value(const struct value *value);

/* What people see of a partition value, and readers of folders: "2017-12-01", "2017-12-01-10",
 * "null", ... and "name=value" with both percent-encoded as HTML forms do. */
void iceberg_human_value(struct iceberg_transform transform, const struct value *value,
                         struct buf *out);
void iceberg_partition_name(struct str name, struct iceberg_transform transform,
                            const struct value *value, struct buf *out);

#endif
