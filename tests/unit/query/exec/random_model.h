/* random_model.h: random rows, random filters, and a slow and plain judge of whether a row matches:
 * it works on the JSON values themselves and shares no code with query/filter. From a seed. */
#ifndef QUARRY_TEST_RANDOM_MODEL_H
#define QUARRY_TEST_RANDOM_MODEL_H

#include <regex.h>
#include <stdio.h>

#include "unit/query/filter/view_builder.h"

#define MODEL_SCHEMA "id:int64,i:int64,x:double,s:string,d:date,t:timestamp,b:bool,j:json"
#define MODEL_NARROW "id:int64,i:int64,x:int64,s:string,d:date,t:date,b:bool,j:json"
enum { MODEL_COLUMNS = 8 };

static uint64_t model_state;

static inline uint32_t model_random(uint32_t n)
{
    model_state ^= model_state << 13;
    model_state ^= model_state >> 7;
    model_state ^= model_state << 17;
    return (uint32_t)((model_state >> 16) % n);
}

#define PICK(list) list[model_random(sizeof(list) / sizeof *(list))]

static const char *const model_ints[] = {"0",
                                         "1",
                                         "2",
                                         "3",
                                         "-1",
                                         "7",
                                         "-9223372036854775808",
                                         "42",
                                         "-7",
                                         "9223372036854775807",
                                         "9007199254740993"};
static const char *const model_reals[] = {"0.0",  "-0.0",   "0.5", "2.0",   "-1.5",
                                          "1e18", "5e-324", "3.0", "1e300", "9007199254740992.0"};
static const char *const model_small[] = {"0", "1", "2", "3", "-1", "9007199254740992"};
static const char *const model_texts[] = {"\"\"",
                                          "\"a\"",
                                          "\"ab\"",
                                          "\"abc\"",
                                          "\"b\"",
                                          "\"B\"",
                                          "\"a%\"",
                                          "\"a_\"",
                                          "\"\xc3\xa9\"",
                                          "\"a\\u0000b\"",
                                          "\"\xf0\x9f\x98\x80\"",
                                          "\"abab\""};
static const char *const model_dates[] = {"\"1970-01-01\"", "\"1969-12-31\"", "\"2024-02-29\"",
                                          "\"2024-03-01\"", "\"0001-01-01\""};
static const char *const model_times[] = {"\"1970-01-01\"", "\"1969-12-31T23:59:59.999999\"",
                                          "\"2024-02-29T12:00:00\"", "\"2024-03-01\"",
                                          "\"2024-02-29\""};
static const char *const model_jsons[] = {"5",         "5.5",   "\"a\"",         "true",
                                          "{\"k\":1}", "[1,2]", "{\"k\":\"a\"}", "\"ab\""};

static inline const char *model_value(int column, bool narrow)
{
    if (column > 0 && model_random(6) == 0)
        return "null";
    switch (column) {
    case 1:
        return PICK(model_ints);
    case 2:
        return narrow ? PICK(model_small) : PICK(model_reals);
    case 3:
        return PICK(model_texts);
    case 4:
        return PICK(model_dates);
    case 5:
        return narrow ? PICK(model_dates) : PICK(model_times);
    case 6:
        return model_random(2) ? "true" : "false";
    default:
        return PICK(model_jsons);
    }
}

/* Rows as a JSON array of arrays, ids from `first`. To be freed. */
static inline char *model_rows(uint32_t first, uint32_t rows, bool narrow)
{
    struct buf buf;
    buf_init(&buf, 1 << 26);
    buf_append_char(&buf, '[');
    for (uint32_t r = 0; r < rows; r++) {
        buf_printf(&buf, "%s[%u", r ? "," : "", first + r);
        for (int c = 1; c < MODEL_COLUMNS; c++)
            buf_printf(&buf, ",%s", model_value(c, narrow));
        buf_append_char(&buf, ']');
    }
    buf_append_char(&buf, ']');
    buf_append_char(&buf, 0);
    assert_false(buf_failed(&buf));
    return buf_take(&buf, NULL);
}

static inline const char *model_literal(int column)
{
    if (model_random(25) == 0)
        return "null";
    static char ids[8][16];
    static uint32_t next;
    switch (column) {
    case 0:
        next = (next + 1) % 8;
        snprintf(ids[next], sizeof ids[next], "%u", model_random(2000));
        return ids[next];
    case 1:
    case 2:
        return model_random(2) ? PICK(model_ints) : PICK(model_reals);
    case 4:
    case 5:
        return model_random(2) ? PICK(model_dates) : PICK(model_times);
    case 7:
        return model_random(2) ? PICK(model_texts) : PICK(model_reals);
    default:
        return model_value(column, false);
    }
}

static const char *const model_names[] = {"id", "i", "x", "s", "d", "t", "b", "j"};

static inline void model_condition(struct buf *buf, int column)
{
    static const char *const compare[] = {"eq", "ne", "gt", "lt", "gte", "lte"};
    static const char *const likes[] = {"a%",     "%b",  "%a%",   "_", "__",  "a_", "%",
                                        "a\\\\%", "_b%", "%a%b%", "",  "abc", "a%b"};
    static const char *const regexes[] = {"a", "^a", "b$", "^..$", "^$", "[ab]{2}", "a|B"};
    uint32_t kind = model_random(10);
    bool text = column == 3 || column == 7;
    if (kind == 0) {
        buf_printf(buf, "\"null\":%s", model_random(3) ? "false" : "true");
    } else if (kind <= 2) {
        buf_printf(buf, "\"%s\":[", model_random(2) ? "in" : "not_in");
        uint32_t n = model_random(6);
        for (uint32_t i = 0; i < n; i++)
            buf_printf(buf, "%s%s", i ? "," : "", model_literal(column));
        buf_append_char(buf, ']');
    } else if (kind == 3 && text) {
        buf_printf(buf, "\"like\":\"%s\"", PICK(likes));
    } else if (kind == 4 && text) {
        buf_printf(buf, "\"regex\":\"%s\"", PICK(regexes));
    } else {
        buf_printf(buf, "\"%s\":%s", PICK(compare), model_literal(column));
    }
}

/* A filter on one to three fields. To be freed. */
static inline char *model_filter(void)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    buf_append_char(&buf, '{');
    bool used[MODEL_COLUMNS] = {0};
    uint32_t fields = 1 + model_random(3), written = 0;
    for (uint32_t f = 0; f < fields; f++) {
        int column = (int)model_random(MODEL_COLUMNS);
        if (used[column])
            continue;
        used[column] = true;
        buf_printf(&buf, "%s\"%s\":{", written++ ? "," : "", model_names[column]);
        model_condition(&buf, column);
        buf_printf(&buf, "}");
    }
    buf_append_char(&buf, '}');
    buf_append_char(&buf, 0);
    assert_false(buf_failed(&buf));
    return buf_take(&buf, NULL);
}

/* --- the judge --- */

/* -1, 0, 1; 2 when the two cannot be compared. Long doubles hold every 64-bit integer. */
static inline int judge_order(int column, yyjson_val *a, yyjson_val *b)
{
    if (column == 4 || column == 5) {
        int64_t x = 0, y = 0;
        assert_true(timestamp_parse(json_str_of(a), &x) && timestamp_parse(json_str_of(b), &y));
        return x < y ? -1 : x > y;
    }
    if (yyjson_is_num(a) && yyjson_is_num(b)) {
        long double x = yyjson_is_real(a)   ? (long double)yyjson_get_real(a)
                        : yyjson_is_uint(a) ? (long double)yyjson_get_uint(a)
                                            : (long double)yyjson_get_sint(a);
        long double y = yyjson_is_real(b)   ? (long double)yyjson_get_real(b)
                        : yyjson_is_uint(b) ? (long double)yyjson_get_uint(b)
                                            : (long double)yyjson_get_sint(b);
        return x < y ? -1 : x > y;
    }
    if (yyjson_is_str(a) && yyjson_is_str(b)) {
        int order = str_cmp(json_str_of(a), json_str_of(b));
        return order < 0 ? -1 : order > 0;
    }
    if (yyjson_is_bool(a) && yyjson_is_bool(b))
        return (int)yyjson_get_bool(a) - (int)yyjson_get_bool(b);
    return 2;
}

static inline size_t judge_char(const char *t)
{
    unsigned char c = (unsigned char)*t;
    return c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
}

static inline bool judge_like(const char *p, const char *p_end, const char *t, const char *t_end)
{
    if (p == p_end)
        return t == t_end;
    if (*p == '%') {
        for (const char *at = t; at <= t_end; at += at < t_end ? judge_char(at) : 1)
            if (judge_like(p + 1, p_end, at, t_end))
                return true;
        return false;
    }
    if (t == t_end)
        return false;
    if (*p == '_')
        return judge_like(p + 1, p_end, t + judge_char(t), t_end);
    if (*p == '\\')
        p++;
    return *p == *t && judge_like(p + 1, p_end, t + 1, t_end);
}

/* A code point counts as one character, and NUL as an ordinary one that no pattern here names: both
 * are replaced by a letter that no pattern has. */
static inline bool judge_regex(struct str pattern, struct str text)
{
    regex_t regex;
    char copy[256];
    size_t len = 0;
    for (size_t i = 0; i < text.len; i += judge_char(text.data + i))
        copy[len++] = text.data[i] > 0 ? text.data[i] : 'z';
    copy[len] = 0;
    assert_int_equal(regcomp(&regex, pattern.data, REG_EXTENDED | REG_NOSUB), 0);
    int code = regexec(&regex, copy, 0, NULL, 0);
    regfree(&regex);
    return code == 0;
}

static inline bool judge_in(int column, yyjson_val *value, yyjson_val *list, bool *ret_null)
{
    size_t i, max;
    yyjson_val *item;
    bool found = false;
    yyjson_arr_foreach(list, i, max, item)
    {
        if (yyjson_is_null(item))
            *ret_null = true;
        else
            found |= judge_order(column, value, item) == 0;
    }
    return found;
}

static inline bool judge_condition(int column, yyjson_val *value, struct str op, yyjson_val *arg)
{
    bool null = yyjson_is_null(value);
    bool list_null = false;
    if (str_is(op, "null"))
        return null == yyjson_get_bool(arg);
    if (yyjson_is_null(arg))
        return str_is(op, "eq") ? null : str_is(op, "ne") && !null;
    if (null)
        return false;
    if (str_is(op, "in"))
        return judge_in(column, value, arg, &list_null);
    if (str_is(op, "not_in"))
        return !judge_in(column, value, arg, &list_null) && !list_null;
    if (str_is(op, "like")) {
        struct str p = json_str_of(arg), t = json_str_of(value);
        return yyjson_is_str(value) && judge_like(p.data, p.data + p.len, t.data, t.data + t.len);
    }
    if (str_is(op, "regex"))
        return yyjson_is_str(value) && judge_regex(json_str_of(arg), json_str_of(value));
    int order = judge_order(column, value, arg);
    if (str_is(op, "ne"))
        return order != 0;
    if (order == 2)
        return false;
    return str_is(op, "eq")    ? order == 0
           : str_is(op, "gt")  ? order > 0
           : str_is(op, "lt")  ? order < 0
           : str_is(op, "gte") ? order >= 0
                               : order <= 0;
}

static inline bool judge_row(yyjson_val *row, yyjson_val *filter)
{
    size_t i, max, k, ops;
    yyjson_val *name, *object, *op, *arg;
    yyjson_obj_foreach(filter, i, max, name, object)
    {
        int column = 0;
        while (!str_is(json_str_of(name), model_names[column]))
            column++;
        yyjson_obj_foreach(object, k, ops, op, arg)
        {
            if (!judge_condition(column, yyjson_arr_get(row, (size_t)column), json_str_of(op), arg))
                return false;
        }
    }
    return true;
}

#endif
