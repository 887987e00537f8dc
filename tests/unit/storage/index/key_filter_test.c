/* key_filter_test.c: no key is ever missed, few are invented, joining keeps both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "storage/index/key_filter.h"

enum { KEYS = 2000 };

static uint32_t tag_of(uint32_t member, uint32_t key)
{
    return (member * KEYS + key) * 2654435761u;
}

static struct key_filter *filled(uint32_t first_member)
{
    struct key_filter *filter = key_filter_new(key_filter_class(KEYS));
    assert_non_null(filter);
    for (uint32_t m = 0; m < KEY_FILTER_FEW; m++) {
        filter->ids[m] = first_member + m;
        for (uint32_t key = 0; key < KEYS; key++)
            key_filter_add(filter, m, tag_of(first_member + m, key));
    }
    return filter;
}

static void check(const struct key_filter *filter, uint32_t first_member)
{
    uint64_t invented = 0, asked = 0;
    for (uint32_t m = 0; m < filter->members; m++) {
        for (uint32_t key = 0; key < KEYS; key += 7) {
            uint64_t found = key_filter_find(filter, tag_of(first_member + m, key));
            key_filter_prefetch(filter, tag_of(first_member + m, key));
            assert_true(found >> m & 1);
            invented += (uint64_t)__builtin_popcountll(found) - 1;
            asked += filter->members - 1;
        }
    }
    assert_true(invented * 50 < asked); /* 2 % */
}

static void test_found(void **state)
{
    (void)state;
    struct key_filter *few[4];
    for (uint32_t i = 0; i < 4; i++) {
        few[i] = filled(i * KEY_FILTER_FEW);
        check(few[i], i * KEY_FILTER_FEW);
    }
    struct key_filter *many = key_filter_join(few);
    assert_non_null(many);
    assert_int_equal(many->members, KEY_FILTER_MANY);
    for (uint32_t m = 0; m < KEY_FILTER_MANY; m++)
        assert_int_equal(many->ids[m], m);
    check(many, 0);
    assert_ptr_equal(key_filter_ref(many), many);
    key_filter_unref(many);
    key_filter_unref(many);
    for (uint32_t i = 0; i < 4; i++)
        key_filter_unref(few[i]);
    key_filter_unref(NULL);
}

static void test_classes(void **state)
{
    (void)state;
    assert_int_equal(key_filter_class(0), KEY_FILTER_CLASS_MIN);
    assert_int_equal(key_filter_class(2047), 10);
    assert_int_equal(key_filter_class(2048), 11);
    assert_int_equal(key_filter_class(1 << 20), 20);
    assert_true(key_filter_class(UINT32_MAX) > KEY_FILTER_CLASS_MAX);
    assert_true(key_filter_bytes(10, KEY_FILTER_FEW) >= 2048 * KEY_FILTER_SLOTS_A_KEY * 2);
    assert_true(key_filter_bytes(10, KEY_FILTER_MANY) >= 2048 * KEY_FILTER_SLOTS_A_KEY * 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found),
        cmocka_unit_test(test_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
