/* catalog.h: assets, files and compaction (port 8083).
 *
 * Offers the operations of every service; the metadata_* operations arrive with release 0.3
 * and answer 501 until then. */
#ifndef QUARRY_SERVICES_CATALOG_H
#define QUARRY_SERVICES_CATALOG_H

#include "service/service.h"

/* `base` has everything but kind and handlers. */
enum status catalog_start(const struct service_options *base, struct service **ret_service,
                          struct error *err);

#endif
