/* transform_test.c: the specification's vectors (Appendix B hashes, truncate table), calendar
 * transforms around 1970, names, bounds, and types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/datetime.h"
#include "format/iceberg/bound.h"
#include "format/iceberg/transform.h"

static struct value int_of(enum type type, int64_t integer)
{
    return (struct value){.type = type, .int64 = integer};
}

static struct value text_of(const char *text)
{
    return (struct value){.type = TYPE_STRING, .bytes = str_of(text)};
}

static struct value apply(const char *name, struct value value)
{
    struct iceberg_transform transform;
    struct value result;
    assert_true(iceberg_transform_parse(str_of(name), &transform));
    assert_int_equal(iceberg_transform_value(transform, &value, &result, NULL), STATUS_OK);
    return result;
}

static void test_hash_vectors(void **state)
{
    (void)state;
    struct value value = int_of(TYPE_INT64, 34);
    int64_t us;
    assert_int_equal((int32_t)iceberg_hash_value(&value), 2017239379);
    value = int_of(TYPE_DATE, date_from_civil(2017, 11, 16));
    assert_int_equal((int32_t)iceberg_hash_value(&value), -653330422);
    assert_true(timestamp_parse(STR("2017-11-16T22:31:08"), &us));
    value = int_of(TYPE_TIMESTAMP, us);
    assert_int_equal((int32_t)iceberg_hash_value(&value), -2047944441);
    value = text_of("iceberg");
    assert_int_equal((int32_t)iceberg_hash_value(&value), 1210000089);
    assert_int_equal((int32_t)iceberg_murmur3(str_make("\0\1\2\3", 4)), -188683207); /* binary */
    assert_int_equal((int32_t)iceberg_murmur3(str_make(
                         "\xf7\x9c\x3e\x09\x67\x7c\x4b\xbd\xa4\x79\x3f\x34\x9c\xb7\x85\xe7", 16)),
                     1488055340);                                                    /* uuid */
    assert_int_equal((int32_t)iceberg_murmur3(str_make("\x05\x8c", 2)), -500754589); /* 14.20 */
    value = (struct value){.type = TYPE_BOOL, .boolean = true};
    assert_int_equal((int32_t)iceberg_hash_value(&value), 1392991556);
    value = (struct value){.type = TYPE_DOUBLE, .real = 1.0};
    assert_int_equal((int32_t)iceberg_hash_value(&value), -142385009);
    assert_int_equal(iceberg_murmur3(STR("")), 0);
}

static void test_bucket_and_truncate(void **state)
{
    (void)state;
    assert_int_equal(apply("bucket[16]", int_of(TYPE_INT64, 34)).int64, 2017239379 % 16);
    assert_int_equal(apply("bucket[100]", text_of("iceberg")).int64, 1210000089 % 100);
    assert_int_equal(apply("bucket[16]", int_of(TYPE_DATE, 17486)).int64,
                     ((uint32_t)-653330422 & INT32_MAX) % 16);
    assert_int_equal(apply("truncate[10]", int_of(TYPE_INT64, 1)).int64, 0);
    assert_int_equal(apply("truncate[10]", int_of(TYPE_INT64, -1)).int64, -10);
    assert_int_equal(apply("truncate[10]", int_of(TYPE_INT64, 129)).int64, 120);
    assert_true(str_is(apply("truncate[3]", text_of("iceberg")).bytes, "ice"));
    assert_true(str_is(apply("truncate[2]", text_of("\xC3\xA9\xF0\x9F\x98\x80z")).bytes,
                       "\xC3\xA9\xF0\x9F\x98\x80"));
    assert_true(str_is(apply("truncate[9]", text_of("ab")).bytes, "ab"));
    struct value null = {.type = TYPE_INT64, .is_null = true};
    assert_true(apply("bucket[16]", null).is_null);
    assert_true(apply("void", int_of(TYPE_INT64, 5)).is_null);
    assert_int_equal(apply("identity", int_of(TYPE_INT64, 5)).int64, 5);
}

static void check_time(const char *text, int64_t year, int64_t month, int64_t day, int64_t hour)
{
    int64_t us;
    assert_true(timestamp_parse(str_of(text), &us));
    struct value value = int_of(TYPE_TIMESTAMP, us);
    assert_int_equal(apply("year", value).int64, year);
    assert_int_equal(apply("month", value).int64, month);
    assert_int_equal(apply("day", value).int64, day);
    assert_int_equal(apply("day", value).type, TYPE_DATE);
    assert_int_equal(apply("hour", value).int64, hour);
    struct value date = int_of(TYPE_DATE, day);
    assert_int_equal(apply("year", date).int64, year);
    assert_int_equal(apply("month", date).int64, month);
}

static void test_calendar(void **state)
{
    (void)state;
    check_time("1970-01-01T00:00:00", 0, 0, 0, 0);
    check_time("1969-12-31T23:59:59.999999", -1, -1, -1, -1);
    check_time("2017-12-01T10:12:55.038194", 47, 575, 17501, 420034);
    check_time("1968-03-01T01:00:00", -2, -22, -671, -16103);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const names[] = {"identity", "bucket[16]", "truncate[4]",
                                        "year",     "month",      "day",
                                        "hour",     "void",       "zorder[1,2]"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct iceberg_transform transform;
        struct buf out;
        buf_init(&out, 100);
        assert_true(iceberg_transform_parse(str_of(names[i]), &transform));
        assert_int_equal(transform.kind, i);
        iceberg_transform_print(transform, &out);
        assert_true(str_is(buf_str(&out), names[i]));
        buf_release(&out);
    }
    struct iceberg_transform transform;
    assert_false(iceberg_transform_parse(STR("bucket[0]"), &transform));
    assert_false(iceberg_transform_parse(STR("bucket[x]"), &transform));
    assert_false(iceberg_transform_parse(STR("truncate"), &transform));
    assert_false(iceberg_transform_parse(STR(""), &transform));
    struct value value = {.type = TYPE_BOOL}, result;
    assert_int_equal(iceberg_transform_value((struct iceberg_transform){.kind = ICEBERG_DAY},
                                             &value, &result, NULL),
                     STATUS_INVALID_ARGUMENT);
}

static void check_human(const char *transform_name, struct value value, const char *expected)
{
    struct iceberg_transform transform;
    struct buf out;
    buf_init(&out, 1000);
    assert_true(iceberg_transform_parse(str_of(transform_name), &transform));
    iceberg_partition_name(STR("c 1"), transform, &value, &out);
    if (!str_is(buf_str(&out), expected))
        fail_msg("%.*s, not %s", STR_ARG(buf_str(&out)), expected);
    buf_release(&out);
}

static void test_human(void **state)
{
    (void)state;
    check_human("year", int_of(TYPE_INT64, 47), "c+1=2017");
    check_human("month", int_of(TYPE_INT64, 575), "c+1=2017-12");
    check_human("month", int_of(TYPE_INT64, -1), "c+1=1969-12");
    check_human("day", int_of(TYPE_DATE, 17501), "c+1=2017-12-01");
    check_human("hour", int_of(TYPE_INT64, 420034), "c+1=2017-12-01-10");
    check_human("hour", int_of(TYPE_INT64, -1), "c+1=1969-12-31-23");
    check_human("identity", text_of("a/b=\xC3\xA9"), "c+1=a%2Fb%3D%C3%A9");
    check_human("bucket[4]", int_of(TYPE_INT64, 3), "c+1=3");
    check_human("identity", (struct value){.type = TYPE_BOOL, .boolean = true}, "c+1=true");
    check_human("void", (struct value){.is_null = true}, "c+1=null");
}

static void test_column(void **state)
{
    (void)state;
    struct column in, out;
    column_init(&in, TYPE_DATE);
    for (int32_t i = -400; i < 400; i++)
        assert_int_equal(i % 5 ? column_append_date(&in, i * 30) : column_append_null(&in), 0);
    struct iceberg_transform month = {.kind = ICEBERG_MONTH};
    assert_int_equal(iceberg_transform_column(month, &in, &out, NULL), STATUS_OK);
    assert_int_equal(out.rows, 800);
    assert_int_equal(out.type, TYPE_INT64);
    assert_true(column_is_null(&out, 0));
    assert_int_equal(column_int64(&out, 401), 0); /* 1970-01-31 */
    assert_int_equal(column_int64(&out, 402), 2); /* 1970-03-02 */
    column_release(&out);
    column_release(&in);
}

static void check_bound(enum iceberg_kind kind, struct value value, const char *bytes, size_t len)
{
    struct buf out;
    struct value back;
    buf_init(&out, 100);
    assert_int_equal(iceberg_bound_write(kind, &value, &out, NULL), STATUS_OK);
    assert_int_equal(out.len, len);
    assert_memory_equal(out.data, bytes, len);
    assert_int_equal(iceberg_bound_read(kind, buf_str(&out), &back, NULL), STATUS_OK);
    assert_int_equal(value_compare(&value, &back), 0);
    buf_release(&out);
}

static void test_bounds(void **state)
{
    (void)state;
    struct value back;
    check_bound(ICEBERG_LONG, int_of(TYPE_INT64, -2), "\xfe\xff\xff\xff\xff\xff\xff\xff", 8);
    check_bound(ICEBERG_INT, int_of(TYPE_INT64, 258), "\2\1\0\0", 4);
    check_bound(ICEBERG_DATE, int_of(TYPE_DATE, 17501), "\x5d\x44\0\0", 4);
    check_bound(ICEBERG_TIMESTAMP, int_of(TYPE_TIMESTAMP, 1), "\1\0\0\0\0\0\0\0", 8);
    check_bound(ICEBERG_DOUBLE, (struct value){.type = TYPE_DOUBLE, .real = 1},
                "\0\0\0\0\0\0\xf0\x3f", 8);
    check_bound(ICEBERG_FLOAT, (struct value){.type = TYPE_DOUBLE, .real = 1}, "\0\0\x80\x3f", 4);
    check_bound(ICEBERG_BOOLEAN, (struct value){.type = TYPE_BOOL, .boolean = true}, "\1", 1);
    check_bound(ICEBERG_STRING, text_of("abc"), "abc", 3);
    assert_int_equal(iceberg_bound_read(ICEBERG_LONG, str_make("\2\1\0\0", 4), &back, NULL), 0);
    assert_int_equal(back.int64, 258);
    assert_int_equal(iceberg_bound_read(ICEBERG_TIMESTAMP, str_make("\1\0\0\0", 4), &back, NULL),
                     0);
    assert_int_equal(back.int64, INT64_C(86400000000));
    assert_int_equal(iceberg_bound_read(ICEBERG_LONG, STR("abc"), &back, NULL), STATUS_CORRUPT);
    assert_int_equal(iceberg_bound_read(ICEBERG_STRUCT, STR("abc"), &back, NULL),
                     STATUS_NOT_IMPLEMENTED);
    struct value big = int_of(TYPE_INT64, INT64_MAX);
    struct buf out;
    buf_init(&out, 100);
    assert_int_equal(iceberg_bound_write(ICEBERG_INT, &big, &out, NULL), STATUS_INVALID_ARGUMENT);
    buf_release(&out);
}

static void check_upper(const char *text, uint32_t max, const char *expected)
{
    struct buf out;
    buf_init(&out, 100);
    bool found = iceberg_bound_upper(str_of(text), max, &out);
    assert_int_equal(found, expected != NULL);
    if (expected)
        assert_true(str_is(buf_str(&out), expected));
    buf_release(&out);
}

static void test_truncated_bounds(void **state)
{
    (void)state;
    assert_true(str_is(iceberg_bound_lower(STR("abcdef"), 3), "abc"));
    assert_true(str_is(iceberg_bound_lower(STR("\xC3\xA9"
                                               "bc"),
                                           1),
                       "\xC3\xA9"));
    check_upper("abc", 3, "abc");
    check_upper("abcd", 3, "abd");
    check_upper("ab\x7f"
                "d",
                3, "ab\xC2\x80");
    check_upper("ab\xF4\x8F\xBF\xBF"
                "d",
                3, "ac");
    check_upper("\xF4\x8F\xBF\xBF"
                "d",
                1, NULL);
    check_upper("\xED\x9F\xBF"
                "d",
                1, "\xEE\x80\x80"); /* past the surrogates */
    check_upper("\xFF\xFF\xFF", 1, NULL);
}

static void test_types(void **state)
{
    (void)state;
    static const char *const names[] = {"boolean",     "int",           "long",    "float",
                                        "double",      "date",          "time",    "timestamp",
                                        "timestamptz", "string",        "uuid",    "binary",
                                        "fixed[16]",   "decimal(9, 2)", "geometry"};
    struct arena arena;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct iceberg_type type;
        struct buf out;
        buf_init(&out, 100);
        assert_true(iceberg_type_parse(str_of(names[i]), &arena, &type));
        iceberg_type_print(&type, &out);
        assert_true(str_is(buf_str(&out), names[i]));
        buf_release(&out);
    }
    struct iceberg_type type;
    assert_false(iceberg_type_parse(STR("decimal(99,1)"), &arena, &type));
    assert_false(iceberg_type_parse(STR("decimal(9"), &arena, &type) &&
                 type.kind == ICEBERG_DECIMAL);
    assert_false(iceberg_type_parse(STR("fixed[-1]"), &arena, &type));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_vectors), cmocka_unit_test(test_bucket_and_truncate),
        cmocka_unit_test(test_calendar),     cmocka_unit_test(test_names),
        cmocka_unit_test(test_human),        cmocka_unit_test(test_column),
        cmocka_unit_test(test_bounds),       cmocka_unit_test(test_truncated_bounds),
        cmocka_unit_test(test_types)};
    return cmocka_run_group_tests_name("iceberg transforms", tests, NULL, NULL);
}
