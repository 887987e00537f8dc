/* One listener, spoken to in raw bytes: what a careful client gets, and what a careless or hostile
 * one gets. Concurrency is in http_server_threads_test.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/http_rig.h"

static struct http_rig rig;
static struct http_rig_answer answer;

static int setup(void **state)
{
    (void)state;
    http_rig_start(&rig, (struct http_server_options){.body_max = 100000});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_rig_stop(&rig, 5000);
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void test_keep_alive(void **state)
{
    (void)state;
    int fd = http_rig_connect(&rig);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(http_rig_ask(fd, GET("/hello"), &answer), 200);
        assert_string_equal(answer.body, "{\"hello\":\"world\",\"n\":12345}");
        assert_non_null(strstr(answer.head, "Content-Type: application/json\r\n"));
        assert_non_null(strstr(answer.head, "Content-Length: 27\r\n"));
        assert_null(strstr(answer.head, "Connection: "));
    }
    assert_int_equal(
        http_rig_ask(fd, "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", &answer),
        200);
    assert_true(http_rig_closed(fd));
    close(fd);
    fd = http_rig_connect(&rig);
    assert_int_equal(http_rig_ask(fd, "GET /hello HTTP/1.0\r\n\r\n", &answer), 200);
    assert_true(http_rig_closed(fd));
    close(fd);
}

static void test_pipelining(void **state)
{
    (void)state;
    int fd = http_rig_connect(&rig);
    http_rig_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none" GET(
                          "/hello") "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: "
                                    "2\r\n\r\n\x01\x02" GET("/down?n=10"));
    assert_int_equal(http_rig_receive(fd, &answer), 200);
    assert_string_equal(answer.body, "one");
    assert_int_equal(http_rig_receive(fd, &answer), 200);
    assert_int_equal(answer.body_len, 27);
    assert_int_equal(http_rig_receive(fd, &answer), 200);
    assert_string_equal(answer.body, "2 3");
    assert_int_equal(http_rig_receive(fd, &answer), 200);
    assert_string_equal(answer.body, "dddddddddd");
    close(fd);
}

static void test_request_is_seen_right(void **state)
{
    (void)state;
    int fd = http_rig_connect(&rig);
    assert_int_equal(http_rig_ask(fd,
                                  "PATCH /i/a%2Fb%20c?q=%41+b&e&x=%26 HTTP/1.1\r\nHost: x\r\n"
                                  "x-TEST:  some value \r\nCookie: a=b\r\n\r\n",
                                  &answer),
                     200);
    assert_string_equal(answer.body,
                        "PATCH|PATCH|/i/a/b c|/i/a%2Fb%20c|127.0.0.1|some value|q=A b;e=;x=&;");
    assert_int_equal(http_rig_ask(fd, "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", &answer), 200);
    assert_string_equal(answer.body, "OTHER|BREW|/pot|/pot|127.0.0.1||");
    assert_int_equal(http_rig_ask(fd, "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", &answer), 200);
    assert_string_equal(answer.body, "OPTIONS|OPTIONS|*|*|127.0.0.1||");
    close(fd);
}

static void test_head_has_no_body(void **state)
{
    (void)state;
    int fd = http_rig_connect(&rig);
    http_rig_send(fd, "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(http_rig_receive_head(fd, &answer), 200);
    assert_non_null(strstr(answer.head, "Content-Length: 27\r\n"));
    http_rig_send(fd, "HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(http_rig_receive_head(fd, &answer), 200);
    /* A streamed answer's length is not known: the connection ends after its head. */
    http_rig_send(fd, "HEAD /down?n=1000000 HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(http_rig_receive_head(fd, &answer), 200);
    assert_true(http_rig_closed(fd));
    close(fd);
}

static void test_answers(void **state)
{
    (void)state;
    int fd = http_rig_connect(&rig);
    assert_int_equal(http_rig_ask(fd, GET("/set?v=plain"), &answer), 201);
    assert_string_equal(answer.body, "taken");
    assert_non_null(strstr(answer.head, "X-Value: plain\r\n"));
    assert_int_equal(http_rig_ask(fd, GET("/set?v=a%0D%0AX-Evil:%20b"), &answer), 201);
    assert_null(strstr(answer.head, "X-Value"));
    assert_null(strstr(answer.head, "X-Evil"));
    assert_non_null(strstr(answer.head, "X-Fine: yes\r\n"));
    assert_int_equal(http_rig_ask(fd, GET("/none"), &answer), 500);
    assert_string_equal(answer.body, "{\"fault\":\"internal\"}");
    assert_int_equal(http_rig_ask(fd, GET("/down?n=5"), &answer), 200);
    assert_string_equal(answer.body, "ddddd");
    assert_int_equal(http_rig_ask(fd, GET("/down?n=0"), &answer), 200);
    assert_true(answer.whole);
    assert_int_equal(http_rig_ask(fd, GET("/abort"), &answer), 200);
    assert_false(answer.whole);
    assert_true(http_rig_closed(fd));
    close(fd);
}

static void test_bodies(void **state)
{
    (void)state;
    int fd = http_rig_connect(&rig);
    assert_int_equal(http_rig_ask(fd,
                                  "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                                  "chunked\r\n\r\n5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nT: x\r\n\r\n",
                                  &answer),
                     200);
    assert_string_equal(answer.body, "hello!");
    assert_int_equal(
        http_rig_ask(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", &answer),
        200);
    assert_int_equal(answer.body_len, 0);
    assert_int_equal(http_rig_ask(fd,
                                  "POST /count HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: "
                                  "chunked\r\n\r\n0\r\n\r\n",
                                  &answer),
                     200);
    assert_string_equal(answer.body, "0 0");
    assert_int_equal(
        http_rig_ask(fd, "PUT /count HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", &answer),
        200);
    assert_string_equal(answer.body, "0 0");
    close(fd);
}

/* An answer begun says that the rest of a streamed body is not wanted. */
static void test_no_reading_after_begin(void **state)
{
    (void)state;
    int fd = http_rig_connect(&rig);
    http_rig_send(fd, "PUT /read-late HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nping");
    assert_int_equal(http_rig_receive(fd, &answer), 200);
    assert_string_equal(answer.body, "late");
    http_rig_await_left(&rig, 1);
    assert_int_equal(rig.last, STATUS_INTERNAL);
    assert_true(http_rig_closed(fd));
    close(fd);
}

static void test_expect_continue(void **state)
{
    (void)state;
    int fd = http_rig_connect(&rig);
    const char *const routes[] = {"echo", "count"};
    for (int i = 0; i < 2; i++) {
        char head[200];
        snprintf(
            head, sizeof head,
            "POST /%s HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
            routes[i]);
        assert_int_equal(http_rig_ask(fd, head, &answer), 100);
        assert_int_equal(http_rig_ask(fd, "abc", &answer), 200);
        assert_string_equal(answer.body, i ? "3 294" : "abc");
    }
    /* Refused before a byte of the body was asked for: no 100 comes. */
    assert_int_equal(http_rig_ask(fd,
                                  "POST /refuse HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                                  "Content-Length: 3\r\n\r\n",
                                  &answer),
                     401);
    assert_string_equal(answer.body, "no");
    assert_true(http_rig_closed(fd));
    close(fd);
    fd = http_rig_connect(&rig);
    assert_int_equal(http_rig_ask(fd,
                                  "POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                                  "Content-Length: 3000000\r\n\r\n",
                                  &answer),
                     413);
    close(fd);
}

/* Sends a body of n bytes whatever the server says meanwhile. */
static void send_zeros(int fd, size_t n)
{
    static const char zeros[65536];
    for (size_t part; n; n -= part) {
        part = n < sizeof zeros ? n : sizeof zeros;
        http_rig_send_bytes(fd, zeros, part);
    }
}

static void test_too_large_bodies(void **state)
{
    (void)state;
    int fd = http_rig_connect(&rig);
    http_rig_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n");
    send_zeros(fd, 2000000); /* the answer is not lost although nobody reads this */
    assert_int_equal(http_rig_receive(fd, &answer), 413);
    assert_string_equal(answer.body, "{\"fault\":\"too_large\"}");
    assert_non_null(strstr(answer.head, "Connection: close\r\n"));
    assert_true(http_rig_closed(fd));
    close(fd);
    const char *const routes[] = {"echo", "count"};
    for (int i = 0; i < 2; i++) {
        fd = http_rig_connect(&rig);
        char head[200];
        snprintf(head, sizeof head,
                 "POST /%s?max=10 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                 routes[i]);
        http_rig_send(fd, head);
        http_rig_send(fd, "A\r\n0123456789\r\n");
        http_rig_send(fd, "1\r\nx\r\n0\r\n\r\n");
        assert_int_equal(http_rig_receive(fd, &answer), 413);
        close(fd);
    }
    assert_int_equal(rig.last, STATUS_TOO_LARGE);
    /* Exactly the limit is fine, and on_head may raise it. */
    fd = http_rig_connect(&rig);
    assert_int_equal(
        http_rig_ask(fd, "POST /echo?max=3 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
                     &answer),
        200);
    http_rig_send(fd,
                  "POST /count?max=300000 HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n");
    send_zeros(fd, 300000);
    assert_int_equal(http_rig_receive(fd, &answer), 200);
    assert_string_equal(answer.body, "300000 0");
    /* An endless chunked body is cut in the end, with an answer all the same. */
    http_rig_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 200; i++) {
        http_rig_send(fd, "10000\r\n");
        send_zeros(fd, 0x10000);
        http_rig_send(fd, "\r\n");
    }
    assert_int_equal(http_rig_receive(fd, &answer), 413);
    assert_string_equal(answer.body, "{\"fault\":\"too_large\"}");
    assert_true(http_rig_closed(fd));
    close(fd);
}

struct wrong {
    const char *bytes;
    size_t len; /* 0: strlen */
    int status;
};

static void test_wrong_heads(void **state)
{
    (void)state;
    static const char nul_value[] = "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\nD: e\r\n\r\n";
    static const char nul_last[] = "GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n";
    static const char nul_name[] = "GET / HTTP/1.1\r\nHost: x\r\nA\0b: c\r\n\r\n";
    static const char nul_length[] =
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\0 2\r\n\r\nab";
    static const char nul_target[] = "GET /a\0b HTTP/1.1\r\nHost: x\r\n\r\n";
    const struct wrong wrong[] = {
        {"GET / HTTP/1.1\r\n\r\n", 0, 400},
        {"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 0, 400},
        {"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 0, 400},
        {"GET nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 0, 400},
        {"GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 0, 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nA: b\x01\r\n\r\n", 0, 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 0,
         400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 0,
         400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 0, 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 0, 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 0, 413},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\nab", 0, 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
         "0\r\n\r\n",
         0, 400},
        {"POST /echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 0, 400},
        {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", 0, 400},
        {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 0, 505},
        {"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 0, 400},
        {nul_value, sizeof nul_value - 1, 400},
        {nul_last, sizeof nul_last - 1, 400},
        {nul_name, sizeof nul_name - 1, 400},
        {nul_length, sizeof nul_length - 1, 400},
        {nul_target, sizeof nul_target - 1, 400},
        {"\x16\x03\x01\x02\r\n\r\n", 0, 0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int fd = http_rig_connect(&rig);
        http_rig_send_bytes(fd, wrong[i].bytes,
                            wrong[i].len ? wrong[i].len : strlen(wrong[i].bytes));
        http_rig_send(fd, GET("/hello")); /* must not be taken for a request */
        shutdown(fd, SHUT_WR);
        int status = http_rig_receive(fd, &answer);
        if (status != wrong[i].status)
            fail_msg("head %zu: %d instead of %d", i, status, wrong[i].status);
        /* What libmicrohttpd finds by itself it answers in its own words, a wrong Content-Length
         * with its head twice; in any case the connection ends and nothing more is run (see below).
         */
        char scrap[4096];
        ssize_t n;
        while ((n = recv(fd, scrap, sizeof scrap, 0)) > 0)
            ;
        if (n < 0 && errno != ECONNRESET)
            fail_msg("head %zu: the connection stays open", i);
        close(fd);
    }
    struct http_server_stats stats;
    http_server_get_stats(rig.server, &stats);
    assert_int_equal(stats.requests, 0);
}

static int ask_with_filler(const char *before, size_t filler, const char *after)
{
    size_t len = strlen(before) + filler + strlen(after);
    char *text = malloc(len + 1);
    memcpy(text, before, strlen(before));
    memset(text + strlen(before), 'a', filler);
    memcpy(text + strlen(before) + filler, after, strlen(after) + 1);
    int fd = http_rig_connect(&rig);
    http_rig_send_bytes(fd, text, len);
    int status = http_rig_receive(fd, &answer);
    close(fd);
    free(text);
    return status;
}

static void test_head_limits(void **state)
{
    (void)state;
    assert_int_equal(ask_with_filler("GET /", HTTP_TARGET_MAX - 1, " HTTP/1.1\r\nHost: x\r\n\r\n"),
                     200);
    assert_int_equal(ask_with_filler("GET /", HTTP_TARGET_MAX, " HTTP/1.1\r\nHost: x\r\n\r\n"),
                     414);
    assert_string_equal(answer.body, "{\"fault\":\"uri_too_long\"}");
    assert_int_equal(ask_with_filler("GET /", 200000, " HTTP/1.1\r\nHost: x\r\n\r\n"), 414);
    assert_int_equal(ask_with_filler("GET / HTTP/1.1\r\nHost: x\r\nA: ", 20000, "\r\n\r\n"), 200);
    assert_int_equal(
        ask_with_filler("GET / HTTP/1.1\r\nHost: x\r\nA: ", HTTP_HEADER_BYTES_MAX, "\r\n\r\n"),
        431);
    assert_string_equal(answer.body, "{\"fault\":\"headers_too_large\"}");
    assert_int_equal(ask_with_filler("GET / HTTP/1.1\r\nHost: x\r\nA: ", 200000, "\r\n\r\n"), 431);
    char many[4000] = "GET / HTTP/1.1\r\nHost: x\r\n";
    for (int i = 0; i < 99; i++)
        strcat(many, "A: b\r\n");
    assert_int_equal(ask_with_filler(many, 0, "\r\n"), 200);
    assert_int_equal(ask_with_filler(many, 0, "C: d\r\n\r\n"), 431);
}

/* --- with listeners of their own --- */

static void test_request_timeout(void **state)
{
    (void)state;
    http_rig_start(&rig, (struct http_server_options){.request_timeout_s = 1, .idle_timeout_s = 1});
    const char *const begins[] = {"", "G", "GET / HTTP/1.1\r\nHost: x\r\nA: ",
                                  "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"};
    for (size_t i = 0; i < sizeof begins / sizeof *begins; i++) {
        int fd = http_rig_connect(&rig);
        int64_t before = now_ms();
        struct timeval little = {.tv_usec = 100000};
        http_rig_send(fd, begins[i]);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &little, sizeof little);
        /* A byte each tenth of a second keeps it from being idle. */
        char c = 0;
        ssize_t n = -1;
        while (n < 0 && now_ms() - before < 10000) {
            http_rig_send(fd, "a");
            n = recv(fd, &c, 1, MSG_PEEK);
        }
        assert_true(now_ms() - before >= 900 && now_ms() - before < 3000);
        assert_int_equal(http_rig_receive(fd, &answer), 408);
        assert_string_equal(answer.body, "{\"fault\":\"request_timeout\"}");
        close(fd);
    }
    /* Silence: the connection is just closed, or told the same. */
    int fd = http_rig_connect(&rig);
    assert_int_equal(http_rig_ask(fd, GET("/hello"), &answer), 200);
    int64_t before = now_ms();
    (void)http_rig_receive(fd, &answer);
    assert_true(now_ms() - before < 4000);
    close(fd);
    http_rig_stop(&rig, 0);
}

/* A kept-alive client may be idle and then send at once: the timeout counts from its first line. */
static void test_kept_alive_is_not_cut(void **state)
{
    (void)state;
    http_rig_start(&rig, (struct http_server_options){.request_timeout_s = 1, .idle_timeout_s = 5});
    int fd = http_rig_connect(&rig);
    assert_int_equal(http_rig_ask(fd, GET("/hello"), &answer), 200);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 500000000}, NULL);
    assert_int_equal(http_rig_ask(fd, GET("/hello"), &answer), 200);
    /* And a handler may take longer than a client. */
    http_rig_send(fd, GET("/block"));
    http_rig_await_entered(&rig, 1);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 500000000}, NULL);
    http_rig_open_gate(&rig);
    assert_int_equal(http_rig_receive(fd, &answer), 200);
    close(fd);
    http_rig_stop(&rig, 0);
}

static void test_stalled_stream(void **state)
{
    (void)state;
    http_rig_start(&rig, (struct http_server_options){.idle_timeout_s = 1});
    int fd = http_rig_connect(&rig);
    http_rig_send(fd, "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
    http_rig_await_left(&rig, 1);
    assert_int_equal(rig.last, STATUS_REQUEST_TIMEOUT);
    close(fd);
    fd = http_rig_connect(&rig);
    http_rig_send(fd, "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
    close(fd);
    http_rig_await_left(&rig, 2);
    assert_int_equal(rig.last, STATUS_CANCELLED);
    http_rig_stop(&rig, 0);
}

/* Sends or takes a byte each 50 ms until the handler has come out. */
static void dribble(int fd, bool sending, int handlers)
{
    int left = 0;
    while (left < handlers) {
        char c;
        if (sending)
            http_rig_send(fd, "a");
        else
            (void)!recv(fd, &c, 1, MSG_DONTWAIT);
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
        pthread_mutex_lock(&rig.mutex);
        left = rig.left;
        pthread_mutex_unlock(&rig.mutex);
    }
}

/* Never idle, but too slow to be worth a worker. */
static void test_dribbled_streams(void **state)
{
    (void)state;
    http_rig_start(&rig, (struct http_server_options){.request_timeout_s = 1, .idle_timeout_s = 1});
    int fd = http_rig_connect(&rig);
    int64_t before = now_ms();
    http_rig_send(fd, "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
    dribble(fd, true, 1);
    assert_int_equal(rig.last, STATUS_REQUEST_TIMEOUT);
    assert_true(now_ms() - before >= 900 && now_ms() - before < 4000);
    close(fd);
    fd = http_rig_connect(&rig);
    http_rig_send(fd, GET("/down?n=100000000"));
    dribble(fd, false, 2);
    assert_int_equal(rig.last, STATUS_CANCELLED);
    close(fd);
    http_rig_stop(&rig, 0);
}

static void test_queue_full(void **state)
{
    (void)state;
    http_rig_start(&rig, (struct http_server_options){.workers = 1, .queue_max = 2});
    int fds[4];
    for (int i = 0; i < 3; i++) {
        fds[i] = http_rig_connect(&rig);
        http_rig_send(fds[i], GET("/block"));
        struct http_server_stats stats = {0};
        http_rig_await_entered(&rig, 1);
        while (stats.queued < (uint64_t)i)
            http_server_get_stats(rig.server, &stats);
    }
    fds[3] = http_rig_connect(&rig);
    assert_int_equal(http_rig_ask(fds[3], GET("/hello"), &answer), 503);
    assert_string_equal(answer.body, "{\"fault\":\"unavailable\"}");
    assert_non_null(strstr(answer.head, "Retry-After: 1\r\n"));
    http_rig_open_gate(&rig);
    for (int i = 0; i < 3; i++)
        assert_int_equal(http_rig_receive(fds[i], &answer), 200);
    assert_int_equal(http_rig_ask(fds[3], GET("/hello"), &answer), 200); /* kept alive */
    struct http_server_stats stats;
    http_server_get_stats(rig.server, &stats);
    assert_int_equal(stats.requests, 4);
    assert_int_equal(stats.refused, 1);
    assert_int_equal(stats.connections, 4);
    for (int i = 0; i < 4; i++)
        close(fds[i]);
    http_rig_stop(&rig, 1000);
}

static void test_client_hangs_up(void **state)
{
    (void)state;
    int fd = http_rig_connect(&rig);
    http_rig_send(fd, GET("/gone"));
    http_rig_await_entered(&rig, 1);
    close(fd);
    http_rig_await_left(&rig, 1);
    assert_int_equal(rig.last, STATUS_CANCELLED);
    /* In the middle of an answer: the writer is told. */
    fd = http_rig_connect(&rig);
    http_rig_send(fd, GET("/down?n=1000000000"));
    assert_int_equal(http_rig_receive_head(fd, &answer), 200);
    close(fd);
    http_rig_await_left(&rig, 2);
    assert_int_equal(rig.last, STATUS_CANCELLED);
}

static void *stop_run(void *argument)
{
    (void)argument;
    http_server_stop(rig.server, 10000);
    return NULL;
}

/* Stopping waits for a running request, answers it, and takes no new connection. */
static void test_drain(void **state)
{
    (void)state;
    http_rig_start(&rig, (struct http_server_options){0});
    int fd = http_rig_connect(&rig), idle = http_rig_connect(&rig);
    http_rig_send(fd, GET("/block"));
    http_rig_await_entered(&rig, 1);
    pthread_t stopper;
    pthread_create(&stopper, NULL, stop_run, NULL);
    struct http_rig_answer late;
    for (int status = 200; status == 200;) { /* until it drains */
        status = http_rig_ask(idle, GET("/hello"), &late);
        if (status == 0 || strstr(late.head, "Connection: close"))
            break;
    }
    http_rig_open_gate(&rig);
    assert_int_equal(http_rig_receive(fd, &answer), 200);
    assert_string_equal(answer.body, "unblocked");
    assert_non_null(strstr(answer.head, "Connection: close\r\n"));
    pthread_join(stopper, NULL);
    assert_true(http_rig_closed(fd));
    close(fd);
    close(idle);
}

/* After the grace what runs is cancelled: a stuck upload, a stuck download, a waiting request. */
static void test_stop_cancels(void **state)
{
    (void)state;
    http_rig_start(&rig, (struct http_server_options){.workers = 2});
    int up = http_rig_connect(&rig), down = http_rig_connect(&rig), queued = http_rig_connect(&rig);
    http_rig_send(up, "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc");
    http_rig_send(down, GET("/down?n=1000000000"));
    assert_int_equal(http_rig_receive_head(down, &answer), 200);
    http_rig_send(queued, GET("/hello"));
    struct http_server_stats stats = {0};
    while (stats.queued < 1)
        http_server_get_stats(rig.server, &stats);
    int64_t before = now_ms();
    http_rig_stop(&rig, 50);
    assert_true(now_ms() - before < 5000);
    close(up);
    close(down);
    close(queued);
}

static void test_wrong_options(void **state)
{
    (void)state;
    struct http_server *server;
    struct error err = ERROR_INIT;
    struct http_server_options options = {0};
    assert_int_equal(http_server_start(&options, &server, &err), STATUS_INVALID_ARGUMENT);
    http_rig_start(&rig, (struct http_server_options){0});
    struct http_rig other;
    options.on_request =
        (void (*)(void *, struct http_request *))(uintptr_t)&other; /* not called */
    options.port = rig.port;
    assert_int_equal(http_server_start(&options, &server, &err), STATUS_CONFLICT);
    options.host = "not an address";
    assert_int_equal(http_server_start(&options, &server, &err), STATUS_INVALID_ARGUMENT);
    options.host = NULL;
    options.port = 0;
    options.tls_key = "x";
    assert_int_equal(http_server_start(&options, &server, &err), STATUS_INVALID_ARGUMENT);
    options.tls_certificate = "y";
    assert_int_equal(http_server_start(&options, &server, &err), STATUS_INVALID_ARGUMENT);
    assert_null(server);
    http_rig_stop(&rig, 0);
}

static void test_ipv6(void **state)
{
    (void)state;
    struct http_server *server;
    struct http_server_options options = {.host = "::1"};
    options.on_request =
        (void (*)(void *, struct http_request *))(uintptr_t)&server; /* not called */
    if (http_server_start(&options, &server, NULL) != STATUS_OK)
        skip(); /* a machine without IPv6 */
    assert_true(http_server_port(server) > 0);
    http_server_stop(server, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_keep_alive),
        T(test_pipelining),
        T(test_request_is_seen_right),
        T(test_head_has_no_body),
        T(test_answers),
        T(test_bodies),
        T(test_no_reading_after_begin),
        T(test_expect_continue),
        T(test_too_large_bodies),
        T(test_wrong_heads),
        T(test_head_limits),
        cmocka_unit_test(test_request_timeout),
        cmocka_unit_test(test_kept_alive_is_not_cut),
        cmocka_unit_test(test_stalled_stream),
        cmocka_unit_test(test_dribbled_streams),
        cmocka_unit_test(test_queue_full),
        T(test_client_hangs_up),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_stop_cancels),
        cmocka_unit_test(test_wrong_options),
        cmocka_unit_test(test_ipv6),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
