/* dialect_presto.c */
#include "query/lang/dialect.h"

const struct dialect dialect_presto = {
    .name = "presto",
    .flags = D_INTEGER_DIVIDE,
    .nulls = NULLS_AT_END,
};
