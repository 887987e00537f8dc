/* avro_read.c: the container reader: header, blocks, records.
 *
 * A block's bytes are used in place (codec null) or inflated into reader->plain, which grows as
 * output comes and never past AVRO_BLOCK_MAX. A record without any bytes is refused: else a count
 * alone could demand endless work. */
#define ZLIB_CONST
#include <zlib.h>

#include "format/avro/avro_int.h"

static enum status bad(struct error *err, const char *what)
{
    return error_set(err, STATUS_CORRUPT, "the Avro file is damaged: %s", what);
}

static enum status read_meta(struct avro_reader *reader, struct avro_input *in, struct error *err)
{
    reader->meta = arena_array(&reader->arena, AVRO_META_MAX, sizeof *reader->meta);
    if (!reader->meta)
        return error_no_memory(err);
    for (;;) {
        uint64_t count;
        if (!avro_get_count(in, &count))
            return bad(err, "its metadata");
        if (count == 0)
            return STATUS_OK;
        if (count > AVRO_META_MAX - reader->meta_len)
            return bad(err, "too many metadata entries");
        while (count-- > 0) {
            struct avro_pair *pair = &reader->meta[reader->meta_len];
            if (!avro_get_bytes(in, &pair->key) || !avro_get_bytes(in, &pair->value))
                return bad(err, "its metadata");
            reader->meta_len++;
        }
    }
}

static enum status read_codec(struct avro_reader *reader, struct error *err)
{
    struct str codec;
    if (!avro_reader_meta(reader, "avro.codec", &codec) || str_is(codec, "null"))
        reader->codec = AVRO_PLAIN;
    else if (str_is(codec, "deflate"))
        reader->codec = AVRO_DEFLATE;
    else
        return error_set(err, STATUS_NOT_IMPLEMENTED, "Avro codec '%.*s' is not known",
                         (int)(codec.len < 40 ? codec.len : 40), codec.data);
    return STATUS_OK;
}

enum status avro_reader_open(struct avro_reader *reader, struct slice file, struct error *err)
{
    *reader = (struct avro_reader){.file = str_make(file.data, file.len)};
    arena_init(&reader->arena, 0);
    buf_init(&reader->plain, AVRO_BLOCK_MAX);
    if (!str_starts(reader->file, str_make("Obj\1", 4)))
        return bad(err, "it does not begin with Obj 1");
    struct avro_input in = {reader->file.data + 4, reader->file.data + reader->file.len};
    TRY(read_meta(reader, &in, err));
    if ((size_t)(in.end - in.at) < AVRO_SYNC_LEN)
        return bad(err, "its sync marker is missing");
    memcpy(reader->sync, in.at, AVRO_SYNC_LEN);
    reader->at = (size_t)(in.at - reader->file.data) + AVRO_SYNC_LEN;
    TRY(read_codec(reader, err));
    struct str schema;
    if (!avro_reader_meta(reader, "avro.schema", &schema))
        return bad(err, "it has no schema");
    return avro_schema_parse(schema, &reader->arena, &reader->schema, err);
}

void avro_reader_release(struct avro_reader *reader)
{
    buf_release(&reader->plain);
    arena_release(&reader->arena);
}

bool avro_reader_meta(const struct avro_reader *reader, const char *key, struct str *ret)
{
    for (uint32_t i = 0; i < reader->meta_len; i++) {
        if (str_is(reader->meta[i].key, key)) {
            *ret = reader->meta[i].value;
            return true;
        }
    }
    return false;
}

enum { INFLATE_STEP = 64 << 10, RAW_WINDOW_BITS = -15 };

static enum status inflate_loop(z_stream *z, struct buf *out, struct error *err)
{
    for (;;) {
        size_t room = out->max - out->len < INFLATE_STEP ? out->max - out->len : INFLATE_STEP;
        if (room == 0)
            return bad(err, "a block inflates past its limit");
        if (!buf_reserve(out, room))
            return error_no_memory(err);
        z->next_out = (Bytef *)out->data + out->len;
        z->avail_out = (uInt)room;
        int done = inflate(z, Z_NO_FLUSH);
        out->len += room - z->avail_out;
        if (done == Z_STREAM_END)
            return z->avail_in == 0 ? STATUS_OK : bad(err, "bytes behind a deflate stream");
        if (done == Z_MEM_ERROR)
            return error_no_memory(err);
        if (done != Z_OK || (z->avail_in == 0 && z->avail_out > 0))
            return bad(err, "a deflate stream is broken");
    }
}

static enum status inflate_block(struct avro_reader *reader, struct str packed, struct error *err)
{
    z_stream z = {.next_in = (const Bytef *)packed.data, .avail_in = (uInt)packed.len};
    buf_clear(&reader->plain);
    if (inflateInit2(&z, RAW_WINDOW_BITS) != Z_OK)
        return error_no_memory(err);
    enum status status = inflate_loop(&z, &reader->plain, err);
    (void)inflateEnd(&z);
    reader->block = buf_str(&reader->plain);
    return status;
}

static enum status next_block(struct avro_reader *reader, struct error *err)
{
    struct avro_input in = {reader->file.data + reader->at, reader->file.data + reader->file.len};
    int64_t records;
    struct str bytes;
    if (!avro_get_long(&in, &records) || records < 0)
        return bad(err, "the number of records of a block");
    if (!avro_get_bytes(&in, &bytes) || bytes.len > AVRO_BLOCK_MAX)
        return bad(err, "the length of a block");
    if ((size_t)(in.end - in.at) < AVRO_SYNC_LEN || memcmp(in.at, reader->sync, AVRO_SYNC_LEN) != 0)
        return bad(err, "a sync marker does not match");
    reader->at = (size_t)(in.at - reader->file.data) + AVRO_SYNC_LEN;
    reader->block = bytes;
    reader->block_at = 0;
    if (reader->codec == AVRO_DEFLATE)
        TRY(inflate_block(reader, bytes, err));
    if ((uint64_t)records > reader->block.len)
        return bad(err, "a block announces more records than it has bytes");
    reader->block_records = records;
    reader->values_left = (uint64_t)AVRO_VALUES_PER_BYTE * (reader->block.len + 64);
    return STATUS_OK;
}

enum status avro_reader_next(struct avro_reader *reader, struct arena *arena,
                             const struct avro_datum **ret, struct error *err)
{
    *ret = NULL;
    while (reader->block_records == 0) {
        if (reader->block_at < reader->block.len)
            return bad(err, "bytes behind the last record of a block");
        if (reader->at == reader->file.len)
            return STATUS_OK;
        TRY(next_block(reader, err));
    }
    struct str block = reader->block;
    struct avro_input in = {block.data + reader->block_at, block.data + block.len};
    struct avro_datum *datum;
    TRY(avro_decode(&in, reader->schema, arena, &reader->values_left, &datum, err));
    size_t at = (size_t)(in.at - block.data);
    if (at == reader->block_at)
        return bad(err, "a record without bytes");
    reader->block_at = at;
    reader->block_records--;
    *ret = datum;
    return STATUS_OK;
}
