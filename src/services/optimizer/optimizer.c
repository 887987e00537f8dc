#include "services/optimizer/optimizer.h"

enum status optimizer_start(const struct service_options *base, struct service **ret_service,
                            struct error *err)
{
    struct service_options options = *base;
    options.kind = SERVICE_OPTIMIZER;
    return service_start(&options, ret_service, err);
}
