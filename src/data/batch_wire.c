/* batch_wire.c: a batch as bytes, for the WAL and between processes. All integers little-endian.
 *
 *   u8 version (1), u32 rows, u32 columns
 *   per column: u8 type, u8 flags (1: has nulls), u16 name length, name,
 *     if nulls: (rows + 7) / 8 bytes of validity, lowest bit first, 1 = a value
 *     fixed types: rows * width bytes
 *     bytes types: u32 total, rows * u32 end offsets, then the bytes
 *
 * There is no checksum here: the frame around it has one. The reader believes nothing all the same:
 * what a worker process sends, or a file with a valid checksum written by another program, must not
 * break us. */
#include "data/batch.h"

#include <stdlib.h>

#include "base/utf8.h"

enum { WIRE_VERSION = 1, FLAG_NULLS = 1 };

static void encode_column(const struct batch_column *named, uint32_t rows, struct buf *out)
{
    const struct column *column = &named->column;
    uint16_t name_len = (uint16_t)named->name.len;
    bool nulls = column->nulls > 0;
    buf_append_char(out, (char)column->type);
    buf_append_char(out, nulls ? FLAG_NULLS : 0);
    buf_append(out, &name_len, sizeof name_len);
    buf_append_str(out, named->name);
    if (nulls)
        buf_append(out, column->validity, (rows + 7) / 8);
    if (!type_is_bytes(column->type)) {
        buf_append(out, column->values, rows * type_width(column->type));
        return;
    }
    buf_append_u32(out, column->bytes_len);
    if (rows)
        buf_append(out, (const uint32_t *)column->values + 1, rows * sizeof(uint32_t));
    buf_append(out, column->bytes, column->bytes_len);
}

enum status batch_encode(const struct batch *batch, struct buf *out, struct error *err)
{
    buf_append_char(out, WIRE_VERSION);
    buf_append_u32(out, batch->rows);
    buf_append_u32(out, batch->columns_len);
    for (uint32_t i = 0; i < batch->columns_len; i++)
        encode_column(&batch->columns[i], batch->rows, out);
    return buf_check(out, "an encoded batch", err);
}

struct cursor {
    const unsigned char *at;
    size_t left;
};

static const void *take(struct cursor *c, size_t len)
{
    if (len > c->left)
        return NULL;
    const void *p = c->at;
    c->at += len;
    c->left -= len;
    return p;
}

static bool take_u32(struct cursor *c, uint32_t *ret)
{
    const void *p = take(c, sizeof *ret);
    if (p)
        memcpy(ret, p, sizeof *ret);
    return p != NULL;
}

static enum status corrupt(struct error *err, const char *what)
{
    return error_set(err, STATUS_CORRUPT, "an encoded batch is damaged: %s", what);
}

static enum status decode_validity(struct cursor *c, struct column *column, uint32_t rows)
{
    const uint8_t *bits = take(c, (rows + 7) / 8);
    if (!bits)
        return STATUS_CORRUPT;
    column->validity = calloc(1, (column->cap + 7) / 8);
    if (!column->validity)
        return STATUS_NO_MEMORY;
    memcpy(column->validity, bits, (rows + 7) / 8);
    for (uint32_t row = 0; row < rows; row++)
        column->nulls += !(bits[row >> 3] >> (row & 7) & 1);
    return STATUS_OK;
}

static bool offsets_are_sane(const uint32_t *offsets, const char *bytes, uint32_t rows,
                             uint32_t total)
{
    for (uint32_t row = 0; row < rows; row++) {
        if (offsets[row + 1] < offsets[row] || offsets[row + 1] > total)
            return false;
        /* a value must not begin inside a character; the whole run is checked once below */
        if (offsets[row] < total && ((unsigned char)bytes[offsets[row]] & 0xC0) == 0x80 &&
            offsets[row + 1] > offsets[row])
            return false;
    }
    return offsets[rows] == total;
}

static enum status decode_bytes(struct cursor *c, struct column *column, uint32_t rows)
{
    uint32_t total;
    char *room;
    if (!take_u32(c, &total) || total > COLUMN_BYTES_MAX)
        return STATUS_CORRUPT;
    const void *ends = take(c, (size_t)rows * sizeof(uint32_t));
    const char *bytes = take(c, total);
    if (!ends || !bytes)
        return STATUS_CORRUPT;
    uint32_t *offsets = column->values;
    offsets[0] = 0;
    memcpy(offsets + 1, ends, (size_t)rows * sizeof(uint32_t));
    if (!offsets_are_sane(offsets, bytes, rows, total) || !utf8_is_valid(bytes, total))
        return STATUS_CORRUPT;
    TRY(column_bytes_room(column, total, &room));
    memcpy(room, bytes, total);
    column->bytes_len = total;
    return STATUS_OK;
}

static enum status decode_values(struct cursor *c, struct column *column, uint32_t rows)
{
    if (type_is_bytes(column->type))
        return decode_bytes(c, column, rows);
    const void *values = take(c, rows * type_width(column->type));
    if (!values)
        return STATUS_CORRUPT;
    memcpy(column->values, values, rows * type_width(column->type));
    if (column->type == TYPE_BOOL)
        for (uint32_t row = 0; row < rows; row++)
            ((uint8_t *)column->values)[row] &= 1;
    return STATUS_OK;
}

static enum status decode_column(struct cursor *c, struct batch *batch, uint32_t rows,
                                 struct error *err)
{
    const unsigned char *head = take(c, 4);
    if (!head || head[0] >= TYPE_COUNT || head[1] > FLAG_NULLS)
        return corrupt(err, "a column head");
    uint16_t name_len;
    memcpy(&name_len, head + 2, sizeof name_len);
    const char *name = take(c, name_len);
    if (!name || !utf8_is_valid(name, name_len) || batch_find(batch, str_make(name, name_len)) >= 0)
        return corrupt(err, "a column name");
    /* every row needs at least some bytes, so `rows` cannot make us allocate more than was sent */
    if (type_width((enum type)head[0]) > 0 && rows > c->left)
        return corrupt(err, "its rows");
    if (type_is_bytes((enum type)head[0]) && rows > c->left / sizeof(uint32_t))
        return corrupt(err, "its rows");
    uint32_t index;
    if (batch_add_column(batch, str_make(name, name_len), (enum type)head[0], &index) != STATUS_OK)
        return error_no_memory(err);
    struct column *column = &batch->columns[index].column;
    enum status status = column_reserve(column, rows ? rows : 1);
    if (status == STATUS_OK && head[1] & FLAG_NULLS)
        status = decode_validity(c, column, rows);
    if (status == STATUS_OK)
        status = decode_values(c, column, rows);
    column->rows = rows;
    if (status == STATUS_CORRUPT)
        return corrupt(err, "the values of a column");
    return status == STATUS_OK ? status : error_no_memory(err);
}

enum status batch_decode(struct slice bytes, struct batch **ret_batch, struct error *err)
{
    struct cursor c = {bytes.data, bytes.len};
    const unsigned char *version = take(&c, 1);
    uint32_t rows, columns;
    if (!version || *version != WIRE_VERSION || !take_u32(&c, &rows) || !take_u32(&c, &columns) ||
        rows > BATCH_ROWS_MAX || columns > SCHEMA_FIELDS_MAX)
        return corrupt(err, "its head");
    struct batch *batch = batch_new();
    if (!batch)
        return error_no_memory(err);
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < columns && status == STATUS_OK; i++)
        status = decode_column(&c, batch, rows, err);
    if (status == STATUS_OK && c.left)
        status = corrupt(err, "bytes after its end");
    if (status != STATUS_OK) {
        batch_unref(batch);
        return status;
    }
    batch->rows = rows;
    *ret_batch = batch;
    return STATUS_OK;
}
