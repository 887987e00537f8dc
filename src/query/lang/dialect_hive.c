/* dialect_hive.c */
#include "query/lang/dialect.h"

const struct dialect dialect_hive = {
    .name = "hive",
    .flags = D_DOUBLE_QUOTE_STRING | D_BACKTICK | D_BACKSLASH | D_DIGIT_NAME | D_BIT_LEVELS |
             D_INDEX_FROM_0 | D_CONCAT_NULL,
    .nulls = NULLS_SMALL,
};
