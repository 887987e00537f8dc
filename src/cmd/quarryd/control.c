#include "cmd/quarryd/control_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "catalog/open.h"
#include "cmd/quarryd/logs.h"
#include "quarry_version.h"

static struct service_options base_options(const struct control *control, enum service_kind kind)
{
    const struct settings *settings = control->options->settings;
    return (struct service_options){
        .kind = kind,
        .version = QUARRY_VERSION,
        .sys = control->sys,
        .log = control->log,
        .gate = control->access->gate,
        .trace = options_trace(settings),
        .slow_us = settings_int(settings, SETTING_SLOW_REQUEST_MS) * 1000,
        .allowed_origins = settings_text(settings, SETTING_ALLOWED_ORIGINS),
        .http = {.host = options_address(settings_text(settings, SETTING_BIND_HOST)),
                 .port = control_port_setting(control, kind),
                 .workers = (uint32_t)settings_int(settings, SETTING_HTTP_WORKERS),
                 .connections_max = (uint32_t)settings_int(settings, SETTING_HTTP_CONNECTIONS_MAX),
                 .idle_timeout_s =
                     (uint32_t)settings_int(settings, SETTING_HTTP_IDLE_TIMEOUT_SECONDS),
                 .request_timeout_s =
                     (uint32_t)settings_int(settings, SETTING_HTTP_REQUEST_TIMEOUT_SECONDS)}};
}

static enum status start_operation(struct control *control, const struct service_options *base,
                                   struct service **ret, struct error *err)
{
    struct operation_options options = {
        .queue = control->queue,
        .services = {.context = control, .list = control_list_services},
        .tenant = settings_text(control->options->settings, SETTING_TENANT_ID)};
    if (control->nodes) {
        options.nodes = operation_calls(control->nodes);
        options.scaling = scaling_calls(control->nodes);
    }
    TRY(operation_start(base, &options, &control->operation, err));
    *ret = operation_service(control->operation);
    return STATUS_OK;
}

static enum status start_catalog(struct control *control, const struct service_options *base,
                                 struct service **ret, struct error *err)
{
    const struct settings *settings = control->options->settings;
    const struct catalog_service_options options = {
        .catalog = control->catalog,
        .text = control->text,
        .files_path = control->files_path,
        .keys_path = control->access->folder,
        .archive_path = control->archive_path,
        .journal_us = settings_int(settings, SETTING_CATALOG_JOURNAL_HOURS) * 3600000000,
        .upkeep_us = settings_int(settings, SETTING_CATALOG_UPKEEP_MINUTES) * 60000000,
        .tenant_id = settings_text(settings, SETTING_TENANT_ID),
        .parquet_base_path = settings_text(settings, SETTING_PARQUET_BASE_PATH)};
    TRY(catalog_service_start(base, &options, &control->catalog_service, err));
    *ret = catalog_service_service(control->catalog_service);
    return STATUS_OK;
}

static enum status start_monitoring(struct control *control, const struct service_options *base,
                                    struct service **ret, struct error *err)
{
    const struct settings *settings = control->options->settings;
    char folder[SYS_PATH_MAX];
    TRY(logs_folder(settings, folder, err));
    bool collects = strcmp(settings_text(settings, SETTING_LOG_FILE_LEVEL), "off") != 0;
    const struct monitoring_options options = {
        .probe_timeout_ms = (uint32_t)settings_int(settings, SETTING_PROBE_TIMEOUT_MS),
        .log_folder = collects ? folder : NULL,
        .log_retention_days = (uint32_t)settings_int(settings, SETTING_LOG_RETENTION_DAYS),
        .log_total_bytes = (uint64_t)settings_int(settings, SETTING_LOG_TOTAL_MB) << 20,
        .tenant = settings_text(settings, SETTING_TENANT_ID),
        .offers_metrics = settings_bool(settings, SETTING_PROMETHEUS_ENABLED),
        .interval_s = (uint32_t)settings_int(settings, SETTING_METRICS_INTERVAL_SECONDS),
        .alert_rules_file = settings_text(settings, SETTING_ALERT_RULES_FILE),
        .alert_webhook_url = settings_text(settings, SETTING_ALERT_WEBHOOK_URL),
        .otlp_url = settings_text(settings, SETTING_OTLP_URL),
        .token = access_operator_token,
        .token_context = (void *)(uintptr_t)control->access,
    };
    TRY(monitoring_start(base, &options, &control->monitoring, err));
    *ret = monitoring_service(control->monitoring);
    return STATUS_OK;
}

static enum status start_interpreter(struct control *control, const struct service_options *base,
                                     struct service **ret, struct error *err)
{
    const struct settings *settings = control->options->settings;
    const char *dialect = settings_text(settings, SETTING_SQLGLOT_DIALECT);
    struct interpreter_options options = {
        .dsl = options_dsl(settings),
        .plans_max = (uint32_t)settings_int(settings, SETTING_QUERY_PLAN_CACHE_SIZE),
        .timeout_us = settings_int(settings, SETTING_PARSING_TIMEOUT_SECONDS) * 1000000,
        .optimize_joins = settings_bool(settings, SETTING_QUERY_OPTIMIZE_JOINS),
        .push_down_filters = settings_bool(settings, SETTING_QUERY_PUSH_DOWN_FILTERS),
        .column_pruning = settings_bool(settings, SETTING_QUERY_COLUMN_PRUNING),
    };
    if (!lang_dialect_find(str_of(dialect), &options.dialect))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "SQLGLOT_DIALECT: '%s' is no dialect of ours", dialect);
    TRY(interpreter_start(base, &options, &control->interpreter, err));
    *ret = interpreter_service(control->interpreter);
    return STATUS_OK;
}

static void on_commit(void *context, const struct change *changes, uint32_t len)
{
    text_feed_changed(context, changes, len);
}

/* The text index follows the commits of this process. */
static enum status open_text(struct control *control, struct backend *backend, struct error *err)
{
    const char *data = settings_text(control->options->settings, SETTING_DATA_PATH);
    char folder[SYS_PATH_MAX];
    if (!(control->options->services & 1u << SERVICE_CATALOG))
        return STATUS_OK;
    TRY(sys_path(folder, err, "%s/catalog/text", data));
    TRY(sys_path(control->files_path, err, "%s/registry", data));
    TRY(sys_path(control->archive_path, err, "%s/archive", data));
    TRY(text_feed_open(control->sys, backend, folder, &control->text, err));
    backend_watch(backend, on_commit, control->text);
    return STATUS_OK;
}

/* CATALOG_URL, or DATA_PATH/catalog/catalog.db, which several processes of one machine may share.
 */
static enum status open_catalog(struct control *control, struct error *err)
{
    const struct settings *settings = control->options->settings;
    const unsigned users = 1u << SERVICE_GATEWAY | 1u << SERVICE_CATALOG;
    const char *url = settings_text(settings, SETTING_CATALOG_URL);
    char own[SYS_PATH_MAX];
    struct backend *backend = NULL;
    if (!(control->options->services & users))
        return STATUS_OK;
    TRY(sys_path(own, err, "sqlite:%s/catalog/catalog.db",
                 settings_text(settings, SETTING_DATA_PATH)));
    TRY(catalog_backend_open(control->sys, url[0] ? url : own, &backend, err));
    const struct catalog_options options = {.sys = control->sys, .backend = backend};
    enum status status = open_text(control, backend, err);
    if (status == STATUS_OK)
        status = catalog_open(&options, &control->catalog, err);
    if (status != STATUS_OK) {
        text_feed_stop(control->text);
        backend_close(backend);
    }
    return status;
}

/* Shown once, to people; never in the log. */
static void tell_first_admin(void *context, const char *username, const char *password)
{
    (void)context;
    fprintf(stderr,
            "quarryd: first start: the user '%s' has the password %s (shown this once; change it "
            "with POST /auth/password)\n",
            username, password);
}

static enum status start_gateway(struct control *control, const struct service_options *base,
                                 struct service **ret, struct error *err)
{
    const struct settings *settings = control->options->settings;
    const char *registration = settings_text(settings, SETTING_REGISTRATION);
    bool local = options_is_loopback(settings_text(settings, SETTING_BIND_HOST));
    struct gateway_options options = {
        .queue = control->queue,
        .query_threads = queue_threads(settings),
        .catalog = control->catalog,
        .verifier = control->access->verifier,
        .revocations = control->access->revocations,
        .keys = &control->access->keys,
        .issuer = settings_text(settings, SETTING_JWT_ISSUER),
        .audience = settings_text(settings, SETTING_JWT_AUDIENCE),
        .tenant = settings_text(settings, SETTING_TENANT_ID),
        .shares_catalog = settings_text(settings, SETTING_CATALOG_URL)[0] != 0,
        .tenants_path = control->access->tenants_path,
        .tenants = control->access->tenants,
        .access_life_s = settings_int(settings, SETTING_JWT_EXPIRATION_HOURS) * 3600,
        .refresh_life_s = settings_int(settings, SETTING_REFRESH_EXPIRATION_DAYS) * 86400,
        .bcrypt_rounds = (int)settings_int(settings, SETTING_BCRYPT_ROUNDS),
        .open_registration =
            strcmp(registration, "open") == 0 || (strcmp(registration, "auto") == 0 && local),
        .default_role = settings_text(settings, SETTING_DEFAULT_ROLE),
        .first_admin = tell_first_admin,
        .rate = {.per_second = settings_real(settings, SETTING_RATE_LIMIT_PER_SECOND),
                 .burst = settings_real(settings, SETTING_RATE_LIMIT_BURST)}};
    struct service_options with_tls = *base;
    if (tls_is_set(settings)) {
        TRY(tls_files_open(settings, control->sys, &control->tls_files, err));
        with_tls.http.tls_certificate = tls_certificate(&control->tls_files);
        with_tls.http.tls_key = tls_key(&control->tls_files);
        with_tls.http.tls_newest_only =
            strcmp(settings_text(settings, SETTING_TLS_MIN_VERSION), "1.3") == 0;
    }
    if (control->nodes)
        options.nodes = gateway_calls(control->nodes);
    TRY(gateway_start(&with_tls, &options, &control->gateway, err));
    control->tls = tls_is_set(settings);
    *ret = gateway_service(control->gateway);
    return STATUS_OK;
}

static enum status start_optimizer(struct control *control, const struct service_options *base,
                                   struct service **ret, struct error *err)
{
    struct optimizer_nodes nodes = {0};
    if (control->nodes)
        nodes = optimizer_calls(control->nodes);
    TRY(optimizer_service_start(base, &nodes, &control->optimizer, err));
    *ret = optimizer_service_of(control->optimizer);
    return STATUS_OK;
}

static enum status start_one(struct control *control, enum service_kind kind, struct error *err)
{
    const struct service_options base = base_options(control, kind);
    struct service *service = NULL;
    enum status status = STATUS_OK;
    switch (kind) {
    case SERVICE_GATEWAY:
        status = start_gateway(control, &base, &service, err);
        break;
    case SERVICE_OPERATION:
        status = start_operation(control, &base, &service, err);
        break;
    case SERVICE_OPTIMIZER:
        status = start_optimizer(control, &base, &service, err);
        break;
    case SERVICE_CATALOG:
        status = start_catalog(control, &base, &service, err);
        break;
    case SERVICE_MONITORING:
        status = start_monitoring(control, &base, &service, err);
        break;
    case SERVICE_INTERPRETER:
        status = start_interpreter(control, &base, &service, err);
        break;
    case SERVICE_TENANT:
    case SERVICE_COUNT:
        return STATUS_OK; /* the node is a process of its own */
    }
    if (status != STATUS_OK)
        return error_wrap(err, "the %s service cannot start on %s port %u", service_info(kind)->key,
                          base.http.host, (unsigned)base.http.port);
    control->services[kind] = service;
    control->ports[kind] = service_port(service);
    return STATUS_OK;
}

enum status control_start(const struct quarryd_options *options, struct sys *sys,
                          const struct log *log, const struct access *access,
                          struct tenant_nodes *nodes, struct control **ret_control,
                          struct error *err)
{
    struct control *control = calloc(1, sizeof *control);
    if (!control)
        return error_no_memory(err);
    control->options = options;
    control->sys = sys;
    control->log = log;
    control->access = access;
    control->nodes = nodes;
    enum status opened = queue_open(options->settings, sys, &control->queue, err);
    if (opened == STATUS_OK)
        opened = open_catalog(control, err);
    if (opened != STATUS_OK) {
        control_stop(control, 0);
        return error_wrap(err, "the catalog or the queue cannot be opened");
    }
    for (int i = 0; i < SERVICE_COUNT; i++) {
        if (!(options->services & 1u << i))
            continue;
        enum status status = start_one(control, (enum service_kind)i, err);
        if (status != STATUS_OK) {
            control_stop(control, 0);
            return status;
        }
    }
    *ret_control = control;
    return STATUS_OK;
}

void control_get_ports(const struct control *control, uint16_t ports[SERVICE_COUNT])
{
    memcpy(ports, control->ports, sizeof control->ports);
}

int control_look_in_ms(const struct control *control)
{
    return control && control->tls ? TLS_LOOK_MS : -1;
}

void control_look(struct control *control, bool anew)
{
    struct error err = ERROR_INIT;
    if (!control || !control->tls || (!anew && !tls_files_changed(&control->tls_files)))
        return;
    enum status status = tls_files_read(&control->tls_files, &err);
    if (status == STATUS_OK)
        status = service_set_certificate(gateway_service(control->gateway),
                                         tls_certificate(&control->tls_files),
                                         tls_key(&control->tls_files), &err);
    if (status == STATUS_OK)
        log_event(control->log, LOG_INFO, "the TLS certificate was read anew",
                  LOG_TEXT("file", str_of(control->tls_files.paths[0])));
    else
        log_error(control->log, "the TLS certificate cannot be used; the old one stays", &err);
}

void control_reload(struct control *control, const struct settings *fresh)
{
    if (!control)
        return;
    monitoring_set_interval(control->monitoring,
                            (uint32_t)settings_int(fresh, SETTING_METRICS_INTERVAL_SECONDS));
}

void control_stop(struct control *control, uint32_t grace_ms)
{
    if (!control)
        return;
    int64_t end_us = sys_mono_us(control->sys) + (int64_t)grace_ms * 1000;
    discovery_leave(atomic_load(&control->discovery)); /* first: others send no more calls */
    monitoring_quiesce(control->monitoring);
    for (int i = 0; i < SERVICE_COUNT; i++)
        if (control->services[i])
            service_drain(control->services[i]);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        int64_t left_us = end_us - sys_mono_us(control->sys);
        uint32_t left_ms = left_us > 0 ? (uint32_t)(left_us / 1000) : 0;
        if (i == SERVICE_GATEWAY)
            gateway_stop(control->gateway, left_ms);
        else if (i == SERVICE_OPERATION)
            operation_stop(control->operation, left_ms);
        else if (i == SERVICE_OPTIMIZER)
            optimizer_service_stop(control->optimizer, left_ms);
        else if (i == SERVICE_INTERPRETER)
            interpreter_stop(control->interpreter, left_ms);
        else if (i == SERVICE_MONITORING)
            monitoring_stop(control->monitoring, left_ms);
        else if (i == SERVICE_CATALOG)
            catalog_service_stop(control->catalog_service, left_ms);
        else
            service_stop(control->services[i], left_ms);
    }
    discovery_free(atomic_load(&control->discovery));
    text_feed_stop(control->text);
    catalog_close(control->catalog); /* its last commit is still told to the feed */
    text_feed_close(control->text);
    tls_files_close(&control->tls_files);
    query_queue_free(control->queue);
    free(control);
}
