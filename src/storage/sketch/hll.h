/* hll.h: counting distinct values in 4 KiB: HyperLogLog (Flajolet et al. 2007) with the estimator
 * of Ertl 2017 ("New cardinality estimation algorithms for HyperLogLog sketches", algorithm 6),
 * which needs no tables of bias. Standard error 1.04 / sqrt(HLL_REGISTERS) = 1.6 %. */
#ifndef QUARRY_STORAGE_HLL_H
#define QUARRY_STORAGE_HLL_H

#include <stdint.h>

enum { HLL_BITS = 12, HLL_REGISTERS = 1 << HLL_BITS };

/* The number of zeros that lead in the rest of the hash, and one. */
static inline void hll_add(uint8_t *registers, uint64_t hash)
{
    uint64_t rest = hash << HLL_BITS | UINT64_C(1) << (HLL_BITS - 1);
    uint8_t rank = (uint8_t)(__builtin_clzll(rest) + 1);
    uint8_t *at = &registers[hash >> (64 - HLL_BITS)];
    *at = rank > *at ? rank : *at;
}

void hll_merge(uint8_t *into, const uint8_t *from);
double hll_estimate(const uint8_t *registers);

#endif
