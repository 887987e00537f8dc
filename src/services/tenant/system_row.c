/* system_row.c: a row of a system table, value by value. */
#include "services/tenant/system.h"

static struct column *next(struct row *row)
{
    return &row->fill->batch->columns[row->at++].column;
}

void row_keep(struct row *row, enum status status)
{
    if (row->status == STATUS_OK)
        row->status = status;
}

void row_text(struct row *row, struct str text)
{
    struct column *column = next(row);
    row_keep(row, text.data ? column_append_bytes(column, text) : column_append_null(column));
}

void row_textz(struct row *row, const char *text)
{
    row_text(row, str_of(text));
}

void row_int(struct row *row, int64_t value)
{
    row_keep(row, column_append_int64(next(row), value));
}

void row_bool(struct row *row, bool value)
{
    row_keep(row, column_append_bool(next(row), value));
}

/* 0 is null. */
void row_time(struct row *row, int64_t us)
{
    struct column *column = next(row);
    row_keep(row, us ? column_append_int64(column, us) : column_append_null(column));
}

void row_names(struct row *row, const struct str *names, uint32_t len)
{
    struct buf text;
    buf_init(&text, 1 << 20);
    for (uint32_t i = 0; i < len; i++) {
        buf_append_str(&text, i ? STR(",") : STR(""));
        buf_append_str(&text, names[i]);
    }
    if (buf_failed(&text))
        row_keep(row, STATUS_NO_MEMORY);
    else
        row_text(row, text.len ? buf_str(&text) : STR(""));
    buf_release(&text);
}

enum status row_end(struct row *row, struct error *err)
{
    if (row->status != STATUS_OK)
        return error_no_memory(err);
    row->fill->batch->rows++;
    return STATUS_OK;
}

void row_null(struct row *row)
{
    row_keep(row, column_append_null(next(row)));
}
