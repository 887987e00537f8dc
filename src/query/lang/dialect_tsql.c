/* dialect_tsql.c */
#include "query/lang/dialect.h"

const struct dialect dialect_tsql = {
    .name = "tsql",
    .flags =
        D_BRACKET | D_INTEGER_DIVIDE | D_HASH_NAME | D_NESTED_COMMENT | D_AT_NAME | D_STRING_ALIAS,
    .nulls = NULLS_SMALL,
};
