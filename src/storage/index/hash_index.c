/* hash_index.c: writing and reading the hash sidecar (layout in hash_index.h).
 *
 * Writing: (hash, row) pairs in row order, counted into buckets by the top bits (a stable counting
 * sort), then each bucket of about eight entries is put in order of tag by insertion. */
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

static uint32_t bits_for(uint32_t entries)
{
    uint32_t bits = 1;
    while (bits < 28 && (entries >> bits) > HASH_INDEX_BUCKET_ENTRIES)
        bits++;
    return bits;
}

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

static void sort_bucket(uint32_t *entries, uint32_t len)
{
    for (uint32_t i = 1; i < len; i++) {
        uint32_t tag = entries[2 * i], row = entries[2 * i + 1], at = i;
        for (; at && entries[2 * at - 2] > tag; at--) {
            entries[2 * at] = entries[2 * at - 2];
            entries[2 * at + 1] = entries[2 * at - 1];
        }
        entries[2 * at] = tag;
        entries[2 * at + 1] = row;
    }
}

static int by_tag(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    if (x[0] != y[0])
        return x[0] < y[0] ? -1 : 1;
    return x[1] < y[1] ? -1 : x[1] > y[1];
}

/* Fills directory and entries of `body`. */
static void fill(uint32_t *body, uint32_t bits, const struct hash_pair *pairs, uint32_t len)
{
    uint32_t buckets = 1u << bits, *directory = body, *entries = body + buckets + 1;
    for (uint32_t i = 0; i < len; i++)
        directory[(pairs[i].hash >> (64 - bits)) + 1]++;
    for (uint32_t b = 0; b < buckets; b++)
        directory[b + 1] += directory[b];
    for (uint32_t i = 0; i < len; i++) {
        uint32_t slot = directory[pairs[i].hash >> (64 - bits)]++;
        entries[2 * slot] = (uint32_t)pairs[i].hash;
        entries[2 * slot + 1] = pairs[i].row;
    }
    /* Each start has moved to its bucket's end: shift them back. */
    memmove(directory + 1, directory, buckets * sizeof *directory);
    directory[0] = 0;
    for (uint32_t b = 0; b < buckets; b++) {
        uint32_t count = directory[b + 1] - directory[b];
        if (count <= 64)
            sort_bucket(entries + 2 * (size_t)directory[b], count);
        else
            qsort(entries + 2 * (size_t)directory[b], count, 8, by_tag);
    }
}

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static void make_header(uint8_t *file, int32_t field_id, uint64_t rows, uint32_t entries,
                        uint32_t bits, size_t size)
{
    memcpy(file, "QHASHIX1", 8);
    put32(file + 8, HASH_INDEX_VERSION);
    put32(file + 12, (uint32_t)field_id);
    memcpy(file + 16, &rows, 8);
    put32(file + 24, entries);
    put32(file + 28, bits);
    put32(file + 32, crc32c(file + HASH_INDEX_HEADER_BYTES, size - HASH_INDEX_HEADER_BYTES));
    put32(file + 60, crc32c(file, 60));
}

static enum status write_file(struct sys *sys, const char *path, const void *data, size_t size,
                              struct sys_file **ret_file, struct error *err)
{
    struct sys_file *file = NULL;
    TRY(sys_open(sys, path, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &file, err));
    enum status status = sys_pwrite(sys, file, data, size, 0, err);
    if (status != STATUS_OK) {
        sys_close(sys, file);
        return status;
    }
    *ret_file = file;
    return STATUS_OK;
}

enum status hash_index_write_pairs(struct sys *sys, const char *path, int32_t field_id,
                                   const struct hash_pair *pairs, uint32_t len, uint64_t rows,
                                   struct sys_file **ret_file, uint64_t *ret_bytes,
                                   struct error *err)
{
    uint32_t bits = bits_for(len);
    size_t size = HASH_INDEX_HEADER_BYTES + (((size_t)1 << bits) + 1) * 4 + (size_t)len * 8;
    uint8_t *file = calloc(1, size);
    *ret_file = NULL;
    if (!file)
        return error_no_memory(err);
    fill((uint32_t *)(void *)(file + HASH_INDEX_HEADER_BYTES), bits, pairs, len);
    make_header(file, field_id, rows, len, bits, size);
    enum status status = write_file(sys, path, file, size, ret_file, err);
    free(file);
    *ret_bytes = size;
    return status;
}

enum status hash_index_write(struct sys *sys, const char *path, int32_t field_id,
                             const struct column *column, const uint32_t *order, uint32_t count,
                             struct sys_file **ret_file, uint64_t *ret_entries, uint64_t *ret_bytes,
                             struct error *err)
{
    struct hash_pair *pairs = NULL;
    uint32_t len = 0;
    *ret_file = NULL;
    TRY(collect_pairs(column, order, count, &pairs, &len, err));
    enum status status =
        hash_index_write_pairs(sys, path, field_id, pairs, len, count, ret_file, ret_bytes, err);
    free(pairs);
    *ret_entries = len;
    return status;
}

/* --- reading --- */

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

/* Whatever the bytes are, a look-up stays within them after this (it checks the directory). */
bool hash_index_read(struct slice bytes, int32_t field_id, uint64_t rows, struct hash_index *ret)
{
    const uint8_t *file = bytes.data;
    size_t len = bytes.len;
    uint64_t stored_rows;
    if (len < HASH_INDEX_HEADER_BYTES || memcmp(file, "QHASHIX1", 8) != 0 ||
        get32(file + 60) != crc32c(file, 60) || get32(file + 8) != HASH_INDEX_VERSION)
        return false;
    memcpy(&stored_rows, file + 16, 8);
    ret->entries_len = get32(file + 24);
    ret->radix_bits = get32(file + 28);
    if (get32(file + 12) != (uint32_t)field_id || stored_rows != rows || ret->radix_bits < 1 ||
        ret->radix_bits > 28)
        return false;
    size_t directory = (((size_t)1 << ret->radix_bits) + 1) * 4;
    if (len != HASH_INDEX_HEADER_BYTES + directory + (size_t)ret->entries_len * 8 ||
        get32(file + 32) != crc32c(file + HASH_INDEX_HEADER_BYTES, len - HASH_INDEX_HEADER_BYTES))
        return false;
    ret->directory = (const uint32_t *)(const void *)(file + HASH_INDEX_HEADER_BYTES);
    ret->entries = (const uint32_t *)(const void *)(file + HASH_INDEX_HEADER_BYTES + directory);
    return true;
}

enum status hash_index_open(struct sys *sys, const char *path, int32_t field_id, uint64_t rows,
                            struct hash_index *ret, struct error *err)
{
    struct sys_file *file = NULL;
    TRY(sys_open(sys, path, SYS_READ, &file, err));
    *ret = (struct hash_index){0};
    enum status status = sys_map(sys, file, &ret->map, err);
    sys_close(sys, file);
    if (status != STATUS_OK)
        return status;
    if (hash_index_read((struct slice){ret->map.data, ret->map.len}, field_id, rows, ret))
        return STATUS_OK;
    sys_unmap(sys, &ret->map);
    return error_set(err, STATUS_CORRUPT, "%s: the hash index is damaged", path);
}

void hash_index_close(struct sys *sys, struct hash_index *index)
{
    if (index->directory)
        sys_unmap(sys, &index->map);
    *index = (struct hash_index){0};
}

/* First entry of [at, end) whose tag is not below `tag`. */
static uint32_t lower_bound(const struct hash_index *index, uint32_t at, uint32_t end, uint32_t tag)
{
    while (at < end) {
        uint32_t middle = at + (end - at) / 2;
        if (index->entries[2 * (size_t)middle] < tag)
            at = middle + 1;
        else
            end = middle;
    }
    return at;
}

enum status hash_index_lookup(const struct hash_index *index, uint64_t hash, uint64_t **ret_rows,
                              uint32_t *ret_len, struct error *err)
{
    uint64_t bucket = hash >> (64 - index->radix_bits);
    uint32_t at = index->directory[bucket], end = index->directory[bucket + 1];
    uint32_t tag = (uint32_t)hash;
    *ret_rows = NULL;
    *ret_len = 0;
    if (end > index->entries_len || at > end)
        return error_set(err, STATUS_CORRUPT, "the hash index's directory is damaged");
    at = lower_bound(index, at, end, tag);
    uint32_t stop = tag == UINT32_MAX ? end : lower_bound(index, at, end, tag + 1);
    if (stop == at)
        return STATUS_OK;
    uint64_t *rows = malloc((stop - at) * sizeof *rows);
    if (!rows)
        return error_no_memory(err);
    for (uint32_t i = at; i < stop; i++)
        rows[i - at] = index->entries[2 * (size_t)i + 1];
    *ret_rows = rows;
    *ret_len = stop - at;
    return STATUS_OK;
}
