/* sketch_file.c: a sketch as a file. Layout (little-endian, docs/formats.md): "QSK1", u32 columns,
 * u64 rows, u64 random, u64 bar, u32 keep, u32 sample rows; of each column u32 field id, u32 length
 * and bytes of the name, HLL_REGISTERS bytes; u64 priority of each row; the rows as batch_encode
 * writes them; u64 XXH3 of all before. */
#include <stdlib.h>

#include "storage/sketch/sketch_int.h"

enum { SKETCH_FILE_MAX = 64 << 20, HEAD_BYTES = 40 };
static const char magic[4] = {'Q', 'S', 'K', '1'};

static void put_columns(const struct sketch *sketch, struct buf *buf)
{
    for (uint32_t i = 0; i < sketch->columns_len; i++) {
        const struct sketch_column *column = &sketch->columns[i];
        buf_append_u32(buf, (uint32_t)column->field_id);
        buf_append_u32(buf, (uint32_t)column->name.len);
        buf_append_str(buf, column->name);
        buf_append(buf, column->registers, HLL_REGISTERS);
    }
}

enum status sketch_write(const struct sketch *sketch, struct sys *sys, const char *path,
                         struct error *err)
{
    struct buf buf;
    buf_init(&buf, SKETCH_FILE_MAX);
    buf_append(&buf, magic, sizeof magic);
    buf_append_u32(&buf, sketch->columns_len);
    buf_append_u64(&buf, sketch->rows);
    buf_append_u64(&buf, sketch->random);
    buf_append_u64(&buf, sketch->bar);
    buf_append_u32(&buf, sketch->keep);
    buf_append_u32(&buf, sketch->sample->rows);
    put_columns(sketch, &buf);
    for (uint32_t i = 0; i < sketch->sample->rows; i++)
        buf_append_u64(&buf, sketch->priorities[i]);
    enum status status = batch_encode(sketch->sample, &buf, err);
    if (status == STATUS_OK)
        buf_append_u64(&buf, str_hash(buf_str(&buf)));
    if (status == STATUS_OK)
        status = buf_check(&buf, "the statistics", err);
    if (status == STATUS_OK)
        status = sys_replace_file(sys, path, (struct slice){buf.data, buf.len}, err);
    buf_release(&buf);
    return status;
}

/* --- reading: every step says whether the bytes were there --- */

struct bytes {
    const char *at;
    size_t left;
};

static const char *take(struct bytes *bytes, size_t len)
{
    const char *at = bytes->at;
    if (bytes->left < len)
        return NULL;
    bytes->at += len;
    bytes->left -= len;
    return at;
}

static bool take_u32(struct bytes *bytes, uint32_t *ret)
{
    const char *at = take(bytes, sizeof *ret);
    if (at)
        memcpy(ret, at, sizeof *ret);
    return at != NULL;
}

static bool take_u64(struct bytes *bytes, uint64_t *ret)
{
    const char *at = take(bytes, sizeof *ret);
    if (at)
        memcpy(ret, at, sizeof *ret);
    return at != NULL;
}

static bool take_column(struct sketch *sketch, struct bytes *bytes)
{
    uint32_t id, len;
    if (!take_u32(bytes, &id) || !take_u32(bytes, &len) || len > FIELD_NAME_MAX)
        return false;
    const char *name = take(bytes, len);
    const char *registers = take(bytes, HLL_REGISTERS);
    struct sketch_column *column =
        name && registers ? sketch_column_of(sketch, str_make(name, len), (int32_t)id) : NULL;
    if (!column)
        return false;
    memcpy(column->registers, registers, HLL_REGISTERS);
    return true;
}

static bool take_all(struct sketch *sketch, struct bytes *bytes)
{
    uint32_t columns, rows;
    const char *head = take(bytes, sizeof magic);
    if (!head || memcmp(head, magic, sizeof magic) != 0 || !take_u32(bytes, &columns) ||
        columns > SKETCH_COLUMNS_MAX || !take_u64(bytes, &sketch->rows) ||
        !take_u64(bytes, &sketch->random) || !take_u64(bytes, &sketch->bar) ||
        !take_u32(bytes, &sketch->keep) || !take_u32(bytes, &rows) || rows > SKETCH_SAMPLE_ROWS ||
        sketch->keep > SKETCH_SAMPLE_ROWS)
        return false;
    for (uint32_t i = 0; i < columns; i++)
        if (!take_column(sketch, bytes))
            return false;
    for (uint32_t i = 0; i < rows; i++)
        if (!take_u64(bytes, &sketch->priorities[i]))
            return false;
    struct batch *sample = NULL;
    if (batch_decode((struct slice){bytes->at, bytes->left}, &sample, NULL) != STATUS_OK)
        return false;
    batch_unref(sketch->sample);
    sketch->sample = sample;
    return sample->rows == rows;
}

enum status sketch_read(struct sys *sys, const char *path, struct sketch **ret, struct error *err)
{
    struct buf buf;
    uint64_t sum = 0;
    buf_init(&buf, SKETCH_FILE_MAX);
    enum status status = sys_read_file(sys, path, &buf, err);
    if (status != STATUS_OK) {
        buf_release(&buf);
        return status;
    }
    struct sketch *sketch = sketch_new(1);
    bool good = sketch && buf.len > HEAD_BYTES + sizeof sum;
    if (good)
        memcpy(&sum, buf.data + buf.len - sizeof sum, sizeof sum);
    struct bytes bytes = {buf.data, good ? buf.len - sizeof sum : 0};
    good = good && str_hash(str_make(bytes.at, bytes.left)) == sum && take_all(sketch, &bytes);
    buf_release(&buf);
    if (!good) {
        sketch_unref(sketch);
        return error_set(err, STATUS_CORRUPT, "%s: the statistics are damaged", path);
    }
    *ret = sketch;
    return STATUS_OK;
}
