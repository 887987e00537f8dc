/* The cache: found again, bounded, what is dear stays, what is old goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "query/optimize/value_cache.h"

struct counted {
    int refs;
    int number;
};

static void ref(void *value)
{
    ((struct counted *)value)->refs++;
}

static void unref(void *value)
{
    ((struct counted *)value)->refs--;
}

static const struct value_cache_kind kind = {ref, unref};

static struct value_cache *make(uint64_t bytes, int64_t life_us)
{
    struct value_cache_options options = {.sys = sys_posix(), .bytes = bytes, .life_us = life_us};
    struct value_cache *cache = NULL;
    assert_int_equal(value_cache_open(&options, &cache, NULL), STATUS_OK);
    return cache;
}

static void test_found_again(void **state)
{
    (void)state;
    struct value_cache *cache = make(1 << 20, INT64_C(60000000));
    struct counted one = {.number = 1}, two = {.number = 2};
    struct value_cache_stats stats;
    assert_null(value_cache_get(cache, VALUE_CACHE_RESULTS, STR("a")));
    value_cache_put(cache, STR("a"), &one, &kind, 100, 5);
    assert_int_equal(one.refs, 1);
    assert_true(value_cache_has(cache, STR("a")));
    struct counted *found = value_cache_get(cache, VALUE_CACHE_RESULTS, STR("a"));
    assert_ptr_equal(found, &one);
    assert_int_equal(one.refs, 2);
    unref(found);
    value_cache_put(cache, STR("a"), &two, &kind, 100, 5); /* in its place */
    assert_int_equal(one.refs, 0);
    value_cache_get_stats(cache, &stats);
    assert_int_equal(stats.entries, 1);
    assert_int_equal(stats.hits[VALUE_CACHE_RESULTS], 1);
    assert_int_equal(stats.misses[VALUE_CACHE_RESULTS], 1);
    value_cache_clear(cache);
    assert_int_equal(two.refs, 0);
    assert_false(value_cache_has(cache, STR("a")));
    value_cache_close(cache);
}

static void test_bounded_and_dear_ones_stay(void **state)
{
    (void)state;
    struct value_cache *cache = make(100000, INT64_C(60000000));
    struct counted dear = {.number = 0}, cheap[500], large = {.number = 9};
    struct value_cache_stats stats;
    char key[16];
    value_cache_put(cache, STR("large"), &large, &kind, 50000, 5);
    assert_int_equal(large.refs, 0); /* more than its share */
    value_cache_put(cache, STR("dear"), &dear, &kind, 1000, 100000000);
    for (int i = 0; i < 500; i++) {
        cheap[i] = (struct counted){.number = i};
        snprintf(key, sizeof key, "%d", i);
        value_cache_put(cache, str_of(key), &cheap[i], &kind, 1000, 10);
        value_cache_get_stats(cache, &stats);
        assert_true(stats.bytes <= 100000);
    }
    assert_true(stats.evicted > 350);
    assert_true(value_cache_has(cache, STR("dear")));
    value_cache_close(cache);
    for (int i = 0; i < 500; i++)
        assert_int_equal(cheap[i].refs, 0);
    assert_int_equal(dear.refs, 0);
}

static void test_switched_off(void **state)
{
    (void)state;
    struct counted one = {.number = 1};
    struct value_cache *none = make(0, 1000), *short_lived = make(1 << 20, 0);
    value_cache_put(none, STR("a"), &one, &kind, 10, 5);
    value_cache_put(short_lived, STR("a"), &one, &kind, 10, 5);
    assert_int_equal(one.refs, 0);
    assert_null(value_cache_get(none, VALUE_CACHE_PARTIALS, STR("a")));
    value_cache_close(none);
    value_cache_close(short_lived);
    value_cache_close(NULL);
}

static void test_old_ones_go(void **state)
{
    (void)state;
    struct counted one = {.number = 1};
    struct value_cache *cache = make(1 << 20, 1);
    value_cache_put(cache, STR("a"), &one, &kind, 10, 5);
    sys_sleep_us(sys_posix(), 2000);
    assert_null(value_cache_get(cache, VALUE_CACHE_RESULTS, STR("a")));
    assert_int_equal(one.refs, 0);
    value_cache_close(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_again),
        cmocka_unit_test(test_bounded_and_dear_ones_stay),
        cmocka_unit_test(test_switched_off),
        cmocka_unit_test(test_old_ones_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
