/* decode_text.c: PLAIN values whose form has no type of ours become text: decimals, times, UUIDs,
 * intervals, and bytes as base64. Exact: every text says which value it was.
 *
 * Memory: each value's longest text is asked for before it is written; COLUMN_BYTES_MAX bounds the
 * sum. */
#include <stdio.h>

#include "base/uuid.h"
#include "format/parquet/reader_int.h"

enum {
    DECIMAL_DIGITS_MAX = 80, /* of 256 bits: 78 */
    TEXT_MAX = 2 * DECIMAL_DIGITS_MAX,
};

bool pq_form_is_text(const struct pq_leaf *leaf)
{
    return leaf->form != PQ_FORM_NATIVE && leaf->form != PQ_FORM_FLOAT16;
}

/* Digits of a big-endian number (destroyed), least first. */
static uint32_t digits_of(uint8_t *bytes, uint32_t len, char *digits)
{
    uint32_t n = 0, start = 0;
    while (start < len && bytes[start] == 0)
        start++;
    while (start < len) {
        unsigned rest = 0;
        for (uint32_t i = start; i < len; i++) {
            unsigned value = rest << 8 | bytes[i];
            bytes[i] = (uint8_t)(value / 10);
            rest = value % 10;
        }
        digits[n++] = (char)('0' + rest);
        while (start < len && bytes[start] == 0)
            start++;
    }
    return n;
}

/* `bytes`: two's complement, big-endian, at most DECIMAL_BYTES_MAX. */
static size_t put_decimal(const struct pq_leaf *leaf, const uint8_t *bytes, uint32_t len, char *out)
{
    uint8_t number[DECIMAL_BYTES_MAX];
    char digits[DECIMAL_DIGITS_MAX];
    bool negative = len && bytes[0] & 0x80;
    unsigned carry = negative;
    for (uint32_t i = len; i-- > 0;) {
        unsigned value = (negative ? (uint8_t)~bytes[i] : bytes[i]) + carry;
        number[i] = (uint8_t)value;
        carry = value >> 8;
    }
    uint32_t n = digits_of(number, len, digits);
    while (n <= leaf->scale)
        digits[n++] = '0';
    char *p = out;
    if (negative)
        *p++ = '-';
    while (n > 0) {
        if (n == leaf->scale)
            *p++ = '.';
        *p++ = digits[--n];
    }
    return (size_t)(p - out);
}

static uint64_t load(const uint8_t *bytes, uint32_t len)
{
    uint64_t value = 0;
    memcpy(&value, bytes, len);
    return len == 4 ? (uint64_t)(int64_t)(int32_t)value : value;
}

static size_t put_decimal_int(const struct pq_leaf *leaf, const uint8_t *bytes, uint32_t len,
                              char *out)
{
    uint64_t value = load(bytes, len);
    uint8_t big[8];
    for (int i = 0; i < 8; i++)
        big[i] = (uint8_t)(value >> (56 - 8 * i));
    return put_decimal(leaf, big, 8, out);
}

/* False when it is no time of day. */
static bool put_time(const struct pq_leaf *leaf, const uint8_t *bytes, uint32_t len, char *out,
                     size_t *ret_len)
{
    static const int64_t per_second[] = {
        [PQ_MILLIS] = 1000, [PQ_MICROS] = 1000000, [PQ_NANOS] = 1000000000};
    int64_t value = (int64_t)load(bytes, len);
    int64_t unit = per_second[leaf->unit], seconds = value / unit, rest = value % unit;
    if (value < 0 || seconds > 86400)
        return false;
    if (leaf->unit == PQ_MILLIS)
        rest *= 1000;
    *ret_len = (size_t)snprintf(out, TEXT_MAX, "%02d:%02d:%02d.%0*d", (int)(seconds / 3600),
                                (int)(seconds / 60 % 60), (int)(seconds % 60),
                                leaf->unit == PQ_NANOS ? 9 : 6, (int)rest);
    return true;
}

static size_t put_interval(const uint8_t *bytes, char *out)
{
    uint32_t part[3]; /* months, days, milliseconds */
    memcpy(part, bytes, sizeof part);
    return (size_t)snprintf(out, TEXT_MAX, "P%uM%uDT%u.%03uS", part[0], part[1], part[2] / 1000,
                            part[2] % 1000);
}

static size_t put_base64(const uint8_t *bytes, uint32_t len, char *out)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *p = out;
    for (uint32_t i = 0; i < len; i += 3) {
        uint32_t n = len - i < 3 ? len - i : 3;
        uint32_t word = (uint32_t)bytes[i] << 16;
        word |= n > 1 ? (uint32_t)bytes[i + 1] << 8 : 0;
        word |= n > 2 ? bytes[i + 2] : 0;
        *p++ = letters[word >> 18];
        *p++ = letters[word >> 12 & 63];
        *p++ = n > 1 ? letters[word >> 6 & 63] : '=';
        *p++ = n > 2 ? letters[word & 63] : '=';
    }
    return (size_t)(p - out);
}

/* The text of one value into `out`, which has the room that text_max() says. */
static bool put_text(const struct pq_leaf *leaf, const uint8_t *bytes, uint32_t len, char *out,
                     size_t *ret_len)
{
    struct uuid uuid;
    bool is_int = leaf->physical == PQ_INT32 || leaf->physical == PQ_INT64;
    switch (leaf->form) {
    case PQ_FORM_DECIMAL:
        if (len > DECIMAL_BYTES_MAX)
            return false;
        *ret_len =
            is_int ? put_decimal_int(leaf, bytes, len, out) : put_decimal(leaf, bytes, len, out);
        return true;
    case PQ_FORM_TIME:
        return put_time(leaf, bytes, len, out, ret_len);
    case PQ_FORM_UUID:
        memcpy(uuid.bytes, bytes, sizeof uuid.bytes);
        uuid_format(uuid, out);
        *ret_len = UUID_TEXT_LEN;
        return true;
    case PQ_FORM_INTERVAL:
        *ret_len = put_interval(bytes, out);
        return true;
    default:
        *ret_len = put_base64(bytes, len, out);
        return true;
    }
}

static size_t text_max(const struct pq_leaf *leaf, uint32_t len)
{
    return leaf->form == PQ_FORM_BASE64 ? ((size_t)len + 2) / 3 * 4 : TEXT_MAX;
}

/* The next value's bytes. */
static bool take(const struct pq_leaf *leaf, const uint8_t **p, size_t *left, uint32_t *ret_len)
{
    uint32_t len = leaf->physical == PQ_INT32 ? 4 : leaf->physical == PQ_INT64 ? 8 : leaf->width;
    if (leaf->physical == PQ_BYTE_ARRAY) {
        if (*left < 4)
            return false;
        memcpy(&len, *p, sizeof len);
        *p += 4;
        *left -= 4;
    }
    *ret_len = len;
    return len <= *left;
}

enum status pq_decode_text(const struct pq_leaf *leaf, const struct pq_loaded *page, bool exact,
                           struct column *into, struct error *err)
{
    const uint8_t *p = page->values;
    size_t left = page->values_len, at = 0;
    TRY(pq_into_reserve(into, page->rows, err));
    uint32_t *offsets = (uint32_t *)into->values + into->rows;
    for (uint32_t row = 0; row < page->rows; row++) {
        if (!page->validity || page->validity[row >> 3] >> (row & 7) & 1) {
            uint32_t len;
            size_t text = 0;
            char *room;
            if (!take(leaf, &p, &left, &len))
                return pq_corrupt(err, "column %.*s: a page has fewer values than it says",
                                  STR_ARG(leaf->field.name));
            TRY(pq_into_room(into, at + text_max(leaf, len), &room, err));
            if (!put_text(leaf, p, len, room + at, &text))
                return error_set(err, STATUS_SCHEMA, "column %.*s: a value is out of range",
                                 STR_ARG(leaf->field.name));
            p += len;
            left -= len;
            at += text;
        }
        offsets[row + 1] = into->bytes_len + (uint32_t)at;
    }
    if (exact && left)
        return pq_corrupt(err, "column %.*s: a page has more values than it says",
                          STR_ARG(leaf->field.name));
    uint32_t end = into->bytes_len + (uint32_t)at;
    TRY(pq_into_commit(into, page->rows, page->present, page->validity, err));
    into->bytes_len = end;
    return STATUS_OK;
}
