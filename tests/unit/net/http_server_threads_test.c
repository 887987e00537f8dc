/* Many clients at once, slow ones in both directions, hostile ones in number; fit for TSan. */
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/http_rig.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static struct http_rig rig;

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* --- a mix of everything --- */

enum { CLIENTS = 8, ROUNDS = 60, BODY = 70000 };

static void *mixed_client(void *argument)
{
    int seed = (int)(intptr_t)argument;
    struct http_rig_answer *a = malloc(sizeof *a);
    char *body = malloc(BODY);
    intptr_t good = 0;
    memset(body, 1, BODY);
    int fd = http_rig_connect(&rig);
    for (int i = 0; i < ROUNDS; i++) {
        switch ((i + seed) % 5) {
        case 0:
            good += http_rig_ask(fd, GET("/hello"), a) == 200 && a->body_len == 27;
            break;
        case 1:
            http_rig_send(fd, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n");
            http_rig_send_bytes(fd, body, BODY);
            good += http_rig_receive(fd, a) == 200 && a->body_len == BODY;
            break;
        case 2:
            http_rig_send(fd, "POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 70000\r\n\r\n");
            http_rig_send_bytes(fd, body, BODY);
            good += http_rig_receive(fd, a) == 200 && !strcmp(a->body, "70000 70000");
            break;
        case 3:
            good += http_rig_ask(fd, GET("/down?n=600000"), a) == 200 && a->body_len == 600000;
            break;
        case 4: /* goes away in the middle */
            http_rig_send(fd, GET("/down?n=600000"));
            close(fd);
            fd = http_rig_connect(&rig);
            good++;
            break;
        }
    }
    close(fd);
    free(body);
    free(a);
    return (void *)good;
}

static void test_mixed_clients(void **state)
{
    (void)state;
    http_rig_start(&rig, (struct http_server_options){.workers = 4});
    pthread_t clients[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        pthread_create(&clients[i], NULL, mixed_client, (void *)(intptr_t)i);
    for (int i = 0; i < CLIENTS; i++) {
        void *good;
        pthread_join(clients[i], &good);
        assert_int_equal((intptr_t)good, ROUNDS);
    }
    http_rig_stop(&rig, 5000);
}

/* --- back-pressure --- */

/* A client that does not read holds the writer at the ring and the socket buffers. */
static void test_slow_reader_bounds_memory(void **state)
{
    (void)state;
    http_rig_start(&rig, (struct http_server_options){0});
    int fd = http_rig_connect(&rig);
    struct http_rig_answer *a = malloc(sizeof *a);
    const uint64_t all = 64 << 20;
    http_rig_send(fd, GET("/down?n=67108864"));
    uint64_t before, now = 0;
    do { /* until it moves no more */
        before = now;
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
        now = atomic_load(&rig.written);
    } while (now != before || now == 0);
    assert_true(now >= HTTP_RING_BYTES);
    assert_true(now < 16 << 20);
    assert_int_equal(http_rig_receive(fd, a), 200);
    assert_int_equal(a->body_len, all);
    assert_true(a->whole);
    assert_int_equal(atomic_load(&rig.written), all);
    free(a);
    close(fd);
    http_rig_stop(&rig, 1000);
}

/* Bytes that the server takes while nobody reads the body. */
static uint64_t send_until_stuck(int fd, uint64_t limit)
{
    static char data[65536];
    uint64_t sent = 0;
    while (sent < limit) {
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (poll(&p, 1, 500) == 0)
            break;
        size_t want = limit - sent < sizeof data ? (size_t)(limit - sent) : sizeof data;
        ssize_t n = send(fd, data, want, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            sent += (uint64_t)n;
    }
    return sent;
}

static void test_slow_handler_holds_the_upload(void **state)
{
    (void)state;
    const uint64_t all = 64 << 20;
    http_rig_start(&rig, (struct http_server_options){.body_max = all});
    int fd = http_rig_connect(&rig);
    struct http_rig_answer *a = malloc(sizeof *a);
    http_rig_send(fd, "POST /gated HTTP/1.1\r\nHost: x\r\nContent-Length: 67108864\r\n\r\n");
    http_rig_await_entered(&rig, 1);
    uint64_t sent = send_until_stuck(fd, all);
    assert_true(sent < 16 << 20);
    struct http_server_stats stats;
    http_server_get_stats(rig.server, &stats);
    assert_true(stats.bytes_in <= HTTP_RING_BYTES);
    http_rig_open_gate(&rig);
    assert_int_equal(send_until_stuck(fd, all - sent), all - sent);
    assert_int_equal(http_rig_receive(fd, a), 200);
    assert_string_equal(a->body, "67108864 0");
    free(a);
    close(fd);
    http_rig_stop(&rig, 1000);
}

/* --- slowloris --- */

enum { SLOW = 500, PROBES = 300 };

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* 500 clients that dribble heads and bodies; the one that behaves does not notice. */
static void test_slowloris(void **state)
{
    (void)state;
    struct rlimit files = {4096, 4096};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 8192 ? files.rlim_max : 8192;
    setrlimit(RLIMIT_NOFILE, &files);
    http_rig_start(&rig, (struct http_server_options){.workers = 2});
    static int slow[SLOW];
    static int64_t took[PROBES];
    static const char *const begins[] = {
        "", "GET /hello HTTP/1.1\r\nHost: x\r\nA: ",
        "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n"};
    for (int i = 0; i < SLOW; i++) {
        slow[i] = http_rig_connect(&rig);
        http_rig_send(slow[i], begins[i % 3]);
    }
    struct http_rig_answer *a = malloc(sizeof *a);
    int fd = http_rig_connect(&rig);
    for (int i = 0; i < PROBES; i++) {
        for (int k = 0; k < 20; k++)
            http_rig_send(slow[(i * 20 + k) % SLOW], "a");
        int64_t before = now_us();
        assert_int_equal(http_rig_ask(fd, GET("/hello"), a), 200);
        took[i] = now_us() - before;
    }
    qsort(took, PROBES, sizeof *took, compare);
    struct http_server_stats stats;
    do /* a client has its answer before the server has put the request away */
        http_server_get_stats(rig.server, &stats);
    while (stats.active > 0);
    assert_int_equal(stats.connections, SLOW + 1);
    assert_int_equal(stats.requests, PROBES);
    print_message("p50 %lld us, p99 %lld us beside %d slow connections\n",
                  (long long)took[PROBES / 2], (long long)took[PROBES * 99 / 100], SLOW);
    assert_true(took[PROBES * 99 / 100] < 1000000); /* one that is held up waits for 30 s */
    for (int i = 0; i < SLOW; i++)
        close(slow[i]);
    close(fd);
    free(a);
    http_rig_stop(&rig, 1000);
}

/* --- stopping while all is busy --- */

static void *busy_client(void *argument)
{
    (void)argument;
    struct http_rig_answer *a = malloc(sizeof *a);
    intptr_t good = 0;
    int fd = http_rig_connect(&rig);
    while (http_rig_ask(fd, GET("/hello"), a) == 200) {
        good++;
        if (strstr(a->head, "Connection: close"))
            break;
    }
    close(fd);
    free(a);
    return (void *)good;
}

static void test_stop_under_load(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        http_rig_start(&rig, (struct http_server_options){.workers = 3});
        pthread_t clients[CLIENTS];
        for (int i = 0; i < CLIENTS; i++)
            pthread_create(&clients[i], NULL, busy_client, NULL);
        struct http_server_stats stats = {0};
        while (stats.requests < 200 || stats.connections < CLIENTS)
            http_server_get_stats(rig.server, &stats);
        http_server_stop(rig.server, 20);
        for (int i = 0; i < CLIENTS; i++) {
            void *good;
            pthread_join(clients[i], &good);
            assert_true((intptr_t)good > 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mixed_clients),
        cmocka_unit_test(test_slow_reader_bounds_memory),
        cmocka_unit_test(test_slow_handler_holds_the_upload),
        cmocka_unit_test(test_slowloris),
        cmocka_unit_test(test_stop_under_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
