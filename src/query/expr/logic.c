/* logic.c: comparisons, three-valued logic, choices. */
#include <math.h>

#include "query/expr/expr_int.h"

/* --- comparisons --- */

static bool holds(enum expr_op op, int order)
{
    switch (op) {
    case EXPR_EQ:
        return order == 0;
    case EXPR_NE:
        return order != 0;
    case EXPR_LT:
        return order < 0;
    case EXPR_LE:
        return order <= 0;
    case EXPR_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

#define COMPARE_LOOP(type, sign)                                                                   \
    do {                                                                                           \
        const type *x = a->values, *y = b->values;                                                 \
        for (uint32_t i = 0; i < rows; i++)                                                        \
            out[i] = x[i] sign y[i];                                                               \
    } while (0)

#define COMPARE(type)                                                                              \
    do {                                                                                           \
        switch (op) {                                                                              \
        case EXPR_EQ:                                                                              \
            COMPARE_LOOP(type, ==);                                                                \
            break;                                                                                 \
        case EXPR_NE:                                                                              \
            COMPARE_LOOP(type, !=);                                                                \
            break;                                                                                 \
        case EXPR_LT:                                                                              \
            COMPARE_LOOP(type, <);                                                                 \
            break;                                                                                 \
        case EXPR_LE:                                                                              \
            COMPARE_LOOP(type, <=);                                                                \
            break;                                                                                 \
        case EXPR_GT:                                                                              \
            COMPARE_LOOP(type, >);                                                                 \
            break;                                                                                 \
        default:                                                                                   \
            COMPARE_LOOP(type, >=);                                                                \
        }                                                                                          \
    } while (0)

/* NaN is equal to NaN and above all else. */
static int order_of_reals(double a, double b)
{
    if (isnan(a) || isnan(b))
        return (int)isnan(a) - (int)isnan(b);
    return (a > b) - (a < b);
}

static bool has_nan(const double *values, uint32_t rows)
{
    bool found = false;
    for (uint32_t i = 0; i < rows; i++)
        found |= isnan(values[i]) != 0;
    return found;
}

static int order_of_texts(struct str a, struct str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.data, b.data, len) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

enum status step_compare(struct step *step, uint32_t rows, struct error *err)
{
    const struct column *a = step_arg(step, 0), *b = step_arg(step, 1);
    enum expr_op op = step->expr->op;
    TRY(step_room(step, rows, err));
    uint8_t *out = step->out.values;
    switch (a->type) {
    case TYPE_INT64:
    case TYPE_TIMESTAMP:
        COMPARE(int64_t);
        break;
    case TYPE_DATE:
        COMPARE(int32_t);
        break;
    case TYPE_BOOL:
        COMPARE(uint8_t);
        break;
    case TYPE_DOUBLE:
        if (!has_nan(a->values, rows) && !has_nan(b->values, rows)) {
            COMPARE(double);
            break;
        }
        for (uint32_t i = 0; i < rows; i++)
            out[i] = holds(op, order_of_reals(column_double(a, i), column_double(b, i)));
        break;
    default:
        for (uint32_t i = 0; i < rows; i++)
            out[i] = holds(op, order_of_texts(column_str(a, i), column_str(b, i)));
    }
    return step_take_nulls(step, rows, err);
}

/* --- logic --- */

static enum status negate(struct step *step, uint32_t rows, struct error *err)
{
    const uint8_t *in = step_arg(step, 0)->values;
    uint8_t *out = step->out.values;
    for (uint32_t i = 0; i < rows; i++)
        out[i] = !in[i];
    return step_take_nulls(step, rows, err);
}

static void is_null(struct step *step, uint32_t rows)
{
    const struct column *in = step_arg(step, 0);
    uint8_t *out = step->out.values;
    for (uint32_t i = 0; i < rows; i++)
        out[i] = column_is_null(in, i);
}

/* AND: false when one is false, else null when one is null. OR: true when one is true, ... */
static enum status join(struct step *step, uint32_t rows, struct error *err)
{
    bool decides = step->expr->op == EXPR_OR, nulls = false;
    uint8_t *out = step->out.values;
    memset(out, !decides, rows);
    for (uint32_t k = 0; k < step->expr->args_len; k++) {
        const struct column *arg = step_arg(step, k);
        const uint8_t *in = arg->values;
        nulls |= arg->nulls != 0;
        for (uint32_t i = 0; i < rows && !arg->nulls; i++)
            out[i] = decides ? out[i] | in[i] : out[i] & in[i];
        for (uint32_t i = 0; i < rows && arg->nulls; i++)
            if (!column_is_null(arg, i) && (in[i] != 0) == decides)
                out[i] = decides;
    }
    for (uint32_t k = 0; nulls && k < step->expr->args_len; k++) {
        const struct column *arg = step_arg(step, k);
        for (uint32_t i = 0; i < rows && arg->nulls; i++)
            if (column_is_null(arg, i) && (column_is_null(&step->out, i) || out[i] != decides))
                TRY(step_set_null(step, i, err));
    }
    return STATUS_OK;
}

enum status step_logic(struct step *step, uint32_t rows, struct error *err)
{
    TRY(step_room(step, rows, err));
    if (step->expr->op == EXPR_NOT)
        return negate(step, rows, err);
    if (step->expr->op != EXPR_IS_NULL)
        return join(step, rows, err);
    is_null(step, rows);
    return STATUS_OK;
}

/* --- choices --- */

/* The argument that a row's value comes from. */
static uint32_t chosen(const struct step *step, uint32_t row)
{
    uint32_t last = step->expr->args_len - 1;
    if (step->expr->op == EXPR_COALESCE) {
        uint32_t k = 0;
        while (k < last && column_is_null(step_arg(step, k), row))
            k++;
        return k;
    }
    for (uint32_t k = 0; k + 1 <= last; k += 2)
        if (column_bool(step_arg(step, k), row)) /* null slots hold zero */
            return k + 1;
    return last;
}

enum status step_choice(struct step *step, uint32_t rows, struct error *err)
{
    struct column *out = &step->out;
    size_t width = type_is_bytes(out->type) ? 0 : type_width(out->type);
    TRY(step_room(step, rows, err));
    for (uint32_t i = 0; i < rows; i++) {
        const struct column *from = step_arg(step, chosen(step, i));
        if (!width) {
            enum status status = column_append_from(out, from, i);
            if (status != STATUS_OK)
                return error_set(err, status, "the texts of one batch do not fit");
        } else if (column_is_null(from, i)) {
            TRY(step_set_null(step, i, err));
        } else {
            memcpy((char *)out->values + i * width, (const char *)from->values + i * width, width);
        }
    }
    return STATUS_OK;
}
