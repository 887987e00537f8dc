/* avro.h: Apache Avro object container files, out of and into memory; no file is opened.
 *
 * Source: Apache Avro 1.11 specification ("Binary Encoding", "Object Container Files"). Written for
 * Iceberg: the schema's JSON text goes into the file as given, so that field ids, logical types and
 * defaults survive, and the reader knows the field ids.
 *
 * File: "Obj" 1, a map of metadata (avro.schema, avro.codec, ...), 16 bytes of sync marker, then
 * blocks: number of records, number of bytes, the bytes (raw deflate or plain), sync marker.
 *
 * Threads: an object is used by one thread at a time. Hostile input: every length is checked
 * against the bytes that carry it before anything is allocated; nesting, blocks and the number of
 * decoded values are bounded by the limits below. STATUS_CORRUPT for anything malformed,
 * STATUS_NOT_IMPLEMENTED for a codec that is not known (named). */
#ifndef QUARRY_FORMAT_AVRO_H
#define QUARRY_FORMAT_AVRO_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

enum {
    AVRO_SYNC_LEN = 16,
    AVRO_BLOCK_TARGET = 64 << 10, /* plain bytes of a block that the writer closes */
    AVRO_BLOCK_MAX = 64 << 20,    /* plain bytes of a block */
    AVRO_META_MAX = 1000,         /* entries of the header's map */
    AVRO_DEPTH_MAX = 48,          /* nesting of types and of values */
    AVRO_FIELDS_MAX = 10000,      /* of one record; branches of one union */
    AVRO_VALUES_PER_BYTE = 64,    /* decoded values that one plain byte may account for */
};

enum avro_codec { AVRO_PLAIN, AVRO_DEFLATE };

struct avro_pair {
    struct str key, value;
};

/* --- encoding; failures stay in the buffer (buf_check) --- */

void avro_put_long(struct buf *out, int64_t value); /* also int, enum, count, branch of a union */
void avro_put_bool(struct buf *out, bool value);
void avro_put_float(struct buf *out, float value);
void avro_put_double(struct buf *out, double value);
void avro_put_bytes(struct buf *out, struct str bytes); /* also string */
void avro_put_fixed(struct buf *out, struct str bytes);
/* Branch of a union ["null", T]; a present value's encoding follows. */
void avro_put_present(struct buf *out, bool present);
/* Arrays and maps: one block of `count` items (for maps: key, then value), then the end; an empty
 * one is the end alone. */
void avro_put_block(struct buf *out, uint64_t count);
void avro_put_end(struct buf *out);

struct avro_writer {
    struct buf *out;
    struct buf block;
    enum avro_codec codec;
    unsigned char sync[AVRO_SYNC_LEN];
    int64_t block_records;
    uint64_t records;
};

/* Appends the header to `out`. `meta` holds further metadata, not the keys avro.*. */
enum status avro_writer_init(struct avro_writer *writer, struct buf *out, struct str schema_json,
                             const struct avro_pair *meta, uint32_t meta_len, enum avro_codec codec,
                             const unsigned char sync[AVRO_SYNC_LEN], struct error *err);
/* Where the next record's encoding goes; end it with avro_writer_end_record. */
struct buf *avro_writer_record(struct avro_writer *writer);
enum status avro_writer_end_record(struct avro_writer *writer, struct error *err);
/* Writes the last block. */
enum status avro_writer_finish(struct avro_writer *writer, struct error *err);
void avro_writer_release(struct avro_writer *writer);

/* --- schemas --- */

enum avro_kind {
    AVRO_NULL,
    AVRO_BOOLEAN,
    AVRO_INT,
    AVRO_LONG,
    AVRO_FLOAT,
    AVRO_DOUBLE,
    AVRO_BYTES,
    AVRO_STRING,
    AVRO_FIXED,
    AVRO_ENUM,
    AVRO_ARRAY,
    AVRO_MAP,
    AVRO_UNION,
    AVRO_RECORD,
};

struct avro_field {
    struct str name;
    int32_t id; /* "field-id", -1 when absent */
    const struct avro_type *type;
};

struct avro_type {
    enum avro_kind kind;
    struct str name;           /* FIXED, ENUM, RECORD */
    struct str logical;        /* "logicalType" or empty */
    uint32_t size;             /* FIXED: bytes; ENUM: number of symbols */
    struct avro_field *fields; /* RECORD; UNION: branches, ARRAY and MAP: one, of the items */
    uint32_t fields_len;
};

/* Everything is in `arena`. A record may contain itself. */
enum status avro_schema_parse(struct str json, struct arena *arena, const struct avro_type **ret,
                              struct error *err);

/* --- decoding --- */

/* One value. Unions are resolved: `type` is the branch. Bytes point into the block. */
struct avro_datum {
    const struct avro_type *type;
    const struct avro_field *field; /* of the record that holds it, else NULL */
    struct avro_datum *next;        /* sibling: next field, item or map entry */
    struct str key;                 /* of a map entry */
    union {
        bool boolean;
        int64_t integer; /* INT, LONG, ENUM */
        double real;     /* FLOAT, DOUBLE */
        struct str bytes;
        struct {
            struct avro_datum *first; /* RECORD, ARRAY, MAP */
            uint32_t len;
        };
    };
};

/* The child of a record with this field id, or, for files without ids, of this name; NULL when
 * there is none, it is null, or `record` is not a record. */
const struct avro_datum *avro_find(const struct avro_datum *record, int32_t id, const char *name);
/* The same, as a value; false when absent or of another kind. */
bool avro_find_long(const struct avro_datum *record, int32_t id, const char *name, int64_t *ret);
bool avro_find_bytes(const struct avro_datum *record, int32_t id, const char *name,
                     struct str *ret);

struct avro_reader {
    struct str file;
    size_t at;
    struct arena arena;
    const struct avro_type *schema;
    struct avro_pair *meta;
    uint32_t meta_len;
    enum avro_codec codec;
    unsigned char sync[AVRO_SYNC_LEN];
    struct buf plain;
    struct str block;
    size_t block_at;
    int64_t block_records; /* not yet read */
    uint64_t values_left;
};

/* `file` must stay readable until avro_reader_release, which is due on failure too. */
enum status avro_reader_open(struct avro_reader *reader, struct slice file, struct error *err);
void avro_reader_release(struct avro_reader *reader);
/* Metadata by key; false when absent. */
bool avro_reader_meta(const struct avro_reader *reader, const char *key, struct str *ret);
/* The next record, in `arena`; *ret NULL at the end. Its bytes are valid until the next call. */
enum status avro_reader_next(struct avro_reader *reader, struct arena *arena,
                             const struct avro_datum **ret, struct error *err);

#endif
