/* thrift_read.c: decoding of the Thrift compact protocol; see thrift_int.h. */
#include "format/parquet/thrift_int.h"

void thrift_reader_init(struct thrift_reader *r, struct slice bytes)
{
    r->p = bytes.data;
    r->end = r->p + bytes.len;
    r->failed = false;
}

static uint64_t fail(struct thrift_reader *r)
{
    r->failed = true;
    r->p = r->end;
    return 0;
}

static uint8_t read_byte(struct thrift_reader *r)
{
    return r->p < r->end ? *r->p++ : (uint8_t)fail(r);
}

static uint64_t read_varint(struct thrift_reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->p >= r->end)
            return fail(r);
        uint8_t byte = *r->p++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80))
            return value;
    }
    return fail(r);
}

static int64_t read_zigzag(struct thrift_reader *r)
{
    uint64_t value = read_varint(r);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

bool thrift_next_field(struct thrift_reader *r, struct thrift_field *field)
{
    uint8_t head = read_byte(r);
    if (r->failed || (head & 0x0F) == THRIFT_STOP)
        return false;
    field->type = head & 0x0F;
    if (field->type > THRIFT_STRUCT) {
        fail(r);
        return false;
    }
    int64_t id = head >> 4 ? field->id + (head >> 4) : read_zigzag(r);
    if (id < INT16_MIN || id > INT16_MAX)
        fail(r);
    field->id = (int32_t)id;
    return !r->failed;
}

bool thrift_read_bool(struct thrift_reader *r, const struct thrift_field *field)
{
    if (field->type != THRIFT_TRUE && field->type != THRIFT_FALSE)
        fail(r);
    return !r->failed && field->type == THRIFT_TRUE;
}

int64_t thrift_read_int(struct thrift_reader *r, const struct thrift_field *field)
{
    if (field->type == THRIFT_BYTE)
        return (int8_t)read_byte(r);
    if (field->type < THRIFT_I16 || field->type > THRIFT_I64)
        return (int64_t)fail(r);
    return read_zigzag(r);
}

int32_t thrift_read_i32(struct thrift_reader *r, const struct thrift_field *field)
{
    int64_t value = thrift_read_int(r, field);
    if (value < INT32_MIN || value > INT32_MAX)
        return (int32_t)fail(r);
    return (int32_t)value;
}

struct str thrift_element_binary(struct thrift_reader *r)
{
    uint64_t len = read_varint(r);
    if (r->failed || len > (uint64_t)(r->end - r->p)) {
        fail(r);
        return STR_NONE;
    }
    struct str value = str_make((const char *)r->p, (size_t)len);
    r->p += len;
    return value;
}

struct str thrift_read_binary(struct thrift_reader *r, const struct thrift_field *field)
{
    if (field->type != THRIFT_BINARY)
        fail(r);
    return thrift_element_binary(r);
}

void thrift_enter_struct(struct thrift_reader *r, const struct thrift_field *field)
{
    if (field->type != THRIFT_STRUCT)
        fail(r);
}

static uint32_t read_list_head(struct thrift_reader *r, enum thrift_type *ret_element)
{
    uint8_t head = read_byte(r);
    uint64_t count = head >> 4 == 15 ? read_varint(r) : head >> 4;
    *ret_element = head & 0x0F;
    if (r->failed || count > (uint64_t)(r->end - r->p) || count > INT32_MAX)
        return (uint32_t)fail(r);
    return (uint32_t)count;
}

uint32_t thrift_read_list(struct thrift_reader *r, const struct thrift_field *field,
                          enum thrift_type element)
{
    enum thrift_type got;
    if (field->type != THRIFT_LIST)
        return (uint32_t)fail(r);
    uint32_t count = read_list_head(r, &got);
    bool both_bool = element == THRIFT_TRUE && got == THRIFT_FALSE;
    if (count && got != element && !both_bool)
        return (uint32_t)fail(r);
    return count;
}

int64_t thrift_element_int(struct thrift_reader *r)
{
    return read_zigzag(r);
}

bool thrift_element_bool(struct thrift_reader *r)
{
    return read_byte(r) == THRIFT_TRUE;
}

static void skip_value(struct thrift_reader *r, enum thrift_type type, bool element, int depth);

static void skip_struct(struct thrift_reader *r, int depth)
{
    struct thrift_field field = {0};
    while (thrift_next_field(r, &field))
        skip_value(r, field.type, false, depth);
}

static void skip_list(struct thrift_reader *r, int depth)
{
    enum thrift_type element;
    uint32_t count = read_list_head(r, &element);
    for (uint32_t i = 0; i < count && !r->failed; i++)
        skip_value(r, element, true, depth);
}

static void skip_map(struct thrift_reader *r, int depth)
{
    uint64_t count = read_varint(r);
    if (count == 0)
        return;
    uint8_t types = read_byte(r);
    if (count > (uint64_t)(r->end - r->p))
        fail(r);
    for (uint64_t i = 0; i < count && !r->failed; i++) {
        skip_value(r, types >> 4, true, depth);
        skip_value(r, types & 0x0F, true, depth);
    }
}

static void skip_value(struct thrift_reader *r, enum thrift_type type, bool element, int depth)
{
    if (depth >= THRIFT_DEPTH_MAX) {
        fail(r);
        return;
    }
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE:
        if (element)
            (void)read_byte(r);
        return;
    case THRIFT_BYTE:
        (void)read_byte(r);
        return;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64:
        (void)read_varint(r);
        return;
    case THRIFT_DOUBLE:
        if (r->end - r->p < 8)
            fail(r);
        else
            r->p += 8;
        return;
    case THRIFT_BINARY:
        (void)thrift_element_binary(r);
        return;
    case THRIFT_LIST:
    case THRIFT_SET:
        skip_list(r, depth + 1);
        return;
    case THRIFT_MAP:
        skip_map(r, depth + 1);
        return;
    case THRIFT_STRUCT:
        skip_struct(r, depth + 1);
        return;
    default:
        fail(r);
    }
}

void thrift_skip(struct thrift_reader *r, const struct thrift_field *field)
{
    skip_value(r, field->type, false, 0);
}
