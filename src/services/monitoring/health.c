/* health.c: GET /health/all: every service is asked now, all at the same time. */
#include "services/monitoring/monitoring_int.h"

enum { HEALTH_ALL_MAX = 64 * 1024 };

struct probes {
    size_t len;
    enum service_kind kinds[SERVICE_COUNT];
    struct target copies[SERVICE_COUNT];
    struct probe_target targets[SERVICE_COUNT];
    struct probe_result results[SERVICE_COUNT];
};

static void run_probes(struct monitoring *monitoring, struct str request_id, struct probes *probes)
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
                                                   request_id, probes->copies[n].tls};
        probes->len++;
    }
    pthread_mutex_unlock(&monitoring->lock);
    probe_all(monitoring->sys, probes->targets, probes->len,
              (int)monitoring->options.probe_timeout_ms, probes->results);
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
    monitoring_write_time(w, "timestamp", sys_now_us(sys));
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
enum status handle_health_all(struct request *request)
{
    struct monitoring *monitoring = request->context;
    struct probes probes;
    struct buf body;
    struct json_writer w;
    size_t healthy = 0;
    run_probes(monitoring, request->request_id, &probes);
    record(monitoring, &probes);
    for (size_t i = 0; i < probes.len; i++)
        healthy += probes.results[i].healthy;
    buf_init(&body, HEALTH_ALL_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "healthy", healthy == probes.len);
    json_kv_strz(&w, "status", healthy == probes.len ? "OK" : healthy ? "degraded" : "down");
    monitoring_write_time(&w, "timestamp", sys_now_us(monitoring->sys));
    json_keyz(&w, "services");
    json_begin_object(&w);
    for (size_t i = 0; i < probes.len; i++)
        write_result(&w, monitoring->sys, &probes, i);
    json_end_object(&w);
    json_end_object(&w);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}
