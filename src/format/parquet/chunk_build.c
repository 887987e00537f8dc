/* chunk_build.c: collects one column of a row group; see writer_int.h. */
#include <stdlib.h>

#include "format/parquet/writer_int.h"

enum { CHUNK_FIRST_ROWS = 8192 };

void chunk_builder_init(struct chunk_builder *chunk, enum type type)
{
    *chunk = (struct chunk_builder){.type = type, .use_dict = type != TYPE_BOOL};
    dict_init(&chunk->dict, type_is_bytes(type));
    buf_init(&chunk->plain, WRITE_BUFFER_MAX);
    arena_init(&chunk->arena, 0);
}

void chunk_builder_release(struct chunk_builder *chunk)
{
    free(chunk->validity);
    free(chunk->codes);
    free(chunk->keys);
    free(chunk->seen);
    free(chunk->pages);
    dict_release(&chunk->dict);
    buf_release(&chunk->plain);
    arena_release(&chunk->arena);
}

void chunk_builder_clear(struct chunk_builder *chunk)
{
    if (chunk->validity)
        memset(chunk->validity, 0xFF, (chunk->rows_cap + 7) / 8);
    if (chunk->seen)
        memset(chunk->seen, 0, chunk->seen_cap * sizeof *chunk->seen);
    if (chunk->dict_rest > 0)
        chunk->dict_rest--;
    chunk->use_dict = chunk->type != TYPE_BOOL && chunk->dict_rest == 0;
    chunk->rows = chunk->nulls = chunk->dense = chunk->pages_len = 0;
    dict_clear(&chunk->dict);
    buf_clear(&chunk->plain);
    arena_release(&chunk->arena);
}

size_t chunk_builder_bytes(const struct chunk_builder *chunk)
{
    return chunk->plain.len + (size_t)chunk->dense * (chunk->use_dict ? 4 : 8);
}

static enum status grow_rows(struct chunk_builder *chunk, uint32_t rows)
{
    if (rows <= chunk->rows_cap)
        return STATUS_OK;
    uint32_t cap = chunk->rows_cap ? chunk->rows_cap : CHUNK_FIRST_ROWS;
    while (cap < rows)
        cap *= 2;
    uint8_t *validity = realloc(chunk->validity, cap / 8);
    if (!validity)
        return STATUS_NO_MEMORY;
    memset(validity + chunk->rows_cap / 8, 0xFF, (cap - chunk->rows_cap) / 8);
    chunk->validity = validity;
    chunk->rows_cap = cap;
    return STATUS_OK;
}

/* Room for values in codes (with a dictionary) or keys (PLAIN, fixed types). */
static enum status grow_dense(struct chunk_builder *chunk, uint32_t dense)
{
    bool have =
        chunk->use_dict ? chunk->codes != NULL : chunk->keys != NULL || type_is_bytes(chunk->type);
    if (dense <= chunk->dense_cap && have)
        return STATUS_OK;
    uint32_t cap = chunk->dense_cap ? chunk->dense_cap : CHUNK_FIRST_ROWS;
    while (cap < dense)
        cap *= 2;
    if (chunk->use_dict || chunk->codes) {
        uint32_t *codes = realloc(chunk->codes, cap * sizeof *codes);
        if (!codes)
            return STATUS_NO_MEMORY;
        chunk->codes = codes;
    }
    if (!type_is_bytes(chunk->type) && (!chunk->use_dict || chunk->keys)) {
        uint64_t *keys = realloc(chunk->keys, cap * sizeof *keys);
        if (!keys)
            return STATUS_NO_MEMORY;
        chunk->keys = keys;
    }
    chunk->dense_cap = cap;
    return STATUS_OK;
}

static enum status start_page(struct chunk_builder *chunk)
{
    if (chunk->pages_len == chunk->pages_cap) {
        uint32_t cap = chunk->pages_cap ? chunk->pages_cap * 2 : 16;
        struct pq_page *pages = realloc(chunk->pages, cap * sizeof *pages);
        if (!pages)
            return STATUS_NO_MEMORY;
        chunk->pages = pages;
        chunk->pages_cap = cap;
    }
    chunk->pages[chunk->pages_len++] =
        (struct pq_page){.dense_end = chunk->dense, .bytes_end = chunk->plain.len};
    return STATUS_OK;
}

static enum status store_strs(struct chunk_builder *chunk, const struct str *strs, uint32_t count)
{
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += 4 + strs[i].len;
    if (!buf_reserve(&chunk->plain, total))
        return buf_check(&chunk->plain, "a column chunk", NULL);
    char *p = chunk->plain.data + chunk->plain.len;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t len = (uint32_t)strs[i].len;
        memcpy(p, &len, 4);
        if (len)
            memcpy(p + 4, strs[i].data, len);
        p += 4 + len;
    }
    chunk->plain.len += total;
    return STATUS_OK;
}

enum status chunk_give_up_dict(struct chunk_builder *chunk)
{
    chunk->use_dict = false;
    chunk->dict_rest = DICT_REST_GROUPS + 1;
    TRY(grow_dense(chunk, chunk->dense));
    if (!type_is_bytes(chunk->type)) {
        for (uint32_t i = 0; i < chunk->dense; i++)
            chunk->keys[i] = chunk->dict.keys[chunk->codes[i]];
        return STATUS_OK;
    }
    uint32_t i = 0;
    for (uint32_t page = 0; page < chunk->pages_len; page++) {
        for (; i < chunk->pages[page].dense_end; i++) {
            struct str s = dict_str(&chunk->dict, chunk->codes[i]);
            TRY(store_strs(chunk, &s, 1));
        }
        chunk->pages[page].bytes_end = chunk->plain.len;
    }
    return STATUS_OK;
}

static bool dict_helps(const struct chunk_builder *chunk)
{
    uint64_t dense = chunk->dense, distinct = chunk->dict.len;
    if (dense >= DICT_LOOK_SECOND)
        return distinct * 100 <= dense * DICT_LOOK_SECOND_PERCENT;
    return dense < DICT_LOOK_FIRST || distinct * 100 <= dense * DICT_LOOK_FIRST_PERCENT;
}

static enum status store_plain(struct chunk_builder *chunk, const struct pq_segment *segment)
{
    if (type_is_bytes(chunk->type))
        return store_strs(chunk, segment->strs, segment->count);
    TRY(grow_dense(chunk, chunk->dense + segment->count));
    memcpy(chunk->keys + chunk->dense, segment->keys, segment->count * sizeof *segment->keys);
    return STATUS_OK;
}

/* Codes for the segment; gives the dictionary up when it is full or useless. */
static enum status store_dict(struct chunk_builder *chunk, struct pq_segment *segment)
{
    TRY(grow_dense(chunk, chunk->dense + segment->count));
    uint32_t done = 0;
    uint32_t *codes = chunk->codes + chunk->dense;
    if (type_is_bytes(chunk->type))
        TRY(dict_encode_strs(&chunk->dict, segment->strs, segment->count, codes, &done));
    else
        TRY(dict_encode_keys(&chunk->dict, segment->keys, segment->count, codes, &done));
    if (done == segment->count && dict_helps(chunk))
        return STATUS_OK;
    TRY(chunk_give_up_dict(chunk));
    return store_plain(chunk, segment);
}

/* Strings with a dictionary: each distinct value of the page is compared once. */
static enum status add_bounds_seen(struct chunk_builder *chunk, struct pq_page *page,
                                   uint32_t count)
{
    if (chunk->seen_cap < chunk->dict.cap) {
        uint32_t *seen = realloc(chunk->seen, chunk->dict.cap * sizeof *seen);
        if (!seen)
            return STATUS_NO_MEMORY;
        memset(seen + chunk->seen_cap, 0, (chunk->dict.cap - chunk->seen_cap) * sizeof *seen);
        chunk->seen = seen;
        chunk->seen_cap = chunk->dict.cap;
    }
    const uint32_t *codes = chunk->codes + chunk->dense;
    uint32_t *seen = chunk->seen;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t code = codes[i];
        if (seen[code] == chunk->pages_len)
            continue;
        seen[code] = chunk->pages_len;
        bounds_add_str(&page->bounds, chunk->type, dict_str(&chunk->dict, code));
    }
    return STATUS_OK;
}

/* The bounds of the page so far point into the arena; those of this segment are borrowed until
 * bounds_own, which copies at most two short strings. */
static enum status add_bounds(struct chunk_builder *chunk, struct pq_page *page,
                              const struct pq_segment *segment)
{
    if (chunk->type == TYPE_JSON || page->bounds.too_long || segment->count == 0)
        return STATUS_OK;
    if (!type_is_bytes(chunk->type)) {
        bounds_add_keys(&page->bounds, chunk->type, segment->keys, segment->count);
        return STATUS_OK;
    }
    struct value min = page->bounds.min, max = page->bounds.max;
    if (chunk->use_dict) {
        TRY(add_bounds_seen(chunk, page, segment->count));
    } else {
        for (uint32_t i = 0; i < segment->count; i++)
            bounds_add_str(&page->bounds, chunk->type, segment->strs[i]);
    }
    if (page->bounds.min.bytes.data == min.bytes.data &&
        page->bounds.max.bytes.data == max.bytes.data)
        return STATUS_OK;
    return bounds_own(&page->bounds, &chunk->arena);
}

static enum status append_segment(struct chunk_builder *chunk, struct pq_selection rows,
                                  struct pq_segment *segment)
{
    struct pq_page *page = &chunk->pages[chunk->pages_len - 1];
    TRY(chunk->use_dict ? store_dict(chunk, segment) : store_plain(chunk, segment));
    TRY(add_bounds(chunk, page, segment));
    chunk->dense += segment->count;
    chunk->rows += rows.count;
    chunk->nulls += rows.count - segment->count;
    page->rows += rows.count;
    page->nulls += rows.count - segment->count;
    page->dense_end = chunk->dense;
    page->bytes_end = chunk->plain.len;
    return STATUS_OK;
}

enum status chunk_append(struct chunk_builder *chunk, const struct column *column,
                         struct pq_selection rows, bool new_page, struct pq_segment *segment,
                         struct error *err)
{
    enum status status = grow_rows(chunk, chunk->rows + rows.count);
    if (status == STATUS_OK && new_page)
        status = start_page(chunk);
    if (status != STATUS_OK)
        return error_no_memory(err);
    TRY(chunk_gather(chunk, column, rows, segment, err));
    status = append_segment(chunk, rows, segment);
    if (status == STATUS_OK)
        return STATUS_OK;
    return error_set(err, status, "a Parquet column chunk cannot grow");
}
