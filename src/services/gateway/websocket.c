/* websocket.c: 1. a connection of its own to the service  2. the request, with its Upgrade
 * 3. the answer's head; anything but 101 ends here  4. a tunnel (net/http_tunnel.h) */
#include "services/gateway/websocket.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_tunnel.h"

bool websocket_is_asked(const struct request *request)
{
    struct str one, tokens = http_request_header(request->http, "connection");
    bool upgrades = false;
    while (tokens.data && str_split(&tokens, ',', &one))
        upgrades = upgrades || str_eq_nocase(str_trim(one), STR("upgrade"));
    return upgrades && http_request_method(request->http) == HTTP_GET &&
           str_eq_nocase(http_request_header(request->http, "upgrade"), STR("websocket"));
}

/* --- 1. --- */

/* "http://host:port", "http://[v6]:port"; the parts NUL-ended in `arena`. */
static bool split_url(struct arena *arena, const char *url, const char **ret_host,
                      const char **ret_port)
{
    struct str rest = str_of(url);
    if (!str_starts(rest, STR("http://")))
        return false;
    rest = str_make(rest.data + 7, rest.len - 7);
    size_t colon = rest.len;
    while (colon && rest.data[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return false;
    struct str host = str_make(rest.data, colon - 1);
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        host = str_make(host.data + 1, host.len - 2);
    *ret_host = arena_str(arena, host).data;
    *ret_port = rest.data + colon;
    return *ret_host != NULL;
}

static bool wait_for(int fd, short events, int64_t until_us)
{
    struct pollfd one = {.fd = fd, .events = events};
    int64_t left_ms = (until_us - sys_mono_us(sys_posix())) / 1000;
    return left_ms > 0 && poll(&one, 1, (int)left_ms) > 0;
}

static enum status connect_to(struct arena *arena, const char *url, int64_t until_us, int *ret_fd,
                              struct error *err)
{
    const char *host, *port;
    struct addrinfo *address, hints = {.ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    if (!split_url(arena, url, &host, &port) || getaddrinfo(host, port, &hints, &address) != 0)
        return error_set(err, STATUS_UNAVAILABLE, "%s is no address for a WebSocket", url);
    int errnum = 0, fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof errnum;
    if (fd < 0 || (connect(fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS))
        errnum = errno;
    else if (!wait_for(fd, POLLOUT, until_us) ||
             getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &len) < 0)
        errnum = ETIMEDOUT;
    freeaddrinfo(address);
    if (errnum == 0) {
        *ret_fd = fd;
        return STATUS_OK;
    }
    if (fd >= 0)
        close(fd);
    error_errno(err, errnum, "cannot connect to %s", url);
    return err ? err->status = STATUS_UNAVAILABLE : STATUS_UNAVAILABLE;
}

/* --- 2. --- */

static void write_head(const struct request *request, const char *url,
                       const struct http_field *fields, uint32_t len, struct buf *out)
{
    struct str query = http_request_query_text(request->http);
    buf_printf(out,
               "GET %.*s%s%.*s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"
               "Upgrade: websocket\r\n",
               STR_ARG(http_request_target(request->http)), query.len ? "?" : "", STR_ARG(query),
               url + sizeof "http://" - 1);
    for (uint32_t i = 0; i < len; i++)
        buf_printf(out, "%.*s: %.*s\r\n", STR_ARG(fields[i].name), STR_ARG(fields[i].value));
    buf_append_str(out, STR("\r\n"));
}

static enum status send_head(int fd, struct str head, int64_t until_us, struct error *err)
{
    while (head.len) {
        ssize_t n = send(fd, head.data, head.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return error_set(err, STATUS_UNAVAILABLE, "the service hung up");
        if (n < 0 && !wait_for(fd, POLLOUT, until_us))
            return error_set(err, STATUS_UNAVAILABLE, "the service does not read");
        if (n > 0)
            head = str_make(head.data + n, head.len - (size_t)n);
    }
    return STATUS_OK;
}

/* --- 3. --- */

/* Until the empty line; what came behind it is in `ret` too. */
static enum status read_head(int fd, int64_t until_us, struct buf *ret, struct error *err)
{
    while (!memmem(ret->data, ret->len, "\r\n\r\n", 4)) {
        if (ret->len == WEBSOCKET_HEAD_MAX || !buf_reserve(ret, WEBSOCKET_HEAD_MAX - ret->len))
            return error_set(err, STATUS_UNAVAILABLE, "the service's answer has no end");
        ssize_t n = recv(fd, ret->data + ret->len, WEBSOCKET_HEAD_MAX - ret->len, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
            return error_set(err, STATUS_UNAVAILABLE, "the service hung up");
        if (n < 0 && !wait_for(fd, POLLIN, until_us))
            return error_set(err, STATUS_UNAVAILABLE, "the service does not answer");
        ret->len += n > 0 ? (size_t)n : 0;
    }
    return STATUS_OK;
}

static enum status shake_hands(struct request *request, const char *url, int fd,
                               const struct http_field *fields, uint32_t len, int64_t until_us,
                               struct buf *answer, struct error *err)
{
    struct buf head;
    buf_init(&head, 4 * HTTP_HEADER_BYTES_MAX);
    write_head(request, url, fields, len, &head);
    enum status status = buf_check(&head, "a request's head", err);
    if (status == STATUS_OK)
        status = send_head(fd, buf_str(&head), until_us, err);
    if (status == STATUS_OK)
        status = read_head(fd, until_us, answer, err);
    buf_release(&head);
    return status;
}

enum status websocket_pass(struct request *request, const char *url,
                           const struct http_field *fields, uint32_t fields_len, bool *ret_done,
                           struct error *err)
{
    int64_t until_us = sys_mono_us(sys_posix()) + WEBSOCKET_ANSWER_MS * INT64_C(1000);
    struct buf answer;
    int fd = -1;
    TRY(connect_to(request->arena, url, until_us, &fd, err));
    buf_init(&answer, WEBSOCKET_HEAD_MAX);
    enum status status = shake_hands(request, url, fd, fields, fields_len, until_us, &answer, err);
    *ret_done = status == STATUS_OK && str_starts(buf_str(&answer), STR("HTTP/1.1 101 "));
    if (*ret_done) {
        request->status = 101;
        http_tunnel(request->http, buf_str(&answer), fd, WEBSOCKET_IDLE_S);
    }
    close(fd);
    buf_release(&answer);
    return status;
}
