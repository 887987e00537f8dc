/* Columns, values and batches: building, widening, the wire form, and that damaged bytes are
 * refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "data/batch.h"
#include "data/value.h"

static struct batch *sample(void)
{
    struct batch *batch = batch_new();
    uint32_t i, s, d;
    assert_int_equal(batch_add_column(batch, STR("n"), TYPE_INT64, &i), STATUS_OK);
    assert_int_equal(batch_add_column(batch, STR("s"), TYPE_STRING, &s), STATUS_OK);
    assert_int_equal(batch_add_column(batch, STR("day"), TYPE_DATE, &d), STATUS_OK);
    for (int row = 0; row < 100; row++) {
        struct column *n = &batch->columns[i].column;
        assert_int_equal(row % 7 ? column_append_int64(n, row) : column_append_null(n), STATUS_OK);
        char text[16];
        int len = snprintf(text, sizeof text, "t%d", row);
        assert_int_equal(
            column_append_bytes(&batch->columns[s].column, str_make(text, (size_t)len)), STATUS_OK);
        assert_int_equal(column_append_date(&batch->columns[d].column, row), STATUS_OK);
    }
    assert_int_equal(batch_set_rows(batch, 100), STATUS_OK);
    return batch;
}

static void test_wire_round_trip(void **state)
{
    (void)state;
    struct batch *batch = sample(), *back;
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    assert_int_equal(batch_encode(batch, &bytes, NULL), STATUS_OK);
    assert_int_equal(batch_decode((struct slice){bytes.data, bytes.len}, &back, NULL), STATUS_OK);
    assert_int_equal(back->rows, 100);
    assert_int_equal(back->columns[0].column.nulls, 15);
    for (uint32_t column = 0; column < 3; column++) {
        for (uint32_t row = 0; row < 100; row++) {
            struct value a = value_of_column(&batch->columns[column].column, row);
            struct value b = value_of_column(&back->columns[column].column, row);
            assert_int_equal(value_compare(&a, &b), 0);
        }
    }
    batch_unref(back);
    for (size_t cut = 0; cut < bytes.len; cut++) {
        assert_int_equal(batch_decode((struct slice){bytes.data, cut}, &back, NULL),
                         STATUS_CORRUPT);
    }
    batch_unref(batch);
    buf_release(&bytes);
}

static void test_append_matches_columns_by_name(void **state)
{
    (void)state;
    struct batch *to = batch_new(), *from = batch_new();
    uint32_t at;
    assert_int_equal(batch_add_column(to, STR("a"), TYPE_DOUBLE, &at), STATUS_OK);
    assert_int_equal(column_append_double(&to->columns[at].column, 1.5), STATUS_OK);
    assert_int_equal(batch_set_rows(to, 1), STATUS_OK);
    assert_int_equal(batch_add_column(from, STR("b"), TYPE_BOOL, &at), STATUS_OK);
    assert_int_equal(column_append_bool(&from->columns[at].column, true), STATUS_OK);
    assert_int_equal(batch_add_column(from, STR("a"), TYPE_INT64, &at), STATUS_OK);
    assert_int_equal(column_append_int64(&from->columns[at].column, 7), STATUS_OK);
    assert_int_equal(batch_set_rows(from, 1), STATUS_OK);
    assert_int_equal(batch_append(to, from, 0, 1, NULL), STATUS_OK);
    assert_int_equal(to->rows, 2);
    assert_true(column_double(&to->columns[0].column, 1) == 7.0);
    assert_true(column_is_null(&to->columns[1].column, 0));
    assert_true(column_bool(&to->columns[1].column, 1));
    batch_unref(to);
    batch_unref(from);
}

static void test_widening_refuses_what_would_lose(void **state)
{
    (void)state;
    struct column column;
    struct error err = ERROR_INIT;
    column_init(&column, TYPE_INT64);
    assert_int_equal(column_append_int64(&column, ((int64_t)1 << 53) + 1), STATUS_OK);
    assert_int_equal(column_widen(&column, TYPE_DOUBLE, &err), STATUS_SCHEMA);
    assert_int_equal(err.record, 0);
    assert_int_equal(column.type, TYPE_INT64);
    assert_int_equal(column_widen(&column, TYPE_STRING, &err), STATUS_SCHEMA);
    column_release(&column);
    column_init(&column, TYPE_DATE);
    assert_int_equal(column_append_date(&column, -1), STATUS_OK);
    assert_int_equal(column_append_null(&column), STATUS_OK);
    assert_int_equal(column_widen(&column, TYPE_TIMESTAMP, &err), STATUS_OK);
    assert_int_equal(column_int64(&column, 0), -86400000000);
    assert_true(column_is_null(&column, 1));
    column_release(&column);
}

static int compare(struct value a, struct value b)
{
    int order = value_compare(&a, &b);
    assert_int_equal(value_compare(&b, &a), -order);
    return order;
}

static void test_values_compare_exactly(void **state)
{
    (void)state;
    struct value null = {.type = TYPE_INT64, .is_null = true};
    struct value big = {.type = TYPE_INT64, .int64 = 9007199254740993};
    struct value near_big = {.type = TYPE_DOUBLE, .real = 9007199254740992.0};
    struct value max = {.type = TYPE_INT64, .int64 = INT64_MAX};
    struct value two63 = {.type = TYPE_DOUBLE, .real = 9223372036854775808.0};
    struct value minus_zero = {.type = TYPE_DOUBLE, .real = -0.0};
    struct value zero = {.type = TYPE_DOUBLE, .real = 0.0};
    struct value day = {.type = TYPE_DATE, .int64 = 1};
    struct value midnight = {.type = TYPE_TIMESTAMP, .int64 = 86400000000};
    assert_true(compare(null, big) < 0);
    assert_true(compare(big, near_big) > 0);
    assert_true(compare(max, two63) < 0);
    assert_int_equal(compare(minus_zero, zero), 0);
    assert_int_equal(value_hash(&minus_zero), value_hash(&zero));
    assert_int_equal(compare(day, midnight), 0);
    assert_true(compare((struct value){.type = TYPE_INT64, .int64 = -1},
                        (struct value){.type = TYPE_DOUBLE, .real = -1.5}) > 0);
}

static void test_truncate(void **state)
{
    (void)state;
    struct batch *batch = sample();
    struct column *n = &batch->columns[0].column, *s = &batch->columns[1].column;
    column_truncate(n, 8);
    column_truncate(s, 8);
    assert_int_equal(n->nulls, 2);
    assert_int_equal(s->bytes_len, 16);
    assert_int_equal(column_append_bytes(s, STR("x")), STATUS_OK);
    assert_true(str_is(column_str(s, 8), "x"));
    column_truncate(s, 0);
    assert_int_equal(s->bytes_len, 0);
    batch_unref(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wire_round_trip),
        cmocka_unit_test(test_append_matches_columns_by_name),
        cmocka_unit_test(test_widening_refuses_what_would_lose),
        cmocka_unit_test(test_values_compare_exactly),
        cmocka_unit_test(test_truncate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
