#include "lib/http_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"

#define TEXT STR("text/plain")

static void enter(struct http_rig *rig)
{
    pthread_mutex_lock(&rig->mutex);
    rig->entered++;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->mutex);
}

static void leave(struct http_rig *rig, enum status last)
{
    pthread_mutex_lock(&rig->mutex);
    rig->left++;
    rig->last = last;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->mutex);
}

static void await_gate(struct http_rig *rig)
{
    pthread_mutex_lock(&rig->mutex);
    while (!rig->gate_open)
        pthread_cond_wait(&rig->changed, &rig->mutex);
    pthread_mutex_unlock(&rig->mutex);
}

/* Sum and number of the bytes of a streamed body. */
static void answer_count(struct http_rig *rig, struct http_request *r)
{
    struct error err = ERROR_INIT;
    unsigned char data[10000];
    uint64_t count = 0, sum = 0;
    size_t n;
    enum status status;
    while ((status = http_read(r, data, sizeof data, &n, &err)) == STATUS_OK && n > 0) {
        count += n;
        for (size_t i = 0; i < n; i++)
            sum += data[i];
    }
    leave(rig, status);
    if (status != STATUS_OK) {
        http_respond(r, status_info(status)->http, TEXT, str_of(err.message));
        return;
    }
    http_respond(r, 200, TEXT,
                 str_of(arena_printf(http_request_arena(r), "%llu %llu", (unsigned long long)count,
                                     (unsigned long long)sum)));
}

/* Begins its answer before it reads: reading is refused then. */
static void answer_read_late(struct http_rig *rig, struct http_request *r)
{
    char data[10];
    size_t n;
    http_begin(r, 200, TEXT, NULL);
    enum status status = http_read(r, data, sizeof data, &n, NULL);
    http_write(r, STR("late"), NULL);
    http_end(r);
    leave(rig, status);
}

static void answer_down(struct http_rig *rig, struct http_request *r)
{
    int64_t left = 0;
    char data[8192];
    memset(data, 'd', sizeof data);
    str_to_int64(http_request_query(r, "n"), &left);
    enum status status = http_begin(r, 200, TEXT, NULL);
    while (status == STATUS_OK && left > 0) {
        size_t n = left < (int64_t)sizeof data ? (size_t)left : sizeof data;
        status = http_write(r, str_make(data, n), NULL);
        left -= (int64_t)n;
        atomic_fetch_add(&rig->written, n);
    }
    http_end(r);
    leave(rig, status);
}

static void answer_gone(struct http_rig *rig, struct http_request *r)
{
    enter(rig);
    for (int i = 0; i < 2000 && !http_request_gone(r); i++)
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    enum status status = http_request_gone(r) ? STATUS_CANCELLED : STATUS_OK;
    http_respond(r, 200, TEXT, STR("too late"));
    leave(rig, status);
}

static void answer_info(struct http_request *r)
{
    struct str name, value, agent = http_request_header(r, "x-test");
    struct buf out;
    buf_init(&out, 4096);
    buf_printf(&out, "%s|%.*s|%.*s|%.*s|%.*s|%.*s|", http_method_name(http_request_method(r)),
               STR_ARG(http_request_method_text(r)), STR_ARG(http_request_path(r)),
               STR_ARG(http_request_target(r)), STR_ARG(http_request_client(r)), (int)agent.len,
               agent.data ? agent.data : "");
    for (uint32_t i = 0; http_request_query_at(r, i, &name, &value); i++)
        buf_printf(&out, "%.*s=%.*s;", STR_ARG(name), STR_ARG(value));
    http_respond(r, 200, TEXT, buf_str(&out));
    buf_release(&out);
}

static void on_request(void *context, struct http_request *r)
{
    struct http_rig *rig = context;
    struct str path = http_request_path(r);
    if (str_is(path, "/hello")) {
        http_respond(r, 200, STR("application/json"), STR("{\"hello\":\"world\",\"n\":12345}"));
    } else if (str_is(path, "/echo")) {
        http_respond(r, 200, TEXT, http_request_body(r));
    } else if (str_is(path, "/count")) {
        answer_count(rig, r);
    } else if (str_is(path, "/gated")) {
        enter(rig);
        await_gate(rig);
        answer_count(rig, r);
    } else if (str_is(path, "/read-late")) {
        answer_read_late(rig, r);
    } else if (str_is(path, "/refuse")) {
        http_respond(r, 401, TEXT, STR("no"));
    } else if (str_is(path, "/down")) {
        answer_down(rig, r);
    } else if (str_is(path, "/block")) {
        enter(rig);
        await_gate(rig);
        http_respond(r, 200, TEXT, STR("unblocked"));
        leave(rig, STATUS_OK);
    } else if (str_is(path, "/gone")) {
        answer_gone(rig, r);
    } else if (str_is(path, "/abort")) {
        http_begin(r, 200, TEXT, NULL);
        http_write(r, STR("part"), NULL);
        http_abort(r);
    } else if (str_is(path, "/set")) {
        http_set_header(r, "X-Value", http_request_query(r, "v"));
        http_set_header(r, "X-Fine", STR("yes"));
        http_respond_take(r, 201, TEXT, strdup("taken"), 5);
        http_respond(r, 500, TEXT, STR("a second answer"));
    } else if (!str_is(path, "/none")) {
        answer_info(r);
    }
}

static void on_head(void *context, struct http_request *r, uint64_t *body_max, bool *buffer_body)
{
    (void)context;
    static const char *const streamed[] = {"/count", "/read-late", "/refuse", "/gated"};
    for (size_t i = 0; i < sizeof streamed / sizeof *streamed; i++)
        if (str_is(http_request_path(r), streamed[i]))
            *buffer_body = false;
    struct str max = http_request_query(r, "max");
    int64_t n;
    if (max.data && str_to_int64(max, &n))
        *body_max = (uint64_t)n;
}

static void on_fault(void *context, struct arena *arena, const struct error *fault,
                     struct str *ret_body, struct str *ret_type)
{
    (void)context;
    *ret_body = str_of(arena_printf(arena, "{\"fault\":\"%s\"}", status_info(fault->status)->code));
    *ret_type = STR("application/json");
}

void http_rig_start(struct http_rig *rig, struct http_server_options options)
{
    struct error err = ERROR_INIT;
    memset(rig, 0, sizeof *rig);
    pthread_mutex_init(&rig->mutex, NULL);
    pthread_cond_init(&rig->changed, NULL);
    options.on_request = on_request;
    options.on_head = on_head;
    options.on_fault = on_fault;
    options.context = rig;
    enum status status = http_server_start(&options, &rig->server, &err);
    if (status != STATUS_OK)
        fail_msg("%s", err.message);
    rig->port = http_server_port(rig->server);
}

void http_rig_stop(struct http_rig *rig, uint32_t grace_ms)
{
    http_server_stop(rig->server, grace_ms);
    rig->server = NULL;
    pthread_mutex_destroy(&rig->mutex);
    pthread_cond_destroy(&rig->changed);
}

static void await(struct http_rig *rig, const int *what, int count)
{
    pthread_mutex_lock(&rig->mutex);
    while (*what < count)
        pthread_cond_wait(&rig->changed, &rig->mutex);
    pthread_mutex_unlock(&rig->mutex);
}

void http_rig_await_entered(struct http_rig *rig, int count)
{
    await(rig, &rig->entered, count);
}

void http_rig_await_left(struct http_rig *rig, int count)
{
    await(rig, &rig->left, count);
}

void http_rig_open_gate(struct http_rig *rig)
{
    pthread_mutex_lock(&rig->mutex);
    rig->gate_open = true;
    pthread_cond_broadcast(&rig->changed);
    pthread_mutex_unlock(&rig->mutex);
}

/* --- the client --- */

int http_rig_connect(const struct http_rig *rig)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(rig->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = 20};
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (struct sockaddr *)(void *)&to, sizeof to) != 0)
        fail_msg("connect: errno %d", errno);
    return fd;
}

void http_rig_send_bytes(int fd, const void *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the server has closed: what it answered tells */
        data = (const char *)data + n;
        len -= (size_t)n;
    }
}

void http_rig_send(int fd, const char *text)
{
    http_rig_send_bytes(fd, text, strlen(text));
}

static bool receive_byte(int fd, char *ret)
{
    return recv(fd, ret, 1, 0) == 1;
}

/* Byte by byte, so that nothing of a following answer is taken. */
static bool receive_line(int fd, char *line, size_t cap)
{
    size_t len = 0;
    char c;
    while (receive_byte(fd, &c)) {
        if (len < cap - 1)
            line[len++] = c;
        line[len] = 0;
        if (c == '\n')
            return true;
    }
    return false;
}

int http_rig_receive_head(int fd, struct http_rig_answer *ret)
{
    char line[4096];
    memset(ret, 0, sizeof *ret);
    while (receive_line(fd, line, sizeof line)) {
        if (!strcmp(line, "\r\n")) {
            ret->status = atoi(ret->head + 9);
            return ret->status;
        }
        size_t used = strlen(ret->head);
        snprintf(ret->head + used, sizeof ret->head - used, "%s", line);
    }
    return 0;
}

static bool receive_body(int fd, struct http_rig_answer *ret, size_t len)
{
    char data[65536];
    while (len) {
        ssize_t n = recv(fd, data, len < sizeof data ? len : sizeof data, 0);
        if (n <= 0)
            return false;
        size_t room = sizeof ret->body - 1 -
                      (ret->body_len < sizeof ret->body - 1 ? ret->body_len : sizeof ret->body - 1);
        if (room)
            memcpy(ret->body + ret->body_len, data, (size_t)n < room ? (size_t)n : room);
        ret->body_len += (size_t)n;
        len -= (size_t)n;
    }
    return true;
}

static bool receive_chunks(int fd, struct http_rig_answer *ret)
{
    char line[64];
    while (receive_line(fd, line, sizeof line)) {
        size_t len = strtoul(line, NULL, 16);
        if (len && !receive_body(fd, ret, len))
            return false;
        if (!receive_line(fd, line, sizeof line) || strcmp(line, "\r\n") != 0)
            return false;
        if (len == 0)
            return true;
    }
    return false;
}

int http_rig_receive(int fd, struct http_rig_answer *ret)
{
    if (!http_rig_receive_head(fd, ret) || ret->status < 200)
        return ret->status;
    const char *length = strstr(ret->head, "Content-Length: ");
    if (strstr(ret->head, "Transfer-Encoding: chunked"))
        ret->whole = receive_chunks(fd, ret);
    else if (length)
        ret->whole = receive_body(fd, ret, strtoul(length + 16, NULL, 10));
    else
        ret->whole = !receive_body(fd, ret, SIZE_MAX);
    return ret->status;
}

int http_rig_ask(int fd, const char *request, struct http_rig_answer *ret)
{
    http_rig_send(fd, request);
    return http_rig_receive(fd, ret);
}

bool http_rig_closed(int fd)
{
    char c;
    ssize_t n = recv(fd, &c, 1, 0);
    return n == 0 || (n < 0 && errno == ECONNRESET);
}
