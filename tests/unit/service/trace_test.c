/* trace: traceparent as the W3C wants it read and written. What services do with it is in
 * tests/system/test_monitoring_traces.py. */
#include "service/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN  "00f067aa0ba902b7"

static void test_good(void **state)
{
    static const struct {
        const char *text;
        bool recorded;
    } cases[] = {
        {"00-" TRACE "-" SPAN "-01", true},
        {"00-" TRACE "-" SPAN "-00", false},
        {"00-" TRACE "-" SPAN "-03", true},
        {"00-" TRACE "-" SPAN "-fe", false},
        {"cc-" TRACE "-" SPAN "-01", true},
        {"cc-" TRACE "-" SPAN "-01-what-the-future-holds", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trace_position position;
        char text[TRACE_PARENT_LEN + 1];
        assert_true(trace_parent_parse(str_of(cases[i].text), &position));
        assert_int_equal(position.recorded, cases[i].recorded);
        assert_int_equal(position.trace_id[0], 0x4b);
        assert_int_equal(position.span_id[7], 0xb7);
        trace_parent_format(&position, text);
        assert_int_equal(strlen(text), TRACE_PARENT_LEN);
        assert_memory_equal(text, "00-" TRACE "-" SPAN "-0", TRACE_PARENT_LEN - 1);
        assert_int_equal(text[TRACE_PARENT_LEN - 1], cases[i].recorded ? '1' : '0');
    }
}

static void test_bad(void **state)
{
    static const char *const cases[] = {
        "",
        "00",
        "00-" TRACE "-" SPAN,
        "00-" TRACE "-" SPAN "-0",
        "00-" TRACE "-" SPAN "-01-more",
        "00-" TRACE "-" SPAN "-0x",
        "ff-" TRACE "-" SPAN "-01",
        "0g-" TRACE "-" SPAN "-01",
        "cc-" TRACE "-" SPAN "-01x",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
        "00-00000000000000000000000000000000-" SPAN "-01",
        "00-" TRACE "-0000000000000000-01",
        "00_" TRACE "-" SPAN "-01",
        "00-" TRACE "-" SPAN "_01",
    };
    struct trace_position position;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_false(trace_parent_parse(str_of(cases[i]), &position));
    assert_false(trace_parent_parse(STR_NONE, &position));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
