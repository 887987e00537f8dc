#include "query/sqlworker/values_int.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/datetime.h"

size_t text_of_uint128(unsigned __int128 value, char out[NUMBER_TEXT_MAX])
{
    char digits[NUMBER_TEXT_MAX];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + (int)(value % 10));
        value /= 10;
    } while (value);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    out[n] = '\0';
    return n;
}

size_t text_of_int128(__int128 value, int scale, char out[NUMBER_TEXT_MAX])
{
    char digits[NUMBER_TEXT_MAX];
    unsigned __int128 magnitude = value < 0 ? -(unsigned __int128)value : (unsigned __int128)value;
    size_t n = text_of_uint128(magnitude, digits), at = 0;
    size_t fraction = (size_t)scale;
    if (value < 0)
        out[at++] = '-';
    size_t whole = n > fraction ? n - fraction : 0;
    if (whole == 0)
        out[at++] = '0';
    memcpy(out + at, digits, whole);
    at += whole;
    if (fraction) {
        out[at++] = '.';
        for (size_t i = n - whole; i < fraction; i++)
            out[at++] = '0';
        memcpy(out + at, digits + whole, n - whole);
        at += n - whole;
    }
    out[at] = '\0';
    return at;
}

static __int128 int128_of(duckdb_hugeint h)
{
    return (__int128)((unsigned __int128)(uint64_t)h.upper << 64 | h.lower);
}

__int128 decimal_at(const void *data, idx_t row, duckdb_type held)
{
    switch (held) {
    case DUCKDB_TYPE_SMALLINT:
        return ((const int16_t *)data)[row];
    case DUCKDB_TYPE_INTEGER:
        return ((const int32_t *)data)[row];
    case DUCKDB_TYPE_BIGINT:
        return ((const int64_t *)data)[row];
    default:
        return int128_of(((const duckdb_hugeint *)data)[row]);
    }
}

idx_t enum_index_at(const void *data, idx_t row, duckdb_type held)
{
    switch (held) {
    case DUCKDB_TYPE_UTINYINT:
        return ((const uint8_t *)data)[row];
    case DUCKDB_TYPE_USMALLINT:
        return ((const uint16_t *)data)[row];
    default:
        return ((const uint32_t *)data)[row];
    }
}

int64_t integer_at(const void *data, idx_t row, duckdb_type id)
{
    switch (id) {
    case DUCKDB_TYPE_TINYINT:
        return ((const int8_t *)data)[row];
    case DUCKDB_TYPE_SMALLINT:
        return ((const int16_t *)data)[row];
    case DUCKDB_TYPE_INTEGER:
        return ((const int32_t *)data)[row];
    case DUCKDB_TYPE_UTINYINT:
        return ((const uint8_t *)data)[row];
    case DUCKDB_TYPE_USMALLINT:
        return ((const uint16_t *)data)[row];
    case DUCKDB_TYPE_UINTEGER:
        return ((const uint32_t *)data)[row];
    default:
        return ((const int64_t *)data)[row];
    }
}

double double_of_float(float value)
{
    char text[NUMBER_TEXT_MAX];
    if (!isfinite(value))
        return (double)value;
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    return strtod(text, NULL);
}

struct str string_at(const void *data, idx_t row)
{
    duckdb_string_t *s = (duckdb_string_t *)(uintptr_t)data + row;
    return str_make(duckdb_string_t_data(s), duckdb_string_t_length(*s));
}

size_t text_of_uuid(duckdb_hugeint value, char out[NUMBER_TEXT_MAX])
{
    uint64_t high = (uint64_t)value.upper ^ (UINT64_C(1) << 63); /* stored so that it sorts */
    return (size_t)snprintf(out, NUMBER_TEXT_MAX, "%08x-%04x-%04x-%04x-%012llx",
                            (unsigned)(high >> 32), (unsigned)(high >> 16 & 0xffff),
                            (unsigned)(high & 0xffff), (unsigned)(value.lower >> 48),
                            (unsigned long long)(value.lower & 0xffffffffffffULL));
}

size_t text_of_time(int64_t us, char out[NUMBER_TEXT_MAX])
{
    long long seconds = us / 1000000, rest = us % 1000000;
    size_t n = (size_t)snprintf(out, NUMBER_TEXT_MAX, "%02lld:%02lld:%02lld", seconds / 3600,
                                seconds / 60 % 60, seconds % 60);
    if (rest)
        n += (size_t)snprintf(out + n, NUMBER_TEXT_MAX - n, ".%06lld", rest);
    while (rest && out[n - 1] == '0')
        out[--n] = '\0';
    return n;
}

static size_t add_unit(char *out, size_t n, int value, const char *unit)
{
    if (value == 0)
        return n;
    return n + (size_t)snprintf(out + n, 128 - n, "%s%d %s%s", n ? " " : "", value, unit,
                                value == 1 || value == -1 ? "" : "s");
}

size_t text_of_interval(duckdb_interval value, char out[128])
{
    size_t n = add_unit(out, 0, value.months / 12, "year");
    n = add_unit(out, n, value.months % 12, "month");
    n = add_unit(out, n, value.days, "day");
    if (value.micros == 0 && n > 0)
        return n;
    char time[NUMBER_TEXT_MAX];
    bool negative = value.micros < 0;
    /* the smallest integer has no positive twin: one microsecond off is better than undefined */
    int64_t us = value.micros == INT64_MIN ? INT64_MAX : negative ? -value.micros : value.micros;
    text_of_time(us, time);
    return n +
           (size_t)snprintf(out + n, 128 - n, "%s%s%s", n ? " " : "", negative ? "-" : "", time);
}

void append_base64(struct buf *out, struct str bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)bytes.data;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t v = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                     (left > 2 ? p[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
                        left > 2 ? digits[v & 63] : '='};
        buf_append(out, four, sizeof four);
    }
}

static int64_t floor_div(int64_t value, int64_t by)
{
    int64_t q = value / by;
    return value % by < 0 ? q - 1 : q;
}

bool timestamp_at(const void *data, idx_t row, duckdb_type id, int64_t *ret_us)
{
    int64_t value = ((const int64_t *)data)[row];
    if (value == INT64_MAX || value == -INT64_MAX)
        return false;
    switch (id) {
    case DUCKDB_TYPE_TIMESTAMP_S:
        return !__builtin_mul_overflow(value, 1000000, ret_us);
    case DUCKDB_TYPE_TIMESTAMP_MS:
        return !__builtin_mul_overflow(value, 1000, ret_us);
    case DUCKDB_TYPE_TIMESTAMP_NS:
        *ret_us = floor_div(value, 1000);
        return true;
    default:
        *ret_us = value;
        return true;
    }
}

bool date_in_range(int32_t days)
{
    return days >= date_from_civil(0, 1, 1) && days <= date_from_civil(9999, 12, 31);
}

bool timestamp_in_range(int64_t us)
{
    int64_t days = floor_div(us, INT64_C(86400000000));
    return days >= INT32_MIN && days <= INT32_MAX && date_in_range((int32_t)days);
}

enum status cannot_show(const char *type, struct error *err)
{
    return error_set(err, STATUS_INVALID_SQL,
                     "a value of type %s cannot be shown: cast it to VARCHAR", type);
}
