/* pages.c: where the pages of a chunk are and which rows they hold.
 *
 * With an offset index nothing but the index is touched; else the headers of all pages are walked
 * once. The column index, when there and sound, gives bounds for each page; a bad one is an error
 * only in Quarry's own files, whose checksum already excludes that, so it is left out. */
#include <stdlib.h>

#include "format/parquet/reader_int.h"
#include "format/parquet/thrift_int.h"

static void read_data_header(struct thrift_reader *r, struct pq_header *h)
{
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        if (f.id == 1)
            h->values = (uint32_t)thrift_read_i32(r, &f);
        else if (f.id == 2)
            h->encoding = thrift_read_i32(r, &f);
        else if (f.id == 3)
            h->level_encoding = thrift_read_i32(r, &f);
        else if (f.id == 4)
            h->repetition_encoding = thrift_read_i32(r, &f);
        else
            thrift_skip(r, &f);
    }
}

static void read_dictionary_header(struct thrift_reader *r, struct pq_header *h)
{
    struct thrift_field f = {0};
    while (thrift_next_field(r, &f)) {
        if (f.id == 1)
            h->values = (uint32_t)thrift_read_i32(r, &f);
        else if (f.id == 2)
            h->encoding = thrift_read_i32(r, &f);
        else
            thrift_skip(r, &f);
    }
}

static void read_data_header_v2(struct thrift_reader *r, struct pq_header *h)
{
    struct thrift_field f = {0};
    h->is_compressed = true;
    while (thrift_next_field(r, &f)) {
        if (f.id == 1)
            h->values = (uint32_t)thrift_read_i32(r, &f);
        else if (f.id == 2)
            h->nulls = (uint32_t)thrift_read_i32(r, &f);
        else if (f.id == 3)
            h->rows = (uint32_t)thrift_read_i32(r, &f);
        else if (f.id == 4)
            h->encoding = thrift_read_i32(r, &f);
        else if (f.id == 5)
            h->definition_len = (uint32_t)thrift_read_i32(r, &f);
        else if (f.id == 6)
            h->repetition_len = (uint32_t)thrift_read_i32(r, &f);
        else if (f.id == 7)
            h->is_compressed = thrift_read_bool(r, &f);
        else
            thrift_skip(r, &f);
    }
}

static void read_header(struct thrift_reader *r, struct pq_header *h)
{
    struct thrift_field f = {0};
    int32_t kind = 0; /* id of the header struct that was there */
    int32_t type = -1;
    *h = (struct pq_header){.encoding = -1, .values = UINT32_MAX};
    while (thrift_next_field(r, &f)) {
        if (f.id == 1) {
            type = thrift_read_i32(r, &f);
        } else if (f.id == 2) {
            h->uncompressed = (uint32_t)thrift_read_i32(r, &f);
        } else if (f.id == 3) {
            h->compressed = (uint32_t)thrift_read_i32(r, &f);
        } else if (f.id == 4) {
            h->crc = (uint32_t)thrift_read_i32(r, &f);
            h->has_crc = true;
        } else if (f.type == THRIFT_STRUCT && (f.id == 5 || f.id == 7 || f.id == 8)) {
            kind = f.id;
            if (f.id == 5)
                read_data_header(r, h);
            else if (f.id == 7)
                read_dictionary_header(r, h);
            else
                read_data_header_v2(r, h);
        } else {
            thrift_skip(r, &f);
        }
    }
    h->type = (enum pq_page_type)type;
    bool fits = (type == PQ_DATA_PAGE && kind == 5) || (type == PQ_DICTIONARY_PAGE && kind == 7) ||
                (type == PQ_DATA_PAGE_V2 && kind == 8) || type == PQ_INDEX_PAGE;
    if (!fits)
        r->failed = true;
}

enum status pq_header_read(const struct parquet_reader *reader, uint64_t offset, uint64_t end,
                           struct pq_header *ret, struct error *err)
{
    if (offset >= end || end > reader->data_end)
        return pq_corrupt(err, "a page at %llu lies outside of its chunk",
                          (unsigned long long)offset);
    struct thrift_reader r;
    uint64_t room = end - offset < PAGE_HEADER_MAX ? end - offset : PAGE_HEADER_MAX;
    const uint8_t *start = reader->file + offset;
    thrift_reader_init(&r, (struct slice){start, (size_t)room});
    read_header(&r, ret);
    if (r.failed)
        return pq_corrupt(err, "the page header at %llu does not parse",
                          (unsigned long long)offset);
    ret->header_len = (uint32_t)(r.p - start);
    if (ret->compressed > INT32_MAX || ret->compressed > end - offset - ret->header_len)
        return pq_corrupt(err, "the page at %llu is longer than its chunk",
                          (unsigned long long)offset);
    if (ret->uncompressed > PAGE_UNCOMPRESSED_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "the Parquet page at %llu is over %d bytes",
                         (unsigned long long)offset, PAGE_UNCOMPRESSED_MAX);
    return STATUS_OK;
}

static enum status check_page_rows(uint64_t rows, struct error *err)
{
    if (rows > PAGE_ROWS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a Parquet page of %llu rows is over %d",
                         (unsigned long long)rows, PAGE_ROWS_MAX);
    return STATUS_OK;
}

static enum status add_page(struct pq_chunk *chunk, uint32_t *cap, struct pq_page_entry entry,
                            struct error *err)
{
    TRY(check_page_rows(entry.rows, err));
    if (chunk->pages_len == *cap) {
        *cap = *cap ? *cap * 2 : 16;
        struct pq_page_entry *pages = realloc(chunk->pages, *cap * sizeof *pages);
        if (!pages)
            return error_no_memory(err);
        chunk->pages = pages;
    }
    chunk->pages[chunk->pages_len++] = entry;
    return STATUS_OK;
}

/* Without an index: from header to header. A page takes at least one byte, so this ends. */
static enum status walk_headers(struct parquet_reader *reader, struct pq_chunk *chunk,
                                struct error *err)
{
    uint64_t offset = chunk->start, row = 0;
    uint32_t cap = 0;
    while (row < chunk->values) {
        struct pq_header h;
        TRY(pq_header_read(reader, offset, chunk->end, &h, err));
        uint32_t size = h.header_len + h.compressed;
        if (h.type == PQ_DICTIONARY_PAGE) {
            if (chunk->pages_len)
                return pq_corrupt(err, "a dictionary page at %llu follows data pages",
                                  (unsigned long long)offset);
            chunk->dictionary_offset = offset;
        } else if (h.type != PQ_INDEX_PAGE) {
            if (h.values > chunk->values - row)
                return pq_corrupt(err, "the pages of a chunk hold too many rows");
            struct pq_page_entry entry = {
                .offset = offset, .first_row = row, .size = size, .rows = h.values};
            TRY(add_page(chunk, &cap, entry, err));
            row += h.values;
        }
        offset += size;
    }
    return STATUS_OK;
}

static void read_location(struct thrift_reader *r, struct pq_page_entry *entry)
{
    struct thrift_field f = {0};
    *entry = (struct pq_page_entry){0};
    while (thrift_next_field(r, &f)) {
        if (f.id == 1)
            entry->offset = (uint64_t)thrift_read_int(r, &f);
        else if (f.id == 2)
            entry->size = (uint32_t)thrift_read_i32(r, &f);
        else if (f.id == 3)
            entry->first_row = (uint64_t)thrift_read_int(r, &f);
        else
            thrift_skip(r, &f);
    }
}

static enum status read_locations(struct pq_chunk *chunk, struct thrift_reader *r,
                                  const struct thrift_field *list, struct error *err)
{
    uint32_t count = thrift_read_list(r, list, THRIFT_STRUCT);
    if (r->failed || chunk->pages)
        return pq_corrupt(err, "an offset index does not parse");
    chunk->pages = calloc(count ? count : 1, sizeof *chunk->pages);
    if (!chunk->pages)
        return error_no_memory(err);
    for (uint32_t i = 0; i < count; i++)
        read_location(r, &chunk->pages[i]);
    chunk->pages_len = count;
    return STATUS_OK;
}

/* Pages lie in the chunk, one after the other, and their rows fill the group without a gap. */
static enum status check_locations(struct pq_chunk *chunk, struct error *err)
{
    uint64_t offset = chunk->start, row = 0;
    for (uint32_t i = 0; i < chunk->pages_len; i++) {
        struct pq_page_entry *page = &chunk->pages[i];
        uint64_t next = i + 1 < chunk->pages_len ? page[1].first_row : chunk->values;
        if (page->first_row != row || next < row || next > chunk->values || page->offset < offset ||
            page->offset > chunk->end || page->size == 0 || page->size > chunk->end - page->offset)
            return pq_corrupt(err, "an offset index contradicts its chunk");
        TRY(check_page_rows(next - row, err));
        page->rows = (uint32_t)(next - row);
        offset = page->offset + page->size;
        row = next;
    }
    return row == chunk->values ? STATUS_OK : pq_corrupt(err, "an offset index misses rows");
}

static enum status read_offset_index(struct parquet_reader *reader, struct pq_chunk *chunk,
                                     struct error *err)
{
    struct thrift_reader r;
    struct thrift_field f = {0};
    thrift_reader_init(&r,
                       (struct slice){reader->file + chunk->offset_index, chunk->offset_index_len});
    while (thrift_next_field(&r, &f)) {
        if (f.id == 1)
            TRY(read_locations(chunk, &r, &f, err));
        else
            thrift_skip(&r, &f);
    }
    if (r.failed)
        return pq_corrupt(err, "an offset index does not parse");
    TRY(check_locations(chunk, err));
    if (chunk->pages_len && chunk->pages[0].offset > chunk->start)
        chunk->dictionary_offset = chunk->start;
    return STATUS_OK;
}

static bool read_bound_list(struct thrift_reader *r, const struct thrift_field *f,
                            struct pq_chunk *chunk, bool max)
{
    if (thrift_read_list(r, f, THRIFT_BINARY) != chunk->pages_len)
        return false;
    for (uint32_t i = 0; i < chunk->pages_len; i++)
        *(max ? &chunk->bounds[i].max : &chunk->bounds[i].min) = thrift_element_binary(r);
    return true;
}

static bool read_null_lists(struct thrift_reader *r, const struct thrift_field *f,
                            struct pq_chunk *chunk)
{
    bool counts = f->id == 5;
    if (thrift_read_list(r, f, counts ? THRIFT_I64 : THRIFT_TRUE) != chunk->pages_len)
        return false;
    for (uint32_t i = 0; i < chunk->pages_len; i++) {
        if (counts)
            chunk->bounds[i].nulls = thrift_element_int(r);
        else
            chunk->bounds[i].null_page = thrift_element_bool(r);
    }
    return true;
}

static bool parse_column_index(struct parquet_reader *reader, struct pq_chunk *chunk)
{
    struct thrift_reader r;
    struct thrift_field f = {0};
    bool good = true;
    thrift_reader_init(&r,
                       (struct slice){reader->file + chunk->column_index, chunk->column_index_len});
    while (good && thrift_next_field(&r, &f)) {
        if (f.id == 2 || f.id == 3)
            good = read_bound_list(&r, &f, chunk, f.id == 3);
        else if (f.id == 1 || f.id == 5)
            good = read_null_lists(&r, &f, chunk);
        else
            thrift_skip(&r, &f);
    }
    return good && !r.failed;
}

static enum status read_column_index(struct parquet_reader *reader, struct pq_chunk *chunk,
                                     struct error *err)
{
    chunk->bounds = calloc(chunk->pages_len ? chunk->pages_len : 1, sizeof *chunk->bounds);
    if (!chunk->bounds)
        return error_no_memory(err);
    reader->index_bytes += chunk->pages_len * sizeof *chunk->bounds;
    for (uint32_t i = 0; i < chunk->pages_len; i++)
        chunk->bounds[i].nulls = -1;
    if (!parse_column_index(reader, chunk)) {
        free(chunk->bounds);
        chunk->bounds = NULL;
        return STATUS_OK;
    }
    for (uint32_t i = 0; i < chunk->pages_len; i++)
        if (chunk->bounds[i].null_page)
            chunk->bounds[i].min = chunk->bounds[i].max = STR_NONE;
    return STATUS_OK;
}

enum status pq_pages_find(struct parquet_reader *reader, struct pq_place at, struct error *err)
{
    struct pq_chunk *chunk = pq_chunk_at(reader, at);
    enum codec codec;
    if (chunk->pages_known)
        return STATUS_OK;
    TRY(pq_codec_of(chunk->codec, &codec, err));
    enum status status = STATUS_OK;
    if (chunk->values && chunk->offset_index_len)
        status = read_offset_index(reader, chunk, err);
    else if (chunk->values)
        status = walk_headers(reader, chunk, err);
    if (status != STATUS_OK) {
        free(chunk->pages);
        chunk->pages = NULL;
        chunk->pages_len = 0;
        return status;
    }
    chunk->pages_known = true;
    reader->index_bytes += chunk->pages_len * sizeof *chunk->pages;
    return STATUS_OK;
}

/* Only for those who ask: reading rows does without. */
static enum status find_bounds(struct parquet_reader *reader, struct pq_chunk *chunk,
                               struct error *err)
{
    if (chunk->bounds_known || !chunk->column_index_len || !chunk->offset_index_len)
        return STATUS_OK;
    TRY(read_column_index(reader, chunk, err));
    chunk->bounds_known = true;
    return STATUS_OK;
}

enum status parquet_pages(struct parquet_reader *reader, uint32_t group, uint32_t column,
                          uint32_t *ret_pages, struct error *err)
{
    struct pq_place at;
    TRY(pq_check_place(reader, group, column, &at, err));
    *ret_pages = 0;
    if (!reader->columns[column].flat)
        return STATUS_OK;
    TRY(pq_pages_find(reader, at, err));
    TRY(find_bounds(reader, pq_chunk_at(reader, at), err));
    *ret_pages = pq_chunk_at(reader, at)->pages_len;
    return STATUS_OK;
}

uint32_t pq_page_of_row(const struct pq_chunk *chunk, uint64_t row)
{
    uint32_t low = 0, high = chunk->pages_len;
    while (high - low > 1) { /* the last page that starts at or before the row */
        uint32_t middle = low + (high - low) / 2;
        if (chunk->pages[middle].first_row <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}
