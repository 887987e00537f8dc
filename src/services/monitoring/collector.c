#include "services/monitoring/collector.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/http_client.h"
#include "sys/thread.h"

struct target {
    bool set, tls;
    char host[COLLECTOR_HOST_MAX];
    uint16_t port;
    struct service_health health;
    uint32_t history; /* one bit a probe, the latest lowest */
    uint32_t history_len;
    struct buf text; /* latest metrics; empty: none */
};

struct collector {
    struct collector_options options;
    struct sys *sys;
    struct http_client *client; /* the thread's */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct target targets[SERVICE_COUNT];
    _Atomic uint32_t interval_s;
    atomic_bool ends;
    struct thread thread;
};

/* --- health --- */

static void remember(struct collector *collector, enum service_kind kind,
                     const struct probe_result *result)
{
    int64_t now_us = sys_now_us(collector->sys);
    pthread_mutex_lock(&collector->lock);
    struct target *target = &collector->targets[kind];
    struct service_health *health = &target->health;
    if (!health->checked_us || health->probe.healthy != result->healthy)
        health->since_us = now_us;
    health->probe = *result;
    health->checked_us = now_us;
    target->history = target->history << 1 | result->healthy;
    if (target->history_len < HEALTH_HISTORY)
        target->history_len++;
    uint32_t mask = (1u << target->history_len) - 1;
    health->score =
        (double)__builtin_popcount(target->history & mask) / (double)target->history_len;
    pthread_mutex_unlock(&collector->lock);
}

size_t collector_health(struct collector *collector, struct service_health ret[SERVICE_COUNT])
{
    size_t n = 0;
    pthread_mutex_lock(&collector->lock);
    for (int i = 0; i < SERVICE_COUNT; i++)
        if (collector->targets[i].set) {
            ret[n] = collector->targets[i].health;
            ret[n].kind = (enum service_kind)i;
            ret[n++].port = collector->targets[i].port;
        }
    pthread_mutex_unlock(&collector->lock);
    return n;
}

size_t collector_probe(struct collector *collector, struct str request_id,
                       struct service_health ret[SERVICE_COUNT])
{
    struct probe_target targets[SERVICE_COUNT];
    struct probe_result results[SERVICE_COUNT];
    char hosts[SERVICE_COUNT][COLLECTOR_HOST_MAX];
    enum service_kind kinds[SERVICE_COUNT];
    size_t n = 0;
    pthread_mutex_lock(&collector->lock);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        if (!collector->targets[i].set)
            continue;
        memcpy(hosts[n], collector->targets[i].host, COLLECTOR_HOST_MAX);
        targets[n] = (struct probe_target){hosts[n], collector->targets[i].port, request_id,
                                           collector->targets[i].tls};
        kinds[n++] = (enum service_kind)i;
    }
    pthread_mutex_unlock(&collector->lock);
    probe_all(collector->sys, targets, n, collector->options.timeout_ms, results);
    for (size_t i = 0; i < n; i++)
        remember(collector, kinds[i], &results[i]);
    return collector_health(collector, ret);
}

/* --- metrics --- */

bool collector_url(struct collector *collector, enum service_kind kind, const char *path,
                   char out[COLLECTOR_URL_MAX])
{
    pthread_mutex_lock(&collector->lock);
    const struct target *target = &collector->targets[kind];
    bool known = target->set && target->port;
    bool v6 = strchr(target->host, ':') != NULL;
    snprintf(out, COLLECTOR_URL_MAX, "http%s://%s%s%s:%u%s", target->tls ? "s" : "", v6 ? "[" : "",
             target->host, v6 ? "]" : "", (unsigned)target->port, path);
    pthread_mutex_unlock(&collector->lock);
    return known;
}

static bool is_cancelled(void *context)
{
    struct collector *collector = context;
    return atomic_load(&collector->ends);
}

/* The text is emptied when there is no answer, or no such service. */
static void fetch_metrics(struct collector *collector, enum service_kind kind, struct buf *ret)
{
    char url[COLLECTOR_URL_MAX];
    struct http_reply reply;
    buf_clear(ret);
    if (!collector_url(collector, kind, "/metrics", url))
        return;
    const struct http_call call = {.url = url,
                                   .cancelled = is_cancelled,
                                   .context = collector,
                                   .timeout_ms = collector->options.timeout_ms};
    http_reply_init(&reply, COLLECTOR_TEXT_MAX);
    if (http_client_call(collector->client, &call, &reply, NULL) == STATUS_OK &&
        reply.status == 200)
        buf_append_str(ret, buf_str(&reply.body));
    http_reply_release(&reply);
}

bool collector_text(struct collector *collector, enum service_kind kind, struct buf *ret)
{
    pthread_mutex_lock(&collector->lock);
    struct str text = buf_str(&collector->targets[kind].text);
    bool good = text.len && buf_append_str(ret, text);
    pthread_mutex_unlock(&collector->lock);
    return good;
}

/* --- rounds --- */

static void round_of_metrics(struct collector *collector, struct buf texts[SERVICE_COUNT])
{
    struct alert_input inputs[SERVICE_COUNT];
    size_t n = 0;
    for (int i = 0; i < SERVICE_COUNT && !atomic_load(&collector->ends); i++) {
        fetch_metrics(collector, (enum service_kind)i, &texts[i]);
        inputs[n++] =
            (struct alert_input){service_info((enum service_kind)i)->name, buf_str(&texts[i])};
        pthread_mutex_lock(&collector->lock);
        buf_clear(&collector->targets[i].text);
        buf_append_str(&collector->targets[i].text, buf_str(&texts[i]));
        pthread_mutex_unlock(&collector->lock);
    }
    if (!atomic_load(&collector->ends))
        collector->options.on_round(collector->options.context, inputs, n);
}

/* False: no more rounds. */
static bool pause(struct collector *collector, int64_t us)
{
    int64_t until_us = sys_mono_us(collector->sys) + us;
    pthread_mutex_lock(&collector->lock);
    while (!atomic_load(&collector->ends) &&
           thread_cond_wait_until(&collector->wake, &collector->lock, until_us))
        ;
    pthread_mutex_unlock(&collector->lock);
    return !atomic_load(&collector->ends);
}

static void *run(void *context)
{
    struct collector *collector = context;
    struct service_health health[SERVICE_COUNT];
    struct buf texts[SERVICE_COUNT];
    int64_t wait_us = COLLECTOR_FIRST_US;
    for (int i = 0; i < SERVICE_COUNT; i++)
        buf_init(&texts[i], COLLECTOR_TEXT_MAX);
    while (pause(collector, wait_us)) {
        (void)collector_probe(collector, STR_NONE, health);
        round_of_metrics(collector, texts);
        wait_us = (int64_t)atomic_load(&collector->interval_s) * 1000000;
    }
    for (int i = 0; i < SERVICE_COUNT; i++)
        buf_release(&texts[i]);
    return NULL;
}

/* --- life --- */

enum status collector_new(const struct collector_options *options, struct collector **ret,
                          struct error *err)
{
    struct collector *collector = calloc(1, sizeof *collector);
    if (!collector)
        return error_no_memory(err);
    collector->options = *options;
    collector->sys = options->sys;
    atomic_init(&collector->interval_s, options->interval_s ? options->interval_s : 15);
    pthread_mutex_init(&collector->lock, NULL);
    thread_cond_init(&collector->wake);
    for (int i = 0; i < SERVICE_COUNT; i++)
        buf_init(&collector->targets[i].text, COLLECTOR_TEXT_MAX);
    /* whoever a certificate names: these are this machine's own services */
    const struct http_client_options client = {.insecure = true,
                                               .connect_timeout_ms = options->timeout_ms,
                                               .user_agent = "quarry-monitoring"};
    enum status status = http_client_new(&client, &collector->client, err);
    if (status != STATUS_OK) {
        collector_free(collector);
        return status;
    }
    *ret = collector;
    return STATUS_OK;
}

enum status collector_run(struct collector *collector, struct error *err)
{
    return thread_start(&collector->thread, "collector", 0, run, collector, err);
}

void collector_end(struct collector *collector)
{
    pthread_mutex_lock(&collector->lock);
    atomic_store(&collector->ends, true);
    pthread_cond_broadcast(&collector->wake);
    pthread_mutex_unlock(&collector->lock);
    thread_join(&collector->thread);
    collector->thread.started = false;
}

void collector_free(struct collector *collector)
{
    if (!collector)
        return;
    collector_end(collector);
    for (int i = 0; i < SERVICE_COUNT; i++)
        buf_release(&collector->targets[i].text);
    http_client_free(collector->client);
    pthread_cond_destroy(&collector->wake);
    pthread_mutex_destroy(&collector->lock);
    free(collector);
}

void collector_set_interval(struct collector *collector, uint32_t seconds)
{
    atomic_store(&collector->interval_s, seconds);
}

void collector_set_target(struct collector *collector, enum service_kind kind, const char *host,
                          uint16_t port, bool tls)
{
    pthread_mutex_lock(&collector->lock);
    struct target *target = &collector->targets[kind];
    snprintf(target->host, sizeof target->host, "%s", host);
    target->port = port;
    target->tls = tls;
    target->set = true;
    pthread_mutex_unlock(&collector->lock);
}
