/* dialect_oracle.c */
#include "query/lang/dialect.h"

const struct dialect dialect_oracle = {
    .name = "oracle",
    .flags = D_DOLLAR_NAME,
    .nulls = NULLS_LARGE,
};
