/* nearest: misspelt names find their neighbour, far ones find nothing. */
#include "service/nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char *nearest_of(const char *wanted)
{
    static const char *const known[] = {"limit", "offset", "filters", "source_ids", "in"};
    struct nearest nearest = nearest_begin(str_of(wanted));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        nearest_offer(&nearest, known[i]);
    return nearest.best;
}

static void test_near(void **state)
{
    (void)state;
    assert_string_equal(nearest_of("limt"), "limit");
    assert_string_equal(nearest_of("LIMIT"), "limit");
    assert_string_equal(nearest_of("ilmit"), "limit");
    assert_string_equal(nearest_of("source_id"), "source_ids");
    assert_string_equal(nearest_of("sourceids"), "source_ids");
    assert_string_equal(nearest_of("fliters"), "filters");
}

static void test_far(void **state)
{
    (void)state;
    char text[NEAREST_NAME_MAX + 2];
    memset(text, 'l', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_null(nearest_of("colour"));
    assert_null(nearest_of(""));
    assert_null(nearest_of("xy"));
    assert_null(nearest_of(text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_near), cmocka_unit_test(test_far)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
