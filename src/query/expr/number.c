/* number.c: arithmetic. Whole numbers that overflow and doubles that become infinite (division by
 * zero too) are doubts; a whole number divided by zero is null. */
#include <math.h>

#include "query/expr/expr_int.h"

static const int64_t *ints(const struct step *step, uint32_t arg)
{
    return step_arg(step, arg)->values;
}

static const double *reals(const struct step *step, uint32_t arg)
{
    return step_arg(step, arg)->values;
}

/* --- whole numbers --- */

/* Overflow is gathered over all rows, so that the loops need no way out. */
#define WHOLE_LOOP(function)                                                                       \
    for (uint32_t i = 0; i < rows; i++)                                                            \
    over |= function(a[i], b[i], &out[i])

static bool add_whole(const struct step *step, uint32_t rows)
{
    const int64_t *a = ints(step, 0), *b = ints(step, 1);
    int64_t *out = step->out.values;
    bool over = false;
    if (step->expr->op == EXPR_ADD)
        WHOLE_LOOP(__builtin_add_overflow);
    else if (step->expr->op == EXPR_SUBTRACT)
        WHOLE_LOOP(__builtin_sub_overflow);
    else
        WHOLE_LOOP(__builtin_mul_overflow);
    return over;
}

/* A divisor of zero gives null, later; the least number by -1 overflows. */
static bool divide_whole(const struct step *step, uint32_t rows)
{
    const int64_t *a = ints(step, 0), *b = ints(step, 1);
    int64_t *out = step->out.values;
    bool quotient = step->expr->op == EXPR_QUOTIENT, over = false;
    for (uint32_t i = 0; i < rows; i++) {
        bool least = a[i] == INT64_MIN && b[i] == -1;
        int64_t by = b[i] == 0 || least ? 1 : b[i];
        over |= least;
        out[i] = quotient ? a[i] / by : a[i] % by;
    }
    return over;
}

static bool change_whole(const struct step *step, uint32_t rows)
{
    const int64_t *a = ints(step, 0);
    int64_t *out = step->out.values;
    bool over = false, negate = step->expr->op == EXPR_NEGATE;
    for (uint32_t i = 0; i < rows; i++) {
        over |= a[i] == INT64_MIN;
        out[i] = a[i] == INT64_MIN ? 0 : negate || a[i] < 0 ? -a[i] : a[i];
    }
    return over;
}

static bool is_wide(const int64_t *values, uint32_t rows)
{
    bool wide = false;
    for (uint32_t i = 0; i < rows; i++)
        wide |= values[i] != (int32_t)values[i];
    return wide;
}

static enum status whole(struct step *step, uint32_t rows, struct error *err)
{
    bool over;
    switch (step->expr->op) {
    case EXPR_QUOTIENT:
    case EXPR_MODULO:
        over = divide_whole(step, rows);
        break;
    case EXPR_NEGATE:
    case EXPR_ABS:
        over = change_whole(step, rows);
        break;
    default:
        over = add_whole(step, rows);
    }
    if (over || (step->expr->narrow && is_wide(step->out.values, rows)))
        return step_doubt(err, "an integer that overflows");
    return STATUS_OK;
}

/* --- doubles --- */

static double round_to(double value, int64_t decimals)
{
    if (decimals == 0)
        return round(value);
    double scale = pow(10, (double)decimals);
    double rounded = round(value * scale) / scale;
    return isfinite(rounded) ? rounded : value;
}

#define REAL_LOOP(expression)                                                                      \
    for (uint32_t i = 0; i < rows; i++)                                                            \
    out[i] = (expression)

static void change_real(const struct step *step, uint32_t rows)
{
    const double *a = reals(step, 0);
    double *out = step->out.values;
    switch (step->expr->op) {
    case EXPR_NEGATE:
        REAL_LOOP(-a[i]);
        break;
    case EXPR_ABS:
        REAL_LOOP(fabs(a[i]));
        break;
    case EXPR_ROUND:
        REAL_LOOP(round_to(a[i], step->expr->number));
        break;
    case EXPR_FLOOR:
        REAL_LOOP(floor(a[i]));
        break;
    default:
        REAL_LOOP(ceil(a[i]));
    }
}

static void join_reals(const struct step *step, uint32_t rows)
{
    const double *a = reals(step, 0), *b = reals(step, 1);
    double *out = step->out.values;
    switch (step->expr->op) {
    case EXPR_ADD:
        REAL_LOOP(a[i] + b[i]);
        break;
    case EXPR_SUBTRACT:
        REAL_LOOP(a[i] - b[i]);
        break;
    case EXPR_MULTIPLY:
        REAL_LOOP(a[i] * b[i]);
        break;
    case EXPR_DIVIDE:
        REAL_LOOP(a[i] / b[i]);
        break;
    default:
        REAL_LOOP(fmod(a[i], b[i]));
    }
}

static enum status real(struct step *step, uint32_t rows, struct error *err)
{
    const double *out = step->out.values;
    double sum = 0;
    if (step->expr->args_len == 1)
        change_real(step, rows);
    else
        join_reals(step, rows);
    TRY(step_take_nulls(step, rows, err)); /* what came out of null slots says nothing */
    for (uint32_t i = 0; i < rows; i++)
        sum += out[i] * 0; /* NaN when any of them is not finite */
    return sum == 0 ? STATUS_OK : step_doubt(err, "a number that is not finite");
}

/* --- */

static enum status null_where_zero(struct step *step, uint32_t rows, struct error *err)
{
    const int64_t *by = ints(step, 1);
    for (uint32_t i = 0; i < rows; i++)
        if (by[i] == 0)
            TRY(step_set_null(step, i, err));
    return STATUS_OK;
}

enum status step_number(struct step *step, uint32_t rows, struct error *err)
{
    enum expr_op op = step->expr->op;
    TRY(step_room(step, rows, err));
    if (step->expr->type == TYPE_DOUBLE)
        return real(step, rows, err);
    TRY(whole(step, rows, err));
    TRY(step_take_nulls(step, rows, err));
    return op == EXPR_QUOTIENT || op == EXPR_MODULO ? null_where_zero(step, rows, err) : STATUS_OK;
}
