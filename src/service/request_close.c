/* request_close.c: what is left of a request that was answered: metrics, usage, trace, logs. The
 * only place of the framework that logs requests. */
#include <stdio.h>

#include "service/service_int.h"

void request_audit(struct request *request, const struct operation *operation, enum status status)
{
    const struct service *service = request->service;
    const struct identity *who = &request->identity;
    const struct error *err = &request->error;
    bool denied = status != STATUS_OK;
    if (!service->options.gate || !service->options.log ||
        operation->permission == PERMISSION_NONE || !gate_audits(service->options.gate, denied))
        return;
    struct log log = *service->options.log;
    log.service = service->info->name;
    log_event(&log, log.level > LOG_INFO ? log.level : LOG_INFO, "access",
              LOG_TEXT("decision", denied ? STR("denied") : STR("granted")),
              LOG_TEXT("operation", str_of(operation->name)),
              LOG_TEXT("needs", str_of(permission_name(operation->permission))),
              LOG_TEXT("request_id", request->request_id),
              LOG_TEXT("client", http_request_client(request->http)),
              LOG_TEXT("user", who->user_id.data ? who->user_id : STR("")),
              LOG_TEXT("tenant", who->tenant.data ? who->tenant : STR("")),
              LOG_TEXT("code", str_of(denied ? status_info(status)->code : "ok")),
              LOG_TEXT("reason", str_of(denied ? err->message : "")));
}

static void count(struct request *request, int64_t us)
{
    struct service *service = request->service;
    const char *name = request->operation ? request->operation->name : "none";
    char status[16];
    snprintf(status, sizeof status, "%d", request->status ? request->status : 200);
    metric_add(metrics_series(service->metrics, METRIC_HTTP_REQUESTS,
                              (const char *[]){service->info->name, name, status}),
               1);
    if (request->operation && service->durations[operation_index(request->operation)])
        metric_observe_us(service->durations[operation_index(request->operation)], us);
}

/* Under the service's own name, whatever the process is called. */
static void log_access(struct request *request, int64_t us)
{
    const struct log *base = request->service->options.log;
    int status = request->status ? request->status : 200;
    bool fault = status >= 500 && status != 501;
    if (!base)
        return;
    struct log log = *base;
    log.service = request->service->info->name;
    const struct error *err = &request->error;
    const struct identity *who = &request->identity;
    bool secret = request->operation && request->operation->flags & OPERATION_SECRET_PATH;
    struct str path = secret ? str_of(request->operation->path) : http_request_path(request->http);
    log_event(&log, fault ? LOG_ERROR : LOG_DEBUG, "request",
              LOG_TEXT("request_id", request->request_id),
              LOG_TEXT("method", http_request_method_text(request->http)),
              LOG_TEXT("path", str_make(path.data, path.len < 512 ? path.len : 512)),
              LOG_NUM("status", status), LOG_NUM("duration_us", us),
              LOG_TEXT("client", http_request_client(request->http)),
              LOG_TEXT("user", who->user_id.data ? who->user_id : STR("")),
              LOG_TEXT("tenant", who->tenant.data ? who->tenant : STR("")),
              LOG_TEXT("code", str_of(err->status ? status_info(err->status)->code : "ok")),
              LOG_TEXT("error", str_of(err->message)), LOG_TEXT("cause", str_of(err->cause)));
}

void request_close(struct request *request)
{
    struct service *service = request->service;
    if (request->admitted)
        request_audit(request, request->admitted, STATUS_OK);
    int64_t us = sys_mono_us(service->options.sys) - request->started_us;
    trace_finish(request, request->status ? request->status : 200, us);
    count(request, us);
    usage_count(&service->usage, request, request->cpu_us);
    usage_log_slow(request, us, request->cpu_us);
    log_access(request, us);
    yyjson_doc_free(request->doc);
}
