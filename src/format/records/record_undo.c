/* record_undo.c: a record that does not fit leaves no trace: the builder becomes what it was before
 * the record's first field. */
#include "format/records/record_builder_int.h"

void record_builder_on_bad(struct record_builder *b, record_bad_fn fn, void *context)
{
    b->on_bad = fn;
    b->bad_context = context;
}

/* Its values were exact in the narrower type until this row, which is cut off already. */
static enum status narrow(struct column *column)
{
    const int64_t day_us = INT64_C(86400000000);
    struct column narrower;
    enum status status = STATUS_OK;
    column_init(&narrower, column->type == TYPE_DOUBLE ? TYPE_INT64 : TYPE_DATE);
    for (uint32_t row = 0; row < column->rows && status == STATUS_OK; row++) {
        if (column_is_null(column, row))
            status = column_append_null(&narrower);
        else if (column->type == TYPE_DOUBLE)
            status = column_append_int64(&narrower, (int64_t)column_double(column, row));
        else
            status = column_append_date(&narrower, (int32_t)(column_int64(column, row) / day_us));
    }
    if (status != STATUS_OK) {
        column_release(&narrower);
        return status;
    }
    column_release(column);
    *column = narrower;
    return STATUS_OK;
}

static enum status undo_slot(struct record_builder *b, struct slot *slot)
{
    struct column *column = builder_column(b, slot);
    uint32_t row = b->row + 1;
    if (slot->seen_row == row)
        slot->seen_row = 0;
    if (column->rows > b->row)
        column_truncate(column, b->row);
    if (slot->typed_row == row) {
        slot->typed = false;
        slot->typed_row = slot->widened_row = 0;
        column_release(column);
        column_init(column, TYPE_STRING);
    }
    if (slot->widened_row != row)
        return STATUS_OK;
    slot->widened_row = 0;
    return narrow(column);
}

/* Fields that only this record had; slot i is column i. */
static void undo_new_slots(struct record_builder *b)
{
    struct batch *batch = b->batch;
    if (b->slots_len == b->slots_before)
        return;
    while (batch->columns_len > b->slots_before)
        column_release(&batch->columns[--batch->columns_len].column);
    b->slots_len = b->slots_before;
    memset(b->table, 0, b->table_cap * sizeof *b->table);
    for (uint32_t i = 0; i < b->slots_len; i++) {
        uint32_t at = (uint32_t)b->slots[i].hash & (b->table_cap - 1);
        while (b->table[at])
            at = (at + 1) & (b->table_cap - 1);
        b->table[at] = i + 1;
    }
}

bool builder_can_leave_out(const struct record_builder *b, enum status status)
{
    return b->on_bad && (status == STATUS_SCHEMA || status == STATUS_INVALID_JSON ||
                         status == STATUS_INVALID_CSV || status == STATUS_INVALID_ARGUMENT);
}

enum status builder_leave_out(struct record_builder *b, struct str raw, int64_t line,
                              const struct error *why, struct error *err)
{
    struct record_bad bad = {.record = builder_record(b), .line = line, .raw = raw, .error = why};
    if (!builder_can_leave_out(b, why->status)) {
        if (err)
            *err = *why;
        return why->status;
    }
    undo_new_slots(b);
    for (uint32_t i = 0; i < b->slots_len; i++) {
        if (undo_slot(b, &b->slots[i]) != STATUS_OK)
            return error_no_memory(err);
    }
    b->next = 0;
    if (++b->bad > RECORD_ROWS_MAX)
        return error_set(err, STATUS_TOO_LARGE, "one batch holds at most %d records",
                         RECORD_ROWS_MAX);
    return b->on_bad(b->bad_context, &bad, err);
}
