#include "services/gateway/gateway.h"

#include <stdlib.h>

#include "base/datetime.h"

#include "services/gateway/gateway_int.h"
#include "services/gateway/websocket.h"

enum { WORKERS_DEFAULT = 16, UPKEEP_US = 5000000 };

const struct service_handler gateway_handlers[] = {
    {"auth_register", gateway_register},
    {"auth_login", gateway_login},
    {"auth_refresh", gateway_refresh},
    {"auth_logout", gateway_logout},
    {"auth_validate", gateway_validate},
    {"auth_permissions", gateway_permissions},
    {"auth_me", gateway_me},
    {"auth_password", gateway_password},
    {"auth_jwks", gateway_jwks},
    {"auth_users", gateway_users},
    {"auth_user_create", gateway_user_create},
    {"auth_user_update", gateway_user_update},
    {"auth_user_delete", gateway_user_delete},
    {"auth_invite", gateway_invite},
    {"tenants_list", gateway_tenants},
    {"tenants_create", gateway_tenant_create},
    {"tenants_get", gateway_tenant_get},
    {"tenants_update", gateway_tenant_update},
    {"tenants_suspend", gateway_tenant_suspend},
    {"tenants_resume", gateway_tenant_resume},
    {"tenants_delete", gateway_tenant_delete},
    {"tenants_undelete", gateway_tenant_undelete},
    {"auth_keys", gateway_keys},
    {"auth_key_create", gateway_key_create},
    {"auth_key_rotate", gateway_key_rotate},
    {"auth_key_revoke", gateway_key_revoke},
    {"npm_login", gateway_npm_login},
    {"npm_logout", gateway_npm_logout},
};
const size_t gateway_handlers_len = sizeof gateway_handlers / sizeof *gateway_handlers;

/* Detail of /health: the instances behind and their breakers. */
static bool health(void *context, struct json_writer *details, const char **ret_status)
{
    struct gateway *gateway = context;
    char now[TIMESTAMP_TEXT_MAX + 1];
    (void)ret_status;
    size_t len = timestamp_format(sys_now_us(gateway->sys), now);
    now[len++] = 'Z';
    json_kv_str(details, "timestamp", str_make(now, len));
    json_keyz(details, "upstreams");
    upstreams_write(gateway->upstreams, details);
    return true;
}

static void collect(void *context, struct metrics *metrics)
{
    struct gateway *gateway = context;
    upstreams_collect(gateway->upstreams, metrics);
}

/* --- upkeep: tenants whose grace is over; what other gateways have changed about tenants --- */

static void maintain(struct gateway *gateway)
{
    struct error err = ERROR_INIT;
    enum status status = tenants_purge(gateway, &err);
    if (status == STATUS_OK)
        status = tenants_publish(gateway, &err);
    if (status != STATUS_OK)
        log_error(gateway->log, "the tenants cannot be looked through", &err);
    if (shared_upkeep(gateway, &err) != STATUS_OK)
        log_error(gateway->log, "what others have revoked cannot be heard", &err);
}

static void *run_upkeep(void *argument)
{
    struct gateway *gateway = argument;
    pthread_mutex_lock(&gateway->upkeep_lock);
    while (!gateway->ends) {
        int64_t until_us = sys_mono_us(gateway->sys) + UPKEEP_US;
        if (thread_cond_wait_until(&gateway->upkeep_now, &gateway->upkeep_lock, until_us))
            continue;
        pthread_mutex_unlock(&gateway->upkeep_lock);
        maintain(gateway);
        pthread_mutex_lock(&gateway->upkeep_lock);
    }
    pthread_mutex_unlock(&gateway->upkeep_lock);
    return NULL;
}

static void end_upkeep(struct gateway *gateway)
{
    pthread_mutex_lock(&gateway->upkeep_lock);
    gateway->ends = true;
    pthread_cond_signal(&gateway->upkeep_now);
    pthread_mutex_unlock(&gateway->upkeep_lock);
    thread_join(&gateway->upkeep);
}

/* --- life --- */

static enum status make_parts(struct gateway *gateway, struct error *err)
{
    TRY(upstreams_new(gateway->sys, &gateway->upstreams, err));
    TRY(rate_limiter_new(gateway->sys, &gateway->limiter, err));
    TRY(lockout_new(gateway->sys, &gateway->lockout, err));
    for (int kind = 0; kind < SERVICE_COUNT; kind++)
        TRY(router_new((enum service_kind)kind, &gateway->routers[kind], err));
    TRY(users_ensure_admin(gateway, err));
    TRY(tenants_ensure_own(gateway, err));
    TRY(tenants_publish(gateway, err));
    TRY(shared_upkeep(gateway, err)); /* before the first request */
    return thread_start(&gateway->upkeep, "gateway-upkeep", 0, run_upkeep, gateway, err);
}

static void release(struct gateway *gateway)
{
    end_upkeep(gateway);
    pthread_mutex_destroy(&gateway->upkeep_lock);
    pthread_cond_destroy(&gateway->upkeep_now);
    for (int kind = 0; kind < SERVICE_COUNT; kind++)
        router_free(gateway->routers[kind]);
    rate_limiter_free(gateway->limiter);
    lockout_free(gateway->lockout);
    api_keys_release(gateway);
    pthread_mutex_destroy(&gateway->keys_lock);
    pthread_mutex_destroy(&gateway->tenants_lock);
    upstreams_free(gateway->upstreams);
    free(gateway);
}

enum status gateway_start(const struct service_options *base, const struct gateway_options *options,
                          struct gateway **ret, struct error *err)
{
    struct gateway *gateway = calloc(1, sizeof *gateway);
    if (!gateway)
        return error_no_memory(err);
    gateway->sys = base->sys;
    gateway->log = base->log;
    gateway->gate = base->gate;
    gateway->options = *options;
    gateway->tls = base->http.tls_certificate != NULL;
    pthread_mutex_init(&gateway->keys_lock, NULL);
    pthread_mutex_init(&gateway->tenants_lock, NULL);
    pthread_mutex_init(&gateway->upkeep_lock, NULL);
    thread_cond_init(&gateway->upkeep_now);
    int workers = base->http.workers ? (int)base->http.workers : WORKERS_DEFAULT;
    gateway->password_jobs_max =
        workers > PASSWORD_JOBS_DIVISOR ? workers / PASSWORD_JOBS_DIVISOR : 1;
    struct service_options service = *base;
    service.kind = SERVICE_GATEWAY;
    service.http.workers = (uint32_t)workers + options->query_threads + WEBSOCKETS_MAX;
    service.context = gateway;
    service.handlers = gateway_handlers;
    service.handlers_len = gateway_handlers_len;
    service.health = health;
    service.collect = collect;
    service.fallback = gateway_proxy;
    service.front = true;
    enum status status = make_parts(gateway, err);
    if (status == STATUS_OK)
        status = service_start(&service, &gateway->service, err);
    if (status != STATUS_OK) {
        release(gateway);
        return status;
    }
    *ret = gateway;
    return STATUS_OK;
}

struct service *gateway_service(struct gateway *gateway)
{
    return gateway->service;
}

enum status gateway_set_targets(struct gateway *gateway, enum service_kind kind,
                                const struct upstream_target *targets, uint32_t len,
                                struct error *err)
{
    return upstreams_set(gateway->upstreams, kind, targets, len, err);
}

void gateway_stop(struct gateway *gateway, uint32_t grace_ms)
{
    if (!gateway)
        return;
    service_stop(gateway->service, grace_ms);
    release(gateway);
}
