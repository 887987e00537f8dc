/* functions.h: which functions the common meaning (DuckDB's) has. */
#ifndef QUARRY_QUERY_LANG_FUNCTIONS_H
#define QUARRY_QUERY_LANG_FUNCTIONS_H

#include "base/str.h"

enum { FUNCTION_NAME_MAX = 64 };

bool function_is_known(struct str name);
bool function_is_aggregate(struct str name);
/* A table function that reads nothing but its arguments. */
bool function_is_table(struct str name);
/* Name number i, for suggestions; NULL past the last. */
const char *function_name(size_t i);

#endif
