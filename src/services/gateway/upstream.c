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

static void free_instance(struct upstream_instance *instance)
{
    breaker_release(&instance->breaker);
    free(instance);
}

void upstreams_free(struct upstreams *upstreams)
{
    if (!upstreams)
        return;
    for (int kind = 0; kind < SERVICE_COUNT; kind++)
        for (uint32_t i = 0; i < upstreams->len[kind]; i++)
            free_instance(upstreams->instances[kind][i]);
    for (uint32_t i = 0; i < upstreams->idle_len; i++)
        http_client_free(upstreams->idle[i]);
    pthread_mutex_destroy(&upstreams->lock);
    free(upstreams);
}

/* --- the list (under the lock) --- */

static struct upstream_instance *find(const struct upstreams *upstreams, enum service_kind kind,
                                      struct str url)
{
    for (uint32_t i = 0; i < upstreams->len[kind]; i++)
        if (str_is(url, upstreams->instances[kind][i]->url))
            return upstreams->instances[kind][i];
    return NULL;
}

static enum status add(struct upstreams *upstreams, enum service_kind kind, struct str url,
                       struct upstream_instance **ret, struct error *err)
{
    if (url.len >= UPSTREAM_URL_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "The address %.*s is longer than %d bytes.",
                         STR_ARG(url), UPSTREAM_URL_MAX - 1);
    if (upstreams->len[kind] == UPSTREAM_INSTANCES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "More than %d instances of %s.",
                         UPSTREAM_INSTANCES_MAX, service_info(kind)->name);
    struct upstream_instance *instance = calloc(1, sizeof *instance);
    if (!instance)
        return error_no_memory(err);
    memcpy(instance->url, url.data, url.len);
    breaker_init(&instance->breaker, upstreams->sys);
    upstreams->instances[kind][upstreams->len[kind]++] = *ret = instance;
    return STATUS_OK;
}

/* Calls under way hold their instance. */
static void drop_gone(struct upstreams *upstreams, enum service_kind kind)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < upstreams->len[kind]; i++) {
        struct upstream_instance *instance = upstreams->instances[kind][i];
        if (instance->gone && atomic_load(&instance->active) == 0)
            free_instance(instance);
        else
            upstreams->instances[kind][kept++] = instance;
    }
    upstreams->len[kind] = kept;
}

static enum status list_one(struct upstreams *upstreams, enum service_kind kind,
                            const struct upstream_target *target, struct error *err)
{
    struct upstream_instance *instance = find(upstreams, kind, target->url);
    if (!instance)
        TRY(add(upstreams, kind, target->url, &instance, err));
    instance->listed = true;
    instance->gone = false;
    snprintf(instance->tenant, sizeof instance->tenant, "%.*s", STR_ARG(target->tenant));
    return STATUS_OK;
}

enum status upstreams_set(struct upstreams *upstreams, enum service_kind kind,
                          const struct upstream_target *targets, uint32_t len, struct error *err)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&upstreams->lock);
    for (uint32_t i = 0; i < upstreams->len[kind]; i++)
        upstreams->instances[kind][i]->gone = upstreams->instances[kind][i]->listed;
    for (uint32_t i = 0; i < len && status == STATUS_OK; i++)
        status = list_one(upstreams, kind, &targets[i], err);
    drop_gone(upstreams, kind);
    pthread_mutex_unlock(&upstreams->lock);
    return status;
}

/* --- calls --- */

static bool suits(const struct upstream_instance *instance, const struct upstream_wish *wish)
{
    if (wish->url)
        return strcmp(instance->url, wish->url) == 0;
    return !instance->gone && (!instance->tenant[0] || str_is(wish->tenant, instance->tenant));
}

/* The index of the idlest instance that was not tried, `len` when there is none. */
static uint32_t idlest(const struct upstreams *upstreams, enum service_kind kind,
                       const struct upstream_wish *wish, const bool *tried)
{
    uint32_t len = upstreams->len[kind], best = len;
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < len; i++) {
        struct upstream_instance *instance = upstreams->instances[kind][i];
        uint32_t active = instance == wish->avoid ? UINT32_MAX - 1 : atomic_load(&instance->active);
        if (tried[i] || active >= least || !suits(instance, wish))
            continue;
        best = i;
        least = active;
    }
    return best;
}

static enum status pick(struct upstreams *upstreams, enum service_kind kind,
                        const struct upstream_wish *wish, struct upstream_instance **ret,
                        struct error *err)
{
    uint32_t len = upstreams->len[kind], best;
    bool tried[UPSTREAM_INSTANCES_MAX] = {false};
    enum status status =
        error_set(err, STATUS_UNAVAILABLE, "No %s service is known here that serves this tenant.",
                  service_info(kind)->name);
    while (status != STATUS_OK && (best = idlest(upstreams, kind, wish, tried)) < len) {
        tried[best] = true;
        *ret = upstreams->instances[kind][best];
        status = breaker_enter(&(*ret)->breaker, service_info(kind)->name, err);
    }
    return status;
}

enum status upstream_take(struct upstreams *upstreams, enum service_kind kind,
                          const struct upstream_wish *wish, struct upstream_call *ret,
                          struct error *err)
{
    enum status status = STATUS_OK;
    *ret = (struct upstream_call){0};
    pthread_mutex_lock(&upstreams->lock);
    if (wish->url && !find(upstreams, kind, str_of(wish->url)))
        status = add(upstreams, kind, str_of(wish->url), &ret->instance, err);
    if (status == STATUS_OK)
        status = pick(upstreams, kind, wish, &ret->instance, err);
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
    atomic_fetch_add(&instance->calls, 1);
    if (!ok)
        atomic_fetch_add(&instance->failures, 1);
    breaker_done(&instance->breaker, ok);
    atomic_fetch_sub(&instance->active, 1); /* from here on it may be freed */
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
