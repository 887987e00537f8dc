#include "services/monitoring/otlp.h"

#include <stdio.h>

static void write_text(struct json_writer *w, const char *key, const char *value)
{
    json_begin_object(w);
    json_kv_strz(w, "key", key);
    json_keyz(w, "value");
    json_begin_object(w);
    json_kv_strz(w, "stringValue", value);
    json_end_object(w);
    json_end_object(w);
}

/* 64-bit integers are decimal strings in protobuf's JSON. */
static void write_number(struct json_writer *w, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    json_begin_object(w);
    json_kv_strz(w, "key", key);
    json_keyz(w, "value");
    json_begin_object(w);
    json_kv_strz(w, "intValue", text);
    json_end_object(w);
    json_end_object(w);
}

static void write_notes(struct json_writer *w, const char *notes)
{
    yyjson_doc *doc = NULL;
    yyjson_val *key, *value;
    size_t i, max;
    char name[96];
    if (json_parse(str_of(notes), &doc, NULL) != STATUS_OK)
        return;
    yyjson_obj_foreach(yyjson_doc_get_root(doc), i, max, key, value)
    {
        snprintf(name, sizeof name, "quarry.%.80s", yyjson_get_str(key));
        write_number(w, name, yyjson_get_sint(value));
    }
    yyjson_doc_free(doc);
}

static void write_attributes(struct json_writer *w, const struct stored_span *span)
{
    json_keyz(w, "attributes");
    json_begin_array(w);
    if (span->status)
        write_number(w, "http.response.status_code", span->status);
    if (span->request_id[0])
        write_text(w, "quarry.request_id", span->request_id);
    if (span->tenant[0])
        write_text(w, "quarry.tenant", span->tenant);
    write_notes(w, span->notes);
    json_end_array(w);
}

static void write_nanos(struct json_writer *w, const char *key, int64_t us)
{
    char text[32];
    snprintf(text, sizeof text, "%lld000", (long long)us);
    json_kv_strz(w, key, text);
}

static void write_span(struct json_writer *w, const struct stored_span *span)
{
    static const int kinds[] = {[STORED_SERVER] = 2, [STORED_INTERNAL] = 1, [STORED_CLIENT] = 3};
    json_begin_object(w);
    json_kv_strz(w, "traceId", span->trace_id);
    json_kv_strz(w, "spanId", span->span_id);
    if (span->parent_id[0])
        json_kv_strz(w, "parentSpanId", span->parent_id);
    json_kv_strz(w, "name", span->name);
    json_kv_int(w, "kind", kinds[span->kind]);
    write_nanos(w, "startTimeUnixNano", span->start_us);
    write_nanos(w, "endTimeUnixNano", span->start_us + span->duration_us);
    write_attributes(w, span);
    json_keyz(w, "status");
    json_begin_object(w);
    if (span->failed)
        json_kv_int(w, "code", 2);
    json_end_object(w);
    json_end_object(w);
}

static void begin_resource(struct json_writer *w, const char *service)
{
    json_begin_object(w);
    json_keyz(w, "resource");
    json_begin_object(w);
    json_keyz(w, "attributes");
    json_begin_array(w);
    write_text(w, "service.name", service);
    write_text(w, "service.namespace", "quarry");
    json_end_array(w);
    json_end_object(w);
    json_keyz(w, "scopeSpans");
    json_begin_array(w);
    json_begin_object(w);
    json_keyz(w, "scope");
    json_begin_object(w);
    json_kv_strz(w, "name", "quarry");
    json_end_object(w);
    json_keyz(w, "spans");
    json_begin_array(w);
}

static void end_resource(struct json_writer *w)
{
    json_end_array(w);
    json_end_object(w);
    json_end_array(w);
    json_end_object(w);
}

void otlp_write(struct buf *body, const struct stored_span *spans, size_t len)
{
    struct json_writer w;
    const char *service = NULL;
    json_writer_init(&w, body);
    json_begin_object(&w);
    json_keyz(&w, "resourceSpans");
    json_begin_array(&w);
    for (size_t i = 0; i < len; i++) {
        if (!service || strcmp(service, spans[i].service) != 0) {
            if (service)
                end_resource(&w);
            service = spans[i].service;
            begin_resource(&w, service);
        }
        write_span(&w, &spans[i]);
    }
    if (service)
        end_resource(&w);
    json_end_array(&w);
    json_end_object(&w);
}
