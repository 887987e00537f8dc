/* expand_delta.c: DELTA_BINARY_PACKED (Encodings.md, "Delta Encoding").
 *
 * Header: varints block size (a multiple of 128), miniblocks a block, number of values; zigzag
 * first value. Each block: zigzag smallest delta, one bit width a miniblock, then the miniblocks,
 * each of (block size / miniblocks) deltas less the smallest, bit-packed. A miniblock without any
 * value has no bytes. All arithmetic wraps at 64 bits (users of 32 bits take the low half). */
#include "format/parquet/reader_int.h"

enum { BLOCK_MAX = 1 << 16, MINIBLOCKS_MAX = 1 << 10 };

struct source {
    const uint8_t *p;
    const uint8_t *end;
    bool failed;
};

static uint64_t read_varint(struct source *s)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && s->p < s->end; shift += 7) {
        uint8_t byte = *s->p++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return value;
    }
    s->failed = true;
    return 0;
}

static uint64_t read_zigzag(struct source *s)
{
    uint64_t value = read_varint(s);
    return value >> 1 ^ (0 - (value & 1));
}

static uint64_t bits_at(const uint8_t *p, size_t len, uint64_t bit, unsigned width)
{
    size_t at = (size_t)(bit >> 3);
    unsigned shift = bit & 7;
    uint64_t low = 0;
    size_t n = len - at < 8 ? len - at : 8;
    memcpy(&low, p + at, n);
    low >>= shift;
    if (shift + width > 64 && len - at > 8)
        low |= (uint64_t)p[at + 8] << (64 - shift);
    return width == 64 ? low : low & (((uint64_t)1 << width) - 1);
}

/* Sums up `count` deltas of `width` bits; out[-1] is the value before. */
static void unpack(const uint8_t *p, size_t len, unsigned width, uint64_t smallest, uint32_t count,
                   uint64_t *out)
{
    uint64_t value = out[-1];
    for (uint32_t i = 0; i < count; i++) {
        uint64_t delta = width ? bits_at(p, len, (uint64_t)i * width, width) : 0;
        value += smallest + delta;
        out[i] = value;
    }
}

/* One block: `count` values at most are still wanted. */
static uint32_t read_block(struct source *s, uint32_t miniblocks, uint32_t per_mini, uint32_t count,
                           uint64_t *out)
{
    uint64_t smallest = read_zigzag(s);
    const uint8_t *widths = s->p;
    if (s->failed || (size_t)(s->end - s->p) < miniblocks) {
        s->failed = true;
        return 0;
    }
    s->p += miniblocks;
    uint32_t done = 0;
    for (uint32_t m = 0; m < miniblocks && done < count; m++) {
        uint32_t n = count - done < per_mini ? count - done : per_mini;
        size_t left = (size_t)(s->end - s->p);
        size_t need = ((size_t)n * widths[m] + 7) / 8, all = (size_t)per_mini * widths[m] / 8;
        if (widths[m] > 64 || need > left) { /* padding of the last one may be cut */
            s->failed = true;
            return 0;
        }
        unpack(s->p, all < left ? all : left, widths[m], smallest, n, out + done);
        s->p += all < left ? all : left;
        done += n;
    }
    return done;
}

enum status pq_delta_ints(const uint8_t *p, const uint8_t *end, uint32_t count, uint64_t *out,
                          const uint8_t **ret_end, struct error *err)
{
    struct source s = {.p = p, .end = end};
    uint64_t block = read_varint(&s), miniblocks = read_varint(&s), total = read_varint(&s);
    uint64_t first = read_zigzag(&s);
    if (s.failed || block == 0 || block > BLOCK_MAX || miniblocks == 0 ||
        miniblocks > MINIBLOCKS_MAX || block % miniblocks || block / miniblocks % 8)
        return pq_corrupt(err, "a delta encoded page has a false header");
    if (total != count)
        return pq_corrupt(err, "a delta encoded page has %llu values in place of %u",
                          (unsigned long long)total, count);
    if (count)
        out[0] = first;
    for (uint32_t done = 1; done < count;) {
        done += read_block(&s, (uint32_t)miniblocks, (uint32_t)(block / miniblocks), count - done,
                           out + done);
        if (s.failed)
            return pq_corrupt(err, "a delta encoded page ends too early");
    }
    *ret_end = s.p;
    return STATUS_OK;
}
