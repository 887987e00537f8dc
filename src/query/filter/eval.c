/* eval.c: predicates over columns, test by test, each narrowing the selection.
 *
 * Null rows are taken out first (null slots hold zero and empty text, so a test would not see
 * them). Loops over fixed-width values are free of branches: every row is written, the length grows
 * by the truth of the test. Writing in place is safe because the length never runs ahead of the
 * row. */
#include "query/filter/bound_int.h"

#define SELECT(condition)                                                                          \
    do {                                                                                           \
        uint32_t kept_ = 0;                                                                        \
        if (in) {                                                                                  \
            for (uint32_t i_ = 0; i_ < n; i_++) {                                                  \
                uint32_t row = in[i_];                                                             \
                out[kept_] = row;                                                                  \
                kept_ += (condition) ? 1u : 0u;                                                    \
            }                                                                                      \
        } else {                                                                                   \
            for (uint32_t row = 0; row < n; row++) {                                               \
                out[kept_] = row;                                                                  \
                kept_ += (condition) ? 1u : 0u;                                                    \
            }                                                                                      \
        }                                                                                          \
        return kept_;                                                                              \
    } while (0)

static uint32_t select_all(const uint32_t *in, uint32_t n, uint32_t *out)
{
    if (in) {
        if (in != out)
            memmove(out, in, n * sizeof *out);
        return n;
    }
    for (uint32_t i = 0; i < n; i++)
        out[i] = i;
    return n;
}

static uint32_t select_null(const struct column *column, const uint32_t *in, uint32_t n,
                            uint32_t *out, bool wanted)
{
    if (!column || !column->validity)
        return wanted == !column ? select_all(in, n, out) : 0;
    const uint8_t *validity = column->validity;
    uint32_t flip = wanted ? 1 : 0;
    SELECT(((validity[row >> 3] >> (row & 7)) & 1u) ^ flip);
}

static uint32_t select_int64(const int64_t *v, int64_t lo, int64_t hi, bool negate,
                             const uint32_t *in, uint32_t n, uint32_t *out)
{
    SELECT(((v[row] >= lo) & (v[row] <= hi)) ^ negate);
}

static uint32_t select_int32(const int32_t *v, int64_t lo, int64_t hi, bool negate,
                             const uint32_t *in, uint32_t n, uint32_t *out)
{
    SELECT(((v[row] >= lo) & (v[row] <= hi)) ^ negate);
}

static uint32_t select_uint8(const uint8_t *v, int64_t lo, int64_t hi, bool negate,
                             const uint32_t *in, uint32_t n, uint32_t *out)
{
    SELECT(((v[row] >= lo) & (v[row] <= hi)) ^ negate);
}

static uint32_t select_double(const double *v, double lo, double hi, bool negate,
                              const uint32_t *in, uint32_t n, uint32_t *out)
{
    SELECT(((v[row] >= lo) & (v[row] <= hi)) ^ negate);
}

static uint32_t select_range(const struct test *test, const struct column *column,
                             const uint32_t *in, uint32_t n, uint32_t *out)
{
    const struct number_range *r = &test->range;
    switch (column->type) {
    case TYPE_BOOL:
        return select_uint8(column->values, r->int_lo, r->int_hi, test->negate, in, n, out);
    case TYPE_DATE:
        return select_int32(column->values, r->day_lo, r->day_hi, test->negate, in, n, out);
    case TYPE_DOUBLE:
        return select_double(column->values, r->real_lo, r->real_hi, test->negate, in, n, out);
    default:
        return select_int64(column->values, r->int_lo, r->int_hi, test->negate, in, n, out);
    }
}

static uint32_t select_set(const struct test *test, const struct column *column, const uint32_t *in,
                           uint32_t n, uint32_t *out)
{
    bool negate = test->negate;
    const void *v = column->values;
    switch (column->type) {
    case TYPE_BOOL:
        SELECT(set64_has(&test->ints, ((const uint8_t *)v)[row]) != negate);
    case TYPE_DATE:
        SELECT(set64_has(&test->days, (uint64_t)(int64_t)((const int32_t *)v)[row]) != negate);
    case TYPE_DOUBLE:
        SELECT(set64_has(&test->reals, set64_of_real(((const double *)v)[row])) != negate);
    default:
        SELECT(set64_has(&test->ints, ((const uint64_t *)v)[row]) != negate);
    }
}

static bool in_text_range(const struct test *test, struct str text)
{
    if (test->has_lo) {
        int order = str_cmp(text, test->lo);
        if (order < 0 || (order == 0 && test->lo_open))
            return false;
    }
    if (test->has_hi) {
        int order = str_cmp(text, test->hi);
        if (order > 0 || (order == 0 && test->hi_open))
            return false;
    }
    return true;
}

static uint32_t select_text_equal(const struct test *test, const struct column *column,
                                  const uint32_t *in, uint32_t n, uint32_t *out)
{
    const uint32_t *offsets = column->values;
    const char *bytes = column->bytes;
    const char *wanted = test->lo.data;
    uint32_t len = (uint32_t)test->lo.len;
    bool negate = test->negate;
    SELECT((offsets[row + 1] - offsets[row] == len &&
            (len == 0 || memcmp(bytes + offsets[row], wanted, len) == 0)) != negate);
}

static uint32_t select_text_range(const struct test *test, const struct column *column,
                                  const uint32_t *in, uint32_t n, uint32_t *out)
{
    bool negate = test->negate;
    if (test->has_lo && test->has_hi) /* only equality has both */
        return select_text_equal(test, column, in, n, out);
    SELECT(in_text_range(test, column_str(column, row)) != negate);
}

static uint32_t select_text_set(const struct test *test, const struct column *column,
                                const uint32_t *in, uint32_t n, uint32_t *out)
{
    bool negate = test->negate;
    SELECT(literal_set_has_text(&test->set, column_str(column, row)) != negate);
}

static uint32_t select_like(const struct test *test, const struct column *column,
                            const uint32_t *in, uint32_t n, uint32_t *out)
{
    SELECT(like_match(&test->like, column_str(column, row)));
}

static uint32_t regex_rows(const struct test *test, const struct column *column, const uint32_t *in,
                           uint32_t n, uint32_t *out)
{
    SELECT(regex_match(test->regex, column_str(column, row)));
}

static uint32_t select_regex(const struct test *test, const struct column *column,
                             const uint32_t *in, uint32_t n, uint32_t *out)
{
    locale_t before = regex_enter(test->regex);
    uint32_t kept = regex_rows(test, column, in, n, out);
    regex_leave(test->regex, before);
    return kept;
}

static uint32_t select_test(const struct test *test, const struct column *column,
                            const uint32_t *in, uint32_t n, uint32_t *out)
{
    switch (test->kind) {
    case TEST_NULL:
        return select_null(column, in, n, out, true);
    case TEST_NOT_NULL:
        return select_null(column, in, n, out, false);
    case TEST_RANGE:
        return select_range(test, column, in, n, out);
    case TEST_SET:
        return select_set(test, column, in, n, out);
    case TEST_TEXT_RANGE:
        return select_text_range(test, column, in, n, out);
    case TEST_TEXT_SET:
        return select_text_set(test, column, in, n, out);
    case TEST_LIKE:
        return select_like(test, column, in, n, out);
    case TEST_REGEX:
        return select_regex(test, column, in, n, out);
    default:
        return 0;
    }
}

/* A column as storage may hand it out for a predicate of the schema's type. */
static bool type_fits(const struct predicate *predicate, const struct column *column)
{
    return column->type == predicate->type || type_can_widen(column->type, predicate->type);
}

enum status bound_filter_eval(struct bound_filter *bound, uint32_t index,
                              const struct column *column, const uint32_t *in, uint32_t n,
                              uint32_t *out, uint32_t *ret_n, struct error *err)
{
    const struct predicate *predicate = &bound->predicates[index];
    if (predicate->column < 0)
        column = NULL;
    if (column && !type_fits(predicate, column))
        return error_set(err, STATUS_CORRUPT, "column '%.*s' is %s, the schema says %s",
                         predicate->field.len < 100 ? (int)predicate->field.len : 100,
                         predicate->field.data, type_name(column->type),
                         type_name(predicate->type));
    if (column && predicate->type == TYPE_JSON)
        return eval_json(bound, predicate, column, in, n, out, ret_n, err);
    bool nulls_out = false;
    for (uint32_t t = 0; t < predicate->tests_len && n > 0; t++) {
        const struct test *test = &predicate->tests[t];
        if (!nulls_out && test->kind >= TEST_RANGE) {
            n = !column ? 0 : column->validity ? select_null(column, in, n, out, false) : n;
            in = column && column->validity ? out : in;
            nulls_out = true;
            if (n == 0)
                break;
        }
        n = select_test(test, column, in, n, out);
        in = out;
        if (test->regex && regex_failed(test->regex))
            return error_no_memory(err);
    }
    *ret_n = n;
    return STATUS_OK;
}
