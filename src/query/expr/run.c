/* run.c: an expression's steps, from the leaves up; memory and nulls of their columns. */
#include <stdlib.h>

#include "query/expr/expr_int.h"

struct expr_run {
    struct arena arena;
    struct step *root;
};

/* --- columns --- */

enum status step_doubt(struct error *err, const char *what)
{
    return error_set(err, EXPR_DOUBT, "%s: the SQL engine decides", what);
}

static enum status out_of_memory(enum status status, struct error *err)
{
    return status == STATUS_OK ? status : error_set(err, status, "out of memory");
}

enum status step_room(struct step *step, uint32_t rows, struct error *err)
{
    struct column *out = &step->out;
    column_truncate(out, 0);
    free(out->validity); /* as without it every slot has a value */
    out->validity = NULL;
    TRY(out_of_memory(column_reserve(out, rows ? rows : 1), err));
    out->rows = type_is_bytes(out->type) ? 0 : rows;
    return STATUS_OK;
}

static enum status need_validity(struct column *out, struct error *err)
{
    if (out->validity)
        return STATUS_OK;
    out->validity = malloc((out->cap + 7) / 8);
    if (!out->validity)
        return error_no_memory(err);
    memset(out->validity, 0xFF, (out->cap + 7) / 8);
    return STATUS_OK;
}

static void clear_slot(struct column *out, uint32_t row)
{
    size_t width = type_width(out->type);
    memset((char *)out->values + row * width, 0, width);
}

enum status step_set_null(struct step *step, uint32_t row, struct error *err)
{
    struct column *out = &step->out;
    TRY(need_validity(out, err));
    out->nulls += !column_is_null(out, row);
    out->validity[row >> 3] &= (uint8_t) ~(1u << (row & 7));
    clear_slot(out, row);
    return STATUS_OK;
}

enum status step_take_nulls(struct step *step, uint32_t rows, struct error *err)
{
    struct column *out = &step->out;
    bool some = false;
    for (uint32_t i = 0; i < step->expr->args_len; i++) {
        const struct column *arg = step_arg(step, i);
        if (!arg->nulls || !arg->validity)
            continue;
        TRY(need_validity(out, err));
        for (uint32_t b = 0; b < (rows + 7) / 8; b++)
            out->validity[b] &= arg->validity[b];
        some = true;
    }
    if (!some)
        return STATUS_OK;
    out->nulls = 0;
    for (uint32_t row = 0; row < rows; row++) {
        if (!column_is_null(out, row))
            continue;
        out->nulls++;
        clear_slot(out, row);
    }
    return STATUS_OK;
}

/* --- making --- */

static enum status make_step(struct expr_run *run, const struct expr *expr, struct step *step,
                             struct error *err)
{
    step->expr = expr;
    column_init(&step->out, expr->type);
    step->value = &step->out;
    step->args = arena_array(&run->arena, expr->args_len, sizeof *step->args);
    if (!step->args)
        return error_no_memory(err);
    if (expr->op == EXPR_LIKE && like_compile(&step->like, expr->constant.bytes, &run->arena))
        return step_doubt(err, "a pattern");
    for (uint32_t i = 0; i < expr->args_len; i++)
        TRY(make_step(run, expr->args[i], &step->args[i], err));
    return STATUS_OK;
}

enum status expr_run_new(const struct expr *expr, struct expr_run **ret, struct error *err)
{
    if (expr_nodes(expr) > EXPR_NODES_MAX)
        return step_doubt(err, "an expression this long");
    struct expr_run *run = calloc(1, sizeof *run);
    if (!run)
        return error_no_memory(err);
    arena_init(&run->arena, 0);
    run->root = ARENA_NEW(&run->arena, struct step);
    enum status status = run->root ? make_step(run, expr, run->root, err) : error_no_memory(err);
    if (status != STATUS_OK) {
        expr_run_free(run);
        return status;
    }
    *ret = run;
    return STATUS_OK;
}

static void release_step(struct step *step)
{
    column_release(&step->out);
    for (uint32_t i = 0; step->expr && step->args && i < step->expr->args_len; i++)
        release_step(&step->args[i]);
}

void expr_run_free(struct expr_run *run)
{
    if (!run)
        return;
    if (run->root)
        release_step(run->root);
    arena_release(&run->arena);
    free(run);
}

/* --- evaluation --- */

static enum status all_null(struct step *step, uint32_t rows, struct error *err)
{
    step->value = &step->out;
    column_truncate(&step->out, 0);
    return out_of_memory(column_append_nulls(&step->out, rows), err);
}

static enum status load_input(struct step *step, const struct expr_source *source, uint32_t rows,
                              struct error *err)
{
    const struct column *column = NULL;
    TRY(source->column(source->context, step->expr->input, &column, err));
    if (!column)
        return all_null(step, rows, err);
    if (column->type != step->expr->type || column->rows < rows)
        return error_set(err, STATUS_INTERNAL, "an expression reads another column than it knew");
    step->value = column;
    return STATUS_OK;
}

/* Once, for as many rows as there can be. */
static enum status spread_constant(struct step *step, struct error *err)
{
    enum status status = STATUS_OK;
    if (step->ready)
        return STATUS_OK;
    for (uint32_t i = 0; i < EXPR_ROWS_MAX && status == STATUS_OK; i++)
        status = column_append_value(&step->out, &step->expr->constant);
    step->ready = status == STATUS_OK;
    return out_of_memory(status, err);
}

static enum status eval_step(struct step *step, const struct expr_source *source, uint32_t rows,
                             struct error *err)
{
    for (uint32_t i = 0; i < step->expr->args_len; i++)
        TRY(eval_step(&step->args[i], source, rows, err));
    switch (step->expr->op) {
    case EXPR_INPUT:
        return load_input(step, source, rows, err);
    case EXPR_CONSTANT:
        return spread_constant(step, err);
    case EXPR_ADD:
    case EXPR_SUBTRACT:
    case EXPR_MULTIPLY:
    case EXPR_DIVIDE:
    case EXPR_QUOTIENT:
    case EXPR_MODULO:
    case EXPR_NEGATE:
    case EXPR_ABS:
    case EXPR_ROUND:
    case EXPR_FLOOR:
    case EXPR_CEIL:
        return step_number(step, rows, err);
    case EXPR_EQ:
    case EXPR_NE:
    case EXPR_LT:
    case EXPR_LE:
    case EXPR_GT:
    case EXPR_GE:
        return step_compare(step, rows, err);
    case EXPR_IS_NULL:
    case EXPR_NOT:
    case EXPR_AND:
    case EXPR_OR:
        return step_logic(step, rows, err);
    case EXPR_CASE:
    case EXPR_COALESCE:
        return step_choice(step, rows, err);
    case EXPR_CAST:
        return step_cast(step, rows, err);
    case EXPR_LIKE:
    case EXPR_LENGTH:
    case EXPR_LOWER:
    case EXPR_UPPER:
    case EXPR_SUBSTRING:
    case EXPR_CONCAT:
        return step_text(step, rows, err);
    case EXPR_TIME_TRUNC:
    case EXPR_TIME_PART:
        return step_time(step, rows, err);
    }
    return error_set(err, STATUS_INTERNAL, "an unknown expression");
}

enum status expr_run_eval(struct expr_run *run, const struct expr_source *source, uint32_t rows,
                          const struct column **ret, struct error *err)
{
    if (rows > EXPR_ROWS_MAX)
        return error_set(err, STATUS_INTERNAL, "more rows than an expression takes at once");
    TRY(eval_step(run->root, source, rows, err));
    *ret = run->root->value;
    return STATUS_OK;
}

uint32_t expr_select(const struct column *values, const uint32_t *in, uint32_t n, uint32_t *out)
{
    const uint8_t *truth = values->values; /* null slots hold zero */
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        out[kept] = in ? in[i] : i;
        kept += truth[i] != 0;
    }
    return kept;
}
