/* model.h: what a source should hold, as plainly as can be: its columns and an array of rows.
 *
 * A cell is a number, NaN for null, whatever the type of its column: a text is "v<number>", a date
 * and a timestamp are days. So a widened column needs no change here. A column has a slot in each
 * row and a serial number of its own: dropped and added again it is another column. Ids are unique.
 */
#ifndef QUARRY_TESTS_STORAGE_MODEL_H
#define QUARRY_TESTS_STORAGE_MODEL_H

#include <math.h>

#include "fixture.h"

enum { SLOTS = 8, SLOT_ID = 0, SLOT_KIND = 1, COLUMN_NAMES = 10 };

struct model_column {
    bool live, declared;
    char name[8];
    enum type type;
    double initial, fill; /* of rows of before it was added; of records that lack it */
    uint32_t serial;
    uint32_t indexes; /* bits of enum index_kind */
};

struct model_row {
    int64_t id;
    double cells[SLOTS]; /* that of SLOT_ID is not used */
};

struct model {
    struct model_column columns[SLOTS];
    struct model_row *rows;
    uint32_t len, cap;
};

__attribute__((unused)) static void model_release(struct model *model)
{
    free(model->rows);
    *model = (struct model){0};
}

__attribute__((unused)) static void model_copy(const struct model *from, struct model *to)
{
    *to = *from;
    to->cap = from->len;
    to->rows = malloc((from->len + 1u) * sizeof *to->rows);
    assert_non_null(to->rows);
    if (from->len)
        memcpy(to->rows, from->rows, from->len * sizeof *to->rows);
}

__attribute__((unused)) static void model_add(struct model *model, const struct model_row *row)
{
    if (model->len == model->cap) {
        model->cap = model->cap ? model->cap * 2 : 32;
        model->rows = realloc(model->rows, model->cap * sizeof *model->rows);
        assert_non_null(model->rows);
    }
    model->rows[model->len++] = *row;
}

__attribute__((unused)) static void model_remove(struct model *model, uint32_t at)
{
    model->rows[at] = model->rows[--model->len];
}

/* Index, or -1. */
__attribute__((unused)) static int32_t model_find(const struct model *model, int64_t id)
{
    for (uint32_t i = 0; i < model->len; i++) {
        if (model->rows[i].id == id)
            return (int32_t)i;
    }
    return -1;
}

/* Slot, or -1. */
__attribute__((unused)) static int model_slot(const struct model *model, struct str name)
{
    for (int slot = 0; slot < SLOTS; slot++) {
        if (model->columns[slot].live && str_is(name, model->columns[slot].name))
            return slot;
    }
    return -1;
}

/* A new column, with its initial value in all rows. */
__attribute__((unused)) static void model_add_column(struct model *model, int slot,
                                                     const char *name, enum type type,
                                                     double initial, bool declared, uint32_t serial)
{
    struct model_column *column = &model->columns[slot];
    *column = (struct model_column){.live = true,
                                    .declared = declared,
                                    .type = type,
                                    .initial = initial,
                                    .fill = initial,
                                    .serial = serial};
    snprintf(column->name, sizeof column->name, "%s", name);
    for (uint32_t i = 0; i < model->len; i++)
        model->rows[i].cells[slot] = initial;
}

static int model_by_id(const void *a, const void *b)
{
    int64_t x = ((const struct model_row *)a)->id, y = ((const struct model_row *)b)->id;
    return x < y ? -1 : x > y;
}

__attribute__((unused)) static void model_sort(struct model *model)
{
    if (model->len)
        qsort(model->rows, model->len, sizeof *model->rows, model_by_id);
}

static bool cell_equal(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

__attribute__((unused)) static bool row_equal(const struct model *model, const struct model_row *a,
                                              const struct model_row *b)
{
    bool equal = a->id == b->id;
    for (int slot = SLOT_ID + 1; slot < SLOTS && equal; slot++)
        equal = !model->columns[slot].live || cell_equal(a->cells[slot], b->cells[slot]);
    return equal;
}

/* Columns and rows; both get sorted. */
__attribute__((unused)) static bool model_equal(struct model *a, struct model *b)
{
    bool equal = a->len == b->len;
    for (int slot = 0; slot < SLOTS && equal; slot++) {
        const struct model_column *x = &a->columns[slot], *y = &b->columns[slot];
        equal = x->live == y->live &&
                (!x->live || (x->type == y->type && x->serial == y->serial &&
                              strcmp(x->name, y->name) == 0 && cell_equal(x->fill, y->fill)));
    }
    model_sort(a);
    model_sort(b);
    for (uint32_t i = 0; i < a->len && equal; i++)
        equal = row_equal(a, &a->rows[i], &b->rows[i]);
    return equal;
}

/* --- cells as values --- */

#define DAY_US 86400e6

static struct value cell_value(double cell, enum type type, char text[32])
{
    struct value value = {.type = type, .is_null = isnan(cell)};
    if (value.is_null)
        return value;
    if (type == TYPE_DOUBLE) {
        value.real = cell;
    } else if (type == TYPE_STRING) {
        snprintf(text, 32, "v%d", (int)cell);
        value.bytes = str_of(text);
    } else {
        value.int64 = (int64_t)(type == TYPE_TIMESTAMP ? cell * DAY_US : cell);
    }
    return value;
}

/* NaN for null; a text that is not "v<number>" fails. */
static double cell_of(const struct column *column, uint32_t row)
{
    int number = 0;
    char text[32];
    if (column_is_null(column, row))
        return NAN;
    switch (column->type) {
    case TYPE_DOUBLE:
        return column_double(column, row);
    case TYPE_DATE:
        return column_date(column, row);
    case TYPE_TIMESTAMP:
        return (double)column_int64(column, row) / DAY_US;
    case TYPE_STRING:
        snprintf(text, sizeof text, "%.*s", STR_ARG(column_str(column, row)));
        assert_int_equal(sscanf(text, "v%d", &number), 1);
        return number;
    default:
        return (double)column_int64(column, row);
    }
}

/* A batch of the rows with the columns whose bits are set. */
__attribute__((unused)) static struct batch *
model_batch(const struct model *model, const struct model_row *rows, uint32_t len, uint32_t mask)
{
    struct batch *batch = batch_new();
    assert_non_null(batch);
    for (int slot = 0; slot < SLOTS; slot++) {
        const struct model_column *column = &model->columns[slot];
        uint32_t at;
        char text[32];
        if (!column->live || !(mask >> slot & 1))
            continue;
        assert_int_equal(batch_add_column(batch, str_of(column->name), column->type, &at),
                         STATUS_OK);
        for (uint32_t i = 0; i < len; i++) {
            double cell = slot == SLOT_ID ? (double)rows[i].id : rows[i].cells[slot];
            struct value value = cell_value(cell, column->type, text);
            assert_int_equal(column_append_value(&batch->columns[at].column, &value), STATUS_OK);
        }
    }
    assert_int_equal(batch_set_rows(batch, len), STATUS_OK);
    return batch;
}

#endif
