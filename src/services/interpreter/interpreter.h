/* interpreter.h: SQL and DSL to plans (port 8085).
 *
 * Threads: start and stop from one thread; handlers run on the listener's workers. It keeps no
 * state but its cache of plans. */
#ifndef QUARRY_SERVICES_INTERPRETER_H
#define QUARRY_SERVICES_INTERPRETER_H

#include "query/dsl/dsl.h"
#include "query/lang/lang.h"
#include "service/service.h"

struct interpreter;

struct interpreter_options {
    struct dsl_settings dsl;
    uint32_t plans_max; /* QUERY_PLAN_CACHE_SIZE; 0: none are kept */
    int64_t timeout_us; /* PARSING_TIMEOUT_SECONDS; 0: 30 s */
    bool optimize_joins, push_down_filters, column_pruning;
    enum lang_dialect dialect; /* SQLGLOT_DIALECT */
};

/* `base` has everything but kind, handlers and calls. */
enum status interpreter_start(const struct service_options *base,
                              const struct interpreter_options *options,
                              struct interpreter **ret_interpreter, struct error *err);
struct service *interpreter_service(struct interpreter *interpreter);
void interpreter_stop(struct interpreter *interpreter, uint32_t grace_ms); /* NULL is fine */

#endif
