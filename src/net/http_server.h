/* http_server.h: HTTP/1.1 in, as requests that a worker thread handles from start to end.
 *
 * One listener has its own epoll thread(s) (libmicrohttpd) that move bytes and run what is sure to
 * be short (on_request_now); any other complete request head is put on a bounded queue and a worker
 * thread of the listener's pool runs the handler, which may block: http_read waits for body bytes,
 * http_write waits for the client to take them (both through rings of HTTP_RING_BYTES: this is the
 * back-pressure). Slow or idle clients hold no worker until their head (and, with `buffer_body`,
 * their body) is there.
 *
 * Knows no route and no JSON. Threads: a request belongs to its worker; server calls from anywhere.
 */
#ifndef QUARRY_NET_HTTP_SERVER_H
#define QUARRY_NET_HTTP_SERVER_H

#include "base/arena.h"
#include "base/status.h"
#include "base/str.h"

enum {
    HTTP_RING_BYTES = 256 * 1024,
    HTTP_HEADER_BYTES_MAX = 32 * 1024,
    HTTP_TARGET_MAX = 8 * 1024,
};

struct http_server;
struct http_request;

/* What became of a request on an I/O thread. */
enum http_now { HTTP_NOW_BACK, HTTP_NOW_DONE, HTTP_NOW_LATER };

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_METHOD_OTHER
};
const char *http_method_name(enum http_method method);

struct http_server_options {
    const char *host;            /* "127.0.0.1"; IPv4 or IPv6 address */
    uint16_t port;               /* 0: any free one, see http_server_port */
    uint32_t io_threads;         /* 0: 1 */
    uint32_t workers;            /* threads at the most, started on demand; 0: 16 */
    uint32_t queue_max;          /* waiting requests; beyond: 503 with Retry-After; 0: 1024 */
    uint32_t connections_max;    /* 0: 10000 */
    uint32_t idle_timeout_s;     /* 0: 30: a connection without any byte for so long is closed */
    uint32_t request_timeout_s;  /* 0: 60: head and buffered body must have arrived by then */
    uint64_t body_max;           /* 0: 64 MiB; beyond: 413; handlers may raise it, see below */
    const char *tls_certificate; /* PEM texts; both or none */
    const char *tls_key;
    bool tls_newest_only; /* TLS 1.3; else 1.2 too */
    /* Called on the I/O thread when a head has arrived, before any body byte: may raise or lower
     * *body_max and say whether the body is wanted whole in memory before the handler starts
     * (default true; false: streamed through http_read). Must not block. */
    void (*on_head)(void *context, struct http_request *request, uint64_t *body_max,
                    bool *buffer_body);
    /* Runs on a worker. Must answer (http_respond or http_begin .. http_end) before it returns;
     * else 500 is sent. */
    void (*on_request)(void *context, struct http_request *request);
    /* May be NULL. On the I/O thread, for a request that on_head has marked (http_request_try_now)
     * and whose body is buffered and small: answers it whole (http_respond), or gives it back
     * without an answer, then a worker gets it, or puts it off. All clients of this I/O thread wait
     * meanwhile, so it must be short. */
    enum http_now (*on_request_now)(void *context, struct http_request *request);
    /* Where requests are put off: */
    /* after a round of requests on this I/O thread, some of which were; is to see to it that
     * http_request_ready is called for each; `wait`: it may block until it was, since hardly
     * anybody else asks this thread for anything */
    void (*on_round)(void *context, bool wait);
    /* and on the same I/O thread when it was: answers it whole. Always called. */
    void (*on_later)(void *context, struct http_request *request);
    /* Faults found by the server itself (400 malformed, 408, 413, 414, 431, 503): write the body of
     * the answer into `ret_body` (from `arena`); may be NULL for plain text. Any thread. */
    void (*on_fault)(void *context, struct arena *arena, const struct error *fault,
                     struct str *ret_body, struct str *ret_content_type);
    void *context;
};

enum status http_server_start(const struct http_server_options *options,
                              struct http_server **ret_server, struct error *err);
/* Another pair of PEM texts for the handshakes to come. On failure the old one stays. Only when it
 * was started with one. */
enum status http_server_set_certificate(struct http_server *server, const char *certificate,
                                        const char *key, struct error *err);
uint16_t http_server_port(const struct http_server *server);
/* Stops accepting, lets running requests end for at most `grace_ms`, closes the rest, frees. */
void http_server_stop(struct http_server *server, uint32_t grace_ms);

struct http_server_stats {
    uint64_t requests, refused, active, queued, connections, bytes_in, bytes_out;
};
void http_server_get_stats(const struct http_server *server, struct http_server_stats *ret);

/* In on_head: on_request_now is asked first. */
void http_request_try_now(struct http_request *request);
/* Once for each request that is put off, by any thread, from on_request_now on. */
void http_request_ready(struct http_request *request);
/* The handler's own, for on_later; NULL at first. */
void http_request_set_user(struct http_request *request, void *user);
void *http_request_user(const struct http_request *request);

/* --- the request; all strings live as long as the request --- */
enum http_method http_request_method(const struct http_request *request);
struct str http_request_method_text(const struct http_request *request);
struct str http_request_path(const struct http_request *request); /* percent-decoded, no query */
/* The path as it was sent, still percent-escaped (so that %2F is no '/'), without the query. */
struct str http_request_target(const struct http_request *request);
/* What stands after '?', as it was sent; "" when nothing. */
struct str http_request_query_text(const struct http_request *request);
struct str http_request_header(const struct http_request *request,
                               const char *name); /* or data NULL */
/* All headers in order, names as they were sent; false past the end. */
bool http_request_header_at(const struct http_request *request, uint32_t index,
                            struct str *ret_name, struct str *ret_value);
struct str http_request_query(const struct http_request *request, const char *name); /* decoded */
/* All query parameters in order; false past the end. */
bool http_request_query_at(const struct http_request *request, uint32_t index, struct str *ret_name,
                           struct str *ret_value);
struct str http_request_client(const struct http_request *request); /* address text */
/* Bytes of the answer's body so far. */
uint64_t http_request_sent(struct http_request *request);
struct arena *http_request_arena(struct http_request *request); /* freed after the answer */
bool http_request_gone(const struct http_request *request);     /* the client hung up */

/* The whole body when it was buffered. */
struct str http_request_body(const struct http_request *request);
/* Next bytes of a streamed body, blocking; *ret_len 0 at its end. STATUS_TOO_LARGE past body_max,
 * STATUS_CANCELLED when the client is gone, STATUS_REQUEST_TIMEOUT when it stalls. Only before the
 * answer: responding or beginning says that the rest of the body is not wanted. */
enum status http_read(struct http_request *request, void *data, size_t cap, size_t *ret_len,
                      struct error *err);

/* --- the answer --- */
/* Before respond/begin. Values with CR or LF are refused (dropped). Copied. */
void http_set_header(struct http_request *request, const char *name, struct str value);
/* Whole answer at once; body copied. */
void http_respond(struct http_request *request, int status, struct str content_type,
                  struct str body);
/* The same, but takes over `body` from malloc. */
void http_respond_take(struct http_request *request, int status, struct str content_type,
                       char *body, size_t len);
/* Streamed answer (chunked): begin, any number of writes, end. http_write blocks while the ring is
 * full; STATUS_CANCELLED when the client is gone. http_abort cuts the connection instead of ending
 * well, so that the client sees that the answer is not whole. */
enum status http_begin(struct http_request *request, int status, struct str content_type,
                       struct error *err);
enum status http_write(struct http_request *request, struct str bytes, struct error *err);
void http_end(struct http_request *request);
void http_abort(struct http_request *request);

#endif
