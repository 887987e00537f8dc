/* quarryd: all services of Quarry in one process tree.
 *
 *   1. settings from file, environment, flags; refuse what must not be
 *   2. signals come through a descriptor, to this thread only
 *   3. with --node: be the tenant node (node.c)
 *   4. else: start the node's process, meanwhile the control services here; wait until all are
 * ready, then write the ports file and tell the service manager. Anything that fails until here
 * stops everything again: exit status 1, never half a start.
 *   5. wait for signals and for the nodes (tenant_nodes.c) until asked to stop
 *   6. stop: control services, then the node, which flushes */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cmd/quarryd/control.h"
#include "cmd/quarryd/logs.h"
#include "cmd/quarryd/node.h"
#include "cmd/quarryd/notify.h"
#include "cmd/quarryd/ports.h"
#include "cmd/quarryd/tenant_nodes.h"
#include "quarry_version.h"

enum {
    EXIT_OK = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    NODE_FLUSH_GRACE_MS = 60000, /* on top of SHUTDOWN_GRACE_SECONDS: the node writes its files */
};

struct quarryd {
    struct quarryd_options options;
    struct sys *sys;
    struct log log;
    struct log_files *log_files; /* NULL: nothing is collected */
    int signals;
    bool stopping;
    struct access access;
    struct tenant_nodes *nodes; /* NULL: no tenant nodes here */
    struct control *control;
};

static int complain(const struct error *err, int exit_status)
{
    fprintf(stderr, "quarryd: %s%s%s\n", err->message, err->cause[0] ? ": " : "", err->cause);
    return exit_status;
}

static enum log_level log_level_of(const struct settings *settings)
{
    enum log_level level = LOG_INFO;
    (void)log_level_parse(str_of(settings_text(settings, SETTING_LOG_LEVEL)), &level);
    return level;
}

/* --- 2. signals --- */

static int take_signals(void)
{
    static const int handled[] = {SIGTERM, SIGINT, SIGHUP};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof handled / sizeof *handled; i++)
        sigaddset(&set, handled[i]);
    signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* SIGHUP: of the settings that may change while it runs, this release has LOG_LEVEL,
 * LOG_RETENTION_DAYS, METRICS_INTERVAL_SECONDS and those of scaling. */
static void reload(struct quarryd *q)
{
    struct quarryd_options fresh;
    struct error err = ERROR_INIT;
    enum status status = options_parse(&fresh, q->sys, q->options.argc, q->options.argv, &err);
    if (status == STATUS_OK) {
        __atomic_store_n(&q->log.level, log_level_of(fresh.settings), __ATOMIC_RELAXED);
        if (q->log_files)
            log_files_set_retention(
                q->log_files, (uint32_t)settings_int(fresh.settings, SETTING_LOG_RETENTION_DAYS));
        control_reload(q->control, fresh.settings);
        if (q->nodes &&
            scaler_set(tenant_nodes_scaler(q->nodes), fresh.settings, &err) != STATUS_OK)
            log_error(&q->log, "the settings of scaling are wrong; the old ones stay", &err);
        log_event(&q->log, LOG_INFO, "settings reloaded",
                  LOG_TEXT("log_level", str_of(settings_text(fresh.settings, SETTING_LOG_LEVEL))));
    } else {
        log_error(&q->log, "the settings are wrong; the old ones stay", &err);
    }
    options_release(&fresh);
    control_look(q->control, true);
    if (q->nodes)
        tenant_nodes_signal(q->nodes, SIGHUP);
}

static void take_signal(struct quarryd *q)
{
    struct signalfd_siginfo info;
    while (read(q->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGHUP)
            reload(q);
        else
            q->stopping = true;
    }
}

/* --- 4. start, 5. wait --- */

/* One round of waiting; a failure is final. */
static enum status turn(struct quarryd *q, struct error *err)
{
    struct pollfd fds[1 + NODES_FDS] = {{.fd = q->signals, .events = POLLIN}};
    uint32_t len = 0;
    int timeout_ms = control_look_in_ms(q->control);
    if (q->nodes) {
        int due_ms = tenant_nodes_poll(q->nodes, fds + 1, &len);
        timeout_ms = timeout_ms < 0 || (due_ms >= 0 && due_ms < timeout_ms) ? due_ms : timeout_ms;
    }
    if (poll(fds, 1 + len, timeout_ms) < 0) {
        if (errno != EINTR)
            return error_errno(err, errno, "poll failed");
        return STATUS_OK;
    }
    if (fds[0].revents)
        take_signal(q);
    control_look(q->control, false);
    return q->nodes ? tenant_nodes_step(q->nodes, fds + 1, err) : STATUS_OK;
}

static bool node_is_starting(struct quarryd *q)
{
    struct node_status node;
    if (!q->nodes)
        return false;
    tenant_nodes_first(q->nodes, &node);
    return node.state == NODE_STARTING;
}

static enum status start_all(struct quarryd *q, struct error *err)
{
    const char *data = settings_text(q->options.settings, SETTING_DATA_PATH);
    if (sys_mkdirs(q->sys, data, err) != STATUS_OK)
        return error_wrap(err, "the data directory %s cannot be made", data);
    TRY(logs_open(q->options.settings, q->sys, &q->log, &q->log_files, err));
    TRY(access_open(&q->options, q->sys, &q->log, &q->access, err));
    if (q->options.services & 1u << SERVICE_TENANT) {
        TRY(tenant_nodes_start(&q->options, q->sys, &q->log, q->access.folder, &q->nodes, err));
    }
    TRY(control_start(&q->options, q->sys, &q->log, &q->access, q->nodes, &q->control, err));
    while (!q->stopping && node_is_starting(q))
        TRY(turn(q, err));
    return STATUS_OK;
}

/* The plain words of a start, for people; the same facts go to the log. */
static void announce(struct quarryd *q, const uint16_t ports[SERVICE_COUNT])
{
    const struct settings *settings = q->options.settings;
    struct buf text;
    buf_init(&text, 4096);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        enum setting host = i == SERVICE_TENANT ? SETTING_REST_HOST : SETTING_BIND_HOST;
        if (ports[i])
            buf_printf(&text, "%s%s %s:%u", text.len ? ", " : "",
                       service_info((enum service_kind)i)->key, settings_text(settings, host),
                       (unsigned)ports[i]);
    }
    buf_append_char(&text, 0);
    const char *where = buf_failed(&text) ? "" : text.data;
    bool open = !access_is_required(&q->options, SERVICE_GATEWAY) ||
                !access_is_required(&q->options, SERVICE_TENANT);
    fprintf(stderr, "quarryd %s is ready: %s\n", QUARRY_VERSION, where);
    if (open) {
        fprintf(stderr,
                "quarryd: NO TOKEN is asked for: whoever reaches these ports can read and change "
                "all data%s; AUTH_REQUIRED=yes changes that\n",
                q->options.insecure_bind ? " (--insecure-bind was given)" : " (loopback only)");
        log_event(&q->log, LOG_WARN, "no token is asked for",
                  LOG_NUM("insecure_bind", q->options.insecure_bind));
    }
    log_event(&q->log, LOG_INFO, "ready", LOG_TEXT("version", STR(QUARRY_VERSION)),
              LOG_TEXT("listening", str_of(where)), LOG_NUM("pid", getpid()));
    buf_release(&text);
}

static enum status publish(struct quarryd *q, struct error *err)
{
    uint16_t ports[SERVICE_COUNT];
    struct node_status node;
    control_get_ports(q->control, ports);
    if (q->nodes) {
        tenant_nodes_first(q->nodes, &node);
        ports[SERVICE_TENANT] = node.port;
    }
    TRY(control_publish(q->control, ports, err));
    if (q->options.ports_file)
        TRY(ports_write(q->sys, q->options.ports_file, ports, err));
    announce(q, ports);
    notify_manager("READY=1");
    return STATUS_OK;
}

/* --- 6. stop --- */

static void stop_all(struct quarryd *q)
{
    uint32_t grace_ms =
        (uint32_t)settings_int(q->options.settings, SETTING_SHUTDOWN_GRACE_SECONDS) * 1000;
    notify_manager("STOPPING=1");
    control_stop(q->control, grace_ms);
    if (!tenant_nodes_stop(q->nodes, grace_ms + NODE_FLUSH_GRACE_MS))
        log_event(&q->log, LOG_ERROR, "a tenant node had to be killed", LOG_NUM("pid", getpid()));
    access_close(&q->access);
}

static int run(struct quarryd *q)
{
    struct error err = ERROR_INIT;
    enum status status = start_all(q, &err);
    if (status == STATUS_OK && !q->stopping)
        status = publish(q, &err);
    while (status == STATUS_OK && !q->stopping)
        status = turn(q, &err);
    log_event(&q->log, LOG_INFO, "stopping", LOG_NUM("pid", getpid()));
    stop_all(q);
    if (status != STATUS_OK) {
        log_error(&q->log, "failed", &err);
        logs_close(&q->log, q->log_files);
        return complain(&err, EXIT_FAILED);
    }
    log_event(&q->log, LOG_INFO, "stopped", LOG_NUM("pid", getpid()));
    logs_close(&q->log, q->log_files);
    return EXIT_OK;
}

static void warn_of_early_settings(const struct quarryd *q)
{
    for (int i = 0; i < SETTING_COUNT; i++) {
        const struct setting_info *info = setting_info((enum setting)i);
        if (settings_is_early(q->options.settings, (enum setting)i, QUARRY_VERSION))
            log_event(&q->log, LOG_WARN, "this setting has no effect before a later release",
                      LOG_TEXT("setting", str_of(info->name)),
                      LOG_TEXT("since", str_of(info->since)));
    }
}

/* --- 1., 3. --- */

static int print_and_exit(struct quarryd *q)
{
    struct error err = ERROR_INIT;
    if (q->options.help)
        options_print_help();
    else if (q->options.version)
        printf("quarryd %s\n", QUARRY_VERSION);
    else if (options_print_settings(&q->options, &err) != STATUS_OK)
        return complain(&err, EXIT_FAILED);
    return EXIT_OK;
}

/* A connection is a descriptor: as many as the hard limit allows (the children inherit it). */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* the present limit serves too, only for fewer */
    }
}

int main(int argc, char **argv)
{
    struct quarryd q = {.sys = sys_posix()};
    struct error err = ERROR_INIT;
    int exit_status;
    if (options_parse(&q.options, q.sys, argc, argv, &err) != STATUS_OK) {
        exit_status = complain(&err, EXIT_USAGE);
    } else if (q.options.help || q.options.version || q.options.print_settings) {
        exit_status = print_and_exit(&q);
    } else if (options_check_bind(&q.options, &err) != STATUS_OK) {
        exit_status = complain(&err, EXIT_USAGE);
    } else if ((q.signals = take_signals()) < 0) {
        exit_status = EXIT_FAILED;
    } else {
        q.log = (struct log){
            .fd = STDERR_FILENO, .level = log_level_of(q.options.settings), .service = "quarryd"};
        raise_file_limit();
        if (q.options.node) {
            exit_status = node_main(&q.options, q.sys, &q.log, q.signals);
        } else {
            mallopt(M_ARENA_MAX, 2); /* seldom more than one busy thread here: memory counts more */
            warn_of_early_settings(&q);
            exit_status = run(&q);
        }
    }
    options_release(&q.options);
    return exit_status;
}
