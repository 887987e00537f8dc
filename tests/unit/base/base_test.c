/* The bottom: errors, strings, arenas, buffers, UTF-8, times, ids, JSON in and out. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/datetime.h"
#include "base/json.h"
#include "base/utf8.h"
#include "base/uuid.h"

static void test_error_keeps_code_message_and_cause(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    assert_int_equal(error_errno(&err, ENOSPC, "cannot write '%s'", "a\nb"), STATUS_STORAGE_FULL);
    assert_string_equal(err.message, "cannot write 'a?b': No space left on device");
    assert_int_equal(error_wrap(&err, "flush of %d rows failed", 7), STATUS_STORAGE_FULL);
    assert_string_equal(err.message, "flush of 7 rows failed");
    assert_string_equal(err.cause, "cannot write 'a?b': No space left on device");
    assert_int_equal(status_info(STATUS_SCHEMA)->http, 422);
    assert_string_equal(status_info(STATUS_STORAGE_FULL)->code, "storage_full");
    assert_int_equal(error_set(NULL, STATUS_IO, "x"), STATUS_IO);
}

static void test_strings(void **state)
{
    (void)state;
    struct str rest = STR("a,,b"), part;
    assert_true(str_split(&rest, ',', &part) && str_is(part, "a"));
    assert_true(str_split(&rest, ',', &part) && part.len == 0);
    assert_true(str_split(&rest, ',', &part) && str_is(part, "b"));
    assert_false(str_split(&rest, ',', &part));
    assert_true(str_is(str_trim(STR(" \t x y \n")), "x y"));
    assert_true(str_cmp(STR("a"), STR("ab")) < 0);
    assert_true(str_cmp(STR("b"), STR("ab")) > 0);
    int64_t n;
    assert_true(str_to_int64(STR("-9223372036854775808"), &n) && n == INT64_MIN);
    assert_false(str_to_int64(STR("9223372036854775808"), &n));
    assert_false(str_to_int64(STR("1x"), &n));
    assert_false(str_to_int64(STR(" 1"), &n));
}

static void test_arena_and_buf_respect_their_limits(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 10000);
    assert_non_null(arena_alloc(&arena, 100));
    assert_null(arena_alloc(&arena, 20000));
    assert_null(arena_array(&arena, SIZE_MAX / 2, 16));
    arena_release(&arena);
    struct buf buf;
    buf_init(&buf, 8);
    assert_true(buf_append(&buf, "12345678", 8));
    assert_false(buf_append_char(&buf, '9'));
    struct error err;
    assert_int_equal(buf_check(&buf, "it", &err), STATUS_RESOURCE_LIMIT);
    assert_int_equal(buf.len, 8);
    buf_release(&buf);
}

static void test_utf8(void **state)
{
    (void)state;
    assert_true(utf8_is_valid("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80", 10));
    assert_false(utf8_is_valid("\xC0\x80", 2));
    assert_false(utf8_is_valid("\xED\xA0\x80", 3));
    assert_false(utf8_is_valid("\xF4\x90\x80\x80", 4));
    assert_int_equal(utf8_valid_prefix("abcdefghij\xFF", 11), 10);
    assert_int_equal(utf8_valid_prefix("ab\xE2\x82", 4), 2);
}

static void check_time(const char *text, int64_t us, const char *formatted)
{
    int64_t got;
    char out[TIMESTAMP_TEXT_MAX];
    assert_true(timestamp_parse(str_of(text), &got));
    assert_int_equal(got, us);
    timestamp_format(got, out);
    assert_string_equal(out, formatted);
}

static void test_times(void **state)
{
    (void)state;
    int32_t days;
    assert_true(date_parse(STR("1970-01-01"), &days) && days == 0);
    assert_true(date_parse(STR("2000-02-29"), &days) && days == 11016);
    assert_true(date_parse(STR("0001-01-01"), &days) && days == -719162);
    assert_false(date_parse(STR("1900-02-29"), &days));
    assert_false(date_parse(STR("2024-13-01"), &days));
    assert_false(date_parse(STR("2024-1-1"), &days));
    check_time("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00");
    check_time("1969-12-31 23:59:59.999999", -1, "1969-12-31T23:59:59.999999");
    check_time("2024-01-15T10:30:00+02:00", 1705307400000000, "2024-01-15T08:30:00");
    check_time("2024-01-15", 1705276800000000, "2024-01-15T00:00:00");
    int64_t us;
    assert_false(timestamp_parse(STR("2024-01-15T25:00"), &us));
    assert_false(timestamp_parse(STR("2024-01-15T10:00:00."), &us));
    assert_false(timestamp_parse(STR("yesterday"), &us));
    for (int32_t d = -719162; d < 2932896; d += 997) {
        char out[DATE_TEXT_MAX];
        int32_t back;
        size_t n = date_format(d, out);
        assert_true(date_parse(str_make(out, n), &back));
        assert_int_equal(back, d);
    }
}

static void test_uuid(void **state)
{
    (void)state;
    unsigned char random[10] = {0xFF, 1, 0xFF, 3, 4, 5, 6, 7, 8, 9};
    char text[UUID_TEXT_LEN + 1];
    struct uuid uuid = uuid_v7(0x0123456789AB, random), back;
    uuid_format(uuid, text);
    assert_string_equal(text, "01234567-89ab-7f01-bf03-040506070809");
    assert_true(uuid_parse(str_of(text), &back));
    assert_memory_equal(uuid.bytes, back.bytes, 16);
    assert_false(uuid_parse(STR("01234567-89ab-7f01-bf03-04050607080"), &back));
}

static void test_json_write(void **state)
{
    (void)state;
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 4096);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    json_kv_str(&w, "a\"b", str_make("x\n\x01\xFFy\0z", 7));
    json_kv_int(&w, "min", INT64_MIN);
    json_kv_double(&w, "tenth", 0.1);
    json_kv_double(&w, "one", 1.0);
    json_kv_double(&w, "nan", NAN);
    json_keyz(&w, "list");
    json_begin_array(&w);
    json_bool(&w, true);
    json_null(&w);
    json_begin_object(&w);
    json_end_object(&w);
    json_end_array(&w);
    json_end_object(&w);
    buf_append_char(&buf, 0);
    assert_string_equal(buf.data, "{\"a\\\"b\":\"x\\n\\u0001\xEF\xBF\xBDy\\u0000z\","
                                  "\"min\":-9223372036854775808,\"tenth\":0.1,\"one\":1.0,"
                                  "\"nan\":null,\"list\":[true,null,{}]}");
    buf_release(&buf);
}

/* The shortest of 15 to 17 digits that reads back. */
static void check_double(double value)
{
    char expected[JSON_DOUBLE_TEXT_MAX], text[JSON_DOUBLE_TEXT_MAX];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(expected, sizeof expected, "%.*g", digits, value);
        if (strtod(expected, NULL) == value)
            break;
    }
    if (!strpbrk(expected, ".e"))
        strcat(expected, ".0");
    assert_int_equal(json_double_text(value, text), strlen(expected));
    assert_string_equal(text, expected);
}

static void test_doubles_are_written_shortest(void **state)
{
    (void)state;
    static const double some[] = {
        0.0,    -0.0,  0.0001,  0.00009999, 0.5,       1e11,     99999999999.9999,
        1e-300, 1e300, 1.0 / 3, 2.0 / 3,    1e15,      1e16,     123456789.12345,
        0.1,    0.3,   1.1,     1e5 / 7,    4503599.6, 1e11 - 1, 100000000000.5};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        check_double(some[i]);
        check_double(-some[i]);
    }
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        int64_t digits = (int64_t)(seed >> (20 + i % 40));
        check_double((double)digits / 100);
        check_double((double)-digits / 10000);
        check_double((double)digits / 10000 + 1e-9);
    }
}

/* Every byte value at every place of a word-wise scan: the escaped text reads back as it was. */
static void test_json_strings_round_trip(void **state)
{
    (void)state;
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 4096);
    for (int c = 0; c < 0x80; c++) {
        for (size_t place = 0; place < 19; place++) {
            char text[19];
            yyjson_doc *doc;
            memset(text, place % 2 ? 'x' : '\x7f', sizeof text);
            text[place] = (char)c;
            buf_clear(&buf);
            json_writer_init(&w, &buf);
            json_string(&w, str_make(text, sizeof text));
            assert_int_equal(json_parse(buf_str(&buf), &doc, NULL), STATUS_OK);
            assert_true(str_eq(json_str_of(yyjson_doc_get_root(doc)), str_make(text, 19)));
            yyjson_doc_free(doc);
        }
    }
    buf_release(&buf);
}

static void test_json_parse_says_where(void **state)
{
    (void)state;
    yyjson_doc *doc;
    struct error err;
    assert_int_equal(json_parse(STR("{\"a\":\n  nul}"), &doc, &err), STATUS_INVALID_JSON);
    assert_int_equal(err.line, 2);
    assert_int_equal(err.offset, 8);
    assert_int_equal(json_parse(STR("{\"a\":{\"b\":1,\"b\":2}}"), &doc, &err),
                     STATUS_INVALID_ARGUMENT);
    char deep[200];
    memset(deep, '[', sizeof deep);
    assert_int_equal(json_parse(str_make(deep, sizeof deep), &doc, &err), STATUS_INVALID_JSON);
    assert_int_equal(err.offset, JSON_DEPTH_MAX);
    assert_int_equal(json_parse(STR("[1,2]"), &doc, &err), STATUS_OK);
    yyjson_doc_free(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_keeps_code_message_and_cause),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_arena_and_buf_respect_their_limits),
        cmocka_unit_test(test_utf8),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_uuid),
        cmocka_unit_test(test_json_write),
        cmocka_unit_test(test_doubles_are_written_shortest),
        cmocka_unit_test(test_json_strings_round_trip),
        cmocka_unit_test(test_json_parse_says_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
