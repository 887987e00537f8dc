/* set_int.h: hashed constant sets for in and not_in; memory from an arena, built once. */
#ifndef QUARRY_QUERY_SET_INT_H
#define QUARRY_QUERY_SET_INT_H

#include "query/filter/filter_int.h"

/* 64-bit patterns. */
struct set64 {
    uint32_t len;
    uint32_t mask;   /* slots - 1 */
    uint64_t *slots; /* 0: free */
    bool has_zero;
};
/* Room for `cap` values. */
bool set64_init(struct set64 *set, uint32_t cap, struct arena *arena);
void set64_add(struct set64 *set, uint64_t value);

static inline uint64_t set64_mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x9E3779B97F4A7C15u;
    return x ^ x >> 29;
}

static inline bool set64_has(const struct set64 *set, uint64_t value)
{
    if (value == 0)
        return set->has_zero;
    for (uint64_t at = set64_mix(value) & set->mask;; at = (at + 1) & set->mask) {
        if (set->slots[at] == value)
            return true;
        if (set->slots[at] == 0)
            return false;
    }
}

/* The bits that equal doubles share. */
static inline uint64_t set64_of_real(double value)
{
    uint64_t bits;
    value += 0.0;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Literals of mixed kinds; the array is borrowed. */
struct literal_set {
    const struct literal *literals;
    uint32_t mask;
    uint32_t *slots; /* index + 1; 0: free */
    uint64_t *hashes;
};
/* Nulls are left out. */
bool literal_set_init(struct literal_set *set, const struct literal *literals, uint32_t len,
                      struct arena *arena);
bool literal_set_has(const struct literal_set *set, const struct literal *literal);
bool literal_set_has_text(const struct literal_set *set, struct str text);

#endif
