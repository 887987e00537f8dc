/* avro_write.c: the binary encoding and the container writer. */
#define ZLIB_CONST
#include <zlib.h>

#include "format/avro/avro.h"

enum { DEFLATE_LEVEL = 1, RAW_WINDOW_BITS = -15, DEFLATE_MEMORY = 8 };

void avro_put_long(struct buf *out, int64_t value)
{
    uint64_t zigzag = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    buf_append_varint(out, zigzag);
}

void avro_put_bool(struct buf *out, bool value)
{
    buf_append_char(out, value ? 1 : 0);
}

void avro_put_float(struct buf *out, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    buf_append_u32(out, bits);
}

void avro_put_double(struct buf *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    buf_append_u64(out, bits);
}

void avro_put_bytes(struct buf *out, struct str bytes)
{
    avro_put_long(out, (int64_t)bytes.len);
    buf_append_str(out, bytes);
}

void avro_put_fixed(struct buf *out, struct str bytes)
{
    buf_append_str(out, bytes);
}

void avro_put_present(struct buf *out, bool present)
{
    avro_put_long(out, present ? 1 : 0);
}

void avro_put_block(struct buf *out, uint64_t count)
{
    if (count)
        avro_put_long(out, (int64_t)count);
}

void avro_put_end(struct buf *out)
{
    avro_put_long(out, 0);
}

static void put_pair(struct buf *out, struct str key, struct str value)
{
    avro_put_bytes(out, key);
    avro_put_bytes(out, value);
}

enum status avro_writer_init(struct avro_writer *writer, struct buf *out, struct str schema_json,
                             const struct avro_pair *meta, uint32_t meta_len, enum avro_codec codec,
                             const unsigned char sync[AVRO_SYNC_LEN], struct error *err)
{
    *writer = (struct avro_writer){.out = out, .codec = codec};
    buf_init(&writer->block, AVRO_BLOCK_MAX);
    memcpy(writer->sync, sync, AVRO_SYNC_LEN);
    buf_append(out, "Obj\1", 4);
    avro_put_block(out, (uint64_t)meta_len + 2);
    put_pair(out, STR("avro.schema"), schema_json);
    put_pair(out, STR("avro.codec"), codec == AVRO_DEFLATE ? STR("deflate") : STR("null"));
    for (uint32_t i = 0; i < meta_len; i++)
        put_pair(out, meta[i].key, meta[i].value);
    avro_put_end(out);
    buf_append(out, sync, AVRO_SYNC_LEN);
    return buf_check(out, "Avro header", err);
}

struct buf *avro_writer_record(struct avro_writer *writer)
{
    return &writer->block;
}

static enum status deflate_into(struct str plain, struct buf *out, struct error *err)
{
    z_stream z = {0};
    if (deflateInit2(&z, DEFLATE_LEVEL, Z_DEFLATED, RAW_WINDOW_BITS, DEFLATE_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return error_no_memory(err);
    uLong bound = deflateBound(&z, (uLong)plain.len);
    if (!buf_reserve(out, bound)) {
        (void)deflateEnd(&z);
        return buf_check(out, "Avro block", err);
    }
    z.next_in = (const Bytef *)plain.data;
    z.avail_in = (uInt)plain.len;
    z.next_out = (Bytef *)out->data + out->len;
    z.avail_out = (uInt)bound;
    int done = deflate(&z, Z_FINISH);
    out->len += bound - z.avail_out;
    (void)deflateEnd(&z);
    return done == Z_STREAM_END ? STATUS_OK
                                : error_set(err, STATUS_INTERNAL, "deflate ended with %d", done);
}

static enum status flush_block(struct avro_writer *writer, struct error *err)
{
    if (writer->block_records == 0)
        return STATUS_OK;
    avro_put_long(writer->out, writer->block_records);
    if (writer->codec == AVRO_DEFLATE) {
        struct buf packed;
        buf_init(&packed, 2 * (size_t)AVRO_BLOCK_MAX);
        enum status status = deflate_into(buf_str(&writer->block), &packed, err);
        if (status == STATUS_OK)
            avro_put_bytes(writer->out, buf_str(&packed));
        buf_release(&packed);
        TRY(status);
    } else {
        avro_put_bytes(writer->out, buf_str(&writer->block));
    }
    buf_append(writer->out, writer->sync, AVRO_SYNC_LEN);
    buf_clear(&writer->block);
    writer->block_records = 0;
    return buf_check(writer->out, "Avro file", err);
}

enum status avro_writer_end_record(struct avro_writer *writer, struct error *err)
{
    TRY(buf_check(&writer->block, "Avro block", err));
    writer->block_records++;
    writer->records++;
    return writer->block.len >= AVRO_BLOCK_TARGET ? flush_block(writer, err) : STATUS_OK;
}

enum status avro_writer_finish(struct avro_writer *writer, struct error *err)
{
    return flush_block(writer, err);
}

void avro_writer_release(struct avro_writer *writer)
{
    buf_release(&writer->block);
}
