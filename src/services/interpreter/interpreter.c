#include "services/interpreter/interpreter.h"

enum status interpreter_start(const struct service_options *base, struct service **ret_service,
                              struct error *err)
{
    struct service_options options = *base;
    options.kind = SERVICE_INTERPRETER;
    return service_start(&options, ret_service, err);
}
