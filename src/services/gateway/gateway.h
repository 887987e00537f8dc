/* gateway.h: users, tokens, permissions, and later the one door to all services (port 8080).
 *
 * Offers the operations of every service; the auth_* operations arrive with identity (release 0.5)
 * and answer 501 until then. */
#ifndef QUARRY_SERVICES_GATEWAY_H
#define QUARRY_SERVICES_GATEWAY_H

#include "service/service.h"

/* `base` has everything but kind and handlers. */
enum status gateway_start(const struct service_options *base, struct service **ret_service,
                          struct error *err);

#endif
