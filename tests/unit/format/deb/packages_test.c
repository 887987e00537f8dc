/* Paragraphs of a Packages index become exactly these records; broken ones are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "format/deb/packages.h"

static void expect(const char *paragraph, const char *wanted)
{
    struct buf out;
    struct error err = ERROR_INIT;
    buf_init(&out, 1 << 20);
    assert_int_equal(deb_package_record(str_of(paragraph), &out, &err), STATUS_OK);
    buf_append_char(&out, 0);
    assert_string_equal(out.data, wanted);
    buf_release(&out);
}

static void plain_fields(void **state)
{
    (void)state;
    expect("Package: a\nVersion: 1:2.0-1\nInstalled-Size: 45\nSize: 7\nMulti-Arch: foreign",
           "{\"package\":\"a\",\"version\":\"1:2.0-1\",\"installed_size\":45,\"size\":7,"
           "\"multi_arch\":\"foreign\"}\n");
}

static void people(void **state)
{
    (void)state;
    expect("Package: a\nMaintainer: J. R\xC3\xB6ser <j@x.org>\n",
           "{\"package\":\"a\",\"maintainer\":{\"name\":\"J. "
           "R\xC3\xB6ser\",\"email\":\"j@x.org\"}}\n");
    expect("Package: a\nMaintainer: Nobody",
           "{\"package\":\"a\",\"maintainer\":{\"name\":\"Nobody\",\"email\":null}}\n");
}

static void relations(void **state)
{
    (void)state;
    expect("Package: a\nDepends: b (>= 1.2), c:any | d (<< 3) [amd64 i386] | e, f,\nTag: x::y,\n z",
           "{\"package\":\"a\",\"depends\":[{\"name\":\"b\",\"op\":\">=\",\"version\":\"1.2\"},"
           "{\"name\":\"c\",\"qualifier\":\"any\",\"alternatives\":[{\"name\":\"d\",\"op\":\"<<\","
           "\"version\":\"3\",\"architectures\":\"amd64 i386\"},{\"name\":\"e\"}]},"
           "{\"name\":\"f\"}],\"tags\":[\"x::y\",\"z\"]}\n");
}

static void continuation_lines(void **state)
{
    (void)state;
    expect("Package: a\nDescription: short\n long \"one\"\n .\n end",
           "{\"package\":\"a\",\"description\":\"short\\nlong \\\"one\\\"\\n.\\nend\"}\n");
}

static void expect_refused(const char *paragraph, int64_t line)
{
    struct buf out;
    struct error err = ERROR_INIT;
    buf_init(&out, 1 << 20);
    buf_append_char(&out, 'x');
    assert_int_equal(deb_package_record(str_of(paragraph), &out, &err), STATUS_INVALID_ARGUMENT);
    assert_int_equal(err.line, line);
    assert_int_equal(out.len, 1);
    buf_release(&out);
}

static void bad_paragraphs(void **state)
{
    (void)state;
    expect_refused("Version: 1", 1);
    expect_refused("Package: a\nnonsense", 2);
    expect_refused("Package: a\n: x", 2);
    expect_refused(" begins\nPackage: a", 1);
    expect_refused("Package: a\npackage: b", 2);
    expect_refused("Package: a\nSize: many", -1);
    expect_refused("Package: a\nDepends: (>= 1)", -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_fields),   cmocka_unit_test(people),
        cmocka_unit_test(relations),      cmocka_unit_test(continuation_lines),
        cmocka_unit_test(bad_paragraphs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
