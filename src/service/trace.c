#include "service/trace.h"

#include <stdio.h>
#include <stdlib.h>

#include "service/service_int.h"

/* --- traceparent --- */

static bool parse_hex(struct str text, uint8_t *out)
{
    uint8_t any = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0)
            return false;
        out[i / 2] = (uint8_t)(i % 2 ? out[i / 2] | digit : digit << 4);
        any |= (uint8_t)digit;
    }
    return any != 0;
}

bool trace_parent_parse(struct str text, struct trace_position *ret)
{
    uint8_t version = 0, flags = 0;
    if (text.len < TRACE_PARENT_LEN || text.data[2] != '-' || text.data[35] != '-' ||
        text.data[52] != '-')
        return false;
    if (!parse_hex(str_make(text.data, 2), &version) && !str_starts(text, STR("00")))
        return false;
    if (version == 0xff || (version == 0 && text.len != TRACE_PARENT_LEN) ||
        (text.len > TRACE_PARENT_LEN && text.data[TRACE_PARENT_LEN] != '-'))
        return false;
    struct str flag_text = str_make(text.data + 53, 2);
    if (!parse_hex(flag_text, &flags) && !str_is(flag_text, "00"))
        return false;
    ret->recorded = flags & 1;
    return parse_hex(str_make(text.data + 3, 32), ret->trace_id) &&
           parse_hex(str_make(text.data + 36, 16), ret->span_id);
}

static char *put_hex(char *out, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    return out;
}

void trace_parent_format(const struct trace_position *position, char out[TRACE_PARENT_LEN + 1])
{
    memcpy(out, "00-", 3);
    char *at = put_hex(out + 3, position->trace_id, sizeof position->trace_id);
    *at++ = '-';
    at = put_hex(at, position->span_id, sizeof position->span_id);
    memcpy(at, position->recorded ? "-01" : "-00", 4);
}

/* --- ids and the decision --- */

/* Request ids are random enough unless clients make them: time and a number of our own keep those
 * apart. */
static uint64_t make_number(struct request *request, uint64_t salt)
{
    struct {
        uint64_t id, time, number, salt;
    } seed = {str_hash(request->request_id), (uint64_t)request->started_us, salt,
              (uint64_t)(uintptr_t)request->service};
    return str_hash(str_make((const char *)&seed, sizeof seed));
}

static void make_id(struct request *request, uint64_t salt, uint8_t *out, size_t len)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t number = make_number(request, salt + (i << 48)) | 1; /* never all zero */
        memcpy(out + i, &number, 8);
    }
}

static bool is_chosen(struct request *request, uint64_t number)
{
    struct trace_ring *ring = &request->service->ring;
    const struct trace_options *options = &request->service->options.trace;
    int64_t second = request->started_us / 1000000;
    if (ring->second != second) {
        ring->second = second;
        ring->in_second = 0;
    }
    if (ring->in_second < options->per_second) {
        ring->in_second++;
        return true;
    }
    return (double)(number >> 11) < options->ratio * 9007199254740992.0; /* 2 to the 53rd */
}

static void start_recording(struct request *request)
{
    struct trace *trace = &request->trace;
    trace->spans = arena_array(request->arena, TRACE_SPANS_MAX, sizeof *trace->spans);
    trace->position.recorded = trace->spans != NULL;
    if (!trace->spans)
        return;
    struct sys *sys = request->service->options.sys;
    trace->offset_us = sys_now_us(sys) - sys_mono_us(sys);
    trace->spans[0] = (struct span){
        .kind = SPAN_SERVER, .open = true, .start_us = request->started_us + trace->offset_us};
    trace->len = 1;
    char text[32];
    put_hex(text, trace->position.trace_id, sizeof trace->position.trace_id);
    http_set_header(request->http, "X-Trace-Id", str_make(text, sizeof text));
}

static uint64_t next_number(struct request *request)
{
    struct trace_ring *ring = &request->service->ring;
    pthread_mutex_lock(&ring->lock);
    uint64_t number = ring->requests++;
    pthread_mutex_unlock(&ring->lock);
    return number << 8; /* room for the spans of the request */
}

void trace_begin(struct request *request)
{
    struct trace *trace = &request->trace;
    struct trace_position parent;
    if (!trace_parent_parse(http_request_header(request->http, "traceparent"), &parent))
        return;
    struct str state = http_request_header(request->http, "tracestate");
    trace->state = state.len <= TRACE_STATE_MAX ? state : STR_NONE;
    trace->decided = true;
    trace->position = parent;
    make_id(request, next_number(request), trace->position.span_id, 8);
    if (!parent.recorded)
        return;
    start_recording(request);
    if (trace->spans)
        memcpy(trace->spans[0].parent, parent.span_id, 8);
}

void trace_decide(struct request *request)
{
    struct trace *trace = &request->trace;
    const struct trace_options *options = &request->service->options.trace;
    if (trace->decided || (options->ratio <= 0 && !options->per_second) ||
        (request->operation && request->operation->service == SERVICE_ALL))
        return;
    trace->decided = true;
    struct trace_ring *ring = &request->service->ring;
    pthread_mutex_lock(&ring->lock);
    uint64_t number = ring->requests++ << 8;
    bool chosen = is_chosen(request, make_number(request, ~number));
    pthread_mutex_unlock(&ring->lock);
    make_id(request, number, trace->position.trace_id, 16);
    make_id(request, number + 1, trace->position.span_id, 8);
    if (chosen)
        start_recording(request);
}

void trace_outgoing(struct request *request, char out[TRACE_PARENT_LEN + 1])
{
    const struct trace *trace = &request->trace;
    out[0] = 0;
    if (trace->spans)
        trace_parent_format(&trace->spans[trace->current].position, out);
    else if (trace->decided)
        trace_parent_format(&trace->position, out);
}

/* --- spans of a request --- */

static int64_t now_us(struct request *request)
{
    return sys_mono_us(request->service->options.sys) + request->trace.offset_us;
}

int span_begin(struct request *request, const char *name, enum span_kind kind)
{
    struct trace *trace = &request->trace;
    if (!trace->spans || trace->len == TRACE_SPANS_MAX)
        return -1;
    int index = (int)trace->len++;
    struct span *span = &trace->spans[index];
    *span = (struct span){.name = name, .kind = kind, .open = true, .start_us = now_us(request)};
    span->position = trace->position;
    make_id(request, (uint64_t)index + 2 + str_hash(str_of(name)), span->position.span_id, 8);
    if (trace->current == 0)
        memcpy(span->parent, trace->position.span_id, 8);
    else
        memcpy(span->parent, trace->spans[trace->current].position.span_id, 8);
    trace->current = index;
    return index;
}

void span_note(struct request *request, int span, const char *key, int64_t value)
{
    if (span < 0)
        return;
    struct span *s = &request->trace.spans[span];
    if (s->notes_len == TRACE_NOTES_MAX)
        return;
    s->notes[s->notes_len].key = key;
    s->notes[s->notes_len++].value = value;
}

/* Also closes those inside of it that a failure left open. */
void span_end(struct request *request, int span)
{
    struct trace *trace = &request->trace;
    if (span < 0)
        return;
    int64_t now = now_us(request);
    for (uint32_t i = (uint32_t)span; i < trace->len; i++)
        if (trace->spans[i].open) {
            trace->spans[i].open = false;
            trace->spans[i].duration_us = now - trace->spans[i].start_us;
        }
    trace->current = 0;
    for (int i = span - 1; i > 0 && !trace->current; i--)
        if (trace->spans[i].open)
            trace->current = i;
}

void span_fail(struct request *request, int span)
{
    if (span >= 0)
        request->trace.spans[span].failed = true;
}

int span_add(struct request *request, const char *name, int64_t ago_us, int64_t duration_us)
{
    int index = span_begin(request, name, SPAN_INTERNAL);
    span_end(request, index);
    if (index >= 0) {
        request->trace.spans[index].start_us -= ago_us;
        request->trace.spans[index].duration_us = duration_us;
    }
    return index;
}

/* --- the end --- */

static void copy_text(char out[TRACE_NAME_MAX], struct str text)
{
    size_t len = text.len < TRACE_NAME_MAX ? text.len : TRACE_NAME_MAX - 1;
    if (len)
        memcpy(out, text.data, len);
    out[len] = 0;
}

static void put_spans(struct trace_ring *ring, const struct trace *trace)
{
    pthread_mutex_lock(&ring->lock);
    if (!ring->items)
        ring->items = calloc(TRACE_RING_SPANS, sizeof *ring->items);
    for (uint32_t i = 0; i < trace->len && ring->items; i++) {
        ring->items[ring->put++ % TRACE_RING_SPANS] = trace->spans[i];
        if (ring->put - ring->taken > TRACE_RING_SPANS) {
            ring->lost++;
            ring->taken++;
        }
    }
    pthread_mutex_unlock(&ring->lock);
}

void trace_forget(struct request *request)
{
    struct trace_ring *ring = &request->service->ring;
    if (!request->trace.spans)
        return;
    pthread_mutex_lock(&ring->lock);
    if (ring->in_second > 0)
        ring->in_second--; /* its place among those of this second */
    pthread_mutex_unlock(&ring->lock);
}

void trace_finish(struct request *request, int status, int64_t duration_us)
{
    struct trace *trace = &request->trace;
    if (!trace->spans)
        return;
    span_end(request, 0);
    struct span *root = &trace->spans[0];
    root->position = trace->position;
    root->duration_us = duration_us;
    root->name = request->operation ? request->operation->name : "none";
    root->status = status;
    root->failed = status >= 500 && status != 501;
    copy_text(root->request_id, request->request_id);
    copy_text(root->tenant, request->identity.tenant);
    put_spans(&request->service->ring, trace);
}

void trace_ring_init(struct trace_ring *ring)
{
    *ring = (struct trace_ring){0};
    pthread_mutex_init(&ring->lock, NULL);
}

void trace_ring_release(struct trace_ring *ring)
{
    pthread_mutex_destroy(&ring->lock);
    free(ring->items);
}
