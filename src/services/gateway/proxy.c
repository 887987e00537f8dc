/* proxy.c: what is not the gateway's own goes to the service whose operation it is.
 *
 *   1. which service has an operation of that method and path (the list that routes the services
 *      themselves)
 *   2. may the caller? Is the caller within the rate?
 *   3. an instance (of tenant nodes the caller's own, started if need be), a kept connection
 *   4. head and body pass on as they come; small answers are sent whole, others streamed with
 *      back-pressure; a query first waits for its turn (query_queue.h)
 * A call that failed before a byte of its answer came is tried once more, at another instance if
 * there is one, when repeating it is safe: the connection was refused (nothing was sent), or,
 * within the retry budget, it is GET, HEAD, DELETE, PUT without a streamed body. The service behind
 * checks the token itself; the gateway's word counts nothing there. An API key becomes a token on
 * the way. Whoever asks for a WebSocket gets one when the service agrees. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "services/gateway/gateway_int.h"
#include "services/gateway/websocket.h"

enum {
    ANSWER_WHOLE_MAX = 64 << 10,
    HEADERS_OUT_MAX = 100,
    REFUSED_TRIES = 50,
    REFUSED_PAUSE_US = 20000,
};

/* Of one connection only (RFC 9110 7.6.1), or ours to set. */
static const char *const OWN_HEADERS[] = {"connection",
                                          "keep-alive",
                                          "proxy-connection",
                                          "proxy-authorization",
                                          "proxy-authenticate",
                                          "te",
                                          "trailer",
                                          "transfer-encoding",
                                          "upgrade",
                                          "host",
                                          "content-length",
                                          "expect",
                                          "authorization",
                                          "x-api-key",
                                          "x-forwarded-for",
                                          "x-request-id",
                                          "x-trace-id",
                                          "traceparent",
                                          "tracestate",
                                          "date",
                                          "server",
                                          "access-control-allow-origin",
                                          "x-content-type-options",
                                          "content-security-policy",
                                          "referrer-policy",
                                          "strict-transport-security",
                                          "vary",
                                          "content-type"};

static bool passes(struct str name, bool is_request)
{
    for (size_t i = 0; i < sizeof OWN_HEADERS / sizeof *OWN_HEADERS; i++)
        if (str_eq_nocase(name, str_of(OWN_HEADERS[i])))
            return is_request && str_is(str_of(OWN_HEADERS[i]), "content-type");
    return true;
}

struct forward {
    struct gateway *gateway;
    struct request *request;
    struct upstream_call call;
    const struct upstream_instance *tried; /* last; only to be compared */
    struct http_field fields[HEADERS_OUT_MAX];
    uint32_t fields_len;
    struct http_reply reply;
    struct buf whole; /* the answer so far, until it is streamed */
    struct str content_type, authorization;
    bool has_body, body_begun, head_taken;
    bool switched;              /* it was a WebSocket */
    struct query_ticket ticket; /* of a query that passes the queue */
    bool own_node;              /* of the caller's tenant, which this process keeps running */
    char traceparent[TRACE_PARENT_LEN + 1]; /* "": none */
};

/* --- 1. --- */

static enum status find_operation(struct gateway *gateway, struct request *request,
                                  enum service_kind *ret_kind)
{
    static const enum service_kind ORDER[] = {SERVICE_TENANT,      SERVICE_CATALOG,
                                              SERVICE_INTERPRETER, SERVICE_OPTIMIZER,
                                              SERVICE_OPERATION,   SERVICE_MONITORING};
    struct route route;
    enum status status = STATUS_UNKNOWN_ROUTE;
    for (size_t i = 0; i < sizeof ORDER / sizeof *ORDER && status != STATUS_OK; i++) {
        enum status found =
            router_find(gateway->routers[ORDER[i]], http_request_method(request->http),
                        http_request_target(request->http), request->arena, &route, NULL);
        if (found == STATUS_OK || found == STATUS_METHOD_NOT_ALLOWED) {
            status = found;
            request->operation = route.operation;
            *ret_kind = ORDER[i];
        }
    }
    if (status == STATUS_METHOD_NOT_ALLOWED)
        status = router_find(gateway->routers[*ret_kind], http_request_method(request->http),
                             http_request_target(request->http), request->arena, &route,
                             &request->error);
    return status;
}

/* --- 2. --- */

/* RateLimit headers (draft-ietf-httpapi-ratelimit-headers): room for two buckets. */
struct rate_text {
    char state[160], policy[160];
    int state_len, policy_len;
};

/* One bucket: takes a call from it and adds its state to the RateLimit headers. */
static enum status take(struct gateway *gateway, struct request *request, const char *policy,
                        struct str name, struct rate rate, struct rate_text *text)
{
    struct rate_state state;
    if (rate.per_second <= 0)
        return STATUS_OK;
    char *bucket = arena_printf(request->arena, "%s/%.*s", policy, STR_ARG(name));
    if (!bucket)
        return error_no_memory(&request->error);
    enum status status = rate_take(gateway->limiter, str_of(bucket), rate, &state, &request->error);
    double burst = rate.burst < 1 ? 1 : rate.burst;
    const char *comma = text->state_len ? ", " : "";
    text->state_len +=
        snprintf(text->state + text->state_len, sizeof text->state / 2, "%s\"%s\";r=%u;t=%u", comma,
                 policy, state.remaining, state.reset_s);
    text->policy_len +=
        snprintf(text->policy + text->policy_len, sizeof text->policy / 2, "%s\"%s\";q=%.0f;w=%.0f",
                 comma, policy, burst, ceil(burst / rate.per_second));
    return status;
}

/* Of the user (an API key has a bucket of its own), or of the address where nobody is known; then
 * of the tenant. */
static enum status check_rate(struct gateway *gateway, struct request *request, bool by_key)
{
    const struct identity *who = &request->identity;
    struct rate_text text = {.state_len = 0};
    struct tenant_rule rule;
    gate_tenant_rule(gateway->gate, who->tenant, &rule);
    struct str name = who->is_local ? http_request_client(request->http)
                      : by_key      ? who->family
                                    : who->user_id;
    enum status status = take(gateway, request, "default", name, gateway->options.rate, &text);
    if (status == STATUS_OK && !who->is_local)
        status = take(gateway, request, "tenant", who->tenant,
                      (struct rate){rule.requests_per_second,
                                    rule.burst > 0 ? rule.burst : rule.requests_per_second},
                      &text);
    if (text.state_len) {
        http_set_header(request->http, "RateLimit", str_of(text.state));
        http_set_header(request->http, "RateLimit-Policy", str_of(text.policy));
    }
    return status;
}

/* --- 4. the request --- */

static void add_field(struct forward *f, struct str name, struct str value)
{
    if (f->fields_len < HEADERS_OUT_MAX)
        f->fields[f->fields_len++] = (struct http_field){name, value};
}

static void copy_headers(struct forward *f)
{
    struct request *request = f->request;
    struct str name, value;
    add_field(f, STR("traceparent"), STR("")); /* the first: call_once puts its span in */
    add_field(f, STR("X-Request-Id"), request->request_id);
    if (request->trace.state.data)
        add_field(f, STR("tracestate"), request->trace.state);
    for (uint32_t i = 0; http_request_header_at(request->http, i, &name, &value); i++)
        if (passes(name, true))
            add_field(f, name, value);
    if (f->authorization.data)
        add_field(f, STR("Authorization"), f->authorization);
    struct str before = http_request_header(request->http, "x-forwarded-for");
    struct str client = http_request_client(request->http);
    char *chain = arena_printf(request->arena, "%.*s%s%.*s", STR_ARG(before),
                               before.len ? ", " : "", STR_ARG(client));
    add_field(f, STR("X-Forwarded-For"), chain ? str_of(chain) : client);
    if (!http_request_header(request->http, "x-forwarded-host").data)
        add_field(f, STR("X-Forwarded-Host"), http_request_header(request->http, "host"));
    if (!http_request_header(request->http, "x-forwarded-proto").data)
        add_field(f, STR("X-Forwarded-Proto"), f->gateway->tls ? STR("https") : STR("http"));
}

static enum status upload(void *context, void *data, size_t cap, size_t *ret_len, struct error *err)
{
    struct forward *f = context;
    f->body_begun = true;
    return http_read(f->request->http, data, cap, ret_len, err);
}

static bool is_cancelled(void *context)
{
    struct forward *f = context;
    return atomic_load(&f->ticket.cancelled) || http_request_gone(f->request->http);
}

/* --- 4. the answer --- */

static enum status take_head(void *context, const struct http_reply *reply, struct error *err)
{
    struct forward *f = context;
    (void)err;
    f->head_taken = true;
    for (uint32_t i = 0; i < reply->field_count; i++) {
        char *name = str_dup(reply->fields[i].name);
        if (name && passes(reply->fields[i].name, false))
            http_set_header(f->request->http, name, reply->fields[i].value);
        free(name);
    }
    f->content_type = arena_str(f->request->arena, http_reply_header(reply, "Content-Type"));
    return STATUS_OK;
}

static bool is_stream(struct str content_type)
{
    return str_starts(content_type, STR("text/event-stream"));
}

static enum status take_bytes(void *context, struct str bytes, struct error *err)
{
    struct forward *f = context;
    struct request *request = f->request;
    if (!request->started && !is_stream(f->content_type) &&
        f->whole.len + bytes.len <= ANSWER_WHOLE_MAX)
        return buf_append_str(&f->whole, bytes) ? STATUS_OK : error_no_memory(err);
    if (!request->started) {
        TRY(request_begin(request, f->reply.status, f->content_type, err));
        TRY(http_write(request->http, buf_str(&f->whole), err));
    }
    return http_write(request->http, bytes, err);
}

static void finish(struct forward *f)
{
    struct request *request = f->request;
    if (f->switched)
        return; /* the tunnel was the answer */
    if (request->started) {
        http_end(request->http);
        return;
    }
    size_t len = 0;
    char *data = buf_take(&f->whole, &len);
    request->status = f->reply.status;
    http_respond_take(request->http, f->reply.status, f->content_type, data, len);
}

/* --- 3. --- */

static int begin_span(struct forward *f)
{
    int span = span_begin(f->request, "gateway.call", SPAN_CLIENT);
    trace_outgoing(f->request, f->traceparent);
    f->fields[0].value = str_of(f->traceparent);
    return span;
}

static void end_span(struct forward *f, int span, bool ok)
{
    span_note(f->request, span, "status", f->reply.status);
    if (!ok)
        span_fail(f->request, span);
    span_end(f->request, span);
}

/* A WebSocket, when both sides want one; else *ret_done stays false. */
static enum status call_websocket(struct forward *f, bool *ret_done)
{
    struct gateway *gateway = f->gateway;
    struct request *request = f->request;
    uint32_t skipped = f->traceparent[0] == 0;
    if (!websocket_is_asked(request))
        return STATUS_OK;
    enum status status = STATUS_OK;
    if (atomic_fetch_add(&gateway->websockets, 1) >= WEBSOCKETS_MAX) {
        status = error_set(&request->error, STATUS_UNAVAILABLE,
                           "There are %d WebSockets open; close some first.", WEBSOCKETS_MAX);
        request->error.retry_after_s = 1;
    } else {
        status = websocket_pass(request, f->call.instance->url, f->fields + skipped,
                                f->fields_len - skipped, ret_done, &request->error);
    }
    atomic_fetch_sub(&gateway->websockets, 1);
    return status;
}

static enum status call_at(struct forward *f, enum service_kind kind, const char *at)
{
    struct request *request = f->request;
    struct error *err = &request->error;
    f->reply.refused = false;
    const struct upstream_wish wish = {
        .url = at, .tenant = request->identity.tenant, .avoid = f->tried};
    TRY(upstream_take(f->gateway->upstreams, kind, &wish, &f->call, err));
    f->tried = f->call.instance;
    struct str query = http_request_query_text(request->http);
    char *url = arena_printf(request->arena, "%s%.*s%s%.*s", f->call.instance->url,
                             STR_ARG(http_request_target(request->http)), query.len ? "?" : "",
                             STR_ARG(query));
    struct str length = http_request_header(request->http, "content-length");
    int span = begin_span(f);
    uint32_t skipped = f->traceparent[0] == 0;
    struct http_call call = {.method = http_method_name(http_request_method(request->http)),
                             .url = url,
                             .fields = f->fields + skipped,
                             .field_count = f->fields_len - skipped,
                             .head = take_head,
                             .download = take_bytes,
                             .cancelled = is_cancelled,
                             .context = f};
    if (f->has_body)
        call.upload = upload;
    if (length.data)
        (void)str_to_int64(length, &call.upload_len);
    enum status status = url ? call_websocket(f, &f->switched) : error_no_memory(err);
    if (status == STATUS_OK && !f->switched)
        status = http_client_call(f->call.client, &call, &f->reply, err);
    /* the caller's going away, or refusing more bytes, is no fault of the service */
    bool ok = status == STATUS_OK || f->head_taken || status == STATUS_CANCELLED ||
              status == STATUS_NO_MEMORY || (f->body_begun && http_request_gone(request->http));
    end_span(f, span, ok);
    /* whether a node lives is its supervisor's to say, not the breaker's */
    upstream_give(f->gateway->upstreams, &f->call, ok || (f->own_node && f->reply.refused));
    return status;
}

static enum status call_once(struct forward *f, enum service_kind kind)
{
    const struct gateway_nodes *nodes = &f->gateway->options.nodes;
    struct str tenant = f->request->identity.tenant;
    char url[GATEWAY_NODE_URL_MAX];
    if (!f->own_node)
        return call_at(f, kind, NULL);
    TRY(nodes->enter(nodes->context, tenant, url, &f->request->error));
    enum status status = call_at(f, kind, url);
    nodes->leave(nodes->context, tenant);
    return status;
}

/* A node that died a moment ago: its supervisor is about to notice and to start another. */
static enum status call_until_taken(struct forward *f, enum service_kind kind)
{
    enum status status = call_once(f, kind);
    for (int i = 0; i < REFUSED_TRIES && f->own_node && status != STATUS_OK && f->reply.refused;
         i++) {
        sys_sleep_us(f->gateway->sys, REFUSED_PAUSE_US);
        status = call_once(f, kind);
    }
    return status;
}

static bool is_repeatable(const struct forward *f)
{
    enum http_method method = http_request_method(f->request->http);
    return !f->head_taken && !f->body_begun &&
           (f->reply.refused || method == HTTP_GET || method == HTTP_HEAD || method == HTTP_PUT ||
            method == HTTP_DELETE);
}

static enum status forward(struct forward *f, enum service_kind kind)
{
    struct str length = http_request_header(f->request->http, "content-length");
    f->has_body = (length.data && !str_is(length, "0")) ||
                  http_request_header(f->request->http, "transfer-encoding").data;
    copy_headers(f);
    enum status status = call_until_taken(f, kind);
    if (status == STATUS_UNAVAILABLE && is_repeatable(f) &&
        (f->reply.refused || upstream_may_retry(f->gateway->upstreams)))
        status = call_until_taken(f, kind);
    if (status == STATUS_OK) {
        finish(f);
    } else if (status == STATUS_UNAVAILABLE && !f->request->error.retry_after_s) {
        error_set(&f->request->error, status, "The %s service does not answer.",
                  service_info(kind)->name);
        f->request->error.retry_after_s = 1;
    }
    return status;
}

/* --- 4. the turn of a query --- */

static enum status take_turn(struct forward *f, enum service_kind kind)
{
    struct request *request = f->request;
    struct query_queue *queue = f->gateway->options.queue;
    struct query_ticket *ticket = &f->ticket;
    struct str priority = http_request_header(request->http, "x-priority");
    if (!queue || !(request->operation->flags & OPERATION_QUEUED))
        return forward(f, kind);
    if (priority.data && !query_priority_parse(priority, &ticket->priority))
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "X-Priority is '%.*s'; it can be interactive, batch or maintenance.",
                         STR_ARG(priority));
    struct str tenant = request->identity.tenant;
    snprintf(ticket->id, sizeof ticket->id, "%.*s", STR_ARG(request->request_id));
    snprintf(ticket->tenant, sizeof ticket->tenant, "%.*s", STR_ARG(tenant));
    snprintf(ticket->label, sizeof ticket->label, "%s %s",
             http_method_name(request->operation->method), request->operation->path);
    TRY(query_queue_enter(queue, ticket, is_cancelled, f, &request->error));
    enum status status = forward(f, kind);
    query_queue_leave(queue, ticket);
    return status;
}

enum status gateway_proxy(struct request *request)
{
    struct gateway *gateway = request->context;
    enum service_kind kind = SERVICE_TENANT;
    TRY(find_operation(gateway, request, &kind));
    struct str authorization = http_request_header(request->http, "authorization");
    struct str sent = authorization;
    TRY(api_key_exchange(gateway, request, &authorization));
    TRY(request_admit_with(request, request->operation, authorization));
    TRY(check_rate(gateway, request, authorization.data != sent.data));
    struct forward *f = ARENA_NEW(request->arena, struct forward);
    if (!f)
        return error_no_memory(&request->error);
    f->gateway = gateway;
    f->request = request;
    f->authorization = authorization;
    f->own_node = kind == SERVICE_TENANT && gateway->options.nodes.enter;
    http_reply_init(&f->reply, ANSWER_WHOLE_MAX);
    buf_init(&f->whole, ANSWER_WHOLE_MAX);
    enum status status = take_turn(f, kind);
    http_reply_release(&f->reply);
    buf_release(&f->whole);
    return status;
}
