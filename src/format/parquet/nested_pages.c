/* nested_pages.c: the entries of one leaf of a nested column, page after page.
 *
 * Pages are walked from header to header (a page of nested data need not start at a row without
 * an offset index). Memory: levels, codes and values of one page a leaf, NESTED_BYTES_MAX for all
 * leaves of the column, the dictionaries included. */
#include <stdlib.h>

#include "format/parquet/nested_int.h"
#include "format/parquet/rle_int.h"

static void unpin(struct pq_stream *s)
{
    pq_unpin(s->dictionary);
    s->dictionary = NULL;
}

void pq_stream_close(struct pq_stream *s)
{
    unpin(s);
    free(s->levels);
    free(s->codes.data);
    column_release(&s->values);
    *s = (struct pq_stream){0};
}

enum status pq_stream_open(struct parquet_reader *reader, struct pq_nested *nested, uint32_t group,
                           uint32_t leaf, struct pq_stream *s, struct error *err)
{
    enum codec codec;
    nested->bytes -= s->bytes;
    pq_stream_close(s);
    s->leaf = &reader->leaves[leaf];
    s->at = (struct pq_place){group, leaf};
    const struct pq_chunk *chunk = pq_chunk_at(reader, s->at);
    TRY(pq_codec_of(chunk->codec, &codec, err));
    s->offset = chunk->start;
    s->left = chunk->values;
    column_init(&s->values, s->leaf->field.type);
    return STATUS_OK;
}

/* `count` levels of at most `max` from an RLE stream. */
static enum status read_levels(struct slice bytes, uint8_t max, uint32_t count, uint8_t *out,
                               struct error *err)
{
    enum { BLOCK = 1024 };
    uint32_t block[BLOCK];
    struct rle_reader r;
    rle_reader_init(&r, bytes.data, bytes.len, pq_bit_width(max));
    while (count) {
        uint32_t n = count < BLOCK ? count : BLOCK;
        if (max && !rle_read(&r, block, n))
            return pq_corrupt(err, "a page's levels end too early");
        for (uint32_t i = 0; i < n; i++) {
            uint32_t level = max ? block[i] : 0;
            if (level > max)
                return pq_corrupt(err, "a page has levels beyond its schema");
            out[i] = (uint8_t)level;
        }
        out += n;
        count -= n;
    }
    return STATUS_OK;
}

/* Takes a V1 run of levels (u32 length, bytes) from the front. */
static enum status take_levels(struct slice *plain, struct slice *ret, struct error *err)
{
    uint32_t len = 0;
    const uint8_t *p = plain->data;
    if (plain->len >= sizeof len)
        memcpy(&len, p, sizeof len);
    if (plain->len < sizeof len || len > plain->len - sizeof len)
        return pq_corrupt(err, "a page is too short for its levels");
    *ret = (struct slice){p + sizeof len, len};
    *plain = (struct slice){p + sizeof len + len, plain->len - sizeof len - len};
    return STATUS_OK;
}

/* Splits the page into its two runs of levels and the values. */
static enum status split(const struct pq_leaf *leaf, const struct pq_opened *page,
                         struct slice *ret_rep, struct slice *ret_def, struct slice *ret_values,
                         struct error *err)
{
    const struct pq_header *h = &page->header;
    *ret_rep = *ret_def = (struct slice){page->plain.data, 0};
    *ret_values = page->plain;
    if (h->type == PQ_DATA_PAGE_V2) {
        const uint8_t *p = page->plain.data; /* pq_page_open has checked the lengths */
        *ret_rep = (struct slice){p, h->repetition_len};
        *ret_def = (struct slice){p + h->repetition_len, h->definition_len};
        size_t levels = (size_t)h->repetition_len + h->definition_len;
        *ret_values = (struct slice){p + levels, page->plain.len - levels};
        return STATUS_OK;
    }
    if ((leaf->max_def && h->level_encoding != PQ_RLE) ||
        (leaf->max_rep && h->repetition_encoding != PQ_RLE))
        return error_set(err, STATUS_NOT_IMPLEMENTED, "Parquet levels in encoding %d and %d",
                         h->level_encoding, h->repetition_encoding);
    if (leaf->max_rep)
        TRY(take_levels(ret_values, ret_rep, err));
    if (leaf->max_def)
        TRY(take_levels(ret_values, ret_def, err));
    return STATUS_OK;
}

/* Counts what the page will hold against the limit. */
static enum status charge(struct pq_nested *nested, struct pq_stream *s, size_t bytes,
                          struct error *err)
{
    nested->bytes -= s->bytes;
    s->bytes = 0;
    if (bytes > NESTED_BYTES_MAX || nested->bytes > NESTED_BYTES_MAX - bytes)
        return error_set(err, STATUS_RESOURCE_LIMIT,
                         "Parquet column %.*s: its pages need over %d bytes at once",
                         STR_ARG(s->leaf->field.name), NESTED_BYTES_MAX);
    s->bytes = bytes;
    nested->bytes += bytes;
    return STATUS_OK;
}

static enum status load_values(struct parquet_reader *reader, struct pq_stream *s,
                               struct pq_loaded *page, struct error *err)
{
    s->by_codes = page->encoding == PQ_RLE_DICTIONARY;
    column_truncate(&s->values, 0);
    s->value = 0;
    s->values_len = page->present;
    if (!s->by_codes) {
        TRY(pq_expand(reader, s->leaf, page, err));
        return pq_decode_plain(s->leaf, page, false, &s->values, err);
    }
    if (!pq_scratch_reserve(&s->codes, ((size_t)page->present + 1) * sizeof(uint32_t)))
        return error_no_memory(err);
    return pq_decode_codes(page, s->dictionary->column.rows, (uint32_t *)(void *)s->codes.data,
                           err);
}

/* A data page that pq_page_open has opened. */
static enum status load_page(struct parquet_reader *reader, struct pq_nested *nested,
                             struct pq_stream *s, const struct pq_opened *opened, struct error *err)
{
    struct slice rep, def, values;
    uint32_t count = opened->header.values;
    TRY(split(s->leaf, opened, &rep, &def, &values, err));
    size_t dictionary = s->dictionary ? s->dictionary->bytes : 0;
    TRY(charge(nested, s, (size_t)count * 2 + dictionary, err));
    uint8_t *levels = realloc(s->levels, (size_t)count * 2 + 1);
    if (!levels)
        return error_no_memory(err);
    s->levels = levels;
    s->len = count;
    s->next = 0;
    TRY(read_levels(rep, s->leaf->max_rep, count, levels, err));
    TRY(read_levels(def, s->leaf->max_def, count, levels + count, err));
    uint32_t present = 0;
    for (uint32_t i = 0; i < count; i++)
        present += levels[count + i] == s->leaf->max_def;
    struct pq_loaded page = {.rows = present,
                             .present = present,
                             .values = values.data,
                             .values_len = values.len,
                             .encoding = opened->encoding};
    TRY(charge(nested, s, (size_t)count * 2 + (size_t)present * 4 + dictionary, err));
    TRY(load_values(reader, s, &page, err));
    return charge(nested, s,
                  (size_t)count * 2 + s->codes.cap + column_memory(&s->values) + dictionary, err);
}

static enum status next_page(struct parquet_reader *reader, struct pq_nested *nested,
                             struct pq_stream *s, struct error *err)
{
    struct pq_chunk *chunk = pq_chunk_at(reader, s->at);
    struct pq_header h;
    struct pq_opened opened;
    TRY(pq_header_read(reader, s->offset, chunk->end, &h, err));
    uint64_t offset = s->offset;
    s->offset += (uint64_t)h.header_len + h.compressed;
    if (h.type == PQ_INDEX_PAGE)
        return STATUS_OK;
    if (h.type == PQ_DICTIONARY_PAGE) {
        if (s->left != chunk->values)
            return pq_corrupt(err, "a dictionary page at %llu follows data pages",
                              (unsigned long long)offset);
        chunk->dictionary_offset = offset;
        return STATUS_OK;
    }
    if (h.values > s->left)
        return pq_corrupt(err, "the pages of a chunk hold too many values");
    if (h.values > PAGE_ROWS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a Parquet page of %u values is over %d",
                         h.values, PAGE_ROWS_MAX);
    if (chunk->dictionary_offset && !s->dictionary)
        TRY(pq_cached_dictionary(reader, s->at, &s->dictionary, err));
    TRY(pq_page_open(reader, s->at, offset, chunk->end, &opened, err));
    TRY(load_page(reader, nested, s, &opened, err));
    s->left -= h.values;
    return STATUS_OK;
}

enum status pq_stream_peek(struct parquet_reader *reader, struct pq_nested *nested,
                           struct pq_stream *s, bool *ret_end, struct error *err)
{
    while (s->next == s->len && s->left) {
        s->next = s->len = 0;
        TRY(next_page(reader, nested, s, err));
    }
    *ret_end = s->next == s->len;
    return STATUS_OK;
}
