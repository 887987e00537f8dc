/* http_io_head.c: from libmicrohttpd's idea of a head to ours.
 *
 * libmicrohttpd 0.9.75 keeps the head as one block of memory, in which it puts NULs after the
 * method, the target, names and values. So lengths say whether a NUL, a bare line feed or a folded
 * line was in it: every part must start where the one before has ended. */
#include "net/http_int.h"

struct gather {
    struct http_request *request;
    const char *block; /* MHD's copy of the head, its separators overwritten by NULs */
    const char *copy;  /* ours */
    size_t size;
    const char *expected; /* where the next header must start */
    bool broken;
};

/* MHD finds ends of names and values by NULs, so a NUL that was sent cuts a value short unseen.
 * Then, as with folded lines and bare line feeds, the next header is not where it has to be. */
static enum MHD_Result gather_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    (void)kind;
    struct gather *g = cls;
    struct http_head *head = &g->request->head;
    if (!value || name != g->expected || value < name || value >= g->block + g->size ||
        head->header_count == HTTP_HEADERS_MAX) {
        g->broken = true;
        return MHD_NO;
    }
    head->headers[head->header_count++] = (struct http_pair){str_of(g->copy + (name - g->block)),
                                                             str_of(g->copy + (value - g->block))};
    g->expected = value + strlen(value) + 2;
    return MHD_YES;
}

static enum status copy_head(struct http_request *r, struct MHD_Connection *connection,
                             const char *method, const char *version, struct error *err)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t size = info ? info->header_size : 0;
    if (size > HTTP_HEADER_BYTES_MAX)
        return error_set(err, STATUS_HEADERS_TOO_LARGE, "the headers have more than %d bytes",
                         HTTP_HEADER_BYTES_MAX);
    int count = MHD_get_connection_values(connection, MHD_HEADER_KIND, NULL, NULL);
    if (count > HTTP_HEADERS_MAX)
        return error_set(err, STATUS_HEADERS_TOO_LARGE, "there are more than %d headers",
                         HTTP_HEADERS_MAX);
    char *copy = arena_alloc(&r->arena, size + 1);
    r->head.headers = arena_array(&r->arena, (size_t)count, sizeof *r->head.headers);
    if (!copy || !r->head.headers)
        return error_no_memory(err);
    memcpy(copy, method, size);
    http_head_set_method(&r->head, str_of(copy));
    struct gather g = {r, method, copy, size, version + strlen(version) + 2, false};
    MHD_get_connection_values(connection, MHD_HEADER_KIND, gather_header, &g);
    if (g.broken || g.expected + 2 != method + size)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a header line is folded, holds a NUL or does not end with CR LF");
    return STATUS_OK;
}

/* The request line as MHD has cut it up must be as long as its parts. */
static enum status check_line(const struct http_request *r, const char *url, const char *method,
                              const char *version, struct error *err)
{
    if (url != method + strlen(method) + 1 || version != url + r->target_len + 1)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "the request line holds a NUL or more than two spaces");
    return STATUS_OK;
}

enum status http_io_check_head(struct http_request *r, struct MHD_Connection *connection,
                               const char *url, const char *method, const char *version,
                               struct error *err)
{
    if (r->head_fault) {
        if (err)
            *err = *r->head_fault;
        return r->head_fault->status;
    }
    if (!r->head.target.data)
        return error_no_memory(err);
    TRY(check_line(r, url, method, version, err));
    TRY(copy_head(r, connection, method, version, err));
    TRY(http_head_check_headers(&r->head, err));
    if (!strcmp(version, "HTTP/1.1") && !http_head_header(&r->head, "Host").data)
        return error_set(err, STATUS_INVALID_ARGUMENT, "HTTP/1.1 needs a Host header");
    if (r->head.chunked && strcmp(version, "HTTP/1.1") != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "Transfer-Encoding needs HTTP/1.1");
    bool buffer = true;
    if (r->server->options.on_head)
        r->server->options.on_head(r->server->options.context, r, &r->body_max, &buffer);
    r->streamed = !buffer;
    if (r->head.content_length > r->body_max)
        return error_set(err, STATUS_TOO_LARGE, "the body has %llu bytes, the limit is %llu",
                         (unsigned long long)r->head.content_length,
                         (unsigned long long)r->body_max);
    return STATUS_OK;
}
