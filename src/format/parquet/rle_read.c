/* rle_read.c: decoding of the RLE / bit-packing hybrid. Takes any legal mix of runs; a run may be
 * cut by the end of the values wanted; a last bit-packed run may be shorter than its header says as
 * long as it holds the values that are read (some writers cut the padding). */
#include "format/parquet/rle_int.h"

void rle_reader_init(struct rle_reader *r, const uint8_t *data, size_t len, unsigned width)
{
    *r = (struct rle_reader){.p = data, .end = data + len, .width = width};
    if (width == 0)
        r->run_left = UINT32_MAX;
}

static uint64_t load_bits(const uint8_t *data, size_t len, size_t at)
{
    uint64_t word = 0;
    if (at < len)
        memcpy(&word, data + at, len - at < 8 ? len - at : 8);
    return word;
}

void bits_unpack(const uint8_t *data, size_t len, uint64_t bit, unsigned width, uint32_t *values,
                 uint32_t count)
{
    uint64_t mask = ((uint64_t)1 << width) - 1;
    uint32_t i = 0;
    /* As long as a load of 8 bytes stays inside: width <= 32, so 7 + 32 bits are always in it. */
    if (len >= 8) {
        uint64_t last = ((uint64_t)len - 8) * 8 + 7;
        uint64_t fit = bit > last ? 0 : (last - bit) / width + 1;
        uint32_t fast = fit < count ? (uint32_t)fit : count;
        for (; i < fast; i++, bit += width) {
            uint64_t word;
            memcpy(&word, data + (bit >> 3), 8);
            values[i] = (uint32_t)(word >> (bit & 7) & mask);
        }
    }
    for (; i < count; i++, bit += width)
        values[i] = (uint32_t)(load_bits(data, len, (size_t)(bit >> 3)) >> (bit & 7) & mask);
}

static bool read_header(struct rle_reader *r, uint64_t *ret)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 35; shift += 7) {
        if (r->p >= r->end)
            return false;
        uint8_t byte = *r->p++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) {
            *ret = value;
            return true;
        }
    }
    return false;
}

static bool next_run(struct rle_reader *r)
{
    uint64_t header;
    if (!read_header(r, &header))
        return false;
    uint64_t n = header >> 1;
    size_t left = (size_t)(r->end - r->p);
    if (header & 1) {
        uint64_t bytes = n * r->width;
        uint64_t values = n * 8;
        if (bytes > left) { /* cut padding: what is there counts */
            bytes = left;
            values = (uint64_t)left * 8 / r->width;
        }
        r->packed = r->p;
        r->packed_at = 0;
        r->packed_left = values > UINT32_MAX ? UINT32_MAX : (uint32_t)values;
        r->p += bytes;
        return true;
    }
    unsigned width_bytes = (r->width + 7) / 8;
    if (left < width_bytes)
        return false;
    uint32_t value = 0;
    memcpy(&value, r->p, width_bytes);
    if (r->width < 32 && value >> r->width)
        return false;
    r->p += width_bytes;
    r->run_value = value;
    r->run_left = n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    return true;
}

bool rle_read(struct rle_reader *r, uint32_t *values, uint32_t count)
{
    while (count) {
        uint32_t n;
        if (r->run_left) {
            n = r->run_left < count ? r->run_left : count;
            for (uint32_t i = 0; i < n; i++)
                values[i] = r->run_value;
            r->run_left -= r->width ? n : 0;
        } else if (r->packed_left) {
            n = r->packed_left < count ? r->packed_left : count;
            bits_unpack(r->packed, (size_t)(r->p - r->packed), (uint64_t)r->packed_at * r->width,
                        r->width, values, n);
            r->packed_at += n;
            r->packed_left -= n;
        } else {
            if (!next_run(r))
                return false;
            continue;
        }
        values += n;
        count -= n;
    }
    return true;
}

static void set_bits(uint8_t *bitmap, uint32_t at, uint32_t count)
{
    for (; count && at & 7; at++, count--)
        bitmap[at >> 3] |= (uint8_t)(1u << (at & 7));
    memset(bitmap + (at >> 3), 0xFF, count / 8);
    if (count & 7)
        bitmap[(at + count) >> 3] |= (uint8_t)((1u << (count & 7)) - 1);
}

/* Up to 32 packed bits from value `from` of the present packed run. */
static uint32_t packed_bits(const struct rle_reader *r, uint32_t n)
{
    uint64_t word = load_bits(r->packed, (size_t)(r->p - r->packed), r->packed_at >> 3);
    return (uint32_t)(word >> (r->packed_at & 7) & (((uint64_t)1 << n) - 1));
}

static uint32_t copy_bits(struct rle_reader *r, uint8_t *bitmap, uint32_t at, uint32_t count)
{
    uint32_t ones = 0;
    while (count) { /* up to the next multiple of 32 of the target */
        uint32_t n = 32 - (at & 31) < count ? 32 - (at & 31) : count;
        uint32_t bits = packed_bits(r, n);
        ones += (uint32_t)__builtin_popcount(bits);
        uint64_t shifted = (uint64_t)bits << (at & 7);
        for (uint32_t byte = at >> 3; shifted; byte++, shifted >>= 8)
            bitmap[byte] |= (uint8_t)shifted;
        r->packed_at += n;
        r->packed_left -= n;
        at += n;
        count -= n;
    }
    return ones;
}

bool rle_read_bits(struct rle_reader *r, uint8_t *bitmap, uint32_t count, uint32_t *ret_ones)
{
    uint32_t at = 0, ones = 0;
    memset(bitmap, 0, ((size_t)count + 7) / 8);
    while (at < count) {
        uint32_t n = count - at;
        if (r->run_left) {
            n = r->run_left < n ? r->run_left : n;
            if (r->run_value) {
                set_bits(bitmap, at, n);
                ones += n;
            }
            r->run_left -= n;
        } else if (r->packed_left) {
            n = r->packed_left < n ? r->packed_left : n;
            ones += copy_bits(r, bitmap, at, n);
        } else {
            if (!next_run(r))
                return false;
            continue;
        }
        at += n;
    }
    *ret_ones = ones;
    return true;
}
