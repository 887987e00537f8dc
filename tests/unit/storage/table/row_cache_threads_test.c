/* row_cache_threads_test.c: rows come out as they went in, a block is wanted at the second
 * question, the budget holds, and blocks that are let go stay good for who holds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

#include "data/value.h"
#include "storage/table/row_cache.h"
#include "sys/thread.h"

enum { ROWS = 300, COLUMNS = 6, THREADS = 4, ROUNDS = 400, NUMBERS = 40 };

static const enum type types[COLUMNS] = {TYPE_INT64, TYPE_STRING, TYPE_DATE,
                                         TYPE_BOOL,  TYPE_DOUBLE, TYPE_JSON};

/* What stands in row `row` of block `number`; every seventh value is null. */
static struct value value_at(uint32_t number, uint32_t row, uint32_t column, char text[64])
{
    struct value value = {.type = types[column], .is_null = (row + column) % 7 == 0};
    int64_t n = (int64_t)number * 1000 + row;
    if (value.is_null)
        return value;
    snprintf(text, 64, "\"%lld%.*s\"", (long long)n, (int)(row % 30),
             "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    if (type_is_bytes(value.type))
        value.bytes = row % 11 ? str_of(text) : STR("");
    else if (value.type == TYPE_DOUBLE)
        value.real = (double)n / 4;
    else if (value.type == TYPE_BOOL)
        value.boolean = row % 2;
    else
        value.int64 = n;
    return value;
}

static struct row_block *put(struct row_cache *cache, struct row_home *home, uint32_t number)
{
    struct column columns[COLUMNS];
    char text[64];
    for (uint32_t c = 0; c < COLUMNS; c++) {
        column_init(&columns[c], types[c]);
        for (uint32_t row = 0; row < ROWS; row++) {
            struct value value = value_at(number, row, c, text);
            assert_int_equal(column_append_value(&columns[c], &value), STATUS_OK);
        }
    }
    struct row_block *block = row_cache_put(cache, home, number, columns, COLUMNS);
    for (uint32_t c = 0; c < COLUMNS; c++)
        column_release(&columns[c]);
    return block;
}

static bool row_is_right(const struct row_block *block, uint32_t number, uint32_t row)
{
    bool right = true;
    char text[64];
    for (uint32_t c = 0; c < COLUMNS; c++) {
        struct column column;
        column_init(&column, types[c]);
        row_block_prefetch(block, row);
        right &= row_block_append(block, row, c, &column) == STATUS_OK && column.rows == 1;
        struct value expected = value_at(number, row, c, text);
        struct value found = value_of_column(&column, 0);
        right &= expected.is_null ? found.is_null : value_compare(&expected, &found) == 0;
        column_release(&column);
    }
    return right;
}

static void test_rows(void **state)
{
    (void)state;
    struct row_cache cache;
    struct row_home home;
    bool wanted;
    row_cache_init(&cache, 1 << 24);
    row_home_init(&home);
    assert_null(row_cache_get(&home, ROW_BLOCK_ROWS * 3 + 1, 3, &wanted));
    assert_false(wanted);
    assert_null(row_cache_get(&home, ROW_BLOCK_ROWS * 3 + 1, 3, &wanted));
    assert_true(wanted);
    assert_null(row_cache_get(&home, ROW_BLOCK_ROWS * 3 + 1, 4, &wanted)); /* there is none */
    assert_false(wanted);
    struct row_block *made = put(&cache, &home, 3);
    assert_non_null(made);
    struct row_block *found = row_cache_get(&home, ROW_BLOCK_ROWS * 3 + 1, 3, &wanted);
    assert_ptr_equal(made, found);
    assert_false(wanted);
    for (uint32_t row = 0; row < ROWS; row++)
        assert_true(row_is_right(found, 3, row));
    row_block_unref(made);
    row_home_release(&cache, &home);
    assert_int_equal(atomic_load(&cache.bytes), 0);
    assert_true(row_is_right(found, 3, ROWS - 1)); /* it is held */
    row_block_unref(found);
    row_cache_release(&cache);
}

static void test_too_large(void **state)
{
    (void)state;
    struct row_cache cache;
    struct row_home home;
    bool wanted = true;
    row_cache_init(&cache, 16 << 10); /* of which a block may take 1 KiB */
    row_home_init(&home);
    assert_null(row_cache_get(&home, ROW_BLOCK_ROWS, 0, &wanted));
    assert_null(row_cache_get(&home, ROW_BLOCK_ROWS, 0, &wanted));
    assert_true(wanted);
    assert_null(put(&cache, &home, 0));
    assert_null(row_cache_get(&home, ROW_BLOCK_ROWS, 0, &wanted));
    assert_false(wanted); /* not again */
    row_home_release(&cache, &home);
    row_cache_release(&cache);
}

struct shared {
    struct row_cache cache;
    struct row_home homes[2];
    atomic_int failures, seeds;
};

static void *work(void *context)
{
    struct shared *shared = context;
    uint32_t seed = (uint32_t)atomic_fetch_add(&shared->seeds, 1) * 7919;
    for (int i = 0; i < ROUNDS; i++) {
        seed = seed * 1664525 + 1013904223;
        struct row_home *home = &shared->homes[seed >> 31];
        uint32_t number = (seed >> 8) % NUMBERS;
        bool wanted;
        struct row_block *block =
            row_cache_get(home, (uint64_t)ROW_BLOCK_ROWS * NUMBERS, number, &wanted);
        if (wanted)
            block = put(&shared->cache, home, number);
        if (block && !row_is_right(block, number, (seed >> 16) % ROWS))
            atomic_fetch_add(&shared->failures, 1);
        row_block_unref(block);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct shared shared = {0};
    struct thread threads[THREADS];
    row_cache_init(&shared.cache, 480 << 10); /* of some 2 MB */
    row_home_init(&shared.homes[0]);
    row_home_init(&shared.homes[1]);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(thread_start(&threads[i], "rows", 0, work, &shared, NULL), STATUS_OK);
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    assert_int_equal(atomic_load(&shared.failures), 0);
    assert_in_range(atomic_load(&shared.cache.bytes), 1, 480 << 10);
    row_home_release(&shared.cache, &shared.homes[0]);
    row_home_release(&shared.cache, &shared.homes[1]);
    assert_int_equal(atomic_load(&shared.cache.bytes), 0);
    row_cache_release(&shared.cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
