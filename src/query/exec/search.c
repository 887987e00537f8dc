/* search.c: filter, project, limit, in batches.
 *
 * State: the scan's present slice and how many of its selected rows are used up (`taken`). A batch
 * is filled from as many slices as it needs. `left` counts the rows that may still go out (-1:
 * all). When it is 0 the slice stays where it is, so has_more and continue lose nothing. */
#include <stdlib.h>

#include "query/exec/exec.h"
#include "query/exec/ordered.h"
#include "query/exec/scan_int.h"

struct search_column {
    struct str name;
    int32_t field; /* -1: the schema lacks it */
};

struct search {
    struct scan scan;
    struct arena arena;
    struct search_column *columns;
    uint32_t columns_len;
    int64_t left;
    uint64_t skip; /* matching rows still to be skipped */
    bool in_slice;
    uint32_t taken;
    bool at_end;
    struct ordered *ordered; /* NULL: in the order of storage */
    bool ran;
    uint32_t at; /* the next of its rows */
};

static enum status take_columns(struct search *search, const struct search_options *options,
                                struct error *err)
{
    const struct schema *schema = search->scan.view->schema;
    uint32_t n = options->columns ? options->columns_len : schema->fields_len;
    search->columns = arena_array(&search->arena, n, sizeof *search->columns);
    if (!search->columns)
        return error_no_memory(err);
    for (uint32_t i = 0; i < n; i++) {
        struct search_column *column = &search->columns[search->columns_len];
        column->field = (int32_t)i;
        column->name = schema->fields_len > i ? schema->fields[i].name : STR_NONE;
        if (options->columns) {
            column->field = schema_find(schema, options->columns[i]);
            column->name = arena_str(&search->arena, options->columns[i]);
            if (!column->name.data)
                return error_no_memory(err);
        }
        bool twice = false;
        for (uint32_t k = 0; options->columns && k < search->columns_len; k++)
            twice |= str_eq(search->columns[k].name, column->name);
        search->columns_len += !twice;
    }
    return STATUS_OK;
}

static enum status take_order(struct search *search, const struct search_options *options,
                              struct error *err)
{
    uint64_t most = (uint64_t)options->limit + options->offset;
    if (options->limit < 0 || options->offset > SEARCH_ORDERED_MAX || most > SEARCH_ORDERED_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "order_by needs a limit; limit and offset together at most %d",
                         SEARCH_ORDERED_MAX);
    return ordered_new(&search->scan, options->order, options->order_len, (uint32_t)most,
                       &search->ordered, err);
}

enum status search_open(struct view *view, const struct search_options *options,
                        const struct exec_context *context, struct search **ret_search,
                        struct error *err)
{
    if (options->columns && options->columns_len > SCHEMA_FIELDS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "more than %d columns are selected",
                         SCHEMA_FIELDS_MAX);
    struct search *search = calloc(1, sizeof *search);
    if (!search)
        return error_no_memory(err);
    enum status status = scan_init(&search->scan, view, options->filter, context, err);
    if (status != STATUS_OK) {
        scan_release(&search->scan);
        free(search);
        return status;
    }
    arena_init(&search->arena, 0);
    search->left = options->limit < 0 ? -1 : options->limit;
    search->skip = options->offset;
    status = take_columns(search, options, err);
    if (status == STATUS_OK && options->order_len)
        status = take_order(search, options, err);
    if (status != STATUS_OK) {
        search_close(search);
        return status;
    }
    *ret_search = search;
    return STATUS_OK;
}

void search_close(struct search *search)
{
    if (!search)
        return;
    scan_release(&search->scan);
    ordered_free(search->ordered);
    arena_release(&search->arena);
    free(search);
}

/* The same for an ordered search: the slice is one row. */
static enum status find_ordered(struct search *search, bool *ret, struct error *err)
{
    if (!search->ran) {
        TRY(ordered_run(search->ordered, err));
        search->ran = true;
        search->at = (uint32_t)search->skip;
    }
    *ret = search->at < ordered_rows(search->ordered);
    search->taken = 0;
    return *ret ? ordered_seek(search->ordered, search->at, err) : STATUS_OK;
}

/* Makes the present slice one with rows that are not used up. *ret false at the end. */
static enum status find_rows(struct search *search, bool *ret, struct error *err)
{
    if (search->ordered)
        return find_ordered(search, ret, err);
    while (!search->at_end) {
        if (search->in_slice) {
            uint64_t rest = search->scan.selected - search->taken;
            uint64_t skipped = rest < search->skip ? rest : search->skip;
            search->skip -= skipped;
            search->taken += (uint32_t)skipped;
            if (rest > skipped)
                break;
        }
        search->in_slice = false;
        TRY(scan_next(&search->scan, &search->in_slice, err));
        search->taken = 0;
        search->at_end = !search->in_slice;
    }
    *ret = !search->at_end;
    return STATUS_OK;
}

static enum status append_rows(struct search *search, uint32_t n, struct batch *batch,
                               struct error *err)
{
    bool again = search->taken + n < search->scan.selected && search->left != (int64_t)n;
    for (uint32_t i = 0; i < search->columns_len; i++) {
        struct column *into = &batch->columns[i].column;
        if (search->columns[i].field < 0) {
            if (column_append_nulls(into, n) != STATUS_OK)
                return error_no_memory(err);
            continue;
        }
        TRY(scan_append(&search->scan, (uint32_t)search->columns[i].field, search->taken, n, again,
                        into, err));
    }
    batch->rows += n;
    search->taken += n;
    search->at += n;
    if (search->left > 0)
        search->left -= n;
    return STATUS_OK;
}

static enum status new_batch(struct search *search, struct batch **ret_batch, struct error *err)
{
    const struct schema *schema = search->scan.view->schema;
    struct batch *batch = batch_new();
    if (!batch)
        return error_no_memory(err);
    for (uint32_t i = 0; i < search->columns_len; i++) {
        int32_t field = search->columns[i].field;
        uint32_t index;
        enum status status =
            batch_add_column(batch, search->columns[i].name,
                             field < 0 ? TYPE_STRING : schema->fields[field].type, &index);
        if (status != STATUS_OK) {
            batch_unref(batch);
            return error_set(err, status, "the result batch cannot be built");
        }
    }
    *ret_batch = batch;
    return STATUS_OK;
}

/* Bytes of texts in a batch: past it the batch goes out with fewer rows. */
enum { SEARCH_BATCH_BYTES = 16 << 20 };

static uint64_t text_bytes(const struct batch *batch)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < batch->columns_len; i++)
        bytes += batch->columns[i].column.bytes_len;
    return bytes;
}

/* Fills up to SEARCH_BATCH_ROWS. */
static enum status fill(struct search *search, struct batch *batch, struct error *err)
{
    while (search->left != 0 && batch->rows < SEARCH_BATCH_ROWS &&
           text_bytes(batch) < SEARCH_BATCH_BYTES) {
        bool found;
        TRY(find_rows(search, &found, err));
        if (!found)
            break;
        uint32_t n = search->scan.selected - search->taken;
        uint32_t room = SEARCH_BATCH_ROWS - batch->rows;
        n = n < room ? n : room;
        if (search->left > 0 && (int64_t)n > search->left)
            n = (uint32_t)search->left;
        TRY(append_rows(search, n, batch, err));
    }
    return STATUS_OK;
}

enum status search_next(struct search *search, struct batch **ret_batch, struct error *err)
{
    *ret_batch = NULL;
    bool found = false;
    if (search->left != 0)
        TRY(find_rows(search, &found, err));
    if (!found)
        return STATUS_OK;
    struct batch *batch = NULL;
    TRY(new_batch(search, &batch, err));
    enum status status = fill(search, batch, err);
    if (status != STATUS_OK) {
        batch_unref(batch);
        return status;
    }
    *ret_batch = batch;
    return STATUS_OK;
}

enum status search_has_more(struct search *search, bool *ret, struct error *err)
{
    TRY(find_rows(search, ret, err));
    if (search->ordered)
        *ret = ordered_has_more(search->ordered);
    return STATUS_OK;
}

void search_continue(struct search *search, int64_t limit, const struct exec_context *context)
{
    search->left = limit < 0 ? -1 : limit;
    enum exec_access access = search->scan.context.access; /* what was prepared at the start */
    search->scan.context = *context;
    search->scan.context.access = access;
}

const struct exec_stats *search_stats(const struct search *search)
{
    return &search->scan.stats;
}
