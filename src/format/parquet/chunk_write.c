/* chunk_write.c: the pages of one full column chunk.
 *
 * Dictionary page (PLAIN values), then data pages V1: definition levels (length, RLE), then either
 * codes (bit width, RLE/bit-packed hybrid) or PLAIN values; all of it compressed as one block.
 * Every page header has the CRC-32 of the page's bytes as stored. A page under a codec is always
 * compressed, as V1 has no flag for the other case. */
#include "format/parquet/page_header_int.h"
#include "format/parquet/rle_int.h"
#include "format/parquet/writer_int.h"

static enum status compress_page(struct parquet_writer *writer, struct error *err)
{
    enum codec codec = (enum codec)writer->options.codec;
    if (writer->page.len > CODEC_BLOCK_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT,
                         "a Parquet page of %zu bytes is over the limit", writer->page.len);
    size_t bound = codec_bound(codec, writer->page.len);
    buf_clear(&writer->packed);
    if (!buf_reserve(&writer->packed, bound + 1))
        return buf_check(&writer->packed, "a Parquet page", err);
    struct slice plain = {writer->page.data, writer->page.len};
    return codec_compress(&writer->codec, codec, plain, writer->packed.data, bound,
                          &writer->packed.len, err);
}

/* Compresses writer->page and appends it with its header to writer->out. */
static enum status put_page(struct parquet_writer *writer, enum pq_page_type type, uint32_t count,
                            bool dictionary, struct chunk_record *record, struct error *err)
{
    TRY(buf_check(&writer->page, "a Parquet page", err));
    const struct buf *stored = &writer->page;
    if (writer->options.codec != PARQUET_NONE) {
        TRY(compress_page(writer, err));
        stored = &writer->packed;
    }
    size_t start = writer->out.len;
    struct pq_header head = {.type = type,
                             .uncompressed = (uint32_t)writer->page.len,
                             .compressed = (uint32_t)stored->len,
                             .crc = pq_crc32(0, stored->data, stored->len),
                             .values = count,
                             .encoding = dictionary ? PQ_RLE_DICTIONARY : PQ_PLAIN};
    pq_header_write(&writer->out, &head);
    size_t header = writer->out.len - start;
    buf_append(&writer->out, stored->data, stored->len);
    record->uncompressed += header + writer->page.len;
    record->compressed += header + stored->len;
    return buf_check(&writer->out, "a Parquet column chunk", err);
}

static void put_keys(struct buf *out, enum type type, const uint64_t *keys, uint32_t count)
{
    if (type != TYPE_DATE) {
        buf_append(out, keys, count * sizeof *keys);
        return;
    }
    if (!buf_reserve(out, count * sizeof(int32_t)))
        return;
    char *p = out->data + out->len;
    for (uint32_t i = 0; i < count; i++, p += 4) {
        int32_t days = (int32_t)keys[i];
        memcpy(p, &days, 4);
    }
    out->len += count * sizeof(int32_t);
}

static void put_bools(struct buf *out, const uint64_t *keys, uint32_t count)
{
    size_t bytes = ((size_t)count + 7) / 8;
    if (!buf_reserve(out, bytes))
        return;
    uint8_t *p = (uint8_t *)out->data + out->len;
    memset(p, 0, bytes);
    for (uint32_t i = 0; i < count; i++)
        p[i >> 3] |= (uint8_t)((keys[i] != 0) << (i & 7));
    out->len += bytes;
}

static enum status put_dictionary(struct parquet_writer *writer, const struct chunk_builder *chunk,
                                  struct chunk_record *record, struct error *err)
{
    const struct dict *dict = &chunk->dict;
    buf_clear(&writer->page);
    if (!dict->is_bytes) {
        put_keys(&writer->page, chunk->type, dict->keys, dict->len);
    } else {
        for (uint32_t code = 0; code < dict->len; code++) {
            struct str s = dict_str(dict, code);
            buf_append_u32(&writer->page, (uint32_t)s.len);
            buf_append_str(&writer->page, s);
        }
    }
    return put_page(writer, PQ_DICTIONARY_PAGE, dict->len, false, record, err);
}

static void put_levels(struct buf *out, const struct chunk_builder *chunk,
                       const struct pq_page *page, uint32_t first_row)
{
    size_t at = out->len;
    buf_append_u32(out, 0);
    bool mixed = page->nulls && page->nulls < page->rows;
    rle_encode_bits(out, mixed ? chunk->validity + first_row / 8 : NULL, page->rows,
                    page->nulls == 0);
    if (out->failed)
        return;
    uint32_t len = (uint32_t)(out->len - at - 4);
    memcpy(out->data + at, &len, 4);
}

static void put_values(struct buf *out, const struct chunk_builder *chunk, bool dictionary,
                       uint32_t first, size_t first_byte, const struct pq_page *page)
{
    uint32_t count = page->dense_end - first;
    if (dictionary) {
        unsigned width = pq_bit_width(chunk->dict.len - 1);
        width = width ? width : 1; /* some readers do not like 0 */
        buf_append_char(out, (char)width);
        rle_encode(out, chunk->codes + first, count, width);
    } else if (count == 0) {
        return;
    } else if (type_is_bytes(chunk->type)) {
        buf_append(out, chunk->plain.data + first_byte, page->bytes_end - first_byte);
    } else if (chunk->type == TYPE_BOOL) {
        put_bools(out, chunk->keys + first, count);
    } else {
        put_keys(out, chunk->type, chunk->keys + first, count);
    }
}

enum status chunk_write(struct parquet_writer *writer, struct chunk_builder *chunk,
                        struct chunk_record *record, struct error *err)
{
    uint64_t start = writer->position;
    *record = (struct chunk_record){.values = chunk->rows,
                                    .nulls = chunk->nulls,
                                    .pages = chunk->pages_len,
                                    .dictionary = chunk->use_dict && chunk->dict.len > 0};
    buf_clear(&writer->out);
    if (record->dictionary) {
        record->dictionary_offset = start;
        TRY(put_dictionary(writer, chunk, record, err));
    }
    record->data_offset = start + writer->out.len;
    uint32_t row = 0, first = 0;
    size_t first_byte = 0;
    for (uint32_t i = 0; i < chunk->pages_len; i++) {
        struct pq_page *page = &chunk->pages[i];
        page->offset = start + writer->out.len;
        buf_clear(&writer->page);
        put_levels(&writer->page, chunk, page, row);
        put_values(&writer->page, chunk, record->dictionary, first, first_byte, page);
        TRY(put_page(writer, PQ_DATA_PAGE, page->rows, record->dictionary, record, err));
        page->size = (uint32_t)(start + writer->out.len - page->offset);
        bounds_merge(&record->bounds, &page->bounds, page->rows - page->nulls);
        row += page->rows;
        first = page->dense_end;
        first_byte = page->bytes_end;
    }
    return STATUS_OK;
}
