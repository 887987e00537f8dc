/* Lines of a Contents index become exactly these records; other lines are refused and leave
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "format/deb/contents.h"

static void expect(const char *line, uint32_t records, const char *wanted)
{
    struct buf out;
    uint32_t got = 99;
    struct error err = ERROR_INIT;
    buf_init(&out, 1 << 20);
    assert_int_equal(deb_contents_line(str_of(line), STR("amd64"), &out, &got, &err), STATUS_OK);
    assert_int_equal(got, records);
    buf_append_char(&out, 0);
    assert_string_equal(out.data, wanted);
    buf_release(&out);
}

static void one_record(void **state)
{
    (void)state;
    expect("usr/lib/libz.so.1                 libs/zlib1g", 1,
           "{\"path\":\"/usr/lib/libz.so.1\",\"directory\":\"/usr/lib\",\"name\":\"libz.so.1\","
           "\"extension\":\"1\",\"section\":\"libs\",\"package\":\"zlib1g\","
           "\"architecture\":\"amd64\"}\n");
}

static void a_record_for_each_package(void **state)
{
    (void)state;
    expect("bin/live \tmisc/live-boot,contrib/admin/other\r", 2,
           "{\"path\":\"/bin/live\",\"directory\":\"/bin\",\"name\":\"live\",\"extension\":null,"
           "\"section\":\"misc\",\"package\":\"live-boot\",\"architecture\":\"amd64\"}\n"
           "{\"path\":\"/bin/live\",\"directory\":\"/bin\",\"name\":\"live\",\"extension\":null,"
           "\"section\":\"contrib/admin\",\"package\":\"other\",\"architecture\":\"amd64\"}\n");
}

static void odd_paths(void **state)
{
    (void)state;
    expect("a file \"x\".tar.gz  doc/d", 1,
           "{\"path\":\"/a file \\\"x\\\".tar.gz\",\"directory\":\"/\",\"name\":\"a file "
           "\\\"x\\\".tar.gz\",\"extension\":\"gz\",\"section\":\"doc\",\"package\":\"d\","
           "\"architecture\":\"amd64\"}\n");
    expect("/.hidden  d", 1,
           "{\"path\":\"/.hidden\",\"directory\":\"/\",\"name\":\".hidden\",\"extension\":null,"
           "\"section\":null,\"package\":\"d\",\"architecture\":\"amd64\"}\n");
    expect("a/end. \xff/d", 1,
           "{\"path\":\"/a/end.\",\"directory\":\"/a\",\"name\":\"end.\",\"extension\":null,"
           "\"section\":\"\xEF\xBF\xBD\",\"package\":\"d\",\"architecture\":\"amd64\"}\n");
}

static void expect_refused(struct str line, enum status status)
{
    struct buf out;
    uint32_t got = 99;
    struct error err = ERROR_INIT;
    buf_init(&out, 1 << 20);
    buf_append_str(&out, STR("before"));
    assert_int_equal(deb_contents_line(line, STR("amd64"), &out, &got, &err), status);
    assert_int_equal(err.status, status);
    assert_int_equal(got, 0);
    assert_int_equal(out.len, 6);
    buf_release(&out);
}

static void bad_lines(void **state)
{
    (void)state;
    expect_refused(STR(""), STATUS_INVALID_ARGUMENT);
    expect_refused(STR("    "), STATUS_INVALID_ARGUMENT);
    expect_refused(STR("usr/bin/x"), STATUS_INVALID_ARGUMENT);
    expect_refused(STR("usr/bin/x  a/b,"), STATUS_INVALID_ARGUMENT);
    expect_refused(STR("usr/bin/x  a/"), STATUS_INVALID_ARGUMENT);
    size_t len = DEB_CONTENTS_LINE_MAX;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, 'x', len);
    memcpy(text + len - 4, " a/b", 4);
    expect_refused(str_make(text, len), STATUS_RESOURCE_LIMIT);
    free(text);
}

static void full_buffer(void **state)
{
    (void)state;
    struct buf out;
    uint32_t got;
    struct error err = ERROR_INIT;
    buf_init(&out, 32);
    assert_int_equal(deb_contents_line(STR("usr/bin/x  a/b,c/d"), STR("all"), &out, &got, &err),
                     STATUS_RESOURCE_LIMIT);
    buf_release(&out);
}

static void architectures(void **state)
{
    (void)state;
    assert_true(str_is(deb_contents_architecture(STR("x_main_Contents-amd64.lz4")), "amd64"));
    assert_true(str_is(deb_contents_architecture(STR("/a/Contents-all")), "all"));
    assert_null(deb_contents_architecture(STR("/Contents-all/file")).data);
    assert_null(deb_contents_architecture(STR("Contents-")).data);
    assert_null(deb_contents_architecture(STR("")).data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_record),  cmocka_unit_test(a_record_for_each_package),
        cmocka_unit_test(odd_paths),   cmocka_unit_test(bad_lines),
        cmocka_unit_test(full_buffer), cmocka_unit_test(architectures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
