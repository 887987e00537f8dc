/* dialect_bigquery.c */
#include "query/lang/dialect.h"

const struct dialect dialect_bigquery = {
    .name = "bigquery",
    .flags = D_DOUBLE_QUOTE_STRING | D_BACKTICK | D_BACKSLASH | D_HASH_COMMENT | D_RAW_STRING |
             D_TRIPLE_STRING | D_BIT_LEVELS | D_INDEX_FROM_0 | D_CONCAT_NULL | D_AT_NAME |
             D_HEX_IS_NUMBER,
    .nulls = NULLS_SMALL,
};
