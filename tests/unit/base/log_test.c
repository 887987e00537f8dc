/* log: whatever a field holds, an event is one line and its members are those that were given. */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/json.h"

static bool wants(void *context, const char *service, enum log_level level)
{
    (void)context;
    return strcmp(service, "s") == 0 && level >= LOG_DEBUG;
}

static void take(void *context, const char *service, enum log_level level, struct str line)
{
    struct buf *buf = context;
    (void)service;
    (void)level;
    buf_append_str(buf, line);
}

static void test_injection(void **state)
{
    static const char *const texts[] = {
        "a\nb",
        "\r\n{\"level\":\"error\"}",
        "\",\"level\":\"error\",\"x\":\"",
        "\\\",\"time\":\"2000-01-01T00:00:00Z",
        "\x1b[2J\x07\x7f",
        "\xff\xfe bad utf-8 \xc3",
        "\xe2\x80\xa8 line separator",
        "",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct buf lines;
        buf_init(&lines, 1 << 16);
        const struct log_sink sink = {wants, take, NULL, &lines};
        const struct log log = {.fd = -1, .level = LOG_ERROR, .service = "s", .sink = &sink};
        log_event(&log, LOG_INFO, "m", LOG_TEXT("path", str_of(texts[i])), LOG_NUM("status", 7));
        struct str line = buf_str(&lines);
        assert_true(line.len > 2 && line.data[line.len - 1] == '\n');
        line.len--;
        assert_null(memchr(line.data, '\n', line.len));
        for (size_t k = 0; k < line.len; k++)
            assert_true((unsigned char)line.data[k] >= 0x20);
        yyjson_doc *doc = NULL;
        assert_int_equal(json_parse(line, &doc, NULL), STATUS_OK);
        yyjson_val *root = yyjson_doc_get_root(doc);
        assert_int_equal(yyjson_obj_size(root), 6);
        assert_string_equal(yyjson_get_str(json_get(root, "level")), "info");
        assert_int_equal(yyjson_get_int(json_get(root, "status")), 7);
        if (i < 5)
            assert_string_equal(yyjson_get_str(json_get(root, "path")), texts[i]);
        yyjson_doc_free(doc);
        buf_release(&lines);
    }
}

static void test_levels(void **state)
{
    struct buf lines;
    int ends[2];
    char text[256];
    enum log_level level = LOG_INFO;
    (void)state;
    buf_init(&lines, 1 << 16);
    assert_int_equal(pipe(ends), 0);
    const struct log_sink sink = {wants, take, NULL, &lines};
    const struct log log = {.fd = ends[1], .level = LOG_WARN, .service = "s", .sink = &sink};
    log_event(&log, LOG_DEBUG, "to the sink only", LOG_NUM("n", 1));
    assert_non_null(memmem(lines.data, lines.len, "sink only", 9));
    size_t before = lines.len;
    log_event(&log, LOG_WARN, "to both", LOG_NUM("n", 1));
    assert_true(lines.len > before);
    ssize_t n = read(ends[0], text, sizeof text);
    assert_int_equal(n, lines.len - before);
    assert_memory_equal(text, lines.data + before, (size_t)n);
    struct log other = log;
    other.service = "other";
    log_event(&other, LOG_INFO, "to neither", LOG_NUM("n", 1));
    assert_null(memmem(lines.data, lines.len, "neither", 7));
    assert_true(log_level_parse(STR("error"), &level) && level == LOG_ERROR);
    assert_false(log_level_parse(STR("loud"), &level));
    buf_release(&lines);
    close(ends[0]);
    close(ends[1]);
}

/* A field too large for the line is left out; the line stays whole. */
static void test_long_field(void **state)
{
    static char huge[LOG_LINE_MAX];
    struct buf lines;
    yyjson_doc *doc = NULL;
    (void)state;
    memset(huge, 'x', sizeof huge - 1);
    buf_init(&lines, 1 << 16);
    const struct log_sink sink = {wants, take, NULL, &lines};
    const struct log log = {.fd = -1, .level = LOG_ERROR, .service = "s", .sink = &sink};
    log_event(&log, LOG_INFO, "m", LOG_TEXT("huge", str_of(huge)), LOG_TEXT("after", STR("here")));
    assert_true(lines.len <= LOG_LINE_MAX);
    assert_int_equal(json_parse(str_make(lines.data, lines.len - 1), &doc, NULL), STATUS_OK);
    assert_null(json_get(yyjson_doc_get_root(doc), "huge"));
    assert_string_equal(yyjson_get_str(json_get(yyjson_doc_get_root(doc), "after")), "here");
    yyjson_doc_free(doc);
    buf_release(&lines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_injection),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_long_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
