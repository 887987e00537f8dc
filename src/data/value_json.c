/* value_json.c: single values out of JSON trees: defaults of columns, in requests and on disk. */
#include <math.h>
#include <stdlib.h>

#include "base/datetime.h"
#include "data/value.h"

static bool read_integer(yyjson_val *json, int64_t *ret)
{
    if (!yyjson_is_int(json) || (yyjson_is_uint(json) && yyjson_get_uint(json) > INT64_MAX))
        return false;
    *ret = yyjson_get_sint(json);
    return true;
}

static bool read_json(yyjson_val *json, struct arena *arena, struct str *ret)
{
    size_t len;
    char *text = yyjson_val_write(json, 0, &len);
    *ret = text ? arena_str(arena, str_make(text, len)) : STR_NONE;
    free(text);
    return ret->data != NULL;
}

static bool read_date(struct str text, int64_t *ret)
{
    int32_t days;
    if (!text.data || !date_parse(text, &days))
        return false;
    *ret = days;
    return true;
}

bool value_read_json(yyjson_val *json, enum type type, struct arena *arena, struct value *ret)
{
    struct str text = json_str_of(json);
    *ret = (struct value){.type = type, .is_null = yyjson_is_null(json)};
    if (ret->is_null)
        return true;
    switch (type) {
    case TYPE_BOOL:
        ret->boolean = yyjson_get_bool(json);
        return yyjson_is_bool(json);
    case TYPE_INT64:
        return read_integer(json, &ret->int64);
    case TYPE_DOUBLE:
        ret->real = yyjson_get_num(json);
        return yyjson_is_num(json) && isfinite(ret->real);
    case TYPE_DATE:
        return read_date(text, &ret->int64);
    case TYPE_TIMESTAMP:
        return text.data && timestamp_parse(text, &ret->int64);
    case TYPE_JSON:
        return read_json(json, arena, &ret->bytes);
    default:
        ret->bytes = text.data ? arena_str(arena, text) : STR_NONE;
        return ret->bytes.data != NULL;
    }
}

bool value_copy(struct arena *arena, const struct value *from, struct value *to)
{
    *to = *from;
    if (from->is_null || !type_is_bytes(from->type))
        return true;
    to->bytes = arena_str(arena, from->bytes.data ? from->bytes : STR(""));
    return to->bytes.data != NULL;
}
