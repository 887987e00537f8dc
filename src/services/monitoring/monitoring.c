#include "services/monitoring/monitoring.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/datetime.h"
#include "services/monitoring/probe.h"

enum { HOST_MAX = 64, HEALTH_ALL_MAX = 64 * 1024 };

struct target {
    bool set;
    char host[HOST_MAX];
    uint16_t port;
    bool tls;
};

struct monitoring {
    struct sys *sys;
    int timeout_ms;
    struct service *service;
    pthread_mutex_t lock;
    struct target targets[SERVICE_COUNT];
};

struct probes {
    size_t len;
    enum service_kind kinds[SERVICE_COUNT];
    struct target copies[SERVICE_COUNT];
    struct probe_target targets[SERVICE_COUNT];
    struct probe_result results[SERVICE_COUNT];
};

static void run_probes(struct monitoring *monitoring, struct probes *probes)
{
    probes->len = 0;
    pthread_mutex_lock(&monitoring->lock);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        size_t n = probes->len;
        if (!monitoring->targets[i].set)
            continue;
        probes->copies[n] = monitoring->targets[i];
        probes->kinds[n] = (enum service_kind)i;
        probes->targets[n] = (struct probe_target){probes->copies[n].host, probes->copies[n].port,
                                                   probes->copies[n].tls};
        probes->len++;
    }
    pthread_mutex_unlock(&monitoring->lock);
    probe_all(monitoring->sys, probes->targets, probes->len, monitoring->timeout_ms,
              probes->results);
}

static void write_time(struct json_writer *w, struct sys *sys)
{
    char text[TIMESTAMP_TEXT_MAX + 1];
    size_t n = timestamp_format(sys_now_us(sys), text);
    text[n++] = 'Z';
    json_kv_str(w, "timestamp", str_make(text, n));
}

static void write_result(struct json_writer *w, struct sys *sys, const struct probes *probes,
                         size_t i)
{
    const struct probe_result *result = &probes->results[i];
    json_keyz(w, service_info(probes->kinds[i])->name);
    json_begin_object(w);
    json_kv_bool(w, "healthy", result->healthy);
    json_kv_strz(w, "status", result->status);
    json_kv_double(w, "latency_ms", (double)result->latency_us / 1000);
    json_keyz(w, "http_status");
    if (result->http_status)
        json_int(w, result->http_status);
    else
        json_null(w);
    json_kv_int(w, "port", probes->targets[i].port);
    write_time(w, sys);
    json_end_object(w);
}

static void record(struct monitoring *monitoring, const struct probes *probes)
{
    struct metrics *metrics = service_metrics(monitoring->service);
    for (size_t i = 0; i < probes->len; i++) {
        const char *label[] = {service_info(probes->kinds[i])->name};
        metric_set(metrics_series(metrics, METRIC_PROBE_UP, label), probes->results[i].healthy);
        metric_set(metrics_series(metrics, METRIC_PROBE_SECONDS, label),
                   (double)probes->results[i].latency_us / 1e6);
    }
}

/* Always 200: the question was answered, whatever the answer. */
static enum status handle_health_all(struct request *request)
{
    struct monitoring *monitoring = request->context;
    struct probes probes;
    struct buf body;
    struct json_writer w;
    size_t healthy = 0;
    run_probes(monitoring, &probes);
    record(monitoring, &probes);
    for (size_t i = 0; i < probes.len; i++)
        healthy += probes.results[i].healthy;
    buf_init(&body, HEALTH_ALL_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "healthy", healthy == probes.len);
    json_kv_strz(&w, "status", healthy == probes.len ? "OK" : healthy ? "degraded" : "down");
    write_time(&w, monitoring->sys);
    json_keyz(&w, "services");
    json_begin_object(&w);
    for (size_t i = 0; i < probes.len; i++)
        write_result(&w, monitoring->sys, &probes, i);
    json_end_object(&w);
    json_end_object(&w);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}

static const struct service_handler handlers[] = {{"health_all", handle_health_all}};

enum status monitoring_start(const struct service_options *base, uint32_t probe_timeout_ms,
                             struct monitoring **ret_monitoring, struct error *err)
{
    struct monitoring *monitoring = calloc(1, sizeof *monitoring);
    if (!monitoring)
        return error_no_memory(err);
    monitoring->sys = base->sys;
    monitoring->timeout_ms = (int)probe_timeout_ms;
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

void monitoring_stop(struct monitoring *monitoring, uint32_t grace_ms)
{
    if (!monitoring)
        return;
    service_stop(monitoring->service, grace_ms);
    pthread_mutex_destroy(&monitoring->lock);
    free(monitoring);
}
