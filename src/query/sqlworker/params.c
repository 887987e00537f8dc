#include "query/sqlworker/params.h"

#include "query/sql/wire.h"

static enum status bind_one(duckdb_prepared_statement statement, idx_t index, struct str name,
                            yyjson_val *value, struct error *err)
{
    duckdb_state state;
    if (yyjson_is_null(value))
        state = duckdb_bind_null(statement, index);
    else if (yyjson_is_bool(value))
        state = duckdb_bind_boolean(statement, index, yyjson_get_bool(value));
    else if (yyjson_is_uint(value) && yyjson_get_uint(value) > INT64_MAX)
        state = duckdb_bind_uint64(statement, index, yyjson_get_uint(value));
    else if (yyjson_is_int(value))
        state = duckdb_bind_int64(statement, index, yyjson_get_sint(value));
    else if (yyjson_is_real(value))
        state = duckdb_bind_double(statement, index, yyjson_get_real(value));
    else if (yyjson_is_str(value))
        state = duckdb_bind_varchar_length(statement, index, yyjson_get_str(value),
                                           yyjson_get_len(value));
    else
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "parameter %.*s is %s; a parameter is null, a boolean, a number or a "
                         "string",
                         STR_ARG(name), json_kind_name(value));
    if (state != DuckDBSuccess)
        return error_set(err, STATUS_INVALID_ARGUMENT, "parameter %.*s cannot be set",
                         STR_ARG(name));
    return STATUS_OK;
}

/* Numbered parameters are named "1", "2" ... by the engine. */
static bool is_number(const char *name)
{
    int64_t number;
    return str_to_int64(str_of(name), &number);
}

static yyjson_val *find_named(yyjson_val *object, struct str name)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        if (str_eq_nocase(json_str_of(key), name))
            return value;
    }
    return NULL;
}

static enum status bind_by_name(duckdb_prepared_statement statement, idx_t index, const char *name,
                                yyjson_val *values, struct error *err)
{
    if (is_number(name))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the statement has positional parameters: give an array");
    yyjson_val *value = find_named(values, str_of(name));
    if (!value)
        return error_set(err, STATUS_INVALID_ARGUMENT, "parameter $%s has no value", name);
    return bind_one(statement, index, str_of(name), value, err);
}

static enum status bind_by_position(duckdb_prepared_statement statement, idx_t index,
                                    const char *name, yyjson_val *values, struct error *err)
{
    int64_t position;
    if (!str_to_int64(str_of(name), &position))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the statement has the named parameter $%s: give an object", name);
    yyjson_val *value = position > 0 ? yyjson_arr_get(values, (size_t)position - 1) : NULL;
    if (!value)
        return error_set(err, STATUS_INVALID_ARGUMENT, "parameter $%s has no value", name);
    return bind_one(statement, index, str_of(name), value, err);
}

enum status params_bind(duckdb_prepared_statement statement, yyjson_val *values, struct error *err)
{
    idx_t wanted = duckdb_nparams(statement);
    bool none = !values || yyjson_is_null(values);
    size_t given = none                    ? 0
                   : yyjson_is_obj(values) ? yyjson_obj_size(values)
                                           : yyjson_arr_size(values);
    if (!none && !yyjson_is_obj(values) && !yyjson_is_arr(values))
        return error_set(err, STATUS_INVALID_ARGUMENT, "parameters are an array or an object");
    if (given != wanted || given > SQL_PARAMETERS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the statement has %llu parameters, %zu were given",
                         (unsigned long long)wanted, given);
    for (idx_t i = 1; i <= wanted; i++) {
        const char *name = duckdb_parameter_name(statement, i);
        enum status status = !name ? error_no_memory(err)
                             : yyjson_is_obj(values)
                                 ? bind_by_name(statement, i, name, values, err)
                                 : bind_by_position(statement, i, name, values, err);
        duckdb_free((void *)(uintptr_t)name);
        TRY(status);
    }
    return STATUS_OK;
}
