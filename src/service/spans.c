/* spans.c: GET /spans: what this service recorded, for monitoring to collect.
 *
 *   {"service","next":N,"lost":N,"spans":[{"trace_id","span_id","parent_id","name","kind","status",
 *    "failed","start_us","duration_us","request_id","tenant","notes":{...}}]}
 * `next` is what to ask for as `after` the next time. */
#include "service/reply.h"
#include "service/service_int.h"

enum { SPANS_BODY_MAX = 8 << 20, SPANS_ANSWER_MAX = 2000 };

static void write_id(struct json_writer *w, const char *key, const uint8_t *id, size_t len)
{
    char text[33];
    uint8_t any = 0;
    for (size_t i = 0; i < len; i++) {
        static const char digits[] = "0123456789abcdef";
        text[i * 2] = digits[id[i] >> 4];
        text[i * 2 + 1] = digits[id[i] & 15];
        any |= id[i];
    }
    json_kv_str(w, key, any ? str_make(text, len * 2) : STR_NONE);
}

static void write_span(struct json_writer *w, const struct span *span)
{
    static const char *const kinds[] = {"server", "internal", "client"};
    json_begin_object(w);
    write_id(w, "trace_id", span->position.trace_id, 16);
    write_id(w, "span_id", span->position.span_id, 8);
    write_id(w, "parent_id", span->parent, 8);
    json_kv_strz(w, "name", span->name);
    json_kv_strz(w, "kind", kinds[span->kind]);
    json_kv_int(w, "status", span->status);
    json_kv_bool(w, "failed", span->failed);
    json_kv_int(w, "start_us", span->start_us);
    json_kv_int(w, "duration_us", span->duration_us);
    if (span->kind == SPAN_SERVER) {
        json_kv_strz(w, "request_id", span->request_id);
        json_kv_strz(w, "tenant", span->tenant);
    }
    json_keyz(w, "notes");
    json_begin_object(w);
    for (uint32_t i = 0; i < span->notes_len; i++)
        json_kv_int(w, span->notes[i].key, span->notes[i].value);
    json_end_object(w);
    json_end_object(w);
}

static void write_ring(struct json_writer *w, struct trace_ring *ring, uint64_t after)
{
    json_keyz(w, "spans");
    json_begin_array(w);
    pthread_mutex_lock(&ring->lock);
    uint64_t oldest = ring->put > TRACE_RING_SPANS ? ring->put - TRACE_RING_SPANS : 0;
    uint64_t at = after > ring->put ? oldest : after < oldest ? oldest : after;
    for (int n = 0; at < ring->put && n < SPANS_ANSWER_MAX; n++)
        write_span(w, &ring->items[at++ % TRACE_RING_SPANS]);
    if (at > ring->taken)
        ring->taken = at;
    uint64_t lost = ring->lost;
    pthread_mutex_unlock(&ring->lock);
    json_end_array(w);
    json_kv_int(w, "next", (int64_t)at);
    json_kv_int(w, "lost", (int64_t)lost);
}

enum status common_spans(struct request *request)
{
    struct service *service = request->context;
    struct buf body;
    struct json_writer w;
    buf_init(&body, SPANS_BODY_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_strz(&w, "service", service->info->name);
    write_ring(&w, &service->ring, (uint64_t)request_int(request, "after"));
    return reply_end(request, 200, &body, &w);
}
