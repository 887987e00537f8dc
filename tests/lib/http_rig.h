/* http_rig.h: a server with a handler made for tests, and a client that sends raw bytes.
 *
 * Routes: /hello; /echo (buffered); /count, /read-late, /refuse, /gated (streamed);
 * /down?n=bytes; /block (until the gate opens); /gone (until the client has gone); /info; /none;
 * /abort; /set?v= */
#ifndef QUARRY_TESTS_LIB_HTTP_RIG_H
#define QUARRY_TESTS_LIB_HTTP_RIG_H

#include <pthread.h>
#include <stdatomic.h>

#include "net/http_server.h"

struct http_rig {
    struct http_server *server;
    uint16_t port;
    pthread_mutex_t mutex; /* guards entered, gate_open, last */
    pthread_cond_t changed;
    int entered; /* handlers that reached /block, /gated or /gone */
    int left;    /* and that have come out again */
    bool gate_open;
    enum status last;         /* of http_read, http_write or how /gone ended */
    _Atomic uint64_t written; /* by /down */
};

void http_rig_start(struct http_rig *rig, struct http_server_options options);
void http_rig_stop(struct http_rig *rig, uint32_t grace_ms);
void http_rig_await_entered(struct http_rig *rig, int count);
void http_rig_await_left(struct http_rig *rig, int count);
void http_rig_open_gate(struct http_rig *rig);

/* Connects with a receive timeout of 20 s, so that a test that hangs ends. */
int http_rig_connect(const struct http_rig *rig);
void http_rig_send(int fd, const char *text);
void http_rig_send_bytes(int fd, const void *data, size_t len); /* all of it */
/* Reads one answer (by Content-Length, chunks or the end); returns its status, 0 when the
 * connection ended before one. head and body are NUL-ended and cut to their sizes. */
struct http_rig_answer {
    int status;
    char head[4096];
    char body[4096];
    size_t body_len; /* all of it, also when cut */
    bool whole;      /* its end was seen */
};
int http_rig_receive(int fd, struct http_rig_answer *ret);
/* send and receive; for HEAD use http_rig_receive_head. */
int http_rig_ask(int fd, const char *request, struct http_rig_answer *ret);
int http_rig_receive_head(int fd, struct http_rig_answer *ret);
/* True when the server closes the connection (waits for it). */
bool http_rig_closed(int fd);

#endif
