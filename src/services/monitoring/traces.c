/* traces.c: GET /traces and /traces/{trace_id}: recorded requests, the newest or the slowest, and
 * the spans of one through all services. */
#include <stdlib.h>

#include "base/datetime.h"
#include "services/monitoring/monitoring_int.h"

enum { TRACES_BODY_MAX = 16 << 20, TRACE_SPANS_SHOWN = 2000 };

static void write_top(struct json_writer *w, const struct trace_summary *trace)
{
    const struct stored_span *top = &trace->top;
    json_begin_object(w);
    json_kv_strz(w, "trace_id", top->trace_id);
    json_kv_strz(w, "service", top->service);
    json_kv_strz(w, "operation", top->name);
    json_kv_int(w, "status", top->status);
    json_kv_bool(w, "failed", top->failed);
    monitoring_write_time(w, "start", top->start_us);
    json_kv_double(w, "duration_ms", (double)top->duration_us / 1000);
    json_kv_strz(w, "request_id", top->request_id);
    json_kv_strz(w, "tenant", top->tenant);
    json_kv_int(w, "spans", trace->spans);
    json_end_object(w);
}

static enum status decode(struct request *request, struct trace_question *q)
{
    struct monitoring *monitoring = request->context;
    struct str since = request_str(request, "since"), service = request_str(request, "service");
    enum service_kind kind;
    *q = (struct trace_question){.operation = request_str(request, "operation"),
                                 .request_id = request_str(request, "request_id"),
                                 .min_us = (int64_t)(request_double(request, "min_ms") * 1000),
                                 .failed = request_bool(request, "failed"),
                                 .slowest = str_is(request_str(request, "order"), "slowest"),
                                 .limit = (uint32_t)request_int(request, "limit")};
    if (!monitoring_sees_all(monitoring, &request->identity))
        q->tenant = request->identity.tenant;
    if (since.data && !timestamp_parse(since, &q->since_us))
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "since is a time like 2026-01-31T12:00:00Z");
    if (service.data && !service_kind_parse(service, &kind))
        return error_set(&request->error, STATUS_INVALID_ARGUMENT, "'%.*s' is no service",
                         service.len < 60 ? (int)service.len : 60, service.data);
    if (service.data)
        q->service = str_of(service_info(kind)->name);
    return STATUS_OK;
}

enum status handle_traces(struct request *request)
{
    struct monitoring *monitoring = request->context;
    struct trace_question question;
    struct buf body;
    struct json_writer w;
    TRY(decode(request, &question));
    struct trace_summary *traces = calloc(question.limit, sizeof *traces);
    if (!traces)
        return error_no_memory(&request->error);
    trace_collector_look(monitoring->traces);
    size_t len = trace_store_list(monitoring->spans, &question, traces);
    buf_init(&body, TRACES_BODY_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_keyz(&w, "traces");
    json_begin_array(&w);
    for (size_t i = 0; i < len; i++)
        write_top(&w, &traces[i]);
    json_end_array(&w);
    json_kv_int(&w, "count", (int64_t)len);
    json_end_object(&w);
    free(traces);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}

/* --- one trace --- */

static void write_span(struct json_writer *w, const struct stored_span *span, int64_t begin_us)
{
    static const char *const kinds[] = {"server", "internal", "client"};
    json_begin_object(w);
    json_kv_strz(w, "span_id", span->span_id);
    json_kv_strz(w, "parent_id", span->parent_id[0] ? span->parent_id : NULL);
    json_kv_strz(w, "service", span->service);
    json_kv_strz(w, "name", span->name);
    json_kv_strz(w, "kind", kinds[span->kind]);
    json_kv_int(w, "offset_us", span->start_us - begin_us);
    json_kv_int(w, "duration_us", span->duration_us);
    if (span->status)
        json_kv_int(w, "status", span->status);
    json_kv_bool(w, "failed", span->failed);
    if (span->request_id[0])
        json_kv_strz(w, "request_id", span->request_id);
    json_keyz(w, "notes");
    json_raw(w, str_of(span->notes));
    json_end_object(w);
}

static bool may_see(struct request *request, const struct stored_span *spans, size_t len)
{
    if (monitoring_sees_all(request->context, &request->identity))
        return true;
    for (size_t i = 0; i < len; i++)
        if (spans[i].kind == STORED_SERVER && spans[i].tenant[0] &&
            !str_is(request->identity.tenant, spans[i].tenant))
            return false;
    return true;
}

static void write_trace(struct json_writer *w, const struct stored_span *spans, size_t len)
{
    int64_t end_us = 0;
    for (size_t i = 0; i < len; i++)
        if (spans[i].start_us + spans[i].duration_us > end_us)
            end_us = spans[i].start_us + spans[i].duration_us;
    json_begin_object(w);
    json_kv_strz(w, "trace_id", spans[0].trace_id);
    monitoring_write_time(w, "start", spans[0].start_us);
    json_kv_double(w, "duration_ms", (double)(end_us - spans[0].start_us) / 1000);
    json_keyz(w, "spans");
    json_begin_array(w);
    for (size_t i = 0; i < len; i++)
        write_span(w, &spans[i], spans[0].start_us);
    json_end_array(w);
    json_end_object(w);
}

enum status handle_trace(struct request *request)
{
    struct monitoring *monitoring = request->context;
    struct str id = request_path_param(request, "trace_id");
    struct stored_span *spans = calloc(TRACE_SPANS_SHOWN, sizeof *spans);
    struct buf body;
    struct json_writer w;
    if (!spans)
        return error_no_memory(&request->error);
    trace_collector_look(monitoring->traces);
    size_t len = trace_store_get(monitoring->spans, id, spans, TRACE_SPANS_SHOWN);
    if (len == 0 || !may_see(request, spans, len)) {
        free(spans);
        return error_set(&request->error, STATUS_NOT_FOUND,
                         "no trace of that id: it was not recorded, or is forgotten");
    }
    buf_init(&body, TRACES_BODY_MAX);
    json_writer_init(&w, &body);
    write_trace(&w, spans, len);
    free(spans);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}
