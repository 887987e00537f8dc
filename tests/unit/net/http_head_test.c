/* Heads: what is taken, what is refused, and what comes out decoded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/http_head.h"

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static enum status target(struct http_head *head, const char *text)
{
    *head = (struct http_head){0};
    return http_head_set_target(head, &arena, str_of(text), NULL);
}

static void test_targets(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(target(&head, "/a%2Fb/c%20d+e?x=1&y=a+b%26c&flag&=z&x=2"), STATUS_OK);
    assert_true(str_is(head.path, "/a/b/c d+e"));
    assert_true(str_is(head.target, "/a%2Fb/c%20d+e"));
    assert_true(str_is(head.query, "x=1&y=a+b%26c&flag&=z&x=2"));
    assert_int_equal(head.parameter_count, 5);
    const char *const expected[][2] = {
        {"x", "1"}, {"y", "a b&c"}, {"flag", ""}, {"", "z"}, {"x", "2"}};
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(str_is(head.parameters[i].name, expected[i][0]));
        assert_true(str_is(head.parameters[i].value, expected[i][1]));
    }
    assert_int_equal(target(&head, "http://example.org:80/p?q=1"), STATUS_OK);
    assert_true(str_is(head.path, "/p"));
    assert_int_equal(target(&head, "https://example.org"), STATUS_OK);
    assert_true(str_is(head.path, "/"));
    assert_int_equal(target(&head, "*"), STATUS_OK);
    assert_int_equal(target(&head, "/?"), STATUS_OK);
    assert_int_equal(head.parameter_count, 0);
    assert_int_equal(target(&head, "/?&&a&&"), STATUS_OK);
    assert_int_equal(head.parameter_count, 1);
    assert_int_equal(target(&head, "/?a=b=c"), STATUS_OK);
    assert_true(str_is(head.parameters[0].value, "b=c"));
    assert_int_equal(target(&head, "/%C3%A9"), STATUS_OK);
    assert_true(str_is(head.path, "/\xc3\xa9"));
}

static void test_wrong_targets(void **state)
{
    (void)state;
    struct http_head head;
    const char *const wrong[] = {"",         "x",       "/%",       "/%4",  "/%4g",   "/%00",
                                 "/a?b=%00", "/a?b=%z", "/a b",     "/a#b", "/\x01",  "/\xc3\xa9",
                                 "/a\\b",    "/\"",     "ftp://h/", "h:80", "/a\x7f", "?x=1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(target(&head, wrong[i]), STATUS_INVALID_ARGUMENT);
    char *text = malloc(HTTP_TARGET_MAX + 2);
    memset(text, '/', HTTP_TARGET_MAX + 1);
    text[HTTP_TARGET_MAX + 1] = 0;
    assert_int_equal(target(&head, text), STATUS_URI_TOO_LONG);
    text[HTTP_TARGET_MAX] = 0;
    assert_int_equal(target(&head, text), STATUS_OK);
    text[1] = '?';
    for (int i = 2; i < 2 + 2 * HTTP_PARAMETERS_MAX; i++)
        text[i] = i % 2 ? '&' : 'p';
    text[2 + 2 * HTTP_PARAMETERS_MAX - 1] = 0;
    assert_int_equal(target(&head, text), STATUS_OK);
    assert_int_equal(head.parameter_count, HTTP_PARAMETERS_MAX);
    text[2 + 2 * HTTP_PARAMETERS_MAX - 1] = '&';
    text[2 + 2 * HTTP_PARAMETERS_MAX] = 0;
    assert_int_equal(target(&head, text), STATUS_INVALID_ARGUMENT);
    free(text);
}

static void test_methods(void **state)
{
    (void)state;
    struct http_head head;
    for (int m = 0; m < HTTP_METHOD_OTHER; m++) {
        http_head_set_method(&head, str_of(http_method_name((enum http_method)m)));
        assert_int_equal(head.method, m);
    }
    http_head_set_method(&head, STR("get"));
    assert_int_equal(head.method, HTTP_METHOD_OTHER);
    assert_string_equal(http_method_name((enum http_method)99), "OTHER");
}

#define PAIR(n, v)                                                                                 \
    {                                                                                              \
        {n, sizeof n - 1},                                                                         \
        {                                                                                          \
            v, sizeof v - 1                                                                        \
        }                                                                                          \
    }

static enum status check(struct http_head *head, struct http_pair *pairs, uint32_t count)
{
    *head = (struct http_head){.headers = pairs, .header_count = count};
    http_head_set_method(head, STR("POST"));
    return http_head_check_headers(head, NULL);
}

#define CHECK(head, ...)                                                                           \
    check((head), (struct http_pair[]){__VA_ARGS__},                                               \
          sizeof((struct http_pair[]){__VA_ARGS__}) / sizeof(struct http_pair))

static void test_framing(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(CHECK(&head, PAIR("Host", "x")), STATUS_OK);
    assert_false(head.has_body);
    assert_int_equal(CHECK(&head, PAIR("content-LENGTH", " 12 ")), STATUS_OK);
    assert_true(head.has_body);
    assert_int_equal(head.content_length, 12);
    assert_int_equal(CHECK(&head, PAIR("Content-Length", "0")), STATUS_OK);
    assert_false(head.has_body);
    assert_int_equal(CHECK(&head, PAIR("Transfer-Encoding", "Chunked")), STATUS_OK);
    assert_true(head.has_body && head.chunked);
    assert_int_equal(CHECK(&head, PAIR("Content-Length", "18446744073709551615")), STATUS_OK);
    assert_true(head.content_length == UINT64_MAX);
    assert_int_equal(CHECK(&head, PAIR("Content-Length", "18446744073709551616")),
                     STATUS_TOO_LARGE);
}

static void test_smuggling(void **state)
{
    (void)state;
    struct http_head head;
    assert_int_equal(CHECK(&head, PAIR("Content-Length", "5"), PAIR("Content-Length", "5")),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(
        CHECK(&head, PAIR("Content-Length", "5"), PAIR("Transfer-Encoding", "chunked")),
        STATUS_INVALID_ARGUMENT);
    assert_int_equal(
        CHECK(&head, PAIR("Transfer-Encoding", "chunked"), PAIR("Transfer-Encoding", "chunked")),
        STATUS_INVALID_ARGUMENT);
    assert_int_equal(CHECK(&head, PAIR("Transfer-Encoding", "gzip, chunked")),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(CHECK(&head, PAIR("Transfer-Encoding", "")), STATUS_INVALID_ARGUMENT);
    assert_int_equal(CHECK(&head, PAIR("Host", "a"), PAIR("Host", "b")), STATUS_INVALID_ARGUMENT);
    const struct http_pair wrong[] = {
        PAIR("Content-Length", ""),
        PAIR("Content-Length", "+5"),
        PAIR("Content-Length", "-1"),
        PAIR("Content-Length", "5, 5"),
        PAIR("Content-Length", "0x5"),
        PAIR("Content-Length", "5 6"),
        PAIR("Content-Length ", "5"),
        PAIR("", "x"),
        PAIR("A(b)", "x"),
        PAIR("A\x01", "x"),
        PAIR("X", "a\rb"),
        PAIR("X", "a\x7f"),
        PAIR("Transfer-Encoding\t", ""),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct http_pair pair = wrong[i];
        assert_int_equal(check(&head, &pair, 1), STATUS_INVALID_ARGUMENT);
    }
    struct http_pair fine = PAIR("X-Ok", " tab\there \xc3\xa9 ");
    assert_int_equal(check(&head, &fine, 1), STATUS_OK);
    assert_true(str_is(http_head_header(&head, "x-oK"), "tab\there \xc3\xa9"));
    assert_null(http_head_header(&head, "x-no").data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets),   cmocka_unit_test(test_wrong_targets),
        cmocka_unit_test(test_methods),   cmocka_unit_test(test_framing),
        cmocka_unit_test(test_smuggling),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
