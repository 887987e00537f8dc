/* model_view.h: a view read row by row, compared with a model; its indexes compared with a scan. */
#ifndef QUARRY_TESTS_STORAGE_MODEL_VIEW_H
#define QUARRY_TESTS_STORAGE_MODEL_VIEW_H

#include "model.h"

static uint64_t unit_rows(const struct view *view, uint32_t unit)
{
    return unit < view->segments_len ? segment_info(view->segments[unit]).rows
                                     : view->chunks[unit - view->segments_len]->rows;
}

/* Loaded; NULL: none. */
static struct deletion *unit_deleted(const struct view *view, uint32_t unit)
{
    struct deletion *deleted = NULL;
    if (unit >= view->segments_len)
        return view->chunk_deletions ? view->chunk_deletions[unit - view->segments_len] : NULL;
    if (view->deletions)
        deleted = view->deletions[unit];
    assert_ok(deletion_load(deleted, &test_err));
    return deleted;
}

static enum status read_segment(const struct view *view, uint32_t unit, uint32_t field,
                                struct column *into)
{
    struct segment *segment = view->segments[unit];
    struct parquet_reader *reader = NULL;
    enum status status = STATUS_OK;
    int32_t column = segment_column(segment, view->schema->fields[field].id);
    if (column < 0) {
        const struct value null = {.is_null = true}, *value = view->schema->traits[field].initial;
        for (uint64_t row = 0; row < segment_info(segment).rows; row++)
            assert_int_equal(column_append_value(into, value ? value : &null), STATUS_OK);
        return STATUS_OK;
    }
    TRY(segment_reader(segment, &reader, &test_err));
    for (uint32_t g = 0; g < parquet_reader_row_groups(reader) && status == STATUS_OK; g++)
        status = parquet_read_column(reader, g, (uint32_t)column, 0,
                                     parquet_row_group_rows(reader, g), into, &test_err);
    segment_reader_release(segment, reader);
    return status;
}

static void read_chunk(const struct view *view, uint32_t chunk, uint32_t field, struct column *into)
{
    const struct batch *batch = view->chunks[chunk];
    int32_t at = batch_find(batch, view->schema->fields[field].name);
    if (at < 0) {
        assert_int_equal(column_append_nulls(into, batch->rows), STATUS_OK);
        return;
    }
    const struct column *from = &batch->columns[at].column;
    struct column copy;
    column_init(&copy, from->type);
    assert_int_equal(column_append_range(&copy, from, 0, from->rows), STATUS_OK);
    if (copy.type != into->type)
        assert_ok(column_widen(&copy, into->type, &test_err));
    assert_int_equal(column_append_range(into, &copy, 0, copy.rows), STATUS_OK);
    column_release(&copy);
}

/* All rows of a unit, the deleted ones too, in the schema's type; to be released in any case. */
static enum status try_read_unit(const struct view *view, uint32_t unit, uint32_t field,
                                 struct column *into)
{
    column_init(into, view->schema->fields[field].type);
    if (unit < view->segments_len)
        return read_segment(view, unit, field, into);
    read_chunk(view, unit - view->segments_len, field, into);
    return STATUS_OK;
}

static void read_unit(const struct view *view, uint32_t unit, uint32_t field, struct column *into)
{
    assert_ok(try_read_unit(view, unit, field, into));
    assert_int_equal(into->rows, unit_rows(view, unit));
}

/* --- all rows --- */

static void read_rows_of_unit(const struct view *view, uint32_t unit, const int *slots,
                              struct model *into)
{
    const struct schema *schema = view->schema;
    const struct deletion *deleted = unit_deleted(view, unit);
    struct column columns[SLOTS];
    for (uint32_t f = 0; f < schema->fields_len; f++)
        read_unit(view, unit, f, &columns[f]);
    for (uint32_t i = 0; i < unit_rows(view, unit); i++) {
        struct model_row row = {0};
        if (deletion_has(deleted, i))
            continue;
        for (uint32_t f = 0; f < schema->fields_len; f++) {
            if (slots[f] == SLOT_ID)
                row.id = column_int64(&columns[f], i);
            else
                row.cells[slots[f]] = cell_of(&columns[f], i);
        }
        model_add(into, &row);
    }
    for (uint32_t f = 0; f < schema->fields_len; f++)
        column_release(&columns[f]);
}

/* The model's slots of the view's columns; false when names or types differ. */
static bool match_columns(const struct view *view, const struct model *model, int *slots,
                          char why[256])
{
    uint32_t live = 0;
    for (int slot = 0; slot < SLOTS; slot++)
        live += model->columns[slot].live;
    snprintf(why, 256, "there are %u columns, expected %u", view->schema->fields_len, live);
    if (view->schema->fields_len != live)
        return false;
    for (uint32_t f = 0; f < live; f++) {
        const struct field *field = &view->schema->fields[f];
        slots[f] = model_slot(model, field->name);
        snprintf(why, 256, "column %.*s of type %s, expected %s", STR_ARG(field->name),
                 type_name(field->type),
                 slots[f] < 0 ? "none" : type_name(model->columns[slots[f]].type));
        if (slots[f] < 0 || model->columns[slots[f]].type != field->type)
            return false;
    }
    return true;
}

static bool match_rows(struct model *found, struct model *model, char why[256])
{
    model_sort(found);
    model_sort(model);
    for (uint32_t i = 0; i < model->len || i < found->len; i++) {
        const struct model_row *is = i < found->len ? &found->rows[i] : NULL;
        const struct model_row *want = i < model->len ? &model->rows[i] : NULL;
        if (is && want && row_equal(model, is, want))
            continue;
        int at =
            snprintf(why, 256, "row %u of %u is id %lld, expected id %lld of %u", i, found->len,
                     is ? (long long)is->id : -1, want ? (long long)want->id : -1, model->len);
        for (int slot = 1; slot < SLOTS && is && want && at < 200; slot++) {
            if (model->columns[slot].live)
                at += snprintf(why + at, 256 - (size_t)at, "; %s is %g, expected %g",
                               model->columns[slot].name, is->cells[slot], want->cells[slot]);
        }
        return false;
    }
    return true;
}

/* Has the view exactly these columns and rows? If not, `why` tells the first difference. */
__attribute__((unused)) static bool view_matches(const struct view *view, struct model *model,
                                                 char why[256])
{
    struct model found = {0};
    int slots[SLOTS];
    if (!match_columns(view, model, slots, why))
        return false;
    for (uint32_t unit = 0; unit < view->segments_len + view->chunks_len; unit++)
        read_rows_of_unit(view, unit, slots, &found);
    bool equal = match_rows(&found, model, why);
    if (equal)
        assert_int_equal(view->rows, model->len);
    model_release(&found);
    return equal;
}

/* The same of a present view, whose schema also says what records that lack a column get. */
__attribute__((unused)) static bool present_matches(const struct view *view, struct model *model,
                                                    char why[256])
{
    if (!view_matches(view, model, why))
        return false;
    for (uint32_t f = 0; f < view->schema->fields_len; f++) {
        const struct value *fill = view->schema->traits[f].fill;
        const struct model_column *column =
            &model->columns[model_slot(model, view->schema->fields[f].name)];
        char text[32];
        struct value value = cell_value(column->fill, column->type, text);
        if (fill ? value_compare(fill, &value) == 0 : value.is_null)
            continue;
        snprintf(why, 256, "the default of %s is not %g", column->name, column->fill);
        return false;
    }
    return true;
}

/* --- indexes --- */

/* Rows that an index gives against all rows of the segment: none is missing; with `exact`, none is
 * too many. */
static void check_found(const struct column *column, double lo, double hi, const uint64_t *rows,
                        uint32_t len, bool exact)
{
    uint32_t at = 0;
    for (uint32_t row = 0; row < column->rows; row++) {
        double cell = cell_of(column, row);
        bool wanted = cell >= lo && cell <= hi;
        bool found = at < len && rows[at] == row;
        if (wanted != found && (wanted || exact))
            fail_msg("the index says %d of row %u, the scan %d", found, row, wanted);
        at += found;
    }
    assert_int_equal(at, len); /* ascending, within the file */
}

static void check_segment_index(const struct view *view, uint32_t unit, uint32_t field,
                                const struct column *column, double cell)
{
    struct segment *segment = view->segments[unit];
    int32_t id = view->schema->fields[field].id;
    enum type type;
    char text[32], upper[32];
    bool used = false;
    uint64_t *rows = NULL;
    uint32_t len = 0;
    if (!segment_column_type(segment, id, &type) || (type == TYPE_INT64 && cell != floor(cell)))
        return;
    struct value value = cell_value(cell, type, text);
    assert_ok(segment_lookup(segment, id, &value, UINT64_MAX, &used, &rows, &len, &test_err));
    if (used) {
        check_found(column, cell, cell, rows, len, false);
        free(rows);
    }
    if (!view_has_sorted(view, field) || type == TYPE_STRING) /* texts have another order */
        return;
    struct value_range range = {
        .has_lo = true, .has_hi = true, .lo = value, .hi = cell_value(cell + 9, type, upper)};
    rows = NULL;
    used = false;
    assert_ok(segment_range(segment, id, &range, UINT32_MAX, &used, &rows, &len, &test_err));
    if (used) {
        check_found(column, cell, cell + 9, rows, len, true);
        free(rows);
    }
}

static void check_chunk_index(struct view *view, uint32_t chunk, uint32_t field,
                              const struct column *column, double cell)
{
    int32_t at = batch_find(view->chunks[chunk], view->schema->fields[field].name);
    bool used = false;
    uint32_t *rows = NULL, len = 0;
    char text[32];
    if (at < 0 || view->chunks[chunk]->columns[at].column.type != column->type)
        return;
    struct value value = cell_value(cell, column->type, text);
    assert_ok(view_chunk_lookup(view, chunk, view->schema->fields[field].name, &value, &used, &rows,
                                &len, &test_err));
    if (!used)
        return;
    for (uint32_t row = 0, next = 0; row < column->rows; row++) {
        bool found = next < len && rows[next] == row;
        assert_true(found || cell_of(column, row) != cell);
        next += found;
    }
    free(rows);
}

/* Look-ups of `cell` in the column find what a scan of each unit finds. */
__attribute__((unused)) static void check_lookup(struct view *view, struct str name, double cell)
{
    int32_t field = schema_find(view->schema, name);
    assert_true(field >= 0);
    uint64_t *candidates = calloc(view->segments_len / 64 + 1, sizeof *candidates);
    char text[32];
    assert_non_null(candidates);
    memset(candidates, 0xff, (view->segments_len / 64 + 1) * sizeof *candidates);
    struct value value = cell_value(cell, view->schema->fields[field].type, text);
    (void)view_narrow(view, (uint32_t)field, &value, 1, candidates);
    for (uint32_t unit = 0; unit < view->segments_len + view->chunks_len; unit++) {
        struct column column;
        read_unit(view, unit, (uint32_t)field, &column);
        if (unit < view->segments_len) {
            bool candidate = candidates[unit / 64] >> unit % 64 & 1;
            for (uint32_t row = 0; row < column.rows && !candidate; row++)
                assert_true(cell_of(&column, row) != cell);
            check_segment_index(view, unit, (uint32_t)field, &column, cell);
        } else {
            check_chunk_index(view, unit - view->segments_len, (uint32_t)field, &column, cell);
        }
        column_release(&column);
    }
    free(candidates);
}

#endif
