#include "base/json.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/utf8.h"

void json_writer_init(struct json_writer *w, struct buf *buf)
{
    *w = (struct json_writer){.buf = buf};
}

static void before_value(struct json_writer *w)
{
    if (w->need_comma)
        buf_append_char(w->buf, ',');
    w->need_comma = true;
}

static void begin(struct json_writer *w, char c)
{
    before_value(w);
    assert(w->depth < JSON_WRITER_DEPTH_MAX);
    w->depth++;
    w->need_comma = false;
    buf_append_char(w->buf, c);
}

static void end(struct json_writer *w, char c)
{
    assert(w->depth > 0);
    w->depth--;
    w->need_comma = true;
    buf_append_char(w->buf, c);
}

void json_begin_object(struct json_writer *w)
{
    begin(w, '{');
}

void json_end_object(struct json_writer *w)
{
    end(w, '}');
}

void json_begin_array(struct json_writer *w)
{
    begin(w, '[');
}

void json_end_array(struct json_writer *w)
{
    end(w, ']');
}

/* 0: as it is; 'u': \u00XX; else the letter behind the backslash. */
static char escape_of(unsigned char c)
{
    switch (c) {
    case '"':
    case '\\':
        return (char)c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return c < 0x20 ? 'u' : 0;
    }
}

static void append_escape(struct buf *buf, unsigned char c, char escape)
{
    static const char hex[] = "0123456789abcdef";
    if (escape == 'u') {
        char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        buf_append(buf, text, sizeof text);
    } else {
        char text[2] = {'\\', escape};
        buf_append(buf, text, sizeof text);
    }
}

/* Bytes before the first that needs an escape: a quote, a backslash or a control character. Eight
 * at a time, by Mycroft's test for a byte below n ("Determine if a word has a byte less than n",
 * Bit Twiddling Hacks). */
static size_t plain_prefix(const char *data, size_t len)
{
    const uint64_t ones = ~UINT64_C(0) / 255, highs = ones * 0x80;
    size_t i = 0;
    for (uint64_t word; len - i >= sizeof word; i += sizeof word) {
        memcpy(&word, data + i, sizeof word);
        uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
        uint64_t found = ((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) |
                         ((backslash - ones) & ~backslash);
        if (found & highs)
            break;
    }
    while (i < len && !escape_of((unsigned char)data[i]))
        i++;
    return i;
}

/* A stretch of valid UTF-8. */
static void append_escaped(struct buf *buf, const char *data, size_t len)
{
    size_t start = 0;
    for (size_t i = plain_prefix(data, len); i < len;
         i += 1 + plain_prefix(data + i + 1, len - i - 1)) {
        unsigned char c = (unsigned char)data[i];
        buf_append(buf, data + start, i - start);
        append_escape(buf, c, escape_of(c));
        start = i + 1;
    }
    buf_append(buf, data + start, len - start);
}

static void append_string(struct buf *buf, struct str value)
{
    if (!buf_reserve(buf, value.len + 2))
        return;
    buf_append_char(buf, '"');
    while (value.len) {
        size_t valid = utf8_valid_prefix(value.data, value.len);
        append_escaped(buf, value.data, valid);
        if (valid == value.len)
            break;
        buf_append(buf, "\xEF\xBF\xBD", 3);
        value = str_make(value.data + valid + 1, value.len - valid - 1);
    }
    buf_append_char(buf, '"');
}

void json_key(struct json_writer *w, struct str key)
{
    before_value(w);
    append_string(w->buf, key);
    buf_append_char(w->buf, ':');
    w->need_comma = false;
}

void json_key_raw(struct json_writer *w, struct str text)
{
    before_value(w);
    buf_append_str(w->buf, text);
    w->need_comma = false;
}

void json_keyz(struct json_writer *w, const char *key)
{
    json_key(w, str_of(key));
}

void json_string(struct json_writer *w, struct str value)
{
    if (!value.data) {
        json_null(w);
        return;
    }
    before_value(w);
    append_string(w->buf, value);
}

void json_stringz(struct json_writer *w, const char *value)
{
    json_string(w, str_of(value));
}

void json_raw(struct json_writer *w, struct str json)
{
    before_value(w);
    buf_append_str(w->buf, json);
}

void json_uint(struct json_writer *w, uint64_t value)
{
    char text[20];
    size_t at = sizeof text;
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    json_raw(w, str_make(text + at, sizeof text - at));
}

void json_int(struct json_writer *w, int64_t value)
{
    if (value >= 0) {
        json_uint(w, (uint64_t)value);
        return;
    }
    before_value(w);
    buf_append_char(w->buf, '-');
    w->need_comma = false;
    json_uint(w, 0 - (uint64_t)value);
}

/* Numbers of at most four decimals and 15 digits, as most are: a decimal of so few digits that is
 * nearest to the double is its shortest text. 0: it is another number. */
static size_t short_decimal(double value, char out[JSON_DOUBLE_TEXT_MAX])
{
    static const double scale = 10000, most = 1e15;
    char reversed[24];
    size_t n = 0, len = 0;
    if (!(fabs(value) >= 1 / scale && fabs(value) < most / scale))
        return 0;
    uint64_t digits = (uint64_t)(fabs(value) * scale + 0.5);
    if ((double)digits / scale != fabs(value))
        return 0;
    for (int decimals = 4; decimals > 0; decimals--, digits /= 10)
        if (n || digits % 10 || decimals == 1)
            reversed[n++] = (char)('0' + digits % 10);
    reversed[n++] = '.';
    do
        reversed[n++] = (char)('0' + digits % 10);
    while (digits /= 10);
    if (value < 0)
        out[len++] = '-';
    while (n)
        out[len++] = reversed[--n];
    out[len] = 0;
    return len;
}

size_t json_double_text(double value, char out[JSON_DOUBLE_TEXT_MAX])
{
    int n = (int)short_decimal(value, out);
    if (n)
        return (size_t)n;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(out, JSON_DOUBLE_TEXT_MAX, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    if (!strpbrk(out, ".e")) /* keeps a double a double for readers that care */
        n += snprintf(out + n, JSON_DOUBLE_TEXT_MAX - (size_t)n, ".0");
    return (size_t)n;
}

void json_double(struct json_writer *w, double value)
{
    if (!isfinite(value)) {
        json_null(w);
        return;
    }
    char text[JSON_DOUBLE_TEXT_MAX];
    size_t n = json_double_text(value, text);
    json_raw(w, str_make(text, n));
}

void json_bool(struct json_writer *w, bool value)
{
    json_raw(w, value ? STR("true") : STR("false"));
}

void json_null(struct json_writer *w)
{
    json_raw(w, STR("null"));
}

static void json_members(struct json_writer *w, yyjson_val *object)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        json_key(w, json_str_of(key));
        json_value(w, value);
    }
}

static void json_number(struct json_writer *w, yyjson_val *value)
{
    if (yyjson_is_uint(value))
        json_uint(w, yyjson_get_uint(value));
    else if (yyjson_is_sint(value))
        json_int(w, yyjson_get_sint(value));
    else
        json_double(w, yyjson_get_real(value));
}

/* Recursion is bounded: json_parse refuses documents deeper than JSON_DEPTH_MAX. */
void json_value(struct json_writer *w, yyjson_val *value)
{
    size_t i, max;
    yyjson_val *item;
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_BOOL:
        json_bool(w, yyjson_get_bool(value));
        break;
    case YYJSON_TYPE_NUM:
        json_number(w, value);
        break;
    case YYJSON_TYPE_RAW: /* a number kept as its text */
        json_raw(w, str_make(yyjson_get_raw(value), yyjson_get_len(value)));
        break;
    case YYJSON_TYPE_STR:
        json_string(w, json_str_of(value));
        break;
    case YYJSON_TYPE_ARR:
        json_begin_array(w);
        yyjson_arr_foreach(value, i, max, item)
        {
            json_value(w, item);
        }
        json_end_array(w);
        break;
    case YYJSON_TYPE_OBJ:
        json_begin_object(w);
        json_members(w, value);
        json_end_object(w);
        break;
    default:
        json_null(w);
    }
}

void json_kv_str(struct json_writer *w, const char *key, struct str value)
{
    json_keyz(w, key);
    json_string(w, value);
}

void json_kv_strz(struct json_writer *w, const char *key, const char *value)
{
    json_keyz(w, key);
    json_stringz(w, value);
}

void json_kv_int(struct json_writer *w, const char *key, int64_t value)
{
    json_keyz(w, key);
    json_int(w, value);
}

void json_kv_double(struct json_writer *w, const char *key, double value)
{
    json_keyz(w, key);
    json_double(w, value);
}

void json_kv_bool(struct json_writer *w, const char *key, bool value)
{
    json_keyz(w, key);
    json_bool(w, value);
}

void json_kv_null(struct json_writer *w, const char *key)
{
    json_keyz(w, key);
    json_null(w);
}
