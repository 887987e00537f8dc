/* thrift_write.c: encoding of the Thrift compact protocol; see thrift_int.h. */
#include <assert.h>

#include "format/parquet/thrift_int.h"

void thrift_writer_init(struct thrift_writer *w, struct buf *out)
{
    *w = (struct thrift_writer){.out = out};
}

static void write_zigzag(struct thrift_writer *w, int64_t value)
{
    buf_append_varint(w->out, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

static void write_field(struct thrift_writer *w, int32_t id, enum thrift_type type)
{
    int32_t *last = &w->last[w->depth - 1];
    int32_t delta = id - *last;
    if (delta > 0 && delta <= 15) {
        buf_append_char(w->out, (char)(delta << 4 | (int)type));
    } else {
        buf_append_char(w->out, (char)type);
        write_zigzag(w, id);
    }
    *last = id;
}

void thrift_begin(struct thrift_writer *w)
{
    assert(w->depth < THRIFT_DEPTH_MAX);
    w->last[w->depth++] = 0;
}

void thrift_end(struct thrift_writer *w)
{
    assert(w->depth > 0);
    buf_append_char(w->out, THRIFT_STOP);
    w->depth--;
}

void thrift_begin_field(struct thrift_writer *w, int32_t id)
{
    write_field(w, id, THRIFT_STRUCT);
    thrift_begin(w);
}

void thrift_bool(struct thrift_writer *w, int32_t id, bool value)
{
    write_field(w, id, value ? THRIFT_TRUE : THRIFT_FALSE);
}

void thrift_i8(struct thrift_writer *w, int32_t id, int8_t value)
{
    write_field(w, id, THRIFT_BYTE);
    buf_append_char(w->out, (char)value);
}

void thrift_i16(struct thrift_writer *w, int32_t id, int16_t value)
{
    write_field(w, id, THRIFT_I16);
    write_zigzag(w, value);
}

void thrift_i32(struct thrift_writer *w, int32_t id, int32_t value)
{
    write_field(w, id, THRIFT_I32);
    write_zigzag(w, value);
}

void thrift_i64(struct thrift_writer *w, int32_t id, int64_t value)
{
    write_field(w, id, THRIFT_I64);
    write_zigzag(w, value);
}

void thrift_binary(struct thrift_writer *w, int32_t id, struct str value)
{
    write_field(w, id, THRIFT_BINARY);
    thrift_list_binary(w, value);
}

void thrift_list(struct thrift_writer *w, int32_t id, enum thrift_type element, uint32_t count)
{
    write_field(w, id, THRIFT_LIST);
    if (count < 15) {
        buf_append_char(w->out, (char)(count << 4 | (unsigned)element));
    } else {
        buf_append_char(w->out, (char)(0xF0 | (unsigned)element));
        buf_append_varint(w->out, count);
    }
}

void thrift_list_int(struct thrift_writer *w, int64_t value)
{
    write_zigzag(w, value);
}

void thrift_list_binary(struct thrift_writer *w, struct str value)
{
    buf_append_varint(w->out, value.len);
    buf_append_str(w->out, value);
}

void thrift_list_bool(struct thrift_writer *w, bool value)
{
    buf_append_char(w->out, value ? THRIFT_TRUE : THRIFT_FALSE);
}
