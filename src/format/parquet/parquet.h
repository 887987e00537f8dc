/* parquet.h: Apache Parquet files in and out of batches, in C, without opening any file itself: the
 * writer hands bytes to a sink, the reader reads from one run of bytes (a mapped file).
 *
 * Source: the Parquet format specification (parquet-format: README, Encodings.md, parquet.thrift)
 * and the Thrift compact protocol.
 *
 * Type map: BOOL boolean; INT64 int64; DOUBLE double; STRING byte_array/STRING; JSON
 * byte_array/JSON; DATE int32/DATE; TIMESTAMP int64/TIMESTAMP(MICROS, isAdjustedToUTC=false). All
 * columns optional, max definition level 1, field ids set.
 *
 * Threads: a writer or a reader object is used by one thread at a time; any number of readers may
 * share the same bytes. */
#ifndef QUARRY_FORMAT_PARQUET_H
#define QUARRY_FORMAT_PARQUET_H

#include "data/batch.h"
#include "data/value.h"

/* Same numbers as enum codec of format/codec/codec.h. */
enum parquet_codec {
    PARQUET_NONE,
    PARQUET_SNAPPY,
    PARQUET_GZIP,
    PARQUET_ZSTD,
    PARQUET_LZ4_RAW,
};

/* "none"/"uncompressed", "snappy", "gzip", "zstd", "lz4"/"lz4_raw" */
bool parquet_codec_parse(struct str name, enum parquet_codec *ret);
const char *parquet_codec_name(enum parquet_codec codec);

struct parquet_sorting {
    uint32_t field;
    bool descending;
    bool nulls_first;
};

struct parquet_write_options {
    enum parquet_codec codec;
    uint32_t row_group_rows; /* 0: 131072 */
    uint32_t page_rows;      /* 0: 8192; every page of every column starts at a multiple of it, so
                              * one row is found in the same page number of each column; rounded
                              * up to a multiple of 8, at most row_group_rows */
    struct str created_by;   /* borrowed */
    /* All of this is off when zero. Lists are borrowed during parquet_writer_open only. */
    const uint32_t *bloom_fields; /* fields (by number) that get a bloom filter in each row group;
                                   * not BOOL; about 1.2 to 2.4 bytes a distinct value */
    uint32_t bloom_fields_len;
    const struct parquet_sorting *sorting; /* how the caller has sorted the rows: only declared */
    uint32_t sorting_len;
    bool allow_delta; /* integers and strings may be delta encoded, doubles split into streams of
                       * bytes, where that is clearly smaller; every reader of format 2 knows it,
                       * old ones do not */
    bool page_v2;     /* data pages V2: likewise */
};

/* Takes the next bytes of the file. */
typedef enum status (*parquet_sink)(void *context, struct slice bytes, struct error *err);

struct parquet_writer;

/* `fields` (names, types, ids) fix the columns of the file, copied. */
enum status parquet_writer_open(const struct field *fields, uint32_t fields_len,
                                const struct parquet_write_options *options, parquet_sink sink,
                                void *sink_context, struct parquet_writer **ret_writer,
                                struct error *err);
/* Appends rows: columns are matched by name; a field that the batch lacks is null; INT64/DATE
 * columns of the batch widen to DOUBLE/TIMESTAMP fields (STATUS_SCHEMA for any other pair). `order`
 * (may be NULL: rows 0 to count - 1) selects and orders the rows: `count` row numbers. Row groups
 * are written as they fill. The batch is not needed after the call. After a failure the writer can
 * only be freed. */
enum status parquet_writer_append(struct parquet_writer *writer, const struct batch *batch,
                                  const uint32_t *order, uint32_t count, struct error *err);

/* What the writer knows about a column of the whole file. Bounds are exact for fixed types; for
 * bytes they are the full values, or absent when the smallest or largest value of any page is
 * longer than PARQUET_BOUND_MAX. JSON columns and columns of nulls only have none. A double's
 * bounds follow the format's rule for zeros: min -0.0, max +0.0. */
enum { PARQUET_BOUND_MAX = 64 };
struct parquet_column_stats {
    uint64_t values; /* rows, nulls included */
    uint64_t nulls;
    uint64_t compressed_bytes;
    bool has_bounds;
    struct value min, max; /* bytes owned by the stats' arena */
};
struct parquet_file_stats {
    uint64_t rows;
    uint64_t bytes;
    uint32_t row_groups;
    uint32_t columns_len; /* as fields_len */
    struct parquet_column_stats *columns;
    struct arena arena;
};
void parquet_file_stats_release(struct parquet_file_stats *stats);

/* Writes the last row group, indexes and footer. `ret_stats` may be NULL. */
enum status parquet_writer_finish(struct parquet_writer *writer,
                                  struct parquet_file_stats *ret_stats, struct error *err);
void parquet_writer_free(struct parquet_writer *writer);

struct parquet_reader;

/* `file` must stay readable until parquet_reader_free. Checks magic, footer, every offset and size
 * before use; STATUS_CORRUPT with what is wrong, STATUS_NOT_IMPLEMENTED for legal forms that this
 * reader does not know (named). */
enum status parquet_reader_open(struct slice file, struct parquet_reader **ret_reader,
                                struct error *err);
void parquet_reader_free(struct parquet_reader *reader);

uint64_t parquet_reader_rows(const struct parquet_reader *reader);
uint32_t parquet_reader_row_groups(const struct parquet_reader *reader);
uint64_t parquet_row_group_rows(const struct parquet_reader *reader, uint32_t group);
/* The file's columns: the children of the schema's root; field id 0 when the file has none.
 *
 * Flat ones have the nearest of our types. INT8..INT64 and UINT8..UINT32 are INT64; UINT64 INT64 (a
 * value beyond int64 is STATUS_SCHEMA); FLOAT and FLOAT16 DOUBLE; timestamps in millis, micros,
 * nanos (floored), with or without zone, and INT96 TIMESTAMP; decimals JSON (the number's text with
 * all digits of its scale); times STRING "HH:MM:SS.ffffff" (nanoseconds: 9 digits); UUIDs STRING;
 * intervals STRING "P<months>M<days>DT<seconds>.<millis>S"; strings, enums and unannotated byte
 * arrays STRING (must be UTF-8: else STATUS_SCHEMA); fixed-length byte arrays, BSON and geometries
 * STRING in base64; JSON JSON (a value that is not JSON is STATUS_SCHEMA). NaN reads as null, an
 * infinity is STATUS_SCHEMA, as is any other value that the type cannot hold.
 *
 * Nested ones (lists in every form that LogicalTypes.md lists, structs, maps, repeated fields) are
 * one JSON column each: arrays, objects, maps as objects (keys that are no strings by their text; a
 * key that the file repeats is repeated; maps without values as arrays of the keys), values inside
 * as the flat type would be written. They have no bounds, no pages and no dictionary here. Reading
 * on from where the last call ended is cheap, going back starts the row group again. Limits: 64
 * levels (STATUS_NOT_IMPLEMENTED), NESTED_BYTES_MAX of decoded pages (STATUS_RESOURCE_LIMIT). */
const struct field *parquet_reader_fields(const struct parquet_reader *reader, uint32_t *ret_len);
/* STATUS_OK, or STATUS_NOT_IMPLEMENTED with the reason why this column cannot be read (a variant,
 * an unknown time unit, decimals over 32 bytes, ...). The file's other columns can. */
enum status parquet_reader_column_check(const struct parquet_reader *reader, uint32_t column,
                                        struct error *err);
/* True when the file carries Quarry's own checksum over footer and page indexes (and it matched):
 * then a flip of any byte that is read is found. */
bool parquet_reader_is_own(const struct parquet_reader *reader);
/* Bounds and null count of one column in one row group; false when the file has none. Byte bounds
 * point into the reader. */
bool parquet_reader_bounds(const struct parquet_reader *reader, uint32_t group, uint32_t column,
                           struct value *ret_min, struct value *ret_max, uint64_t *ret_nulls);

/* Appends rows [first, first + count) of a row group to `into`, which has the column's type or one
 * it widens to. With the offset index only the pages that hold these rows are touched. On failure
 * `into` is as before. */
enum status parquet_read_column(struct parquet_reader *reader, uint32_t group, uint32_t column,
                                uint64_t first, uint64_t count, struct column *into,
                                struct error *err);
/* The rows whose numbers in the whole file are given (ascending), one page decoded once; decoded
 * pages of flat columns stay in the reader, up to PARQUET_CACHE_BYTES_MAX. */
enum status parquet_read_rows(struct parquet_reader *reader, uint32_t column, const uint64_t *rows,
                              uint32_t rows_len, struct column *into, struct error *err);
enum { PARQUET_CACHE_BYTES_MAX = 64 << 20 };
/* Forgets decoded pages (dictionaries that were handed out stay): for who has many readers open. */
void parquet_reader_trim(struct parquet_reader *reader);
/* Nobody reads for a while: nothing that was handed out is used any more, and decoded pages and
 * dictionaries beyond `keep` bytes are forgotten. */
void parquet_reader_rest(struct parquet_reader *reader, size_t keep);
/* Bytes that it holds, the file itself not counted. */
size_t parquet_reader_memory(const struct parquet_reader *reader);

/* False: the row group certainly has no such value in this column, by its bloom filter. True: there
 * may be one, or there is no filter, or none that can be used (nested columns, types whose stored
 * form is not the value, a filter that fails its checksum). The value has the column's type, or is
 * an INT64 for a DOUBLE column. */
bool parquet_bloom_check(struct parquet_reader *reader, uint32_t group, uint32_t column,
                         const struct value *value);

/* False when the file lists a bloom filter there that is damaged (it is not used then). */
bool parquet_bloom_is_sound(struct parquet_reader *reader, uint32_t group, uint32_t column);

/* Pages of one column in one row group, for pruning inside of a row group. */
struct parquet_page_info {
    uint64_t first_row; /* in the row group */
    uint64_t rows;
    uint32_t compressed_bytes; /* header included */
    bool has_nulls_count;
    uint64_t nulls;
    bool has_bounds;
    struct value min, max; /* bytes point into the reader; they may be cut (still bounds) */
};
/* *ret_pages is 0 for a nested column. */
enum status parquet_pages(struct parquet_reader *reader, uint32_t group, uint32_t column,
                          uint32_t *ret_pages, struct error *err);
/* `page` is below the number that parquet_pages gave. */
void parquet_page(const struct parquet_reader *reader, uint32_t group, uint32_t column,
                  uint32_t page, struct parquet_page_info *ret);

/* Dictionary codes of a chunk, for filters and group-by on codes instead of values. The dictionary
 * holds distinct values (files of others may repeat one), is not sorted, has no nulls and has the
 * type that parquet_reader_fields gives. It stays valid until parquet_group_done of its group or
 * parquet_reader_free. *ret_dictionary is NULL when the chunk is not known to be wholly dictionary
 * encoded. */
enum status parquet_chunk_dictionary(struct parquet_reader *reader, uint32_t group, uint32_t column,
                                     const struct column **ret_dictionary, struct error *err);
/* Codes of rows [first, first + count) of a chunk that has a dictionary; PARQUET_CODE_NULL for a
 * null. Each other code is below the dictionary's number of rows. */
#define PARQUET_CODE_NULL UINT32_MAX
enum status parquet_read_codes(struct parquet_reader *reader, uint32_t group, uint32_t column,
                               uint64_t first, uint64_t count, uint32_t *codes, struct error *err);

/* The dictionaries handed out for this row group may leave memory. */
void parquet_group_done(struct parquet_reader *reader, uint32_t group);

#endif
