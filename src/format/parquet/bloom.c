/* bloom.c: see bloom_int.h. Little-endian machine. */
#include <xxhash.h>

#include "format/parquet/bloom_int.h"

enum { WORDS = 8 };

static const uint32_t salts[WORDS] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                      0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};

uint64_t bloom_hash(const void *data, size_t len)
{
    return XXH64(data, len, 0);
}

uint32_t bloom_size(uint64_t values)
{
    uint32_t size = BLOOM_BLOCK;
    uint64_t want = values > ((uint64_t)1 << 40) ? (uint64_t)1 << 40 : values;
    want = want * BLOOM_BITS_PER_VALUE_X100 / 800;
    while (size < want && size < BLOOM_WRITE_MAX)
        size *= 2;
    return size;
}

static size_t block_at(uint32_t size, uint64_t hash)
{
    return (size_t)((hash >> 32) * (size / BLOOM_BLOCK) >> 32) * BLOOM_BLOCK;
}

void bloom_add(uint8_t *bits, uint32_t size, uint64_t hash)
{
    uint32_t block[WORDS];
    uint8_t *at = bits + block_at(size, hash);
    memcpy(block, at, sizeof block);
    for (int i = 0; i < WORDS; i++)
        block[i] |= (uint32_t)1 << ((uint32_t)hash * salts[i] >> 27);
    memcpy(at, block, sizeof block);
}

bool bloom_has(const uint8_t *bits, uint32_t size, uint64_t hash)
{
    uint32_t block[WORDS];
    bool all = true;
    memcpy(block, bits + block_at(size, hash), sizeof block);
    for (int i = 0; i < WORDS; i++)
        all &= block[i] >> ((uint32_t)hash * salts[i] >> 27) & 1;
    return all;
}
