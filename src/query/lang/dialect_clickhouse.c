/* dialect_clickhouse.c */
#include "query/lang/dialect.h"

const struct dialect dialect_clickhouse = {
    .name = "clickhouse",
    .flags = D_BACKTICK | D_BACKSLASH | D_HASH_COMMENT | D_NESTED_COMMENT | D_HEX_IS_NUMBER |
             D_CONCAT_NULL | D_CASE_SENSITIVE_FUNCTIONS,
    .nulls = NULLS_AT_END,
};
