/* dict.c: the dictionary's hash table; see dict_int.h. */
#include "format/parquet/dict_int.h"

#include <stdlib.h>

#define XXH_INLINE_ALL /* short strings: the call would cost as much as the hash */
#include <xxhash.h>

enum { DICT_FIRST_CAP = 256, DICT_FIRST_BYTES = 4096 };

void dict_init(struct dict *dict, bool is_bytes)
{
    *dict = (struct dict){.is_bytes = is_bytes};
}

void dict_release(struct dict *dict)
{
    free(dict->slots);
    free(dict->keys);
    free(dict->offsets);
    free(dict->bytes);
    dict_init(dict, dict->is_bytes);
}

void dict_clear(struct dict *dict)
{
    dict->len = 0;
    if (dict->slots)
        memset(dict->slots, 0, sizeof *dict->slots << dict->slot_bits);
}

static inline uint64_t mix(uint64_t key)
{
    key ^= key >> 32;
    key *= 0x9E3779B97F4A7C15u;
    return key ^ key >> 29;
}

/* The slot where a search starts: the hash's top bits. */
static inline uint32_t slot_of(const struct dict *dict, uint64_t hash)
{
    return (uint32_t)(hash * 0xD6E8FEB86659FD93u >> (64 - dict->slot_bits));
}

static bool rehash(struct dict *dict, unsigned slot_bits)
{
    uint32_t *slots = calloc((size_t)1 << slot_bits, sizeof *slots);
    if (!slots)
        return false;
    free(dict->slots);
    dict->slots = slots;
    dict->slot_bits = slot_bits;
    uint32_t mask = (1u << slot_bits) - 1;
    for (uint32_t code = 0; code < dict->len; code++) {
        uint64_t hash = dict->is_bytes ? dict->keys[code] : mix(dict->keys[code]);
        uint32_t slot = slot_of(dict, hash);
        while (slots[slot])
            slot = (slot + 1) & mask;
        slots[slot] = code + 1;
    }
    return true;
}

/* Slots for `cap` (a power of two) entries at most half full. */
static unsigned slot_bits_for(uint32_t cap)
{
    return (unsigned)__builtin_ctz(cap) + 1;
}

static bool grow(struct dict *dict)
{
    uint32_t cap = dict->cap ? dict->cap * 4 : DICT_FIRST_CAP;
    if (cap > DICT_ENTRIES_MAX)
        cap = DICT_ENTRIES_MAX;
    uint64_t *keys = realloc(dict->keys, cap * sizeof *keys);
    if (!keys)
        return false;
    dict->keys = keys;
    if (dict->is_bytes) {
        uint32_t *offsets = realloc(dict->offsets, ((size_t)cap + 1) * sizeof *offsets);
        if (!offsets)
            return false;
        dict->offsets = offsets;
    }
    if (!rehash(dict, slot_bits_for(cap)))
        return false;
    dict->cap = cap;
    return true;
}

enum status dict_encode_keys(struct dict *dict, const uint64_t *keys, uint32_t count,
                             uint32_t *codes, uint32_t *ret_done)
{
    uint64_t last_key = 0;
    uint32_t last_code = UINT32_MAX;
    uint32_t i = 0;
    for (; i < count; i++) {
        uint64_t key = keys[i];
        if (key == last_key && last_code != UINT32_MAX) { /* runs are common */
            codes[i] = last_code;
            continue;
        }
        if (dict->len == dict->cap) {
            if (dict->cap == DICT_ENTRIES_MAX)
                break; /* even a known value: the chunk falls back to PLAIN anyway */
            if (!grow(dict))
                return STATUS_NO_MEMORY;
        }
        uint32_t mask = (1u << dict->slot_bits) - 1;
        uint32_t slot = slot_of(dict, mix(key));
        uint32_t entry, probes = 0;
        while ((entry = dict->slots[slot]) && dict->keys[entry - 1] != key &&
               ++probes < DICT_PROBE_MAX)
            slot = (slot + 1) & mask;
        if (probes == DICT_PROBE_MAX)
            break;
        if (!entry) {
            dict->keys[dict->len] = key;
            dict->slots[slot] = entry = ++dict->len;
        }
        last_key = key;
        codes[i] = last_code = entry - 1;
    }
    *ret_done = i;
    return STATUS_OK;
}

static inline bool same(const struct dict *dict, uint32_t code, uint64_t hash, struct str s)
{
    if (dict->keys[code] != hash)
        return false;
    struct str known = dict_str(dict, code);
    return known.len == s.len && (s.len == 0 || memcmp(known.data, s.data, s.len) == 0);
}

/* Room for one more string of `len` bytes (dict->offsets[len] is where it starts). */
static bool bytes_room(struct dict *dict, uint32_t start, uint32_t len)
{
    if (dict->bytes && start + len <= dict->bytes_cap)
        return true;
    uint32_t cap = dict->bytes_cap ? dict->bytes_cap : DICT_FIRST_BYTES;
    while (cap < start + len)
        cap *= 2;
    char *bytes = realloc(dict->bytes, cap);
    if (!bytes)
        return false;
    dict->bytes = bytes;
    dict->bytes_cap = cap;
    return true;
}

enum status dict_encode_strs(struct dict *dict, const struct str *strs, uint32_t count,
                             uint32_t *codes, uint32_t *ret_done)
{
    uint32_t i = 0;
    for (; i < count; i++) {
        struct str s = strs[i];
        if (dict->len == dict->cap) {
            if (dict->cap == DICT_ENTRIES_MAX)
                break;
            if (!grow(dict))
                return STATUS_NO_MEMORY;
        }
        uint64_t hash = XXH3_64bits(s.len ? s.data : "", s.len);
        uint32_t mask = (1u << dict->slot_bits) - 1;
        uint32_t slot = slot_of(dict, hash);
        uint32_t entry, probes = 0;
        while ((entry = dict->slots[slot]) && !same(dict, entry - 1, hash, s) &&
               ++probes < DICT_PROBE_MAX)
            slot = (slot + 1) & mask;
        if (probes == DICT_PROBE_MAX)
            break;
        if (!entry) {
            uint32_t start = dict->len ? dict->offsets[dict->len] : 0;
            if (s.len > DICT_BYTES_MAX - start)
                break;
            if (!bytes_room(dict, start, (uint32_t)s.len))
                return STATUS_NO_MEMORY;
            if (s.len)
                memcpy(dict->bytes + start, s.data, s.len);
            dict->keys[dict->len] = hash;
            dict->offsets[dict->len] = start;
            dict->offsets[dict->len + 1] = start + (uint32_t)s.len;
            dict->slots[slot] = entry = ++dict->len;
        }
        codes[i] = entry - 1;
    }
    *ret_done = i;
    return STATUS_OK;
}
