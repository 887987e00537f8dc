#include "services/gateway/upstream.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { RETRY_SHARE = 10, RETRY_CREDIT_MAX = 1000 };

struct upstreams {
    struct sys *sys;
    pthread_mutex_t lock; /* lists and clients */
    struct upstream_instance *instances[SERVICE_COUNT][UPSTREAM_INSTANCES_MAX];
    uint32_t len[SERVICE_COUNT];
    struct http_client *idle[UPSTREAM_CLIENTS_MAX];
    uint32_t idle_len;
    _Atomic int retry_credit; /* a call earns 1, a retry costs RETRY_SHARE */
};

enum status upstreams_new(struct sys *sys, struct upstreams **ret, struct error *err)
{
    struct upstreams *upstreams = calloc(1, sizeof *upstreams);
    if (!upstreams)
        return error_no_memory(err);
    upstreams->sys = sys;
    pthread_mutex_init(&upstreams->lock, NULL);
    atomic_init(&upstreams->retry_credit, RETRY_SHARE);
    *ret = upstreams;
    return STATUS_OK;
}

void upstreams_free(struct upstreams *upstreams)
{
    if (!upstreams)
        return;
    for (int kind = 0; kind < SERVICE_COUNT; kind++)
        for (uint32_t i = 0; i < upstreams->len[kind]; i++) {
            breaker_release(&upstreams->instances[kind][i]->breaker);
            free(upstreams->instances[kind][i]);
        }
    for (uint32_t i = 0; i < upstreams->idle_len; i++)
        http_client_free(upstreams->idle[i]);
    pthread_mutex_destroy(&upstreams->lock);
    free(upstreams);
}

static bool has_url(const struct upstreams *upstreams, enum service_kind kind, const char *url)
{
    for (uint32_t i = 0; i < upstreams->len[kind]; i++)
        if (strcmp(upstreams->instances[kind][i]->url, url) == 0)
            return true;
    return false;
}

enum status upstreams_add(struct upstreams *upstreams, enum service_kind kind, const char *url,
                          struct error *err)
{
    enum status status = STATUS_OK;
    struct upstream_instance *instance = calloc(1, sizeof *instance);
    if (!instance)
        return error_no_memory(err);
    if (strlen(url) >= sizeof instance->url) {
        free(instance);
        return error_set(err, STATUS_INVALID_ARGUMENT, "The address %s is longer than %d bytes.",
                         url, UPSTREAM_URL_MAX - 1);
    }
    snprintf(instance->url, sizeof instance->url, "%s", url);
    breaker_init(&instance->breaker, upstreams->sys);
    pthread_mutex_lock(&upstreams->lock);
    bool known = has_url(upstreams, kind, url);
    if (!known && upstreams->len[kind] == UPSTREAM_INSTANCES_MAX)
        status = error_set(err, STATUS_RESOURCE_LIMIT, "More than %d instances of %s.",
                           UPSTREAM_INSTANCES_MAX, service_info(kind)->name);
    bool taken = !known && status == STATUS_OK;
    if (taken)
        upstreams->instances[kind][upstreams->len[kind]++] = instance;
    pthread_mutex_unlock(&upstreams->lock);
    if (!taken) {
        breaker_release(&instance->breaker);
        free(instance);
    }
    return status;
}

/* --- calls --- */

/* The index of the idlest instance that was not tried, `len` when there is none. */
static uint32_t idlest(const struct upstreams *upstreams, enum service_kind kind, const char *url,
                       const bool *tried)
{
    uint32_t len = upstreams->len[kind], best = len;
    for (uint32_t i = 0; i < len; i++) {
        struct upstream_instance *instance = upstreams->instances[kind][i];
        if (tried[i] || (url && strcmp(instance->url, url) != 0))
            continue;
        if (best == len ||
            atomic_load(&instance->active) < atomic_load(&upstreams->instances[kind][best]->active))
            best = i;
    }
    return best;
}

static enum status pick(struct upstreams *upstreams, enum service_kind kind, const char *url,
                        struct upstream_instance **ret, struct error *err)
{
    uint32_t len = upstreams->len[kind], best;
    bool tried[UPSTREAM_INSTANCES_MAX] = {false};
    enum status status = error_set(err, STATUS_UNAVAILABLE, "The %s service does not run here.",
                                   service_info(kind)->name);
    while (status != STATUS_OK && (best = idlest(upstreams, kind, url, tried)) < len) {
        tried[best] = true;
        *ret = upstreams->instances[kind][best];
        status = breaker_enter(&(*ret)->breaker, service_info(kind)->name, err);
    }
    return status;
}

enum status upstream_take(struct upstreams *upstreams, enum service_kind kind, const char *url,
                          struct upstream_call *ret, struct error *err)
{
    *ret = (struct upstream_call){0};
    pthread_mutex_lock(&upstreams->lock);
    bool known = !url || has_url(upstreams, kind, url);
    pthread_mutex_unlock(&upstreams->lock);
    if (!known)
        TRY(upstreams_add(upstreams, kind, url, err));
    pthread_mutex_lock(&upstreams->lock);
    enum status status = pick(upstreams, kind, url, &ret->instance, err);
    if (status == STATUS_OK) {
        atomic_fetch_add(&ret->instance->active, 1);
        ret->client = upstreams->idle_len > 0 ? upstreams->idle[--upstreams->idle_len] : NULL;
    }
    pthread_mutex_unlock(&upstreams->lock);
    TRY(status);
    if (!ret->client) {
        const struct http_client_options options = {.connect_timeout_ms = 2000,
                                                    .stall_timeout_s = UPSTREAM_STALL_S,
                                                    .user_agent = "quarry-gateway"};
        status = http_client_new(&options, &ret->client, err);
        if (status != STATUS_OK)
            upstream_give(upstreams, ret, true);
    }
    return status;
}

void upstream_give(struct upstreams *upstreams, struct upstream_call *call, bool ok)
{
    struct upstream_instance *instance = call->instance;
    atomic_fetch_sub(&instance->active, 1);
    atomic_fetch_add(&instance->calls, 1);
    if (!ok)
        atomic_fetch_add(&instance->failures, 1);
    breaker_done(&instance->breaker, ok);
    if (atomic_load(&upstreams->retry_credit) < RETRY_CREDIT_MAX)
        atomic_fetch_add(&upstreams->retry_credit, 1);
    pthread_mutex_lock(&upstreams->lock);
    bool keep = call->client && upstreams->idle_len < UPSTREAM_CLIENTS_MAX;
    if (keep)
        upstreams->idle[upstreams->idle_len++] = call->client;
    pthread_mutex_unlock(&upstreams->lock);
    if (!keep)
        http_client_free(call->client);
    *call = (struct upstream_call){0};
}

bool upstream_may_retry(struct upstreams *upstreams)
{
    if (atomic_fetch_sub(&upstreams->retry_credit, RETRY_SHARE) >= RETRY_SHARE)
        return true;
    atomic_fetch_add(&upstreams->retry_credit, RETRY_SHARE);
    return false;
}

static void write_instance(struct upstream_instance *instance, struct json_writer *w)
{
    json_begin_object(w);
    json_kv_strz(w, "url", instance->url);
    json_kv_strz(w, "state", breaker_state_name(breaker_look(&instance->breaker)));
    json_kv_int(w, "active", atomic_load(&instance->active));
    json_kv_int(w, "calls", (int64_t)atomic_load(&instance->calls));
    json_kv_int(w, "failures", (int64_t)atomic_load(&instance->failures));
    json_end_object(w);
}

void upstreams_write(struct upstreams *upstreams, struct json_writer *w)
{
    json_begin_object(w);
    pthread_mutex_lock(&upstreams->lock);
    for (int kind = 0; kind < SERVICE_COUNT; kind++) {
        if (upstreams->len[kind] == 0)
            continue;
        json_keyz(w, service_info((enum service_kind)kind)->key);
        json_begin_array(w);
        for (uint32_t i = 0; i < upstreams->len[kind]; i++)
            write_instance(upstreams->instances[kind][i], w);
        json_end_array(w);
    }
    pthread_mutex_unlock(&upstreams->lock);
    json_end_object(w);
}

static void collect_service(struct upstreams *upstreams, int kind, struct metrics *metrics)
{
    const char *name = service_info((enum service_kind)kind)->name;
    uint64_t calls = 0, failures = 0, active = 0, open = 0;
    for (uint32_t i = 0; i < upstreams->len[kind]; i++) {
        struct upstream_instance *instance = upstreams->instances[kind][i];
        failures += atomic_load(&instance->failures);
        calls += atomic_load(&instance->calls);
        active += atomic_load(&instance->active);
        open += breaker_look(&instance->breaker) != BREAKER_CLOSED;
    }
    const char *ok[] = {name, "ok"}, *failed[] = {name, "failed"};
    metric_raise(metrics_series(metrics, METRIC_UPSTREAM_CALLS, ok),
                 calls > failures ? calls - failures : 0);
    metric_raise(metrics_series(metrics, METRIC_UPSTREAM_CALLS, failed), failures);
    metric_set(metrics_series(metrics, METRIC_UPSTREAM_ACTIVE, &name), (double)active);
    metric_set(metrics_series(metrics, METRIC_UPSTREAM_OPEN, &name), (double)open);
}

void upstreams_collect(struct upstreams *upstreams, struct metrics *metrics)
{
    pthread_mutex_lock(&upstreams->lock);
    for (int kind = 0; kind < SERVICE_COUNT; kind++)
        if (upstreams->len[kind])
            collect_service(upstreams, kind, metrics);
    pthread_mutex_unlock(&upstreams->lock);
}
