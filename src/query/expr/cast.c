/* cast.c: from type to type; what does not fit is a doubt. */
#include <math.h>
#include <stdio.h>

#include "query/expr/expr_int.h"

static const int64_t us_per_day = INT64_C(86400000000);

/* Doubles round to the nearest, halves to even. */
static bool to_whole(struct step *step, uint32_t rows)
{
    const struct column *in = step_arg(step, 0);
    int64_t *out = step->out.values;
    bool narrow = step->expr->narrow, good = true;
    for (uint32_t i = 0; i < rows; i++) {
        if (in->type == TYPE_DOUBLE) {
            double value = nearbyint(column_double(in, i));
            bool fits = value >= -0x1p63 && value < 0x1p63;
            good &= fits;
            out[i] = fits ? (int64_t)value : 0;
        } else {
            out[i] = in->type == TYPE_BOOL ? column_bool(in, i) : column_int64(in, i);
        }
        good &= !narrow || out[i] == (int32_t)out[i];
    }
    return good;
}

/* The engine turns a HUGEINT (`number`) beyond 2^53 into a double in its own way. */
static bool to_real(struct step *step, uint32_t rows)
{
    const struct column *in = step_arg(step, 0);
    double *out = step->out.values;
    for (uint32_t i = 0; i < rows; i++)
        out[i] = in->type == TYPE_DOUBLE ? column_double(in, i)
                 : in->type == TYPE_BOOL ? column_bool(in, i)
                                         : (double)column_int64(in, i);
    bool good = true;
    for (uint32_t i = 0; step->expr->number && i < rows; i++)
        good &= fabs(out[i]) < 0x1p53;
    return good;
}

static bool to_date(struct step *step, uint32_t rows)
{
    const int64_t *in = step_arg(step, 0)->values;
    int32_t *out = step->out.values;
    bool good = true;
    for (uint32_t i = 0; i < rows; i++) {
        int64_t days = in[i] / us_per_day - (in[i] % us_per_day < 0);
        good &= in[i] > INT64_MIN + 1 && in[i] < INT64_MAX; /* infinities */
        out[i] = (int32_t)days;
    }
    return good;
}

static bool to_timestamp(struct step *step, uint32_t rows)
{
    const int32_t *in = step_arg(step, 0)->values;
    int64_t *out = step->out.values;
    bool over = false;
    for (uint32_t i = 0; i < rows; i++)
        over |= __builtin_mul_overflow((int64_t)in[i], us_per_day, &out[i]);
    return !over;
}

static enum status to_text(struct step *step, uint32_t rows, struct error *err)
{
    const struct column *in = step_arg(step, 0);
    char text[32];
    for (uint32_t i = 0; i < rows; i++) {
        int len = snprintf(text, sizeof text, "%lld", (long long)column_int64(in, i));
        enum status status = column_is_null(in, i)
                                 ? column_append_null(&step->out)
                                 : column_append_bytes(&step->out, str_make(text, (size_t)len));
        if (status != STATUS_OK)
            return error_set(err, status, "the texts of one batch do not fit");
    }
    return STATUS_OK;
}

enum status step_cast(struct step *step, uint32_t rows, struct error *err)
{
    bool good = true;
    TRY(step_room(step, rows, err));
    switch (step->expr->type) {
    case TYPE_INT64:
        good = to_whole(step, rows);
        break;
    case TYPE_DOUBLE:
        good = to_real(step, rows);
        break;
    case TYPE_DATE:
        good = to_date(step, rows);
        break;
    case TYPE_TIMESTAMP:
        good = to_timestamp(step, rows);
        break;
    case TYPE_STRING:
        return to_text(step, rows, err);
    default:
        good = false;
    }
    return good ? step_take_nulls(step, rows, err) : step_doubt(err, "a cast that does not fit");
}
