/* type.h: Iceberg types and schemas, in memory and as the JSON of the specification (Apache Iceberg
 * table spec, format version 2, "Schemas and Data Types", Appendix C).
 *
 * Everything parsed lies in the caller's arena. Foreign types (decimal, nested, ...) are kept, so
 * that such a table can be read and committed to; only Quarry's seven become columns.
 *
 * Map: bool boolean; int64 long (int is read as one); double double (float is read as one); string
 * string; json string whose field's doc begins with ICEBERG_JSON_MARK; date date; timestamp
 * timestamp (microseconds, no zone; timestamptz is read as one). */
#ifndef QUARRY_FORMAT_ICEBERG_TYPE_H
#define QUARRY_FORMAT_ICEBERG_TYPE_H

#include "base/arena.h"
#include "base/json.h"
#include "data/type.h"

#define ICEBERG_JSON_MARK "[json]"

enum {
    ICEBERG_TYPE_DEPTH_MAX = 24,
    ICEBERG_FIELDS_MAX = 20000, /* of one struct */
};

enum iceberg_kind {
    ICEBERG_BOOLEAN,
    ICEBERG_INT,
    ICEBERG_LONG,
    ICEBERG_FLOAT,
    ICEBERG_DOUBLE,
    ICEBERG_DATE,
    ICEBERG_TIME,
    ICEBERG_TIMESTAMP,
    ICEBERG_TIMESTAMPTZ,
    ICEBERG_STRING,
    ICEBERG_UUID,
    ICEBERG_BINARY,
    ICEBERG_FIXED,
    ICEBERG_DECIMAL,
    ICEBERG_STRUCT,
    ICEBERG_LIST,
    ICEBERG_MAP,
    ICEBERG_OTHER, /* a name this version does not know, kept in `text` */
};

struct iceberg_field;

struct iceberg_type {
    enum iceberg_kind kind;
    int32_t precision, scale;     /* DECIMAL */
    int32_t length;               /* FIXED: bytes */
    struct str text;              /* OTHER */
    struct iceberg_field *fields; /* STRUCT; LIST: element; MAP: key, value */
    uint32_t fields_len;
};

struct iceberg_field {
    int32_t id;
    struct str name;
    bool required;
    struct iceberg_type type;
    struct str doc; /* data NULL: none */
};

struct iceberg_schema {
    int32_t id;
    struct iceberg_field *fields;
    uint32_t fields_len;
    int32_t *identifier_ids;
    uint32_t identifier_ids_len;
};

/* "long", "decimal(9,2)", "fixed[16]"; nested types are not names. False: not a type's form. */
bool iceberg_type_parse(struct str name, struct arena *arena, struct iceberg_type *ret);
/* Appends that name. */
void iceberg_type_print(const struct iceberg_type *type, struct buf *out);

enum status iceberg_schema_parse(yyjson_val *json, struct arena *arena, struct iceberg_schema *ret,
                                 struct error *err);
void iceberg_schema_write(struct json_writer *w, const struct iceberg_schema *schema);
/* A top-level or nested field by id (not elements of lists or maps' parts); NULL when absent. */
const struct iceberg_field *iceberg_field_by_id(const struct iceberg_schema *schema, int32_t id);
/* Same fields, names, types, docs in the same order; ids of the schemas do not matter. */
bool iceberg_schema_equal(const struct iceberg_schema *a, const struct iceberg_schema *b);

/* Between Quarry's columns and Iceberg's. All are optional. `docs` (may be NULL) are the columns'
 * comments. */
enum status iceberg_schema_of_fields(const struct field *fields, uint32_t len,
                                     const struct str *docs, struct arena *arena,
                                     struct iceberg_schema *ret, struct error *err);
/* STATUS_NOT_IMPLEMENTED names the first column that is none of Quarry's types. */
enum status iceberg_schema_to_fields(const struct iceberg_schema *schema, struct arena *arena,
                                     struct field **ret, uint32_t *ret_len, struct error *err);
/* The type of a column; false when Quarry has none for it. */
bool iceberg_field_to_type(const struct iceberg_field *field, enum type *ret);
/* The doc without the mark of JSON columns; data NULL when nothing is left. */
struct str iceberg_field_comment(const struct iceberg_field *field);

#endif
