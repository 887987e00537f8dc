/* dict_int.h: the dictionary of one column chunk under construction: value -> code by an
 * open-addressing hash table (linear probing, at most half full).
 *
 * Keys are either 64-bit patterns (integers, doubles, dates, timestamps) or byte strings (XXH3). It
 * refuses further values once it holds DICT_ENTRIES_MAX entries or DICT_BYTES_MAX bytes, or when a
 * probe gets longer than DICT_PROBE_MAX (so that chosen colliding keys cost nothing but the
 * dictionary). */
#ifndef QUARRY_FORMAT_PARQUET_DICT_INT_H
#define QUARRY_FORMAT_PARQUET_DICT_INT_H

#include "base/status.h"
#include "base/str.h"

enum {
    DICT_ENTRIES_MAX = 1 << 16, /* codes of at most 16 bits */
    DICT_BYTES_MAX = 1 << 20,
    DICT_PROBE_MAX = 256,
};

struct dict {
    bool is_bytes;
    uint32_t len;
    uint32_t cap;
    unsigned slot_bits;
    uint32_t *slots;   /* code + 1; 0 is free */
    uint64_t *keys;    /* patterns, or hashes of the strings */
    uint32_t *offsets; /* strings: len + 1 of them */
    char *bytes;
    uint32_t bytes_cap;
};

void dict_init(struct dict *dict, bool is_bytes);
void dict_release(struct dict *dict);
/* Forgets all entries, keeps the memory. */
void dict_clear(struct dict *dict);

/* Codes of the first values, up to the one that does not fit any more; *ret_done says how many.
 * STATUS_NO_MEMORY, else OK. */
enum status dict_encode_keys(struct dict *dict, const uint64_t *keys, uint32_t count,
                             uint32_t *codes, uint32_t *ret_done);
enum status dict_encode_strs(struct dict *dict, const struct str *strs, uint32_t count,
                             uint32_t *codes, uint32_t *ret_done);

static inline struct str dict_str(const struct dict *dict, uint32_t code)
{
    return str_make(dict->bytes + dict->offsets[code],
                    dict->offsets[code + 1] - dict->offsets[code]);
}

#endif
