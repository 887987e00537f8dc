/* monitoring_int.h: what the handlers of the monitoring service share. */
#ifndef QUARRY_SERVICES_MONITORING_INT_H
#define QUARRY_SERVICES_MONITORING_INT_H

#include <pthread.h>
#include <stdatomic.h>

#include "services/monitoring/monitoring.h"
#include "services/monitoring/probe.h"

enum { HOST_MAX = 64, FOLLOWERS_MAX = 8 };

struct target {
    bool set;
    char host[HOST_MAX];
    uint16_t port;
    bool tls;
};

struct monitoring {
    struct sys *sys;
    struct monitoring_options options;
    char log_folder[SYS_PATH_MAX];
    struct service *service;
    pthread_mutex_t lock; /* of targets */
    struct target targets[SERVICE_COUNT];
    _Atomic uint32_t followers;
    atomic_bool ends; /* streams end */
};

/* "timestamp": now */
void monitoring_write_time(struct json_writer *w, const char *key, int64_t us);
/* Whether the caller sees everything: the local operator, or an admin of the installation's own
 * tenant. Others see what belongs to their tenant. */
bool monitoring_sees_all(const struct monitoring *monitoring, const struct identity *identity);

enum status handle_health_all(struct request *request);
enum status handle_logs(struct request *request);

#endif
