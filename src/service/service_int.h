/* service_int.h: what the files of src/service share about a running service and its requests. */
#ifndef QUARRY_SERVICE_SERVICE_INT_H
#define QUARRY_SERVICE_SERVICE_INT_H

#include <stdatomic.h>

#include "service/service.h"
#include "service/usage.h"

struct service {
    struct service_options options;
    const struct service_info *info;
    struct http_server *_Atomic http; /* NULL until the listener is up */
    struct router *router;
    struct metrics *metrics;
    atomic_bool draining;
    int64_t started_us; /* since 1970 */
    size_t operations;  /* length of the list, and of the arrays below */
    request_handler *handlers;
    void **contexts; /* each handler's first argument's `context` */
    struct metric_series **durations;
    struct trace_ring ring;
    struct usage usage;
};

/* decode.c: body kind, path, query and header fields, then the JSON body unless it is raw. */
enum status decode_request(struct request *request);
/* Type, range and choices of one value; `where` is its full name ("aggregations[1].type"). */
enum status decode_json_value(const struct op_field *field, yyjson_val *json, const char *where,
                              struct field_value *ret, struct error *err);
enum status decode_text_value(const struct op_field *field, struct str text,
                              struct field_value *ret, struct error *err);
/* The value that an absent field has. */
struct field_value decode_default(const struct op_field *field);
enum status decode_missing(const struct op_field *field, const char *where, struct error *err);
/* "unknown <what> 'x'; did you mean 'y'?" for those fields that `wanted` lets through. */
enum status decode_unknown(const char *what, struct str name, const struct op_field *fields,
                           bool (*wanted)(const struct op_field *field), const char *prefix,
                           struct error *err);

/* request_close.c: counts and logs a request that was answered, frees what its arena does not hold.
 */
void request_close(struct request *request);
/* Who asked for what, and whether it was given: also what a flood of refusals leaves behind. */
void request_audit(struct request *request, const struct operation *operation, enum status status);
/* Of an operation in the service's arrays. */
static inline size_t operation_index(const struct operation *operation)
{
    return (size_t)(operation - operation_at(0));
}

/* answer.c: body of an error answer. */
void answer_error_body(struct buf *buf, const struct error *err, struct str request_id);

/* common.c: /health, /ready, /metrics, /openapi.json */
enum status common_health(struct request *request);
enum status common_ready(struct request *request);
enum status common_metrics(struct request *request);
enum status common_openapi(struct request *request);
/* spans.c: GET /spans */
enum status common_spans(struct request *request);

#endif
