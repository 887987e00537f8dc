/* params.h: values of a request into the parameters of a prepared statement. An array fills ? and
 * $1 by position, an object fills $name. Values: null, boolean, number, string. */
#ifndef QUARRY_QUERY_SQLWORKER_PARAMS_H
#define QUARRY_QUERY_SQLWORKER_PARAMS_H

#include <duckdb.h>

#include "base/json.h"

/* `values` may be NULL or null: none. STATUS_INVALID_ARGUMENT says which is missing, too many, or
 * of a kind that cannot be a value. */
enum status params_bind(duckdb_prepared_statement statement, yyjson_val *values, struct error *err);

#endif
