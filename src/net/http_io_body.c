/* http_io_body.c: pieces of a request's body: gathered in memory, given to a handler through its
 * ring, or thrown away. All under the request's mutex. */
#include <stdlib.h>
#include <sys/uio.h>

#include "net/http_int.h"

void http_io_body_refused(const struct http_request *r, struct error *ret)
{
    error_set(ret, r->body_fault,
              r->body_fault == STATUS_TOO_LARGE ? "the body is larger than %llu bytes"
                                                : "no memory for a body of up to %llu bytes",
              (unsigned long long)r->body_max);
}

static enum status grow_body(struct http_request *r, size_t need)
{
    if (need <= r->body_cap)
        return STATUS_OK;
    size_t first = r->head.content_length < (1u << 20) ? (size_t)r->head.content_length : 1u << 20;
    size_t cap = r->body_cap ? r->body_cap : first;
    while (cap < need)
        cap = cap < 4096 ? 4096 : cap * 2;
    if (!r->head.chunked && cap > r->head.content_length)
        cap = (size_t)r->head.content_length;
    uint64_t more = cap - r->body_cap;
    if (atomic_fetch_add(&r->server->buffered, more) + more > HTTP_BUFFERED_MAX) {
        atomic_fetch_sub(&r->server->buffered, more);
        return STATUS_NO_MEMORY;
    }
    char *body = realloc(r->body, cap);
    if (!body) {
        atomic_fetch_sub(&r->server->buffered, more);
        return STATUS_NO_MEMORY;
    }
    r->body = body;
    r->body_cap = cap;
    return STATUS_OK;
}

static void drop_body(struct http_request *r, enum status why)
{
    atomic_fetch_sub(&r->server->buffered, r->body_cap);
    free(r->body);
    r->body = NULL;
    r->body_len = r->body_cap = 0;
    r->body_fault = why;
    r->discard = true;
}

static void buffer_body(struct http_request *r, const char *data, size_t len)
{
    enum status status = grow_body(r, r->body_len + len);
    if (status != STATUS_OK) {
        drop_body(r, status);
        return;
    }
    memcpy(r->body + r->body_len, data, len);
    r->body_len += len;
}

static const char *early_head(struct http_request *r, struct arena *arena, int status,
                              struct str type, size_t len)
{
    const char *head = arena_printf(arena, "HTTP/1.1 %d %s\r\nConnection: close\r\n", status,
                                    MHD_get_reason_phrase_for((unsigned)status));
    for (const struct http_header_out *h = r->headers_out; h && head; h = h->next)
        head = arena_printf(arena, "%s%s: %s\r\n", head, h->name, h->value);
    return head ? arena_printf(arena, "%sContent-Type: %.*s\r\nContent-Length: %zu\r\n\r\n", head,
                               STR_ARG(type), len)
                : NULL;
}

/* MHD takes no answer in the middle of a body. When too much of it is left to wait for its end, the
 * answer is written past MHD, and the connection closed softly. Best effort: nothing else is under
 * way, so an answer of this size fits the socket's buffer. */
static void answer_past(struct http_request *r)
{
    struct http_connection *c = http_connection_of(r->connection);
    struct str body = r->early_body, type = r->early_type;
    int status = r->answer_status;
    struct arena arena;
    struct error fault = ERROR_INIT;
    arena_init(&arena, 1 << 20);
    if (r->answer == HTTP_ANSWER_NONE) {
        http_io_body_refused(r, &fault);
        status = status_info(fault.status)->http;
        http_fault_text(r->server, &arena, &fault, &body, &type);
    }
    const char *head = body.len <= HTTP_EARLY_MAX && !c->tls && !r->streaming
                           ? early_head(r, &arena, status, type, body.len)
                           : NULL;
    struct iovec parts[] = {{(void *)(uintptr_t)head, head ? strlen(head) : 0},
                            {(void *)(uintptr_t)body.data, body.len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (head && sendmsg(r->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        c->linger = true;
    arena_release(&arena);
}

static enum MHD_Result discard(struct http_request *r, size_t *size)
{
    if (r->discarded + *size <= HTTP_DISCARD_MAX) {
        r->discarded += *size;
        *size = 0;
        return MHD_YES;
    }
    if (r->queued && r->answer == HTTP_ANSWER_NONE) { /* the handler is about to answer */
        http_io_suspend(r);
        return MHD_YES;
    }
    if (r->answer != HTTP_ANSWER_CUT)
        answer_past(r);
    return MHD_NO;
}

static enum MHD_Result stream_body(struct http_request *r, const char *data, size_t *size)
{
    if (!ring_ready(&r->in))
        return MHD_NO;
    size_t n = ring_put(&r->in, data, *size);
    r->body_seen += n;
    *size -= n;
    http_request_wake(r);
    if (*size)
        http_io_suspend(r);
    return MHD_YES;
}

enum MHD_Result http_io_take_body(struct http_request *r, const char *data, size_t *size)
{
    if (!r->discard && r->body_seen + *size > r->body_max) {
        r->too_large = r->discard = true;
        if (!r->streamed)
            drop_body(r, STATUS_TOO_LARGE);
        http_request_wake(r);
    }
    if (r->discard)
        return discard(r, size);
    if (r->streamed)
        return stream_body(r, data, size);
    buffer_body(r, data, *size);
    r->body_seen += *size;
    *size = 0;
    return MHD_YES;
}
