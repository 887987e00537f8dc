/* gateway_int.h: what the gateway's files share. */
#ifndef QUARRY_SERVICES_GATEWAY_INT_H
#define QUARRY_SERVICES_GATEWAY_INT_H

#include "auth/rate.h"
#include "services/gateway/gateway.h"
#include "services/gateway/upstream.h"

struct gateway {
    struct sys *sys;
    const struct log *log;
    struct service *service;
    struct upstreams *upstreams;
    struct router *routers[SERVICE_COUNT]; /* of the services behind */
    struct rate_limiter *limiter;
    struct rate rate;
};

/* proxy.c: a request that is none of the gateway's own operations. */
enum status gateway_proxy(struct request *request);

#endif
