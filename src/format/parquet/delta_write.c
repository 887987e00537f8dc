/* delta_write.c: DELTA_BINARY_PACKED (see expand_delta.c for the layout): blocks of 128 values in
 * 4 miniblocks, as every reader knows them. 32-bit columns are computed with 32 bits, so that no
 * miniblock is wider than 32. */
#include "format/parquet/writer_int.h"

enum { BLOCK = 128, MINIBLOCKS = 4, MINI = BLOCK / MINIBLOCKS };

static void put_zigzag(struct buf *out, int64_t value)
{
    buf_append_varint(out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

/* MINI values of `width` bits. */
static void put_mini(struct buf *out, const uint64_t *values, unsigned width)
{
    uint64_t hold = 0;
    unsigned bits = 0;
    if (width == 0 || !buf_reserve(out, (size_t)MINI * 8))
        return;
    for (int i = 0; i < MINI; i++) {
        hold |= values[i] << bits;
        bits += width;
        if (bits >= 64) {
            buf_append_u64(out, hold);
            bits -= 64;
            hold = bits ? values[i] >> (width - bits) : 0;
        }
    }
    buf_append(out, &hold, bits / 8); /* 32 values fill whole bytes */
}

/* Up to BLOCK deltas, the rest is padded with zeros. */
static void put_block(struct buf *out, uint64_t *deltas, uint32_t count, bool narrow)
{
    int64_t smallest = (int64_t)deltas[0];
    uint8_t widths[MINIBLOCKS];
    for (uint32_t i = 1; i < count; i++)
        smallest = (int64_t)deltas[i] < smallest ? (int64_t)deltas[i] : smallest;
    for (uint32_t i = 0; i < BLOCK; i++) {
        deltas[i] = i < count ? deltas[i] - (uint64_t)smallest : 0;
        if (narrow)
            deltas[i] = (uint32_t)deltas[i];
    }
    put_zigzag(out, smallest);
    for (int m = 0; m < MINIBLOCKS; m++) {
        uint64_t all = 0;
        for (int i = 0; i < MINI; i++)
            all |= deltas[m * MINI + i];
        widths[m] = (uint8_t)(all ? 64 - __builtin_clzll(all) : 0);
    }
    buf_append(out, widths, sizeof widths);
    for (uint32_t m = 0; m < MINIBLOCKS && m * MINI < count; m++)
        put_mini(out, deltas + (size_t)m * MINI, widths[m]);
}

void delta_encode(struct buf *out, const uint64_t *values, uint32_t count, bool narrow)
{
    uint64_t deltas[BLOCK];
    buf_append_varint(out, BLOCK);
    buf_append_varint(out, MINIBLOCKS);
    buf_append_varint(out, count);
    put_zigzag(out, count ? (int64_t)values[0] : 0);
    for (uint32_t done = 1; done < count;) {
        uint32_t n = count - done < BLOCK ? count - done : BLOCK;
        for (uint32_t i = 0; i < n; i++) {
            uint64_t delta = values[done + i] - values[done + i - 1];
            deltas[i] = narrow ? (uint64_t)(int64_t)(int32_t)(uint32_t)delta : delta;
        }
        put_block(out, deltas, n, narrow);
        done += n;
    }
}
