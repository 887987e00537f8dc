/* arrow.c: messages. Each is 0xFFFFFFFF, the head's length, the head (a FlatBuffers Message), the
 * body: buffers at multiples of 8 bytes. */
#include "format/arrow/arrow.h"

#include "format/arrow/flat_int.h"

/* Numbers of the schema files. */
enum { METADATA_V5 = 4, HEADER_SCHEMA = 1, HEADER_BATCH = 3 };
enum {
    ARROW_INT = 2,
    ARROW_FLOAT = 3,
    ARROW_UTF8 = 5,
    ARROW_BOOL = 6,
    ARROW_DATE = 8,
    ARROW_TIMESTAMP = 10
};
enum { PRECISION_DOUBLE = 2, UNIT_MICROSECOND = 2, DATE_DAY = 0 };
enum { MESSAGE_VERSION, MESSAGE_HEADER_TYPE, MESSAGE_HEADER, MESSAGE_BODY };
enum { SCHEMA_ENDIANNESS, SCHEMA_FIELDS };
enum { FIELD_NAME, FIELD_NULLABLE, FIELD_TYPE_TYPE, FIELD_TYPE, FIELD_DICTIONARY, FIELD_CHILDREN };
enum { BATCH_LENGTH, BATCH_NODES, BATCH_BUFFERS };

struct node {
    int64_t rows, nulls;
};
struct place {
    int64_t offset, len;
};

static size_t padded(size_t len)
{
    return (len + 7) / 8 * 8;
}

static void put_padding(struct buf *out, size_t len)
{
    static const char zeros[8];
    buf_append(out, zeros, padded(len) - len);
}

/* --- heads --- */

static void put_head(struct flat *flat, uint8_t kind, uint32_t header, uint64_t body,
                     struct buf *out)
{
    flat_begin(flat);
    flat_u64(flat, MESSAGE_BODY, body);
    flat_reference(flat, MESSAGE_HEADER, header);
    flat_u16(flat, MESSAGE_VERSION, METADATA_V5);
    flat_u8(flat, MESSAGE_HEADER_TYPE, kind);
    flat_finish(flat, flat_end(flat));
    if (flat->failed) {
        out->failed = true;
        return;
    }
    buf_append_u32(out, UINT32_MAX);
    buf_append_u32(out, (uint32_t)padded(flat->len));
    buf_append(out, flat->data + flat->cap - flat->len, flat->len);
    put_padding(out, flat->len);
}

static uint32_t put_type(struct flat *flat, enum type type, uint8_t *ret_kind)
{
    flat_begin(flat);
    switch (type) {
    case TYPE_INT64:
        *ret_kind = ARROW_INT;
        flat_u32(flat, 0, 64);
        flat_u8(flat, 1, 1); /* signed */
        break;
    case TYPE_DOUBLE:
        *ret_kind = ARROW_FLOAT;
        flat_u16(flat, 0, PRECISION_DOUBLE);
        break;
    case TYPE_BOOL:
        *ret_kind = ARROW_BOOL;
        break;
    case TYPE_DATE:
        *ret_kind = ARROW_DATE;
        flat_u16(flat, 0, DATE_DAY);
        break;
    case TYPE_TIMESTAMP:
        *ret_kind = ARROW_TIMESTAMP;
        flat_u16(flat, 0, UNIT_MICROSECOND);
        break;
    default:
        *ret_kind = ARROW_UTF8;
        break;
    }
    return flat_end(flat);
}

static uint32_t put_field(struct flat *flat, const struct field *field)
{
    uint8_t kind;
    uint32_t name = flat_string(flat, field->name);
    uint32_t children = flat_references(flat, NULL, 0);
    uint32_t type = put_type(flat, field->type, &kind);
    flat_begin(flat);
    flat_reference(flat, FIELD_NAME, name);
    flat_reference(flat, FIELD_TYPE, type);
    flat_reference(flat, FIELD_CHILDREN, children);
    flat_u8(flat, FIELD_NULLABLE, 1);
    flat_u8(flat, FIELD_TYPE_TYPE, kind);
    return flat_end(flat);
}

void arrow_write_schema(const struct field *fields, uint32_t fields_len, struct buf *out)
{
    struct flat flat;
    uint32_t places[SCHEMA_FIELDS_MAX];
    uint32_t len = fields_len < SCHEMA_FIELDS_MAX ? fields_len : SCHEMA_FIELDS_MAX;
    flat_init(&flat);
    for (uint32_t i = 0; i < len; i++)
        places[i] = put_field(&flat, &fields[i]);
    uint32_t list = flat_references(&flat, places, len);
    flat_begin(&flat);
    flat_reference(&flat, SCHEMA_FIELDS, list);
    flat_u16(&flat, SCHEMA_ENDIANNESS, 0);
    put_head(&flat, HEADER_SCHEMA, flat_end(&flat), 0, out);
    flat_release(&flat);
}

/* --- bodies --- */

static void put_buffer(struct buf *body, struct place *place, const void *data, size_t len)
{
    *place = (struct place){(int64_t)body->len, (int64_t)len};
    buf_append(body, data, len);
    put_padding(body, len);
}

/* A byte a value becomes a bit a value. */
static void put_bits(struct buf *body, struct place *place, const uint8_t *bytes, uint32_t rows)
{
    *place = (struct place){(int64_t)body->len, (rows + 7) / 8};
    for (uint32_t i = 0; i < rows; i += 8) {
        unsigned bits = 0;
        for (uint32_t k = 0; k < 8 && i + k < rows; k++)
            bits |= (bytes[i + k] != 0 ? 1u : 0u) << k;
        buf_append_char(body, (char)bits);
    }
    put_padding(body, (rows + 7) / 8);
}

/* Two buffers, three of texts. */
static uint32_t put_column(struct buf *body, struct place *places, const struct column *column)
{
    uint32_t rows = column->rows;
    put_buffer(body, &places[0], column->nulls ? column->validity : NULL,
               column->nulls ? (rows + 7) / 8 : 0);
    if (type_is_bytes(column->type)) {
        static const uint32_t none = 0;
        put_buffer(body, &places[1], rows ? column->values : &none, (rows + 1) * sizeof none);
        put_buffer(body, &places[2], column->bytes, column->bytes_len);
        return 3;
    }
    if (column->type == TYPE_BOOL)
        put_bits(body, &places[1], column->values, rows);
    else
        put_buffer(body, &places[1], column->values, rows * type_width(column->type));
    return 2;
}

static void put_batch(const struct batch *batch, struct node *nodes, struct place *places,
                      struct buf *body, struct buf *out)
{
    struct flat flat;
    uint32_t buffers = 0;
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        const struct column *column = &batch->columns[i].column;
        nodes[i] = (struct node){column->rows, column->nulls};
        buffers += put_column(body, places + buffers, column);
    }
    flat_init(&flat);
    uint32_t list = flat_vector(&flat, places, buffers, sizeof *places, 8);
    uint32_t lengths = flat_vector(&flat, nodes, batch->columns_len, sizeof *nodes, 8);
    flat_begin(&flat);
    flat_u64(&flat, BATCH_LENGTH, batch->rows);
    flat_reference(&flat, BATCH_NODES, lengths);
    flat_reference(&flat, BATCH_BUFFERS, list);
    put_head(&flat, HEADER_BATCH, flat_end(&flat), body->len, out);
    buf_append_str(out, buf_str(body));
    flat_release(&flat);
}

enum status arrow_write_batch(const struct field *fields, uint32_t fields_len,
                              const struct batch *batch, struct buf *out, struct error *err)
{
    struct arena arena;
    struct buf body;
    bool fits = batch->columns_len == fields_len;
    for (uint32_t i = 0; fits && i < fields_len; i++)
        fits = batch->columns[i].column.type == fields[i].type ||
               (type_is_bytes(batch->columns[i].column.type) && type_is_bytes(fields[i].type));
    if (!fits)
        return error_set(err, STATUS_INTERNAL, "rows are not of the types announced");
    arena_init(&arena, 0);
    struct node *nodes = arena_array(&arena, fields_len + 1u, sizeof *nodes);
    struct place *places = arena_array(&arena, 3 * (size_t)fields_len + 1, sizeof *places);
    buf_init(&body, (size_t)COLUMN_BYTES_MAX * 2);
    if (nodes && places)
        put_batch(batch, nodes, places, &body, out);
    enum status status =
        nodes && places ? buf_check(&body, "a record batch", err) : error_no_memory(err);
    buf_release(&body);
    arena_release(&arena);
    return status;
}

void arrow_write_end(struct buf *out)
{
    buf_append_u32(out, UINT32_MAX);
    buf_append_u32(out, 0);
}
