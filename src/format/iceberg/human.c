/* human.c: partition values as text and as names of folders. */
#include "base/datetime.h"
#include "format/iceberg/transform.h"

static void human_time(enum iceberg_transform_kind kind, int64_t value, struct buf *out)
{
    char text[DATE_TEXT_MAX];
    if (kind == ICEBERG_YEAR) {
        buf_printf(out, "%04lld", (long long)value + 1970);
    } else if (kind == ICEBERG_MONTH) {
        int64_t year = value / 12 - (value % 12 < 0);
        buf_printf(out, "%04lld-%02lld", (long long)year + 1970,
                   (long long)(value - year * 12 + 1));
    } else {
        int64_t days = value / 24 - (value % 24 < 0);
        size_t len = date_format((int32_t)days, text);
        buf_append(out, text, len);
        buf_printf(out, "-%02lld", (long long)(value - days * 24));
    }
}

void iceberg_human_value(struct iceberg_transform transform, const struct value *value,
                         struct buf *out)
{
    char text[JSON_DOUBLE_TEXT_MAX + TIMESTAMP_TEXT_MAX];
    if (value->is_null)
        buf_append_str(out, STR("null"));
    else if (transform.kind == ICEBERG_YEAR || transform.kind == ICEBERG_MONTH ||
             transform.kind == ICEBERG_HOUR)
        human_time(transform.kind, value->int64, out);
    else if (type_is_bytes(value->type))
        buf_append_str(out, value->bytes);
    else if (value->type == TYPE_BOOL)
        buf_append_str(out, value->boolean ? STR("true") : STR("false"));
    else if (value->type == TYPE_DOUBLE)
        buf_append(out, text, json_double_text(value->real, text));
    else if (value->type == TYPE_DATE)
        buf_append(out, text, date_format((int32_t)value->int64, text));
    else if (value->type == TYPE_TIMESTAMP)
        buf_append(out, text, timestamp_format(value->int64, text));
    else
        buf_printf(out, "%lld", (long long)value->int64);
}

/* application/x-www-form-urlencoded, as java.net.URLEncoder. */
static void append_encoded(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '.' ||
                     c == '-' || c == '*' || c == '_';
        if (plain)
            buf_append_char(out, (char)c);
        else if (c == ' ')
            buf_append_char(out, '+');
        else
            buf_printf(out, "%%%02X", c);
    }
}

void iceberg_partition_name(struct str name, struct iceberg_transform transform,
                            const struct value *value, struct buf *out)
{
    struct buf text;
    buf_init(&text, out->max);
    iceberg_human_value(transform, value, &text);
    append_encoded(name, out);
    buf_append_char(out, '=');
    append_encoded(buf_str(&text), out);
    if (buf_failed(&text))
        out->failed = true;
    buf_release(&text);
}
