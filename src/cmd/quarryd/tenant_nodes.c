/* tenant_nodes.c: who asks for a node marks it as wanted and waits; the main thread starts and
 * stops.
 *
 *   any thread   tenant_nodes_enter: wanted = true, wake, wait for `changed`
 *   main thread  tenant_nodes_step: start what is wanted, halt what is idle, tell the waiting
 *
 * Supervisors belong to the main thread, but for supervisor_status; the lock guards the rest. */
#include "cmd/quarryd/tenant_nodes.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cmd/quarryd/logs.h"
#include "sys/thread.h"

enum {
    TENANT_NAME_MAX = 64,
    ENTER_WAIT_US = 10000000,  /* a caller's patience with a start */
    FAILED_WAIT_US = 5000000,  /* after a start that failed, before the next try */
    BACKOFF_WAIT_US = 2000000, /* a caller waits for the next start after a crash no longer */
    HALT_WAIT_US = 5000000,    /* calls under way may end for so long before their node is halted */
    LOOK_MS = 1000,            /* at nodes that are idle or to be halted */
    FLUSH_GRACE_MS = 60000,    /* of a node that is halted: it writes its files */
    URL_SPARE = 32,
};

struct node_entry {
    char tenant[TENANT_NAME_MAX + 1];
    struct supervisor *supervisor; /* NULL: never started, or the start failed */
    bool wanted;
    bool halt;           /* asked for by a command; callers wait until it is done */
    int64_t halt_us;     /* monotonic: then also with calls under way */
    uint32_t calls;      /* between enter and leave */
    int64_t used_us;     /* monotonic, of the last enter or leave */
    int64_t retry_us;    /* not started again before */
    struct error failed; /* why the last start failed */
};

struct tenant_nodes {
    const struct quarryd_options *options;
    struct sys *sys;
    const struct log *log;
    char auth_folder[SYS_PATH_MAX];
    char log_folder[SYS_PATH_MAX];
    int64_t idle_us; /* 0: never */
    uint32_t max;
    int wake_fd;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct node_entry *entries[NODES_MAX]; /* [0] is TENANT_ID's */
    _Atomic uint32_t len;
    uint32_t polled; /* entries that the last tenant_nodes_poll saw */
    struct scaler *scaler;
};

/* --- starting (main thread) --- */

static enum status start_first(struct tenant_nodes *nodes, struct error *err)
{
    const struct supervisor_options options = {.options = nodes->options,
                                               .tenant = nodes->entries[0]->tenant};
    return supervisor_start(&options, nodes->sys, nodes->log, &nodes->entries[0]->supervisor, err);
}

static enum status start_other(struct tenant_nodes *nodes, struct node_entry *entry,
                               struct error *err)
{
    const char *data = settings_text(nodes->options->settings, SETTING_DATA_PATH);
    char tenant[SYS_PATH_MAX], name[SYS_PATH_MAX], path[SYS_PATH_MAX],
        auth[SYS_PATH_MAX + URL_SPARE], logs[SYS_PATH_MAX + URL_SPARE];
    TRY(sys_path(tenant, err, "--tenant-id=%s", entry->tenant));
    TRY(sys_path(name, err, "--tenant-name=%s", entry->tenant));
    TRY(sys_path(path, err, "--data-path=%s/tenants/%s", data, entry->tenant));
    TRY(sys_mkdirs(nodes->sys, path + strlen("--data-path="), err));
    snprintf(auth, sizeof auth, "--auth-path=%s", nodes->auth_folder);
    snprintf(logs, sizeof logs, "--log-path=%s", nodes->log_folder);
    const char *const arguments[] = {tenant, name, path, auth, logs, "--rest-port=0", NULL};
    const struct supervisor_options options = {
        .options = nodes->options, .tenant = entry->tenant, .arguments = arguments};
    return supervisor_start(&options, nodes->sys, nodes->log, &entry->supervisor, err);
}

static struct node_entry *entry_new(const char *tenant, size_t len)
{
    struct node_entry *entry = calloc(1, sizeof *entry);
    if (entry)
        memcpy(entry->tenant, tenant, len);
    return entry;
}

static enum status open_parts(struct tenant_nodes *nodes, const char *auth_folder,
                              struct error *err)
{
    const struct settings *settings = nodes->options->settings;
    const char *tenant = settings_text(settings, SETTING_TENANT_ID);
    size_t len = strlen(tenant);
    nodes->idle_us = settings_int(settings, SETTING_TENANT_IDLE_SECONDS) * 1000000;
    nodes->max = (uint32_t)settings_int(settings, SETTING_TENANT_NODES_MAX);
    TRY(scaler_new(settings, nodes->sys, nodes->log, &nodes->scaler, err));
    TRY(sys_path(nodes->auth_folder, err, "%s", auth_folder));
    TRY(logs_folder(settings, nodes->log_folder, err));
    nodes->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (nodes->wake_fd < 0)
        return error_set(err, STATUS_RESOURCE_LIMIT, "no descriptor is left for the tenant nodes");
    nodes->entries[0] = entry_new(tenant, len < TENANT_NAME_MAX ? len : TENANT_NAME_MAX);
    if (!nodes->entries[0])
        return error_no_memory(err);
    nodes->len = 1;
    return start_first(nodes, err);
}

enum status tenant_nodes_start(const struct quarryd_options *options, struct sys *sys,
                               const struct log *log, const char *auth_folder,
                               struct tenant_nodes **ret, struct error *err)
{
    struct tenant_nodes *nodes = calloc(1, sizeof *nodes);
    if (!nodes)
        return error_no_memory(err);
    nodes->options = options;
    nodes->sys = sys;
    nodes->log = log;
    nodes->wake_fd = -1;
    pthread_mutex_init(&nodes->lock, NULL);
    thread_cond_init(&nodes->changed);
    enum status status = open_parts(nodes, auth_folder, err);
    if (status != STATUS_OK) {
        tenant_nodes_stop(nodes, 0);
        return status;
    }
    *ret = nodes;
    return STATUS_OK;
}

/* --- the main thread's rounds --- */

int tenant_nodes_poll(struct tenant_nodes *nodes, struct pollfd *fds, uint32_t *ret_len)
{
    pthread_mutex_lock(&nodes->lock);
    int wait_ms = nodes->len > 1 || nodes->entries[0]->halt ? LOOK_MS : -1;
    fds[0] = (struct pollfd){.fd = nodes->wake_fd, .events = POLLIN};
    uint32_t len = 1;
    for (uint32_t i = 0; i < nodes->len; i++, len += SUPERVISOR_FDS) {
        struct supervisor *supervisor = nodes->entries[i]->supervisor;
        fds[len] = fds[len + 1] = (struct pollfd){.fd = -1};
        int due_ms = supervisor ? supervisor_poll(supervisor, fds + len) : -1;
        wait_ms = wait_ms < 0 || (due_ms >= 0 && due_ms < wait_ms) ? due_ms : wait_ms;
    }
    int load_ms = scaler_wait_ms(nodes->scaler);
    wait_ms = wait_ms < 0 || load_ms < wait_ms ? load_ms : wait_ms;
    nodes->polled = (len - 1) / SUPERVISOR_FDS;
    pthread_mutex_unlock(&nodes->lock);
    *ret_len = len;
    return wait_ms;
}

static enum node_state state_of(const struct node_entry *entry)
{
    struct node_status status = {.state = NODE_STOPPED};
    if (entry->supervisor)
        supervisor_status(entry->supervisor, &status);
    return status.state;
}

/* Under the lock. */
static void act(struct tenant_nodes *nodes, struct node_entry *entry, bool first)
{
    int64_t now = sys_mono_us(nodes->sys);
    bool idle = !first && nodes->idle_us && entry->calls == 0 && !entry->wanted &&
                now - entry->used_us >= nodes->idle_us && state_of(entry) == NODE_RUNNING;
    bool free_now = entry->calls == 0 || now >= entry->halt_us;
    if (entry->supervisor && (idle || (entry->halt && free_now)))
        supervisor_halt(entry->supervisor, FLUSH_GRACE_MS);
    entry->halt &= entry->supervisor && !free_now;
    if (!entry->wanted || entry->halt)
        return;
    if (entry->supervisor)
        supervisor_run(entry->supervisor);
    else if (now >= entry->retry_us && start_other(nodes, entry, &entry->failed) != STATUS_OK)
        entry->retry_us = now + FAILED_WAIT_US;
    if (state_of(entry) == NODE_RUNNING)
        entry->wanted = false;
}

/* Under the lock. */
static void scale(struct tenant_nodes *nodes, struct node_entry *entry, bool ask)
{
    struct node_status status;
    struct tenant_load load;
    if (!entry->supervisor)
        return;
    if (ask)
        supervisor_ask_load(entry->supervisor);
    if (!supervisor_take_load(entry->supervisor, &load))
        return;
    supervisor_status(entry->supervisor, &status);
    uint32_t workers = scaler_take(nodes->scaler, entry->tenant, status.pid, &load);
    if (workers == load.workers_max)
        return;
    supervisor_set_workers(entry->supervisor, workers);
    supervisor_ask_load(entry->supervisor);
}

/* Under the lock: a node that never came up leaves only the reason. */
static void bury(struct tenant_nodes *nodes, struct node_entry *entry, const struct error *why)
{
    log_error(nodes->log, "a tenant's node did not start", why);
    entry->failed = *why;
    entry->wanted = false;
    entry->retry_us = sys_mono_us(nodes->sys) + FAILED_WAIT_US;
    supervisor_stop(entry->supervisor, 0);
    entry->supervisor = NULL;
}

enum status tenant_nodes_step(struct tenant_nodes *nodes, const struct pollfd *fds,
                              struct error *err)
{
    static const struct pollfd nothing[SUPERVISOR_FDS]; /* of one added since tenant_nodes_poll */
    eventfd_t count;
    if (fds[0].revents)
        (void)eventfd_read(nodes->wake_fd, &count);
    pthread_mutex_lock(&nodes->lock);
    enum status status = STATUS_OK;
    bool ask = scaler_due(nodes->scaler);
    for (uint32_t i = 0; i < nodes->len && status == STATUS_OK; i++) {
        struct node_entry *entry = nodes->entries[i];
        struct error why = ERROR_INIT;
        const struct pollfd *own = i < nodes->polled ? fds + 1 + i * SUPERVISOR_FDS : nothing;
        enum status stepped =
            entry->supervisor ? supervisor_step(entry->supervisor, own, &why) : STATUS_OK;
        if (stepped != STATUS_OK && i > 0)
            bury(nodes, entry, &why);
        else if (stepped != STATUS_OK)
            status = stepped, *err = why;
        if (status == STATUS_OK)
            act(nodes, entry, i == 0);
        scale(nodes, entry, ask);
    }
    pthread_cond_broadcast(&nodes->changed);
    pthread_mutex_unlock(&nodes->lock);
    return status;
}

struct scaler *tenant_nodes_scaler(struct tenant_nodes *nodes)
{
    return nodes->scaler;
}

void tenant_nodes_first(struct tenant_nodes *nodes, struct node_status *ret)
{
    supervisor_status(nodes->entries[0]->supervisor, ret);
}

void tenant_nodes_signal(struct tenant_nodes *nodes, int signal)
{
    for (uint32_t i = 0; i < nodes->len; i++)
        if (nodes->entries[i]->supervisor)
            supervisor_signal(nodes->entries[i]->supervisor, signal);
}

bool tenant_nodes_stop(struct tenant_nodes *nodes, uint32_t grace_ms)
{
    bool good = true;
    if (!nodes)
        return true;
    int64_t end_us = sys_mono_us(nodes->sys) + (int64_t)grace_ms * 1000;
    for (uint32_t i = 0; i < nodes->len; i++) /* all at once, then one after the other */
        if (nodes->entries[i]->supervisor)
            supervisor_halt(nodes->entries[i]->supervisor, grace_ms);
    for (uint32_t i = 0; i < nodes->len; i++) {
        int64_t left_us = end_us - sys_mono_us(nodes->sys);
        good &= supervisor_stop(nodes->entries[i]->supervisor,
                                left_us > 0 ? (uint32_t)(left_us / 1000) : 0);
        free(nodes->entries[i]);
    }
    scaler_free(nodes->scaler);
    if (nodes->wake_fd >= 0)
        close(nodes->wake_fd);
    pthread_cond_destroy(&nodes->changed);
    pthread_mutex_destroy(&nodes->lock);
    free(nodes);
    return good;
}

/* --- any thread --- */

static void wake(struct tenant_nodes *nodes)
{
    (void)eventfd_write(nodes->wake_fd, 1);
}

static struct node_entry *find(struct tenant_nodes *nodes, struct str tenant)
{
    for (uint32_t i = 0; i < nodes->len; i++)
        if (str_is(tenant, nodes->entries[i]->tenant))
            return nodes->entries[i];
    return NULL;
}

/* A name that is one folder, on every file system. */
static bool is_folder_name(struct str name)
{
    if (name.len == 0 || name.len > TENANT_NAME_MAX || name.data[0] == '.' || name.data[0] == '-')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.'))
            return false;
    }
    return true;
}

static enum status add(struct tenant_nodes *nodes, struct str tenant, struct node_entry **ret,
                       struct error *err)
{
    if (!is_folder_name(tenant))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "The tenant '%.*s' cannot have a node: its name must be 1 to %d of the "
                         "letters a-z, A-Z, 0-9, '_', '-' and '.', the first no '-' or '.'.",
                         STR_ARG(tenant), TENANT_NAME_MAX);
    if (nodes->len >= nodes->max)
        return error_set(err, STATUS_UNAVAILABLE,
                         "No more than TENANT_NODES_MAX = %u tenants can have a node here.",
                         nodes->max);
    struct node_entry *entry = entry_new(tenant.data, tenant.len);
    if (!entry)
        return error_no_memory(err);
    nodes->entries[nodes->len] = *ret = entry;
    nodes->len++;
    return STATUS_OK;
}

static enum status not_there(struct node_entry *entry, const struct node_status *status,
                             struct error *err)
{
    error_set(err, STATUS_UNAVAILABLE, "The node of the tenant '%s' is %s.", entry->tenant,
              entry->supervisor ? node_state_name(status->state) : "not running");
    if (err && entry->failed.message[0])
        snprintf(err->cause, sizeof err->cause, "%.200s", entry->failed.message);
    if (err)
        err->retry_after_s = 1 + FAILED_WAIT_US / 1000000;
    return STATUS_UNAVAILABLE;
}

/* A start that is not worth waiting for: it failed, or the node dies again and again. */
static bool is_hopeless(struct tenant_nodes *nodes, const struct node_entry *entry,
                        const struct node_status *status)
{
    int64_t now = sys_mono_us(nodes->sys);
    if (!entry->supervisor)
        return now < entry->retry_us;
    return status->state == NODE_BACKING_OFF && status->restart_us - now > BACKOFF_WAIT_US;
}

/* Under the lock. */
static enum status await_running(struct tenant_nodes *nodes, struct node_entry *entry,
                                 struct node_status *status, struct error *err)
{
    int64_t until_us = sys_mono_us(nodes->sys) + ENTER_WAIT_US;
    for (;;) {
        *status = (struct node_status){.state = NODE_STOPPED};
        if (entry->supervisor)
            supervisor_status(entry->supervisor, status);
        if (status->state == NODE_RUNNING && !entry->halt)
            return STATUS_OK;
        bool hopeless = is_hopeless(nodes, entry, status);
        entry->wanted = !hopeless;
        if (hopeless || sys_mono_us(nodes->sys) >= until_us)
            return not_there(entry, status, err);
        wake(nodes);
        (void)thread_cond_wait_until(&nodes->changed, &nodes->lock, until_us);
    }
}

enum status tenant_nodes_enter(struct tenant_nodes *nodes, struct str tenant,
                               char url[NODE_URL_MAX], struct error *err)
{
    struct node_status node;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&nodes->lock);
    struct node_entry *entry = find(nodes, tenant);
    if (!entry)
        status = add(nodes, tenant, &entry, err);
    if (status == STATUS_OK)
        status = await_running(nodes, entry, &node, err);
    if (status == STATUS_OK) {
        entry->calls++;
        entry->used_us = sys_mono_us(nodes->sys);
    }
    pthread_mutex_unlock(&nodes->lock);
    TRY(status);
    const char *host = settings_text(nodes->options->settings, SETTING_REST_HOST);
    options_url(options_reach(host), node.port, url, NODE_URL_MAX);
    return STATUS_OK;
}

void tenant_nodes_leave(struct tenant_nodes *nodes, struct str tenant)
{
    pthread_mutex_lock(&nodes->lock);
    struct node_entry *entry = find(nodes, tenant);
    if (entry) {
        entry->calls--;
        entry->used_us = sys_mono_us(nodes->sys);
        if (entry->halt && entry->calls == 0)
            wake(nodes);
    }
    pthread_mutex_unlock(&nodes->lock);
}

uint32_t tenant_nodes_list(struct tenant_nodes *nodes, struct node_status *ret, uint32_t cap)
{
    pthread_mutex_lock(&nodes->lock);
    uint32_t len = nodes->len < cap ? nodes->len : cap;
    for (uint32_t i = 0; i < len; i++) {
        struct node_entry *entry = nodes->entries[i];
        ret[i] = (struct node_status){.state = NODE_STOPPED};
        snprintf(ret[i].tenant_id, sizeof ret[i].tenant_id, "%s", entry->tenant);
        if (entry->supervisor)
            supervisor_status(entry->supervisor, &ret[i]);
        else
            snprintf(ret[i].last_end, sizeof ret[i].last_end, "%.*s",
                     (int)sizeof ret[i].last_end - 1, entry->failed.message);
        ret[i].calls = entry->calls;
    }
    pthread_mutex_unlock(&nodes->lock);
    return len;
}

enum status tenant_nodes_command(struct tenant_nodes *nodes, struct str tenant,
                                 enum node_command command, struct error *err)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&nodes->lock);
    struct node_entry *entry = find(nodes, tenant);
    if (!entry)
        status = error_set(err, STATUS_NOT_FOUND, "No node of the tenant '%.*s' is known here.",
                           STR_ARG(tenant));
    else if (entry == nodes->entries[0] && command == NODE_COMMAND_STOP)
        status = error_set(err, STATUS_CONFLICT,
                           "The node of TENANT_ID runs as long as quarryd does; it can be "
                           "restarted.");
    if (status == STATUS_OK) {
        entry->halt = command != NODE_COMMAND_START;
        entry->halt_us = sys_mono_us(nodes->sys) + HALT_WAIT_US;
        entry->wanted = command != NODE_COMMAND_STOP;
        entry->retry_us = 0;
    }
    pthread_mutex_unlock(&nodes->lock);
    wake(nodes);
    return status;
}
