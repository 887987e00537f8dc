/* value.h: one value outside of a column: literals of filters, bounds of zone maps, group keys. */
#ifndef QUARRY_DATA_VALUE_H
#define QUARRY_DATA_VALUE_H

#include "base/arena.h"
#include "base/json.h"
#include "data/column.h"

struct value {
    enum type type;
    bool is_null;
    union {
        bool boolean;
        int64_t int64; /* INT64, TIMESTAMP, and DATE (days) */
        double real;
        struct str bytes; /* borrowed */
    };
};

/* A closed interval within one type; either end may be open. */
struct value_range {
    bool has_lo, has_hi;
    bool hi_is_prefix; /* texts: up to the last that begins with `hi` */
    struct value lo, hi;
};

struct value value_of_column(const struct column *column, uint32_t row);

/* Total order within one type; nulls first; bytes in byte order; both of the same type, or both of
 * INT64 and DOUBLE (compared exactly), or DATE and TIMESTAMP. */
int value_compare(const struct value *a, const struct value *b);

enum status column_append_value(struct column *column, const struct value *value);

/* As JSON: dates and timestamps as ISO text, JSON as itself, null as null. */
void value_write_json(struct json_writer *w, const struct value *value);
void column_write_json(struct json_writer *w, const struct column *column, uint32_t row);
/* What value_write_json writes, read as a value of `type`; texts and JSON go to the arena. False:
 * it does not fit (an integer is a double too, a whole double no integer), or memory is out. */
bool value_read_json(yyjson_val *json, enum type type, struct arena *arena, struct value *ret);
/* Its texts in the arena; false when memory is out. */
bool value_copy(struct arena *arena, const struct value *from, struct value *to);

/* 64-bit hash, equal for values that compare equal within one type (0.0 and -0.0 too). */
uint64_t value_hash(const struct value *value);
/* The same of several; of one: value_hash. */
uint64_t values_hash(const struct value *values, uint32_t len);

#endif
