/* dialect_snowflake.c */
#include "query/lang/dialect.h"

const struct dialect dialect_snowflake = {
    .name = "snowflake",
    .flags = D_BACKSLASH | D_DOLLAR_STRING | D_COLON_PATH | D_INDEX_FROM_0 | D_SLASH_COMMENT |
             D_CONCAT_NULL | D_DOLLAR_NAME,
    .nulls = NULLS_LARGE,
};
