/* health.c: GET /health/all: every service is asked now, all at the same time; GET /status: what
 * was seen last. */
#include "services/monitoring/monitoring_int.h"

enum { HEALTH_ALL_MAX = 64 * 1024 };

static size_t count_healthy(const struct service_health *health, size_t len)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++)
        n += health[i].probe.healthy;
    return n;
}

static void record(struct monitoring *monitoring, const struct service_health *health, size_t len)
{
    struct metrics *metrics = service_metrics(monitoring->service);
    for (size_t i = 0; i < len; i++) {
        const char *label[] = {service_info(health[i].kind)->name};
        if (!health[i].checked_us)
            continue;
        metric_set(metrics_series(metrics, METRIC_PROBE_UP, label), health[i].probe.healthy);
        metric_set(metrics_series(metrics, METRIC_PROBE_SECONDS, label),
                   (double)health[i].probe.latency_us / 1e6);
    }
}

void monitoring_record_health(struct monitoring *monitoring)
{
    struct service_health health[SERVICE_COUNT];
    record(monitoring, health, collector_health(monitoring->collector, health));
}

static void write_health(struct json_writer *w, const struct service_health *health)
{
    const struct probe_result *probe = &health->probe;
    json_keyz(w, service_info(health->kind)->name);
    json_begin_object(w);
    json_kv_bool(w, "healthy", probe->healthy);
    json_kv_strz(w, "status", probe->status);
    json_kv_strz(w, "reason", probe->healthy ? NULL : probe->status);
    monitoring_write_time(w, "since", health->since_us);
    json_kv_double(w, "latency_ms", (double)probe->latency_us / 1000);
    json_keyz(w, "http_status");
    if (probe->http_status)
        json_int(w, probe->http_status);
    else
        json_null(w);
    json_kv_int(w, "port", health->port);
    monitoring_write_time(w, "timestamp", health->checked_us);
    json_end_object(w);
}

/* Always 200: the question was answered, whatever the answer. */
enum status handle_health_all(struct request *request)
{
    struct monitoring *monitoring = request->context;
    struct service_health health[SERVICE_COUNT];
    struct buf body;
    struct json_writer w;
    size_t len = collector_probe(monitoring->collector, request->request_id, health);
    size_t healthy = count_healthy(health, len);
    record(monitoring, health, len);
    buf_init(&body, HEALTH_ALL_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "healthy", healthy == len);
    json_kv_strz(&w, "status", healthy == len ? "OK" : healthy ? "degraded" : "down");
    monitoring_write_time(&w, "timestamp", sys_now_us(monitoring->sys));
    json_keyz(&w, "services");
    json_begin_object(&w);
    for (size_t i = 0; i < len; i++)
        write_health(&w, &health[i]);
    json_end_object(&w);
    return reply_end(request, 200, &body, &w);
}

/* --- /status --- */

static void write_services(struct json_writer *w, const struct service_health *health, size_t len)
{
    json_keyz(w, "services");
    json_begin_object(w);
    for (size_t i = 0; i < len; i++) {
        json_keyz(w, service_info(health[i].kind)->name);
        json_begin_object(w);
        json_kv_strz(w, "status", health[i].probe.healthy ? "healthy" : "unhealthy");
        json_kv_double(w, "response_time", (double)health[i].probe.latency_us / 1e6);
        monitoring_write_time(w, "timestamp", health[i].checked_us);
        monitoring_write_time(w, "since", health[i].since_us);
        json_end_object(w);
    }
    json_end_object(w);
    json_keyz(w, "metrics");
    json_begin_object(w);
    for (size_t i = 0; i < len; i++)
        json_kv_double(w, service_info(health[i].kind)->name, health[i].score);
    json_end_object(w);
}

enum status handle_status(struct request *request)
{
    struct monitoring *monitoring = request->context;
    struct service_health health[SERVICE_COUNT];
    struct alert_counts alerts;
    struct buf body;
    struct json_writer w;
    size_t len = collector_health(monitoring->collector, health);
    if (len && !health[0].checked_us)
        len = collector_probe(monitoring->collector, request->request_id, health);
    size_t healthy = count_healthy(health, len);
    alerts_count(monitoring->alerts, &alerts);
    buf_init(&body, HEALTH_ALL_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    monitoring_write_time(&w, "timestamp", sys_now_us(monitoring->sys));
    json_kv_strz(&w, "status", healthy == len ? "operational" : healthy ? "degraded" : "down");
    write_services(&w, health, len);
    json_keyz(&w, "alerts");
    json_begin_object(&w);
    json_kv_int(&w, "firing", alerts.firing);
    json_kv_int(&w, "pending", alerts.pending);
    json_end_object(&w);
    return reply_end(request, 200, &body, &w);
}
