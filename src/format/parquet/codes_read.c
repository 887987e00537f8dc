/* codes_read.c: dictionaries and codes handed out as they are. */
#include <math.h>

#include "format/parquet/reader_int.h"

static bool is_clean(const struct column *dictionary)
{
    if (dictionary->type != TYPE_DOUBLE)
        return true;
    for (uint32_t i = 0; i < dictionary->rows; i++)
        if (!isfinite(column_double(dictionary, i)))
            return false; /* would read as null or fail: not for callers that work on codes */
    return true;
}

enum status parquet_chunk_dictionary(struct parquet_reader *reader, uint32_t group, uint32_t column,
                                     const struct column **ret_dictionary, struct error *err)
{
    struct pq_place at;
    const struct pq_cached *item;
    *ret_dictionary = NULL;
    TRY(pq_check_place(reader, group, column, &at, err));
    if (!reader->columns[column].flat)
        return STATUS_OK;
    struct pq_chunk *chunk = pq_chunk_at(reader, at);
    if (!chunk->all_dictionary)
        return STATUS_OK;
    TRY(pq_pages_find(reader, at, err));
    if (!chunk->dictionary_offset)
        return STATUS_OK;
    TRY(pq_cached_dictionary(reader, at, &item, err));
    if (chunk->dictionary_pinned || !is_clean(&item->column))
        pq_unpin(item);
    else
        chunk->dictionary_pinned = true; /* keeps the pin */
    if (chunk->dictionary_pinned)
        *ret_dictionary = &item->column;
    return STATUS_OK;
}

void parquet_group_done(struct parquet_reader *reader, uint32_t group)
{
    for (uint32_t c = 0; group < reader->groups_len && c < reader->leaves_len; c++) {
        struct pq_chunk *chunk = &reader->groups[group].chunks[c];
        if (chunk->dictionary_pinned)
            pq_unpin(chunk->dictionary);
        chunk->dictionary_pinned = false;
    }
}

/* Codes of rows [skip, skip + count) of one page. */
static enum status codes_of_page(struct parquet_reader *reader, struct pq_place at, uint32_t page,
                                 uint32_t dictionary_len, uint32_t skip, uint32_t count,
                                 uint32_t *codes, struct error *err)
{
    const struct pq_page_entry *entry = &pq_chunk_at(reader, at)->pages[page];
    if (count == entry->rows && !entry->cached) {
        struct pq_loaded loaded;
        TRY(pq_page_load(reader, at, page, &loaded, err));
        if (loaded.encoding == PQ_RLE_DICTIONARY)
            return pq_decode_codes(&loaded, dictionary_len, codes, err);
        return pq_corrupt(err, "a page of a dictionary encoded chunk has no codes");
    }
    struct pq_cached *item;
    TRY(pq_cached_page(reader, at, page, &item, err));
    bool good = item->codes != NULL;
    if (good)
        memcpy(codes, item->codes + skip, count * sizeof *codes);
    pq_unpin(item);
    return good ? STATUS_OK : pq_corrupt(err, "a page of a dictionary encoded chunk has no codes");
}

enum status parquet_read_codes(struct parquet_reader *reader, uint32_t group, uint32_t column,
                               uint64_t first, uint64_t count, uint32_t *codes, struct error *err)
{
    struct pq_place at;
    const struct column *dictionary;
    TRY(pq_check_place(reader, group, column, &at, err));
    TRY(parquet_chunk_dictionary(reader, group, column, &dictionary, err));
    struct pq_chunk *chunk = pq_chunk_at(reader, at);
    if (!dictionary || first > chunk->values || count > chunk->values - first)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "no dictionary, or rows beyond the row group");
    uint32_t page = count ? pq_page_of_row(chunk, first) : 0;
    for (; count; page++) {
        const struct pq_page_entry *entry = &chunk->pages[page];
        uint32_t skip = (uint32_t)(first - entry->first_row);
        uint64_t left = entry->rows - skip;
        uint32_t n = (uint32_t)(count < left ? count : left);
        if (n)
            TRY(codes_of_page(reader, at, page, dictionary->rows, skip, n, codes, err));
        first += n;
        count -= n;
        codes += n;
    }
    return STATUS_OK;
}
