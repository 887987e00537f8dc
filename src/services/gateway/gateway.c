#include "services/gateway/gateway.h"

#include <stdlib.h>

#include "base/datetime.h"

#include "services/gateway/gateway_int.h"

enum { WORKERS_DEFAULT = 16 };

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
    {"auth_keys", gateway_keys},
    {"auth_key_create", gateway_key_create},
    {"auth_key_rotate", gateway_key_rotate},
    {"auth_key_revoke", gateway_key_revoke},
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

static enum status make_parts(struct gateway *gateway, struct error *err)
{
    TRY(upstreams_new(gateway->sys, &gateway->upstreams, err));
    TRY(rate_limiter_new(gateway->sys, &gateway->limiter, err));
    TRY(lockout_new(gateway->sys, &gateway->lockout, err));
    for (int kind = 0; kind < SERVICE_COUNT; kind++)
        TRY(router_new((enum service_kind)kind, &gateway->routers[kind], err));
    return users_ensure_admin(gateway, err);
}

static void release(struct gateway *gateway)
{
    for (int kind = 0; kind < SERVICE_COUNT; kind++)
        router_free(gateway->routers[kind]);
    rate_limiter_free(gateway->limiter);
    lockout_free(gateway->lockout);
    api_keys_release(gateway);
    pthread_mutex_destroy(&gateway->keys_lock);
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
    pthread_mutex_init(&gateway->keys_lock, NULL);
    int workers = base->http.workers ? (int)base->http.workers : WORKERS_DEFAULT;
    gateway->password_jobs_max =
        workers > PASSWORD_JOBS_DIVISOR ? workers / PASSWORD_JOBS_DIVISOR : 1;
    struct service_options service = *base;
    service.kind = SERVICE_GATEWAY;
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

enum status gateway_add_target(struct gateway *gateway, enum service_kind kind, const char *url,
                               struct error *err)
{
    return upstreams_add(gateway->upstreams, kind, url, err);
}

void gateway_stop(struct gateway *gateway, uint32_t grace_ms)
{
    if (!gateway)
        return;
    service_stop(gateway->service, grace_ms);
    release(gateway);
}
