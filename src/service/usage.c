#include "service/usage.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "service/service_int.h"

enum figure { REQUESTS, ERRORS, ROWS_READ, ROWS_RETURNED, ROWS_WRITTEN, BYTES_IN, BYTES_OUT, CPU };
enum { FIGURES = CPU + 1 };

struct tenant_usage {
    struct tenant_usage *next;
    struct metric_series *series[FIGURES];
    size_t len;
    char name[];
};

void usage_init(struct usage *usage, struct metrics *metrics, const char *service)
{
    *usage = (struct usage){.metrics = metrics, .service = service};
    pthread_mutex_init(&usage->lock, NULL);
}

void usage_release(struct usage *usage)
{
    struct tenant_usage *entry = atomic_load(&usage->first);
    while (entry) {
        struct tenant_usage *next = entry->next;
        free(entry);
        entry = next;
    }
    pthread_mutex_destroy(&usage->lock);
}

static struct tenant_usage *find(struct usage *usage, struct str tenant)
{
    struct tenant_usage *entry = atomic_load_explicit(&usage->first, memory_order_acquire);
    while (entry && !str_eq(str_make(entry->name, entry->len), tenant))
        entry = entry->next;
    return entry;
}

static struct tenant_usage *add(struct usage *usage, struct str tenant)
{
    static const enum metric metrics[FIGURES] = {
        [REQUESTS] = METRIC_TENANT_REQUESTS,         [ERRORS] = METRIC_TENANT_ERRORS,
        [ROWS_READ] = METRIC_TENANT_ROWS_READ,       [ROWS_RETURNED] = METRIC_TENANT_ROWS_RETURNED,
        [ROWS_WRITTEN] = METRIC_TENANT_ROWS_WRITTEN, [BYTES_IN] = METRIC_TENANT_BYTES_IN,
        [BYTES_OUT] = METRIC_TENANT_BYTES_OUT,       [CPU] = METRIC_TENANT_CPU};
    struct tenant_usage *entry = calloc(1, sizeof *entry + tenant.len + 1);
    if (!entry)
        return NULL;
    memcpy(entry->name, tenant.data, tenant.len);
    entry->len = tenant.len;
    for (int i = 0; i < FIGURES; i++)
        entry->series[i] = metrics_series(usage->metrics, metrics[i],
                                          (const char *[]){usage->service, entry->name});
    entry->next = atomic_load(&usage->first);
    atomic_store_explicit(&usage->first, entry, memory_order_release);
    usage->len++;
    return entry;
}

/* NULL only when memory is out. */
static struct tenant_usage *entry_of(struct usage *usage, struct str tenant)
{
    struct tenant_usage *entry = find(usage, tenant);
    if (entry)
        return entry;
    pthread_mutex_lock(&usage->lock);
    if (usage->len >= USAGE_TENANTS)
        tenant = STR("other");
    entry = find(usage, tenant);
    if (!entry)
        entry = add(usage, tenant);
    pthread_mutex_unlock(&usage->lock);
    return entry;
}

int64_t usage_cpu_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / 1000;
}

static uint64_t bytes_in(const struct request *request)
{
    int64_t len = 0;
    struct str text = http_request_header(request->http, "content-length");
    return text.data && str_to_int64(text, &len) && len > 0 ? (uint64_t)len : 0;
}

void usage_count(struct usage *usage, struct request *request, int64_t cpu_us)
{
    const struct request_work *work = &request->work;
    if (!request->identity.tenant.len || !request->operation ||
        request->operation->permission == PERMISSION_NONE)
        return; /* nobody's, or health and its kin */
    struct tenant_usage *entry = entry_of(usage, request->identity.tenant);
    if (!entry)
        return;
    const uint64_t figures[FIGURES] = {
        [REQUESTS] = 1,
        [ERRORS] = request->status >= 400,
        [ROWS_READ] = work->rows_read,
        [ROWS_RETURNED] = work->rows_returned,
        [ROWS_WRITTEN] = work->rows_written,
        [BYTES_IN] = bytes_in(request),
        [BYTES_OUT] = http_request_sent(request->http),
        [CPU] = (uint64_t)(cpu_us + work->cpu_us),
    };
    for (int i = 0; i < FIGURES; i++)
        if (figures[i])
            metric_add(entry->series[i], figures[i]);
}

void usage_log_slow(struct request *request, int64_t us, int64_t cpu_us)
{
    const struct log *base = request->service->options.log;
    int64_t limit_us = request->service->options.slow_us;
    if (!base || limit_us <= 0 || us < limit_us ||
        (request->operation->flags & OPERATION_SSE && request->started))
        return; /* a stream lasts as long as its reader likes */
    struct log log = *base;
    log.service = request->service->info->name;
    char trace[TRACE_PARENT_LEN + 1];
    trace_outgoing(request, trace);
    const struct request_work *work = &request->work;
    struct str statement = work->statement;
    if (statement.len > USAGE_STATEMENT_MAX)
        statement.len = USAGE_STATEMENT_MAX;
    log_event(
        &log, LOG_WARN, "slow request", LOG_TEXT("request_id", request->request_id),
        LOG_TEXT("operation", str_of(request->operation->name)), LOG_NUM("duration_us", us),
        LOG_NUM("cpu_us", cpu_us + work->cpu_us), LOG_NUM("status", request->status),
        LOG_TEXT("tenant", request->identity.tenant.data ? request->identity.tenant : STR("")),
        LOG_TEXT("user", request->identity.user_id.data ? request->identity.user_id : STR("")),
        LOG_NUM("rows_read", (int64_t)work->rows_read),
        LOG_NUM("rows_returned", (int64_t)work->rows_returned),
        LOG_NUM("rows_written", (int64_t)work->rows_written),
        LOG_TEXT("trace_id", trace[0] ? str_make(trace + 3, 32) : STR("")),
        LOG_TEXT("statement", statement.data ? statement : STR("")));
}
