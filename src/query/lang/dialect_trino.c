/* dialect_trino.c: Trino, Presto's heir. */
#include "query/lang/dialect.h"

const struct dialect dialect_trino = {
    .name = "trino",
    .parent = &dialect_presto,
    .flags = D_INTEGER_DIVIDE,
    .nulls = NULLS_AT_END,
};
