/* bound.h: single values as bytes (table spec, Appendix D: binary single-value serialization), for
 * lower and upper bounds; and the shortening of long string bounds.
 *
 * `struct value` carries foreign types so: int, long, time in INT64; float in DOUBLE; timestamptz
 * in TIMESTAMP; binary, fixed, uuid and decimal (big-endian two's complement) in STRING, as raw
 * bytes. */
#ifndef QUARRY_FORMAT_ICEBERG_BOUND_H
#define QUARRY_FORMAT_ICEBERG_BOUND_H

#include "data/value.h"
#include "format/iceberg/type.h"

enum { ICEBERG_BOUND_CODE_POINTS = 16 };

/* The type in which a value of this Iceberg type is carried; false for nested and unknown ones. */
bool iceberg_carrier(enum iceberg_kind kind, enum type *ret);
/* Appends the bytes; STATUS_INVALID_ARGUMENT when the value is null or does not fit the type. */
enum status iceberg_bound_write(enum iceberg_kind kind, const struct value *value, struct buf *out,
                                struct error *err);
/* Also the narrower forms that files from before a promotion have: int for long, float for double,
 * date for timestamp. Bytes are borrowed. */
enum status iceberg_bound_read(enum iceberg_kind kind, struct str bytes, struct value *ret,
                               struct error *err);

/* A lower bound of at most `max` code points: a prefix. */
struct str iceberg_bound_lower(struct str text, uint32_t max);
/* An upper bound of at most `max` code points that is not below `text`: itself when short, else the
 * prefix with its last code point that can grow made one larger. False: there is none (leave it
 * out). Appends to `out`. */
bool iceberg_bound_upper(struct str text, uint32_t max, struct buf *out);

#endif
