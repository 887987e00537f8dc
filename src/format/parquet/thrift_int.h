/* thrift_int.h: the Thrift compact protocol, as far as Parquet's metadata needs it.
 *
 * Source: "Thrift Compact protocol" specification. Reader: never reads past its end; the first
 * fault (cut input, overlong varint, wrong type, too deep) sets `failed`, moves to the end, and
 * every later read gives zero: check once. Writer: appends to a struct buf, whose failure flag says
 * the same. */
#ifndef QUARRY_FORMAT_PARQUET_THRIFT_INT_H
#define QUARRY_FORMAT_PARQUET_THRIFT_INT_H

#include "base/buf.h"

enum thrift_type {
    THRIFT_STOP = 0,
    THRIFT_TRUE = 1, /* in a field header: the value true; in a list header: booleans */
    THRIFT_FALSE = 2,
    THRIFT_BYTE = 3,
    THRIFT_I16 = 4,
    THRIFT_I32 = 5,
    THRIFT_I64 = 6,
    THRIFT_DOUBLE = 7,
    THRIFT_BINARY = 8,
    THRIFT_LIST = 9,
    THRIFT_SET = 10,
    THRIFT_MAP = 11,
    THRIFT_STRUCT = 12,
};

enum { THRIFT_DEPTH_MAX = 24 };

struct thrift_reader {
    const uint8_t *p;
    const uint8_t *end;
    bool failed;
};

struct thrift_field {
    int32_t id;
    enum thrift_type type;
};

void thrift_reader_init(struct thrift_reader *r, struct slice bytes);
/* Walks the fields of a struct: `field` starts as {0}; false at the end. */
bool thrift_next_field(struct thrift_reader *r, struct thrift_field *field);
/* Values of the field just seen; a field of another type fails (any integer width is taken). */
bool thrift_read_bool(struct thrift_reader *r, const struct thrift_field *field);
int64_t thrift_read_int(struct thrift_reader *r, const struct thrift_field *field);
int32_t thrift_read_i32(struct thrift_reader *r, const struct thrift_field *field);
struct str thrift_read_binary(struct thrift_reader *r, const struct thrift_field *field);
void thrift_enter_struct(struct thrift_reader *r, const struct thrift_field *field);
/* Number of elements, at most the number of bytes that are left (each takes one or more), so that
 * an array for them may be allocated. The elements' type must be `element` (or BOOL for TRUE). */
uint32_t thrift_read_list(struct thrift_reader *r, const struct thrift_field *field,
                          enum thrift_type element);
/* Elements of a list. */
int64_t thrift_element_int(struct thrift_reader *r);
struct str thrift_element_binary(struct thrift_reader *r);
bool thrift_element_bool(struct thrift_reader *r);
void thrift_skip(struct thrift_reader *r, const struct thrift_field *field);

struct thrift_writer {
    struct buf *out;
    int depth;
    int32_t last[THRIFT_DEPTH_MAX]; /* field id written last, per open struct */
};

void thrift_writer_init(struct thrift_writer *w, struct buf *out);
/* A struct that is a list element or the top. Ends with thrift_end. */
void thrift_begin(struct thrift_writer *w);
void thrift_end(struct thrift_writer *w);
void thrift_begin_field(struct thrift_writer *w, int32_t id);
void thrift_bool(struct thrift_writer *w, int32_t id, bool value);
void thrift_i8(struct thrift_writer *w, int32_t id, int8_t value);
void thrift_i16(struct thrift_writer *w, int32_t id, int16_t value);
void thrift_i32(struct thrift_writer *w, int32_t id, int32_t value);
void thrift_i64(struct thrift_writer *w, int32_t id, int64_t value);
void thrift_binary(struct thrift_writer *w, int32_t id, struct str value);
void thrift_list(struct thrift_writer *w, int32_t id, enum thrift_type element, uint32_t count);
void thrift_list_int(struct thrift_writer *w, int64_t value);
void thrift_list_binary(struct thrift_writer *w, struct str value);
void thrift_list_bool(struct thrift_writer *w, bool value);

#endif
