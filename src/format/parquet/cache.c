/* cache.c: decoded pages and dictionaries of a reader, the least recently used leave first.
 *
 * Invariant: cache_bytes is the sum over the list; at most PARQUET_CACHE_BYTES_MAX after each
 * insertion, apart from pinned items. */
#include <assert.h>
#include <stdlib.h>

#include "format/parquet/reader_int.h"

static void unlink_item(struct parquet_reader *reader, struct pq_cached *item)
{
    *(item->newer ? &item->newer->older : &reader->newest) = item->older;
    *(item->older ? &item->older->newer : &reader->oldest) = item->newer;
    item->newer = item->older = NULL;
}

static void link_newest(struct parquet_reader *reader, struct pq_cached *item)
{
    item->older = reader->newest;
    *(reader->newest ? &reader->newest->newer : &reader->oldest) = item;
    reader->newest = item;
}

static void item_free(struct pq_cached *item)
{
    if (!item)
        return;
    free(item->codes);
    column_release(&item->column);
    free(item);
}

/* Lets go of the oldest items that nobody holds until at most `keep` bytes are left. */
static void evict(struct parquet_reader *reader, size_t keep)
{
    struct pq_cached *item = reader->oldest;
    while (item && reader->cache_bytes > keep) {
        struct pq_cached *newer = item->newer;
        if (item->pins == 0) {
            unlink_item(reader, item);
            reader->cache_bytes -= item->bytes;
            *item->slot = NULL;
            item_free(item);
        }
        item = newer;
    }
}

void parquet_reader_trim(struct parquet_reader *reader)
{
    evict(reader, 0);
}

void parquet_reader_rest(struct parquet_reader *reader, size_t keep)
{
    if (reader->cache_bytes <= keep)
        return;
    for (uint32_t group = 0; group < reader->groups_len; group++)
        parquet_group_done(reader, group);
    evict(reader, keep);
}

size_t parquet_reader_memory(const struct parquet_reader *reader)
{
    return sizeof *reader + reader->arena.total + reader->index_bytes + reader->cache_bytes +
           reader->plain.cap + reader->validity.cap + reader->codes.cap + reader->expanded.cap +
           reader->deltas.cap;
}

void pq_cache_release(struct parquet_reader *reader)
{
    struct pq_cached *item = reader->newest;
    while (item) {
        struct pq_cached *older = item->older;
        item_free(item);
        item = older;
    }
    reader->newest = reader->oldest = NULL;
}

static void touch(struct parquet_reader *reader, struct pq_cached *item)
{
    if (reader->newest != item) {
        unlink_item(reader, item);
        link_newest(reader, item);
    }
    item->pins++;
}

/* Puts a finished item in, pinned. */
static void insert(struct parquet_reader *reader, struct pq_cached *item, struct pq_cached **slot)
{
    item->bytes = sizeof *item + column_memory(&item->column) + item->rows * sizeof *item->codes;
    item->slot = slot;
    item->pins = 1;
    *slot = item;
    link_newest(reader, item);
    reader->cache_bytes += item->bytes;
    evict(reader, PARQUET_CACHE_BYTES_MAX);
}

void pq_unpin(const struct pq_cached *item)
{
    if (!item)
        return;
    assert(item->pins > 0);
    ((struct pq_cached *)item)->pins--;
}

static struct pq_cached *item_new(enum type type)
{
    struct pq_cached *item = calloc(1, sizeof *item);
    if (item)
        column_init(&item->column, type);
    return item;
}

static enum status load_dictionary(struct parquet_reader *reader, struct pq_place at,
                                   struct pq_cached *item, struct error *err)
{
    struct pq_loaded page;
    char *slack;
    TRY(pq_dictionary_load(reader, at, &page, err));
    TRY(pq_decode_plain(&reader->leaves[at.column], &page, reader->own, &item->column, err));
    if (type_is_bytes(item->column.type)) /* fetch_bytes reads 16 bytes at a time */
        TRY(pq_into_room(&item->column, READ_SLACK, &slack, err));
    return STATUS_OK;
}

enum status pq_cached_dictionary(struct parquet_reader *reader, struct pq_place at,
                                 const struct pq_cached **ret, struct error *err)
{
    struct pq_chunk *chunk = pq_chunk_at(reader, at);
    if (!chunk->dictionary) {
        struct pq_cached *item = item_new(reader->leaves[at.column].field.type);
        if (!item)
            return error_no_memory(err);
        enum status status = load_dictionary(reader, at, item, err);
        if (status != STATUS_OK) {
            item_free(item);
            return status;
        }
        insert(reader, item, &chunk->dictionary);
    } else {
        touch(reader, chunk->dictionary);
    }
    *ret = chunk->dictionary;
    return STATUS_OK;
}

static enum status load_page(struct parquet_reader *reader, struct pq_place at, uint32_t page,
                             uint32_t dictionary_len, struct pq_cached *item, struct error *err)
{
    struct pq_loaded loaded;
    TRY(pq_page_load(reader, at, page, &loaded, err));
    if (loaded.encoding != PQ_RLE_DICTIONARY)
        return pq_decode_plain(&reader->leaves[at.column], &loaded, reader->own, &item->column,
                               err);
    item->codes = malloc((loaded.rows ? loaded.rows : 1) * sizeof *item->codes);
    if (!item->codes)
        return error_no_memory(err);
    item->rows = loaded.rows;
    item->has_nulls = loaded.validity != NULL;
    return pq_decode_codes(&loaded, dictionary_len, item->codes, err);
}

/* The dictionary comes first: loading it uses the same scratch as the page. */
static enum status make_page(struct parquet_reader *reader, struct pq_place at, uint32_t page,
                             struct pq_cached *item, struct error *err)
{
    uint32_t dictionary_len = 0;
    if (pq_chunk_at(reader, at)->dictionary_offset) {
        const struct pq_cached *dictionary;
        TRY(pq_cached_dictionary(reader, at, &dictionary, err));
        dictionary_len = dictionary->column.rows;
        pq_unpin(dictionary);
    }
    return load_page(reader, at, page, dictionary_len, item, err);
}

enum status pq_cached_page(struct parquet_reader *reader, struct pq_place at, uint32_t page,
                           struct pq_cached **ret, struct error *err)
{
    struct pq_page_entry *entry = &pq_chunk_at(reader, at)->pages[page];
    if (!entry->cached) {
        struct pq_cached *item = item_new(reader->leaves[at.column].field.type);
        if (!item)
            return error_no_memory(err);
        enum status status = make_page(reader, at, page, item, err);
        if (status != STATUS_OK) {
            item_free(item);
            return status;
        }
        insert(reader, item, &entry->cached);
    } else {
        touch(reader, entry->cached);
    }
    *ret = entry->cached;
    return STATUS_OK;
}
