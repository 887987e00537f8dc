#include "services/gateway/gateway.h"

#include <stdlib.h>

#include "services/gateway/gateway_int.h"

/* Detail of /health: the instances behind and their breakers. */
static bool health(void *context, struct json_writer *details, const char **ret_status)
{
    struct gateway *gateway = context;
    (void)ret_status;
    json_keyz(details, "upstreams");
    upstreams_write(gateway->upstreams, details);
    return true;
}

static enum status make_parts(struct gateway *gateway, struct error *err)
{
    TRY(upstreams_new(gateway->sys, &gateway->upstreams, err));
    TRY(rate_limiter_new(gateway->sys, &gateway->limiter, err));
    for (int kind = 0; kind < SERVICE_COUNT; kind++)
        TRY(router_new((enum service_kind)kind, &gateway->routers[kind], err));
    return STATUS_OK;
}

static void release(struct gateway *gateway)
{
    for (int kind = 0; kind < SERVICE_COUNT; kind++)
        router_free(gateway->routers[kind]);
    rate_limiter_free(gateway->limiter);
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
    gateway->rate = options->rate;
    struct service_options service = *base;
    service.kind = SERVICE_GATEWAY;
    service.context = gateway;
    service.health = health;
    service.fallback = gateway_proxy;
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
