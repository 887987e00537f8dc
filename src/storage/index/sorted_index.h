/* sorted_index.h: the ordered index of one column of one segment: row numbers in order of their
 * values, for ranges, prefixes and ordered reads.
 *
 * An immutable file beside the segment. A directory of fences (the first value of each page of
 * SORTED_INDEX_PAGE_ENTRIES entries) is checked when the file is opened; each page has a checksum
 * of its own, checked when it is read. Within a page entries are (key, row), both bit-packed: the
 * key of a fixed-width value is an unsigned number in the same order; that of a text the eight
 * bytes behind the prefix that all texts of the page share. So ranges of numbers are exact, those
 * of texts may hold a few rows more: the caller checks the value. Nulls are not in it.
 *
 * File, little-endian:
 *     0 magic "QSORTIX1" | 8 version u32 | 12 field_id i32 | 16 rows u64 (of the segment) |
 *     24 entries u32 | 28 pages u32 | 32 type u32 | 36 bytes of texts u32 | 40 bytes of pages u64 |
 *     48 crc32c u32 of directory and texts | 52 zero 8 bytes | 60 crc32c u32 of bytes 0..59
 *     64 directory, 32 bytes a page: 0 first key u64 | 8 offset u32 of the page among the pages |
 *        12 its crc32c u32 | 16 offset u32 of its first text | 20 length u16 of that text |
 *        22 shared prefix u16 | 24 bits of a key u8 | 25 bits of a row u8 | 26 entries u16 |
 *        28 flags u32 (1: the text is cut)
 *     then the texts, zeros up to a multiple of 8, the pages: entries * key bits (less the first
 *     key), zeros up to a byte, entries * row bits, zeros up to a byte; at the end 8 zero bytes */
#ifndef QUARRY_STORAGE_SORTED_INDEX_H
#define QUARRY_STORAGE_SORTED_INDEX_H

#include "data/batch.h"
#include "data/value.h"
#include "sys/sys.h"

enum {
    SORTED_INDEX_VERSION = 1,
    SORTED_INDEX_HEADER_BYTES = 64,
    SORTED_INDEX_ENTRY_BYTES = 32, /* of the directory */
    SORTED_INDEX_PAGE_ENTRIES = 256,
    SORTED_INDEX_TEXT_MAX = 64, /* fences are cut behind it */
};

/* `order`: the rows that are not null, sorted by value, then row. Replaces the file at `path`. */
enum status sorted_index_write(struct sys *sys, const char *path, int32_t field_id,
                               const struct column *column, const uint32_t *order, uint32_t len,
                               struct sys_file **ret_file, uint64_t *ret_bytes, struct error *err);

struct sorted_index {
    struct sys_map map;
    const uint8_t *directory, *texts, *pages;
    uint64_t rows;
    uint64_t pages_bytes;
    uint32_t entries_len, pages_len, texts_len;
    enum type type;
};

/* Maps it, checks header and directory; STATUS_CORRUPT names the file. */
enum status sorted_index_open(struct sys *sys, const char *path, int32_t field_id, uint64_t rows,
                              enum type type, struct sorted_index *ret, struct error *err);
void sorted_index_close(struct sys *sys, struct sorted_index *index);
/* The same from bytes that stay readable; false when they are damaged. */
bool sorted_index_read(struct slice bytes, int32_t field_id, uint64_t rows, enum type type,
                       struct sorted_index *ret);

/* Pages [*ret_first, *ret_end) hold all entries of the range; from the directory alone. */
void sorted_index_pages(const struct sorted_index *index, const struct value_range *range,
                        uint32_t *ret_first, uint32_t *ret_end);

/* A decoded page. */
struct sorted_page {
    uint32_t len;
    uint64_t keys[SORTED_INDEX_PAGE_ENTRIES];
    uint32_t rows[SORTED_INDEX_PAGE_ENTRIES];
};
/* STATUS_CORRUPT when it fails its checksum. */
enum status sorted_index_page(const struct sorted_index *index, uint32_t page,
                              struct sorted_page *ret, struct error *err);
/* Entries [*ret_first, *ret_end) of a decoded page may be in the range. */
void sorted_index_clip(const struct sorted_index *index, uint32_t page,
                       const struct sorted_page *decoded, const struct value_range *range,
                       uint32_t *ret_first, uint32_t *ret_end);
/* Rows among which the first `count` entries of the range are; with `descending` the last ones and
 * whatever equals them. */
struct sorted_first {
    bool used;      /* false: more than `most` rows */
    bool enough;    /* `count` of them are in the range for certain; else these are all */
    uint64_t *rows; /* ascending, malloc'ed; NULL: none */
    uint32_t len;
};
enum status sorted_index_first(const struct sorted_index *index, const struct value_range *range,
                               bool descending, uint32_t count, uint64_t most,
                               struct sorted_first *ret, struct error *err);
/* Row numbers of the range, ascending, malloc'ed. `limit`: with more, *ret_rows is NULL and
 * *ret_len above it. */
enum status sorted_index_lookup(const struct sorted_index *index, const struct value_range *range,
                                uint64_t limit, uint64_t **ret_rows, uint32_t *ret_len,
                                struct error *err);

#endif
