/* page_load.c: one page from the file: header, CRC, decompression, levels.
 *
 * Memory: the decompressed bytes are bounded by PAGE_UNCOMPRESSED_MAX and by what the codec can
 * make out of the compressed ones; the bitmap by PAGE_ROWS_MAX. In Quarry's own files the header is
 * also checked against what footer and index say (spec_int.h), so that no flip goes unseen. */
#include "format/parquet/reader_int.h"
#include "format/parquet/rle_int.h"

enum status pq_codec_of(enum pq_codec codec, enum codec *ret, struct error *err)
{
    switch (codec) {
    case PQ_CODEC_NONE:
        *ret = CODEC_NONE;
        return STATUS_OK;
    case PQ_CODEC_SNAPPY:
        *ret = CODEC_SNAPPY;
        return STATUS_OK;
    case PQ_CODEC_GZIP:
        *ret = CODEC_GZIP;
        return STATUS_OK;
    case PQ_CODEC_ZSTD:
        *ret = CODEC_ZSTD;
        return STATUS_OK;
    case PQ_CODEC_LZ4_RAW:
        *ret = CODEC_LZ4;
        return STATUS_OK;
    case PQ_CODEC_LZ4_HADOOP:
        *ret = CODEC_LZ4; /* its blocks */
        return STATUS_OK;
    case PQ_CODEC_LZO:
        return error_set(err, STATUS_NOT_IMPLEMENTED, "Parquet codec LZO");
    case PQ_CODEC_BROTLI:
        return error_set(err, STATUS_NOT_IMPLEMENTED, "Parquet codec BROTLI");
    default:
        return error_set(err, STATUS_NOT_IMPLEMENTED, "Parquet codec %d", (int)codec);
    }
}

/* `skip` bytes at the start of `stored` are not compressed (the levels of V2). */
static enum status unpack(struct parquet_reader *reader, enum pq_codec pq_codec,
                          struct slice stored, size_t plain_len, size_t skip, bool is_compressed,
                          struct slice *ret, struct error *err)
{
    enum codec codec = CODEC_NONE;
    TRY(pq_codec_of(pq_codec, &codec, err));
    if (codec == CODEC_NONE || !is_compressed) {
        if (stored.len != plain_len)
            return pq_corrupt(err, "a page is %zu bytes long, its header says %zu", stored.len,
                              plain_len);
        *ret = stored;
        return STATUS_OK;
    }
    struct slice packed = {(const uint8_t *)stored.data + skip, stored.len - skip};
    size_t len = plain_len - skip;
    if (len > codec_expansion_max(codec, packed.len))
        return pq_corrupt(err, "a page of %zu bytes cannot become %zu", packed.len, len);
    if (!pq_scratch_reserve(&reader->plain, plain_len + READ_SLACK))
        return error_no_memory(err);
    if (skip)
        memcpy(reader->plain.data, stored.data, skip);
    *ret = (struct slice){reader->plain.data, plain_len};
    if (len == 0 && packed.len == 0) /* V2 without values */
        return STATUS_OK;
    uint8_t *out = reader->plain.data + skip;
    enum status status = pq_codec == PQ_CODEC_LZ4_HADOOP
                             ? pq_lz4_hadoop(&reader->codec, packed, out, len, err)
                             : codec_decompress(&reader->codec, codec, packed, out, len, err);
    return status == STATUS_OK ? STATUS_OK : error_wrap(err, "a Parquet page");
}

/* The header's bytes against the one form that the writer has. */
static enum status check_own_header(const struct parquet_reader *reader, const struct pq_header *h,
                                    uint64_t offset, struct error *err)
{
    struct buf form;
    buf_init(&form, PAGE_HEADER_MAX);
    pq_header_write(&form, h);
    bool same = !form.failed && form.len == h->header_len &&
                !memcmp(form.data, reader->file + offset, form.len);
    enum status status = buf_check(&form, "a Parquet page header", err);
    buf_release(&form);
    if (status != STATUS_OK || same)
        return status;
    return pq_corrupt(err, "the page header at %llu is damaged", (unsigned long long)offset);
}

static enum status check_crc(const struct pq_header *h, struct slice stored, uint64_t offset,
                             bool own, struct error *err)
{
    if (!h->has_crc)
        return own ? pq_corrupt(err, "the page at %llu has no checksum", (unsigned long long)offset)
                   : STATUS_OK;
    if (pq_crc32(0, stored.data, stored.len) != h->crc)
        return pq_corrupt(err, "the page at %llu does not match its checksum",
                          (unsigned long long)offset);
    return STATUS_OK;
}

/* In own files the levels take exactly their bytes, else a false length could shift the values. */
static enum status read_validity(struct parquet_reader *reader, struct slice levels,
                                 struct pq_loaded *page, struct error *err)
{
    struct rle_reader r;
    uint32_t ones = 0;
    if (!pq_scratch_reserve(&reader->validity, (size_t)page->rows / 8 + 1 + READ_SLACK))
        return error_no_memory(err);
    rle_reader_init(&r, levels.data, levels.len, 1);
    if (!rle_read_bits(&r, reader->validity.data, page->rows, &ones))
        return pq_corrupt(err, "a page's definition levels end too early");
    if (reader->own && r.p != r.end)
        return pq_corrupt(err, "a page's definition levels are too long");
    page->present = ones;
    page->validity = ones == page->rows ? NULL : reader->validity.data;
    return STATUS_OK;
}

static enum status split_v1(struct parquet_reader *reader, const struct pq_header *h,
                            const struct pq_leaf *leaf, struct slice plain, struct pq_loaded *page,
                            struct error *err)
{
    const uint8_t *p = plain.data;
    size_t left = plain.len;
    page->present = page->rows;
    if (leaf->optional) {
        uint32_t len;
        if (h->level_encoding != PQ_RLE)
            return error_set(err, STATUS_NOT_IMPLEMENTED,
                             "Parquet definition levels in encoding %d", h->level_encoding);
        if (left < sizeof len)
            return pq_corrupt(err, "a page is too short for its definition levels");
        memcpy(&len, p, sizeof len);
        if (len > left - sizeof len)
            return pq_corrupt(err, "a page is too short for its definition levels");
        TRY(read_validity(reader, (struct slice){p + sizeof len, len}, page, err));
        p += sizeof len + len;
        left -= sizeof len + len;
    }
    page->values = p;
    page->values_len = left;
    return STATUS_OK;
}

static enum status split_v2(struct parquet_reader *reader, const struct pq_header *h,
                            const struct pq_leaf *leaf, struct slice plain, struct pq_loaded *page,
                            struct error *err)
{
    const uint8_t *p = (const uint8_t *)plain.data + h->repetition_len;
    page->present = page->rows;
    if (h->repetition_len && reader->own)
        return pq_corrupt(err, "a flat page has repetition levels");
    if (leaf->optional)
        TRY(read_validity(reader, (struct slice){p, h->definition_len}, page, err));
    if (page->rows - page->present != h->nulls)
        return pq_corrupt(err, "a page has %u nulls, its header says %u",
                          page->rows - page->present, h->nulls);
    page->values = p + h->definition_len;
    page->values_len = plain.len - h->repetition_len - h->definition_len;
    return STATUS_OK;
}

static const char *encoding_name(int32_t encoding)
{
    static const char *const names[] = {
        "PLAIN",          "GROUP_VAR_INT",       "PLAIN_DICTIONARY",        "RLE",
        "BIT_PACKED",     "DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY",
        "RLE_DICTIONARY", "BYTE_STREAM_SPLIT"};
    return encoding >= 0 && encoding < 10 ? names[encoding] : "of an unknown number";
}

/* Which encodings a type may have. */
static bool is_legal_encoding(enum pq_type type, int32_t encoding)
{
    bool whole = type == PQ_INT32 || type == PQ_INT64;
    bool fixed = type == PQ_FIXED_LEN_BYTE_ARRAY;
    switch (encoding) {
    case PQ_PLAIN:
        return true;
    case PQ_RLE:
        return type == PQ_BOOLEAN;
    case PQ_DELTA_BINARY_PACKED:
        return whole;
    case PQ_DELTA_LENGTH_BYTE_ARRAY:
        return type == PQ_BYTE_ARRAY;
    case PQ_DELTA_BYTE_ARRAY:
        return type == PQ_BYTE_ARRAY || fixed;
    case PQ_BYTE_STREAM_SPLIT:
        return whole || fixed || type == PQ_FLOAT || type == PQ_DOUBLE;
    default:
        return false;
    }
}

static enum status check_encoding(const struct parquet_reader *reader, const struct pq_chunk *chunk,
                                  const struct pq_leaf *leaf, int32_t encoding,
                                  enum pq_encoding *ret, struct error *err)
{
    bool dictionary = encoding == PQ_RLE_DICTIONARY || encoding == PQ_PLAIN_DICTIONARY;
    if (!dictionary && !is_legal_encoding(leaf->physical, encoding))
        return error_set(err, STATUS_NOT_IMPLEMENTED, "Parquet column %.*s: encoding %s",
                         STR_ARG(leaf->field.name), encoding_name(encoding));
    *ret = dictionary ? PQ_RLE_DICTIONARY : (enum pq_encoding)encoding;
    if (dictionary && !chunk->dictionary_offset)
        return pq_corrupt(err, "column %.*s has no dictionary", STR_ARG(leaf->field.name));
    if (reader->own && encoding != chunk->stats_encoding)
        return pq_corrupt(err, "column %.*s: a page has the wrong encoding",
                          STR_ARG(leaf->field.name));
    return STATUS_OK;
}

enum status pq_page_open(struct parquet_reader *reader, struct pq_place at, uint64_t offset,
                         uint64_t end, struct pq_opened *ret, struct error *err)
{
    const struct pq_leaf *leaf = &reader->leaves[at.column];
    const struct pq_chunk *chunk = pq_chunk_at(reader, at);
    struct pq_header *h = &ret->header;
    TRY(pq_header_read(reader, offset, end, h, err));
    bool v2 = h->type == PQ_DATA_PAGE_V2;
    if ((h->type != PQ_DATA_PAGE && !v2) || (reader->own && v2 != chunk->stats_v2) ||
        (reader->own && v2 && h->is_compressed != (chunk->codec != PQ_CODEC_NONE)))
        return pq_corrupt(err, "the page at %llu is not what the index says",
                          (unsigned long long)offset);
    size_t skip = 0;
    if (v2) {
        skip = (size_t)h->repetition_len + h->definition_len;
        if (skip > h->compressed || skip > h->uncompressed)
            return pq_corrupt(err, "the levels are longer than their page");
    }
    if (reader->own)
        TRY(check_own_header(reader, h, offset, err));
    TRY(check_encoding(reader, chunk, leaf, h->encoding, &ret->encoding, err));
    struct slice stored = {reader->file + offset + h->header_len, h->compressed};
    TRY(check_crc(h, stored, offset, reader->own, err));
    return unpack(reader, chunk->codec, stored, h->uncompressed, skip, !v2 || h->is_compressed,
                  &ret->plain, err);
}

enum status pq_page_load(struct parquet_reader *reader, struct pq_place at, uint32_t page,
                         struct pq_loaded *ret, struct error *err)
{
    const struct pq_leaf *leaf = &reader->leaves[at.column];
    const struct pq_page_entry *entry = &pq_chunk_at(reader, at)->pages[page];
    struct pq_opened opened;
    const struct pq_header *h = &opened.header;
    TRY(pq_page_open(reader, at, entry->offset, entry->offset + entry->size, &opened, err));
    bool v2 = h->type == PQ_DATA_PAGE_V2;
    if (h->values != entry->rows || (v2 && h->rows != entry->rows) ||
        h->header_len + h->compressed != entry->size)
        return pq_corrupt(err, "the page at %llu is not what the index says",
                          (unsigned long long)entry->offset);
    *ret = (struct pq_loaded){.rows = entry->rows, .encoding = opened.encoding};
    TRY(v2 ? split_v2(reader, h, leaf, opened.plain, ret, err)
           : split_v1(reader, h, leaf, opened.plain, ret, err));
    return pq_expand(reader, leaf, ret, err);
}

enum status pq_dictionary_load(struct parquet_reader *reader, struct pq_place at,
                               struct pq_loaded *ret, struct error *err)
{
    const struct pq_chunk *chunk = pq_chunk_at(reader, at);
    uint64_t end = chunk->pages_len ? chunk->pages[0].offset : chunk->end;
    struct pq_header h;
    TRY(pq_header_read(reader, chunk->dictionary_offset, end, &h, err));
    bool plain_values = h.encoding == PQ_PLAIN || h.encoding == PQ_PLAIN_DICTIONARY;
    if (h.type != PQ_DICTIONARY_PAGE || !plain_values ||
        (reader->own &&
         (h.encoding != PQ_PLAIN || chunk->dictionary_offset + h.header_len + h.compressed != end)))
        return pq_corrupt(err, "the dictionary page at %llu is not one",
                          (unsigned long long)chunk->dictionary_offset);
    if (h.values > DICTIONARY_ENTRIES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT,
                         "a Parquet dictionary of %u entries is over %d", h.values,
                         DICTIONARY_ENTRIES_MAX);
    if (reader->own)
        TRY(check_own_header(reader, &h, chunk->dictionary_offset, err));
    *ret = (struct pq_loaded){.rows = h.values, .present = h.values, .encoding = PQ_PLAIN};
    struct slice plain,
        stored = {reader->file + chunk->dictionary_offset + h.header_len, h.compressed};
    TRY(check_crc(&h, stored, chunk->dictionary_offset, reader->own, err));
    TRY(unpack(reader, chunk->codec, stored, h.uncompressed, 0, true, &plain, err));
    ret->values = plain.data;
    ret->values_len = plain.len;
    return STATUS_OK;
}
