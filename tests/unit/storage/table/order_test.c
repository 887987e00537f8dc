/* order_test.c: order_by_column against qsort with a plain comparison, over columns that are hard:
 * shared prefixes, NULs, nulls, equal values, extremes. */
#include "unit/storage/fixture.h"

#include "storage/table/partition.h"

static const struct column *sorted_column;

static int plain(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    struct value v = value_of_column(sorted_column, x), w = value_of_column(sorted_column, y);
    int order = value_compare(&v, &w);
    return order ? order : x < y ? -1 : x > y;
}

static void check(const struct column *column)
{
    uint32_t rows = column->rows;
    uint32_t *order = malloc((rows + 1) * 4), *expected = malloc((rows + 1) * 4);
    for (uint32_t i = 0; i < rows; i++)
        order[i] = expected[i] = (uint32_t)((uint64_t)i * 7919 % rows); /* some permutation */
    sorted_column = column;
    qsort(expected, rows, 4, plain);
    assert_ok(order_by_column(column, order, rows, &test_err));
    assert_memory_equal(order, expected, rows * 4);
    assert_ok(order_by_column(column, order, rows, &test_err)); /* sorted already */
    assert_memory_equal(order, expected, rows * 4);
    free(order);
    free(expected);
}

enum { ROWS = 10007 }; /* a prime: 7919 steps through all rows */

static void test_strings(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        struct column column;
        column_init(&column, TYPE_STRING);
        for (uint32_t i = 0; i < ROWS; i++) {
            char text[96];
            size_t len = 0;
            uint32_t r = i * 2654435761u >> 7;
            if (kind == 0)
                len = (size_t)snprintf(text, sizeof text, "usr/share/doc/%u/%u", r % 50, r);
            else if (kind == 1)
                len = (size_t)snprintf(text, sizeof text, "%u", r % 10);
            else if (kind == 2)
                for (len = 0; len < r % 20; len++) /* prefixes of each other, with NULs */
                    text[len] = (char)((r >> len & 1) * (len > 9));
            else if (kind == 3) {
                memset(text, 'a', sizeof text);
                len = r % sizeof text;
            } else
                len = (size_t)snprintf(text, sizeof text, "\xff%u", r);
            bool null = kind != 1 && r % 11 == 0;
            assert_int_equal(null ? column_append_null(&column)
                                  : column_append_bytes(&column, str_make(text, len)),
                             STATUS_OK);
        }
        check(&column);
        column_release(&column);
    }
}

static void test_fixed(void **state)
{
    (void)state;
    struct column ints, reals, dates, bools;
    column_init(&ints, TYPE_INT64);
    column_init(&reals, TYPE_DOUBLE);
    column_init(&dates, TYPE_DATE);
    column_init(&bools, TYPE_BOOL);
    for (uint32_t i = 0; i < ROWS; i++) {
        uint32_t r = i * 2654435761u;
        int64_t number = i == 5 ? INT64_MIN : i == 6 ? INT64_MAX : (int64_t)r - 2000000000;
        enum status status = column_append_int64(&ints, number);
        status |=
            r % 7 ? column_append_double(&reals, (double)number / 8) : column_append_null(&reals);
        status |= column_append_date(&dates, (int32_t)(r % 1000) - 500);
        status |= column_append_bool(&bools, r & 1);
        assert_int_equal(status, STATUS_OK);
    }
    check(&ints);
    check(&reals);
    check(&dates);
    check(&bools);
    column_release(&ints);
    column_release(&reals);
    column_release(&dates);
    column_release(&bools);
}

static void test_partition_names(void **state)
{
    (void)state;
    struct buf buf;
    char longest[400];
    memset(longest, '/', sizeof longest);
    buf_init(&buf, 4096);
    assert_true(partition_append_name(&buf, STR("a b"), STR(".x~\n")));
    assert_true(str_eq(buf_str(&buf), STR("a~20b=~2Ex~7E~0A")));
    buf_clear(&buf);
    assert_true(partition_append_name(&buf, STR("c"), str_make(longest, sizeof longest)));
    assert_true(buf.len <= 2 + PARTITION_NAME_MAX);
    assert_true(buf.data[buf.len - 17] == '~' && buf.data[buf.len - 18] == 'F');
    buf_release(&buf);
}

static void test_split(void **state)
{
    (void)state;
    struct partition_split split;
    struct batch *batch = fixture_batch(0, 1000);
    static const struct str columns[] = {{"kind", 4}, {"absent", 6}, {"name", 4}};
    assert_ok(partition_split(batch, columns, 3, &split, &test_err));
    assert_int_equal(split.starts[split.groups], 1000);
    char seen[1000] = {0};
    for (uint32_t g = 0; g < split.groups; g++) {
        for (uint32_t i = split.starts[g]; i < split.starts[g + 1]; i++) {
            uint32_t row = split.order[i];
            char kind[16], name[16];
            assert_int_equal(seen[row]++, 0);
            snprintf(kind, sizeof kind, "k%u", row % 3);
            snprintf(name, sizeof name, "n%u", row / 2);
            assert_true(str_is(split.values[g * 3], kind));
            assert_null(split.values[g * 3 + 1].data);
            assert_true(str_is(split.values[g * 3 + 2], name));
        }
    }
    assert_int_equal(split.groups, 1000); /* rows 2n and 2n + 1 differ in kind */
    partition_split_release(&split);
    assert_ok(partition_split(batch, columns, 1, &split, &test_err));
    assert_int_equal(split.groups, 3);
    assert_int_equal(split.starts[1], 334);
    partition_split_release(&split);
    batch_unref(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_partition_names),
        cmocka_unit_test(test_split),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
