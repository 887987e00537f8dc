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
#include "service/metrics.h"
#include "service/operation.h"
#include "sys/sys.h"

struct service;

/* One request on its way through a handler. */
struct request {
    struct http_request *http;
    const struct operation *operation;
    struct service *service;
    void *context;         /* the service's own state */
    struct arena *arena;   /* freed after the answer */
    struct error error;    /* handlers put their failure here and return its status */
    struct str request_id; /* X-Request-Id of the client when sane, else a new uuid v7 */
    yyjson_val *body;      /* validated JSON body with an object at its root, or NULL */
    int64_t started_us;    /* monotonic */
};

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

/* Answers with a JSON body made by the caller. */
void request_respond_json(struct request *request, int status, struct buf *body /* taken */);
void request_respond_error(struct request *request, const struct error *err);

struct service_handler {
    const char *operation; /* its name in api/operations.def */
    request_handler handle;
};

struct service_options {
    enum service_kind kind; /* operation.h */
    const char *version;
    struct sys *sys;
    const struct log *log;
    struct http_server_options http; /* callbacks are set by the framework */
    const struct service_handler *handlers;
    size_t handlers_len;
    void *context;
    /* Detail for /health: writes members into the begun object `details`; false: unhealthy, with
     * *ret_status text. May be NULL. */
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
void service_stop(struct service *service, uint32_t grace_ms);

#endif
