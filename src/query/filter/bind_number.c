/* bind_number.c: tests on BOOL, INT64, DOUBLE, DATE and TIMESTAMP columns.
 *
 * Every comparison becomes a closed interval in the column's own type, so that the comparison of an
 * integer column with 2.5, or of a double column with 2^63, needs no rounding at run time:
 * x < 2.5 is x <= 2 for integers; x > 0.0 is x >= the smallest double above it. */
#include <math.h>
#include <stdio.h>

#include "base/datetime.h"
#include "query/filter/bound_int.h"

struct wide_range {
    __int128 lo, hi;
};

static const __int128 wide_max = ((__int128)1 << 126);

/* Largest integer that is not above the number. */
static __int128 whole_below(const struct literal *l, bool *ret_exact)
{
    *ret_exact = true;
    if (l->kind == LITERAL_INT)
        return l->integer;
    double whole = floor(l->real);
    *ret_exact = whole == l->real;
    if (whole >= 0x1p126)
        return wide_max;
    if (whole <= -0x1p126)
        return -wide_max;
    return (__int128)whole;
}

static struct wide_range int_interval(enum filter_op op, const struct literal *l)
{
    bool exact;
    __int128 below = whole_below(l, &exact);
    struct wide_range all = {-wide_max - 2, wide_max + 2};
    switch (op) {
    case FILTER_GT:
        all.lo = below + 1;
        break;
    case FILTER_GTE:
        all.lo = exact ? below : below + 1;
        break;
    case FILTER_LT:
        all.hi = exact ? below - 1 : below;
        break;
    case FILTER_LTE:
        all.hi = below;
        break;
    default:
        all = exact ? (struct wide_range){below, below} : (struct wide_range){1, 0};
    }
    return all;
}

static void clamp(struct wide_range wide, int64_t *ret_lo, int64_t *ret_hi)
{
    if (wide.lo > wide.hi || wide.lo > INT64_MAX || wide.hi < INT64_MIN) {
        *ret_lo = 1;
        *ret_hi = 0;
        return;
    }
    *ret_lo = wide.lo < INT64_MIN ? INT64_MIN : (int64_t)wide.lo;
    *ret_hi = wide.hi > INT64_MAX ? INT64_MAX : (int64_t)wide.hi;
}

static __int128 divide_down(__int128 a, int64_t b)
{
    __int128 q = a / b;
    return q * b > a ? q - 1 : q;
}

/* Days whose midnight lies in an interval of microseconds. */
static void day_interval(struct wide_range us, struct number_range *range)
{
    struct wide_range days = {-divide_down(-us.lo, bound_us_per_day),
                              divide_down(us.hi, bound_us_per_day)};
    clamp(days, &range->day_lo, &range->day_hi);
}

/* The doubles next to the number: *below <= number <= *above. */
static void doubles_around(const struct literal *l, double *ret_below, double *ret_above)
{
    double d = l->kind == LITERAL_INT ? (double)l->integer : l->real;
    struct literal nearest = {.kind = LITERAL_REAL, .real = d};
    int order = literal_compare_numbers(&nearest, l);
    *ret_below = order <= 0 ? d : nextafter(d, -INFINITY);
    *ret_above = order >= 0 ? d : nextafter(d, INFINITY);
}

static void real_interval(enum filter_op op, const struct literal *l, struct number_range *range)
{
    double below, above;
    doubles_around(l, &below, &above);
    bool exact = below == above;
    range->real_lo = -INFINITY;
    range->real_hi = INFINITY;
    switch (op) {
    case FILTER_GT:
        range->real_lo = exact ? nextafter(above, INFINITY) : above;
        break;
    case FILTER_GTE:
        range->real_lo = above;
        break;
    case FILTER_LT:
        range->real_hi = exact ? nextafter(below, -INFINITY) : below;
        break;
    case FILTER_LTE:
        range->real_hi = below;
        break;
    default:
        range->real_lo = above;
        range->real_hi = below;
    }
}

static const char *wanted_by(enum type type)
{
    switch (type) {
    case TYPE_BOOL:
        return "true or false";
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
        return "an ISO date or timestamp as text";
    default:
        return "a number";
    }
}

static enum status wrong_literal(const struct predicate *predicate, const struct literal *l,
                                 struct error *err)
{
    char what[160];
    bool time = predicate->type == TYPE_DATE || predicate->type == TYPE_TIMESTAMP;
    snprintf(what, sizeof what, "a %s column is compared with %s, not with %s",
             type_name(predicate->type), wanted_by(predicate->type),
             time && l->kind == LITERAL_STR ? "this text" : literal_kind_name(l->kind));
    return condition_error(err, predicate->field, l, what);
}

/* The literal as a number of the column's own scale: true is 1, times are microseconds. */
static enum status as_number(const struct predicate *predicate, const struct literal *l,
                             struct literal *ret, struct error *err)
{
    int64_t us;
    *ret = *l;
    switch (predicate->type) {
    case TYPE_BOOL:
        if (l->kind != LITERAL_BOOL)
            return wrong_literal(predicate, l, err);
        *ret = (struct literal){.kind = LITERAL_INT, .integer = l->boolean};
        return STATUS_OK;
    case TYPE_DATE:
    case TYPE_TIMESTAMP:
        if (l->kind != LITERAL_STR || !timestamp_parse(l->text, &us))
            return wrong_literal(predicate, l, err);
        *ret = (struct literal){.kind = LITERAL_INT, .integer = us};
        return STATUS_OK;
    default:
        if (l->kind != LITERAL_INT && l->kind != LITERAL_REAL)
            return wrong_literal(predicate, l, err);
        return STATUS_OK;
    }
}

static enum status bind_set(struct bound_filter *bound, struct predicate *predicate,
                            const struct condition *condition, struct test *test, struct error *err)
{
    uint32_t n = condition->literals_len;
    if (!set64_init(&test->ints, n, &bound->arena) || !set64_init(&test->reals, n, &bound->arena) ||
        !set64_init(&test->days, n, &bound->arena))
        return error_no_memory(err);
    for (uint32_t i = 0; i < n; i++) {
        struct literal number;
        struct number_range range;
        if (condition->literals[i].kind == LITERAL_NULL)
            continue;
        TRY(as_number(predicate, &condition->literals[i], &number, err));
        struct wide_range wide = int_interval(FILTER_EQ, &number);
        clamp(wide, &range.int_lo, &range.int_hi);
        day_interval(wide, &range);
        real_interval(FILTER_EQ, &number, &range);
        if (range.int_lo <= range.int_hi)
            set64_add(&test->ints, (uint64_t)range.int_lo);
        if (range.day_lo <= range.day_hi)
            set64_add(&test->days, (uint64_t)range.day_lo);
        if (range.real_lo <= range.real_hi)
            set64_add(&test->reals, set64_of_real(range.real_lo));
    }
    test->kind = TEST_SET;
    test->negate = condition->op == FILTER_NOT_IN;
    return STATUS_OK;
}

enum status bind_number_test(struct bound_filter *bound, struct predicate *predicate,
                             const struct condition *condition, struct test *test,
                             struct error *err)
{
    struct literal number;
    if (condition->op == FILTER_LIKE || condition->op == FILTER_REGEX) {
        char what[100];
        snprintf(what, sizeof what, "%s works on text, this is a %s column",
                 filter_op_name(condition->op), type_name(predicate->type));
        return condition_error(err, predicate->field, condition->literals, what);
    }
    if (condition->op == FILTER_IN || condition->op == FILTER_NOT_IN)
        return bind_set(bound, predicate, condition, test, err);
    TRY(as_number(predicate, condition->literals, &number, err));
    struct wide_range wide = int_interval(condition->op, &number);
    clamp(wide, &test->range.int_lo, &test->range.int_hi);
    day_interval(wide, &test->range);
    real_interval(condition->op, &number, &test->range);
    test->kind = TEST_RANGE;
    test->negate = condition->op == FILTER_NE;
    return STATUS_OK;
}
