/* log_read: filters, the newest lines over several files, torn lines, and going on from a place. */
#include "services/monitoring/log_read.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/datetime.h"

static char folder[64];

static void append(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

#define LINE(second, level, rest)                                                                  \
    "{\"time\":\"2026-11-21T10:00:" second ".000000Z\",\"level\":\"" level                         \
    "\",\"service\":\"s\"" rest "}\n"

static int set_up(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/quarry-logs-XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    append("s.20261120-000.jsonl",
           LINE("01", "info", ",\"message\":\"one\"")
               LINE("02", "debug", ",\"request_id\":\"r-1\",\"tenant\":\"acme\""));
    append(
        "s.20261121-000.jsonl",
        LINE("03", "error",
             ",\"request_id\":\"r-1\",\"message\":\"say \\\"hi\\\"\"") "{\"time\":\"2026-11-21T10:"
                                                                       "00:04.000000Z\",\"level\":"
                                                                       "\"error\",\"torn\n"
                                                                       "not json at all\n" LINE(
                                                                           "05", "warn",
                                                                           ",\"message\":"
                                                                           "\"\\\"request_id\\\":"
                                                                           "\\\"r-1\\\"\""));
    append("s.20261121-001.jsonl",
           LINE("06", "info", ",\"message\":\"six\"") "{\"time\":\"2026-11-21T10:00:07.000000Z\","
                                                      "\"level\":\"info\",\"not yet whole");
    append("other.20261121-000.jsonl", LINE("09", "error", ""));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    return sys_remove_tree(sys_posix(), folder, NULL) == STATUS_OK ? 0 : -1;
}

/* The seconds of the lines that are found, as one number each digit. */
static long find(struct log_filter filter, uint32_t limit)
{
    struct arena arena;
    struct log_matcher *matcher = NULL;
    struct log_lines lines;
    struct log_tail end;
    long found = 0;
    arena_init(&arena, 1 << 20);
    filter.until_us = filter.until_us ? filter.until_us : INT64_MAX;
    assert_int_equal(log_matcher_new(&filter, &arena, &matcher, NULL), STATUS_OK);
    assert_int_equal(log_tail_find(sys_posix(), folder, "s", &end, NULL), STATUS_OK);
    assert_int_equal(log_read(sys_posix(), folder, "s", matcher, &end, limit, &arena, &lines, NULL),
                     STATUS_OK);
    for (size_t i = 0; i < lines.len; i++)
        found = found * 10 + lines.items[i].time_us / 1000000 % 60;
    arena_release(&arena);
    return found;
}

static int64_t at(int second)
{
    int64_t us = 0;
    char text[32];
    snprintf(text, sizeof text, "2026-11-21T10:00:%02dZ", second);
    assert_true(timestamp_parse(str_of(text), &us));
    return us;
}

static void test_filters(void **state)
{
    (void)state;
    assert_int_equal(find((struct log_filter){0}, 100), 12356);
    assert_int_equal(find((struct log_filter){0}, 2), 56);
    assert_int_equal(find((struct log_filter){.level = LOG_WARN}, 100), 35);
    assert_int_equal(find((struct log_filter){.since_us = at(2), .until_us = at(5)}, 100), 235);
    /* a text that looks like the member is not the member */
    assert_int_equal(find((struct log_filter){.request_id = STR("r-1")}, 100), 23);
    assert_int_equal(find((struct log_filter){.text = STR("say \"hi\"")}, 100), 3);
    assert_int_equal(find((struct log_filter){.text = STR("r-1")}, 100), 235);
    assert_int_equal(find((struct log_filter){.tenant = STR("acme")}, 100), 2);
    assert_int_equal(find((struct log_filter){.tenant = STR("")}, 100), 0);
    assert_int_equal(find((struct log_filter){.request_id = STR("\n\"")}, 100), 0);
}

static enum status take(void *context, struct str json, struct error *err)
{
    (void)err;
    int64_t us = 0;
    assert_true(timestamp_parse(str_make(json.data + 9, 27), &us));
    *(long *)context = *(long *)context * 10 + us / 1000000 % 60;
    return STATUS_OK;
}

static long go_on(struct log_matcher *matcher, struct log_tail *tail)
{
    long found = 0;
    assert_int_equal(log_tail_read(sys_posix(), folder, "s", matcher, tail, take, &found, NULL),
                     STATUS_OK);
    return found;
}

static void test_tail(void **state)
{
    struct arena arena;
    struct log_matcher *matcher = NULL;
    struct log_tail tail, none = {0};
    (void)state;
    arena_init(&arena, 1 << 20);
    assert_int_equal(
        log_matcher_new(&(struct log_filter){.until_us = INT64_MAX}, &arena, &matcher, NULL),
        STATUS_OK);
    assert_int_equal(log_tail_find(sys_posix(), folder, "s", &tail, NULL), STATUS_OK);
    assert_int_equal(go_on(matcher, &tail), 0);
    append("s.20261121-001.jsonl", "\n" LINE("08", "info", ""));
    append("s.20261121-002.jsonl", LINE("09", "info", ""));
    assert_int_equal(go_on(matcher, &tail), 8);
    assert_int_equal(go_on(matcher, &tail), 9);
    assert_int_equal(go_on(matcher, &tail), 0);
    assert_int_equal(go_on(matcher, &none), 12); /* from the first file on */
    assert_int_equal(go_on(matcher, &none), 35);
    assert_int_equal(log_tail_find(sys_posix(), folder, "absent", &tail, NULL), STATUS_OK);
    assert_false(tail.is_set);
    arena_release(&arena);
}

static void test_merge(void **state)
{
    struct arena arena;
    struct log_line a[] = {{1, STR("1")}, {4, STR("4")}}, b[] = {{2, STR("2")}, {3, STR("3")}};
    struct log_lines into = {a, 2, false};
    (void)state;
    arena_init(&arena, 1 << 20);
    assert_int_equal(log_lines_merge(&into, &(struct log_lines){b, 2, true}, 3, &arena, NULL),
                     STATUS_OK);
    assert_int_equal(into.len, 3);
    assert_int_equal(into.items[0].time_us, 2);
    assert_int_equal(into.items[2].time_us, 4);
    assert_true(into.truncated);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_filters, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tail, set_up, tear_down),
        cmocka_unit_test(test_merge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
