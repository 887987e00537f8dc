/* defaults.c: the settings and the storage location that a tenant begins with (contracts 2.3, 3.2).
 */
#include "catalog/catalog_int.h"

static const struct {
    const char *name, *value, *type, *category, *description;
} settings[] = {
    {"registry_version", "1.0.0", "string", "system", "Version of the registry's schema"},
    {"default_graph_type", "hypergraph", "string", "graphs", "Type of a graph that names none"},
    {"max_file_size_mb", "1000", "integer", "storage", "Largest file of a graph"},
    {"enable_query_history", "true", "boolean", "analytics", "Whether queries are kept"},
    {"parquet_compression", "snappy", "string", "storage", "Codec of graph files"},
    {"polars_lazy_evaluation", "true", "boolean", "performance", "Whether readers scan lazily"},
    {"milvus_api_endpoint", "milvus-proxy.milvus.svc.cluster.local:19530", "string", "general",
     "Address of the vector database"},
    {"max_query_timeout", "300", "integer", "general", "Longest query in seconds"},
    {"default_top_k", "10", "integer", "general", "Results of a search that names no number"},
    {"enable_audit_logging", "true", "boolean", "general", "Whether the audit log is written"},
    {"enable_performance_monitoring", "true", "boolean", "general",
     "Whether performance metrics are written"},
    {"lifecycle_policy", "advise", "string", "general",
     "Approvals and notices of nodes: advise (a step without is told of) or strict (it is "
     "refused)"},
    {"registry_environment", "development", "string", "general",
     "development, or production: drafts of nodes are not given out"},
    {"data_retention_days", "90", "integer", "general",
     "Logs are kept for so many days; 0: for ever"},
    {"data_retention_action", "archive", "string", "general",
     "What becomes of older logs: archive (Parquet files) or delete"},
};

/* What was made by another start meanwhile is as good. */
static enum status add_missing(struct catalog *catalog, const struct caller *caller,
                               const struct record *record, struct arena *arena, struct error *err)
{
    struct record found;
    enum status status =
        entry_find(catalog, caller, record->domain, record->name, arena, &found, err);
    if (status != STATUS_NOT_FOUND)
        return status;
    status = entry_create(catalog, caller, record, arena, &found, err);
    return status == STATUS_CONFLICT ? STATUS_OK : status;
}

static enum status add_location(struct catalog *catalog, const struct caller *caller,
                                struct str base_path, struct arena *arena, struct error *err)
{
    struct record location = {.domain = DOMAIN_LOCATION,
                              .kind = STR("local"),
                              .name = STR("local_parquet"),
                              .location = base_path,
                              .is_default = true,
                              .properties =
                                  STR("{\"format\":\"parquet\",\"compression\":\"snappy\"}")};
    return add_missing(catalog, caller, &location, arena, err);
}

enum status catalog_ensure_defaults(struct catalog *catalog, struct str tenant,
                                    struct str parquet_base_path, struct error *err)
{
    struct caller caller = {.tenant = tenant, .principal = STR("system"), .admin = true};
    struct arena arena;
    enum status status = STATUS_OK;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0] && status == STATUS_OK; i++) {
        struct record record = {.domain = DOMAIN_CONFIG,
                                .kind = str_of(settings[i].type),
                                .name = str_of(settings[i].name),
                                .namespace = str_of(settings[i].category),
                                .description = str_of(settings[i].description)};
        status = attribute_set(&record.attributes, "value", str_of(settings[i].value), &arena, err);
        if (status == STATUS_OK)
            status = add_missing(catalog, &caller, &record, &arena, err);
    }
    if (status == STATUS_OK)
        status = add_location(catalog, &caller, parquet_base_path, &arena, err);
    arena_release(&arena);
    return status;
}
