/* hash_index.c: reading the hash sidecar (layout in hash_index.h).
 *
 * Whatever the bytes are, reading stays within the file: a bucket's bits are read only up to its
 * end, and a single code reads at most 16 bytes behind it, which the slack at the file's end has.
 */
#include "storage/index/hash_index.h"

#include <isa-l/crc.h>
#include <stdlib.h>

static uint32_t crc32c(const void *data, size_t len)
{
    const uint8_t *at = data;
    uint32_t crc = ~0u;
    while (len) {
        size_t part = len < (1u << 30) ? len : (1u << 30);
        crc = crc32_iscsi((unsigned char *)(uintptr_t)at, (int)part, crc);
        at += part;
        len -= part;
    }
    return crc;
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* --- opening --- */

static bool directory_is_sound(const struct hash_index *index, uint64_t bytes)
{
    uint64_t buckets = UINT64_C(1) << index->bucket_bits;
    for (uint64_t b = 0; b < buckets; b++)
        if (index->directory[b] > index->directory[b + 1])
            return false;
    return index->directory[0] == 0 && index->directory[buckets] == bytes;
}

static bool widths_are_sound(const struct hash_index *index)
{
    int key_bits = index->bucket_bits + index->tag_bits;
    return index->bucket_bits <= 31 && index->tag_bits >= HASH_INDEX_RICE_LESS &&
           key_bits >= HASH_INDEX_KEY_BITS_MIN && key_bits <= 40 && index->row_bits <= 32 &&
           index->entries_len <= index->rows;
}

bool hash_index_read(struct slice bytes, int32_t label, uint64_t rows, struct hash_index *ret)
{
    const uint8_t *file = bytes.data;
    size_t len = bytes.len;
    if (len < HASH_INDEX_HEADER_BYTES || memcmp(file, "QHASHIX2", 8) != 0 ||
        get32(file + 60) != crc32c(file, 60) || get32(file + 8) != HASH_INDEX_VERSION ||
        get32(file + 12) != (uint32_t)label || get64(file + 16) != rows)
        return false;
    ret->rows = rows;
    ret->entries_len = get32(file + 24);
    ret->groups_len = get32(file + 28);
    ret->bucket_bits = file[36];
    ret->tag_bits = file[37];
    ret->row_bits = file[38];
    uint64_t buckets = get64(file + 40);
    if (!widths_are_sound(ret) || buckets > UINT32_MAX)
        return false;
    uint64_t directory = ((UINT64_C(1) << ret->bucket_bits) + 1) * 4;
    if (len != HASH_INDEX_HEADER_BYTES + directory + buckets + HASH_INDEX_SLACK ||
        get32(file + 32) != crc32c(file + HASH_INDEX_HEADER_BYTES, len - HASH_INDEX_HEADER_BYTES))
        return false;
    ret->directory = (const uint32_t *)(const void *)(file + HASH_INDEX_HEADER_BYTES);
    ret->buckets = file + HASH_INDEX_HEADER_BYTES + directory;
    return directory_is_sound(ret, buckets);
}

enum status hash_index_open(struct sys *sys, const char *path, int32_t label, uint64_t rows,
                            struct hash_index *ret, struct error *err)
{
    struct sys_file *file = NULL;
    TRY(sys_open(sys, path, SYS_READ, &file, err));
    struct sys_map map = {0};
    *ret = (struct hash_index){0};
    enum status status = sys_map(sys, file, &map, err);
    sys_close(sys, file);
    if (status != STATUS_OK)
        return status;
    if (hash_index_read((struct slice){map.data, map.len}, label, rows, ret)) {
        ret->map = map;
        return STATUS_OK;
    }
    bool old = map.len >= 8 && memcmp(map.data, "QHASHIX1", 8) == 0;
    sys_unmap(sys, &map);
    *ret = (struct hash_index){0};
    return error_set(err, STATUS_CORRUPT,
                     old ? "%s: the hash index is of an older version, it is made again"
                         : "%s: the hash index is damaged",
                     path);
}

bool hash_index_is_current(struct sys *sys, const char *path)
{
    struct sys_file *file = NULL;
    char magic[8];
    size_t len = 0;
    if (sys_open(sys, path, SYS_READ, &file, NULL) != STATUS_OK)
        return false;
    enum status status = sys_pread(sys, file, magic, sizeof magic, 0, &len, NULL);
    sys_close(sys, file);
    return status == STATUS_OK && len == sizeof magic && memcmp(magic, "QHASHIX2", 8) == 0;
}

void hash_index_close(struct sys *sys, struct hash_index *index)
{
    if (index->directory)
        sys_unmap(sys, &index->map);
    *index = (struct hash_index){0};
}

/* --- bits --- */

struct bits {
    const uint8_t *bytes;
    uint64_t at, end; /* of the bucket; `at` beyond it: what was read is not to be believed */
};

static inline uint64_t peek(const struct bits *in) /* 57 bits at the least */
{
    return get64(in->bytes + in->at / 8) >> (in->at % 8);
}

static inline bool take(struct bits *in, uint32_t bits, uint64_t *ret) /* at most 32 */
{
    if (in->at > in->end)
        return false;
    *ret = peek(in) & ((UINT64_C(1) << bits) - 1);
    in->at += bits;
    return in->at <= in->end;
}

/* How many zeros before a one, which is taken too. */
static inline bool take_zeros(struct bits *in, uint32_t *ret)
{
    uint64_t ahead = in->at > in->end ? 0 : peek(in);
    if (ahead == 0)
        return false;
    *ret = (uint32_t)__builtin_ctzll(ahead);
    in->at += *ret + 1;
    return in->at <= in->end;
}

static inline bool take_gamma(struct bits *in, uint64_t *ret)
{
    uint32_t below;
    uint64_t low;
    if (!take_zeros(in, &below) || below > 32 || !take(in, below, &low))
        return false;
    *ret = UINT64_C(1) << below | low;
    return true;
}

static inline bool take_rice(struct bits *in, uint32_t k, uint64_t *ret)
{
    uint32_t high;
    uint64_t low;
    if (!take_zeros(in, &high) || !take(in, k, &low))
        return false;
    *ret = (uint64_t)high << k | low;
    return true;
}

/* --- groups --- */

struct group {
    uint64_t tag;
    uint32_t rows;
    uint64_t list_end; /* where its list ends, as far as it says so; else 0 */
};

static struct bits open_bucket(const struct hash_index *index, uint64_t bucket)
{
    uint32_t from = index->directory[bucket], to = index->directory[bucket + 1];
    return (struct bits){.bytes = index->buckets + from, .end = (uint64_t)(to - from) * 8};
}

/* The next group up to its rows; `next`: the lowest tag that may come. */
static bool take_group(const struct hash_index *index, struct bits *in, uint64_t next,
                       struct group *ret)
{
    uint64_t gap, rows, bits;
    if (!take_rice(in, index->tag_bits - HASH_INDEX_RICE_LESS, &gap) || !take_gamma(in, &rows) ||
        rows > index->entries_len)
        return false;
    *ret = (struct group){.tag = next + gap, .rows = (uint32_t)rows};
    if (rows < HASH_INDEX_LONG_LIST)
        return true;
    if (!take_gamma(in, &bits) || bits > in->end - in->at)
        return false;
    ret->list_end = in->at + bits;
    return true;
}

/* Its rows into `rows`; NULL: over them. */
static bool take_rows(const struct hash_index *index, struct bits *in, const struct group *group,
                      uint64_t *rows)
{
    uint64_t k = 0, row, high, low;
    if (!rows && group->list_end) {
        in->at = group->list_end;
        return true;
    }
    if ((group->rows > 1 && !take(in, 5, &k)) || !take(in, index->row_bits, &row))
        return false;
    for (uint32_t i = 0;; i++) {
        if (row >= index->rows)
            return false;
        if (rows)
            rows[i] = row;
        if (i + 1 == group->rows)
            return true;
        if (!take_gamma(in, &high) || !take(in, (uint32_t)k, &low))
            return false;
        row += ((high - 1) << k | low) + 1;
    }
}

static enum status damaged(struct error *err)
{
    return error_set(err, STATUS_CORRUPT, "a bucket of the hash index is damaged");
}

static enum status read_rows(const struct hash_index *index, struct bits *in,
                             const struct group *group, uint64_t **ret_rows, struct error *err)
{
    uint64_t *rows = malloc(group->rows * sizeof *rows);
    if (!rows)
        return error_no_memory(err);
    if (!take_rows(index, in, group, rows)) {
        free(rows);
        return damaged(err);
    }
    *ret_rows = rows;
    return STATUS_OK;
}

enum status hash_index_lookup(const struct hash_index *index, uint64_t hash, uint64_t limit,
                              uint64_t **ret_rows, uint32_t *ret_len, struct error *err)
{
    uint64_t key = hash_index_key(index, hash), groups, next = 0;
    uint64_t tag = key & ((UINT64_C(1) << index->tag_bits) - 1);
    struct bits in = open_bucket(index, key >> index->tag_bits);
    *ret_rows = NULL;
    *ret_len = 0;
    if (!take_gamma(&in, &groups))
        return damaged(err);
    for (groups--; groups; groups--) {
        struct group group;
        if (!take_group(index, &in, next, &group))
            return damaged(err);
        if (group.tag > tag)
            return STATUS_OK;
        if (group.tag == tag) {
            *ret_len = group.rows;
            return group.rows <= limit ? read_rows(index, &in, &group, ret_rows, err) : STATUS_OK;
        }
        if (!take_rows(index, &in, &group, NULL))
            return damaged(err);
        next = group.tag + 1;
    }
    return STATUS_OK;
}

static enum status visit_bucket(const struct hash_index *index, uint64_t bucket,
                                hash_visit_fn visit, void *context, struct error *err)
{
    struct bits in = open_bucket(index, bucket);
    uint64_t groups, next = 0, *rows = NULL;
    if (!take_gamma(&in, &groups))
        return damaged(err);
    for (groups--; groups; groups--) {
        struct group group;
        if (!take_group(index, &in, next, &group) || group.tag >> index->tag_bits)
            return damaged(err);
        TRY(read_rows(index, &in, &group, &rows, err));
        enum status status =
            visit(context, bucket << index->tag_bits | group.tag, rows, group.rows, err);
        free(rows);
        rows = NULL;
        TRY(status);
        next = group.tag + 1;
    }
    return STATUS_OK;
}

enum status hash_index_visit(const struct hash_index *index, hash_visit_fn visit, void *context,
                             struct error *err)
{
    for (uint64_t b = 0; b < UINT64_C(1) << index->bucket_bits; b++)
        TRY(visit_bucket(index, b, visit, context, err));
    return STATUS_OK;
}
