/* bloom_write.c: the bloom filter of one full chunk: of the dictionary's values when there is one,
 * else of all values. */
#include "format/parquet/bloom_int.h"
#include "format/parquet/thrift_int.h"
#include "format/parquet/writer_int.h"

static void put_header(struct buf *out, uint32_t size)
{
    struct thrift_writer w;
    thrift_writer_init(&w, out);
    thrift_begin(&w);
    thrift_i32(&w, 1, (int32_t)size);
    for (int32_t id = 2; id <= 4; id++) { /* BLOCK, XXHASH, UNCOMPRESSED: each a union's field 1 */
        thrift_begin_field(&w, id);
        thrift_begin_field(&w, 1);
        thrift_end(&w);
        thrift_end(&w);
    }
    thrift_end(&w);
}

static void add_keys(uint8_t *bits, uint32_t size, enum type type, const uint64_t *keys,
                     uint32_t count)
{
    size_t width = type == TYPE_DATE ? 4 : 8; /* the low bytes come first */
    for (uint32_t i = 0; i < count; i++)
        bloom_add(bits, size, bloom_hash(&keys[i], width));
}

static void add_strs(uint8_t *bits, uint32_t size, const struct chunk_builder *chunk)
{
    const struct dict *dict = &chunk->dict;
    if (chunk->use_dict) {
        for (uint32_t code = 0; code < dict->len; code++) {
            struct str s = dict_str(dict, code);
            bloom_add(bits, size, bloom_hash(s.data, s.len));
        }
        return;
    }
    const char *p = chunk->plain.data;
    for (uint32_t i = 0; i < chunk->dense; i++) {
        uint32_t len;
        memcpy(&len, p, sizeof len);
        bloom_add(bits, size, bloom_hash(p + 4, len));
        p += 4 + len;
    }
}

void bloom_write(const struct chunk_builder *chunk, struct chunk_record *record, struct buf *out)
{
    if (chunk->type == TYPE_BOOL || chunk->dense == 0)
        return;
    size_t start = out->len;
    uint32_t size = bloom_size(chunk->use_dict ? chunk->dict.len : chunk->dense);
    put_header(out, size);
    if (!buf_reserve(out, size))
        return;
    uint8_t *bits = (uint8_t *)out->data + out->len;
    memset(bits, 0, size);
    if (type_is_bytes(chunk->type))
        add_strs(bits, size, chunk);
    else if (chunk->use_dict)
        add_keys(bits, size, chunk->type, chunk->dict.keys, chunk->dict.len);
    else
        add_keys(bits, size, chunk->type, chunk->keys, chunk->dense);
    out->len += size;
    record->bloom_offset = start;
    record->bloom_len = (uint32_t)(out->len - start);
    record->bloom_crc = pq_crc32(0, out->data + start, record->bloom_len);
}
