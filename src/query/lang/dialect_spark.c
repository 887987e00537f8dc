/* dialect_spark.c: Spark SQL, Hive's heir. Its timestamps have a zone. */
#include "query/lang/dialect.h"

static const struct type_row types[] = {
    {"TIMESTAMP", "TIMESTAMPTZ"},
    {NULL, NULL},
};

const struct dialect dialect_spark = {
    .name = "spark",
    .parent = &dialect_hive,
    .flags = D_DOUBLE_QUOTE_STRING | D_BACKTICK | D_BACKSLASH | D_DIGIT_NAME | D_BIT_LEVELS |
             D_INDEX_FROM_0 | D_CONCAT_NULL | D_RAW_STRING | D_TRY_CAST | D_ZERO_DIVIDE_NULL,
    .nulls = NULLS_SMALL,
    .types = types,
};
