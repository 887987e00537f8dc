/* dialect_databricks.c: Databricks SQL, Spark's heir. A cast that fails is an error. */
#include "query/lang/dialect.h"

const struct dialect dialect_databricks = {
    .name = "databricks",
    .parent = &dialect_spark,
    .flags = D_DOUBLE_QUOTE_STRING | D_BACKTICK | D_BACKSLASH | D_DIGIT_NAME | D_BIT_LEVELS |
             D_INDEX_FROM_0 | D_CONCAT_NULL | D_RAW_STRING | D_COLON_PATH,
    .nulls = NULLS_SMALL,
};
