/* change.c: rows that a filter lets through are marked as deleted, and for an update made anew.
 *
 *   1. slice by slice: the selected rows are marked
 *   2. update: all columns but those that are set are read and put together
 *   3. update: the set columns are filled with their one value */
#include "query/exec/change.h"

#include "query/exec/scan_int.h"

struct update {
    struct scan scan;
    const struct change_set *set;
    struct batch *rows; /* columns as the schema's fields, in order */
    bool is_set[SCHEMA_FIELDS_MAX];
};

static enum status mark_slice(struct mutation *mutation, const struct scan *scan, struct error *err)
{
    for (uint32_t i = 0; i < scan->selected; i++)
        TRY(mutation_delete(mutation, scan->unit,
                            scan_row(scan, scan->all ? i : scan->selection[i]), err));
    return STATUS_OK;
}

static void add_stats(struct exec_stats *to, const struct exec_stats *from)
{
    to->rows_scanned += from->rows_scanned;
    to->rows_matched += from->rows_matched;
    to->index_used |= from->index_used;
}

enum status change_delete(struct mutation *mutation, const struct filter *filter,
                          const struct exec_context *context, struct exec_stats *stats,
                          struct error *err)
{
    struct scan scan;
    bool more = true;
    TRY(scan_init(&scan, mutation_view(mutation), filter, context, err));
    enum status status = STATUS_OK;
    while (status == STATUS_OK && more) {
        status = scan_next(&scan, &more, err);
        if (status == STATUS_OK && more)
            status = mark_slice(mutation, &scan, err);
    }
    add_stats(stats, &scan.stats);
    scan_release(&scan);
    return status;
}

/* --- updates --- */

static enum status too_many(struct error *err)
{
    return error_set(err, STATUS_RESOURCE_LIMIT,
                     "the update changes more than %d rows or %d MiB at once: narrow its filters "
                     "and send it in parts",
                     MUTATION_ROWS_MAX, MUTATION_BYTES_MAX >> 20);
}

static enum status check_columns(struct update *update, struct error *err)
{
    const struct schema *schema = update->scan.view->schema;
    if (update->set->values->epoch && update->set->values->epoch != schema->epoch)
        return error_set(err, STATUS_SCHEMA_CHANGED,
                         "the source's columns were changed while the update was on its way");
    for (uint32_t i = 0; i < update->set->columns_len; i++) {
        struct str name = update->set->columns[i];
        int32_t at = schema_find(schema, name);
        if (at >= 0) {
            update->is_set[at] = true;
            continue;
        }
        int cut = name.len < 100 ? (int)name.len : 100;
        error_set(err, STATUS_SCHEMA, "set: the source has no column \"%.*s\"", cut, name.data);
        error_at_field(err, name.data, (uint32_t)cut, NULL, 0);
        return STATUS_SCHEMA;
    }
    return STATUS_OK;
}

static enum status add_columns(struct update *update, struct error *err)
{
    const struct schema *schema = update->scan.view->schema;
    update->rows = batch_new();
    enum status status = update->rows ? STATUS_OK : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        update->rows->epoch = schema->epoch;
    for (uint32_t i = 0; i < schema->fields_len && status == STATUS_OK; i++) {
        uint32_t index;
        status =
            batch_add_column(update->rows, schema->fields[i].name, schema->fields[i].type, &index);
    }
    return status == STATUS_OK ? status : error_no_memory(err);
}

static enum status take_slice(struct update *update, struct error *err)
{
    struct batch *rows = update->rows;
    uint32_t n = update->scan.selected;
    if (rows->rows + n > MUTATION_ROWS_MAX)
        return too_many(err);
    for (uint32_t i = 0; i < rows->columns_len; i++) {
        if (!update->is_set[i])
            TRY(scan_append(&update->scan, i, 0, n, false, &rows->columns[i].column, err));
    }
    rows->rows += n;
    return batch_memory(rows) > MUTATION_BYTES_MAX ? too_many(err) : STATUS_OK;
}

/* `rows` times the value of the one row, NULL: null. The column takes its type, when that is not
 * one that widens to the column's. */
static enum status fill(struct column *column, const struct column *value, uint32_t rows,
                        struct error *err)
{
    if (!value || column_is_null(value, 0)) {
        TRY(column_append_nulls(column, rows) == STATUS_OK ? STATUS_OK : error_no_memory(err));
        return STATUS_OK;
    }
    column_release(column);
    column_init(column, value->type);
    for (uint32_t i = 0; i < rows; i++) {
        if (column_append_from(column, value, 0) != STATUS_OK)
            return too_many(err);
    }
    return STATUS_OK;
}

static enum status fill_set(struct update *update, struct error *err)
{
    const struct batch *values = update->set->values;
    for (uint32_t i = 0; i < update->rows->columns_len; i++) {
        struct batch_column *column = &update->rows->columns[i];
        int32_t at = update->is_set[i] ? batch_find(values, column->name) : -1;
        if (update->is_set[i])
            TRY(fill(&column->column, at >= 0 ? &values->columns[at].column : NULL,
                     update->rows->rows, err));
    }
    return batch_memory(update->rows) > MUTATION_BYTES_MAX ? too_many(err) : STATUS_OK;
}

static enum status update_all(struct update *update, struct mutation *mutation, struct error *err)
{
    bool more = true;
    TRY(check_columns(update, err));
    TRY(add_columns(update, err));
    while (more) {
        TRY(scan_next(&update->scan, &more, err));
        if (!more)
            break;
        TRY(take_slice(update, err));
        TRY(mark_slice(mutation, &update->scan, err));
    }
    return fill_set(update, err);
}

enum status change_update(struct mutation *mutation, const struct filter *filter,
                          const struct change_set *set, const struct exec_context *context,
                          struct exec_stats *stats, struct batch **ret_rows, struct error *err)
{
    struct update update = {.set = set};
    *ret_rows = NULL;
    TRY(scan_init(&update.scan, mutation_view(mutation), filter, context, err));
    enum status status = update_all(&update, mutation, err);
    add_stats(stats, &update.scan.stats);
    scan_release(&update.scan);
    if (status == STATUS_OK && update.rows->rows)
        *ret_rows = update.rows;
    else
        batch_unref(update.rows);
    return status;
}
