/* http_head.h: what a request's head says, checked more strictly than libmicrohttpd does.
 *
 * Refused (RFC 9110, RFC 9112, and what request smuggling lives on): targets with bytes outside the
 * URI's, with a wrong escape or an escaped NUL; header names that are no tokens; control bytes in
 * values; more than one Content-Length, Transfer-Encoding or Host; Content-Length beside
 * Transfer-Encoding; a transfer coding other than "chunked". Pure functions, no I/O: also a target
 * for fuzzing. */
#ifndef QUARRY_NET_HTTP_HEAD_H
#define QUARRY_NET_HTTP_HEAD_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"
#include "net/http_server.h"

enum { HTTP_HEADERS_MAX = 100, HTTP_PARAMETERS_MAX = 200 };

struct http_pair {
    struct str name, value;
};

struct http_head {
    enum http_method method;
    struct str method_text;
    struct str target; /* raw path, still escaped */
    struct str query;  /* raw, without '?' */
    struct str path;   /* unescaped */
    struct http_pair *parameters;
    uint32_t parameter_count;
    struct http_pair *headers;
    uint32_t header_count;
    bool has_body;
    bool chunked;
    uint64_t content_length; /* 0 when chunked */
};

/* Sets target, query, path and parameters from the request line's middle; strings are copied into
 * the arena. STATUS_URI_TOO_LONG, STATUS_INVALID_ARGUMENT, STATUS_NO_MEMORY. */
enum status http_head_set_target(struct http_head *head, struct arena *arena, struct str target,
                                 struct error *err);
void http_head_set_method(struct http_head *head, struct str method);
/* Judges head->headers and sets has_body, chunked and content_length. */
enum status http_head_check_headers(struct http_head *head, struct error *err);
struct str http_head_header(const struct http_head *head, const char *name);

#endif
