/* trace_collector.h: takes the spans of all services (GET /spans) into the store and, with
 * OTLP_URL, on to somebody else's collector.
 *
 * A thread looks every TRACE_LOOK_US; trace_collector_look does it at once. Threads: any. */
#ifndef QUARRY_SERVICES_MONITORING_TRACE_COLLECTOR_H
#define QUARRY_SERVICES_MONITORING_TRACE_COLLECTOR_H

#include "service/metrics.h"
#include "services/monitoring/collector.h"
#include "services/monitoring/trace_store.h"

enum { TRACE_LOOK_US = 2000000, TRACE_ANSWERS_MAX = 8 /* of one service in one look */ };

struct trace_collector;

struct trace_collector_options {
    struct sys *sys;
    struct collector *services; /* borrowed: where they are */
    struct trace_store *store;  /* borrowed */
    const char *otlp_url;       /* NULL or "": none */
    int timeout_ms;
    /* A token that the services believe, "Bearer ...", into `ret`; NULL: none is needed. */
    enum status (*token)(void *context, struct buf *ret, struct error *err);
    void *context;
};

enum status trace_collector_start(const struct trace_collector_options *options,
                                  struct trace_collector **ret, struct error *err);
/* The thread ends; looks do nothing any more. */
void trace_collector_end(struct trace_collector *collector);
void trace_collector_free(struct trace_collector *collector); /* NULL is fine */
void trace_collector_look(struct trace_collector *collector);
void trace_collector_metrics(struct trace_collector *collector, struct metrics *metrics);

#endif
