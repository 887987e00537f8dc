/* service.h: what a service is: a set of operations of api/operations.def with their handlers, on a
 * listener of its own. The framework routes, decodes, validates and answers; a handler holds only
 * the deed.
 *
 * Every listener also serves GET /health, /ready, /metrics and /openapi.json. An operation of the
 * list without a handler answers 501. Every error has the body
 *   {"success":false,"error_message":TEXT,"error":{"code","message","detail":{...},"request_id"}}.
 */
#ifndef QUARRY_SERVICE_SERVICE_H
#define QUARRY_SERVICE_SERVICE_H

#include "base/json.h"
#include "base/log.h"
#include "net/http_server.h"
#include "service/gate.h"
#include "service/metrics.h"
#include "service/operation.h"
#include "service/router.h"
#include "service/trace.h"
#include "sys/sys.h"

struct service;

/* A decoded field; what is not of its type is zero. */
struct field_value {
    bool present; /* in the request and not null; a default does not count */
    struct str text;
    int64_t integer;
    double number;
    bool boolean;
    yyjson_val *json; /* from a JSON body only */
};

/* What a request cost, told by its handler: for the usage of tenants and the slow requests. The CPU
 * of its own thread is measured by the framework. */
struct request_work {
    uint64_t rows_read, rows_returned, rows_written;
    int64_t cpu_us;       /* of other processes */
    struct str statement; /* what was asked for, for the log of slow requests; data NULL: nothing */
};

/* One request on its way through a handler. */
struct request {
    struct http_request *http;
    const struct operation *operation;
    struct service *service;
    void *context;            /* the service's own state */
    struct arena *arena;      /* freed after the answer */
    struct error error;       /* handlers put their failure here and return its status */
    struct str request_id;    /* X-Request-Id of the client when sane, else a new uuid v7 */
    yyjson_val *body;         /* validated JSON body with an object at its root, or NULL */
    int64_t started_us;       /* monotonic */
    enum body_kind body_kind; /* what Content-Type announced; JSON when there was none */
    struct identity identity; /* who calls; checked before the body is read */
    struct request_work work; /* zero until a handler adds to it */
    struct trace trace;       /* trace.h: span_begin and its kin */
    struct str encoding;      /* Content-Encoding of an ENCODED_BODY operation; data NULL: none */
    /* the framework's own */
    struct field_value *values; /* in the order of operation->fields */
    const struct route *route;
    yyjson_doc *doc;
    bool here; /* on the I/O thread, which may not wait: see request_give_back, request_put_off */
    bool given_back;
    enum status (*later)(struct request *request); /* how one that was put off ends */
    void *later_state;
    int64_t cpu_us;                   /* of its threads */
    const struct operation *admitted; /* the gate has let it pass; logged when it is over */
    int status;                       /* HTTP status of the answer, 0: none yet */
    bool started;                     /* a streamed answer was begun */
};

/* Does the deed and answers, or returns a failure (with request->error set by passing
 * &request->error down), which the framework answers; after request_begin a failure cuts the
 * connection instead, so handlers tell the client in the stream before they return it. */
typedef enum status (*request_handler)(struct request *request);

/* Decoded inputs. Path, query and JSON fields were checked against the operation's field list
 * (type, required, range, unknown names refused), so these cannot fail; absent optional fields give
 * their default, or data NULL / false in *ret_present. */
struct str request_path_param(const struct request *request, const char *name);
struct str request_str(const struct request *request, const char *field);
int64_t request_int(const struct request *request, const char *field);
bool request_bool(const struct request *request, const char *field);
double request_double(const struct request *request, const char *field);
yyjson_val *request_json(const struct request *request,
                         const char *field);                        /* NULL: absent or null */
bool request_has(const struct request *request, const char *field); /* present, not null */

/* For RAW_BODY operations, whose bodies the framework does not touch: decodes and validates `text`,
 * a JSON object with the operation's BODY and EITHER fields. `done` names one field that the
 * handler has dealt with itself: it may be absent from `text` (NULL: none). `text` is not kept, the
 * values live as long as the request. Once for each request. */
enum status request_decode_json(struct request *request, struct str text, const char *done);

/* Whether the caller may run the operation: what the framework asks before every handler, for
 * fallbacks. Sets request->identity, and WWW-Authenticate when a token is missing. */
enum status request_admit(struct request *request, const struct operation *operation);
/* The same with another Authorization header than the one that was sent. */
enum status request_admit_with(struct request *request, const struct operation *operation,
                               struct str authorization);

/* When request->here: this one is not short. To be returned by the handler, which has not answered
 * and has changed nothing; it is called again, on a worker. */
enum status request_give_back(struct request *request);

/* When request->here: the deed is done by somebody else. The handler has seen to it that
 * request_ready is called once (any thread; perhaps before the handler returns) and returns this;
 * then `finish` answers on the same I/O thread, as a handler does, without waiting.
 * service_options.on_round is called after each round of such requests. */
enum status request_put_off(struct request *request, request_handler finish, void *state);
void request_ready(struct request *request);

/* Answers with a JSON body made by the caller; a failed buffer answers 500 instead. */
void request_respond_json(struct request *request, int status, struct buf *body /* taken */);
void request_respond_error(struct request *request, const struct error *err);
/* Any other whole body. */
void request_respond_text(struct request *request, int status, struct str content_type,
                          struct buf *body /* taken */);
/* Begins a streamed answer; go on with http_write and http_end. */
enum status request_begin(struct request *request, int status, struct str content_type,
                          struct error *err);
/* The members "success": false, "error_message", "error" into an object that the caller has begun:
 * for events in a stream. */
void request_write_error(const struct request *request, struct json_writer *w,
                         const struct error *err);
/* Which of the kinds of answer the client likes best by its Accept header: JSON also for wildcards
 * and for none. */
enum accept_kind { ACCEPT_JSON, ACCEPT_NDJSON, ACCEPT_SSE, ACCEPT_CSV };
enum accept_kind request_accept(const struct request *request);

struct service_handler {
    const char *operation; /* its name in api/operations.def */
    request_handler handle;
};

struct service_options {
    enum service_kind kind; /* operation.h */
    const char *version;
    struct sys *sys;
    const struct log *log;
    struct gate *gate;               /* borrowed; NULL: everybody is the local operator */
    struct http_server_options http; /* callbacks are set by the framework */
    const struct service_handler *handlers;
    size_t handlers_len;
    void *context; /* handed to handlers and to the calls below */
    /* Takes requests of no operation of this service, their bodies unread (http_read) and of any
     * size; for what it cannot serve it returns STATUS_UNKNOWN_ROUTE. NULL: 404. */
    request_handler fallback;
    /* Of request_put_off: those of this round are to become ready; with `wait` it may block until
     * they are. NULL: no handler puts off. */
    void (*on_round)(void *context, bool wait);
    bool front; /* browsers of the world reach it: with headers that tell them what not to do */
    struct trace_options trace;
    int64_t slow_us;             /* requests that take longer are told in the log; 0: none */
    const char *allowed_origins; /* of browsers' pages, see cors.h; NULL: "*" */
    /* Detail for /health: writes members, `timestamp` among them, into the begun object `details`;
     * false: unhealthy, with *ret_status text. May be NULL. */
    bool (*health)(void *context, struct json_writer *details, const char **ret_status);
    /* Not ready (503) while false. May be NULL. */
    bool (*ready)(void *context);
    /* Called before /metrics is written, to refresh gauges. May be NULL. */
    void (*collect)(void *context, struct metrics *metrics);
};

enum status service_start(const struct service_options *options, struct service **ret_service,
                          struct error *err);
uint16_t service_port(const struct service *service);
struct metrics *service_metrics(struct service *service);
/* Another certificate for the connections to come; on failure the old one stays. */
enum status service_set_certificate(struct service *service, const char *certificate,
                                    const char *key, struct error *err);
/* /ready answers 503 from now on, everything else goes on. */
void service_drain(struct service *service);
/* Drains, lets requests end for at most `grace_ms`, closes, frees. NULL is fine. */
void service_stop(struct service *service, uint32_t grace_ms);

#endif
