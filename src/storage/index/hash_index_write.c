/* hash_index_write.c: making the hash sidecar (layout in hash_index.h).
 *
 *   1. the pairs in order of hash, then row: a stable counting sort by the top bits, then each
 * small run by insertion
 *   2. groups are counted: that gives the widths
 *   3. bucket by bucket their bits */
#include <isa-l/crc.h>
#include <stdlib.h>

#include "base/buf.h"
#include "storage/index/hash_index.h"

enum { RUN_PAIRS = 8, RUN_INSERT_MAX = 64, SORT_BITS_MAX = 26 };

/* --- 1 --- */

/* The pairs of all rows that are not null; malloc'ed. */
static enum status collect_pairs(const struct column *column, const uint32_t *order, uint32_t count,
                                 struct hash_pair **ret, uint32_t *ret_len, struct error *err)
{
    struct hash_pair *pairs = malloc((count ? count : 1) * sizeof *pairs);
    if (!pairs)
        return error_no_memory(err);
    uint32_t len = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (column_is_null(column, order[i]))
            continue;
        struct value value = value_of_column(column, order[i]);
        pairs[len].hash = value_hash(&value);
        pairs[len++].row = i;
    }
    *ret = pairs;
    *ret_len = len;
    return STATUS_OK;
}

static int by_hash(const void *a, const void *b)
{
    const struct hash_pair *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* They are in order of rows. */
static void sort_run(struct hash_pair *pairs, uint32_t len)
{
    if (len > RUN_INSERT_MAX) {
        qsort(pairs, len, sizeof *pairs, by_hash);
        return;
    }
    for (uint32_t i = 1; i < len; i++) {
        struct hash_pair pair = pairs[i];
        uint32_t at = i;
        for (; at && pairs[at - 1].hash > pair.hash; at--)
            pairs[at] = pairs[at - 1];
        pairs[at] = pair;
    }
}

/* A copy in order of hash, then row; malloc'ed. */
static enum status sort_pairs(const struct hash_pair *pairs, uint32_t len, struct hash_pair **ret,
                              struct error *err)
{
    uint32_t bits = 1;
    while (bits < SORT_BITS_MAX && len >> bits > RUN_PAIRS)
        bits++;
    uint32_t runs = 1u << bits;
    struct hash_pair *sorted = malloc((len + (size_t)1) * sizeof *sorted);
    uint32_t *starts = calloc(runs + (size_t)1, sizeof *starts);
    if (!sorted || !starts) {
        free(sorted);
        free(starts);
        return error_no_memory(err);
    }
    for (uint32_t i = 0; i < len; i++)
        starts[(pairs[i].hash >> (64 - bits)) + 1]++;
    for (uint32_t r = 0; r < runs; r++)
        starts[r + 1] += starts[r];
    for (uint32_t i = 0; i < len; i++)
        sorted[starts[pairs[i].hash >> (64 - bits)]++] = pairs[i];
    for (uint32_t r = 0, from = 0; r < runs; r++) { /* each start has moved to its run's end */
        sort_run(sorted + from, starts[r] - from);
        from = starts[r];
    }
    free(starts);
    *ret = sorted;
    return STATUS_OK;
}

/* --- 2 --- */

struct writing {
    const struct hash_pair *pairs;
    uint32_t len, groups;
    uint8_t bucket_bits, tag_bits, row_bits;
    uint64_t held; /* bits that are not in `body` yet */
    uint32_t held_len;
    struct buf directory, body;
};

static uint8_t bits_of(uint64_t value)
{
    return value ? (uint8_t)(64 - __builtin_clzll(value)) : 0;
}

/* The end of the group that begins at `at`: rows whose first `bits` bits are equal. */
static uint32_t group_end(const struct writing *w, uint32_t at, uint32_t bits)
{
    uint64_t key = w->pairs[at].hash >> (64 - bits);
    while (at < w->len && w->pairs[at].hash >> (64 - bits) == key)
        at++;
    return at;
}

/* As many bits as distinct hashes ask for; then the groups are those of these bits. */
static void choose_widths(struct writing *w, uint64_t rows)
{
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < w->len; i++)
        distinct += i == 0 || w->pairs[i].hash != w->pairs[i - 1].hash;
    uint32_t bits = bits_of(distinct) + HASH_INDEX_KEY_SPARE;
    bits = bits < HASH_INDEX_KEY_BITS_MIN ? HASH_INDEX_KEY_BITS_MIN : bits;
    for (uint32_t at = 0; at < w->len; at = group_end(w, at, bits))
        w->groups++;
    while (w->groups >> w->bucket_bits > HASH_INDEX_BUCKET_GROUPS)
        w->bucket_bits++;
    w->tag_bits = (uint8_t)(bits - w->bucket_bits);
    w->row_bits = bits_of(rows ? rows - 1 : 0);
}

/* --- 3 --- */

static void put(struct writing *w, uint64_t value, uint32_t bits) /* at most 32 */
{
    w->held |= value << w->held_len;
    w->held_len += bits;
    if (w->held_len < 32)
        return;
    buf_append(&w->body, &w->held, 4);
    w->held >>= 32;
    w->held_len -= 32;
}

static void put_zeros_one(struct writing *w, uint64_t zeros)
{
    for (; zeros >= 32; zeros -= 32)
        put(w, 0, 32);
    put(w, 0, (uint32_t)zeros);
    put(w, 1, 1);
}

static void put_gamma(struct writing *w, uint64_t n) /* from 1 to 2^32 */
{
    uint32_t below = bits_of(n) - 1u;
    put_zeros_one(w, below);
    put(w, n & ((UINT64_C(1) << below) - 1), below);
}

static void put_rice(struct writing *w, uint64_t n, uint32_t k)
{
    put_zeros_one(w, n >> k);
    put(w, n & ((UINT64_C(1) << k) - 1), k);
}

static uint64_t gap_bits(uint64_t gap, uint32_t k)
{
    return 2u * bits_of((gap >> k) + 1) - 1u + k;
}

/* Bits of all gaps of a list with the best k. */
static uint64_t choose_k(const struct hash_pair *pairs, uint32_t len, uint32_t row_bits,
                         uint32_t *ret)
{
    uint64_t best = UINT64_MAX;
    for (uint32_t k = 0; k <= row_bits && k < 32; k++) {
        uint64_t bits = 0;
        for (uint32_t i = 1; i < len && bits < best; i++)
            bits += gap_bits(pairs[i].row - pairs[i - 1].row - 1, k);
        if (bits < best) {
            best = bits;
            *ret = k;
        }
    }
    return best;
}

static int by_row(const void *a, const void *b)
{
    const struct hash_pair *x = a, *y = b;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Different hashes may share a group: its rows are put in order. */
static void put_rows(struct writing *w, struct hash_pair *pairs, uint32_t len)
{
    uint32_t k = 0;
    put_gamma(w, len);
    if (len == 1) {
        put(w, pairs[0].row, w->row_bits);
        return;
    }
    if (pairs[0].hash != pairs[len - 1].hash)
        qsort(pairs, len, sizeof *pairs, by_row);
    uint64_t bits = choose_k(pairs, len, w->row_bits, &k) + 5 + w->row_bits;
    if (len >= HASH_INDEX_LONG_LIST)
        put_gamma(w, bits);
    put(w, k, 5);
    put(w, pairs[0].row, w->row_bits);
    for (uint32_t i = 1; i < len; i++) {
        uint64_t gap = pairs[i].row - pairs[i - 1].row - 1;
        put_gamma(w, (gap >> k) + 1);
        put(w, gap & ((UINT64_C(1) << k) - 1), k);
    }
}

static uint32_t count_groups(const struct writing *w, uint32_t at, uint32_t end, uint32_t bits)
{
    uint32_t groups = 0;
    for (; at < end; at = group_end(w, at, bits))
        groups++;
    return groups;
}

static void put_bucket(struct writing *w, struct hash_pair *pairs, uint32_t at, uint32_t end)
{
    uint32_t bits = w->bucket_bits + w->tag_bits;
    uint64_t next = 0; /* the lowest tag that may come */
    put_gamma(w, count_groups(w, at, end, bits) + UINT64_C(1));
    while (at < end) {
        uint32_t stop = group_end(w, at, bits);
        uint64_t tag = w->pairs[at].hash >> (64 - bits) & ((UINT64_C(1) << w->tag_bits) - 1);
        put_rice(w, tag - next, w->tag_bits - HASH_INDEX_RICE_LESS);
        put_rows(w, pairs + at, stop - at);
        next = tag + 1;
        at = stop;
    }
    buf_append(&w->body, &w->held, (w->held_len + 7) / 8);
    w->held = w->held_len = 0;
}

static void put_buckets(struct writing *w, struct hash_pair *pairs)
{
    static const uint8_t zeros[HASH_INDEX_SLACK];
    uint32_t at = 0, end = 0;
    for (uint64_t b = 0; b < UINT64_C(1) << w->bucket_bits; b++, at = end) {
        uint32_t offset = (uint32_t)w->body.len;
        buf_append(&w->directory, &offset, sizeof offset);
        while (end < w->len && (w->bucket_bits ? pairs[end].hash >> (64 - w->bucket_bits) : 0) == b)
            end++;
        put_bucket(w, pairs, at, end);
    }
    uint32_t offset = (uint32_t)w->body.len;
    buf_append(&w->directory, &offset, sizeof offset);
    buf_append(&w->body, zeros, sizeof zeros);
}

/* --- the file --- */

static uint32_t crc_of(uint32_t crc, const struct buf *buf)
{
    const uint8_t *at = (const uint8_t *)buf->data;
    for (size_t left = buf->len; left;) {
        size_t part = left < (1u << 30) ? left : (1u << 30);
        crc = crc32_iscsi((unsigned char *)(uintptr_t)at, (int)part, crc);
        at += part;
        left -= part;
    }
    return crc;
}

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static void make_header(const struct writing *w, int32_t label, uint64_t rows, uint8_t *header)
{
    uint64_t bytes = w->body.len - HASH_INDEX_SLACK;
    memcpy(header, "QHASHIX2", 8);
    put32(header + 8, HASH_INDEX_VERSION);
    put32(header + 12, (uint32_t)label);
    memcpy(header + 16, &rows, 8);
    put32(header + 24, w->len);
    put32(header + 28, w->groups);
    put32(header + 32, crc_of(crc_of(~0u, &w->directory), &w->body));
    header[36] = w->bucket_bits;
    header[37] = w->tag_bits;
    header[38] = w->row_bits;
    memcpy(header + 40, &bytes, 8);
    put32(header + 60, crc32_iscsi(header, 60, ~0u));
}

static enum status write_parts(struct sys *sys, struct sys_file *file, const struct writing *w,
                               const uint8_t *header, struct error *err)
{
    uint64_t at = HASH_INDEX_HEADER_BYTES;
    TRY(sys_pwrite(sys, file, header, HASH_INDEX_HEADER_BYTES, 0, err));
    TRY(sys_pwrite(sys, file, w->directory.data, w->directory.len, at, err));
    return sys_pwrite(sys, file, w->body.data, w->body.len, at + w->directory.len, err);
}

static enum status write_file(struct sys *sys, const char *path, const struct writing *w,
                              int32_t label, uint64_t rows, struct sys_file **ret_file,
                              struct error *err)
{
    uint8_t header[HASH_INDEX_HEADER_BYTES] = {0};
    struct sys_file *file = NULL;
    TRY(buf_check(&w->directory, "a hash index", err));
    TRY(buf_check(&w->body, "a hash index", err));
    make_header(w, label, rows, header);
    TRY(sys_open(sys, path, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &file, err));
    enum status status = write_parts(sys, file, w, header, err);
    if (status == STATUS_OK)
        *ret_file = file;
    else
        sys_close(sys, file);
    return status;
}

enum status hash_index_write_pairs(struct sys *sys, const char *path, int32_t label,
                                   const struct hash_pair *pairs, uint32_t len, uint64_t rows,
                                   struct sys_file **ret_file, uint64_t *ret_bytes,
                                   struct error *err)
{
    struct hash_pair *sorted = NULL;
    *ret_file = NULL;
    *ret_bytes = 0;
    TRY(sort_pairs(pairs, len, &sorted, err));
    struct writing w = {.pairs = sorted, .len = len};
    buf_init(&w.directory, UINT32_MAX);
    buf_init(&w.body, UINT32_MAX);
    choose_widths(&w, rows);
    put_buckets(&w, sorted);
    enum status status = write_file(sys, path, &w, label, rows, ret_file, err);
    *ret_bytes = HASH_INDEX_HEADER_BYTES + w.directory.len + w.body.len;
    buf_release(&w.directory);
    buf_release(&w.body);
    free(sorted);
    return status;
}

enum status hash_index_write(struct sys *sys, const char *path, int32_t label,
                             const struct column *column, const uint32_t *order, uint32_t count,
                             struct sys_file **ret_file, uint64_t *ret_entries, uint64_t *ret_bytes,
                             struct error *err)
{
    struct hash_pair *pairs = NULL;
    uint32_t len = 0;
    *ret_file = NULL;
    TRY(collect_pairs(column, order, count, &pairs, &len, err));
    enum status status =
        hash_index_write_pairs(sys, path, label, pairs, len, count, ret_file, ret_bytes, err);
    free(pairs);
    *ret_entries = len;
    return status;
}
