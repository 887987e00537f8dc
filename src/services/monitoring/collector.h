/* collector.h: looks at all services every METRICS_INTERVAL_SECONDS: their health, their metrics.
 *
 * What it saw last is kept for each service: health with its history, and the text of /metrics.
 * Threads: any. */
#ifndef QUARRY_SERVICES_MONITORING_COLLECTOR_H
#define QUARRY_SERVICES_MONITORING_COLLECTOR_H

#include "base/buf.h"
#include "service/operation.h"
#include "services/monitoring/alert_engine.h"
#include "services/monitoring/probe.h"

enum {
    COLLECTOR_HOST_MAX = 64,
    COLLECTOR_URL_MAX = 512,
    COLLECTOR_TEXT_MAX = 16 << 20, /* of one service's metrics */
    COLLECTOR_FIRST_US = 500000,   /* the first round, after the start */
    HEALTH_HISTORY = 20,           /* probes that the score is made of */
};

struct collector;

struct collector_options {
    struct sys *sys;
    uint32_t interval_s;
    int timeout_ms; /* of one answer */
    /* After each round, in the collector's thread: one input a service. */
    void (*on_round)(void *context, const struct alert_input *inputs, size_t len);
    void *context;
};

/* One service as it was seen last. */
struct service_health {
    enum service_kind kind;
    uint16_t port;
    struct probe_result probe;
    int64_t checked_us; /* 1970; 0: never yet */
    int64_t since_us;   /* 1970: of the first probe that said the same */
    double score;       /* share of the latest probes that were healthy */
};

enum status collector_new(const struct collector_options *options, struct collector **ret,
                          struct error *err);
/* The rounds begin. */
enum status collector_run(struct collector *collector, struct error *err);
/* No more rounds; returns when the last one has ended. */
void collector_end(struct collector *collector);
void collector_free(struct collector *collector); /* NULL is fine */

void collector_set_interval(struct collector *collector, uint32_t seconds);
void collector_set_target(struct collector *collector, enum service_kind kind, const char *host,
                          uint16_t port, bool tls);
/* Where a service has the path; false when the service is not known. */
bool collector_url(struct collector *collector, enum service_kind kind, const char *path,
                   char out[COLLECTOR_URL_MAX]);
/* Probes all now, at the same time; how many are known. */
size_t collector_probe(struct collector *collector, struct str request_id,
                       struct service_health ret[SERVICE_COUNT]);
/* As seen last, without asking. */
size_t collector_health(struct collector *collector, struct service_health ret[SERVICE_COUNT]);
/* Copies of the latest metrics; false when there are none (yet). */
bool collector_text(struct collector *collector, enum service_kind kind, struct buf *ret);

#endif
