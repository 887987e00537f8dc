/* reader_int.h: the reader's parts.
 *
 * footer_read.c and schema_read.c turn the footer into columns, leaves and chunks; pages.c finds a
 * chunk's pages (by the offset index, else by walking the page headers); page_load.c checks and
 * decompresses one page and splits it into levels and values; expand_*.c turn delta and split
 * encodings into PLAIN bytes; decode_*.c append a page's values to a column; cache.c keeps decoded
 * pages and dictionaries; column_read.c and codes_read.c are the calls of parquet.h for flat
 * columns, nested_*.c for nested ones.
 *
 * A column (of parquet.h) is flat, then it is one leaf; or nested, then it has any number of leaves
 * and is read as JSON. struct pq_place counts leaves; chunks stand in the order of leaves.
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
    FIXED_WIDTH_MAX = 1 << 20, /* bytes of a fixed-length value */
    DECIMAL_BYTES_MAX = 32,    /* of a decimal in a byte array */
    DECIMAL_SCALE_MAX = 76,
    NESTED_BYTES_MAX = 512 << 20, /* decoded pages that one nested column holds at once */
};

/* How a leaf's values become ours, apart from its physical type. */
enum pq_form {
    PQ_FORM_NATIVE,
    PQ_FORM_DECIMAL,  /* JSON number text with all digits of the scale */
    PQ_FORM_TIME,     /* "HH:MM:SS.ffffff", nanoseconds with 9 digits */
    PQ_FORM_UUID,     /* text */
    PQ_FORM_FLOAT16,  /* double */
    PQ_FORM_INTERVAL, /* ISO 8601: "P<months>M<days>DT<s>.<ms>S" */
    PQ_FORM_BASE64,   /* bytes that are no text */
};

struct pq_leaf {
    struct field field; /* its name is the path */
    enum pq_type physical;
    enum pq_form form;
    enum pq_time_unit unit; /* timestamps, times */
    uint32_t width;         /* fixed-length byte arrays */
    uint32_t scale;         /* decimals */
    bool is_unsigned;
    bool flat;
    bool optional; /* flat ones */
    uint8_t max_def, max_rep;
    const char *refusal; /* why it cannot be read, or NULL */
};

enum pq_node_kind { PQ_NODE_LEAF, PQ_NODE_STRUCT, PQ_NODE_LIST, PQ_NODE_MAP };

/* One element of the schema. */
struct pq_node {
    struct str name;
    int32_t id;
    enum pq_node_kind kind;
    enum pq_logical logical;
    enum pq_repetition repetition;
    uint8_t def, rep;    /* levels of an entry in which the node is there */
    bool element_inside; /* LIST, MAP: the repeated child is only a wrapper */
    uint32_t first_leaf, leaves;
    struct pq_node *children;
    uint32_t children_len;
};

struct pq_nested;

/* A column of parquet.h. */
struct pq_column {
    const struct pq_node *node;
    uint32_t leaf; /* the first one */
    bool flat;
    const char *refusal;
    struct pq_nested *nested; /* where reading stands; made on first use */
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
    bool touched; /* single rows of it were read once without keeping it */
};

/* Of ColumnIndex; bytes point into the file. */
struct pq_page_bounds {
    struct str min, max; /* data NULL: none */
    int64_t nulls;       /* -1: unknown */
    bool null_page;
};

struct pq_chunk {
    enum pq_codec codec;
    bool all_dictionary;    /* the footer says so */
    bool stats_v2;          /* own files: the one kind of data page that the footer names, */
    int32_t stats_encoding; /* and its encoding; -1: none */
    uint64_t values;
    uint64_t start; /* first byte: dictionary page or first data page */
    uint64_t end;
    uint64_t dictionary_offset; /* 0: unknown or none */
    uint64_t offset_index, column_index;
    uint32_t offset_index_len, column_index_len;
    int64_t nulls; /* -1: unknown */
    struct str min, max;
    uint64_t bloom_offset; /* 0: none */
    uint32_t bloom_len;    /* header and bits; 0: unknown */
    uint32_t bloom_crc;    /* own files */
    bool bloom_has_crc;
    const uint8_t *bloom_bits; /* once it is found good */
    uint32_t bloom_size;
    /* made on first use */
    struct pq_page_entry *pages;
    struct pq_page_bounds *bounds; /* NULL: no column index */
    uint32_t pages_len;
    bool pages_known;
    bool bounds_known;
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
    uint32_t leaves_len;
    struct pq_column *columns;
    struct field *fields; /* as columns */
    uint32_t columns_len;
    struct pq_group *groups;
    uint32_t groups_len;
    uint64_t rows;
    bool own;
    struct codec_context codec;
    struct pq_scratch plain;    /* decompressed page */
    struct pq_scratch validity; /* bitmap of a page */
    struct pq_scratch codes;
    struct pq_scratch expanded; /* PLAIN form of another encoding */
    struct pq_scratch deltas;   /* integers on the way to it */
    struct pq_cached *newest, *oldest;
    size_t cache_bytes;
    size_t index_bytes; /* pages and bounds of all chunks */
};

/* A page ready to be decoded; all of it points to the file or the reader's scratch, valid until the
 * next page. Behind `values` READ_SLACK bytes may not be readable. */
struct pq_loaded {
    uint32_t rows;           /* of nested leaves: only the values that are there */
    uint32_t present;        /* values that are not null */
    const uint8_t *validity; /* NULL: no nulls */
    const uint8_t *values;
    size_t values_len;
    enum pq_encoding encoding; /* PQ_PLAIN, PQ_RLE (booleans) or PQ_RLE_DICTIONARY */
};

/* A data page checked and decompressed, before its levels are looked at. */
struct pq_opened {
    struct pq_header header;
    struct slice plain;
    enum pq_encoding encoding; /* any; dictionaries as PQ_RLE_DICTIONARY */
};

/* Which chunk of which leaf. */
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
/* STATUS_NOT_IMPLEMENTED for codecs that are not read, with the name. */
enum status pq_codec_of(enum pq_codec codec, enum codec *ret, struct error *err);
/* `at` is where the page stands, `end` what it may not pass. */
enum status pq_page_open(struct parquet_reader *reader, struct pq_place at, uint64_t offset,
                         uint64_t end, struct pq_opened *ret, struct error *err);
enum status pq_page_load(struct parquet_reader *reader, struct pq_place at, uint32_t page,
                         struct pq_loaded *ret, struct error *err);
enum status pq_dictionary_load(struct parquet_reader *reader, struct pq_place at,
                               struct pq_loaded *ret, struct error *err);

/* expand.c: page->values in encoding DELTA_* or BYTE_STREAM_SPLIT become PLAIN. */
enum status pq_expand(struct parquet_reader *reader, const struct pq_leaf *leaf,
                      struct pq_loaded *page, struct error *err);
/* expand_delta.c: exactly `count` integers of DELTA_BINARY_PACKED; *ret_end: behind them. */
enum status pq_delta_ints(const uint8_t *p, const uint8_t *end, uint32_t count, uint64_t *out,
                          const uint8_t **ret_end, struct error *err);
/* lz4_hadoop.c: blocks with big-endian lengths, or one raw block as some writers have it. */
enum status pq_lz4_hadoop(struct codec_context *context, struct slice in, uint8_t *out,
                          size_t out_len, struct error *err);

/* decode_plain.c: appends all rows of a page that is not dictionary encoded. */
enum status pq_decode_plain(const struct pq_leaf *leaf, const struct pq_loaded *page, bool exact,
                            struct column *into, struct error *err);
/* decode_row.c: appends one row of a page that is not dictionary encoded; *ret_done false: the page
 * must be decoded as a whole. */
enum status pq_decode_row(const struct pq_leaf *leaf, const struct pq_loaded *page, uint32_t row,
                          bool exact, struct column *into, bool *ret_done, struct error *err);
/* decode_text.c: the same for forms whose values become text. */
enum status pq_decode_text(const struct pq_leaf *leaf, const struct pq_loaded *page, bool exact,
                           struct column *into, struct error *err);
bool pq_form_is_text(const struct pq_leaf *leaf);
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

/* nested_read.c: rows of a nested column as JSON text. */
enum status pq_nested_read(struct parquet_reader *reader, uint32_t group, uint32_t column,
                           uint64_t first, uint64_t count, struct column *into, struct error *err);
void pq_nested_free(struct pq_nested *nested);

/* Refuses columns that cannot be read, and numbers out of range; *ret: the (first) leaf. */
enum status pq_check_place(const struct parquet_reader *reader, uint32_t group, uint32_t column,
                           struct pq_place *ret, struct error *err);

#endif
