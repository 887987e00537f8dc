#include "cmd/quarryd/node.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cmd/quarryd/access.h"
#include "cmd/quarryd/addresses.h"
#include "cmd/quarryd/logs.h"
#include "cmd/quarryd/node_channel.h"
#include "cmd/quarryd/node_limits.h"
#include "cmd/quarryd/notify.h"
#include "cmd/quarryd/ports.h"
#include "quarry_version.h"
#include "services/tenant/tenant.h"
#include "sys/process.h"

enum {
    LOCK_RETRY_US = 50000, /* a node that was killed a moment ago may still hold its lock */
    LOCK_RETRIES = 20,
};
#define HOUR_US (INT64_C(3600) * 1000000)

static void tell(const struct quarryd_options *options, const char *line)
{
    if (!options->supervised)
        return;
    ssize_t written = write(PROCESS_CHANNEL_FD, line, strlen(line));
    (void)written; /* a dead supervisor is noticed by the wait below */
}

static enum status worker_path(const struct settings *settings, char out[SYS_PATH_MAX],
                               struct error *err)
{
    char folder[SYS_PATH_MAX];
    const char *given = settings_text(settings, SETTING_SQL_WORKER_PATH);
    if (given[0])
        return sys_path(out, err, "%s", given);
    TRY(process_own_folder(folder, sizeof folder, err));
    return sys_path(out, err, "%s/quarry-sql-worker", folder);
}

/* 0 hours: nothing beyond SNAPSHOTS_MIN_KEPT. */
static int64_t snapshot_retention_us(const struct settings *settings)
{
    int64_t hours = settings_int(settings, SETTING_SNAPSHOT_RETENTION_HOURS);
    return hours ? hours * HOUR_US : -1;
}

static struct compact_policy compaction_policy(const struct settings *settings)
{
    uint64_t io = (uint64_t)settings_int(settings, SETTING_COMPACTION_IO_MB_PER_SECOND) << 20;
    return (struct compact_policy){
        .min_file_bytes = (uint64_t)settings_int(settings, SETTING_MIN_FILE_SIZE_MB) << 20,
        .max_file_bytes = (uint64_t)settings_int(settings, SETTING_MAX_FILE_SIZE_MB) << 20,
        .target_file_bytes = (uint64_t)settings_int(settings, SETTING_TARGET_FILE_SIZE_MB) << 20,
        .small_file_threshold =
            (uint32_t)settings_int(settings, SETTING_COMPACTION_THRESHOLD_FILES),
        .io_bytes_per_s = io ? io : UINT64_MAX,
    };
}

/* Where the catalog is that keeps the tenant's logs. */
static void set_catalog(const struct quarryd_options *options, struct address *catalog,
                        struct tenant_node_options *node)
{
    const struct settings *settings = options->settings;
    struct str list = str_of(settings_text(settings, SETTING_SERVICE_ADDRESSES));
    bool found = true;
    node->ports_file = options->ports_file;
    node->catalog_host = options_reach(settings_text(settings, SETTING_BIND_HOST));
    node->catalog_port = (uint16_t)settings_int(settings, SETTING_CATALOG_PORT);
    while (addresses_next(&list, catalog, &found, NULL) == STATUS_OK && found) {
        if (catalog->kind != SERVICE_CATALOG)
            continue;
        node->catalog_host = catalog->host;
        node->catalog_port = catalog->port;
        return;
    }
}

static enum status start(const struct quarryd_options *options, struct sys *sys,
                         const struct log *log, const struct access *access, const char *sql_worker,
                         struct address *catalog, struct tenant_node **ret_node, struct error *err)
{
    const struct settings *settings = options->settings;
    struct tenant_node_options node = {
        .sys = sys,
        .log = log,
        .gate = access->gate,
        .version = QUARRY_VERSION,
        .tenant_id = settings_text(settings, SETTING_TENANT_ID),
        .tenant_name = settings_text(settings, SETTING_TENANT_NAME),
        .data_path = settings_text(settings, SETTING_DATA_PATH),
        .sql_worker_path = sql_worker,
        .host = options_address(settings_text(settings, SETTING_REST_HOST)),
        .port = (uint16_t)settings_int(settings, SETTING_REST_PORT),
        .max_concurrent_searches =
            (uint32_t)settings_int(settings, SETTING_MAX_CONCURRENT_SEARCHES),
        .search_queue_max = (uint32_t)settings_int(settings, SETTING_SEARCH_QUEUE_MAX),
        .search_timeout_us = settings_int(settings, SETTING_SEARCH_TIMEOUT_SECONDS) * 1000000,
        .sql_workers_min = (uint32_t)settings_int(settings, SETTING_MIN_WORKERS),
        .sql_workers_max = (uint32_t)settings_int(settings, SETTING_MAX_WORKERS),
        .sql_queue_max = (uint32_t)settings_int(settings, SETTING_SQL_QUEUE_MAX),
        .aggregate_threads = (uint32_t)settings_int(settings, SETTING_AGGREGATE_THREADS),
        .sql_threads = (uint32_t)settings_int(settings, SETTING_SQL_THREADS),
        .sql_memory_bytes = (uint64_t)settings_int(settings, SETTING_SQL_MEMORY_MB) << 20,
        .dsl = options_dsl(settings),
        .memtable_bytes = (uint64_t)settings_int(settings, SETTING_MEMTABLE_MB) << 20,
        .page_cache_bytes = (uint64_t)settings_int(settings, SETTING_PAGE_CACHE_MB) << 20,
        .flush_age_us = settings_int(settings, SETTING_FLUSH_AGE_SECONDS) * 1000000,
        .flush_threads = (uint32_t)settings_int(settings, SETTING_FLUSH_THREADS),
        .wal_commit_delay_us = settings_int(settings, SETTING_WAL_COMMIT_DELAY_US),
        .wal_retention_us = settings_int(settings, SETTING_WAL_RETENTION_HOURS) * HOUR_US,
        .snapshot_retention_us = snapshot_retention_us(settings),
        .snapshots_min_kept = (uint32_t)settings_int(settings, SETTING_SNAPSHOTS_MIN_KEPT),
        .auto_compaction = settings_bool(settings, SETTING_AUTO_COMPACTION_ENABLED),
        .compaction_interval_us =
            settings_int(settings, SETTING_COMPACTION_INTERVAL_MINUTES) * 60 * 1000000,
        .compaction = compaction_policy(settings),
        .optimizer_disabled = !settings_bool(settings, SETTING_QUERY_OPTIMIZATION_ENABLED),
        .optimizer_learns = settings_bool(settings, SETTING_COST_MODEL_LEARNING_ENABLED),
        .plans_max = (uint32_t)settings_int(settings, SETTING_MAX_EXECUTION_PLANS),
        .cache_life_us = settings_int(settings, SETTING_QUERY_CACHE_TTL) * 1000000,
        .cache_bytes = (uint64_t)settings_int(settings, SETTING_QUERY_CACHE_MB) << 20,
        .statistics_refresh_us =
            settings_int(settings, SETTING_STATISTICS_REFRESH_INTERVAL) * 60 * 1000000,
        .trace = options_trace(settings),
        .slow_us = settings_int(settings, SETTING_SLOW_REQUEST_MS) * 1000,
        .http_workers = (uint32_t)settings_int(settings, SETTING_TENANT_HTTP_WORKERS),
        .http_io_threads = (uint32_t)settings_int(settings, SETTING_TENANT_HTTP_IO_THREADS),
        .connections_max = (uint32_t)settings_int(settings, SETTING_HTTP_CONNECTIONS_MAX),
        .idle_timeout_s = (uint32_t)settings_int(settings, SETTING_HTTP_IDLE_TIMEOUT_SECONDS),
        .request_timeout_s = (uint32_t)settings_int(settings, SETTING_HTTP_REQUEST_TIMEOUT_SECONDS),
    };
    set_catalog(options, catalog, &node);
    node_limits_fit(settings, &node);
    enum status status = tenant_node_start(&node, ret_node, err);
    /* Of the conflicts only the lock's goes away by itself; a port that is taken does not. */
    for (int i = 0; status == STATUS_CONFLICT && i < LOCK_RETRIES; i++) {
        if (err && !str_starts(str_of(err->message), str_of(node.data_path)))
            break;
        sys_sleep_us(sys, LOCK_RETRY_US);
        status = tenant_node_start(&node, ret_node, err);
    }
    return status;
}

/* What the supervisor has said; false: it is gone. */
static bool obey(struct node_channel *channel, struct tenant_node *node)
{
    char line[NODE_LINE_MAX];
    unsigned workers;
    if (!node_channel_read(channel, PROCESS_CHANNEL_FD))
        return false;
    while (node_channel_next(channel, line)) {
        struct tenant_load load;
        if (sscanf(line, "WORKERS %u", &workers) == 1)
            tenant_node_set_workers(node, workers);
        if (strcmp(line, "LOAD") != 0)
            continue;
        tenant_node_get_load(node, &load);
        node_load_write(&load, line);
        node_channel_write(PROCESS_CHANNEL_FD, line);
    }
    return true;
}

/* True: asked to stop. False: the supervisor is gone. */
static bool wait_for_end(const struct quarryd_options *options, struct tenant_node *node,
                         int signals)
{
    struct node_channel channel = {.len = 0};
    struct pollfd fds[2] = {
        {.fd = signals, .events = POLLIN},
        {.fd = options->supervised ? PROCESS_CHANNEL_FD : -1, .events = POLLIN}};
    for (;;) {
        struct signalfd_siginfo info;
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return true;
        if (fds[0].revents & POLLIN && read(signals, &info, sizeof info) == sizeof info &&
            (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT))
            return true;
        if (fds[1].revents && !obey(&channel, node))
            return false;
    }
}

static int fail(const struct quarryd_options *options, const struct error *err)
{
    char line[NODE_LINE_MAX];
    snprintf(line, sizeof line, "FAIL %.480s%s%.480s\n", err->message, err->cause[0] ? ": " : "",
             err->cause);
    tell(options, line);
    if (!options->supervised)
        fprintf(stderr, "quarryd: the tenant node cannot start: %s%s%s\n", err->message,
                err->cause[0] ? ": " : "", err->cause);
    return 1;
}

int node_main(const struct quarryd_options *options, struct sys *sys, struct log *log, int signals)
{
    struct error err = ERROR_INIT;
    struct tenant_node *node = NULL;
    struct access access = {0};
    struct log_files *log_files = NULL;
    char sql_worker[SYS_PATH_MAX], line[64];
    struct address catalog;
    log->service = service_info(SERVICE_TENANT)->name;
    enum status status = node_limits_set(options->settings, &err);
    if (status == STATUS_OK)
        status = worker_path(options->settings, sql_worker, &err);
    if (status == STATUS_OK)
        status = logs_open(options->settings, sys, log, &log_files, &err);
    if (status == STATUS_OK)
        status = access_open(options, sys, log, &access, &err);
    if (status == STATUS_OK)
        status = start(options, sys, log, &access, sql_worker, &catalog, &node, &err);
    if (status != STATUS_OK)
        return fail(options, &err);
    uint16_t ports[SERVICE_COUNT] = {[SERVICE_TENANT] = tenant_node_port(node)};
    if (!options->supervised && options->ports_file)
        status = ports_write(sys, options->ports_file, ports, &err);
    if (status != STATUS_OK) {
        tenant_node_stop(node, 0);
        return fail(options, &err);
    }
    snprintf(line, sizeof line, "READY %u\n", (unsigned)ports[SERVICE_TENANT]);
    tell(options, line);
    if (!options->supervised)
        notify_manager("READY=1");
    log_event(log, LOG_INFO, "serving", LOG_NUM("port", ports[SERVICE_TENANT]));
    if (!wait_for_end(options, node, signals))
        _exit(1);
    log_event(log, LOG_INFO, "stopping", LOG_NUM("pid", getpid()));
    tenant_node_stop(
        node, (uint32_t)settings_int(options->settings, SETTING_SHUTDOWN_GRACE_SECONDS) * 1000);
    access_close(&access);
    log_event(log, LOG_INFO, "stopped", LOG_NUM("pid", getpid()));
    logs_close(log, log_files);
    return 0;
}
