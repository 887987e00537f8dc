/* alerts.c: GET /alerts, and what happens when an alert begins or ends: a line in the log and, with
 * ALERT_WEBHOOK_URL, a message. */
#include <stdlib.h>

#include "services/monitoring/monitoring_int.h"

enum { ALERTS_BODY_MAX = 8 << 20, WEBHOOK_BODY_MAX = 64 * 1024 };

static void write_alert(struct json_writer *w, const struct alert *alert)
{
    json_begin_object(w);
    json_kv_str(w, "name", alert->rule->name);
    json_kv_strz(w, "state", alert_phase_name(alert->phase));
    json_kv_str(w, "severity", alert->rule->severity);
    json_kv_str(w, "summary", alert->rule->summary);
    json_kv_strz(w, "service", alert->service);
    json_kv_strz(w, "labels", alert->labels);
    json_kv_double(w, "value", alert->value);
    json_kv_double(w, "threshold", alert->rule->threshold);
    monitoring_write_time(w, "active_since", alert->active_us);
    monitoring_write_time(w, "since", alert->since_us);
    if (alert->resolved_us)
        monitoring_write_time(w, "resolved_at", alert->resolved_us);
    json_end_object(w);
}

static void send_message(struct monitoring *monitoring, const struct alert *alert)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, WEBHOOK_BODY_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_strz(&w, "version", "1");
    json_kv_strz(&w, "source", "quarry");
    json_kv_strz(&w, "status", alert_phase_name(alert->phase));
    json_keyz(&w, "alerts");
    json_begin_array(&w);
    write_alert(&w, alert);
    json_end_array(&w);
    json_end_object(&w);
    outbox_put(monitoring->webhook, &body, 1);
}

void monitoring_alert_changed(void *context, const struct alert *alert)
{
    struct monitoring *monitoring = context;
    const struct log *base = monitoring->log;
    if (base) {
        struct log log = *base;
        log.service = service_info(SERVICE_MONITORING)->name;
        log_event(&log, alert->phase == ALERT_FIRING ? LOG_WARN : LOG_INFO,
                  alert->phase == ALERT_FIRING ? "alert fires" : "alert resolved",
                  LOG_TEXT("alert", alert->rule->name), LOG_TEXT("severity", alert->rule->severity),
                  LOG_TEXT("for", str_of(alert->service)),
                  LOG_TEXT("labels", str_of(alert->labels)),
                  LOG_TEXT("summary", alert->rule->summary));
    }
    if (monitoring->webhook)
        send_message(monitoring, alert);
}

void monitoring_collect_alerts(struct monitoring *monitoring, struct metrics *metrics)
{
    struct alert_counts counts;
    struct outbox_stats stats = {0};
    alerts_count(monitoring->alerts, &counts);
    metric_set(metrics_series(metrics, METRIC_ALERTS, (const char *[]){"pending"}), counts.pending);
    metric_set(metrics_series(metrics, METRIC_ALERTS, (const char *[]){"firing"}), counts.firing);
    metrics_set(metrics, METRIC_ALERTS_UNWATCHED, (double)counts.unwatched);
    if (!monitoring->webhook)
        return;
    outbox_get_stats(monitoring->webhook, &stats);
    const struct {
        const char *outcome;
        uint64_t count;
    } outcomes[] = {{"sent", stats.sent}, {"dropped", stats.dropped}, {"retried", stats.retries}};
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        metric_raise(
            metrics_series(metrics, METRIC_ALERT_MESSAGES, (const char *[]){outcomes[i].outcome}),
            outcomes[i].count);
}

enum status handle_alerts(struct request *request)
{
    enum { CAP = ALERT_STATES_MAX + ALERT_HISTORY_MAX };
    struct monitoring *monitoring = request->context;
    struct str state = request_str(request, "state");
    struct alert *alerts = malloc(CAP * sizeof *alerts);
    struct buf body;
    struct json_writer w;
    int64_t count = 0;
    if (!alerts)
        return error_no_memory(&request->error);
    size_t len = alerts_list(monitoring->alerts, alerts, CAP);
    buf_init(&body, ALERTS_BODY_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_keyz(&w, "alerts");
    json_begin_array(&w);
    for (size_t i = 0; i < len; i++) {
        bool wanted = state.data
                          ? str_is(state, alert_phase_name(alerts[i].phase)) || str_is(state, "all")
                          : alerts[i].phase != ALERT_RESOLVED;
        if (wanted) {
            write_alert(&w, &alerts[i]);
            count++;
        }
    }
    json_end_array(&w);
    json_kv_int(&w, "count", count);
    json_kv_int(&w, "rules", monitoring->rules.len);
    json_end_object(&w);
    free(alerts);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}
