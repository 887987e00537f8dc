#include "services/monitoring/monitoring.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/datetime.h"
#include "service/log_files.h"
#include "services/monitoring/monitoring_int.h"

#define PRUNE_INTERVAL_US (INT64_C(3600) * 1000000)

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
    {"health_all", handle_health_all}, {"monitoring_status", handle_status},
    {"alerts_list", handle_alerts},    {"logs_get", handle_logs},
    {"usage_get", handle_usage},       {"operations_top", handle_top},
    {"slow_list", handle_slow},        {"traces_list", handle_traces},
    {"trace_get", handle_trace},       {"federate", handle_federate},
};

/* Also the logs of services that say nothing any more grow old. */
static void prune_logs(struct monitoring *monitoring)
{
    int64_t now_us = sys_mono_us(monitoring->sys);
    if (!monitoring->log_folder[0] ||
        (monitoring->pruned_us && now_us - monitoring->pruned_us < PRUNE_INTERVAL_US))
        return;
    monitoring->pruned_us = now_us;
    (void)log_folder_prune(monitoring->sys, monitoring->log_folder,
                           monitoring->options.log_retention_days,
                           monitoring->options.log_total_bytes, NULL); /* again in an hour */
}

static void on_round(void *context, const struct alert_input *inputs, size_t len)
{
    struct monitoring *monitoring = context;
    monitoring_record_health(monitoring);
    alerts_evaluate(monitoring->alerts, inputs, len, sys_now_us(monitoring->sys),
                    sys_mono_us(monitoring->sys));
    prune_logs(monitoring);
}

static void collect(void *context, struct metrics *metrics)
{
    struct monitoring *monitoring = context;
    monitoring_collect_alerts(monitoring, metrics);
    trace_collector_metrics(monitoring->traces, metrics);
}

static enum status make_parts(struct monitoring *monitoring, struct error *err)
{
    const struct monitoring_options *options = &monitoring->options;
    const struct collector_options collector = {.sys = monitoring->sys,
                                                .interval_s = options->interval_s,
                                                .timeout_ms = (int)options->probe_timeout_ms,
                                                .on_round = on_round,
                                                .context = monitoring};
    TRY(alert_rules_load(monitoring->sys, options->alert_rules_file, &monitoring->rules, err));
    TRY(alert_engine_new(&monitoring->rules, monitoring_alert_changed, monitoring,
                         &monitoring->alerts, err));
    if (options->alert_webhook_url && options->alert_webhook_url[0])
        TRY(outbox_open(monitoring->sys, options->alert_webhook_url, &monitoring->webhook, err));
    TRY(trace_store_new(&monitoring->spans, err));
    TRY(collector_new(&collector, &monitoring->collector, err));
    const struct trace_collector_options traces = {.sys = monitoring->sys,
                                                   .services = monitoring->collector,
                                                   .store = monitoring->spans,
                                                   .otlp_url = options->otlp_url,
                                                   .timeout_ms = (int)options->probe_timeout_ms,
                                                   .token = options->token,
                                                   .context = options->token_context};
    return trace_collector_start(&traces, &monitoring->traces, err);
}

static void release(struct monitoring *monitoring)
{
    trace_collector_free(monitoring->traces);
    collector_free(monitoring->collector);
    trace_store_free(monitoring->spans);
    outbox_close(monitoring->webhook);
    alert_engine_free(monitoring->alerts);
    alert_rules_release(&monitoring->rules);
    free(monitoring);
}

enum status monitoring_start(const struct service_options *base,
                             const struct monitoring_options *settings,
                             struct monitoring **ret_monitoring, struct error *err)
{
    struct monitoring *monitoring = calloc(1, sizeof *monitoring);
    if (!monitoring)
        return error_no_memory(err);
    monitoring->sys = base->sys;
    monitoring->log = base->log;
    monitoring->options = *settings;
    if (settings->log_folder)
        snprintf(monitoring->log_folder, sizeof monitoring->log_folder, "%s", settings->log_folder);
    struct service_options options = *base;
    options.kind = SERVICE_MONITORING;
    options.handlers = handlers;
    options.handlers_len = sizeof handlers / sizeof *handlers;
    options.collect = collect;
    options.context = monitoring;
    enum status status = make_parts(monitoring, err);
    if (status == STATUS_OK)
        status = service_start(&options, &monitoring->service, err);
    if (status == STATUS_OK)
        status = collector_run(monitoring->collector, err);
    if (status != STATUS_OK) {
        service_stop(monitoring->service, 0);
        release(monitoring);
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
    collector_set_target(monitoring->collector, kind, host, port, tls);
}

void monitoring_set_interval(struct monitoring *monitoring, uint32_t seconds)
{
    if (monitoring)
        collector_set_interval(monitoring->collector, seconds);
}

void monitoring_quiesce(struct monitoring *monitoring)
{
    if (!monitoring)
        return;
    atomic_store(&monitoring->ends, true);
    collector_end(monitoring->collector);
    trace_collector_end(monitoring->traces);
}

void monitoring_stop(struct monitoring *monitoring, uint32_t grace_ms)
{
    if (!monitoring)
        return;
    monitoring_quiesce(monitoring);
    service_stop(monitoring->service, grace_ms);
    release(monitoring);
}
