/* Metrics of several services as one text: families merged, samples named by their service. */
#include "services/monitoring/federation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void check(const struct federation_input *inputs, size_t len, const char *wanted)
{
    struct error err = ERROR_INIT;
    struct buf out;
    buf_init(&out, 1 << 20);
    assert_int_equal(federation_write(inputs, len, &out, &err), STATUS_OK);
    buf_append_char(&out, 0);
    assert_string_equal(out.data, wanted);
    buf_release(&out);
}

static void test_families_are_merged(void **state)
{
    (void)state;
    const struct federation_input inputs[] = {
        {"one", STR("# HELP a text of a\n# TYPE a counter\na 1\n# HELP b b\n# TYPE b "
                    "gauge\nb{x=\"}\"} 2\n")},
        {"two", STR("# HELP c c\n# TYPE c gauge\nc{} 5\n# HELP a other words\n# TYPE a "
                    "counter\na{y=\"1\"} 3")},
    };
    check(inputs, 2,
          "# HELP a text of a\n# TYPE a counter\na{instance=\"one\"} "
          "1\na{instance=\"two\",y=\"1\"} 3\n"
          "# HELP b b\n# TYPE b gauge\nb{instance=\"one\",x=\"}\"} 2\n"
          "# HELP c c\n# TYPE c gauge\nc{instance=\"two\"} 5\n");
}

static void test_odd_texts(void **state)
{
    (void)state;
    const struct federation_input inputs[] = {
        {"one",
         STR("stray 1\n\n# a word\n# TYPE a counter\nnonsense\na{instance=\"mine\"} 1\n# TYPE b")},
        {"two", STR("")},
        {"three", STR_NONE},
    };
    check(inputs, 3, "# TYPE a counter\na{instance=\"mine\"} 1\n# TYPE b\n");
    check(NULL, 0, "");
}

static void test_limits(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct buf text, out;
    buf_init(&text, 1 << 20);
    for (int i = 0; i <= FEDERATION_FAMILIES_MAX; i++)
        buf_printf(&text, "# TYPE f%d gauge\nf%d 1\n", i, i);
    const struct federation_input many = {"one", buf_str(&text)};
    buf_init(&out, 1 << 20);
    assert_int_equal(federation_write(&many, 1, &out, &err), STATUS_RESOURCE_LIMIT);
    buf_release(&out);
    const struct federation_input few = {"one", STR("# TYPE a gauge\na 1\n")};
    buf_init(&out, 20);
    assert_int_equal(federation_write(&few, 1, &out, &err), STATUS_RESOURCE_LIMIT);
    buf_release(&out);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_families_are_merged),
        cmocka_unit_test(test_odd_texts),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
