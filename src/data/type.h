/* type.h: the logical types that storage, queries and the wire share. */
#ifndef QUARRY_DATA_TYPE_H
#define QUARRY_DATA_TYPE_H

#include "base/status.h"
#include "base/str.h"

enum type {
    TYPE_BOOL,      /* uint8_t 0 or 1 */
    TYPE_INT64,     /* int64_t */
    TYPE_DOUBLE,    /* double; NaN and infinities do not occur */
    TYPE_STRING,    /* UTF-8 bytes, may hold U+0000 */
    TYPE_JSON,      /* UTF-8 bytes, a JSON value of any kind, as it came in */
    TYPE_DATE,      /* int32_t, days since 1970-01-01 */
    TYPE_TIMESTAMP, /* int64_t, microseconds since 1970-01-01, UTC */
    TYPE_COUNT
};

/* "bool", "int64", "double", "string", "json", "date", "timestamp" */
const char *type_name(enum type type);
/* Reads those names and their usual other spellings: boolean, int, integer, int32, bigint, long,
 * float, float32, float64, number, str, text, varchar, object, object/array as json,
 * datetime64[ns], datetime. False when unknown. */
bool type_parse(struct str name, enum type *ret);

/* Bytes of one value in the fixed part of a column: 1, 4 or 8; 0 for STRING and JSON. */
size_t type_width(enum type type);
static inline bool type_is_bytes(enum type type)
{
    return type == TYPE_STRING || type == TYPE_JSON;
}

/* One column of a table. Names are owned by whoever owns the schema. */
struct field {
    struct str name;
    enum type type;
    int32_t id; /* Iceberg field id, from 1; never used again for another column */
};

/* Field ids. No other engine may see one column under two types, unless Iceberg calls that a
 * promotion, so a column that widens takes the id of its next generation; files that were written
 * before keep the older one (docs/decisions/0016). Look-ups by field id in a segment find any
 * generation up to the one asked for. */
enum {
    FIELD_ID_STEP = 1 << 20,
    FIELD_ID_NONE = INT32_MAX, /* of the column in files whose rows have no values at all */
};
static inline int32_t field_id_base(int32_t id)
{
    return id % FIELD_ID_STEP;
}
static inline int32_t field_id_widened(int32_t id)
{
    return id + FIELD_ID_STEP;
}

enum {
    FIELD_NAME_MAX = 255, /* bytes */
    SCHEMA_FIELDS_MAX = 2000,
};

#endif
