/* dialect_redshift.c: Redshift, PostgreSQL's heir. */
#include "query/lang/dialect.h"

const struct dialect dialect_redshift = {
    .name = "redshift",
    .parent = &dialect_postgres,
    .flags = D_NESTED_COMMENT | D_CARET_POWER | D_INTEGER_DIVIDE | D_INDEX_FROM_0 | D_HASH_NAME |
             D_CONCAT_NULL,
    .nulls = NULLS_LARGE,
};
