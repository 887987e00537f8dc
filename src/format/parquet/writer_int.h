/* writer_int.h: the writer's parts.
 *
 * A row group is collected in one chunk builder a column. Rows come in segments (at most
 * SEGMENT_ROWS_MAX) that never cross a page boundary: chunk_gather.c turns a segment of the batch
 * into dense keys or strings, chunk_build.c gives them codes of the dictionary or stores them PLAIN
 * and keeps the page's bounds; chunk_write.c turns a full row group's chunk into pages;
 * index_write.c and footer_write.c describe them.
 *
 * Dictionary or PLAIN is one choice for the whole chunk (it is all in memory until it is written):
 * a dictionary is tried first and given up when it grows past its limits or does not help. */
#ifndef QUARRY_FORMAT_PARQUET_WRITER_INT_H
#define QUARRY_FORMAT_PARQUET_WRITER_INT_H

#include "format/codec/codec.h"
#include "format/parquet/dict_int.h"
#include "format/parquet/parquet.h"
#include "format/parquet/spec_int.h"

enum {
    DEFAULT_ROW_GROUP_ROWS = 131072,
    DEFAULT_PAGE_ROWS = 8192,
    ROW_GROUP_ROWS_MAX = 1 << 24,
    SEGMENT_ROWS_MAX = 4096,
    /* A row group ends early when it holds this many bytes, or one page of one column this many. */
    ROW_GROUP_BYTES_MAX = 256 << 20,
    PAGE_BYTES_MAX = 64 << 20,
    WRITE_BUFFER_MAX = 2047 << 20, /* a chunk of one huge value each page */
    INDEX_BYTES_MAX = 1 << 30,
    FOOTER_BYTES_MAX = 1 << 30,
    /* The dictionary is looked at after so many values, and given up when more than so many per
     * cent are distinct: of a column of D different values these keep D up to about 30000, where
     * the dictionary (8 bytes each) plus codes of 15 bits are still well below 8 bytes a value. */
    DICT_LOOK_FIRST = 8192,
    DICT_LOOK_FIRST_PERCENT = 88,
    DICT_LOOK_SECOND = 32768,
    DICT_LOOK_SECOND_PERCENT = 61,
    /* After a fallback so many row groups go without trying. */
    DICT_REST_GROUPS = 7,
};

struct pq_bounds {
    bool present;
    bool too_long; /* a bound is longer than PARQUET_BOUND_MAX: none are kept */
    struct value min, max;
};

struct pq_page {
    uint32_t rows;
    uint32_t nulls;
    uint32_t dense_end; /* values of the chunk up to this page's end */
    size_t bytes_end;   /* of the PLAIN bytes, for strings */
    struct pq_bounds bounds;
    /* set when written */
    uint64_t offset;
    uint32_t size; /* header included */
};

struct chunk_builder {
    enum type type;
    uint32_t rows;
    uint32_t nulls;
    uint32_t dense; /* values that are not null */
    uint32_t rows_cap;
    uint8_t *validity; /* bit clear: null; rows_cap bits */
    bool use_dict;
    uint32_t dict_rest; /* row groups to go without */
    struct dict dict;
    uint32_t *codes; /* dense_cap, with a dictionary */
    uint64_t *keys;  /* dense_cap, PLAIN fixed types */
    uint32_t dense_cap;
    struct buf plain; /* PLAIN bytes */
    uint32_t *seen;   /* strings with a dictionary: 1 + the last page that had the code */
    uint32_t seen_cap;
    struct pq_page *pages;
    uint32_t pages_len; /* the last one may be under construction */
    uint32_t pages_cap;
    struct arena arena; /* bytes of the bounds */
};

/* Rows of a batch to take: numbers order[0..count) or first.. when order is NULL. */
struct pq_selection {
    const uint32_t *order;
    uint32_t first;
    uint32_t count;
};

/* What gathering yields: the values that are not null. */
struct pq_segment {
    uint32_t count;
    uint64_t keys[SEGMENT_ROWS_MAX]; /* fixed types; doubles by their bits */
    struct str strs[SEGMENT_ROWS_MAX];
    uint32_t codes[SEGMENT_ROWS_MAX];
};

void chunk_builder_init(struct chunk_builder *chunk, enum type type);
void chunk_builder_release(struct chunk_builder *chunk);
/* Ready for the next row group. */
void chunk_builder_clear(struct chunk_builder *chunk);
size_t chunk_builder_bytes(const struct chunk_builder *chunk);
/* Appends a segment that stays inside of the page under construction (`new_page`: starts one).
 * column NULL: nulls. */
enum status chunk_append(struct chunk_builder *chunk, const struct column *column,
                         struct pq_selection rows, bool new_page, struct pq_segment *segment,
                         struct error *err);

/* chunk_gather.c: fills segment->keys or ->strs and clears validity bits from row chunk->rows on.
 */
enum status chunk_gather(struct chunk_builder *chunk, const struct column *column,
                         struct pq_selection rows, struct pq_segment *segment, struct error *err);

/* bounds.c */
void bounds_add_keys(struct pq_bounds *bounds, enum type type, const uint64_t *keys,
                     uint32_t count);
/* Bytes stay borrowed until bounds_own. */
void bounds_add_str(struct pq_bounds *bounds, enum type type, struct str s);
enum status bounds_own(struct pq_bounds *bounds, struct arena *arena);
/* Widens `bounds` by `more`, which holds `more_values` values; bytes are borrowed. */
void bounds_merge(struct pq_bounds *bounds, const struct pq_bounds *more, uint32_t more_values);

/* From dictionary to PLAIN: the codes so far become values. */
enum status chunk_give_up_dict(struct chunk_builder *chunk);

/* What the footer says about a chunk. */
struct chunk_record {
    bool dictionary;
    enum pq_encoding encoding; /* of the data pages */
    uint32_t pages;
    uint64_t values;
    uint64_t nulls;
    uint64_t uncompressed;
    uint64_t compressed;
    uint64_t dictionary_offset;
    uint64_t data_offset;
    uint64_t column_index_at; /* in the writer's buffer; length 0: none */
    uint32_t column_index_len;
    uint64_t offset_index_at;
    uint32_t offset_index_len;
    uint64_t bloom_offset;
    uint32_t bloom_len; /* 0: no filter */
    uint32_t bloom_crc;
    struct pq_bounds bounds;
};

struct group_record {
    struct group_record *next;
    uint64_t rows;
    struct chunk_record *chunks;
};

struct parquet_writer {
    struct parquet_write_options options;
    struct arena arena; /* fields, records */
    struct field *fields;
    uint32_t fields_len;
    struct chunk_builder *chunks;
    int32_t *matches; /* per field: column of the present batch or -1 */
    struct pq_segment *segment;
    parquet_sink sink;
    void *sink_context;
    uint64_t position;   /* bytes given to the sink */
    uint64_t rows;       /* of all written groups */
    uint32_t group_rows; /* in the builders */
    struct codec_context codec;
    struct buf page;   /* plain bytes of a page */
    struct buf packed; /* compressed */
    struct buf out;    /* the chunk's bytes */
    struct buf blooms; /* filters of the present row group */
    struct buf delta;  /* lengths of a chunk's strings, u64 each */
    bool *has_bloom;   /* per field */
    struct buf column_indexes;
    struct buf offset_indexes;
    struct group_record *first_group, *last_group;
    uint32_t groups_len;
    struct parquet_column_stats *stats; /* per field, bytes in `arena` */
    bool *stats_unbounded;              /* per field: some chunk with values had no bounds */
    bool started;
    bool failed;
    bool finished;
};

/* Writes the chunk's pages to writer->out and fills the record and the pages' places. */
enum status chunk_write(struct parquet_writer *writer, struct chunk_builder *chunk,
                        struct chunk_record *record, struct error *err);
/* delta_write.c: DELTA_BINARY_PACKED of `count` integers; `narrow`: of 32 bits. */
void delta_encode(struct buf *out, const uint64_t *values, uint32_t count, bool narrow);
/* bloom_write.c: appends the filter of a chunk that still holds its values. The record's offset is
 * that in `out`. */
void bloom_write(const struct chunk_builder *chunk, struct chunk_record *record, struct buf *out);
/* Appends the chunk's column and offset index to the writer's buffers. */
void index_write(struct parquet_writer *writer, const struct chunk_builder *chunk,
                 struct chunk_record *record);
/* Appends FileMetaData; indexes start at `index_start`. *ret_crc_at: where the 8 digits are. */
void footer_write(const struct parquet_writer *writer, uint64_t index_start, struct buf *out,
                  size_t *ret_crc_at);
/* A bound in the form of statistics; `room` holds fixed ones. */
struct str bound_bytes(const struct value *value, enum type type, char room[8]);

/* writer_options.c: numbers out of range are refused; defaults are filled in; the lists of fields,
 * which the caller keeps only during the call, are copied. */
enum status pq_options_check(const struct parquet_write_options *o, uint32_t fields_len,
                             struct error *err);
void pq_options_set(struct parquet_writer *writer, const struct parquet_write_options *options);
enum status pq_options_copy(struct parquet_writer *writer);

enum pq_type pq_type_of(enum type type);

#endif
