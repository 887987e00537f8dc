/* http_int.h: the parts of an HTTP server and who touches them.
 *
 *   client --bytes--> I/O thread (MHD) --http_request--> queue --> worker: on_request
 *                          ^   |                                      |
 *     on_request_now ------+---+                                      |
 *                          +------------- resume ---------------------+
 *
 * Each I/O thread (struct http_loop) has an MHD daemon of its own; all accept from one listener,
 * and a connection stays with the thread that has accepted it. A request that was marked for it is
 * tried on the I/O thread first: no change of threads, no suspending.
 *
 * A request has two holders: the I/O side (until MHD reports it as over) and, once it is queued,
 * the worker side (until the handler returned). The last one frees it. All that both touch is
 * guarded by request->mutex. MHD functions about a connection are called on its I/O thread only,
 * except MHD_resume_connection, which is called under the mutex while `suspended` is set.
 *
 * Order of locks: server->connections_mutex, then request->mutex, then MHD's own. No
 * lock is held when a request is put into the queue. */
#ifndef QUARRY_NET_HTTP_INT_H
#define QUARRY_NET_HTTP_INT_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "net/http_head.h"
#include "net/http_server.h"
#include "net/http_tls.h"
#include "net/ring_int.h"
#include "sys/sys.h"
#include "sys/thread.h"

enum {
    /* A connection's memory in MHD: head, answer head, and the piece of body on its way. */
    HTTP_POOL_BYTES = 64 * 1024,
    /* So much of an unwanted body is read and thrown away before the connection is cut. */
    HTTP_DISCARD_MAX = 4 * 1024 * 1024,
    HTTP_EARLY_MAX = 64 * 1024, /* body of an answer in the middle of a request's body */
    HTTP_CLIENT_TEXT_MAX = 64,
    HTTP_SWEEP_MS = 100,
    HTTP_LINGER_MAX = 256,
    HTTP_STACK_BYTES = 2 << 20,    /* of workers and of I/O threads, which run handlers too */
    HTTP_NOW_BODY_MAX = 16 * 1024, /* of a request that is tried on an I/O thread */
    HTTP_IO_THREADS_MAX = 64,
    HTTP_WAIT_AFTER = 16, /* requests in a row that were put off: then an I/O thread may block */
    HTTP_LINGER_MS = 2000,
    HTTP_LINGER_BYTES = 16 * 1024 * 1024,
};

/* Bodies being gathered in memory, all requests together; beyond: 503. */
#define HTTP_BUFFERED_MAX ((uint64_t)1 << 30)

/* A worker waits for a client's bytes, or for it to take them, no longer than the time out plus
 * what the bytes moved so far take at this rate; else a few dribbling clients would hold all
 * workers. */
enum { HTTP_RATE_MIN_PER_MS = 4 };

/* Values of http_connection.deadline_ms besides a time. */
#define HTTP_NO_DEADLINE 0
#define HTTP_CUT         (-1) /* the sweeper has ended it: nothing may be sent any more */

/* One accepted connection, from accept to close; all but deadline_ms belongs to
 * server->connections_mutex. */
struct http_connection {
    struct http_connection *prev, *next;
    struct http_loop *loop;
    int fd;
    struct http_tls *tls; /* NULL: plain text */
    bool linger;          /* answered before all was read: close softly (I/O thread) */
    bool poisoned;        /* nothing more is taken from it (I/O thread) */
    struct http_request *request;
    _Atomic int64_t deadline_ms; /* monotonic; by then the client must have sent its request */
    char client[HTTP_CLIENT_TEXT_MAX];
};

enum http_answer { HTTP_ANSWER_NONE, HTTP_ANSWER_READY, HTTP_ANSWER_CUT };

struct http_request {
    struct http_server *server;
    struct http_loop *loop;
    struct arena arena; /* I/O side until queued, then the worker's */
    struct http_head head;
    char client[HTTP_CLIENT_TEXT_MAX];
    struct error *head_fault; /* I/O thread only */
    bool head_taken;          /* I/O thread only */
    bool try_now;             /* on_head wants it tried on the I/O thread */
    bool here;                /* it runs there: nothing may wait for the I/O thread */
    bool later;               /* it was put off there (http_now.c) */
    struct http_request *later_next, *ready_next;
    atomic_bool ready;
    void *user;
    size_t target_len; /* of the line's middle, as sent */
    bool streamed;     /* the body goes through `in`; fixed when the head is taken */
    uint64_t body_max;
    uint64_t body_seen; /* I/O thread only */
    uint64_t discarded; /* I/O thread only */
    /* The buffered body: the I/O side's until queued, then read-only. */
    char *body;
    size_t body_len, body_cap;
    enum status body_fault; /* why it is not whole */
    /* Headers of the answer: the worker's until the answer is ready. */
    struct http_header_out *headers_out;
    struct http_request *queue_next; /* the queue's */
    atomic_int holders;
    bool refused;        /* I/O thread only: the queue was full */
    bool suspended_once; /* I/O thread only */

    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t changed;
    struct MHD_Connection *connection; /* NULL when it is over */
    int fd;
    bool suspended;
    bool queued;       /* was given to the workers */
    bool body_open;    /* the handler asked for the streamed body */
    bool body_reading; /* MHD was told to go on */
    bool body_ended;
    bool discard; /* nobody wants the rest of the body */
    bool too_large;
    bool timed_out; /* the reason why it is over */
    bool waiting;   /* the worker waits for `changed` */
    uint64_t moved; /* bytes of the streamed body, then of the streamed answer */
    int64_t waited_ms;
    struct ring in, out;
    enum http_answer answer;
    bool streaming; /* the answer goes through `out` */
    bool out_ended, out_aborted;
    int answer_status;
    struct MHD_Response *response;     /* I/O thread's once answer is set */
    char *taken_body;                  /* from http_respond_take */
    struct str early_body, early_type; /* the answer, should it have to go past MHD */
};

struct http_header_out {
    struct http_header_out *next;
    const char *name, *value;
};

struct http_queue {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    struct http_request *first, *last;
    uint32_t length, length_max;
    struct thread *threads;
    uint32_t thread_count, thread_max, idle;
    bool waking; /* one was signalled and has not run yet */
    bool closed;
};

/* A socket that was answered before all was read: closing it at once would reset it and lose the
 * answer, so what still comes is thrown away for a while. */
struct http_lingerer {
    int fd;
    int64_t until_ms;
    uint64_t left;
};

/* An I/O thread. */
struct http_loop {
    struct http_server *server;
    struct MHD_Daemon *daemon;
    struct thread thread;
    int epoll_fd; /* MHD's */
    int wake_fd;
    atomic_bool awake;                  /* wake_fd has been written to */
    struct http_request *_Atomic ready; /* put off before, to be finished */
    /* Its thread's own: */
    pthread_t self;
    struct http_request *put_off; /* in this round */
    uint32_t pending;             /* put off and not finished */
    uint32_t in_a_row;            /* how many of the last ones were put off */
};

struct http_server {
    struct http_server_options options;
    struct http_tls *tls; /* NULL: plain text */
    struct http_loop *loops;
    uint32_t loops_len;     /* those that run */
    atomic_bool loops_end;  /* nothing is suspended any more */
    atomic_uint loops_busy; /* with a request that may block */
    int listen_fd;
    uint16_t port;
    atomic_bool draining; /* answers close their connections */
    atomic_bool stopping; /* handlers are to come to an end */
    struct http_queue queue;
    struct thread sweeper;
    pthread_mutex_t connections_mutex;
    pthread_cond_t sweep_now;
    pthread_cond_t drained;
    bool sweeper_ends;
    struct http_connection *connections;
    uint32_t connection_count;
    struct http_lingerer lingering[HTTP_LINGER_MAX];
    uint32_t linger_count;
    char start_log[256]; /* what MHD said while starting */
    atomic_bool started;
    _Atomic uint64_t requests, refused, active, buffered, bytes_in, bytes_out;
};

int64_t http_now_ms(void);

/* http_request.c */
struct http_request *http_request_new(struct http_server *server, struct http_connection *c);
/* One holder less; frees at the last. */
void http_request_drop(struct http_request *request);
/* Under the mutex: lets the I/O thread call again for this request. */
void http_request_resume(struct http_request *request);
/* Under the mutex: waits for `changed`. False when the client has used up its time (see
 * HTTP_RATE_MIN_PER_MS): then its socket has been shut down. */
bool http_request_wait(struct http_request *request, uint32_t timeout_s);
void http_request_wake(struct http_request *request);

/* http_answer.c */
void http_answer_unanswered(struct http_request *request);
/* An answer about a fault found by the server itself. */
struct MHD_Response *http_fault_response(struct http_request *request, const struct error *fault,
                                         bool close);
void http_fault_text(struct http_server *server, struct arena *arena, const struct error *fault,
                     struct str *ret_body, struct str *ret_type);

/* http_loop.c; the daemon is there. It stays the caller's on failure. */
enum status http_loop_start(struct http_loop *loop, struct error *err);
/* Any thread: MHD is to look at its connections again. */
void http_loop_wake(struct http_loop *loop);
void http_loops_wake(struct http_server *server);
/* When all workers are gone: ends all of them. */
void http_loops_end(struct http_server *server);

/* http_io.c: MHD's call backs */
void *http_io_uri(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result http_io_call(void *cls, struct MHD_Connection *connection, const char *url,
                             const char *method, const char *version, const char *data,
                             size_t *size, void **context);
void http_io_completed(void *cls, struct MHD_Connection *connection, void **context,
                       enum MHD_RequestTerminationCode code);
/* Under the mutex, on the I/O thread: until http_request_resume. */
void http_io_suspend(struct http_request *request);
/* Gives the answer, which is there, to MHD. */
enum MHD_Result http_io_send(struct http_request *request, struct MHD_Connection *connection);
/* http_io_body.c; under the mutex */
enum MHD_Result http_io_take_body(struct http_request *request, const char *data, size_t *size);
void http_io_body_refused(const struct http_request *request, struct error *ret);
/* http_now.c; BACK: it has to go to a worker */
enum http_now http_now_try(struct http_request *request);
/* After a round of MHD; true: it has something to send. */
bool http_now_round(struct http_loop *loop);
/* http_io_head.c: checks and copies the head; calls on_head. */
enum status http_io_check_head(struct http_request *request, struct MHD_Connection *connection,
                               const char *url, const char *method, const char *version,
                               struct error *err);
/* Gives bytes of a streamed answer to MHD. */
ssize_t http_io_read_answer(void *cls, uint64_t position, char *data, size_t cap);

/* http_connection.c */
void http_connection_notify(void *cls, struct MHD_Connection *connection, void **context,
                            enum MHD_ConnectionNotificationCode code);
struct http_connection *http_connection_of(struct MHD_Connection *connection);
void *http_sweep_run(void *argument);
/* Wakes every handler that waits and makes every client's connection end. */
void http_connections_shut(struct http_server *server);
void http_linger_release(struct http_server *server);

/* http_workers.c */
enum status http_queue_init(struct http_queue *queue, uint32_t threads, uint32_t length_max,
                            struct error *err);
/* False when it is full or closed. */
bool http_queue_put(struct http_server *server, struct http_request *request);
/* Waiting requests are dropped unanswered; returns when all handlers have returned. */
void http_queue_close(struct http_queue *queue);
void http_queue_release(struct http_queue *queue);

#endif
