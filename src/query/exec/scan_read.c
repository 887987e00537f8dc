/* scan_read.c: columns of the present slice. A column is read whole once (`full`) when the filter
 * needs it or when the caller comes back; otherwise only the rows asked for are read. */
#include <stdlib.h>

#include "query/exec/gather.h"
#include "query/exec/scan_int.h"

const struct scan_field *scan_resolve(struct scan *scan, uint32_t index)
{
    struct scan_field *field = &scan->fields[index];
    const struct field *f = &scan->view->schema->fields[index];
    if (field->resolved)
        return field;
    field->resolved = true;
    field->physical = f->type;
    field->initial = NULL;
    if (scan->chunk) {
        field->column = batch_find(scan->chunk, f->name);
        if (field->column >= 0)
            field->physical = scan->chunk->columns[field->column].column.type;
        return field;
    }
    field->column = segment_column(scan->segment, f->id);
    if (field->column < 0) {
        field->initial = scan->view->schema->traits[index].initial;
    } else if (!scan->reader) {
        (void)segment_column_type(scan->segment, f->id, &field->physical);
    } else {
        uint32_t len;
        const struct field *fields = parquet_reader_fields(scan->reader, &len);
        if ((uint32_t)field->column < len)
            field->physical = fields[field->column].type;
    }
    return field;
}

/* Rows of before the column was added. */
static enum status append_initial(const struct value *initial, uint32_t n, struct column *into,
                                  struct error *err)
{
    enum status status = column_reserve(into, n);
    for (uint32_t i = 0; i < n && status == STATUS_OK; i++)
        status = column_append_value(into, initial);
    return status == STATUS_OK ? status : error_set(err, status, "out of memory");
}

static enum status load_initial(struct scan *scan, struct scan_field *field, struct error *err)
{
    TRY(append_initial(field->initial, scan->count, &field->own, err));
    field->full = field->own;
    return STATUS_OK;
}

/* Single rows of a chunk. */
static enum status gather_ids(const struct column *column, const uint64_t *ids, uint32_t len,
                              struct column *into, struct error *err)
{
    uint32_t rows[64];
    for (uint32_t done = 0; done < len;) {
        uint32_t n = 0;
        while (n < 64 && done + n < len) {
            rows[n] = (uint32_t)ids[done + n];
            n++;
        }
        TRY(gather_rows(into, column, rows, 0, n, err));
        done += n;
    }
    return STATUS_OK;
}

static enum status load_chunk(struct scan *scan, struct scan_field *field, struct error *err)
{
    const struct column *column = &scan->chunk->columns[field->column].column;
    if (!scan->by_rows) {
        field->full = gather_window(column, (uint32_t)scan->first, scan->count);
        field->full_borrowed = true;
        return STATUS_OK;
    }
    TRY(gather_ids(column, scan->row_ids, scan->count, &field->own, err));
    field->full = field->own;
    return STATUS_OK;
}

/* Selected rows [from, from + n) of the pinned ones. */
static enum status append_pinned(const struct scan *scan, uint32_t column,
                                 const uint32_t *selection, uint32_t from, uint32_t n,
                                 struct column *into, struct error *err)
{
    enum status status = STATUS_OK;
    for (uint32_t i = from; i < from + n && status == STATUS_OK; i++)
        status = row_pin_append(&scan->pin, selection ? selection[i] : i, column, into);
    return status == STATUS_OK ? status
                               : error_set(err, status, "the rows of one answer do not fit");
}

static enum status load_segment(struct scan *scan, struct scan_field *field, struct error *err)
{
    uint32_t column = (uint32_t)field->column;
    if (!scan->reader)
        TRY(append_pinned(scan, column, NULL, 0, scan->count, &field->own, err));
    else if (scan->by_rows)
        TRY(parquet_read_rows(scan->reader, column, scan->row_ids, scan->count, &field->own, err));
    else
        TRY(parquet_read_column(scan->reader, scan->group, column, scan->first, scan->count,
                                &field->own, err));
    field->full = field->own;
    return STATUS_OK;
}

enum status scan_load(struct scan *scan, uint32_t index, const struct column **ret_column,
                      struct error *err)
{
    struct scan_field *field = (struct scan_field *)(uintptr_t)scan_resolve(scan, index);
    *ret_column = NULL;
    if (field->column < 0 && !field->initial)
        return STATUS_OK;
    if (!field->full_loaded) {
        if (field->own.type != field->physical) {
            column_release(&field->own);
            column_init(&field->own, field->physical);
        }
        column_truncate(&field->own, 0);
        TRY(field->column < 0 ? load_initial(scan, field, err)
            : scan->chunk     ? load_chunk(scan, field, err)
                              : load_segment(scan, field, err));
        field->full_loaded = true;
    }
    *ret_column = &field->full;
    return STATUS_OK;
}

/* Single rows of a segment by their numbers in the file. */
static enum status read_picked(struct scan *scan, uint32_t column, uint32_t from, uint32_t n,
                               struct column *into, struct error *err)
{
    uint64_t rows[256];
    for (uint32_t done = 0; done < n;) {
        uint32_t some = 0;
        for (; some < 256 && done + some < n; some++) {
            uint32_t at = scan->all ? from + done + some : scan->selection[from + done + some];
            rows[some] = scan->by_rows ? scan->row_ids[at] : scan->group_base + scan->first + at;
        }
        TRY(parquet_read_rows(scan->reader, column, rows, some, into, err));
        done += some;
    }
    return STATUS_OK;
}

enum status scan_append(struct scan *scan, uint32_t index, uint32_t from, uint32_t n, bool again,
                        struct column *into, struct error *err)
{
    const struct scan_field *field = scan_resolve(scan, index);
    if (field->initial)
        return append_initial(field->initial, n, into, err);
    if (field->column < 0) {
        enum status status = column_append_nulls(into, n);
        return status == STATUS_OK ? status : error_set(err, status, "out of memory");
    }
    if (scan->pin.len && into->type == field->physical)
        return append_pinned(scan, (uint32_t)field->column, scan->all ? NULL : scan->selection,
                             from, n, into, err);
    bool direct = scan->reader && !field->full_loaded && !again;
    if (direct && (scan->by_rows || n < scan->count / SCAN_GATHER_SHARE))
        return read_picked(scan, (uint32_t)field->column, from, n, into, err);
    if (direct && scan->all)
        return parquet_read_column(scan->reader, scan->group, (uint32_t)field->column,
                                   scan->first + from, n, into, err);
    if (scan->chunk && scan->by_rows && scan->all && !field->full_loaded && !again)
        return gather_ids(&scan->chunk->columns[field->column].column, scan->row_ids + from, n,
                          into, err);
    const struct column *full;
    TRY(scan_load(scan, index, &full, err));
    return gather_rows(into, full, scan->all ? NULL : scan->selection + from, from, n, err);
}

static enum status dense(struct scan *scan, uint32_t index, bool again,
                         const struct column **ret_column, struct error *err)
{
    struct scan_field *field = (struct scan_field *)(uintptr_t)scan_resolve(scan, index);
    enum type type = scan->view->schema->fields[index].type;
    *ret_column = NULL;
    if (field->column < 0 && !field->initial)
        return STATUS_OK;
    if (scan->all && field->physical == type)
        return scan_load(scan, index, ret_column, err);
    if (!field->dense_loaded) {
        if (field->dense.type != type)
            column_release(&field->dense);
        column_truncate(&field->dense, 0);
        field->dense.type = type;
        TRY(scan_append(scan, index, 0, scan->selected, again, &field->dense, err));
        field->dense_loaded = true;
    }
    *ret_column = &field->dense;
    return STATUS_OK;
}

enum status scan_dense(struct scan *scan, uint32_t index, const struct column **ret_column,
                       struct error *err)
{
    return dense(scan, index, false, ret_column, err);
}

enum status scan_dense_first(struct scan *scan, uint32_t index, const struct column **ret_column,
                             struct error *err)
{
    bool few = scan->selected < scan->count / SCAN_GATHER_SHARE;
    return dense(scan, index, !few, ret_column, err);
}

enum status scan_dictionary(struct scan *scan, uint32_t index, const struct column **ret_dictionary,
                            struct error *err)
{
    struct scan_field *field = (struct scan_field *)(uintptr_t)scan_resolve(scan, index);
    *ret_dictionary = NULL;
    if (field->column < 0)
        return STATUS_OK;
    if (!field->dictionary_asked) {
        TRY(parquet_chunk_dictionary(scan->reader, scan->group, (uint32_t)field->column,
                                     &field->dictionary, err));
        field->dictionary_asked = true;
    }
    *ret_dictionary = field->dictionary;
    return STATUS_OK;
}

enum status scan_load_codes(struct scan *scan, uint32_t index, struct error *err)
{
    struct scan_field *field = &scan->fields[index];
    if (field->codes_loaded)
        return STATUS_OK;
    if (!field->codes)
        field->codes = malloc(SCAN_SLICE_ROWS * sizeof *field->codes);
    if (!field->codes)
        return error_no_memory(err);
    TRY(parquet_read_codes(scan->reader, scan->group, (uint32_t)field->column, scan->first,
                           scan->count, field->codes, err));
    field->codes_loaded = true;
    return STATUS_OK;
}

enum status scan_codes(struct scan *scan, uint32_t index, const struct column **ret_dictionary,
                       uint32_t *codes, struct error *err)
{
    *ret_dictionary = NULL;
    if (!scan->segment || scan->by_rows)
        return STATUS_OK;
    TRY(scan_dictionary(scan, index, ret_dictionary, err));
    if (!*ret_dictionary)
        return STATUS_OK;
    TRY(scan_load_codes(scan, index, err));
    const uint32_t *from = scan->fields[index].codes;
    if (scan->all)
        memcpy(codes, from, scan->count * sizeof *codes);
    else
        for (uint32_t i = 0; i < scan->selected; i++)
            codes[i] = from[scan->selection[i]];
    return STATUS_OK;
}
