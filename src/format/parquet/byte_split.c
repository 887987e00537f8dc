/* byte_split.c: BYTE_STREAM_SPLIT of 8-byte values: byte 0 of all values, then byte 1 of all, ...
 * (Encodings.md, "Byte Stream Split"). Equal high bytes and zero low bytes of doubles become runs,
 * which any codec packs well and unpacks fast.
 *
 * Joining goes 16 values at a time: three rounds of interleaving, each of which doubles how many
 * bytes of one value stand together. */
#include <string.h>

#include "format/parquet/byte_split_int.h"

enum { WIDTH = 8, LANES = 16 };

typedef uint8_t lanes __attribute__((vector_size(LANES)));

#define LOW(a, b)                                                                                  \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define HIGH(a, b)                                                                                 \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

/* Pairs number i of the first half with number i of the second half. */
static inline void interleave(const lanes in[WIDTH], lanes out[WIDTH])
{
    for (int i = 0; i < WIDTH / 2; i++) {
        out[2 * i] = LOW(in[i], in[i + WIDTH / 2]);
        out[2 * i + 1] = HIGH(in[i], in[i + WIDTH / 2]);
    }
}

void byte_split_join(const uint8_t *streams, size_t count, uint8_t *out)
{
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes a[WIDTH], b[WIDTH];
        for (size_t byte = 0; byte < WIDTH; byte++)
            memcpy(&a[byte], streams + byte * count + i, LANES);
        interleave(a, b);
        interleave(b, a);
        interleave(a, b);
        memcpy(out + i * WIDTH, b, sizeof b);
    }
    for (; i < count; i++)
        for (size_t byte = 0; byte < WIDTH; byte++)
            out[i * WIDTH + byte] = streams[byte * count + i];
}

void byte_split_encode(struct buf *out, const uint64_t *values, size_t count)
{
    if (!buf_reserve(out, count * WIDTH))
        return;
    uint8_t *to = (uint8_t *)out->data + out->len;
    for (size_t byte = 0; byte < WIDTH; byte++)
        for (size_t i = 0; i < count; i++)
            to[byte * count + i] = (uint8_t)(values[i] >> (8 * byte));
    out->len += count * WIDTH;
}
