/* expr_test.c: three-valued logic, arithmetic and its doubts, texts, times, choices; normal form.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/datetime.h"
#include "query/expr/expr.h"

enum { ROWS = 6, COLUMNS = 5 };
enum { INT, REAL, TEXT, BOOL, DAY };

/* n: 7 -7 null 0 max min; r: 2.5 -2.5 null 0 1e308 NaN; s, b, d alike. */
struct fixture {
    struct arena arena;
    struct column columns[COLUMNS];
};

static int set_up(void **state)
{
    static const char *const texts[ROWS] = {
        "aB", "", NULL, "x\xCC\x81y", "\xE6\x97\xA5\xE6\x9C\xAC", "zz"};
    static const int truth[ROWS] = {1, 0, -1, 1, 0, -1};
    static const int64_t ints[ROWS] = {7, -7, 0, 0, INT64_MAX, INT64_MIN};
    static const double reals[ROWS] = {2.5, -2.5, 0, 0, 1e308, NAN};
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    arena_init(&f->arena, 0);
    static const enum type types[COLUMNS] = {TYPE_INT64, TYPE_DOUBLE, TYPE_STRING, TYPE_BOOL,
                                             TYPE_DATE};
    for (int i = 0; i < COLUMNS; i++)
        column_init(&f->columns[i], types[i]);
    for (int i = 0; i < ROWS; i++) {
        bool null = i == 2;
        null ? column_append_null(&f->columns[INT])
             : column_append_int64(&f->columns[INT], ints[i]);
        null ? column_append_null(&f->columns[REAL])
             : column_append_double(&f->columns[REAL], reals[i]);
        texts[i] ? column_append_bytes(&f->columns[TEXT], str_of(texts[i]))
                 : column_append_null(&f->columns[TEXT]);
        truth[i] < 0 ? column_append_null(&f->columns[BOOL])
                     : column_append_bool(&f->columns[BOOL], truth[i]);
        null ? column_append_null(&f->columns[DAY])
             : column_append_date(&f->columns[DAY], date_from_civil(2020 + i, 12, 31));
    }
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < COLUMNS; i++)
        column_release(&f->columns[i]);
    arena_release(&f->arena);
    free(f);
    return 0;
}

static const struct expr *col(struct fixture *f, uint32_t input)
{
    struct expr *expr = ARENA_NEW(&f->arena, struct expr);
    *expr = (struct expr){.op = EXPR_INPUT, .type = f->columns[input].type, .input = input};
    expr->name = STR("c");
    return expr;
}

static const struct expr *whole(struct fixture *f, int64_t value)
{
    struct expr *expr = ARENA_NEW(&f->arena, struct expr);
    *expr = (struct expr){.op = EXPR_CONSTANT, .type = TYPE_INT64};
    expr->constant = (struct value){.type = TYPE_INT64, .int64 = value};
    return expr;
}

static struct expr *op(struct fixture *f, enum expr_op op, enum type type, uint32_t len, ...)
{
    struct expr *expr = ARENA_NEW(&f->arena, struct expr);
    va_list args;
    *expr = (struct expr){.op = op, .type = type, .args_len = len, .length = -1};
    expr->args = arena_array(&f->arena, len, sizeof *expr->args);
    va_start(args, len);
    for (uint32_t i = 0; i < len; i++)
        expr->args[i] = va_arg(args, const struct expr *);
    va_end(args);
    return expr;
}

static enum status input(void *context, uint32_t index, const struct column **ret,
                         struct error *err)
{
    struct fixture *f = context;
    (void)err;
    *ret = &f->columns[index];
    return STATUS_OK;
}

/* The first `rows` values as JSON, one after the other; or the status. */
static void gives(struct fixture *f, const struct expr *expr, uint32_t rows, const char *expected)
{
    struct error err = ERROR_INIT;
    struct expr_run *run = NULL;
    const struct expr_source source = {f, input};
    const struct column *values = NULL;
    struct buf buf;
    buf_init(&buf, 1 << 16);
    assert_int_equal(expr_run_new(expr, &run, &err), STATUS_OK);
    for (int again = 0; again < 2; again++) { /* memory is used again */
        enum status status = expr_run_eval(run, &source, rows, &values, &err);
        buf_clear(&buf);
        if (status == EXPR_DOUBT)
            buf_append_str(&buf, STR("doubt"));
        else
            assert_int_equal(status, STATUS_OK);
        for (uint32_t i = 0; status == STATUS_OK && i < rows; i++) {
            struct json_writer w;
            json_writer_init(&w, &buf);
            if (i)
                buf_append_char(&buf, ' ');
            column_write_json(&w, values, i);
        }
        buf_append_char(&buf, 0);
        assert_string_equal(buf.data, expected);
    }
    buf_release(&buf);
    expr_run_free(run);
}

static void arithmetic(void **state)
{
    struct fixture *f = *state;
    const struct expr *n = col(f, INT), *r = col(f, REAL);
    gives(f, op(f, EXPR_ADD, TYPE_INT64, 2, n, whole(f, 1)), 4, "8 -6 null 1");
    gives(f, op(f, EXPR_ADD, TYPE_INT64, 2, n, whole(f, 1)), 5, "doubt");
    gives(f, op(f, EXPR_QUOTIENT, TYPE_INT64, 2, n, whole(f, -2)), 4, "-3 3 null 0");
    gives(f, op(f, EXPR_MODULO, TYPE_INT64, 2, n, whole(f, 3)), 4, "1 -1 null 0");
    gives(f, op(f, EXPR_MODULO, TYPE_INT64, 2, whole(f, 5), n), 4, "5 5 null null");
    gives(f, op(f, EXPR_QUOTIENT, TYPE_INT64, 2, n, whole(f, -1)), 6, "doubt");
    gives(f, op(f, EXPR_NEGATE, TYPE_INT64, 1, n), 5, "-7 7 null 0 -9223372036854775807");
    gives(f, op(f, EXPR_ABS, TYPE_INT64, 1, n), 6, "doubt");
    gives(f, op(f, EXPR_DIVIDE, TYPE_DOUBLE, 2, r, r), 3, "1.0 1.0 null");
    gives(f, op(f, EXPR_DIVIDE, TYPE_DOUBLE, 2, r, r), 4, "doubt");
    gives(f, op(f, EXPR_MULTIPLY, TYPE_DOUBLE, 2, r, r), 5, "doubt");
    struct expr *narrow = op(f, EXPR_MULTIPLY, TYPE_INT64, 2, n, whole(f, INT32_MAX));
    narrow->narrow = true;
    gives(f, narrow, 2, "doubt");
    gives(f, op(f, EXPR_ROUND, TYPE_DOUBLE, 1, r), 4, "3.0 -3.0 null 0.0");
    gives(f, op(f, EXPR_CAST, TYPE_INT64, 1, r), 4, "2 -2 null 0");
    gives(f, op(f, EXPR_CAST, TYPE_INT64, 1, r), 5, "doubt");
}

static void logic(void **state)
{
    struct fixture *f = *state;
    const struct expr *b = col(f, BOOL), *n = col(f, INT), *r = col(f, REAL);
    const struct expr *positive = op(f, EXPR_GT, TYPE_BOOL, 2, n, whole(f, 0));
    gives(f, positive, 6, "true false null false true false");
    gives(f, op(f, EXPR_AND, TYPE_BOOL, 2, b, positive), 6, "true false null false false false");
    gives(f, op(f, EXPR_OR, TYPE_BOOL, 2, b, positive), 6, "true false null true true null");
    gives(f, op(f, EXPR_NOT, TYPE_BOOL, 1, b), 6, "false true null false true null");
    gives(f, op(f, EXPR_IS_NULL, TYPE_BOOL, 1, b), 6, "false false true false false true");
    gives(f, op(f, EXPR_EQ, TYPE_BOOL, 2, r, r), 6, "true true null true true true");
    gives(f, op(f, EXPR_GT, TYPE_BOOL, 2, col(f, TEXT), col(f, TEXT)), 2, "false false");
    gives(f, op(f, EXPR_CASE, TYPE_INT64, 3, b, n, whole(f, -1)), 6, "7 -1 -1 0 -1 -1");
    gives(f, op(f, EXPR_COALESCE, TYPE_INT64, 2, n, whole(f, 5)), 4, "7 -7 5 0");
}

static void texts(void **state)
{
    struct fixture *f = *state;
    const struct expr *s = col(f, TEXT);
    gives(f, op(f, EXPR_LENGTH, TYPE_INT64, 1, s), 6, "2 0 null 3 2 2");
    gives(f, op(f, EXPR_UPPER, TYPE_STRING, 1, s), 3, "\"AB\" \"\" null");
    gives(f, op(f, EXPR_LOWER, TYPE_STRING, 1, s), 4, "doubt");
    gives(f, op(f, EXPR_CONCAT, TYPE_STRING, 2, s, s), 3, "\"aBaB\" \"\" null");
    struct expr *part = op(f, EXPR_SUBSTRING, TYPE_STRING, 1, s);
    part->number = 2;
    part->length = 1;
    gives(f, part, 6, "\"B\" \"\" null \"\xCC\x81\" \"\xE6\x9C\xAC\" \"z\"");
    struct expr *like = op(f, EXPR_LIKE, TYPE_BOOL, 1, s);
    like->constant = (struct value){.type = TYPE_STRING, .bytes = STR("_B%")};
    gives(f, like, 4, "true false null false");
    gives(f, op(f, EXPR_CASE, TYPE_STRING, 3, col(f, BOOL), s, s), 3, "\"aB\" \"\" null");
}

static void times(void **state)
{
    struct fixture *f = *state;
    struct expr *part = op(f, EXPR_TIME_PART, TYPE_INT64, 1, col(f, DAY));
    part->unit = UNIT_WEEK;
    gives(f, part, 4, "53 52 null 52");
    part->unit = UNIT_DAY_OF_YEAR;
    gives(f, part, 2, "366 365");
    part->unit = UNIT_DAY_OF_WEEK;
    gives(f, part, 4, "4 5 null 0");
    struct expr *begin = op(f, EXPR_TIME_TRUNC, TYPE_TIMESTAMP, 1, col(f, DAY));
    begin->unit = UNIT_QUARTER;
    gives(f, begin, 1, "\"2020-10-01T00:00:00\"");
    begin->unit = UNIT_WEEK;
    gives(f, begin, 1, "\"2020-12-28T00:00:00\"");
}

static void normal_form(void **state)
{
    struct fixture *f = *state;
    struct buf one, two;
    buf_init(&one, 1 << 16);
    buf_init(&two, 1 << 16);
    expr_write(op(f, EXPR_ADD, TYPE_INT64, 2, col(f, INT), whole(f, 1)), true, &one);
    expr_write(op(f, EXPR_ADD, TYPE_INT64, 2, col(f, INT), whole(f, 2)), true, &two);
    assert_false(str_eq(buf_str(&one), buf_str(&two)));
    buf_clear(&one);
    buf_clear(&two);
    expr_write(op(f, EXPR_ADD, TYPE_INT64, 2, col(f, INT), whole(f, 1)), false, &one);
    expr_write(op(f, EXPR_ADD, TYPE_INT64, 2, col(f, INT), whole(f, 2)), false, &two);
    assert_true(str_eq(buf_str(&one), buf_str(&two)));
    buf_release(&one);
    buf_release(&two);
}

static void too_long(void **state)
{
    struct fixture *f = *state;
    struct expr_run *run = NULL;
    const struct expr *expr = whole(f, 1);
    for (int i = 0; i < EXPR_NODES_MAX; i++)
        expr = op(f, EXPR_NEGATE, TYPE_INT64, 1, expr);
    assert_int_equal(expr_run_new(expr, &run, NULL), EXPR_DOUBT);
    assert_null(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(arithmetic, set_up, tear_down),
        cmocka_unit_test_setup_teardown(logic, set_up, tear_down),
        cmocka_unit_test_setup_teardown(texts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(normal_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_long, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
