/* probe: what counts as healthy, and every way in which a service can fail to answer. One thread
 * plays the services: it takes one connection on each socket and sends what the case says. */
#include "services/monitoring/probe.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct fake {
    const char *answer; /* NULL: never answers */
    bool healthy;
    int http_status;
    const char *status;
    int listener;
};

static int listen_on(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static void *play(void *argument)
{
    struct fake *fake = argument;
    char request[1024];
    int fd = accept(fake->listener, NULL, NULL);
    ssize_t n = read(fd, request, sizeof request - 1);
    request[n > 0 ? n : 0] = 0;
    if (strncmp(request, "GET /health HTTP/1.1\r\n", 22) == 0)
        n = write(fd, fake->answer, strlen(fake->answer));
    close(fd);
    return NULL;
}

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"

static void test_answers(void **state)
{
    (void)state;
    struct fake fakes[] = {
        {HEAD "{\"healthy\":true,\"status\":\"OK\"}", true, 200, "OK", -1},
        {HEAD "{\"healthy\":false,\"status\":\"sick\"}", false, 200, "sick", -1},
        {"HTTP/1.1 503 No\r\n\r\n{\"healthy\":true,\"status\":\"x\"}", false, 503, "x", -1},
        {HEAD "not json", false, 200, "the answer is not JSON", -1},
        {HEAD "[]", false, 200, "", -1},
        {"SSH-2.0-OpenSSH\r\n\r\n", false, 0, "the answer is not HTTP", -1},
        {"", false, 0, "the answer is not HTTP", -1},
    };
    enum { LEN = sizeof fakes / sizeof *fakes };
    struct probe_target targets[LEN] = {0};
    struct probe_result results[LEN];
    pthread_t threads[LEN];
    for (size_t i = 0; i < LEN; i++) {
        targets[i].host = "127.0.0.1";
        fakes[i].listener = listen_on(&targets[i].port);
        assert_int_equal(pthread_create(&threads[i], NULL, play, &fakes[i]), 0);
    }
    probe_all(sys_posix(), targets, LEN, 20000, results);
    for (size_t i = 0; i < LEN; i++) {
        pthread_join(threads[i], NULL);
        close(fakes[i].listener);
        assert_int_equal(results[i].healthy, fakes[i].healthy);
        assert_int_equal(results[i].http_status, fakes[i].http_status);
        assert_string_equal(results[i].status, fakes[i].status);
        assert_true(results[i].latency_us > 0);
    }
}

static void test_no_answer(void **state)
{
    (void)state;
    struct probe_target targets[4] = {
        {.host = "127.0.0.1"}, {.host = "127.0.0.1"}, {.host = "nowhere", .port = 1}};
    struct probe_result results[4];
    int silent = listen_on(&targets[1].port);
    int closed = listen_on(&targets[3].port);
    targets[3].host = "127.0.0.1";
    close(closed);
    int64_t begun = sys_mono_us(sys_posix());
    probe_all(sys_posix(), targets, 4, 50, results);
    assert_true(sys_mono_us(sys_posix()) - begun < 20000000);
    assert_string_equal(results[0].status, "not running");
    assert_string_equal(results[1].status, "no answer in time");
    assert_string_equal(results[2].status, "the address has no meaning");
    assert_string_equal(results[3].status, "cannot connect: Connection refused");
    for (int i = 0; i < 4; i++)
        assert_true(!results[i].healthy && results[i].http_status == 0);
    close(silent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_no_answer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
