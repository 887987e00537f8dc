#include "services/interpreter/interpreter.h"

#include <stdlib.h>

#include "services/interpreter/interpreter_int.h"
#include "services/interpreter/sql.h"

static const struct service_handler handlers[] = {
    {"parse_dsl", handle_parse_dsl},
    {"dsl_schema", handle_dsl_schema},
    {"transform_query", handle_transform},
    {"parse_sql", handle_parse_sql},
    {"sql_transpile", handle_sql_transpile},
    {"sql_format", handle_sql_format},
    {"interpreter_status", handle_interpreter_status},
    {"interpreter_index", handle_interpreter_index},
};

enum status interpreter_check_time(const struct request *request, struct error *err)
{
    const struct interpreter *interpreter = request->context;
    int64_t timeout_us = interpreter->options.timeout_us;
    if (sys_mono_us(interpreter->sys) - request->started_us <= timeout_us)
        return STATUS_OK;
    return error_set(err, STATUS_TIMEOUT, "the parse took longer than %lld s",
                     (long long)(timeout_us / 1000000));
}

enum lang_dialect interpreter_dialect(const struct request *request)
{
    const struct interpreter *interpreter = request->context;
    return interpreter->options.dialect;
}

static void collect(void *context, struct metrics *metrics)
{
    struct interpreter *interpreter = context;
    struct plan_cache_stats stats = plan_cache_get_stats(&interpreter->plans);
    metrics_set(metrics, METRIC_PLAN_CACHE_ENTRIES, stats.entries);
    metric_raise(metrics_series(metrics, METRIC_PLAN_CACHE, (const char *const[]){"hit"}),
                 stats.hits);
    metric_raise(metrics_series(metrics, METRIC_PLAN_CACHE, (const char *const[]){"miss"}),
                 stats.misses);
}

enum status interpreter_start(const struct service_options *base,
                              const struct interpreter_options *options,
                              struct interpreter **ret_interpreter, struct error *err)
{
    struct interpreter *interpreter = calloc(1, sizeof *interpreter);
    if (!interpreter)
        return error_no_memory(err);
    interpreter->options = *options;
    if (interpreter->options.timeout_us == 0)
        interpreter->options.timeout_us = 30 * 1000000;
    interpreter->sys = base->sys;
    enum status status = plan_cache_init(&interpreter->plans, options->plans_max, err);
    if (status != STATUS_OK) {
        free(interpreter);
        return status;
    }
    struct service_options service = *base;
    service.kind = SERVICE_INTERPRETER;
    service.handlers = handlers;
    service.handlers_len = sizeof handlers / sizeof *handlers;
    service.context = interpreter;
    service.collect = collect;
    status = service_start(&service, &interpreter->service, err);
    if (status != STATUS_OK) {
        plan_cache_release(&interpreter->plans);
        free(interpreter);
        return status;
    }
    *ret_interpreter = interpreter;
    return STATUS_OK;
}

struct service *interpreter_service(struct interpreter *interpreter)
{
    return interpreter->service;
}

void interpreter_stop(struct interpreter *interpreter, uint32_t grace_ms)
{
    if (!interpreter)
        return;
    service_stop(interpreter->service, grace_ms);
    plan_cache_release(&interpreter->plans);
    free(interpreter);
}
