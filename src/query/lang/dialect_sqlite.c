/* dialect_sqlite.c */
#include "query/lang/dialect.h"

const struct dialect dialect_sqlite = {
    .name = "sqlite",
    .flags = D_BACKTICK | D_BRACKET | D_INTEGER_DIVIDE | D_LIKE_NOCASE | D_ZERO_DIVIDE_NULL |
             D_HEX_IS_NUMBER | D_STRING_ALIAS,
    .nulls = NULLS_SMALL,
};
