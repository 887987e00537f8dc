/* hash_index.h: the equality index of a segment: hash of a value (or tuple) -> row numbers.
 *
 * An immutable file beside the segment, mapped at first use. Of the hash the highest bits are kept:
 * 23, or 6 more than it takes to number the groups. Rows with the same kept bits are a group. The
 * highest of these bits number the bucket, about HASH_INDEX_BUCKET_GROUPS groups each; a look-up
 * reads one directory entry and decodes one bucket up to its group: 0.2 us to 1 us, and 5 ns for
 * each row that it gives. Answers may hold rows of other values: the caller checks the value. Nulls
 * are not in it.
 *
 * File, little-endian:
 *     0 magic "QHASHIX2" | 8 version u32 | 12 label i32 (index_label) | 16 rows u64 (of the
 * segment) | 24 entries u32 | 28 groups u32 | 32 crc32c of the body u32 | 36 bucket bits u8 | 37
 * tag bits u8 | 38 row bits u8 | 39 zero | 40 bytes of the buckets u64 | 48 zero 12 bytes | 60
 * crc32c u32 of bytes 0..59 64 directory: 2^bucket bits + 1 u32, where each bucket begins among the
 * buckets, and the end then the buckets, then 16 zero bytes A bucket is a string of bits, lowest of
 * a byte first, up to a whole byte; groups by tag: gamma(groups + 1), and for each group its tag
 * (the kept bits behind the bucket's) less the one before and 1, of the first itself: Rice code
 * with tag bits - 5 gamma(rows); with one row: it in `row bits`; with more: from
 * HASH_INDEX_LONG_LIST rows on gamma(bits of what follows) k in 5 bits, the first row in `row
 * bits`, each next one less the one before and 1: gamma(that >> k, plus 1), its low k bits
 *     gamma(n): as many zeros as n has bits below its highest, a one, these bits
 *     Rice(n, k): n >> k zeros, a one, the low k bits
 * Version 1 (8.6 bytes a row) is not read: its files are made again at the first start. */
#ifndef QUARRY_STORAGE_HASH_INDEX_H
#define QUARRY_STORAGE_HASH_INDEX_H

#include "data/batch.h"
#include "data/value.h"
#include "sys/sys.h"

enum {
    HASH_INDEX_VERSION = 2,
    HASH_INDEX_HEADER_BYTES = 64,
    HASH_INDEX_SLACK = 16,
    HASH_INDEX_BUCKET_GROUPS = 32,
    HASH_INDEX_KEY_BITS_MIN = 23,
    HASH_INDEX_KEY_SPARE = 6,
    HASH_INDEX_LONG_LIST = 16,
    HASH_INDEX_RICE_LESS = 5,
};

/* Writes the file at `path` (replacing it), not synced: row number i is row order[i] of the column.
 */
enum status hash_index_write(struct sys *sys, const char *path, int32_t label,
                             const struct column *column, const uint32_t *order, uint32_t count,
                             struct sys_file **ret_file, uint64_t *ret_entries, uint64_t *ret_bytes,
                             struct error *err);

/* The same from hashes that were collected before: pairs in order of their rows, `rows` with nulls.
 */
struct hash_pair {
    uint64_t hash;
    uint32_t row;
};
enum status hash_index_write_pairs(struct sys *sys, const char *path, int32_t label,
                                   const struct hash_pair *pairs, uint32_t len, uint64_t rows,
                                   struct sys_file **ret_file, uint64_t *ret_bytes,
                                   struct error *err);

struct hash_index {
    struct sys_map map;
    const uint32_t *directory;
    const uint8_t *buckets;
    uint64_t rows;
    uint32_t entries_len, groups_len;
    uint8_t bucket_bits, tag_bits, row_bits;
};

/* Maps and checks it, checksums included; STATUS_CORRUPT names the file. */
enum status hash_index_open(struct sys *sys, const char *path, int32_t label, uint64_t rows,
                            struct hash_index *ret, struct error *err);
/* The same from bytes that stay readable (and are aligned as a mapping is); false when they are
 * damaged. */
bool hash_index_read(struct slice bytes, int32_t label, uint64_t rows, struct hash_index *ret);
void hash_index_close(struct sys *sys, struct hash_index *index);
/* The file begins as one of this version does; nothing else is looked at. */
bool hash_index_is_current(struct sys *sys, const char *path);
/* Ascending row numbers, malloc'ed (NULL when none). With more than `limit`: NULL, and how many. */
enum status hash_index_lookup(const struct hash_index *index, uint64_t hash, uint64_t limit,
                              uint64_t **ret_rows, uint32_t *ret_len, struct error *err);
/* All groups, by their kept bits. */
typedef enum status (*hash_visit_fn)(void *context, uint64_t key, const uint64_t *rows,
                                     uint32_t len, struct error *err);
enum status hash_index_visit(const struct hash_index *index, hash_visit_fn visit, void *context,
                             struct error *err);
/* The kept bits of a hash. */
static inline uint64_t hash_index_key(const struct hash_index *index, uint64_t hash)
{
    return hash >> (64 - index->bucket_bits - index->tag_bits);
}
/* The part of a key or hash that all indexes keep, for key filters. */
static inline uint32_t hash_index_tag(uint64_t hash)
{
    return (uint32_t)(hash >> (64 - HASH_INDEX_KEY_BITS_MIN));
}
static inline uint32_t hash_index_key_tag(const struct hash_index *index, uint64_t key)
{
    return (uint32_t)(key >> (index->bucket_bits + index->tag_bits - HASH_INDEX_KEY_BITS_MIN));
}

#endif
