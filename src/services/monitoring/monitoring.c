#include "services/monitoring/monitoring.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/datetime.h"
#include "services/monitoring/monitoring_int.h"

void monitoring_write_time(struct json_writer *w, const char *key, int64_t us)
{
    char text[TIMESTAMP_TEXT_MAX + 1];
    size_t n = timestamp_format(us, text);
    text[n++] = 'Z';
    json_kv_str(w, key, str_make(text, n));
}

bool monitoring_sees_all(const struct monitoring *monitoring, const struct identity *identity)
{
    return identity->is_local || (identity->level == PERMISSION_ADMIN &&
                                  str_is(identity->tenant, monitoring->options.tenant));
}

static const struct service_handler handlers[] = {
    {"health_all", handle_health_all},
    {"logs_get", handle_logs},
};

enum status monitoring_start(const struct service_options *base,
                             const struct monitoring_options *settings,
                             struct monitoring **ret_monitoring, struct error *err)
{
    struct monitoring *monitoring = calloc(1, sizeof *monitoring);
    if (!monitoring)
        return error_no_memory(err);
    monitoring->sys = base->sys;
    monitoring->options = *settings;
    if (settings->log_folder)
        snprintf(monitoring->log_folder, sizeof monitoring->log_folder, "%s", settings->log_folder);
    pthread_mutex_init(&monitoring->lock, NULL);
    struct service_options options = *base;
    options.kind = SERVICE_MONITORING;
    options.handlers = handlers;
    options.handlers_len = sizeof handlers / sizeof *handlers;
    options.context = monitoring;
    enum status status = service_start(&options, &monitoring->service, err);
    if (status != STATUS_OK) {
        pthread_mutex_destroy(&monitoring->lock);
        free(monitoring);
        return status;
    }
    *ret_monitoring = monitoring;
    return STATUS_OK;
}

struct service *monitoring_service(struct monitoring *monitoring)
{
    return monitoring->service;
}

void monitoring_set_target(struct monitoring *monitoring, enum service_kind kind, const char *host,
                           uint16_t port, bool tls)
{
    pthread_mutex_lock(&monitoring->lock);
    struct target *target = &monitoring->targets[kind];
    target->set = true;
    target->port = port;
    target->tls = tls;
    snprintf(target->host, sizeof target->host, "%s", host);
    pthread_mutex_unlock(&monitoring->lock);
}

void monitoring_end_streams(struct monitoring *monitoring)
{
    if (monitoring)
        atomic_store(&monitoring->ends, true);
}

void monitoring_stop(struct monitoring *monitoring, uint32_t grace_ms)
{
    if (!monitoring)
        return;
    monitoring_end_streams(monitoring);
    service_stop(monitoring->service, grace_ms);
    pthread_mutex_destroy(&monitoring->lock);
    free(monitoring);
}
