/* wire.c: whole frames over a stream socket, with a deadline.
 *
 * The socket may be blocking: every call uses MSG_DONTWAIT and waits in poll. SIGPIPE is never
 * raised. A frame that was begun is either wholly received or the channel is of no use any more. */
#include "query/sql/wire.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

static enum status await(struct sys *sys, int fd, short events, int64_t until_us, struct error *err)
{
    for (;;) {
        int timeout_ms = -1;
        if (until_us) {
            int64_t left = until_us - sys_mono_us(sys);
            if (left <= 0)
                return error_set(err, STATUS_TIMEOUT, "the deadline has passed");
            timeout_ms = left > 3600000000 ? 3600000 : (int)((left + 999) / 1000);
        }
        struct pollfd waiting = {.fd = fd, .events = events};
        int ready = poll(&waiting, 1, timeout_ms);
        if (ready > 0)
            return STATUS_OK;
        if (ready < 0 && errno != EINTR)
            return error_errno(err, errno, "cannot wait for the SQL worker");
    }
}

static enum status gone(struct error *err)
{
    return error_set(err, STATUS_UNAVAILABLE, "the other end of the SQL channel is gone");
}

static bool must_wait(int errnum)
{
    return errnum == EAGAIN || errnum == EWOULDBLOCK || errnum == EINTR;
}

static enum status send_all(struct sys *sys, int fd, struct str bytes, int64_t until_us,
                            struct error *err)
{
    while (bytes.len > 0) {
        ssize_t n = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && !must_wait(errno))
            return gone(err);
        if (n < 0) {
            TRY(await(sys, fd, POLLOUT, until_us, err));
            continue;
        }
        bytes = str_make(bytes.data + n, bytes.len - (size_t)n);
    }
    return STATUS_OK;
}

static enum status receive_all(struct sys *sys, int fd, char *to, size_t len, int64_t until_us,
                               struct error *err)
{
    while (len > 0) {
        ssize_t n = recv(fd, to, len, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && !must_wait(errno)))
            return gone(err);
        if (n < 0) {
            TRY(await(sys, fd, POLLIN, until_us, err));
            continue;
        }
        to += n;
        len -= (size_t)n;
    }
    return STATUS_OK;
}

enum status sql_wire_send(struct sys *sys, int fd, enum sql_frame kind, struct str payload,
                          int64_t until_us, struct error *err)
{
    if (payload.len > SQL_FRAME_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a frame of %zu bytes is over the limit of %d",
                         payload.len, SQL_FRAME_MAX);
    uint32_t len = (uint32_t)payload.len;
    char header[SQL_FRAME_HEADER] = {
        (char)len, (char)(len >> 8), (char)(len >> 16), (char)(len >> 24), (char)kind, 0, 0, 0};
    TRY(send_all(sys, fd, str_make(header, sizeof header), until_us, err));
    return send_all(sys, fd, payload, until_us, err);
}

enum status sql_wire_receive(struct sys *sys, int fd, struct buf *payload, enum sql_frame *ret_kind,
                             int64_t until_us, struct error *err)
{
    unsigned char h[SQL_FRAME_HEADER];
    TRY(receive_all(sys, fd, (char *)h, sizeof h, until_us, err));
    uint32_t len = h[0] | (uint32_t)h[1] << 8 | (uint32_t)h[2] << 16 | (uint32_t)h[3] << 24;
    if (h[4] == 0 || h[4] >= SQL_FRAME_END || h[5] || h[6] || h[7] || len > SQL_FRAME_MAX)
        return error_set(err, STATUS_CORRUPT, "a frame header of the SQL channel is not valid");
    buf_clear(payload);
    if (!buf_reserve(payload, len))
        return error_no_memory(err);
    TRY(receive_all(sys, fd, payload->data, len, until_us, err));
    payload->len = len;
    *ret_kind = (enum sql_frame)h[4];
    return STATUS_OK;
}

void sql_place(struct str sql, uint64_t offset, struct error *err)
{
    if (!err || !sql.data || offset > sql.len)
        return;
    err->offset = (int64_t)offset;
    err->line = 1;
    err->column = 1;
    for (uint64_t i = 0; i < offset; i++) {
        err->column = sql.data[i] == '\n' ? 1 : err->column + 1;
        err->line += sql.data[i] == '\n';
    }
}
