/* tuple_test.c: tuples as bytes order as the tuples do; ranges hold what they should. */
#include "../fixture.h"

#include "storage/index/tuple.h"

enum { TUPLES = 400, COLUMNS = 3 };

static uint64_t seed = 99;

static uint32_t below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 16) % n);
}

static const char *const texts[] = {"", "a", "a\0b", "a\0", "ab", "\xFF", "\0", "b"};
static const size_t lengths[] = {0, 1, 3, 2, 2, 1, 1, 1};

static struct value any_value(enum type type)
{
    static const int64_t numbers[] = {INT64_MIN, -256, -1, 0, 1, 255, 256, INT64_MAX};
    static const double reals[] = {-1e300, -1, -0.0, 0.0, 0.5, 1, 2, 1e300};
    uint32_t i = below(8);
    struct value value = {.type = type, .is_null = below(6) == 0};
    if (value.is_null)
        return value;
    if (type == TYPE_STRING)
        value.bytes = str_make(texts[i], lengths[i]);
    else if (type == TYPE_DOUBLE)
        value.real = reals[i];
    else if (type == TYPE_BOOL)
        value.boolean = i % 2;
    else
        value.int64 = numbers[i];
    return value;
}

static int order_of(const struct value *a, const struct value *b)
{
    if (a->is_null || b->is_null)
        return (int)a->is_null - (int)b->is_null; /* nulls last */
    return value_compare(a, b);
}

static struct buf key_of(const struct value *values)
{
    struct buf key;
    buf_init(&key, 1000);
    for (int i = 0; i < COLUMNS; i++)
        tuple_append(&key, &values[i]);
    assert_false(buf_failed(&key));
    return key;
}

static int sign(int n)
{
    return n < 0 ? -1 : n > 0;
}

static void fill(struct value tuples[TUPLES][COLUMNS], struct buf *keys)
{
    static const enum type types[] = {TYPE_BOOL, TYPE_INT64, TYPE_DOUBLE, TYPE_STRING};
    enum type chosen[COLUMNS];
    for (int c = 0; c < COLUMNS; c++)
        chosen[c] = types[below(4)];
    for (int i = 0; i < TUPLES; i++) {
        for (int c = 0; c < COLUMNS; c++)
            tuples[i][c] = any_value(chosen[c]);
        keys[i] = key_of(tuples[i]);
    }
}

static void test_order(void **state)
{
    static struct value tuples[TUPLES][COLUMNS];
    static struct buf keys[TUPLES];
    (void)state;
    for (int round = 0; round < 10; round++) {
        fill(tuples, keys);
        for (int a = 0; a < TUPLES; a++) {
            int b = (int)below(TUPLES), order = 0;
            for (int c = 0; c < COLUMNS && order == 0; c++)
                order = order_of(&tuples[a][c], &tuples[b][c]);
            assert_int_equal(sign(str_cmp(buf_str(&keys[a]), buf_str(&keys[b]))), sign(order));
        }
        for (int i = 0; i < TUPLES; i++)
            buf_release(&keys[i]);
    }
}

static bool is_inside(const struct value *value, const struct value_range *range)
{
    if (value->is_null || (range->has_lo && value_compare(value, &range->lo) < 0))
        return false;
    return !range->has_hi || value_compare(value, &range->hi) <= 0 ||
           (range->hi_is_prefix && str_starts(value->bytes, range->hi.bytes));
}

static void check_range(struct value tuples[TUPLES][COLUMNS], const struct buf *keys)
{
    struct value_range next = {.has_lo = below(2), .has_hi = below(2)}, bounds_range;
    struct tuple_range range = {.prefix = tuples[below(TUPLES)], .prefix_len = below(COLUMNS)};
    const struct value *lo = &tuples[below(TUPLES)][range.prefix_len];
    const struct value *hi = &tuples[below(TUPLES)][range.prefix_len];
    struct tuple_bounds bounds;
    if (lo->is_null || hi->is_null)
        return;
    next.lo = *lo;
    next.hi = *hi;
    next.hi_is_prefix = next.has_hi && hi->type == TYPE_STRING && below(2);
    range.next = below(4) ? &next : NULL;
    assert_ok(tuple_bounds(&range, &bounds, &bounds_range, &test_err));
    for (int i = 0; i < TUPLES; i++) {
        struct value key = {.type = TYPE_STRING, .bytes = buf_str(&keys[i])};
        bool wanted = !range.next || is_inside(&tuples[i][range.prefix_len], &next);
        for (uint32_t c = 0; c < range.prefix_len; c++)
            wanted &= order_of(&tuples[i][c], &range.prefix[c]) == 0;
        assert_int_equal(is_inside(&key, &bounds_range), wanted);
    }
    tuple_bounds_release(&bounds);
}

static void test_ranges(void **state)
{
    static struct value tuples[TUPLES][COLUMNS];
    static struct buf keys[TUPLES];
    (void)state;
    for (int round = 0; round < 10; round++) {
        fill(tuples, keys);
        for (int i = 0; i < 100; i++)
            check_range(tuples, keys);
        for (int i = 0; i < TUPLES; i++)
            buf_release(&keys[i]);
    }
}

static void test_column(void **state)
{
    (void)state;
    struct column columns[2], keys;
    column_init(&columns[0], TYPE_INT64);
    column_init(&columns[1], TYPE_STRING);
    assert_ok(column_append_int64(&columns[0], 1));
    assert_ok(column_append_null(&columns[0]));
    assert_ok(column_append_bytes(&columns[1], STR("x")));
    assert_ok(column_append_null(&columns[1]));
    assert_ok(tuple_column(columns, 2, &keys, &test_err));
    assert_int_equal(keys.rows, 2);
    assert_int_equal(column_str(&keys, 0).len, 9 + 4);
    assert_memory_equal(column_str(&keys, 0).data, "\1\x80\0\0\0\0\0\0\1\1x\0\0", 13);
    assert_int_equal(column_str(&keys, 1).len, 2);
    assert_memory_equal(column_str(&keys, 1).data, "\2\2", 2);
    column_release(&keys);
    column_release(&columns[0]);
    column_release(&columns[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_column),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
