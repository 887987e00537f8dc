/* dialect_duckdb.c: DuckDB, the common meaning: nothing changes but spelling. */
#include "query/lang/dialect.h"

static const struct type_row types[] = {
    {"VARCHAR", "+"},    {"CHAR", "+"},         {"NUMERIC", "+"},  {"FLOAT", "+"},
    {"LONG", "BIGINT"},  {"SHORT", "SMALLINT"}, {"SIGNED", "INT"}, {"OID", "BIGINT"},
    {"UHUGEINT", "+"},   {"BIGNUM", "+"},       {"VARINT", "+"},   {"LOGICAL", "BOOLEAN"},
    {"INT1", "TINYINT"}, {"GUID", "UUID"},      {"GEOMETRY", "+"}, {"TIMESTAMP_US", "TIMESTAMP"},
    {NULL, NULL},
};

const struct dialect dialect_duckdb = {
    .name = "duckdb",
    .flags = D_NESTED_COMMENT | D_E_STRING | D_DOLLAR_STRING | D_CARET_POWER | D_HEX_IS_NUMBER |
             D_DOLLAR_NAME | D_STRING_ALIAS,
    .nulls = NULLS_AT_END,
    .types = types,
};
