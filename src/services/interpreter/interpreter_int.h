/* interpreter_int.h: what the handlers of the interpreter share. */
#ifndef QUARRY_SERVICES_INTERPRETER_INT_H
#define QUARRY_SERVICES_INTERPRETER_INT_H

#include "services/interpreter/interpreter.h"

struct interpreter {
    struct interpreter_options options;
    struct sys *sys;
    struct service *service;
};

/* STATUS_TIMEOUT when the request is older than PARSING_TIMEOUT_SECONDS. */
enum status interpreter_check_time(const struct request *request, struct error *err);

/* dsl.c */
enum status handle_parse_dsl(struct request *request);
enum status handle_dsl_schema(struct request *request);

#endif
