/* The operations that every service has. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/datetime.h"
#include "service/openapi.h"
#include "service/reply.h"
#include "service/service_int.h"

enum { HEALTH_BODY_MAX = 256 * 1024, METRICS_BODY_MAX = 16 << 20, OPENAPI_BODY_MAX = 4 << 20 };

/* --- /health, /ready --- */

static void write_timestamp(struct json_writer *w, const char *key, int64_t us)
{
    char text[TIMESTAMP_TEXT_MAX + 1];
    size_t n = timestamp_format(us, text);
    text[n++] = 'Z';
    json_kv_str(w, key, str_make(text, n));
}

/* The body needs the verdict before the details, so the details are written aside first. */
enum status common_health(struct request *request)
{
    struct service *service = request->context;
    const struct service_options *options = &service->options;
    struct buf body, details;
    struct json_writer w;
    const char *text = "OK";
    bool healthy = true;
    buf_init(&details, HEALTH_BODY_MAX);
    json_writer_init(&w, &details);
    json_begin_object(&w);
    if (options->health)
        healthy = options->health(options->context, &w, &text);
    else
        write_timestamp(&w, "timestamp", sys_now_us(options->sys));
    write_timestamp(&w, "started", service->started_us);
    json_end_object(&w);

    buf_init(&body, HEALTH_BODY_MAX + 1024);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "healthy", healthy);
    json_kv_strz(&w, "status", text);
    json_kv_strz(&w, "service", service->info->name);
    json_kv_strz(&w, "version", options->version);
    json_keyz(&w, "details");
    json_raw(&w, buf_failed(&details) ? STR("{}") : buf_str(&details));
    json_end_object(&w);
    buf_release(&details);
    request_respond_json(request, healthy ? 200 : 503, &body);
    return STATUS_OK;
}

enum status common_ready(struct request *request)
{
    struct service *service = request->context;
    const struct service_options *options = &service->options;
    if (atomic_load(&service->draining))
        return error_set(&request->error, STATUS_UNAVAILABLE, "%s is draining",
                         service->info->name);
    if (options->ready && !options->ready(options->context))
        return error_set(&request->error, STATUS_UNAVAILABLE, "%s is not ready",
                         service->info->name);
    struct buf body;
    struct json_writer w;
    buf_init(&body, 1024);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "ready", true);
    json_kv_strz(&w, "service", service->info->name);
    return reply_end(request, 200, &body, &w);
}

/* --- /metrics --- */

static void collect_memory(struct metrics *metrics)
{
    unsigned long pages = 0, resident = 0;
    double page = (double)sysconf(_SC_PAGESIZE);
    FILE *file = fopen("/proc/self/statm", "re");
    if (file && fscanf(file, "%lu %lu", &pages, &resident) == 2) {
        metrics_set(metrics, METRIC_PROCESS_VIRTUAL, (double)pages * page);
        metrics_set(metrics, METRIC_PROCESS_MEMORY, (double)resident * page);
    }
    if (file)
        fclose(file);
}

/* Linux 6.2 and later say the number as the folder's size; before, its entries are counted. */
static double open_files(void)
{
    struct stat stat_fd;
    if (stat("/proc/self/fd", &stat_fd) == 0 && stat_fd.st_size > 0)
        return (double)stat_fd.st_size;
    double n = -3; /* ".", ".." and the directory itself */
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static double threads(void)
{
    struct stat stat_task; /* a folder has a link for each folder in it, and two */
    return stat("/proc/self/task", &stat_task) == 0 ? (double)stat_task.st_nlink - 2 : 0;
}

static void collect_process(struct service *service)
{
    struct metrics *metrics = service->metrics;
    struct rusage usage;
    struct rlimit limit;
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        metrics_raise(metrics, METRIC_PROCESS_CPU,
                      (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                          (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        metrics_set(metrics, METRIC_PROCESS_FILES_MAX, (double)limit.rlim_cur);
    collect_memory(metrics);
    metrics_set(metrics, METRIC_PROCESS_FILES, open_files());
    metrics_set(metrics, METRIC_PROCESS_THREADS, threads());
    metrics_set(metrics, METRIC_PROCESS_START, (double)service->started_us / 1e6);
}

static void collect_log(struct service *service)
{
    struct metrics *metrics = service->metrics;
    const struct log *log = service->options.log;
    uint64_t taken = 0, dropped = 0;
    if (!log || !log->sink || !log->sink->count)
        return;
    log->sink->count(log->sink->context, &taken, &dropped);
    metric_raise(metrics_series(metrics, METRIC_LOG_LINES, (const char *[]){"collected"}), taken);
    metric_raise(metrics_series(metrics, METRIC_LOG_LINES, (const char *[]){"dropped"}), dropped);
}

static void collect_http(struct service *service)
{
    struct metrics *metrics = service->metrics;
    struct http_server_stats stats;
    const char *label[] = {service->info->name};
    if (!service->http)
        return;
    http_server_get_stats(service->http, &stats);
    metric_set(metrics_series(metrics, METRIC_HTTP_ACTIVE, label), (double)stats.active);
    metric_set(metrics_series(metrics, METRIC_HTTP_QUEUED, label), (double)stats.queued);
    metric_set(metrics_series(metrics, METRIC_HTTP_CONNECTIONS, label), (double)stats.connections);
    metric_raise(metrics_series(metrics, METRIC_HTTP_REFUSED, label), stats.refused);
    metric_raise(metrics_series(metrics, METRIC_HTTP_RECEIVED, label), stats.bytes_in);
    metric_raise(metrics_series(metrics, METRIC_HTTP_SENT, label), stats.bytes_out);
}

enum status common_metrics(struct request *request)
{
    struct service *service = request->context;
    struct buf body;
    collect_process(service);
    collect_http(service);
    collect_log(service);
    if (service->options.collect)
        service->options.collect(service->options.context, service->metrics);
    buf_init(&body, METRICS_BODY_MAX);
    metrics_write(service->metrics, &body);
    request_respond_text(request, 200, STR(METRICS_CONTENT_TYPE), &body);
    return STATUS_OK;
}

/* --- /openapi.json --- */

static bool has_handler(void *context, const struct operation *operation)
{
    struct service *service = context;
    return service->handlers[operation - operation_at(0)] != NULL;
}

enum status common_openapi(struct request *request)
{
    struct service *service = request->context;
    struct buf body;
    buf_init(&body, OPENAPI_BODY_MAX);
    openapi_write(&body, service->options.kind, service->options.version, has_handler, service);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}
