/* chunk_write.c: the pages of one full column chunk.
 *
 * Dictionary page (PLAIN values), then data pages V1: definition levels (length, RLE), then either
 * codes (bit width, RLE/bit-packed hybrid) or values, PLAIN or delta encoded; all of it compressed
 * as one block. V2: the levels have no length and stay as they are. Every page header has the
 * CRC-32 of the page's bytes as stored. A page under a codec is always compressed, as V1 has no
 * flag for the other case.
 *
 * One encoding a chunk. Delta encodings only when the caller allows them: integers when they halve
 * the bytes, strings when the lengths' deltas save an eighth. Doubles likewise: bytes in streams of
 * their own when that saves an eighth of the first page as stored. */
#include "format/parquet/byte_split_int.h"
#include "format/parquet/page_header_int.h"
#include "format/parquet/rle_int.h"
#include "format/parquet/writer_int.h"

/* Compresses writer->page from byte `skip` on. */
static enum status compress_page(struct parquet_writer *writer, size_t skip, struct error *err)
{
    enum codec codec = (enum codec)writer->options.codec;
    if (writer->page.len > CODEC_BLOCK_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT,
                         "a Parquet page of %zu bytes is over the limit", writer->page.len);
    struct slice plain = {writer->page.data + skip, writer->page.len - skip};
    size_t bound = codec_bound(codec, plain.len);
    buf_clear(&writer->packed);
    if (!buf_reserve(&writer->packed, bound + 1))
        return buf_check(&writer->packed, "a Parquet page", err);
    return codec_compress(&writer->codec, codec, plain, writer->packed.data, bound,
                          &writer->packed.len, err);
}

/* Compresses writer->page (but for the levels of V2) and appends it with its header to
 * writer->out. The header says what is in it. */
static enum status put_page(struct parquet_writer *writer, struct pq_header head,
                            struct chunk_record *record, struct error *err)
{
    TRY(buf_check(&writer->page, "a Parquet page", err));
    size_t skip = head.definition_len;
    struct slice stored = {writer->page.data + skip, writer->page.len - skip};
    head.is_compressed = writer->options.codec != PARQUET_NONE;
    if (head.is_compressed) {
        TRY(compress_page(writer, skip, err));
        stored = (struct slice){writer->packed.data, writer->packed.len};
    }
    size_t start = writer->out.len;
    head.uncompressed = (uint32_t)writer->page.len;
    head.compressed = (uint32_t)(skip + stored.len);
    head.crc = pq_crc32(pq_crc32(0, writer->page.data, skip), stored.data, stored.len);
    pq_header_write(&writer->out, &head);
    size_t header = writer->out.len - start;
    buf_append(&writer->out, writer->page.data, skip);
    buf_append(&writer->out, stored.data, stored.len);
    record->uncompressed += header + head.uncompressed;
    record->compressed += header + head.compressed;
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
    struct pq_header head = {.type = PQ_DICTIONARY_PAGE, .values = dict->len, .encoding = PQ_PLAIN};
    return put_page(writer, head, record, err);
}

/* V1 has the levels' length before them. */
static void put_levels(struct buf *out, const struct chunk_builder *chunk,
                       const struct pq_page *page, uint32_t first_row, bool v2)
{
    size_t at = out->len;
    if (!v2)
        buf_append_u32(out, 0);
    bool mixed = page->nulls && page->nulls < page->rows;
    rle_encode_bits(out, mixed ? chunk->validity + first_row / 8 : NULL, page->rows,
                    page->nulls == 0);
    if (out->failed || v2)
        return;
    uint32_t len = (uint32_t)(out->len - at - 4);
    memcpy(out->data + at, &len, 4);
}

static void put_codes(struct buf *out, const struct chunk_builder *chunk, uint32_t first,
                      uint32_t count)
{
    unsigned width = pq_bit_width(chunk->dict.len - 1);
    width = width ? width : 1; /* some readers do not like 0 */
    buf_append_char(out, (char)width);
    rle_encode(out, chunk->codes + first, count, width);
}

/* The lengths of PLAIN strings, delta encoded. */
static void put_lengths(struct buf *out, const char *p, uint32_t count, uint64_t *lengths)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t len;
        memcpy(&len, p, sizeof len);
        lengths[i] = len;
        p += 4 + len;
    }
    delta_encode(out, lengths, count, true);
}

/* DELTA_LENGTH_BYTE_ARRAY: lengths, then all bytes. `lengths` has room for `count`. */
static void put_delta_strs(struct buf *out, const char *p, uint32_t count, uint64_t *lengths)
{
    put_lengths(out, p, count, lengths);
    for (uint32_t i = 0; i < count; i++) {
        buf_append(out, p + 4, (size_t)lengths[i]);
        p += 4 + lengths[i];
    }
}

static void put_plain(struct buf *out, const struct chunk_builder *chunk, uint32_t first,
                      size_t first_byte, const struct pq_page *page)
{
    uint32_t count = page->dense_end - first;
    if (count == 0)
        return;
    if (type_is_bytes(chunk->type))
        buf_append(out, chunk->plain.data + first_byte, page->bytes_end - first_byte);
    else if (chunk->type == TYPE_BOOL)
        put_bools(out, chunk->keys + first, count);
    else
        put_keys(out, chunk->type, chunk->keys + first, count);
}

static void put_values(struct parquet_writer *writer, const struct chunk_builder *chunk,
                       enum pq_encoding encoding, uint32_t first, size_t first_byte,
                       const struct pq_page *page)
{
    struct buf *out = &writer->page;
    uint32_t count = page->dense_end - first;
    if (encoding == PQ_RLE_DICTIONARY)
        put_codes(out, chunk, first, count);
    else if (encoding == PQ_DELTA_BINARY_PACKED)
        delta_encode(out, chunk->keys + first, count, chunk->type == TYPE_DATE);
    else if (encoding == PQ_DELTA_LENGTH_BYTE_ARRAY)
        put_delta_strs(out, chunk->plain.data + first_byte, count,
                       (uint64_t *)(void *)writer->delta.data);
    else if (encoding == PQ_BYTE_STREAM_SPLIT)
        byte_split_encode(out, chunk->keys + first, count);
    else
        put_plain(out, chunk, first, first_byte, page);
}

static bool is_int(enum type type)
{
    return type == TYPE_INT64 || type == TYPE_TIMESTAMP || type == TYPE_DATE;
}

/* Whether delta encoding makes the chunk, PLAIN so far, clearly smaller. Leaves room for the
 * lengths of all strings in writer->delta. */
static enum status choose_delta(struct parquet_writer *writer, const struct chunk_builder *chunk,
                                enum pq_encoding *ret, struct error *err)
{
    struct buf *out = &writer->page;
    buf_clear(out);
    if (is_int(chunk->type)) {
        delta_encode(out, chunk->keys, chunk->dense, chunk->type == TYPE_DATE);
        if (out->len * 2 <= (size_t)chunk->dense * type_width(chunk->type))
            *ret = PQ_DELTA_BINARY_PACKED;
        return buf_check(out, "a Parquet column chunk", err);
    }
    buf_clear(&writer->delta);
    if (!buf_reserve(&writer->delta, (size_t)chunk->dense * sizeof(uint64_t)))
        return buf_check(&writer->delta, "a Parquet column chunk", err);
    put_lengths(out, chunk->plain.data, chunk->dense, (uint64_t *)(void *)writer->delta.data);
    size_t plain = (size_t)chunk->dense * 4;
    if (out->len < plain && plain - out->len >= chunk->plain.len / 8)
        *ret = PQ_DELTA_LENGTH_BYTE_ARRAY;
    return buf_check(out, "a Parquet column chunk", err);
}

/* Whether splitting doubles makes the chunk's first page clearly smaller under the codec. */
static enum status choose_split(struct parquet_writer *writer, const struct chunk_builder *chunk,
                                enum pq_encoding *ret, struct error *err)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < chunk->pages_len && count == 0; i++)
        count = chunk->pages[i].dense_end;
    buf_clear(&writer->page);
    put_keys(&writer->page, chunk->type, chunk->keys, count);
    TRY(buf_check(&writer->page, "a Parquet page", err));
    TRY(compress_page(writer, 0, err));
    size_t plain = writer->packed.len;
    buf_clear(&writer->page);
    byte_split_encode(&writer->page, chunk->keys, count);
    TRY(buf_check(&writer->page, "a Parquet page", err));
    TRY(compress_page(writer, 0, err));
    if (writer->packed.len * 8 <= plain * 7)
        *ret = PQ_BYTE_STREAM_SPLIT;
    return STATUS_OK;
}

/* Integers nearly all distinct are better off without a dictionary once deltas are allowed. */
static enum status choose_encoding(struct parquet_writer *writer, struct chunk_builder *chunk,
                                   enum pq_encoding *ret, struct error *err)
{
    *ret = PQ_PLAIN;
    bool delta = writer->options.allow_delta && chunk->dense > 1;
    if (delta && chunk->use_dict && is_int(chunk->type) &&
        (uint64_t)chunk->dict.len * 8 > (uint64_t)chunk->dense * 7 &&
        chunk_give_up_dict(chunk) != STATUS_OK)
        return error_no_memory(err);
    if (chunk->use_dict && chunk->dict.len > 0)
        *ret = PQ_RLE_DICTIONARY;
    else if (delta && (is_int(chunk->type) || type_is_bytes(chunk->type)))
        return choose_delta(writer, chunk, ret, err);
    else if (delta && chunk->type == TYPE_DOUBLE && writer->options.codec != PARQUET_NONE)
        return choose_split(writer, chunk, ret, err);
    return STATUS_OK;
}

static enum status put_data_page(struct parquet_writer *writer, const struct chunk_builder *chunk,
                                 uint32_t row, uint32_t first, size_t first_byte,
                                 struct pq_page *page, struct chunk_record *record,
                                 struct error *err)
{
    bool v2 = writer->options.page_v2;
    struct pq_header head = {.type = v2 ? PQ_DATA_PAGE_V2 : PQ_DATA_PAGE,
                             .values = page->rows,
                             .rows = page->rows,
                             .nulls = page->nulls,
                             .encoding = record->encoding};
    buf_clear(&writer->page);
    put_levels(&writer->page, chunk, page, row, v2);
    if (v2)
        head.definition_len = (uint32_t)writer->page.len;
    put_values(writer, chunk, record->encoding, first, first_byte, page);
    return put_page(writer, head, record, err);
}

enum status chunk_write(struct parquet_writer *writer, struct chunk_builder *chunk,
                        struct chunk_record *record, struct error *err)
{
    uint64_t start = writer->position;
    *record = (struct chunk_record){
        .values = chunk->rows, .nulls = chunk->nulls, .pages = chunk->pages_len};
    TRY(choose_encoding(writer, chunk, &record->encoding, err));
    record->dictionary = record->encoding == PQ_RLE_DICTIONARY;
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
        TRY(put_data_page(writer, chunk, row, first, first_byte, page, record, err));
        page->size = (uint32_t)(start + writer->out.len - page->offset);
        bounds_merge(&record->bounds, &page->bounds, page->rows - page->nulls);
        row += page->rows;
        first = page->dense_end;
        first_byte = page->bytes_end;
    }
    return STATUS_OK;
}
