/* A running service: one listener, its routes, its handlers.
 *
 * A request: 1. on_head (I/O thread) finds the route to say how large the body may be and whether
 * it is wanted whole; 2. on_request (worker) or before it on_request_now (I/O thread) finds it
 * again, decodes, runs the handler, answers a failure; 3. metrics and the access log, the only
 * place here that logs. Invariant: every request is answered exactly once, or its connection is
 * cut. */
#include "service/service.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/uuid.h"
#include "service/cors.h"
#include "service/service_int.h"

enum { REQUEST_ID_MAX = 128 };

static const struct service_handler common_handlers[] = {
    {"health", common_health},   {"ready", common_ready}, {"metrics", common_metrics},
    {"openapi", common_openapi}, {"spans", common_spans},
};

/* --- 1. head --- */

static enum status admit(struct service *service, const struct operation *operation,
                         struct str authorization, struct arena *arena, struct identity *ret,
                         struct error *err)
{
    if (!service->options.gate) {
        *ret = (struct identity){.user_id = STR("local"),
                                 .username = STR("local"),
                                 .tenant = STR(""),
                                 .level = PERMISSION_ADMIN,
                                 .is_local = true};
        return STATUS_OK;
    }
    return gate_admit(service->options.gate, operation->permission, authorization, arena, ret, err);
}

static void on_head(void *context, struct http_request *http, uint64_t *body_max, bool *buffer_body)
{
    struct service *service = context;
    struct arena *arena = http_request_arena(http);
    struct route route;
    *buffer_body = false; /* what cannot be served is answered without waiting for its body */
    enum status found = router_find(service->router, http_request_method(http),
                                    http_request_target(http), arena, &route, NULL);
    bool behind = found == STATUS_UNKNOWN_ROUTE || found == STATUS_METHOD_NOT_ALLOWED;
    if (behind && service->options.fallback)
        *body_max = UINT64_MAX;
    if (found != STATUS_OK || !service->handlers[operation_index(route.operation)])
        return;
    const struct operation *operation = route.operation;
    struct identity identity;
    if (admit(service, operation, http_request_header(http, "authorization"), arena, &identity,
              NULL) != STATUS_OK)
        return;
    *body_max = operation->body_max ? operation->body_max : OPERATION_BODY_MAX;
    *buffer_body = !(operation->flags & OPERATION_STREAM_BODY);
    if (operation->flags & OPERATION_TRY_HERE)
        http_request_try_now(http);
}

/* --- 2. request --- */

static bool sane_id(struct str id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];
        bool good =
            (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || memchr("-_.:", c, 4);
        if (!good)
            return false;
    }
    return id.len > 0 && id.len <= REQUEST_ID_MAX;
}

static struct str make_id(struct sys *sys, struct arena *arena)
{
    unsigned char random[10];
    char *text = arena_alloc(arena, UUID_TEXT_LEN + 1);
    sys_random(sys, random, sizeof random);
    if (!text)
        return STR("none");
    uuid_format(uuid_v7((uint64_t)sys_now_us(sys) / 1000, random), text);
    return str_make(text, UUID_TEXT_LEN);
}

static void set_id(struct request *request)
{
    struct str id = http_request_header(request->http, "x-request-id");
    request->request_id = sane_id(id) ? id : make_id(request->service->options.sys, request->arena);
    http_set_header(request->http, "X-Request-Id", request->request_id);
}

/* What we send is data, never a page. */
static void set_security_headers(struct request *request)
{
    const struct service_options *options = &request->service->options;
    struct http_request *http = request->http;
    http_set_header(http, "X-Content-Type-Options", STR("nosniff"));
    if (!options->front)
        return;
    http_set_header(http, "Content-Security-Policy",
                    STR("default-src 'none'; frame-ancestors 'none'"));
    http_set_header(http, "Referrer-Policy", STR("no-referrer"));
    if (options->http.tls_key)
        http_set_header(http, "Strict-Transport-Security", STR("max-age=31536000"));
}

static void set_allow(struct request *request, const struct route *route)
{
    char allow[ALLOW_TEXT_MAX];
    route_allow(route->methods, allow);
    http_set_header(request->http, "Allow", str_of(allow));
}

static enum status not_implemented(struct request *request)
{
    return error_set(&request->error, STATUS_NOT_IMPLEMENTED,
                     "%s is not part of this release; it is planned for %s",
                     request->operation->name, request->operation->since);
}

enum status request_admit_with(struct request *request, const struct operation *operation,
                               struct str authorization)
{
    enum status status = admit(request->service, operation, authorization, request->arena,
                               &request->identity, &request->error);
    if (status == STATUS_UNAUTHENTICATED)
        http_set_header(request->http, "WWW-Authenticate", STR("Bearer realm=\"quarry\""));
    if (status == STATUS_OK)
        request->admitted = operation;
    else
        request_audit(request, operation, status);
    return status;
}

enum status request_admit(struct request *request, const struct operation *operation)
{
    return request_admit_with(request, operation,
                              http_request_header(request->http, "authorization"));
}

enum status request_give_back(struct request *request)
{
    request->given_back = true;
    return error_set(&request->error, STATUS_UNAVAILABLE, "a worker has to do it");
}

enum status request_put_off(struct request *request, request_handler finish, void *state)
{
    request->later = finish;
    request->later_state = state;
    return STATUS_OK;
}

void request_ready(struct request *request)
{
    http_request_ready(request->http);
}

static enum status run(struct request *request)
{
    struct service *service = request->service;
    size_t index = operation_index(request->operation);
    if (request->here && !(request->operation->flags & OPERATION_TRY_HERE))
        return request_give_back(request);
    TRY(request_admit(request, request->operation));
    if (!service->handlers[index])
        return not_implemented(request);
    request->context = service->contexts[index];
    TRY(decode_request(request));
    return service->handlers[index](request);
}

static void answer_failure(struct request *request, enum status status)
{
    request->error.status = status;
    if (request->started)
        http_abort(request->http);
    else if (!request->status)
        request_respond_error(request, &request->error);
}

static enum status find_route(struct request *request, struct route *route, bool in_words)
{
    return router_find(request->service->router, http_request_method(request->http),
                       http_request_target(request->http), request->arena, route,
                       in_words ? &request->error : NULL);
}

/* A path may have one method here and another one behind. */
static enum status pass_on(struct request *request, struct route *route, enum status found)
{
    const struct service_options *options = &request->service->options;
    request->context = options->context;
    enum status status = options->fallback(request);
    if (status == STATUS_UNKNOWN_ROUTE ||
        (status == STATUS_METHOD_NOT_ALLOWED && found == STATUS_METHOD_NOT_ALLOWED))
        status = find_route(request, route, true);
    return status;
}

static void serve(struct request *request, struct route *route)
{
    enum http_method method = http_request_method(request->http);
    const struct service_options *options = &request->service->options;
    if (cors_apply(request->http, options->allowed_origins ? options->allowed_origins : "*",
                   "GET, HEAD, POST, PUT, PATCH, DELETE")) {
        request->status = 204;
        http_respond(request->http, 204, STR_NONE, STR(""));
        return;
    }
    enum status found = find_route(request, route, !options->fallback), status = found;
    request->route = route;
    request->operation = route->operation;
    if (found == STATUS_METHOD_NOT_ALLOWED && method == HTTP_OPTIONS) {
        set_allow(request, route);
        request->status = 204;
        http_respond(request->http, 204, STR_NONE, STR(""));
        return;
    }
    trace_decide(request);
    if (options->fallback && (found == STATUS_UNKNOWN_ROUTE || found == STATUS_METHOD_NOT_ALLOWED))
        status = pass_on(request, route, found);
    else if (found == STATUS_OK)
        status = run(request);
    if (found == STATUS_METHOD_NOT_ALLOWED && status == STATUS_METHOD_NOT_ALLOWED)
        set_allow(request, route);
    if (status != STATUS_OK && !request->given_back)
        answer_failure(request, status);
}

/* --- 3. from thread to thread --- */

/* In the request's own memory, since one that is put off outlives the call. */
struct request_frame {
    struct request request;
    struct route route;
};

static struct request *request_begin_serve(struct service *service, struct http_request *http,
                                           bool here)
{
    struct request_frame *frame = ARENA_NEW(http_request_arena(http), struct request_frame);
    if (!frame)
        return NULL;
    struct request *request = &frame->request;
    request->http = http;
    request->service = service;
    request->arena = http_request_arena(http);
    request->error = ERROR_INIT;
    request->here = here;
    request->started_us = sys_mono_us(service->options.sys);
    request->cpu_us = -usage_cpu_us();
    set_id(request);
    trace_begin(request);
    set_security_headers(request);
    serve(request, &frame->route);
    request->cpu_us += usage_cpu_us();
    return request;
}

static void on_request(void *context, struct http_request *http)
{
    struct request *request = request_begin_serve(context, http, false);
    if (request)
        request_close(request);
    else
        http_abort(http);
}

static enum http_now on_request_now(void *context, struct http_request *http)
{
    struct request *request = request_begin_serve(context, http, true);
    if (!request)
        return HTTP_NOW_BACK;
    if (request->given_back) {
        trace_forget(request);
        yyjson_doc_free(request->doc);
        return HTTP_NOW_BACK;
    }
    if (request->later) {
        http_request_set_user(http, request);
        return HTTP_NOW_LATER;
    }
    request_close(request);
    return HTTP_NOW_DONE;
}

/* What is left does not wait: its time is its CPU's. */
static void on_later(void *context, struct http_request *http)
{
    struct service *service = context;
    struct request *request = http_request_user(http);
    int64_t began_us = sys_mono_us(service->options.sys);
    enum status status = request->later(request);
    if (status != STATUS_OK)
        answer_failure(request, status);
    request->cpu_us += sys_mono_us(service->options.sys) - began_us;
    request_close(request);
}

static void on_round(void *context, bool wait)
{
    const struct service *service = context;
    service->options.on_round(service->options.context, wait);
}

/* Faults that the net layer finds before there is a request of ours. */
static void on_fault(void *context, struct arena *arena, const struct error *fault,
                     struct str *ret_body, struct str *ret_content_type)
{
    struct service *service = context;
    struct buf body;
    answer_error_body(&body, fault, make_id(service->options.sys, arena));
    *ret_body = arena_str(arena, buf_str(&body));
    *ret_content_type = STR("application/json");
    buf_release(&body);
    char status[16];
    snprintf(status, sizeof status, "%d", status_info(fault->status)->http);
    metric_add(metrics_series(service->metrics, METRIC_HTTP_REQUESTS,
                              (const char *[]){service->info->name, "none", status}),
               1);
}

/* --- life --- */

static void add_handler(struct service *service, const struct service_handler *handler,
                        void *context)
{
    const struct operation *operation = operation_find(handler->operation);
    assert(operation);
    assert(operation->service == service->options.kind || operation->service == SERVICE_ALL);
    size_t index = operation_index(operation);
    service->handlers[index] = handler->handle;
    service->contexts[index] = context;
    service->durations[index] =
        metrics_series(service->metrics, METRIC_HTTP_DURATION,
                       (const char *[]){service->info->name, operation->name});
}

static enum status make_tables(struct service *service, struct error *err)
{
    const struct service_options *options = &service->options;
    while (operation_at(service->operations))
        service->operations++;
    service->handlers = calloc(service->operations, sizeof *service->handlers);
    service->contexts = calloc(service->operations, sizeof *service->contexts);
    service->durations = calloc(service->operations, sizeof *service->durations);
    if (!service->handlers || !service->contexts || !service->durations)
        return error_no_memory(err);
    TRY(router_new(options->kind, &service->router, err));
    TRY(metrics_new(&service->metrics, err));
    service->usage.metrics = service->metrics;
    for (size_t i = 0; i < sizeof common_handlers / sizeof *common_handlers; i++)
        add_handler(service, &common_handlers[i], service);
    for (size_t i = 0; i < options->handlers_len; i++)
        add_handler(service, &options->handlers[i], options->context);
    metric_set(metrics_series(service->metrics, METRIC_BUILD_INFO,
                              (const char *[]){service->info->name, options->version}),
               1);
    return STATUS_OK;
}

static void service_free(struct service *service)
{
    router_free(service->router);
    trace_ring_release(&service->ring);
    usage_release(&service->usage);
    metrics_free(service->metrics);
    free(service->handlers);
    free(service->contexts);
    free(service->durations);
    free(service);
}

enum status service_start(const struct service_options *options, struct service **ret_service,
                          struct error *err)
{
    struct service *service = calloc(1, sizeof *service);
    if (!service)
        return error_no_memory(err);
    service->options = *options;
    service->info = service_info(options->kind);
    trace_ring_init(&service->ring);
    usage_init(&service->usage, NULL, service->info->name); /* metrics come with the tables */
    service->started_us = sys_now_us(options->sys);
    enum status status = make_tables(service, err);
    if (status == STATUS_OK) {
        struct http_server_options http = options->http;
        http.on_head = on_head;
        http.on_request = on_request;
        http.on_request_now = on_request_now;
        http.on_round = on_round;
        http.on_later = on_later;
        http.on_fault = on_fault;
        http.context = service;
        struct http_server *server = NULL;
        status = http_server_start(&http, &server, err);
        service->http = server;
        /* the texts were the start's; that there were some is still asked for */
        service->options.http.tls_certificate = NULL;
        service->options.http.tls_key = http.tls_key ? "" : NULL;
    }
    if (status != STATUS_OK) {
        service_free(service);
        return status;
    }
    *ret_service = service;
    return STATUS_OK;
}

uint16_t service_port(const struct service *service)
{
    return http_server_port(service->http);
}

struct metrics *service_metrics(struct service *service)
{
    return service->metrics;
}

enum status service_set_certificate(struct service *service, const char *certificate,
                                    const char *key, struct error *err)
{
    return http_server_set_certificate(service->http, certificate, key, err);
}

void service_drain(struct service *service)
{
    atomic_store(&service->draining, true);
}

void service_stop(struct service *service, uint32_t grace_ms)
{
    if (!service)
        return;
    service_drain(service);
    http_server_stop(service->http, grace_ms);
    service_free(service);
}
