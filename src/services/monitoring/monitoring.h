/* monitoring.h: health, logs, alerts and traces of all services (port 8084). */
#ifndef QUARRY_SERVICES_MONITORING_H
#define QUARRY_SERVICES_MONITORING_H

#include "service/service.h"

struct monitoring;

struct monitoring_options {
    uint32_t probe_timeout_ms;
    const char *log_folder; /* of the collected logs; NULL: none are */
    uint32_t log_retention_days;
    uint64_t log_total_bytes;
    const char *tenant;            /* the installation's own: its admins see everything */
    bool offers_metrics;           /* those of all services in one text */
    uint32_t interval_s;           /* between two looks at all services; 0: 15 */
    const char *alert_rules_file;  /* NULL or "": our own rules */
    const char *alert_webhook_url; /* NULL or "": nobody is told */
    const char *otlp_url;          /* NULL or "": spans go no further */
    /* "Bearer <token>" of an operator, for monitoring's own calls; NULL: no token is asked for.
     * Any thread. */
    enum status (*token)(void *context, struct buf *ret, struct error *err);
    void *token_context;
};

/* `base` has everything but kind and handlers. Texts are borrowed until stop, log_folder copied. */
enum status monitoring_start(const struct service_options *base,
                             const struct monitoring_options *settings,
                             struct monitoring **ret_monitoring, struct error *err);
struct service *monitoring_service(struct monitoring *monitoring);
/* Where a service is to be probed; port 0: it does not run. Host copied; any thread. */
void monitoring_set_target(struct monitoring *monitoring, enum service_kind kind, const char *host,
                           uint16_t port, bool tls);
/* The setting changed; any thread. NULL is fine. */
void monitoring_set_interval(struct monitoring *monitoring, uint32_t seconds);
/* Before a stop of all services: streams end, so that nobody waits for them, and no service is
 * looked at any more. NULL is fine. */
void monitoring_quiesce(struct monitoring *monitoring);
void monitoring_stop(struct monitoring *monitoring, uint32_t grace_ms); /* NULL is fine */

#endif
