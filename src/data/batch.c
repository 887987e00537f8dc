#include "data/batch.h"

#include <stdlib.h>

struct batch *batch_new(void)
{
    struct batch *batch = calloc(1, sizeof *batch);
    if (!batch)
        return NULL;
    atomic_init(&batch->refs, 1);
    arena_init(&batch->arena, 0);
    return batch;
}

struct batch *batch_ref(struct batch *batch)
{
    atomic_fetch_add_explicit(&batch->refs, 1, memory_order_relaxed);
    return batch;
}

void batch_unref(struct batch *batch)
{
    if (!batch || atomic_fetch_sub_explicit(&batch->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < batch->columns_len; i++)
        column_release(&batch->columns[i].column);
    free(batch->columns);
    arena_release(&batch->arena);
    free(batch);
}

static enum status grow_columns(struct batch *batch)
{
    if (batch->columns_len < batch->columns_cap)
        return STATUS_OK;
    if (batch->columns_len >= SCHEMA_FIELDS_MAX)
        return STATUS_RESOURCE_LIMIT;
    uint32_t cap = batch->columns_cap ? batch->columns_cap * 2 : 8;
    struct batch_column *columns = realloc(batch->columns, cap * sizeof *columns);
    if (!columns)
        return STATUS_NO_MEMORY;
    batch->columns = columns;
    batch->columns_cap = cap;
    return STATUS_OK;
}

enum status batch_add_column(struct batch *batch, struct str name, enum type type,
                             uint32_t *ret_index)
{
    TRY(grow_columns(batch));
    struct batch_column *added = &batch->columns[batch->columns_len];
    added->name = arena_str(&batch->arena, name);
    if (!added->name.data)
        return STATUS_NO_MEMORY;
    column_init(&added->column, type);
    enum status status = column_append_nulls(&added->column, batch->rows);
    if (status != STATUS_OK) {
        column_release(&added->column);
        return status;
    }
    if (ret_index)
        *ret_index = batch->columns_len;
    batch->columns_len++;
    return STATUS_OK;
}

int32_t batch_find(const struct batch *batch, struct str name)
{
    for (uint32_t i = 0; i < batch->columns_len; i++)
        if (str_eq(batch->columns[i].name, name))
            return (int32_t)i;
    return -1;
}

enum status batch_set_rows(struct batch *batch, uint32_t rows)
{
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        struct column *column = &batch->columns[i].column;
        if (column->rows < rows)
            TRY(column_append_nulls(column, rows - column->rows));
    }
    batch->rows = rows;
    return STATUS_OK;
}

/* The column of `to` that takes rows of `from`, wide enough. */
static enum status target_column(struct batch *to, const struct batch_column *from,
                                 uint32_t *ret_index, struct error *err)
{
    int32_t found = batch_find(to, from->name);
    if (found < 0) {
        enum status status = batch_add_column(to, from->name, from->column.type, ret_index);
        return status == STATUS_OK ? status : error_set(err, status, "a column cannot be added");
    }
    struct column *column = &to->columns[found].column;
    *ret_index = (uint32_t)found;
    if (column->type == from->column.type || type_can_widen(from->column.type, column->type))
        return STATUS_OK;
    return column_widen(column, from->column.type, err);
}

static enum status append_widened(struct column *to, const struct column *from, uint32_t first,
                                  uint32_t count, struct error *err)
{
    struct column copy;
    column_init(&copy, from->type);
    enum status status = column_append_range(&copy, from, first, count);
    if (status == STATUS_OK)
        status = column_widen(&copy, to->type, err);
    if (status == STATUS_OK)
        status = column_append_range(to, &copy, 0, count);
    column_release(&copy);
    return status;
}

enum status batch_append(struct batch *to, const struct batch *from, uint32_t first, uint32_t count,
                         struct error *err)
{
    if (count > BATCH_ROWS_MAX - to->rows)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a batch holds at most %d rows",
                         BATCH_ROWS_MAX);
    for (uint32_t i = 0; i < from->columns_len; i++) {
        uint32_t index;
        const struct column *column = &from->columns[i].column;
        TRY(target_column(to, &from->columns[i], &index, err));
        struct column *target = &to->columns[index].column;
        enum status status = target->type == column->type
                                 ? column_append_range(target, column, first, count)
                                 : append_widened(target, column, first, count, err);
        if (status != STATUS_OK)
            return status == STATUS_SCHEMA ? status : error_set(err, status, "rows do not fit");
    }
    enum status status = batch_set_rows(to, to->rows + count);
    return status == STATUS_OK ? status : error_no_memory(err);
}

size_t batch_memory(const struct batch *batch)
{
    size_t size = sizeof *batch + batch->columns_cap * sizeof *batch->columns + batch->arena.total;
    for (uint32_t i = 0; i < batch->columns_len; i++)
        size += column_memory(&batch->columns[i].column);
    return size;
}
