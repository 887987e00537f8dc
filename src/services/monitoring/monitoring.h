/* monitoring.h: health, logs, alerts and traces of all services (port 8084). */
#ifndef QUARRY_SERVICES_MONITORING_H
#define QUARRY_SERVICES_MONITORING_H

#include "service/service.h"

struct monitoring;

struct monitoring_options {
    uint32_t probe_timeout_ms;
    const char *log_folder; /* of the collected logs; NULL: none are */
    const char *tenant;     /* the installation's own: its admins see everything */
};

/* `base` has everything but kind and handlers. Texts are borrowed until stop, log_folder copied. */
enum status monitoring_start(const struct service_options *base,
                             const struct monitoring_options *options,
                             struct monitoring **ret_monitoring, struct error *err);
struct service *monitoring_service(struct monitoring *monitoring);
/* Where a service is to be probed; port 0: it does not run. Host copied; any thread. */
void monitoring_set_target(struct monitoring *monitoring, enum service_kind kind, const char *host,
                           uint16_t port, bool tls);
/* Streams end, so that nobody waits for them at a stop. NULL is fine. */
void monitoring_end_streams(struct monitoring *monitoring);
void monitoring_stop(struct monitoring *monitoring, uint32_t grace_ms); /* NULL is fine */

#endif
