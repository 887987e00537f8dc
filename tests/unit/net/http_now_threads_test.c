/* Requests that are tried on the I/O thread: answered there, given back to a worker without a
 * trace, with several I/O threads on one listener; fit for TSan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/http_rig.h"

#define TEXT      STR("text/plain")
#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

enum { CLIENTS = 8, ROUNDS = 200, IO_THREADS = 3, BODY_HERE = 16 * 1024 };

static struct http_rig rig; /* its client side only */
static struct http_rig_answer answer;
static atomic_int alone_seen, refused_waits;

static void on_head(void *context, struct http_request *r, uint64_t *body_max, bool *buffer_body)
{
    (void)context, (void)body_max;
    *buffer_body = !str_is(http_request_path(r), "/streamed");
    if (!str_is(http_request_path(r), "/plain"))
        http_request_try_now(r);
}

static void on_request(void *context, struct http_request *r)
{
    (void)context;
    http_set_header(r, "X-Where", STR("worker"));
    http_respond(r, 200, TEXT, http_request_body(r));
}

static bool on_request_now(void *context, struct http_request *r, bool alone)
{
    (void)context;
    atomic_fetch_add(&alone_seen, alone);
    http_set_header(r, "X-Where", STR("here"));
    if (str_is(http_request_path(r), "/back"))
        return false;
    if (str_is(http_request_path(r), "/begin")) {
        atomic_fetch_add(&refused_waits, http_begin(r, 200, TEXT, NULL) != STATUS_OK);
        return false;
    }
    if (str_is(http_request_path(r), "/silent"))
        return true; /* answered by the server: 500 */
    http_respond(r, 200, TEXT, http_request_body(r));
    return true;
}

static void start(uint32_t io_threads)
{
    struct error err = ERROR_INIT;
    struct http_server_options options = {.io_threads = io_threads,
                                          .workers = 3,
                                          .on_head = on_head,
                                          .on_request = on_request,
                                          .on_request_now = on_request_now};
    atomic_store(&alone_seen, 0);
    atomic_store(&refused_waits, 0);
    if (http_server_start(&options, &rig.server, &err) != STATUS_OK)
        fail_msg("%s", err.message);
    rig.port = http_server_port(rig.server);
}

/* Exactly one header says where. */
static bool ran(const struct http_rig_answer *a, const char *where)
{
    const char *first = strstr(a->head, "X-Where: ");
    return first && !strncmp(first + 9, where, strlen(where)) && !strstr(first + 9, "X-Where: ");
}

static void send_body(int fd, size_t len)
{
    char head[200];
    char *body = calloc(1, len);
    (void)snprintf(head, sizeof head,
                   "POST /here HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", len);
    http_rig_send(fd, head);
    http_rig_send_bytes(fd, body, len);
    free(body);
}

static void test_here_or_not(void **state)
{
    (void)state;
    start(1);
    int fd = http_rig_connect(&rig);
    for (int turn = 0; turn < 3; turn++) {
        assert_int_equal(http_rig_ask(fd, GET("/here"), &answer), 200);
        assert_true(ran(&answer, "here"));
        assert_int_equal(http_rig_ask(fd, GET("/back"), &answer), 200);
        assert_true(ran(&answer, "worker"));
        assert_int_equal(http_rig_ask(fd, GET("/plain"), &answer), 200);
        assert_true(ran(&answer, "worker"));
        assert_int_equal(http_rig_ask(fd, GET("/begin"), &answer), 200);
        assert_true(ran(&answer, "worker"));
        assert_int_equal(http_rig_ask(fd, GET("/silent"), &answer), 500);
        send_body(fd, BODY_HERE);
        assert_int_equal(http_rig_receive(fd, &answer), 200);
        assert_true(ran(&answer, "here") && answer.body_len == BODY_HERE);
        send_body(fd, BODY_HERE + 1);
        assert_int_equal(http_rig_receive(fd, &answer), 200);
        assert_true(ran(&answer, "worker") && answer.body_len == BODY_HERE + 1);
    }
    assert_int_equal(atomic_load(&refused_waits), 3);
    http_rig_send(fd, "POST /streamed HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
    assert_int_equal(http_rig_receive(fd, &answer), 200);
    assert_true(ran(&answer, "worker"));
    struct http_server_stats stats;
    do /* a client has its answer before the server has put the request away */
        http_server_get_stats(rig.server, &stats);
    while (stats.active > 0);
    assert_int_equal(stats.requests, 3 * 7 + 1);
    close(fd);
    http_server_stop(rig.server, 1000);
}

static void test_pipelined(void **state)
{
    (void)state;
    start(2);
    int fd = http_rig_connect(&rig);
    http_rig_send(fd, GET("/here") GET("/back") GET("/here"));
    static const char *const where[] = {"here", "worker", "here"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(http_rig_receive(fd, &answer), 200);
        assert_true(ran(&answer, where[i]));
    }
    close(fd);
    http_server_stop(rig.server, 1000);
}

/* Who asks many times while nobody else does is alone, if another I/O thread is there. */
static void test_alone(void **state)
{
    (void)state;
    for (uint32_t io_threads = 1; io_threads <= 2; io_threads++) {
        start(io_threads);
        int idle = http_rig_connect(&rig), fd = http_rig_connect(&rig);
        assert_int_equal(http_rig_ask(idle, GET("/here"), &answer), 200);
        assert_int_equal(http_rig_ask(fd, GET("/here"), &answer), 200);
        assert_int_equal(atomic_load(&alone_seen), 0);
        for (int i = 0; i < 100; i++)
            assert_int_equal(http_rig_ask(fd, GET("/here"), &answer), 200);
        assert_int_equal(atomic_load(&alone_seen) > 0, io_threads > 1);
        close(idle);
        close(fd);
        http_server_stop(rig.server, 1000);
    }
}

static void *client(void *argument)
{
    static const char *const requests[] = {GET("/here"), GET("/back"), GET("/plain")};
    int seed = (int)(intptr_t)argument;
    struct http_rig_answer *a = malloc(sizeof *a);
    intptr_t good = 0;
    int fd = http_rig_connect(&rig);
    for (int i = 0; i < ROUNDS; i++) {
        int kind = (i + seed) % 3;
        good += http_rig_ask(fd, requests[kind], a) == 200 && ran(a, kind ? "worker" : "here");
        if (i % 50 == 49) {
            close(fd);
            fd = http_rig_connect(&rig);
        }
    }
    close(fd);
    free(a);
    return (void *)good;
}

static void test_many_clients(void **state)
{
    (void)state;
    start(IO_THREADS);
    pthread_t clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        pthread_create(&clients[i], NULL, client, (void *)(intptr_t)i);
    for (int i = 0; i < CLIENTS; i++) {
        void *good;
        pthread_join(clients[i], &good);
        assert_int_equal((intptr_t)good, ROUNDS);
    }
    http_server_stop(rig.server, 5000);
}

static void *busy_client(void *argument)
{
    (void)argument;
    struct http_rig_answer *a = malloc(sizeof *a);
    int fd = http_rig_connect(&rig);
    while (http_rig_ask(fd, GET("/here"), a) == 200 && !strstr(a->head, "Connection: close"))
        ;
    close(fd);
    free(a);
    return NULL;
}

static void test_stop_under_load(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        start(IO_THREADS);
        pthread_t clients[CLIENTS];
        for (int i = 0; i < CLIENTS; i++)
            pthread_create(&clients[i], NULL, busy_client, NULL);
        struct http_server_stats stats = {0};
        while (stats.requests < 200 || stats.connections < CLIENTS)
            http_server_get_stats(rig.server, &stats);
        http_server_stop(rig.server, 20);
        for (int i = 0; i < CLIENTS; i++)
            pthread_join(clients[i], NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_here_or_not),     cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_alone),           cmocka_unit_test(test_many_clients),
        cmocka_unit_test(test_stop_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
