/* trace_store.h: the spans of all services, the latest TRACE_STORE_SPANS of them, and questions
 * about them. A look goes over all: they are few enough. Threads: any. */
#ifndef QUARRY_SERVICES_MONITORING_TRACE_STORE_H
#define QUARRY_SERVICES_MONITORING_TRACE_STORE_H

#include "base/json.h"
#include "base/status.h"

enum {
    TRACE_STORE_SPANS = 20000,
    TRACE_LIST_MAX = 1000,
    TRACE_TEXT_MAX = 48,
    TRACE_NOTES_TEXT_MAX = 224, /* JSON object; notes that do not fit are left out as a whole */
};

enum { STORED_SERVER, STORED_INTERNAL, STORED_CLIENT };

struct stored_span {
    char trace_id[33], span_id[17], parent_id[17]; /* hexadecimal; parent "": none */
    char service[TRACE_TEXT_MAX], name[TRACE_TEXT_MAX];
    char request_id[TRACE_TEXT_MAX], tenant[TRACE_TEXT_MAX];
    char notes[TRACE_NOTES_TEXT_MAX];
    int kind, status;
    bool failed;
    int64_t start_us, duration_us;
};

struct trace_store;

enum status trace_store_new(struct trace_store **ret, struct error *err);
void trace_store_free(struct trace_store *store);
void trace_store_put(struct trace_store *store, const struct stored_span *span);
/* A span of GET /spans (service/spans.c); false when it is none. */
bool stored_span_parse(yyjson_val *json, struct str service, struct stored_span *ret);

/* What stands at its zero value is not asked for. */
struct trace_question {
    struct str service, operation, tenant, request_id;
    int64_t min_us, since_us;
    bool failed, slowest; /* slowest: ordered by duration, else the newest first */
    uint32_t limit;
};
/* One trace: its outermost span here, and how many spans there are. */
struct trace_summary {
    struct stored_span top;
    uint32_t spans;
};
/* `ret` has room for question->limit; their number. */
size_t trace_store_list(struct trace_store *store, const struct trace_question *question,
                        struct trace_summary *ret);
/* The spans of one trace by their start, at most `cap`; their number. */
size_t trace_store_get(struct trace_store *store, struct str trace_id, struct stored_span *ret,
                       size_t cap);

#endif
