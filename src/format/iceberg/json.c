/* json.c: see json_int.h. */
#include "format/iceberg/json_int.h"

enum status iceberg_json_int64(yyjson_val *object, const char *key, int64_t *ret, struct error *err)
{
    yyjson_val *value = json_get(object, key);
    if (!yyjson_is_int(value) || (yyjson_is_uint(value) && yyjson_get_uint(value) > INT64_MAX))
        return error_set(err, STATUS_CORRUPT, "'%s' must be an integer and is %s", key,
                         value ? json_kind_name(value) : "absent");
    *ret = yyjson_get_sint(value);
    return STATUS_OK;
}

enum status iceberg_json_int32(yyjson_val *object, const char *key, int32_t *ret, struct error *err)
{
    int64_t wide;
    TRY(iceberg_json_int64(object, key, &wide, err));
    if (wide < INT32_MIN || wide > INT32_MAX)
        return error_set(err, STATUS_CORRUPT, "'%s' is beyond 32 bits", key);
    *ret = (int32_t)wide;
    return STATUS_OK;
}

static bool is_absent(yyjson_val *object, const char *key)
{
    yyjson_val *value = json_get(object, key);
    return !value || yyjson_is_null(value);
}

enum status iceberg_json_int64_or(yyjson_val *object, const char *key, int64_t fallback,
                                  int64_t *ret, struct error *err)
{
    *ret = fallback;
    return is_absent(object, key) ? STATUS_OK : iceberg_json_int64(object, key, ret, err);
}

enum status iceberg_json_int32_or(yyjson_val *object, const char *key, int32_t fallback,
                                  int32_t *ret, struct error *err)
{
    *ret = fallback;
    return is_absent(object, key) ? STATUS_OK : iceberg_json_int32(object, key, ret, err);
}

enum status iceberg_json_str(yyjson_val *object, const char *key, struct arena *arena,
                             struct str *ret, struct error *err)
{
    yyjson_val *value = json_get(object, key);
    if (!yyjson_is_str(value))
        return error_set(err, STATUS_CORRUPT, "'%s' must be a string and is %s", key,
                         value ? json_kind_name(value) : "absent");
    *ret = arena_str(arena, json_str_of(value));
    return ret->data ? STATUS_OK : error_no_memory(err);
}

enum status iceberg_json_str_opt(yyjson_val *object, const char *key, struct arena *arena,
                                 struct str *ret, struct error *err)
{
    *ret = STR_NONE;
    return is_absent(object, key) ? STATUS_OK : iceberg_json_str(object, key, arena, ret, err);
}
