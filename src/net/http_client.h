/* http_client.h: HTTP requests to others, blocking, over libcurl: for the command line, for
 * proxying between services, for probes.
 *
 *   struct http_client *client;
 *   struct http_reply reply;
 *   TRY(http_client_new(&(struct http_client_options){0}, &client, err));
 *   http_reply_init(&reply, 1 << 20);
 *   status = http_client_call(client, &(struct http_call){.url = "http://127.0.0.1:8000/health"},
 *                             &reply, err);
 *   ... reply.status, reply.body ...
 *   http_reply_release(&reply);
 *   http_client_free(client);
 *
 * A client keeps its connections open between calls. One thread at a time; a pool is the caller's.
 * Redirects are not followed, proxies of the environment are not used, only http and https are
 * spoken. An answer with whatever HTTP status is STATUS_OK here. Failures: STATUS_UNAVAILABLE (no
 * connection, or it broke), STATUS_TIMEOUT, STATUS_INVALID_ARGUMENT (the URL),
 * STATUS_RESOURCE_LIMIT (more body than the reply may hold), STATUS_CANCELLED, STATUS_NO_MEMORY, or
 * what a call back said. */
#ifndef QUARRY_NET_HTTP_CLIENT_H
#define QUARRY_NET_HTTP_CLIENT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/str.h"

struct http_client;

enum { HTTP_REPLY_HEADERS_MAX = 100 };

struct http_client_options {
    int connect_timeout_ms;  /* 0: 5000 */
    int timeout_ms;          /* of a whole call; 0: none */
    int stall_timeout_s;     /* no byte either way for so long ends a call; 0: 60 */
    const char *ca_file;     /* PEM of trusted certificates; NULL: the system's */
    const char *unix_socket; /* path of a local socket to connect to, whatever the URL's host */
    const char *user_agent;  /* NULL: "quarry" */
    bool insecure;           /* believe any certificate: only where nothing secret is sent */
};

struct http_field {
    struct str name, value;
};

struct http_reply {
    int status;   /* 0: none came */
    bool refused; /* no connection came about: nothing of the request was sent */
    struct http_field fields[HTTP_REPLY_HEADERS_MAX];
    uint32_t field_count;
    struct buf body;    /* empty when a download call back took it */
    struct arena arena; /* the fields' texts */
};

struct http_call {
    const char *method; /* NULL: GET, or POST with a body */
    const char *url;
    const struct http_field *fields;
    uint32_t field_count;
    struct str body; /* data NULL: none. Or: */
    /* Next bytes of the body; *ret_len 0 at the end. */
    enum status (*upload)(void *context, void *data, size_t cap, size_t *ret_len,
                          struct error *err);
    int64_t upload_len; /* when known; 0: chunked */
    /* The head of the answer has come. NULL is fine. */
    enum status (*head)(void *context, const struct http_reply *reply, struct error *err);
    /* Bytes of the answer's body as they come; NULL: they go to reply->body. */
    enum status (*download)(void *context, struct str bytes, struct error *err);
    /* Asked now and then; true ends the call with STATUS_CANCELLED. NULL is fine. */
    bool (*cancelled)(void *context);
    void *context;
    int timeout_ms; /* 0: the client's */
};

enum status http_client_new(const struct http_client_options *options, struct http_client **ret,
                            struct error *err);
void http_client_free(struct http_client *client); /* NULL is fine */

void http_reply_init(struct http_reply *reply, size_t body_max);
void http_reply_release(struct http_reply *reply);
/* First value of that name, data NULL when there is none. */
struct str http_reply_header(const struct http_reply *reply, const char *name);

/* `reply` is emptied first, and may be used for many calls. */
enum status http_client_call(struct http_client *client, const struct http_call *call,
                             struct http_reply *reply, struct error *err);

#endif
