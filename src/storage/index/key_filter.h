/* key_filter.h: which of up to 64 segments may have a key: a bit-sliced Bloom filter, in memory.
 *
 * A slot is a word with one bit a segment. A key sets its segment's bit in KEY_FILTER_PROBES slots;
 * a look-up ANDs these words, so that its cost is a few cache lines whatever the number of
 * segments. Segments of one filter have about the same number of keys (its size class), for all of
 * them share the number of slots. Keys are the bits of the hash that every hash sidecar keeps
 * (hash_index_tag).
 *
 * A filter of KEY_FILTER_FEW members has words of 16 bits; four of one class join into one of
 * KEY_FILTER_MANY. Immutable once filled; shared by reference. */
#ifndef QUARRY_STORAGE_KEY_FILTER_H
#define QUARRY_STORAGE_KEY_FILTER_H

#include <stdint.h>

enum {
    KEY_FILTER_FEW = 16,
    KEY_FILTER_MANY = 64,
    KEY_FILTER_PROBES = 4,
    KEY_FILTER_SLOTS_A_KEY = 10, /* at the least: below 1.2 % false answers a segment */
    KEY_FILTER_CLASS_MIN = 10,
    KEY_FILTER_CLASS_MAX = 24,
};

struct key_filter {
    _Atomic uint32_t refs;
    uint32_t size_class; /* members have at most 2^(size_class + 1) keys */
    uint32_t members;    /* KEY_FILTER_FEW or KEY_FILTER_MANY */
    uint32_t slots;
    uint64_t ids[KEY_FILTER_MANY]; /* of the segments */
    void *words;
};

/* The class for so many keys; beyond KEY_FILTER_CLASS_MAX there is no filter. */
uint32_t key_filter_class(uint32_t keys);
/* Memory of a filter. */
uint64_t key_filter_bytes(uint32_t size_class, uint32_t members);
/* Empty, for KEY_FILTER_FEW members; NULL when memory is out. */
struct key_filter *key_filter_new(uint32_t size_class);
/* Puts one key of a member in; before the filter is shared. */
void key_filter_add(struct key_filter *filter, uint32_t member, uint32_t tag);
/* Joins four of KEY_FILTER_FEW members and of one class; NULL when memory is out. */
struct key_filter *key_filter_join(struct key_filter *const from[4]);
/* One bit a member that may have the key. */
uint64_t key_filter_find(const struct key_filter *filter, uint32_t tag);
/* Asks for the memory that key_filter_find will read. */
void key_filter_prefetch(const struct key_filter *filter, uint32_t tag);

struct key_filter *key_filter_ref(struct key_filter *filter);
void key_filter_unref(struct key_filter *filter);

#endif
