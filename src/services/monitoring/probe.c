/* All sockets are non-blocking and wait in one poll(2). States of a probe:
 *   connecting -> sending (the few bytes go out at once) -> reading -> done */
#include "services/monitoring/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/json.h"
#include "net/http_client.h"

struct probe {
    int fd; /* -1: done */
    bool sent;
    struct buf answer;
    int64_t begun_us;
    struct str request_id;
    struct probe_result *result;
};

static void finish(struct probe *probe, struct sys *sys, const char *text)
{
    probe->result->latency_us = sys_mono_us(sys) - probe->begun_us;
    if (text)
        snprintf(probe->result->status, sizeof probe->result->status, "%.*s",
                 (int)sizeof probe->result->status - 1, text);
    if (probe->fd >= 0)
        close(probe->fd);
    probe->fd = -1;
}

static void fail(struct probe *probe, struct sys *sys, const char *what, int errnum)
{
    char text[160], reason[100];
    snprintf(text, sizeof text, "%s: %s", what, strerror_r(errnum, reason, sizeof reason));
    finish(probe, sys, text);
}

static void begin(struct probe *probe, struct sys *sys, const struct probe_target *target)
{
    char port[8];
    struct addrinfo *address, hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    probe->begun_us = sys_mono_us(sys);
    if (!target->port) {
        finish(probe, sys, "not running");
        return;
    }
    snprintf(port, sizeof port, "%u", (unsigned)target->port);
    if (getaddrinfo(target->host, port, &hints, &address) != 0) {
        finish(probe, sys, "the address has no meaning");
        return;
    }
    probe->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (probe->fd < 0)
        fail(probe, sys, "no socket", errno);
    else if (connect(probe->fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS)
        fail(probe, sys, "cannot connect", errno);
    freeaddrinfo(address);
}

static void send_request(struct probe *probe, struct sys *sys)
{
    char request[512];
    struct str id = probe->request_id;
    int size = snprintf(request, sizeof request,
                        "GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                        "Accept: application/json\r\n%s%.*s%s\r\n",
                        id.len ? "X-Request-Id: " : "", STR_ARG(id), id.len ? "\r\n" : "");
    int errnum = 0;
    socklen_t len = sizeof errnum;
    getsockopt(probe->fd, SOL_SOCKET, SO_ERROR, &errnum, &len);
    if (errnum)
        fail(probe, sys, "cannot connect", errnum);
    else if (send(probe->fd, request, (size_t)size, MSG_NOSIGNAL) != size)
        fail(probe, sys, "cannot send", errno);
    else
        probe->sent = true;
}

static void read_body(struct probe *probe, struct str body)
{
    struct probe_result *result = probe->result;
    yyjson_doc *doc;
    if (json_parse(body, &doc, NULL) != STATUS_OK) {
        snprintf(result->status, sizeof result->status, "the answer is not JSON");
        return;
    }
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct str text = json_str_of(json_get(root, "status"));
    result->healthy = result->http_status == 200 && yyjson_is_true(json_get(root, "healthy"));
    snprintf(result->status, sizeof result->status, "%.*s",
             text.len < sizeof result->status ? (int)text.len : 0, text.data ? text.data : "");
    yyjson_doc_free(doc);
}

static void probe_tls(struct probe *probe, struct sys *sys, const struct probe_target *target,
                      int timeout_ms)
{
    const struct http_client_options options = {.insecure = true, .timeout_ms = timeout_ms};
    const struct http_field id = {STR("X-Request-Id"), probe->request_id};
    struct http_client *client = NULL;
    struct http_reply reply;
    struct error err = ERROR_INIT;
    char url[128];
    bool v6 = strchr(target->host, ':') != NULL;
    probe->begun_us = sys_mono_us(sys);
    snprintf(url, sizeof url, "https://%s%s%s:%u/health", v6 ? "[" : "", target->host,
             v6 ? "]" : "", (unsigned)target->port);
    http_reply_init(&reply, PROBE_ANSWER_MAX);
    enum status status = http_client_new(&options, &client, &err);
    if (status == STATUS_OK)
        status = http_client_call(
            client,
            &(struct http_call){.url = url, .fields = &id, .field_count = id.value.data ? 1 : 0},
            &reply, &err);
    if (status == STATUS_OK) {
        probe->result->http_status = reply.status;
        read_body(probe, buf_str(&reply.body));
    }
    finish(probe, sys, status == STATUS_OK ? NULL : err.message);
    http_reply_release(&reply);
    http_client_free(client);
}

static void read_answer(struct probe *probe, struct sys *sys)
{
    struct str text = buf_str(&probe->answer);
    const char *body = text.len ? memmem(text.data, text.len, "\r\n\r\n", 4) : NULL;
    if (text.len < 12 || memcmp(text.data, "HTTP/1.", 7) != 0 || !body) {
        finish(probe, sys, "the answer is not HTTP");
        return;
    }
    for (int i = 9; i < 12 && text.data[i] >= '0' && text.data[i] <= '9'; i++)
        probe->result->http_status = probe->result->http_status * 10 + text.data[i] - '0';
    body += 4;
    read_body(probe, str_make(body, (size_t)(text.data + text.len - body)));
    finish(probe, sys, NULL);
}

static void receive(struct probe *probe, struct sys *sys)
{
    char piece[4096];
    ssize_t n = recv(probe->fd, piece, sizeof piece, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n < 0)
        fail(probe, sys, "cannot read", errno);
    else if (n == 0)
        read_answer(probe, sys);
    else if (!buf_append(&probe->answer, piece, (size_t)n))
        finish(probe, sys, "the answer is too long");
}

static size_t wait_for(struct probe *probes, size_t len, int timeout_ms,
                       struct pollfd fds[PROBES_MAX])
{
    size_t open = 0;
    for (size_t i = 0; i < len; i++) {
        fds[i] = (struct pollfd){.fd = probes[i].fd, .events = probes[i].sent ? POLLIN : POLLOUT};
        open += probes[i].fd >= 0;
    }
    if (open && timeout_ms > 0 && poll(fds, (nfds_t)len, timeout_ms) < 0)
        for (size_t i = 0; i < len; i++)
            fds[i].revents = 0;
    return open;
}

void probe_all(struct sys *sys, const struct probe_target *targets, size_t len, int timeout_ms,
               struct probe_result *ret_results)
{
    struct probe probes[PROBES_MAX];
    struct pollfd fds[PROBES_MAX];
    if (len > PROBES_MAX)
        len = PROBES_MAX;
    for (size_t i = 0; i < len; i++) {
        ret_results[i] = (struct probe_result){0};
        probes[i] = (struct probe){
            .fd = -1, .request_id = targets[i].request_id, .result = &ret_results[i]};
        buf_init(&probes[i].answer, PROBE_ANSWER_MAX);
        if (targets[i].tls && targets[i].port)
            probe_tls(&probes[i], sys, &targets[i], timeout_ms);
    }
    int64_t end_us = sys_mono_us(sys) + (int64_t)timeout_ms * 1000;
    for (size_t i = 0; i < len; i++)
        if (!targets[i].tls || !targets[i].port)
            begin(&probes[i], sys, &targets[i]);
    for (;;) {
        int64_t left_ms = (end_us - sys_mono_us(sys)) / 1000;
        if (left_ms <= 0 || !wait_for(probes, len, (int)left_ms, fds))
            break;
        for (size_t i = 0; i < len; i++) {
            if (probes[i].fd < 0 || !fds[i].revents)
                continue;
            if (probes[i].sent)
                receive(&probes[i], sys);
            else
                send_request(&probes[i], sys);
        }
    }
    for (size_t i = 0; i < len; i++) {
        if (probes[i].fd >= 0)
            finish(&probes[i], sys, "no answer in time");
        buf_release(&probes[i].answer);
    }
}
