#include "cmd/quarryd/scaler.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/scale_settings.h"

enum { NODES_MAX = OPERATION_NODES_MAX, MS_MAX = 3600000 };

struct scaled_node {
    char tenant[SCALING_TENANT_MAX + 1];
    int pid; /* whose numbers these are; 0: none yet */
    struct tenant_load load;
    int64_t load_us; /* monotonic */
    struct scale_state state;
    struct scale_sample last;
    char reason[SCALE_REASON_MAX];
    int64_t up_us, down_us; /* since 1970; 0: never */
};

struct scaler {
    struct sys *sys;
    const struct log *log;
    pthread_mutex_t lock;
    struct scale_policy policy;
    bool enabled;
    int64_t interval_us, due_us; /* monotonic */
    struct scaled_node nodes[NODES_MAX];
    uint32_t len;
    struct scaling_event history[SCALER_HISTORY_MAX]; /* a ring */
    uint64_t changes;
};

enum status scaler_set(struct scaler *scaler, const struct settings *settings, struct error *err)
{
    struct scale_policy policy;
    TRY(scale_policy_of(settings, &policy, err));
    pthread_mutex_lock(&scaler->lock);
    scaler->policy = policy;
    scaler->enabled = settings_bool(settings, SETTING_AUTO_SCALING_ENABLED);
    scaler->interval_us = settings_int(settings, SETTING_SCALE_INTERVAL_SECONDS) * 1000000;
    pthread_mutex_unlock(&scaler->lock);
    return STATUS_OK;
}

enum status scaler_new(const struct settings *settings, struct sys *sys, const struct log *log,
                       struct scaler **ret, struct error *err)
{
    struct scaler *scaler = calloc(1, sizeof *scaler);
    if (!scaler)
        return error_no_memory(err);
    scaler->sys = sys;
    scaler->log = log;
    pthread_mutex_init(&scaler->lock, NULL);
    enum status status = scaler_set(scaler, settings, err);
    if (status != STATUS_OK) {
        scaler_free(scaler);
        return status;
    }
    scaler->due_us = sys_mono_us(sys) + scaler->interval_us;
    *ret = scaler;
    return STATUS_OK;
}

void scaler_free(struct scaler *scaler)
{
    if (!scaler)
        return;
    pthread_mutex_destroy(&scaler->lock);
    free(scaler);
}

/* --- the rounds --- */

int scaler_wait_ms(struct scaler *scaler)
{
    int64_t left_ms = (scaler->due_us - sys_mono_us(scaler->sys)) / 1000 + 1;
    return left_ms < 0 ? 0 : left_ms > MS_MAX ? MS_MAX : (int)left_ms;
}

bool scaler_due(struct scaler *scaler)
{
    int64_t now_us = sys_mono_us(scaler->sys);
    bool due = now_us >= scaler->due_us;
    if (due)
        scaler->due_us = now_us + scaler->interval_us;
    return due;
}

/* --- one node's load --- */

static struct scaled_node *find(struct scaler *scaler, const char *tenant)
{
    for (uint32_t i = 0; i < scaler->len; i++)
        if (strcmp(scaler->nodes[i].tenant, tenant) == 0)
            return &scaler->nodes[i];
    if (scaler->len == NODES_MAX)
        return NULL;
    struct scaled_node *node = &scaler->nodes[scaler->len++];
    snprintf(node->tenant, sizeof node->tenant, "%s", tenant);
    return node;
}

/* Per cent of the machine's memory that is available; -1: not known. */
static double machine_free(void)
{
    unsigned long long total = 0, available = 0;
    FILE *file = fopen("/proc/meminfo", "re");
    bool good = file && fscanf(file, "MemTotal: %llu kB MemFree: %*u kB MemAvailable: %llu", &total,
                               &available) == 2;
    if (file)
        fclose(file);
    return good && total ? 100.0 * (double)available / (double)total : -1;
}

static double machine_memory(void)
{
    return (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
}

static struct scale_sample sample_of(const struct scaled_node *node, const struct tenant_load *now,
                                     int64_t now_us)
{
    const struct tenant_load *before = &node->load;
    double passed_us = (double)(now_us > node->load_us ? now_us - node->load_us : 1);
    double cpu_us = now->cpu_us > before->cpu_us ? (double)(now->cpu_us - before->cpu_us) : 0;
    uint64_t ended = now->ended - before->ended;
    return (struct scale_sample){
        .at_us = now_us,
        .cpu = 100 * cpu_us / passed_us / (double)sysconf(_SC_NPROCESSORS_ONLN),
        .memory = 100 * (double)now->memory_bytes / machine_memory(),
        .running = now->running,
        .queued = now->waiting,
        .query_s = ended ? (double)(now->took_us - before->took_us) / (double)ended / 1e6 : 0,
        .machine_free = machine_free()};
}

static void begin_anew(struct scaled_node *node, int pid, const struct tenant_load *load,
                       int64_t now_us)
{
    node->pid = pid;
    node->load = *load;
    node->load_us = now_us;
    node->state.window_len = 0; /* cool-downs go on */
    if (node->state.workers == 0)
        node->state.workers = load->workers_max;
}

static void record(struct scaler *scaler, struct scaled_node *node,
                   const struct scale_decision *decision)
{
    int64_t now_us = sys_now_us(scaler->sys);
    struct scaling_event *event = &scaler->history[scaler->changes++ % SCALER_HISTORY_MAX];
    *event = (struct scaling_event){
        .at_us = now_us, .action = decision->action, .from = decision->from, .to = decision->to};
    memcpy(event->tenant_id, node->tenant, sizeof node->tenant);
    memcpy(event->reason, decision->reason, sizeof event->reason);
    *(decision->action == SCALE_UP ? &node->up_us : &node->down_us) = now_us;
}

static void tell(const struct scaler *scaler, const struct scaled_node *node,
                 const struct scale_decision *decision)
{
    bool changed = decision->action != SCALE_HOLD;
    log_event(scaler->log, changed ? LOG_INFO : LOG_DEBUG, "scaling",
              LOG_TEXT("tenant", str_of(node->tenant)),
              LOG_TEXT("action", str_of(scale_action_name(decision->action))),
              LOG_NUM("from", decision->from), LOG_NUM("to", decision->to),
              LOG_TEXT("reason", str_of(decision->reason)));
}

static void decide(struct scaler *scaler, struct scaled_node *node, const struct tenant_load *load)
{
    struct scale_policy policy = scaler->policy;
    struct scale_decision decision;
    if (load->workers_most < policy.max)
        policy.max = load->workers_most;
    if (policy.min > policy.max)
        policy.min = policy.max;
    if (!scaler->enabled) {
        snprintf(node->reason, sizeof node->reason, "AUTO_SCALING_ENABLED is false");
        node->state.window_len = 0;
        return;
    }
    if (scale_decide(&policy, &node->state, &node->last, &decision, NULL) != STATUS_OK)
        return;
    memcpy(node->reason, decision.reason, sizeof node->reason);
    if (decision.action != SCALE_HOLD)
        record(scaler, node, &decision);
    tell(scaler, node, &decision);
}

uint32_t scaler_take(struct scaler *scaler, const char *tenant, int pid,
                     const struct tenant_load *load)
{
    int64_t now_us = sys_mono_us(scaler->sys);
    uint32_t workers = load->workers_max;
    pthread_mutex_lock(&scaler->lock);
    struct scaled_node *node = find(scaler, tenant);
    bool sample = node && node->pid == pid && now_us - node->load_us >= scaler->interval_us / 2;
    if (sample) {
        node->last = sample_of(node, load, now_us);
        node->load = *load;
        node->load_us = now_us;
        decide(scaler, node, load);
        workers = node->state.workers;
    } else if (node && node->pid == pid) { /* it confirms a change */
        node->load.workers = load->workers;
        node->load.workers_max = load->workers_max;
    } else if (node) {
        begin_anew(node, pid, load, now_us);
        workers = node->state.workers;
    }
    pthread_mutex_unlock(&scaler->lock);
    return workers;
}

/* --- for people --- */

uint32_t scaler_list(struct scaler *scaler, struct scaling_node *ret, uint32_t cap)
{
    pthread_mutex_lock(&scaler->lock);
    uint32_t len = scaler->len < cap ? scaler->len : cap;
    for (uint32_t i = 0; i < len; i++) {
        const struct scaled_node *node = &scaler->nodes[i];
        ret[i] = (struct scaling_node){.workers = node->state.workers,
                                       .workers_alive = node->load.workers,
                                       .workers_most = node->load.workers_most,
                                       .in_progress = node->state.workers != node->load.workers_max,
                                       .last = node->last,
                                       .average = scale_average(&node->state),
                                       .memory_bytes = node->load.memory_bytes,
                                       .up_us = node->up_us,
                                       .down_us = node->down_us};
        memcpy(ret[i].tenant_id, node->tenant, sizeof node->tenant);
        memcpy(ret[i].reason, node->reason, sizeof node->reason);
    }
    pthread_mutex_unlock(&scaler->lock);
    return len;
}

uint32_t scaler_history(struct scaler *scaler, struct scaling_event *ret, uint32_t cap)
{
    pthread_mutex_lock(&scaler->lock);
    uint64_t kept = scaler->changes < SCALER_HISTORY_MAX ? scaler->changes : SCALER_HISTORY_MAX;
    uint32_t len = kept < cap ? (uint32_t)kept : cap;
    for (uint32_t i = 0; i < len; i++)
        ret[i] = scaler->history[(scaler->changes - 1 - i) % SCALER_HISTORY_MAX];
    pthread_mutex_unlock(&scaler->lock);
    return len;
}

bool scaler_is_enabled(struct scaler *scaler)
{
    pthread_mutex_lock(&scaler->lock);
    bool enabled = scaler->enabled;
    pthread_mutex_unlock(&scaler->lock);
    return enabled;
}
