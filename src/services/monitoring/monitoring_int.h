/* monitoring_int.h: what the handlers of the monitoring service share. */
#ifndef QUARRY_SERVICES_MONITORING_INT_H
#define QUARRY_SERVICES_MONITORING_INT_H

#include <stdatomic.h>

#include "service/reply.h"
#include "services/monitoring/alert_engine.h"
#include "services/monitoring/collector.h"
#include "services/monitoring/monitoring.h"
#include "services/monitoring/outbox.h"
#include "services/monitoring/trace_collector.h"
#include "services/monitoring/trace_store.h"

enum { FOLLOWERS_MAX = 8 };

struct monitoring {
    struct sys *sys;
    const struct log *log;
    struct monitoring_options options;
    char log_folder[SYS_PATH_MAX];
    struct service *service;
    struct collector *collector;
    struct alert_rules rules;
    struct alert_engine *alerts;
    struct outbox *webhook; /* NULL: nobody is told */
    struct trace_store *spans;
    struct trace_collector *traces;
    int64_t pruned_us; /* monotonic: when old logs were removed last */
    _Atomic uint32_t followers;
    atomic_bool ends; /* streams end */
};

/* "timestamp": now */
void monitoring_write_time(struct json_writer *w, const char *key, int64_t us);
/* Whether the caller sees everything: the local operator, or an admin of the installation's own
 * tenant. Others see what belongs to their tenant. */
bool monitoring_sees_all(const struct monitoring *monitoring, const struct identity *identity);

/* health.c: what the collector saw, as metrics */
void monitoring_record_health(struct monitoring *monitoring);
/* alerts.c */
void monitoring_alert_changed(void *context, const struct alert *alert);
void monitoring_collect_alerts(struct monitoring *monitoring, struct metrics *metrics);

enum status handle_health_all(struct request *request);
enum status handle_status(struct request *request);
enum status handle_alerts(struct request *request);
enum status handle_logs(struct request *request);
enum status handle_usage(struct request *request);
enum status handle_top(struct request *request);
enum status handle_slow(struct request *request);
enum status handle_traces(struct request *request);
enum status handle_trace(struct request *request);
enum status handle_federate(struct request *request);

#endif
