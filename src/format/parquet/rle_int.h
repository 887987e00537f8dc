/* rle_int.h: the RLE / bit-packing hybrid of definition levels, dictionary codes and RLE booleans.
 *
 * Source: Encodings.md, "Run Length Encoding / Bit-Packing Hybrid". A run is a varint header: bit 0
 * clear: (header >> 1) times one value of ceil(width / 8) bytes; bit 0 set: (header >> 1) groups of
 * 8 values, bit-packed from the least significant bit on. */
#ifndef QUARRY_FORMAT_PARQUET_RLE_INT_H
#define QUARRY_FORMAT_PARQUET_RLE_INT_H

#include "base/buf.h"

/* Bits to hold `max`; 0 for 0. */
static inline unsigned pq_bit_width(uint32_t max)
{
    return max ? 32u - (unsigned)__builtin_clz(max) : 0;
}

/* Appends `count` values below 2^width; width 1 to 32. Failure is in the buffer. */
void rle_encode(struct buf *out, const uint32_t *values, uint32_t count, unsigned width);
/* Appends `rows` levels of 0 or 1 that are bits of `bitmap` from bit 0 on (NULL: all `all`). */
void rle_encode_bits(struct buf *out, const uint8_t *bitmap, uint32_t rows, bool all);

struct rle_reader {
    const uint8_t *p;
    const uint8_t *end;
    unsigned width;
    uint32_t run_left; /* of a repeated value */
    uint32_t run_value;
    uint32_t packed_left; /* of a bit-packed run */
    uint32_t packed_at;   /* values taken from it */
    const uint8_t *packed;
};

/* width 0 to 32 (0: all values are 0 and no bytes are needed). */
void rle_reader_init(struct rle_reader *r, const uint8_t *data, size_t len, unsigned width);
/* Next `count` values; false when the bytes end before. */
bool rle_read(struct rle_reader *r, uint32_t *values, uint32_t count);
/* Next `count` values of width 1 as bits into `bitmap` from bit 0 on (the last byte's rest is 0).
 * *ret_ones counts them. */
bool rle_read_bits(struct rle_reader *r, uint8_t *bitmap, uint32_t count, uint32_t *ret_ones);

/* `count` values of `width` bits from `bit` on (from the start of `data`, `len` bytes readable). */
void bits_unpack(const uint8_t *data, size_t len, uint64_t bit, unsigned width, uint32_t *values,
                 uint32_t count);

#endif
