/* bound.c: see bound.h. */
#include "format/iceberg/bound.h"

#include "base/utf8.h"

bool iceberg_carrier(enum iceberg_kind kind, enum type *ret)
{
    switch (kind) {
    case ICEBERG_BOOLEAN:
        *ret = TYPE_BOOL;
        return true;
    case ICEBERG_INT:
    case ICEBERG_LONG:
    case ICEBERG_TIME:
        *ret = TYPE_INT64;
        return true;
    case ICEBERG_FLOAT:
    case ICEBERG_DOUBLE:
        *ret = TYPE_DOUBLE;
        return true;
    case ICEBERG_DATE:
        *ret = TYPE_DATE;
        return true;
    case ICEBERG_TIMESTAMP:
    case ICEBERG_TIMESTAMPTZ:
        *ret = TYPE_TIMESTAMP;
        return true;
    case ICEBERG_STRING:
    case ICEBERG_UUID:
    case ICEBERG_BINARY:
    case ICEBERG_FIXED:
    case ICEBERG_DECIMAL:
        *ret = TYPE_STRING;
        return true;
    default:
        return false;
    }
}

static bool same_carrier(enum type carrier, enum type type)
{
    return carrier == type || (carrier == TYPE_STRING && type == TYPE_JSON);
}

enum status iceberg_bound_write(enum iceberg_kind kind, const struct value *value, struct buf *out,
                                struct error *err)
{
    enum type carrier;
    uint64_t bits;
    if (!iceberg_carrier(kind, &carrier) || value->is_null || !same_carrier(carrier, value->type))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a value cannot be written as a bound");
    bool is_int32 = kind == ICEBERG_INT || kind == ICEBERG_DATE;
    if (is_int32 && (value->int64 < INT32_MIN || value->int64 > INT32_MAX))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a bound is beyond 32 bits");
    if (carrier == TYPE_STRING) {
        buf_append_str(out, value->bytes);
    } else if (carrier == TYPE_BOOL) {
        buf_append_char(out, value->boolean);
    } else if (kind == ICEBERG_FLOAT) {
        float narrow = (float)value->real;
        uint32_t narrow_bits;
        memcpy(&narrow_bits, &narrow, sizeof narrow_bits);
        buf_append_u32(out, narrow_bits);
    } else if (kind == ICEBERG_DOUBLE) {
        memcpy(&bits, &value->real, sizeof bits);
        buf_append_u64(out, bits);
    } else if (is_int32) {
        buf_append_u32(out, (uint32_t)(int32_t)value->int64);
    } else {
        buf_append_u64(out, (uint64_t)value->int64);
    }
    return buf_check(out, "bound", err);
}

static bool read_integer(enum iceberg_kind kind, struct str bytes, struct value *ret)
{
    int32_t narrow;
    if (bytes.len == sizeof narrow && kind != ICEBERG_TIME && kind != ICEBERG_TIMESTAMPTZ) {
        memcpy(&narrow, bytes.data, sizeof narrow);
        ret->int64 = narrow;
        if (kind == ICEBERG_TIMESTAMP) /* was a date */
            ret->int64 *= INT64_C(86400000000);
        return true;
    }
    if (bytes.len != sizeof ret->int64 || kind == ICEBERG_INT || kind == ICEBERG_DATE)
        return false;
    memcpy(&ret->int64, bytes.data, sizeof ret->int64);
    return true;
}

static bool read_real(enum iceberg_kind kind, struct str bytes, struct value *ret)
{
    float narrow;
    if (bytes.len == sizeof narrow) {
        memcpy(&narrow, bytes.data, sizeof narrow);
        ret->real = (double)narrow;
        return true;
    }
    if (bytes.len != sizeof ret->real || kind == ICEBERG_FLOAT)
        return false;
    memcpy(&ret->real, bytes.data, sizeof ret->real);
    return true;
}

enum status iceberg_bound_read(enum iceberg_kind kind, struct str bytes, struct value *ret,
                               struct error *err)
{
    enum type carrier;
    bool good = iceberg_carrier(kind, &carrier);
    if (!good)
        return error_set(err, STATUS_NOT_IMPLEMENTED, "bounds of this type are not known");
    *ret = (struct value){.type = carrier};
    if (carrier == TYPE_STRING)
        ret->bytes = bytes;
    else if (carrier == TYPE_DOUBLE)
        good = read_real(kind, bytes, ret);
    else if (carrier == TYPE_BOOL)
        good = bytes.len == 1;
    else
        good = read_integer(kind, bytes, ret);
    if (good && carrier == TYPE_BOOL)
        ret->boolean = *bytes.data != 0;
    return good ? STATUS_OK : error_set(err, STATUS_CORRUPT, "a bound has %zu bytes", bytes.len);
}

static size_t next_start(struct str text, size_t at)
{
    at++;
    while (at < text.len && ((unsigned char)text.data[at] & 0xC0) == 0x80)
        at++;
    return at;
}

struct str iceberg_bound_lower(struct str text, uint32_t max)
{
    size_t at = 0;
    for (uint32_t i = 0; i < max && at < text.len; i++)
        at = next_start(text, at);
    return str_make(text.data, at);
}

static uint32_t decode_at(struct str text, size_t at, size_t len)
{
    const unsigned char *p = (const unsigned char *)text.data + at;
    if (len == 1)
        return p[0];
    uint32_t cp = p[0] & (len == 2 ? 0x1Fu : len == 3 ? 0x0Fu : 0x07u);
    for (size_t i = 1; i < len; i++)
        cp = cp << 6 | (p[i] & 0x3Fu);
    return cp;
}

bool iceberg_bound_upper(struct str text, uint32_t max, struct buf *out)
{
    struct str prefix = iceberg_bound_lower(text, max);
    if (prefix.len == text.len)
        return buf_append_str(out, text);
    if (!utf8_is_valid(text.data, text.len))
        return false;
    size_t end = prefix.len;
    while (end > 0) {
        size_t start = end - 1;
        while (start > 0 && ((unsigned char)prefix.data[start] & 0xC0) == 0x80)
            start--;
        uint32_t cp = decode_at(prefix, start, end - start);
        if (cp < 0x10FFFF) {
            char bytes[4];
            cp = cp == 0xD7FF ? 0xE000 : cp + 1; /* past the surrogates */
            size_t len = utf8_encode(cp, bytes);
            return buf_append(out, prefix.data, start) && buf_append(out, bytes, len);
        }
        end = start;
    }
    return false;
}
