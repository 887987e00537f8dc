/* upsert.c: rows in place of those with the same key (whose they are: upsert_group.c).
 *
 *   1. a mutation begins; the batch is fitted to the schema, so that its keys have types that no
 *      older row's are wider than
 *   2. of rows of the batch with the same key all but the last are dropped
 *   3. each unit of the view that may have such keys (bounds) is searched: by the hash index of the
 *      first key column when there is one and the keys are few against the unit's rows, else whole
 *   4. the rows found are deleted and the batch appended, as one mutation */
#include <stdlib.h>

#include "storage/key_set.h"
#include "storage/store_int.h"

enum {
    UPSERT_LOOKUP_SHARE =
        32, /* an index is asked for at most 1/32 as many keys as there are rows */
    UPSERT_BLOCK_ROWS = 65536,
};

struct upsert {
    struct mutation *mutation;
    struct view *view;
    const struct str *names; /* the key columns */
    uint32_t names_len;
    struct key_set keys;
    uint32_t *hits;                /* rows found, by the first row with their key */
    struct column *block;          /* key columns of rows of a unit, in the batch's types */
    const struct column **columns; /* the same, or a chunk's own */
};

/* --- 3: rows whose key columns are in `columns`; row i of these is row first + i, or rows[i] ---
 */

/* Row `row` of the unit is replaced by what has the key of row `first` of the batch. */
static enum status replace_row(struct upsert *u, uint32_t unit, uint64_t row, uint32_t first,
                               struct error *err)
{
    const struct view *view = u->view;
    bool in_segment = unit < view->segments_len;
    struct deletion **gone = in_segment ? view->deletions : view->chunk_deletions;
    TRY(mutation_delete(u->mutation, unit, row, err)); /* loads what is deleted already */
    if (!gone || !deletion_has(gone[in_segment ? unit : unit - view->segments_len], row))
        u->hits[first]++;
    return STATUS_OK;
}

static enum status mark(struct upsert *u, uint32_t unit, uint32_t count, uint64_t first,
                        const uint64_t *rows, struct error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t row = rows ? rows[i] : first + i;
        uint32_t key;
        if (key_set_find(&u->keys, u->columns, i, &key))
            TRY(replace_row(u, unit, row, key, err));
    }
    return STATUS_OK;
}

/* Empties the block, whose columns then are those to be marked by. */
static void clear_block(struct upsert *u)
{
    for (uint32_t k = 0; k < u->names_len; k++) {
        column_truncate(&u->block[k], 0);
        u->columns[k] = &u->block[k];
    }
}

/* --- segments --- */

/* May a row have a key of the batch? */
static bool may_have(const struct upsert *u, const struct segment *segment)
{
    const struct schema *schema = u->view->schema;
    for (uint32_t k = 0; k < u->names_len; k++) {
        int32_t field = schema_find(schema, u->names[k]);
        struct value min = {0}, max = {0};
        uint64_t nulls = 0;
        if (field < 0)
            return false;
        if (segment_column(segment, schema->fields[field].id) < 0) {
            if (!schema->traits[field].initial)
                return false;
            continue;
        }
        bool known = segment_bounds(segment, schema->fields[field].id, &min, &max, &nulls);
        if (known &&
            (nulls == segment_meta(segment)->rows || value_compare(&u->keys.max[k], &min) < 0 ||
             value_compare(&u->keys.min[k], &max) > 0))
            return false;
    }
    return true;
}

/* Rows of one key column into the block; a file that lacks it has the initial default. `rows` NULL:
 * rows [first, first + count) of a row group. */
static enum status read_keys(struct upsert *u, struct segment *segment,
                             struct parquet_reader *reader, uint32_t k, uint32_t group,
                             uint64_t first, const uint64_t *rows, uint32_t count,
                             struct error *err)
{
    int32_t field = schema_find(u->view->schema, u->names[k]);
    int32_t column = segment_column(segment, u->view->schema->fields[field].id);
    if (column >= 0 && rows)
        return parquet_read_rows(reader, (uint32_t)column, rows, count, &u->block[k], err);
    if (column >= 0)
        return parquet_read_column(reader, group, (uint32_t)column, first, count, &u->block[k],
                                   err);
    for (uint32_t i = 0; i < count; i++) {
        if (column_append_value(&u->block[k], u->view->schema->traits[field].initial) != STATUS_OK)
            return error_no_memory(err);
    }
    return STATUS_OK;
}

static enum status scan_segment(struct upsert *u, uint32_t unit, struct segment *segment,
                                struct parquet_reader *reader, struct error *err)
{
    uint64_t base = 0;
    for (uint32_t g = 0; g < parquet_reader_row_groups(reader); g++) {
        uint64_t rows = parquet_row_group_rows(reader, g);
        for (uint64_t at = 0; at < rows; at += UPSERT_BLOCK_ROWS) {
            uint64_t part = rows - at < UPSERT_BLOCK_ROWS ? rows - at : UPSERT_BLOCK_ROWS;
            clear_block(u);
            for (uint32_t k = 0; k < u->names_len; k++)
                TRY(read_keys(u, segment, reader, k, g, at, NULL, (uint32_t)part, err));
            TRY(mark(u, unit, (uint32_t)part, base + at, NULL, err));
        }
        parquet_group_done(reader, g);
        base += rows;
    }
    return STATUS_OK;
}

struct found {
    uint64_t *rows;
    uint32_t len, cap;
};

static enum status found_add(struct found *found, uint64_t row, struct error *err)
{
    if (found->len == found->cap) {
        uint32_t cap = found->cap ? found->cap * 2 : 64;
        uint64_t *grown = realloc(found->rows, cap * sizeof *grown);
        if (!grown)
            return error_no_memory(err);
        found->rows = grown;
        found->cap = cap;
    }
    found->rows[found->len++] = row;
    return STATUS_OK;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void sort_unique(struct found *found)
{
    uint32_t kept = 0;
    if (found->len)
        qsort(found->rows, found->len, sizeof *found->rows, by_number);
    for (uint32_t i = 0; i < found->len; i++) {
        if (i == 0 || found->rows[i] != found->rows[kept - 1])
            found->rows[kept++] = found->rows[i];
    }
    found->len = kept;
}

/* Rows that the index of the first key column gives for all keys; `*ret_used` false: there is none.
 */
static enum status look_up(struct upsert *u, struct segment *segment, struct found *found,
                           bool *ret_used, struct error *err)
{
    int32_t field = schema_find(u->view->schema, u->names[0]);
    *ret_used = true;
    for (uint32_t row = 0; row < u->keys.rows && *ret_used; row++) {
        struct value value = value_of_column(u->keys.columns[0], row);
        uint64_t *rows = NULL;
        uint32_t len = 0;
        if (u->keys.replaced[row])
            continue;
        TRY(segment_lookup(segment, u->view->schema->fields[field].id, &value, UINT64_MAX, ret_used,
                           &rows, &len, err));
        enum status status = STATUS_OK;
        for (uint32_t i = 0; i < len && status == STATUS_OK; i++)
            status = found_add(found, rows[i], err);
        free(rows);
        TRY(status);
    }
    return STATUS_OK;
}

/* Hash collisions are possible: the keys themselves are read. */
static enum status mark_found(struct upsert *u, uint32_t unit, struct segment *segment,
                              struct parquet_reader *reader, struct found *found, struct error *err)
{
    sort_unique(found);
    for (uint32_t at = 0; at < found->len; at += UPSERT_BLOCK_ROWS) {
        uint32_t left = found->len - at;
        uint32_t part = left < UPSERT_BLOCK_ROWS ? left : UPSERT_BLOCK_ROWS;
        clear_block(u);
        for (uint32_t k = 0; k < u->names_len; k++)
            TRY(read_keys(u, segment, reader, k, 0, 0, found->rows + at, part, err));
        TRY(mark(u, unit, part, 0, found->rows + at, err));
    }
    return STATUS_OK;
}

static enum status search_segment(struct upsert *u, uint32_t unit, struct segment *segment,
                                  struct error *err)
{
    struct found found = {0};
    struct parquet_reader *reader = NULL;
    bool used = false;
    enum status status = STATUS_OK;
    if (u->keys.keys <= segment_meta(segment)->rows / UPSERT_LOOKUP_SHARE + 1)
        status = look_up(u, segment, &found, &used, err);
    if (status == STATUS_OK && !(used && found.len == 0))
        status = segment_reader(segment, &reader, err);
    if (status == STATUS_OK && reader)
        status = used ? mark_found(u, unit, segment, reader, &found, err)
                      : scan_segment(u, unit, segment, reader, err);
    if (reader)
        segment_reader_release(segment, reader);
    free(found.rows);
    return status == STATUS_OK
               ? status
               : error_wrap(err, "%s: keys cannot be looked up", segment_info(segment).path);
}

/* --- chunks --- */

/* Rows [first, first + count) of the chunk's key columns, or, with `rows`, those. */
static enum status take_keys(struct upsert *u, const struct batch *chunk, uint32_t first,
                             uint32_t count, const uint32_t *rows, struct error *err)
{
    clear_block(u);
    for (uint32_t k = 0; k < u->names_len; k++) {
        const struct column *from = &chunk->columns[batch_find(chunk, u->names[k])].column;
        enum type type = u->block[k].type;
        column_release(&u->block[k]);
        column_init(&u->block[k], from->type);
        enum status status = STATUS_OK;
        if (!rows)
            status = column_append_range(&u->block[k], from, first, count);
        for (uint32_t i = 0; rows && i < count && status == STATUS_OK; i++)
            status = column_append_from(&u->block[k], from, rows[i]);
        if (status != STATUS_OK)
            return error_no_memory(err);
        if (from->type != type)
            TRY(column_widen(&u->block[k], type, err));
    }
    return STATUS_OK;
}

static bool has_keys(const struct upsert *u, const struct batch *chunk)
{
    for (uint32_t k = 0; k < u->names_len; k++) {
        if (batch_find(chunk, u->names[k]) < 0)
            return false;
    }
    return true;
}

/* By the chunk's lazy index; `*ret_used` false: it has none. */
static enum status look_up_chunk(struct upsert *u, uint32_t unit, struct chunk *chunk,
                                 bool *ret_used, struct error *err)
{
    *ret_used = true;
    for (uint32_t row = 0; row < u->keys.rows && *ret_used; row++) {
        struct value value = value_of_column(u->keys.columns[0], row);
        uint32_t *rows = NULL, len = 0;
        if (u->keys.replaced[row])
            continue;
        TRY(chunk_lookup(chunk, &u->names[0], &value, 1, ret_used, &rows, &len, err));
        enum status status = len ? take_keys(u, chunk->batch, 0, len, rows, err) : STATUS_OK;
        for (uint32_t i = 0; i < len && status == STATUS_OK; i++) {
            uint32_t key;
            if (key_set_find(&u->keys, u->columns, i, &key))
                status = replace_row(u, unit, rows[i], key, err);
        }
        free(rows);
        TRY(status);
    }
    return STATUS_OK;
}

static enum status search_chunk(struct upsert *u, uint32_t unit, struct chunk *chunk,
                                struct error *err)
{
    const struct batch *batch = chunk->batch;
    bool used = false;
    if (!has_keys(u, batch))
        return STATUS_OK;
    if (u->keys.keys <= batch->rows / UPSERT_LOOKUP_SHARE)
        TRY(look_up_chunk(u, unit, chunk, &used, err));
    for (uint32_t at = 0; at < batch->rows && !used; at += UPSERT_BLOCK_ROWS) {
        uint32_t part = batch->rows - at < UPSERT_BLOCK_ROWS ? batch->rows - at : UPSERT_BLOCK_ROWS;
        TRY(take_keys(u, batch, at, part, NULL, err));
        TRY(mark(u, unit, part, at, NULL, err));
    }
    return STATUS_OK;
}

static enum status search_all(struct upsert *u, struct error *err)
{
    const struct view *view = u->view;
    for (uint32_t i = 0; i < view->segments_len; i++) {
        if (may_have(u, view->segments[i]))
            TRY(search_segment(u, i, view->segments[i], err));
    }
    for (uint32_t i = 0; i < view->chunks_len; i++)
        TRY(search_chunk(u, view->segments_len + i, view->impl->chunks->chunks[i], err));
    return STATUS_OK;
}

/* --- 2 --- */

/* The batch without the rows that later ones replace; referenced. */
static enum status last_rows(const struct key_set *keys, struct batch *batch, struct batch **ret,
                             struct error *err)
{
    if (keys->keys == batch->rows) {
        *ret = batch_ref(batch);
        return STATUS_OK;
    }
    struct batch *kept = batch_new();
    if (!kept)
        return error_no_memory(err);
    kept->epoch = batch->epoch;
    enum status status = STATUS_OK;
    for (uint32_t at = 0, end; at < batch->rows && status == STATUS_OK; at = end) {
        for (end = at; end < batch->rows && !keys->replaced[end];)
            end++;
        if (end > at)
            status = batch_append(kept, batch, at, end - at, err);
        while (end < batch->rows && keys->replaced[end])
            end++;
    }
    if (status == STATUS_OK)
        *ret = kept;
    else
        batch_unref(kept);
    return status;
}

/* --- */

static enum status make_block(struct upsert *u, struct error *err)
{
    u->block = calloc(u->names_len, sizeof *u->block);
    u->columns = calloc(u->names_len, sizeof *u->columns);
    u->hits = calloc(u->keys.rows + 1u, sizeof *u->hits);
    if (!u->block || !u->columns || !u->hits)
        return error_no_memory(err);
    for (uint32_t k = 0; k < u->names_len; k++)
        column_init(&u->block[k], u->keys.columns[k]->type);
    return STATUS_OK;
}

static void release(struct upsert *u)
{
    for (uint32_t k = 0; u->block && k < u->names_len; k++)
        column_release(&u->block[k]);
    free(u->block);
    free(u->columns);
    free(u->hits);
    key_set_release(&u->keys);
}

/* Rows [first, end) of the batch are one writer's: how many of them it has stored and replaced, as
 * if it had come alone after those before it. `seen` (a number for each row, 0 at first) and `mark`
 * tell whose key was counted last. */
static void count_part(const struct upsert *u, uint32_t first, uint32_t end, uint32_t *seen,
                       uint32_t mark, struct write_result *result)
{
    for (uint32_t row = first; row < end; row++) {
        uint32_t key = u->keys.firsts[row];
        if (seen[key] == mark)
            continue;
        seen[key] = mark;
        result->rows++;
        result->deleted += key < first ? 1 : u->hits[key];
    }
}

static enum status count_parts(const struct upsert *u, const struct upsert_part *parts,
                               uint32_t len, struct error *err)
{
    uint32_t *seen = calloc(u->keys.rows + 1u, sizeof *seen);
    if (!seen)
        return error_no_memory(err);
    for (uint32_t i = 0, first = 0; i < len; first = parts[i++].end) {
        *parts[i].result = (struct write_result){0};
        count_part(u, first, parts[i].end, seen, i + 1, parts[i].result);
    }
    free(seen);
    return STATUS_OK;
}

enum status upsert_replace(struct mutation *mutation, struct source *source, struct batch *batch,
                           const struct upsert_part *parts, uint32_t parts_len,
                           struct write_result *result, struct error *err)
{
    const struct source_config *config = source_config(source);
    struct schema *schema = NULL;
    struct batch *rows = NULL;
    struct upsert u = {.mutation = mutation,
                       .view = mutation_view(mutation),
                       .names = config->key_columns,
                       .names_len = config->key_columns_len};
    TRY(source_fit_batch(source, batch, &schema, err));
    schema_unref(schema);
    TRY(key_set_init(&u.keys, batch, u.names, u.names_len, err));
    enum status status = make_block(&u, err);
    if (status == STATUS_OK)
        status = search_all(&u, err);
    if (status == STATUS_OK)
        status = count_parts(&u, parts, parts_len, err);
    if (status == STATUS_OK)
        status = last_rows(&u.keys, batch, &rows, err);
    release(&u); /* borrows from the batch, which may widen once more now */
    if (status == STATUS_OK)
        status = mutation_commit(mutation, rows, result, err);
    batch_unref(rows);
    return status;
}
