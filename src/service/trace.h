/* trace.h: what happened in a request and when, as spans, with W3C Trace Context in and out
 * (https://www.w3.org/TR/trace-context/).
 *
 * A request with a `traceparent` belongs to that trace and is recorded when its flag says so. Of
 * those without one a share is recorded, and the first few of each second whatever the share; never
 * /health and its kin. The answer of one that is recorded says X-Trace-Id. A request that is not
 * costs a few branches.
 *
 * The spans of a finished request go to the service's ring (GET /spans), from where monitoring
 * takes them. The ring forgets its oldest spans; those that nobody had taken are counted. */
#ifndef QUARRY_SERVICE_TRACE_H
#define QUARRY_SERVICE_TRACE_H

#include <pthread.h>

#include "base/arena.h"
#include "base/str.h"

struct request;

enum {
    TRACE_SPANS_MAX = 32, /* of one request; further ones are left out */
    TRACE_NOTES_MAX = 6,
    TRACE_RING_SPANS = 4096,
    TRACE_STATE_MAX = 512,
    TRACE_PARENT_LEN = 55, /* "00-<32>-<16>-<2>" */
    TRACE_NAME_MAX = 48,
};

struct trace_options {
    double ratio;        /* share of requests that are recorded, 0 to 1 */
    uint32_t per_second; /* so many are in any case */
};

/* What monitoring, or a service behind, is told: where in which trace. */
struct trace_position {
    uint8_t trace_id[16], span_id[8];
    bool recorded;
};
/* Strict: version 00 (later ones by their first 55 bytes), no all-zero ids. */
bool trace_parent_parse(struct str text, struct trace_position *ret);
void trace_parent_format(const struct trace_position *position, char out[TRACE_PARENT_LEN + 1]);

enum span_kind { SPAN_SERVER, SPAN_INTERNAL, SPAN_CLIENT };

struct span {
    struct trace_position position;
    uint8_t parent[8]; /* zero: a root */
    const char *name;  /* lives for ever */
    enum span_kind kind;
    bool open, failed;
    int status;                    /* HTTP, of a server or client; 0: none */
    int64_t start_us, duration_us; /* start: since 1970 */
    uint32_t notes_len;
    struct {
        const char *key; /* lives for ever */
        int64_t value;
    } notes[TRACE_NOTES_MAX];
    char request_id[TRACE_NAME_MAX], tenant[TRACE_NAME_MAX]; /* of a server's span */
};

/* The trace of a request, a part of it. */
struct trace {
    struct trace_position position; /* of the server's span */
    bool decided;
    struct str state;   /* tracestate, passed on as it came */
    int64_t offset_us;  /* from monotonic time to that of 1970 */
    struct span *spans; /* TRACE_SPANS_MAX, the server's first; NULL: not recorded */
    uint32_t len;
    int current; /* the innermost open span */
};

/* --- for handlers; an index below 0 means: not recorded --- */
int span_begin(struct request *request, const char *name, enum span_kind kind);
void span_note(struct request *request, int span, const char *key, int64_t value);
void span_end(struct request *request, int span);
void span_fail(struct request *request, int span);
/* One that is over: it began `ago_us` before now. */
int span_add(struct request *request, const char *name, int64_t ago_us, int64_t duration_us);
/* The `traceparent` that a call to another service gets; "" when nothing is known to pass on. */
void trace_outgoing(struct request *request, char out[TRACE_PARENT_LEN + 1]);

/* --- the framework's own --- */
struct trace_ring {
    pthread_mutex_t lock;
    struct span *items;  /* TRACE_RING_SPANS, made with the first span */
    uint64_t put, taken; /* spans so far: written, and read by monitoring */
    uint64_t lost;       /* forgotten before they were taken */
    uint64_t requests;   /* that were asked whether to record them: for their ids */
    int64_t second;      /* of `in_second` */
    uint32_t in_second;
};
void trace_ring_init(struct trace_ring *ring);
void trace_ring_release(struct trace_ring *ring);
/* Reads the request's headers. */
void trace_begin(struct request *request);
/* Once the operation is known: whether it is recorded, when nobody has said so yet. */
void trace_decide(struct request *request);
/* The request was given back: it begins anew. */
void trace_forget(struct request *request);
/* The request has been answered. */
void trace_finish(struct request *request, int status, int64_t duration_us);

#endif
