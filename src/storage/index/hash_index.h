/* hash_index.h: the equality index of one column of one segment: value -> row numbers.
 *
 * An immutable file beside the segment, made at flush, mapped at first use. A look-up reads one
 * directory entry and one short run of entries. Answers may hold rows of other values (32 + radix
 * bits of the hash are compared): the caller checks the value. Nulls are not in it.
 *
 * File, little-endian:
 *     0 magic "QHASHIX1" | 8 version u32 | 12 field_id i32 | 16 rows u64 (of the segment) |
 *     24 entries u32 | 28 radix_bits u32 | 32 crc32c of the body u32 | 36 zero 24 bytes |
 *     60 crc32c u32 of bytes 0..59
 *     64 directory: 2^radix_bits + 1 u32, number of the first entry of each bucket
 *     then entries: tag u32 (low half of the hash), row u32; by bucket (top bits of the hash), tag,
 * row The hash is value_hash (XXH3) of the value in the segment's own type. */
#ifndef QUARRY_STORAGE_HASH_INDEX_H
#define QUARRY_STORAGE_HASH_INDEX_H

#include "data/batch.h"
#include "data/value.h"
#include "sys/sys.h"

enum { HASH_INDEX_VERSION = 1, HASH_INDEX_HEADER_BYTES = 64, HASH_INDEX_BUCKET_ENTRIES = 8 };

/* Writes and syncs the file at `path` (replacing it): row number i is row order[i] of the column.
 */
enum status hash_index_write(struct sys *sys, const char *path, int32_t field_id,
                             const struct column *column, const uint32_t *order, uint32_t count,
                             struct sys_file **ret_file, uint64_t *ret_entries, uint64_t *ret_bytes,
                             struct error *err);

/* The same from hashes that were collected before: pairs in order of their rows, `rows` with nulls.
 */
struct hash_pair {
    uint64_t hash;
    uint32_t row;
};
enum status hash_index_write_pairs(struct sys *sys, const char *path, int32_t field_id,
                                   const struct hash_pair *pairs, uint32_t len, uint64_t rows,
                                   struct sys_file **ret_file, uint64_t *ret_bytes,
                                   struct error *err);

struct hash_index {
    struct sys_map map;
    const uint32_t *directory;
    const uint32_t *entries; /* pairs */
    uint32_t entries_len;
    uint32_t radix_bits;
};

/* Maps and checks it, checksums included; STATUS_CORRUPT names the file. */
enum status hash_index_open(struct sys *sys, const char *path, int32_t field_id, uint64_t rows,
                            struct hash_index *ret, struct error *err);
/* The same from bytes that stay readable (and are aligned as a mapping is); false when they are
 * damaged. */
bool hash_index_read(struct slice bytes, int32_t field_id, uint64_t rows, struct hash_index *ret);
void hash_index_close(struct sys *sys, struct hash_index *index);
/* Ascending row numbers, malloc'ed (NULL when none). */
enum status hash_index_lookup(const struct hash_index *index, uint64_t hash, uint64_t **ret_rows,
                              uint32_t *ret_len, struct error *err);

#endif
