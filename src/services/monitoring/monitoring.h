/* monitoring.h: health, metrics and logs of all services (port 8084). In this release: /health/all
 * with real probes; collected metrics, logs and alerts arrive with release 0.5. */
#ifndef QUARRY_SERVICES_MONITORING_H
#define QUARRY_SERVICES_MONITORING_H

#include "service/service.h"

struct monitoring;

/* `base` has everything but kind and handlers. */
enum status monitoring_start(const struct service_options *base, uint32_t probe_timeout_ms,
                             struct monitoring **ret_monitoring, struct error *err);
struct service *monitoring_service(struct monitoring *monitoring);
/* Where a service is to be probed; port 0: it does not run. Host copied; any thread. */
void monitoring_set_target(struct monitoring *monitoring, enum service_kind kind, const char *host,
                           uint16_t port, bool tls);
void monitoring_stop(struct monitoring *monitoring, uint32_t grace_ms); /* NULL is fine */

#endif
