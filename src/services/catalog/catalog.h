/* catalog.h: the catalog service (port 8083): assets, the graph registry, storage locations,
 * principals, configuration, audit, and the tenant node's sources as assets.
 *
 * The catalog is borrowed: it must outlive the service. */
#ifndef QUARRY_SERVICES_CATALOG_H
#define QUARRY_SERVICES_CATALOG_H

#include "catalog/catalog.h"
#include "catalog/search/text_feed.h"
#include "service/service.h"

struct catalog_service;

struct catalog_service_options {
    struct catalog *catalog;
    const char *tenant_id;         /* tenant of callers whose token names none */
    const char *parquet_base_path; /* of the default storage location */
    struct text_feed *text;        /* borrowed; follows the catalog */
    const char *files_path;        /* folder of the registry's immutable files */
    const char *keys_path;         /* folder of the key of encrypted settings */
    const char *archive_path;      /* folder of archived logs, one below it for each tenant */
    int64_t journal_us;            /* how far back the catalog's journal reaches */
    int64_t upkeep_us;             /* between two rounds of upkeep */
};

/* `base` has everything but kind, handlers and context. Texts are borrowed until stop. */
enum status catalog_service_start(const struct service_options *base,
                                  const struct catalog_service_options *options,
                                  struct catalog_service **ret, struct error *err);
/* Where the tenant node listens, as "http://HOST:PORT"; copied. Any time. */
void catalog_service_set_node(struct catalog_service *service, const char *url);
struct service *catalog_service_service(struct catalog_service *service);
/* NULL is fine. */
void catalog_service_stop(struct catalog_service *service, uint32_t grace_ms);

#endif
