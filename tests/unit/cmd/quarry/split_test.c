/* The splitter finds the same records however the text is cut into pieces: each case runs with
 * windows that grow by 1, 2, 3, 7 bytes and with the whole text. The program's own source is part
 * of this test, since programs are not in the library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "cmd/quarry/split.c"

/* Records and lines as "line:record|" into `out`, "!" at a failure. */
static void split_all(enum split_kind kind, struct str text, size_t step, struct buf *out)
{
    struct splitter splitter;
    struct str record;
    int64_t line;
    size_t at = 0, known = 0, used = 0;
    split_init(&splitter, kind);
    for (;;) {
        struct str window = str_make(text.data + at, known - at);
        enum split_result result =
            split_next(&splitter, window, known == text.len, &record, &line, &used, NULL);
        if (result == SPLIT_MORE) {
            assert_true(known < text.len);
            known = known + step < text.len ? known + step : text.len;
            continue;
        }
        if (result == SPLIT_RECORD) {
            buf_printf(out, "%d:%.*s|", (int)line, STR_ARG(record));
            at += used;
            continue;
        }
        if (result == SPLIT_BAD)
            buf_append_char(out, '!');
        break;
    }
    buf_append_char(out, 0);
}

static void expect(enum split_kind kind, const char *text, const char *wanted)
{
    static const size_t steps[] = {1, 2, 3, 7, 100000};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct buf out;
        buf_init(&out, 1 << 20);
        split_all(kind, str_of(text), steps[i], &out);
        assert_string_equal(out.data, wanted);
        buf_release(&out);
    }
}

static void lines(void **state)
{
    (void)state;
    expect(SPLIT_LINES, "", "");
    expect(SPLIT_LINES, "\n \n\t\r\n", "");
    expect(SPLIT_LINES, "a\nb", "1:a|2:b|");
    expect(SPLIT_LINES, "\n\n{\"a\": 1}\r\n\nb \n\n", "3:{\"a\": 1}|5:b |");
}

static void paragraphs(void **state)
{
    (void)state;
    expect(SPLIT_PARAGRAPHS, "", "");
    expect(SPLIT_PARAGRAPHS, "A: 1\nB: 2\n\nA: 3\n", "1:A: 1\nB: 2|4:A: 3|");
    expect(SPLIT_PARAGRAPHS, "\n\nA: 1\r\n\r\n\nA: 3", "3:A: 1|6:A: 3|");
}

static void csv_rows(void **state)
{
    (void)state;
    expect(SPLIT_CSV, "a,b\n1,\"x\ny\"\n2,\"q\"\"\n\"\"\"\n3",
           "1:a,b|2:1,\"x\ny\"|4:2,\"q\"\"\n\"\"\"|6:3|");
}

static void array_elements(void **state)
{
    (void)state;
    expect(SPLIT_ARRAY, "[]", "");
    expect(SPLIT_ARRAY, " [ {\"a\":1} ,\n{\"b\":[1,{}],\"c\":\"]}\\\"\"}\n]\n",
           "1:{\"a\":1}|2:{\"b\":[1,{}],\"c\":\"]}\\\"\"}|");
    expect(SPLIT_ARRAY, "[{\n\"a\":1\n},\n1, \"x,]\"]", "1:{\n\"a\":1\n}|4:1|4:\"x,]\"|");
}

static void bad_arrays(void **state)
{
    (void)state;
    expect(SPLIT_ARRAY, "", "!");
    expect(SPLIT_ARRAY, "{\"a\":1}", "!");
    expect(SPLIT_ARRAY, "[", "!");
    expect(SPLIT_ARRAY, "[{\"a\":1}", "!");
    expect(SPLIT_ARRAY, "[{\"a\":1},]", "1:{\"a\":1}|!");
    expect(SPLIT_ARRAY, "[,1]", "!");
    expect(SPLIT_ARRAY, "[1]2", "1:1|!");
}

static void where_an_array_is_bad(void **state)
{
    (void)state;
    struct splitter splitter;
    struct error err = ERROR_INIT;
    struct str record;
    int64_t line;
    size_t used;
    split_init(&splitter, SPLIT_ARRAY);
    assert_int_equal(split_next(&splitter, STR("[\n\n ,"), true, &record, &line, &used, &err),
                     SPLIT_BAD);
    assert_int_equal(err.status, STATUS_INVALID_JSON);
    assert_int_equal(err.line, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),      cmocka_unit_test(paragraphs),
        cmocka_unit_test(csv_rows),   cmocka_unit_test(array_elements),
        cmocka_unit_test(bad_arrays), cmocka_unit_test(where_an_array_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
