/* optimizer.h: plans and their costs (port 8082).
 *
 * Offers the operations of every service; the optimize_query, execution_stats and costs_estimate
 * arrive with release 0.4 and answer 501 until then. */
#ifndef QUARRY_SERVICES_OPTIMIZER_H
#define QUARRY_SERVICES_OPTIMIZER_H

#include "service/service.h"

/* `base` has everything but kind and handlers. */
enum status optimizer_start(const struct service_options *base, struct service **ret_service,
                            struct error *err);

#endif
