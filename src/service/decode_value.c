/* One value against one field of the list: from JSON, from text (path, query, header), by default.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"
#include "service/nearest.h"
#include "service/service_int.h"

static void at_field(struct error *err, const char *where, struct str value)
{
    error_at_field(err, where, (uint32_t)strlen(where), value.data ? value.data : "",
                   (uint32_t)(value.len < 200 ? value.len : 200));
}

static enum status wrong_type(const struct op_field *field, const char *where, yyjson_val *json,
                              struct error *err)
{
    enum status status = error_set(err, STATUS_INVALID_ARGUMENT, "'%s' must be %s, not %s", where,
                                   field_type_name(field), json_kind_name(json));
    at_field(err, where, yyjson_is_str(json) ? json_str_of(json) : STR_NONE);
    return status;
}

static enum status check_range(const struct op_field *field, const char *where, double number,
                               struct str text, struct error *err)
{
    if (!field->ranged || (number >= (double)field->min && number <= (double)field->max))
        return STATUS_OK;
    enum status status;
    if (field->max == INT64_MAX)
        status = error_set(err, STATUS_INVALID_ARGUMENT, "'%s' must be %s of at least %" PRId64,
                           where, field_type_name(field), field->min);
    else
        status =
            error_set(err, STATUS_INVALID_ARGUMENT, "'%s' must be %s from %" PRId64 " to %" PRId64,
                      where, field_type_name(field), field->min, field->max);
    at_field(err, where, text);
    return status;
}

static enum status check_choice(const struct op_field *field, const char *where, struct str text,
                                struct error *err)
{
    if (!field->choices)
        return STATUS_OK;
    struct str rest = str_of(field->choices), choice;
    while (str_split(&rest, '|', &choice))
        if (str_eq(choice, text))
            return STATUS_OK;
    char words[256];
    size_t n = 0;
    rest = str_of(field->choices);
    while (str_split(&rest, '|', &choice) && n + choice.len + 3 < sizeof words)
        n +=
            (size_t)snprintf(words + n, sizeof words - n, "%s%.*s", n ? ", " : "", STR_ARG(choice));
    enum status status =
        error_set(err, STATUS_INVALID_ARGUMENT, "'%s' must be one of %s", where, words);
    at_field(err, where, text);
    return status;
}

static enum status integer_of(const struct op_field *field, yyjson_val *json, const char *where,
                              struct field_value *ret, struct error *err)
{
    if (!yyjson_is_int(json))
        return wrong_type(field, where, json, err);
    char text[32];
    if (yyjson_is_uint(json) && yyjson_get_uint(json) > INT64_MAX) {
        int n = snprintf(text, sizeof text, "%" PRIu64, yyjson_get_uint(json));
        enum status status = error_set(err, STATUS_INVALID_ARGUMENT,
                                       "'%s' is beyond 64 bits: %s is not possible", where, text);
        at_field(err, where, str_make(text, (size_t)n));
        return status;
    }
    ret->integer = yyjson_get_sint(json);
    ret->number = (double)ret->integer;
    int n = snprintf(text, sizeof text, "%" PRId64, ret->integer);
    return check_range(field, where, ret->number, str_make(text, (size_t)n), err);
}

static enum status number_of(const struct op_field *field, yyjson_val *json, const char *where,
                             struct field_value *ret, struct error *err)
{
    if (!yyjson_is_num(json))
        return wrong_type(field, where, json, err);
    char text[JSON_DOUBLE_TEXT_MAX];
    ret->number = yyjson_get_num(json);
    size_t n = json_double_text(ret->number, text);
    return check_range(field, where, ret->number, str_make(text, n), err);
}

static bool all_strings(yyjson_val *json)
{
    yyjson_val *key, *item;
    size_t i, max;
    if (yyjson_is_arr(json)) {
        yyjson_arr_foreach(json, i, max, item)
        {
            if (!yyjson_is_str(item))
                return false;
        }
    } else {
        yyjson_obj_foreach(json, i, max, key, item)
        {
            if (!yyjson_is_str(item))
                return false;
        }
    }
    return true;
}

static enum status decode_shape(const struct shape *shape, yyjson_val *json, const char *where,
                                struct error *err)
{
    yyjson_val *key, *value;
    size_t i, max;
    char path[2 * ERROR_NAME_MAX];
    yyjson_obj_foreach(json, i, max, key, value)
    {
        if (field_find(shape->fields, json_str_of(key)) < 0)
            return decode_unknown("field", json_str_of(key), shape->fields, NULL, where, err);
    }
    for (const struct op_field *field = shape->fields; field->name; field++) {
        struct field_value ignored = {0};
        snprintf(path, sizeof path, "%s.%s", where, field->name);
        value = json_get(json, field->name);
        if (value && !yyjson_is_null(value))
            TRY(decode_json_value(field, value, path, &ignored, err));
        else if (field->required)
            return decode_missing(field, path, err);
    }
    return STATUS_OK;
}

static enum status decode_list(const struct op_field *field, yyjson_val *json, const char *where,
                               struct error *err)
{
    yyjson_val *item;
    size_t i, max;
    if (!yyjson_is_arr(json))
        return wrong_type(field, where, json, err);
    yyjson_arr_foreach(json, i, max, item)
    {
        char path[ERROR_NAME_MAX];
        snprintf(path, sizeof path, "%s[%zu]", where, i);
        if (!yyjson_is_obj(item)) {
            enum status status =
                error_set(err, STATUS_INVALID_ARGUMENT, "'%s' must be an object, not %s", path,
                          json_kind_name(item));
            at_field(err, path, STR_NONE);
            return status;
        }
        TRY(decode_shape(field->shape, item, path, err));
    }
    return STATUS_OK;
}

static bool type_fits(enum field_type type, yyjson_val *json)
{
    switch (type) {
    case FIELD_BOOL:
        return yyjson_is_bool(json);
    case FIELD_OBJECT:
        return yyjson_is_obj(json);
    case FIELD_ARRAY:
        return yyjson_is_arr(json);
    case FIELD_STRINGS:
        return yyjson_is_arr(json) && all_strings(json);
    case FIELD_STRING_MAP:
        return yyjson_is_obj(json) && all_strings(json);
    case FIELD_STRING_OR_OBJECT:
        return yyjson_is_str(json) || yyjson_is_obj(json);
    case FIELD_STRING:
        return yyjson_is_str(json);
    default:
        return true;
    }
}

enum status decode_json_value(const struct op_field *field, yyjson_val *json, const char *where,
                              struct field_value *ret, struct error *err)
{
    *ret = (struct field_value){.present = true, .json = json};
    if (!type_fits(field->type, json))
        return wrong_type(field, where, json, err);
    if (field->type == FIELD_INT)
        return integer_of(field, json, where, ret, err);
    if (field->type == FIELD_NUMBER)
        return number_of(field, json, where, ret, err);
    if (field->type == FIELD_LIST)
        return decode_list(field, json, where, err);
    ret->boolean = yyjson_is_true(json);
    if (yyjson_is_str(json))
        ret->text = json_str_of(json);
    return field->type == FIELD_STRING ? check_choice(field, where, ret->text, err) : STATUS_OK;
}

enum status decode_text_value(const struct op_field *field, struct str text,
                              struct field_value *ret, struct error *err)
{
    bool good = utf8_is_valid(text.data, text.len);
    *ret = (struct field_value){.present = true, .text = text};
    if (good && field->type == FIELD_INT) {
        good = str_to_int64(text, &ret->integer);
        ret->number = (double)ret->integer;
    } else if (good && field->type == FIELD_NUMBER) {
        good = str_to_double(text, &ret->number);
    } else if (good && field->type == FIELD_BOOL) {
        ret->boolean = str_is(text, "true");
        good = ret->boolean || str_is(text, "false");
    }
    if (!good) {
        enum status status =
            error_set(err, STATUS_INVALID_ARGUMENT, "'%s' must be %s%s", field->name,
                      field_type_name(field), field->type == FIELD_STRING ? " of valid UTF-8" : "");
        at_field(err, field->name, text);
        return status;
    }
    TRY(check_range(field, field->name, ret->number, text, err));
    return field->type == FIELD_STRING ? check_choice(field, field->name, text, err) : STATUS_OK;
}

/* Defaults of the list are numbers, true, false, "[]", or strings without escapes. */
struct field_value decode_default(const struct op_field *field)
{
    struct field_value value = {0};
    const char *text = field->fallback;
    if (!text)
        return value;
    if (field->type == FIELD_INT)
        value.integer = strtoll(text, NULL, 10);
    if (field->type == FIELD_INT || field->type == FIELD_NUMBER)
        value.number = strtod(text, NULL);
    if (field->type == FIELD_STRING)
        value.text = str_make(text + 1, strlen(text) - 2);
    value.boolean = field->type == FIELD_BOOL && text[0] == 't';
    return value;
}

enum status decode_missing(const struct op_field *field, const char *where, struct error *err)
{
    enum status status = error_set(err, STATUS_INVALID_ARGUMENT, "'%s' is required: %s", where,
                                   field_type_name(field));
    at_field(err, where, STR_NONE);
    return status;
}

enum status decode_unknown(const char *what, struct str name, const struct op_field *fields,
                           bool (*wanted)(const struct op_field *field), const char *prefix,
                           struct error *err)
{
    struct nearest nearest = nearest_begin(name);
    char known[256] = "";
    size_t n = 0;
    for (const struct op_field *field = fields; field->name; field++) {
        if (wanted && !wanted(field))
            continue;
        nearest_offer(&nearest, field->name);
        if (n + strlen(field->name) + 3 < sizeof known)
            n += (size_t)snprintf(known + n, sizeof known - n, "%s%s", n ? ", " : "", field->name);
    }
    char path[ERROR_NAME_MAX];
    int shown = name.len < 80 ? (int)name.len : 80;
    snprintf(path, sizeof path, "%s%s%.*s", prefix ? prefix : "", prefix ? "." : "", shown,
             name.data);
    enum status status;
    if (nearest.best)
        status = error_set(err, STATUS_INVALID_ARGUMENT, "unknown %s '%s'; did you mean '%s'?",
                           what, path, nearest.best);
    else if (known[0])
        status = error_set(err, STATUS_INVALID_ARGUMENT, "unknown %s '%s'; known are %s", what,
                           path, known);
    else
        status =
            error_set(err, STATUS_INVALID_ARGUMENT, "unknown %s '%s'; there are none", what, path);
    at_field(err, path, STR_NONE);
    return status;
}
