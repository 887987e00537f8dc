/* column_read.c: ranges and single rows of a column.
 *
 * A whole page goes from the file straight into the target. Of a page that is only partly wanted a
 * decoded copy stays in the cache, as the next call probably wants the rest of it. */
#include "format/parquet/reader_int.h"

enum { DIRECT_ROWS_MAX = 4 };

/* Where the values go: `into` itself, or `narrow` first when `into` is of a wider type. */
struct target {
    struct column *into;
    struct column narrow;
    struct column *column;
    uint32_t rows_before;
};

static enum status target_open(struct target *t, const struct parquet_reader *reader,
                               uint32_t column, struct column *into, struct error *err)
{
    enum type type = reader->fields[column].type;
    *t = (struct target){.into = into, .column = into, .rows_before = into->rows};
    column_init(&t->narrow, type);
    if (into->type == type)
        return STATUS_OK;
    t->column = &t->narrow;
    if (type_can_widen(type, into->type))
        return STATUS_OK;
    return error_set(err, STATUS_SCHEMA, "Parquet column %.*s: %s does not become %s",
                     STR_ARG(reader->fields[column].name), type_name(type), type_name(into->type));
}

static enum status target_finish(struct target *t, struct error *err)
{
    if (t->column == t->into) {
        return t->into->type == TYPE_DOUBLE ? pq_check_doubles(t->into, t->rows_before, err)
                                            : STATUS_OK;
    }
    TRY(column_widen(&t->narrow, t->into->type, err));
    enum status status = column_append_range(t->into, &t->narrow, 0, t->narrow.rows);
    if (status == STATUS_NO_MEMORY)
        return error_no_memory(err);
    if (status != STATUS_OK)
        return error_set(err, status, "the values do not fit into one column of a batch");
    return STATUS_OK;
}

/* Ends the work; after a failure `into` is as before. */
static enum status target_close(struct target *t, enum status status, struct error *err)
{
    if (status == STATUS_OK)
        status = target_finish(t, err);
    if (status != STATUS_OK)
        column_truncate(t->into, t->rows_before);
    column_release(&t->narrow);
    return status;
}

static enum status append_failed(enum status status, struct error *err)
{
    if (status == STATUS_NO_MEMORY)
        return error_no_memory(err);
    return error_set(err, status, "the values do not fit into one column of a batch");
}

/* The chunk's dictionary, pinned, or NULL when it has none. */
static enum status pin_dictionary(struct parquet_reader *reader, struct pq_place at,
                                  const struct pq_cached **ret, struct error *err)
{
    *ret = NULL;
    if (!pq_chunk_at(reader, at)->dictionary_offset)
        return STATUS_OK;
    return pq_cached_dictionary(reader, at, ret, err);
}

static enum status append_whole_page(struct parquet_reader *reader, struct pq_place at,
                                     uint32_t page, const struct pq_cached *dictionary,
                                     struct column *into, struct error *err)
{
    struct pq_loaded loaded;
    TRY(pq_page_load(reader, at, page, &loaded, err));
    if (loaded.encoding != PQ_RLE_DICTIONARY)
        return pq_decode_plain(&reader->leaves[at.column], &loaded, reader->own, into, err);
    if (!pq_scratch_reserve(&reader->codes, (size_t)loaded.rows * sizeof(uint32_t)))
        return error_no_memory(err);
    uint32_t *codes = (uint32_t *)reader->codes.data;
    TRY(pq_decode_codes(&loaded, dictionary->column.rows, codes, err));
    return pq_append_codes(&dictionary->column, codes, loaded.rows, loaded.validity != NULL, into,
                           err);
}

static enum status append_part(struct parquet_reader *reader, struct pq_place at, uint32_t page,
                               const struct pq_cached *dictionary, uint32_t first, uint32_t count,
                               struct column *into, struct error *err)
{
    struct pq_cached *item;
    TRY(pq_cached_page(reader, at, page, &item, err));
    enum status status;
    if (item->codes) {
        status = pq_append_codes(&dictionary->column, item->codes + first, count, item->has_nulls,
                                 into, err);
    } else {
        status = column_append_range(into, &item->column, first, count);
        if (status != STATUS_OK)
            status = append_failed(status, err);
    }
    pq_unpin(item);
    return status;
}

static enum status read_pages(struct parquet_reader *reader, struct pq_place at, uint64_t first,
                              uint64_t count, const struct pq_cached *dictionary,
                              struct column *into, struct error *err)
{
    struct pq_chunk *chunk = pq_chunk_at(reader, at);
    uint32_t page = pq_page_of_row(chunk, first);
    for (; count; page++) {
        const struct pq_page_entry *entry = &chunk->pages[page];
        uint32_t skip = (uint32_t)(first - entry->first_row);
        uint64_t left = entry->rows - skip;
        uint32_t n = (uint32_t)(count < left ? count : left);
        if (n == entry->rows && !entry->cached)
            TRY(append_whole_page(reader, at, page, dictionary, into, err));
        else if (n)
            TRY(append_part(reader, at, page, dictionary, skip, n, into, err));
        first += n;
        count -= n;
    }
    return STATUS_OK;
}

/* Room for the rows, as far as a false row count cannot do harm. */
static enum status reserve_some(struct column *into, uint64_t count, struct error *err)
{
    enum { RESERVE_MAX = 1 << 20 };
    return pq_into_reserve(into, count < RESERVE_MAX ? (uint32_t)count : RESERVE_MAX, err);
}

static enum status read_flat(struct parquet_reader *reader, struct pq_place at, uint64_t first,
                             uint64_t count, struct column *into, struct error *err)
{
    const struct pq_cached *dictionary = NULL;
    TRY(pq_pages_find(reader, at, err));
    TRY(pin_dictionary(reader, at, &dictionary, err));
    enum status status = reserve_some(into, count, err);
    if (status == STATUS_OK)
        status = read_pages(reader, at, first, count, dictionary, into, err);
    pq_unpin(dictionary);
    return status;
}

enum status parquet_read_column(struct parquet_reader *reader, uint32_t group, uint32_t column,
                                uint64_t first, uint64_t count, struct column *into,
                                struct error *err)
{
    struct pq_place at;
    struct target target;
    TRY(pq_check_place(reader, group, column, &at, err));
    uint64_t rows = reader->groups[group].rows;
    if (first > rows || count > rows - first)
        return error_set(err, STATUS_INVALID_ARGUMENT, "rows beyond the row group's %llu",
                         (unsigned long long)rows);
    if (count > UINT32_MAX / 2 - into->rows)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more rows than a column can hold");
    TRY(target_open(&target, reader, column, into, err));
    if (count == 0)
        return STATUS_OK;
    enum status status = reader->columns[column].flat
                             ? read_flat(reader, at, first, count, target.column, err)
                             : pq_nested_read(reader, group, column, first, count, into, err);
    return target_close(&target, status, err);
}

/* --- single rows --- */

static uint32_t group_of_row(const struct parquet_reader *reader, uint64_t row)
{
    uint32_t low = 0, high = reader->groups_len;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (reader->groups[middle].first_row <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static enum status append_row(const struct pq_cached *item, const struct pq_cached *dictionary,
                              uint32_t row, struct column *into)
{
    if (!item->codes)
        return column_append_from(into, &item->column, row);
    if (item->codes[row] == PARQUET_CODE_NULL)
        return column_append_null(into);
    return column_append_from(into, &dictionary->column, item->codes[row]);
}

/* How many rows at the front of `rows` lie in a page that begins at `start` (of the file). */
static uint32_t rows_in_page(const uint64_t *rows, uint32_t rows_len, uint64_t start,
                             uint32_t count)
{
    uint32_t n = 0;
    while (n < rows_len && rows[n] >= start && rows[n] - start < count)
        n++;
    return n;
}

/* A few rows of a page that is touched for the first time: they are taken out of it and nothing is
 * kept. *ret_done false: the page has another form. */
static enum status read_rows_directly(struct parquet_reader *reader, struct pq_place at,
                                      uint32_t page, uint64_t start, const uint64_t *rows,
                                      uint32_t n, struct column *into, bool *ret_done,
                                      struct error *err)
{
    struct pq_loaded loaded;
    pq_chunk_at(reader, at)->pages[page].touched = true;
    TRY(pq_page_load(reader, at, page, &loaded, err));
    *ret_done = true;
    for (uint32_t i = 0; i < n && *ret_done; i++)
        TRY(pq_decode_row(&reader->leaves[at.column], &loaded, (uint32_t)(rows[i] - start),
                          reader->own, into, ret_done, err));
    return STATUS_OK;
}

/* Rows at the front of `rows` that lie in the same page as the first one; *ret_done counts them. */
static enum status read_rows_of_page(struct parquet_reader *reader, struct pq_place at,
                                     const uint64_t *rows, uint32_t rows_len, struct column *into,
                                     uint32_t *ret_done, struct error *err)
{
    const struct pq_group *group = &reader->groups[at.group];
    struct pq_chunk *chunk = pq_chunk_at(reader, at);
    const struct pq_cached *dictionary;
    struct pq_cached *item;
    TRY(pq_pages_find(reader, at, err));
    uint32_t page = pq_page_of_row(chunk, rows[0] - group->first_row);
    const struct pq_page_entry *entry = &chunk->pages[page];
    uint64_t start = group->first_row + entry->first_row;
    uint32_t n = rows_in_page(rows, rows_len, start, entry->rows);
    *ret_done = n;
    if (!chunk->dictionary_offset && !entry->cached && !entry->touched && n <= DIRECT_ROWS_MAX) {
        bool done = false;
        TRY(read_rows_directly(reader, at, page, start, rows, n, into, &done, err));
        if (done)
            return STATUS_OK;
    }
    TRY(pin_dictionary(reader, at, &dictionary, err));
    enum status status = pq_cached_page(reader, at, page, &item, err);
    if (status != STATUS_OK) {
        pq_unpin(dictionary);
        return status;
    }
    for (uint32_t i = 0; i < n && status == STATUS_OK; i++)
        status = append_row(item, dictionary, (uint32_t)(rows[i] - start), into);
    pq_unpin(item);
    pq_unpin(dictionary);
    return status == STATUS_OK ? STATUS_OK : append_failed(status, err);
}

static enum status read_all_rows(struct parquet_reader *reader, uint32_t column,
                                 const uint64_t *rows, uint32_t rows_len, struct column *into,
                                 struct error *err)
{
    for (uint32_t i = 0; i < rows_len;) {
        uint32_t done = 0;
        if (rows[i] >= reader->rows || (i && rows[i] < rows[i - 1]))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "row %llu is beyond the file or not ascending",
                             (unsigned long long)rows[i]);
        uint32_t group = group_of_row(reader, rows[i]);
        struct pq_place at = {group, reader->columns[column].leaf};
        if (!reader->columns[column].flat) {
            TRY(pq_nested_read(reader, group, column, rows[i] - reader->groups[group].first_row, 1,
                               into, err));
            done = 1;
        } else {
            TRY(read_rows_of_page(reader, at, rows + i, rows_len - i, into, &done, err));
        }
        i += done;
    }
    return STATUS_OK;
}

enum status parquet_read_rows(struct parquet_reader *reader, uint32_t column, const uint64_t *rows,
                              uint32_t rows_len, struct column *into, struct error *err)
{
    struct target target;
    TRY(parquet_reader_column_check(reader, column, err));
    TRY(target_open(&target, reader, column, into, err));
    enum status status = read_all_rows(reader, column, rows, rows_len, target.column, err);
    return target_close(&target, status, err);
}
