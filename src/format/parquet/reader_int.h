/* reader_int.h: the reader's parts.
 *
 * footer_read.c turns the footer into leaves (columns) and chunks; pages.c finds a chunk's pages
 * (by the offset index, else by walking the page headers); page_load.c checks and decompresses one
 * page and splits it into validity and values; decode_*.c append its values to a column; cache.c
 * keeps decoded pages and dictionaries; column_read.c, rows_read.c and codes_read.c are the calls
 * of parquet.h.
 *
 * Hostile input: every offset and length is checked against what holds it before it is used, counts
 * are bounded by the bytes that carry them, and sizes that compressed data announces are bounded by
 * what the codec can expand to. */
#ifndef QUARRY_FORMAT_PARQUET_READER_INT_H
#define QUARRY_FORMAT_PARQUET_READER_INT_H

#include "format/codec/codec.h"
#include "format/parquet/page_header_int.h"
#include "format/parquet/parquet.h"
#include "format/parquet/spec_int.h"

enum {
    FOOTER_MAX = 256 << 20,
    LEAVES_MAX = 10000,
    SCHEMA_DEPTH_MAX = 64,
    PAGE_ROWS_MAX = 1 << 24,
    PAGE_UNCOMPRESSED_MAX = 256 << 20,
    DICTIONARY_ENTRIES_MAX = 1 << 24,
    PAGE_HEADER_MAX = 1 << 20, /* statistics in it may be long */
    READ_SLACK = 16,           /* bytes readable behind decompressed data */
};

struct pq_leaf {
    struct field field;
    enum pq_type physical;
    enum pq_time_unit unit; /* timestamps */
    bool is_unsigned;
    bool optional;
    const char *refusal; /* why it cannot be read, or NULL */
};

/* One decoded page or dictionary in the cache. */
struct pq_cached {
    struct pq_cached **slot; /* where it is found; NULL there once evicted */
    struct pq_cached *newer, *older;
    size_t bytes;
    uint32_t pins;        /* in use: not evicted */
    uint32_t *codes;      /* dictionary encoded: one per row, PARQUET_CODE_NULL for null */
    bool has_nulls;       /* in codes */
    uint32_t rows;        /* of codes */
    struct column column; /* else: values */
};

struct pq_page_entry {
    uint64_t offset; /* of the header in the file */
    uint64_t first_row;
    uint32_t size; /* header and data */
    uint32_t rows;
    struct pq_cached *cached;
};

/* Of ColumnIndex; bytes point into the file. */
struct pq_page_bounds {
    struct str min, max; /* data NULL: none */
    int64_t nulls;       /* -1: unknown */
    bool null_page;
};

struct pq_chunk {
    enum pq_codec codec;
    bool all_dictionary; /* the footer says so */
    uint64_t values;
    uint64_t start; /* first byte: dictionary page or first data page */
    uint64_t end;
    uint64_t dictionary_offset; /* 0: unknown or none */
    uint64_t offset_index, column_index;
    uint32_t offset_index_len, column_index_len;
    int64_t nulls; /* -1: unknown */
    struct str min, max;
    /* made on first use */
    struct pq_page_entry *pages;
    struct pq_page_bounds *bounds; /* NULL: no column index */
    uint32_t pages_len;
    bool pages_known;
    bool dictionary_pinned; /* handed out by parquet_chunk_dictionary */
    struct pq_cached *dictionary;
};

struct pq_group {
    uint64_t rows;
    uint64_t first_row; /* in the file */
    struct pq_chunk *chunks;
};

struct pq_scratch {
    uint8_t *data;
    size_t cap;
};

struct parquet_reader {
    const uint8_t *file;
    size_t file_len;
    uint64_t data_end; /* where the footer starts: pages and indexes lie before */
    struct arena arena;
    struct pq_leaf *leaves;
    struct field *fields;
    uint32_t leaves_len;
    struct pq_group *groups;
    uint32_t groups_len;
    uint64_t rows;
    bool own;
    struct codec_context codec;
    struct pq_scratch plain;    /* decompressed page */
    struct pq_scratch validity; /* bitmap of a page */
    struct pq_scratch codes;
    struct pq_cached *newest, *oldest;
    size_t cache_bytes;
};

/* A page ready to be decoded; all of it points to the file or the reader's scratch, valid until the
 * next page. Behind `values` READ_SLACK bytes may not be readable. */
struct pq_loaded {
    uint32_t rows;
    uint32_t present;        /* values that are not null */
    const uint8_t *validity; /* NULL: no nulls */
    const uint8_t *values;
    size_t values_len;
    enum pq_encoding encoding; /* PQ_PLAIN, PQ_RLE (booleans) or PQ_RLE_DICTIONARY */
};

/* Which chunk of which column. */
struct pq_place {
    uint32_t group, column;
};

static inline struct pq_chunk *pq_chunk_at(struct parquet_reader *reader, struct pq_place at)
{
    return &reader->groups[at.group].chunks[at.column];
}

enum status pq_corrupt(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool pq_scratch_reserve(struct pq_scratch *scratch, size_t size);

/* footer_read.c, schema_read.c */
struct thrift_reader;
struct thrift_field;
enum status pq_footer_read(struct parquet_reader *reader, struct slice footer, struct error *err);
enum status pq_schema_read(struct parquet_reader *reader, struct thrift_reader *r,
                           const struct thrift_field *list, struct error *err);

/* pages.c */
enum status pq_header_read(const struct parquet_reader *reader, uint64_t offset, uint64_t end,
                           struct pq_header *ret, struct error *err);
enum status pq_pages_find(struct parquet_reader *reader, struct pq_place at, struct error *err);
/* The page that has this row of the group; pages are known, row is below the group's rows. */
uint32_t pq_page_of_row(const struct pq_chunk *chunk, uint64_t row);

/* page_load.c */
enum status pq_page_load(struct parquet_reader *reader, struct pq_place at, uint32_t page,
                         struct pq_loaded *ret, struct error *err);
enum status pq_dictionary_load(struct parquet_reader *reader, struct pq_place at,
                               struct pq_loaded *ret, struct error *err);

/* decode_plain.c: appends all rows of a page that is not dictionary encoded. */
enum status pq_decode_plain(const struct pq_leaf *leaf, const struct pq_loaded *page, bool exact,
                            struct column *into, struct error *err);
/* decode_codes.c: codes of all rows of a dictionary encoded page. */
enum status pq_decode_codes(const struct pq_loaded *page, uint32_t dictionary_len, uint32_t *codes,
                            struct error *err);
/* Appends dictionary[codes[i]]. */
enum status pq_append_codes(const struct column *dictionary, const uint32_t *codes, uint32_t count,
                            bool has_nulls, struct column *into, struct error *err);
/* fill.c: rows that were appended past into->rows become part of it. */
enum status pq_into_reserve(struct column *into, uint32_t rows, struct error *err);
enum status pq_into_commit(struct column *into, uint32_t rows, uint32_t present,
                           const uint8_t *validity, struct error *err);
enum status pq_into_room(struct column *into, size_t bytes, char **ret_room, struct error *err);
/* NaN becomes null, an infinity fails: rows from `first` on. */
enum status pq_check_doubles(struct column *into, uint32_t first, struct error *err);

/* cache.c: an item comes pinned (pq_unpin). */
enum status pq_cached_page(struct parquet_reader *reader, struct pq_place at, uint32_t page,
                           struct pq_cached **ret, struct error *err);
enum status pq_cached_dictionary(struct parquet_reader *reader, struct pq_place at,
                                 const struct pq_cached **ret, struct error *err);
void pq_unpin(const struct pq_cached *item);
void pq_cache_release(struct parquet_reader *reader);

/* Refuses columns that cannot be read, and numbers out of range. */
enum status pq_check_place(const struct parquet_reader *reader, struct pq_place at,
                           struct error *err);

#endif
