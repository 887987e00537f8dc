/* Requests that are tried on the I/O thread: answered there, given back to a worker without a
 * trace, put off until somebody else has done the deed, with several I/O threads on one listener;
 * fit for TSan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/http_rig.h"

#define TEXT      STR("text/plain")
#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

enum { CLIENTS = 8, ROUNDS = 200, IO_THREADS = 3, DEEDS_MAX = 200, BODY_HERE = 16 * 1024 };

static struct http_rig rig; /* its client side only */
static struct http_rig_answer answer;
static atomic_int waits_seen, refused_waits;

/* Those put off, and the thread that does their deed unless the I/O thread may wait for it. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t work;
    pthread_t thread;
    struct http_request *list[DEEDS_MAX];
    int len;
    bool wanted, ends;
} deeds = {.lock = PTHREAD_MUTEX_INITIALIZER, .work = PTHREAD_COND_INITIALIZER};

static void do_deeds(void)
{
    struct http_request *list[DEEDS_MAX];
    pthread_mutex_lock(&deeds.lock);
    int len = deeds.len;
    memcpy(list, deeds.list, sizeof list);
    deeds.len = 0;
    deeds.wanted = false;
    pthread_mutex_unlock(&deeds.lock);
    for (int i = 0; i < len; i++)
        http_request_ready(list[i]);
}

static void *deed_run(void *argument)
{
    (void)argument;
    pthread_mutex_lock(&deeds.lock);
    while (!deeds.ends) {
        while (!deeds.wanted && !deeds.ends)
            pthread_cond_wait(&deeds.work, &deeds.lock);
        pthread_mutex_unlock(&deeds.lock);
        do_deeds();
        pthread_mutex_lock(&deeds.lock);
    }
    pthread_mutex_unlock(&deeds.lock);
    return NULL;
}

static void on_round(void *context, bool wait)
{
    (void)context;
    atomic_fetch_add(&waits_seen, wait);
    if (wait) {
        do_deeds();
        return;
    }
    pthread_mutex_lock(&deeds.lock);
    deeds.wanted = true;
    pthread_cond_signal(&deeds.work);
    pthread_mutex_unlock(&deeds.lock);
}

static void on_later(void *context, struct http_request *r)
{
    (void)context;
    if (http_request_user(r) != &deeds)
        return; /* answered by the server: 500 */
    http_set_header(r, "X-Where", STR("later"));
    http_respond(r, 200, TEXT, http_request_body(r));
}

static enum http_now put_off(struct http_request *r, void *user)
{
    http_request_set_user(r, user);
    pthread_mutex_lock(&deeds.lock);
    deeds.list[deeds.len++] = r;
    pthread_mutex_unlock(&deeds.lock);
    return HTTP_NOW_LATER;
}

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

static enum http_now on_request_now(void *context, struct http_request *r)
{
    (void)context;
    struct str path = http_request_path(r);
    if (str_is(path, "/later"))
        return put_off(r, &deeds);
    if (str_is(path, "/mute"))
        return put_off(r, NULL);
    http_set_header(r, "X-Where", STR("here"));
    if (str_is(path, "/back"))
        return HTTP_NOW_BACK;
    if (str_is(path, "/begin")) {
        atomic_fetch_add(&refused_waits, http_begin(r, 200, TEXT, NULL) != STATUS_OK);
        return HTTP_NOW_BACK;
    }
    if (str_is(path, "/silent"))
        return HTTP_NOW_DONE; /* answered by the server: 500 */
    http_respond(r, 200, TEXT, http_request_body(r));
    return HTTP_NOW_DONE;
}

static void start(uint32_t io_threads)
{
    struct error err = ERROR_INIT;
    struct http_server_options options = {.io_threads = io_threads,
                                          .workers = 3,
                                          .on_head = on_head,
                                          .on_request = on_request,
                                          .on_request_now = on_request_now,
                                          .on_round = on_round,
                                          .on_later = on_later};
    atomic_store(&waits_seen, 0);
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
        assert_int_equal(http_rig_ask(fd, GET("/later"), &answer), 200);
        assert_true(ran(&answer, "later"));
        assert_int_equal(http_rig_ask(fd, GET("/mute"), &answer), 500);
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
    assert_int_equal(stats.requests, 3 * 9 + 1);
    close(fd);
    http_server_stop(rig.server, 1000);
}

static void test_pipelined(void **state)
{
    (void)state;
    start(2);
    int fd = http_rig_connect(&rig);
    http_rig_send(fd,
                  GET("/here") GET("/later") GET("/later") GET("/back") GET("/later") GET("/here"));
    static const char *const where[] = {"here", "later", "later", "worker", "later", "here"};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(http_rig_receive(fd, &answer), 200);
        assert_true(ran(&answer, where[i]));
    }
    close(fd);
    http_server_stop(rig.server, 1000);
}

/* Who serves nothing but requests that are put off may block, if another I/O thread is there. */
static void test_waits(void **state)
{
    (void)state;
    for (uint32_t io_threads = 1; io_threads <= 2; io_threads++) {
        start(io_threads);
        int idle = http_rig_connect(&rig), fd = http_rig_connect(&rig);
        assert_int_equal(http_rig_ask(idle, GET("/here"), &answer), 200);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(http_rig_ask(fd, i % 8 ? GET("/later") : GET("/here"), &answer), 200);
        }
        assert_int_equal(atomic_load(&waits_seen), 0);
        for (int i = 0; i < 100; i++) {
            assert_int_equal(http_rig_ask(fd, GET("/later"), &answer), 200);
            assert_true(ran(&answer, "later"));
        }
        assert_int_equal(atomic_load(&waits_seen) > 0, io_threads > 1);
        close(idle);
        close(fd);
        http_server_stop(rig.server, 1000);
    }
}

/* Clients that go without their answer. */
static void test_gone(void **state)
{
    (void)state;
    start(2);
    for (int i = 0; i < 100; i++) {
        int fd = http_rig_connect(&rig);
        struct linger reset = {.l_onoff = i % 2};
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        http_rig_send(fd, GET("/later"));
        close(fd);
    }
    int fd = http_rig_connect(&rig);
    assert_int_equal(http_rig_ask(fd, GET("/later"), &answer), 200);
    close(fd);
    http_server_stop(rig.server, 5000);
}

static void *client(void *argument)
{
    static const char *const requests[] = {GET("/here"), GET("/back"), GET("/plain"),
                                           GET("/later")};
    static const char *const where[] = {"here", "worker", "worker", "later"};
    int seed = (int)(intptr_t)argument;
    struct http_rig_answer *a = malloc(sizeof *a);
    intptr_t good = 0;
    int fd = http_rig_connect(&rig);
    for (int i = 0; i < ROUNDS; i++) {
        int kind = (i + seed) % 4;
        good += http_rig_ask(fd, requests[kind], a) == 200 && ran(a, where[kind]);
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
    const char *request = argument;
    struct http_rig_answer *a = malloc(sizeof *a);
    int fd = http_rig_connect(&rig);
    while (http_rig_ask(fd, request, a) == 200 && !strstr(a->head, "Connection: close"))
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
            pthread_create(&clients[i], NULL, busy_client,
                           round % 2 ? GET("/here") : GET("/later"));
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
        cmocka_unit_test(test_here_or_not),  cmocka_unit_test(test_pipelined),
        cmocka_unit_test(test_waits),        cmocka_unit_test(test_gone),
        cmocka_unit_test(test_many_clients), cmocka_unit_test(test_stop_under_load),
    };
    pthread_create(&deeds.thread, NULL, deed_run, NULL);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    pthread_mutex_lock(&deeds.lock);
    deeds.ends = true;
    pthread_cond_signal(&deeds.work);
    pthread_mutex_unlock(&deeds.lock);
    pthread_join(deeds.thread, NULL);
    return failed;
}
