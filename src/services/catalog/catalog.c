#include "services/catalog/catalog.h"

enum status catalog_start(const struct service_options *base, struct service **ret_service,
                          struct error *err)
{
    struct service_options options = *base;
    options.kind = SERVICE_CATALOG;
    return service_start(&options, ret_service, err);
}
