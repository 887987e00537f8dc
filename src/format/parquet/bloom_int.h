/* bloom_int.h: split-block bloom filters (parquet-format BloomFilter.md): XXH64 of a value's PLAIN
 * bytes (without length), blocks of 32 bytes, one bit in each of a block's 8 words.
 *
 * On disk: BloomFilterHeader (Thrift), then the blocks. Quarry's files hold them behind the chunks
 * of their row group, a power of two in size; the CRC-32 of each stands in the footer under
 * PQ_BLOOMS_KEY, 8 hex digits each in the order of row groups and columns, so that a damaged filter
 * is never believed. */
#ifndef QUARRY_FORMAT_PARQUET_BLOOM_INT_H
#define QUARRY_FORMAT_PARQUET_BLOOM_INT_H

#include "base/buf.h"

enum {
    BLOOM_BLOCK = 32,
    BLOOM_WRITE_MAX = 16 << 20,
    BLOOM_READ_MAX = 128 << 20,
    BLOOM_HEADER_MAX = 64,
    /* Bits a value that keep false answers to about 1 in 100. */
    BLOOM_BITS_PER_VALUE_X100 = 968,
};

uint64_t bloom_hash(const void *data, size_t len);
/* Bytes for so many distinct values. */
uint32_t bloom_size(uint64_t values);
/* `size`: a multiple of BLOOM_BLOCK, not 0. */
void bloom_add(uint8_t *bits, uint32_t size, uint64_t hash);
bool bloom_has(const uint8_t *bits, uint32_t size, uint64_t hash);

#endif
