/* decode_plain.c: PLAIN values (and RLE booleans) of every physical type into our types.
 *
 * Fixed types: the values that are there are converted one after the other to the place behind the
 * column's last row, then spread backwards over the nulls. Strings are copied value by value and
 * checked as UTF-8 all at once. */
#include <math.h>

#include "base/utf8.h"
#include "format/json/json_scan.h"
#include "format/parquet/reader_int.h"
#include "format/parquet/rle_int.h"

enum { INT96_BYTES = 12, JULIAN_UNIX_EPOCH = 2440588 };

static inline bool is_valid(const uint8_t *validity, uint32_t row)
{
    return validity[row >> 3] >> (row & 7) & 1;
}

static size_t physical_width(enum pq_type type)
{
    switch (type) {
    case PQ_INT32:
    case PQ_FLOAT:
        return 4;
    case PQ_INT96:
        return INT96_BYTES;
    case PQ_FIXED_LEN_BYTE_ARRAY: /* half floats; all others are text */
        return 2;
    default:
        return 8;
    }
}

static enum status too_short(const struct pq_leaf *leaf, struct error *err)
{
    return pq_corrupt(err, "column %.*s: a page has fewer or more values than it says",
                      STR_ARG(leaf->field.name));
}

static enum status out_of_range(const struct pq_leaf *leaf, struct error *err)
{
    return error_set(err, STATUS_SCHEMA, "column %.*s: a value is beyond the range of %s",
                     STR_ARG(leaf->field.name), type_name(leaf->field.type));
}

static void from_int32(const struct pq_leaf *leaf, const uint8_t *p, uint32_t count, int64_t *out)
{
    for (uint32_t i = 0; i < count; i++) {
        int32_t value;
        memcpy(&value, p + (size_t)i * 4, sizeof value);
        out[i] = leaf->is_unsigned ? (int64_t)(uint32_t)value : value;
    }
}

static void from_float(const uint8_t *p, uint32_t count, double *out)
{
    for (uint32_t i = 0; i < count; i++) {
        float value;
        memcpy(&value, p + (size_t)i * 4, sizeof value);
        out[i] = (double)value;
    }
}

static void from_float16(const uint8_t *p, uint32_t count, double *out)
{
    for (uint32_t i = 0; i < count; i++) {
        unsigned bits = (unsigned)p[i * 2] | (unsigned)p[i * 2 + 1] << 8;
        int exponent = (int)(bits >> 10 & 31);
        int mantissa = (int)(bits & 1023);
        double value = exponent == 31  ? (mantissa ? (double)NAN : (double)INFINITY)
                       : exponent == 0 ? ldexp(mantissa, -24)
                                       : ldexp(mantissa + 1024, exponent - 25);
        out[i] = bits >> 15 ? -value : value;
    }
}

/* In place: out holds the raw 64-bit values. */
static bool convert_int64(const struct pq_leaf *leaf, uint32_t count, int64_t *out)
{
    bool good = true;
    if (leaf->is_unsigned) {
        for (uint32_t i = 0; i < count; i++)
            good &= out[i] >= 0;
    } else if (leaf->unit == PQ_MILLIS) {
        for (uint32_t i = 0; i < count; i++)
            good &= !__builtin_mul_overflow(out[i], (int64_t)1000, &out[i]);
    } else if (leaf->unit == PQ_NANOS) {
        for (uint32_t i = 0; i < count; i++)
            out[i] = out[i] / 1000 - (out[i] % 1000 < 0);
    }
    return good;
}

static bool from_int96(const uint8_t *p, uint32_t count, int64_t *out)
{
    bool good = true;
    for (uint32_t i = 0; i < count; i++, p += INT96_BYTES) {
        int64_t nanos, us;
        int32_t day;
        memcpy(&nanos, p, sizeof nanos);
        memcpy(&day, p + 8, sizeof day);
        us = nanos / 1000 - (nanos % 1000 < 0);
        int64_t days = (int64_t)day - JULIAN_UNIX_EPOCH;
        good &= !__builtin_mul_overflow(days, (int64_t)86400 * 1000000, &out[i]);
        good &= !__builtin_add_overflow(out[i], us, &out[i]);
    }
    return good;
}

static enum status read_bools(const struct pq_leaf *leaf, const struct pq_loaded *page, bool exact,
                              uint8_t *out, struct error *err)
{
    const uint8_t *p = page->values;
    size_t need = ((size_t)page->present + 7) / 8;
    if (page->values_len < need || (exact && page->values_len != need))
        return too_short(leaf, err);
    for (uint32_t i = 0; i < page->present; i++)
        out[i] = p[i >> 3] >> (i & 7) & 1;
    return STATUS_OK;
}

static enum status read_rle_bools(const struct pq_leaf *leaf, const struct pq_loaded *page,
                                  uint8_t *out, struct error *err)
{
    enum { BLOCK = 1024 };
    struct rle_reader r;
    uint32_t values[BLOCK];
    if (page->values_len < 4)
        return page->present ? too_short(leaf, err) : STATUS_OK;
    rle_reader_init(&r, page->values + 4, page->values_len - 4, 1);
    for (uint32_t done = 0; done < page->present;) {
        uint32_t n = page->present - done < BLOCK ? page->present - done : BLOCK;
        if (!rle_read(&r, values, n))
            return too_short(leaf, err);
        for (uint32_t i = 0; i < n; i++)
            out[done + i] = (uint8_t)values[i];
        done += n;
    }
    return STATUS_OK;
}

static enum status read_fixed(const struct pq_leaf *leaf, const struct pq_loaded *page, bool exact,
                              void *out, struct error *err)
{
    if (leaf->physical == PQ_BOOLEAN)
        return page->encoding == PQ_RLE ? read_rle_bools(leaf, page, out, err)
                                        : read_bools(leaf, page, exact, out, err);
    size_t need = page->present * physical_width(leaf->physical);
    if (page->values_len < need || (exact && page->values_len != need))
        return too_short(leaf, err);
    bool good = true;
    switch (leaf->physical) {
    case PQ_INT32:
        if (leaf->field.type == TYPE_DATE)
            memcpy(out, page->values, need);
        else
            from_int32(leaf, page->values, page->present, out);
        break;
    case PQ_FLOAT:
        from_float(page->values, page->present, out);
        break;
    case PQ_FIXED_LEN_BYTE_ARRAY:
        from_float16(page->values, page->present, out);
        break;
    case PQ_INT96:
        good = from_int96(page->values, page->present, out);
        break;
    default:
        memcpy(out, page->values, need);
        if (leaf->physical == PQ_INT64)
            good = convert_int64(leaf, page->present, out);
    }
    return good ? STATUS_OK : out_of_range(leaf, err);
}

#define SPREAD(type)                                                                               \
    do {                                                                                           \
        type *values = out;                                                                        \
        for (uint32_t row = page->rows; row-- > 0;)                                                \
            values[row] = is_valid(page->validity, row) ? values[--n] : 0;                         \
    } while (0)

static void spread(const struct pq_loaded *page, size_t width, void *out)
{
    uint32_t n = page->present;
    if (width == 1)
        SPREAD(uint8_t);
    else if (width == 4)
        SPREAD(uint32_t);
    else
        SPREAD(uint64_t);
}

/* Copies up to 16 bytes at once where both sides have the room. */
static inline void copy_short(char *to, const uint8_t *from, uint32_t len, size_t from_left)
{
    if (len <= 16 && from_left >= 16)
        memcpy(to, from, 16);
    else
        memcpy(to, from, len);
}

/* The appended bytes are UTF-8 as a whole and no value starts inside of a character. */
static enum status check_utf8(const struct pq_leaf *leaf, const struct column *into, uint32_t rows,
                              uint32_t end, struct error *err)
{
    const uint32_t *offsets = (const uint32_t *)into->values + into->rows;
    bool good = utf8_is_valid(into->bytes + into->bytes_len, end - into->bytes_len);
    for (uint32_t i = 0; good && i < rows; i++)
        good = offsets[i] == end || ((unsigned char)into->bytes[offsets[i]] & 0xC0) != 0x80;
    return good ? STATUS_OK
                : error_set(err, STATUS_SCHEMA, "column %.*s: a value is not UTF-8",
                            STR_ARG(leaf->field.name));
}

/* A column of type JSON holds JSON, whatever the file's writer thought of it. */
static enum status check_json(const struct pq_leaf *leaf, const struct column *into,
                              const struct pq_loaded *page, struct error *err)
{
    const uint32_t *offsets = (const uint32_t *)into->values + into->rows;
    for (uint32_t row = 0; row < page->rows; row++) {
        struct str text = {into->bytes + offsets[row], offsets[row + 1] - offsets[row]}, value;
        if (page->validity && !is_valid(page->validity, row))
            continue;
        struct json_scan scan = json_scan_of(text);
        bool spaced;
        if (json_scan_skip(&scan, &value, &spaced, NULL) != STATUS_OK ||
            json_scan_end(&scan, NULL) != STATUS_OK)
            return error_set(err, STATUS_SCHEMA, "column %.*s: a value is not JSON",
                             STR_ARG(leaf->field.name));
    }
    return STATUS_OK;
}

static enum status decode_strings(const struct pq_leaf *leaf, const struct pq_loaded *page,
                                  bool exact, struct column *into, struct error *err)
{
    if (page->values_len < (size_t)page->present * 4)
        return too_short(leaf, err);
    size_t room_len = page->values_len - (size_t)page->present * 4;
    char *room;
    TRY(pq_into_reserve(into, page->rows, err));
    TRY(pq_into_room(into, room_len + READ_SLACK, &room, err));
    uint32_t *offsets = (uint32_t *)into->values + into->rows;
    const uint8_t *p = page->values;
    size_t left = page->values_len;
    uint32_t at = into->bytes_len;
    for (uint32_t row = 0; row < page->rows; row++) {
        uint32_t len = 0;
        if (!page->validity || is_valid(page->validity, row)) {
            if (left < 4)
                return too_short(leaf, err);
            memcpy(&len, p, sizeof len);
            p += 4;
            left -= 4;
            if (len > left || len > room_len)
                return too_short(leaf, err);
            copy_short(into->bytes + at, p, len, left);
            p += len;
            left -= len;
            room_len -= len;
        }
        at += len;
        offsets[row + 1] = at;
    }
    if (exact && left)
        return too_short(leaf, err);
    TRY(check_utf8(leaf, into, page->rows, at, err));
    if (leaf->field.type == TYPE_JSON && !exact)
        TRY(check_json(leaf, into, page, err));
    TRY(pq_into_commit(into, page->rows, page->present, page->validity, err));
    into->bytes_len = at;
    return STATUS_OK;
}

enum status pq_decode_plain(const struct pq_leaf *leaf, const struct pq_loaded *page, bool exact,
                            struct column *into, struct error *err)
{
    if (page->rows == 0)
        return STATUS_OK;
    if (pq_form_is_text(leaf))
        return pq_decode_text(leaf, page, exact, into, err);
    if (type_is_bytes(into->type))
        return decode_strings(leaf, page, exact, into, err);
    size_t width = type_width(into->type);
    TRY(pq_into_reserve(into, page->rows, err));
    void *out = (char *)into->values + into->rows * width;
    TRY(read_fixed(leaf, page, exact, out, err));
    if (page->validity)
        spread(page, width, out);
    return pq_into_commit(into, page->rows, page->present, page->validity, err);
}
