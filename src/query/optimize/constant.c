/* constant.c: values that are written in a statement or given as its parameters. Each is taken only
 * in the form that means the same to every reader:
 *
 *   whole numbers   within int64
 *   numbers         of at most 15 digits (a double and the engine's DECIMAL agree)
 *   texts           without U+0000
 *   dates           'YYYY-MM-DD', also as DATE '...'
 *   timestamps      'YYYY-MM-DD[ hh:mm:ss[.ffffff]]', also as TIMESTAMP '...'
 */
#include <stdio.h>

#include "base/datetime.h"
#include "query/optimize/statement_int.h"

enum { DIGITS_EXACT = 15, LITERAL_TEXT = 64 };

static uint32_t parameters_before(const struct node *node, uint32_t offset)
{
    uint32_t n = 0;
    if (!node)
        return 0;
    if (node->kind == N_PARAM)
        return str_is(node->text, "?") && node->offset < offset;
    for (size_t i = 0; i < node->count; i++)
        n += parameters_before(kid(node, i), offset);
    return n;
}

/* NULL: there is none. */
static yyjson_val *parameter(const struct reader *reader, const struct node *node)
{
    int64_t number;
    struct str name = str_make(node->text.data + 1, node->text.len - 1);
    if (str_is(node->text, "?"))
        return yyjson_arr_get(reader->parameters, parameters_before(reader->root, node->offset));
    if (node->text.data[0] != '$' || name.len == 0)
        return NULL;
    if (str_to_int64(name, &number))
        return number > 0 ? yyjson_arr_get(reader->parameters, (size_t)number - 1) : NULL;
    return yyjson_obj_getn(reader->parameters, name.data, name.len);
}

/* A number as text, with its sign; false when it is none. */
static bool number_text(const struct node *node, char out[LITERAL_TEXT])
{
    bool minus = node_is(node, N_UNARY) && str_is(node->text, "-");
    const struct node *number = minus ? kid(node, 0) : node;
    if (!node_is(number, N_NUMBER) || number->text.len + 2 > LITERAL_TEXT)
        return false;
    snprintf(out, LITERAL_TEXT, "%s%.*s", minus ? "-" : "", STR_ARG(number->text));
    return true;
}

bool constant_whole(const struct reader *reader, const struct node *node, int64_t *ret)
{
    char text[LITERAL_TEXT];
    if (node_is(node, N_PARAM)) {
        yyjson_val *value = parameter(reader, node);
        *ret = yyjson_get_sint(value);
        return yyjson_is_sint(value) || (yyjson_is_uint(value) && *ret >= 0);
    }
    return number_text(node, text) && str_to_int64(str_of(text), ret);
}

/* Digits and at most one point. */
static bool is_short_decimal(const char *text)
{
    size_t digits = 0, points = 0;
    for (const char *c = text + (text[0] == '-'); *c; c++) {
        digits += *c >= '0' && *c <= '9';
        points += *c == '.';
        if ((*c < '0' || *c > '9') && *c != '.')
            return false;
    }
    return digits > 0 && digits <= DIGITS_EXACT && points <= 1;
}

bool constant_real(const struct reader *reader, const struct node *node, double *ret)
{
    char text[LITERAL_TEXT];
    if (node_is(node, N_PARAM)) {
        yyjson_val *given = parameter(reader, node);
        *ret = yyjson_get_real(given);
        return yyjson_is_real(given);
    }
    return number_text(node, text) && is_short_decimal(text) && sscanf(text, "%lf", ret) == 1;
}

bool constant_text(const struct reader *reader, const struct node *node, struct str *ret)
{
    if (node_is(node, N_STRING) && !node_has_other(node, 0))
        *ret = node->text;
    else if (node_is(node, N_PARAM))
        *ret = json_str_of(parameter(reader, node));
    else
        return false;
    return ret->data && !memchr(ret->data, 0, ret->len);
}

/* The text of a time: a string, or one that is cast to `type`. */
static bool time_text(const struct node *node, const char *type, struct str *ret)
{
    if (node_is(node, N_CAST)) {
        const struct node *to = kid(node, 1);
        if (node_has_other(node, NODE_NO_PARENS) || kid(node, 2) || !node_is(to, N_TYPE) ||
            to->count || !str_is(to->text, type))
            return false;
        node = kid(node, 0);
    }
    if (!node_is(node, N_STRING) || node_has_other(node, 0))
        return false;
    *ret = node->text;
    return true;
}

bool constant_date_text(struct str text, int32_t *ret)
{
    return text.len == 10 && text.data[0] != '-' && text.data[4] == '-' && text.data[7] == '-' &&
           date_parse(text, ret);
}

bool constant_date(const struct node *node, int32_t *ret)
{
    struct str text;
    return time_text(node, "DATE", &text) && constant_date_text(text, ret);
}

/* "YYYY-MM-DD hh:mm:ss" and perhaps a point and digits. */
static bool is_plain_time(struct str text)
{
    int32_t days;
    bool plain = text.len >= 19 && text.len <= 26 &&
                 (text.data[10] == ' ' || text.data[10] == 'T') &&
                 constant_date_text(str_make(text.data, 10), &days) && text.data[13] == ':' &&
                 text.data[16] == ':' && text.data[17] < '6' &&
                 (text.len == 19 || (text.data[19] == '.' && text.len > 20));
    for (size_t i = 20; plain && i < text.len; i++)
        plain = text.data[i] >= '0' && text.data[i] <= '9';
    return plain;
}

bool constant_time_text(struct str text, int64_t *ret)
{
    char whole[LITERAL_TEXT];
    int32_t days;
    if (constant_date_text(text, &days))
        snprintf(whole, sizeof whole, "%.*sT00:00:00", STR_ARG(text));
    else if (is_plain_time(text))
        snprintf(whole, sizeof whole, "%.10sT%.*s", text.data, (int)text.len - 11, text.data + 11);
    else
        return false;
    return timestamp_parse(str_of(whole), ret);
}

bool constant_time(const struct node *node, int64_t *ret)
{
    struct str text;
    int32_t days;
    if (time_text(node, "TIMESTAMP", &text))
        return constant_time_text(text, ret);
    return time_text(node, "DATE", &text) && constant_date_text(text, &days) &&
           constant_time_text(text, ret);
}

bool constant_bool(const struct reader *reader, const struct node *node, bool *ret)
{
    if (node_is(node, N_PARAM)) {
        yyjson_val *given = parameter(reader, node);
        *ret = yyjson_get_bool(given);
        return yyjson_is_bool(given);
    }
    *ret = node_is(node, N_BOOL) && str_eq_nocase(node->text, STR("TRUE"));
    return node_is(node, N_BOOL);
}
