/* interpreter.h: SQL and DSL to plans (port 8085).
 *
 * Offers the operations of every service; the parse_*, transform_query and sql_* operations arrive
 * with release 0.4 and answer 501 until then. */
#ifndef QUARRY_SERVICES_INTERPRETER_H
#define QUARRY_SERVICES_INTERPRETER_H

#include "service/service.h"

/* `base` has everything but kind and handlers. */
enum status interpreter_start(const struct service_options *base, struct service **ret_service,
                              struct error *err);

#endif
