/* derived.c: expressions over a batch, a window of EXPR_ROWS_MAX rows at a time. HUGEINTs are texts
 * in JSON columns there and whole numbers in expressions; one that does not fit is a doubt. */
#include "query/optimize/derived.h"

#include <stdio.h>
#include <stdlib.h>

#include "query/exec/gather.h"

/* Rows [first, first + len) of a batch. */
struct window {
    const struct batch *batch;
    uint32_t first, len;
    struct column *columns;  /* views into the batch's, as asked for */
    struct column *integers; /* of HUGEINTs; owned */
};

static enum status window_init(struct window *window, const struct batch *batch, struct error *err)
{
    *window = (struct window){.batch = batch};
    window->columns = calloc((size_t)batch->columns_len + 1, sizeof *window->columns);
    window->integers = calloc((size_t)batch->columns_len + 1, sizeof *window->integers);
    return window->columns && window->integers ? STATUS_OK : error_no_memory(err);
}

static void window_release(struct window *window)
{
    for (uint32_t i = 0; window->integers && i < window->batch->columns_len; i++)
        column_release(&window->integers[i]);
    free(window->columns);
    free(window->integers);
}

static enum status read_integers(const struct window *window, const struct column *texts,
                                 struct column *into, struct error *err)
{
    if (!into->values)
        column_init(into, TYPE_INT64);
    column_truncate(into, 0);
    for (uint32_t i = 0; i < window->len; i++) {
        uint32_t row = window->first + i;
        int64_t value = 0;
        bool null = column_is_null(texts, row);
        if (!null && !str_to_int64(column_str(texts, row), &value))
            return error_set(err, EXPR_DOUBT, "a sum beyond 64 bits: the SQL engine decides");
        enum status status = null ? column_append_null(into) : column_append_int64(into, value);
        if (status != STATUS_OK)
            return error_set(err, status, "out of memory");
    }
    return STATUS_OK;
}

static enum status input(void *context, uint32_t index, const struct column **ret,
                         struct error *err)
{
    struct window *window = context;
    const struct column *column = &window->batch->columns[index].column;
    if (column->type == TYPE_JSON) {
        *ret = &window->integers[index];
        return read_integers(window, column, &window->integers[index], err);
    }
    window->columns[index] = gather_window(column, window->first, window->len);
    *ret = &window->columns[index];
    return STATUS_OK;
}

typedef enum status (*take_values)(void *context, const struct window *window,
                                   const struct column *values, struct error *err);

/* Evaluates over all rows and hands each window's values on. */
static enum status evaluate(const struct expr *expr, const struct batch *batch, take_values take,
                            void *context, struct error *err)
{
    struct window window;
    struct expr_run *run = NULL;
    const struct expr_source source = {&window, input};
    enum status status = window_init(&window, batch, err);
    if (status == STATUS_OK)
        status = expr_run_new(expr, &run, err);
    while (status == STATUS_OK && window.first < batch->rows) {
        const struct column *values = NULL;
        uint32_t left = batch->rows - window.first;
        window.len = left < EXPR_ROWS_MAX ? left : EXPR_ROWS_MAX;
        status = expr_run_eval(run, &source, window.len, &values, err);
        if (status == STATUS_OK)
            status = take(context, &window, values, err);
        window.first += window.len;
    }
    expr_run_free(run);
    window_release(&window);
    return status;
}

/* --- columns --- */

static enum status append_hugeint(struct column *to, const struct column *values, uint32_t row)
{
    char text[32];
    if (column_is_null(values, row))
        return column_append_null(to);
    int len = snprintf(text, sizeof text, "%lld", (long long)column_int64(values, row));
    return column_append_bytes(to, str_make(text, (size_t)len));
}

static enum status append(void *context, const struct window *window, const struct column *values,
                          struct error *err)
{
    struct column *to = context;
    enum status status = STATUS_OK;
    if (to->type != TYPE_JSON)
        status = column_append_range(to, values, 0, window->len);
    for (uint32_t i = 0; to->type == TYPE_JSON && i < window->len && status == STATUS_OK; i++)
        status = append_hugeint(to, values, i);
    return status == STATUS_OK ? status : error_set(err, status, "the answer does not fit");
}

enum status derived_add(const struct own_statement *statement, struct batch *rows,
                        struct error *err)
{
    for (uint32_t i = 0; i < statement->derived_len; i++) {
        char name[16];
        uint32_t index;
        struct column column;
        int len = snprintf(name, sizeof name, "\x02%u", i); /* nobody's name */
        column_init(&column, statement->derived[i].type);
        enum status status = evaluate(statement->derived[i].expr, rows, append, &column, err);
        if (status == STATUS_OK) {
            status = batch_add_column(rows, str_make(name, (size_t)len), column.type, &index);
            if (status != STATUS_OK)
                error_set(err, status, "out of memory");
        }
        if (status != STATUS_OK) {
            column_release(&column);
            return status;
        }
        column_release(&rows->columns[index].column);
        rows->columns[index].column = column;
    }
    return STATUS_OK;
}

/* --- HAVING --- */

struct chosen {
    uint32_t *rows;
    uint32_t len;
};

static enum status choose(void *context, const struct window *window, const struct column *values,
                          struct error *err)
{
    struct chosen *chosen = context;
    (void)err;
    for (uint32_t i = 0; i < window->len; i++) {
        chosen->rows[chosen->len] = window->first + i;
        chosen->len += column_bool(values, i); /* null slots hold zero */
    }
    return STATUS_OK;
}

enum status derived_having(const struct own_statement *statement, const struct batch *rows,
                           uint32_t **ret_rows, uint32_t *ret_len, struct error *err)
{
    *ret_rows = NULL;
    *ret_len = rows->rows;
    if (!statement->having)
        return STATUS_OK;
    struct chosen chosen = {malloc(((size_t)rows->rows + 1) * sizeof *chosen.rows), 0};
    if (!chosen.rows)
        return error_no_memory(err);
    enum status status = evaluate(statement->having, rows, choose, &chosen, err);
    if (status != STATUS_OK) {
        free(chosen.rows);
        return status;
    }
    *ret_rows = chosen.rows;
    *ret_len = chosen.len;
    return STATUS_OK;
}
