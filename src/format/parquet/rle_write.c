/* rle_write.c: encoding of the RLE / bit-packing hybrid.
 *
 * Groups of 8 values are looked at: a group of equal values starts a repeated run that goes on as
 * long as the value stays; all others are collected into bit-packed runs of up to PACK_GROUPS_MAX
 * groups. */
#include "format/parquet/rle_int.h"

enum { PACK_GROUPS_MAX = 1 << 20, PACK_SLACK = 16 };

static bool group_is_equal(const uint32_t *v)
{
    uint32_t differ = 0;
    for (int i = 1; i < 8; i++)
        differ |= v[i] ^ v[0];
    return differ == 0;
}

/* Packs count values (rounded up to 8 with zeros); out has 8 bytes of slack. Returns the bytes. */
static size_t pack(uint8_t *out, const uint32_t *values, uint32_t count, unsigned width)
{
    uint64_t hold = 0;
    unsigned bits = 0;
    uint8_t *p = out;
    for (uint32_t i = 0; i < count; i++) {
        hold |= (uint64_t)values[i] << bits;
        bits += width;
        if (bits >= 32) {
            uint32_t word = (uint32_t)hold;
            memcpy(p, &word, 4);
            p += 4;
            hold >>= 32;
            bits -= 32;
        }
    }
    memcpy(p, &hold, 8);
    size_t bytes = (size_t)((count + 7) / 8) * width;
    if (p + 8 < out + bytes) /* zeros of a last group that is not full */
        memset(p + 8, 0, (size_t)(out + bytes - p - 8));
    return bytes;
}

static void write_packed(struct buf *out, const uint32_t *values, uint32_t count, unsigned width)
{
    while (count) {
        uint32_t n = count > PACK_GROUPS_MAX * 8u ? PACK_GROUPS_MAX * 8u : count;
        uint32_t groups = (n + 7) / 8;
        buf_append_varint(out, (uint64_t)groups << 1 | 1);
        if (!buf_reserve(out, (size_t)groups * width + PACK_SLACK))
            return;
        out->len += pack((uint8_t *)out->data + out->len, values, n, width);
        values += n;
        count -= n;
    }
}

static void write_run(struct buf *out, uint32_t value, uint32_t count, unsigned width)
{
    buf_append_varint(out, (uint64_t)count << 1);
    buf_append(out, &value, (width + 7) / 8); /* little-endian machine */
}

void rle_encode(struct buf *out, const uint32_t *values, uint32_t count, unsigned width)
{
    uint32_t packed = 0; /* start of the values that wait to be bit-packed */
    uint32_t i = 0;
    while (count - i >= 8) {
        if (!group_is_equal(values + i)) {
            i += 8;
            continue;
        }
        uint32_t end = i + 8;
        while (end < count && values[end] == values[i])
            end++;
        if (end - i < 16 && end < count) { /* a short run costs more than it saves */
            i += 8;
            continue;
        }
        write_packed(out, values + packed, i - packed, width);
        write_run(out, values[i], end - i, width);
        i = packed = end;
    }
    write_packed(out, values + packed, count - packed, width);
}

void rle_encode_bits(struct buf *out, const uint8_t *bitmap, uint32_t rows, bool all)
{
    if (rows == 0)
        return;
    if (!bitmap) {
        write_run(out, all, rows, 1);
        return;
    }
    uint32_t bytes = (rows + 7) / 8;
    buf_append_varint(out, (uint64_t)bytes << 1 | 1);
    buf_append(out, bitmap, bytes);
    if (rows % 8 && !out->failed)
        out->data[out->len - 1] = (char)(out->data[out->len - 1] & ((1 << rows % 8) - 1));
}
