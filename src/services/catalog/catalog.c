#include "services/catalog/catalog.h"

#include <stdlib.h>

#include "services/catalog/collections_int.h"

static const struct service_handler handlers[] = {
    {"assets_create", assets_create},
    {"assets_list", assets_list},
    {"assets_get", assets_get},
    {"assets_update", assets_update},
    {"assets_delete", assets_delete},
    {"assets_undelete", assets_undelete},
    {"assets_lifecycle", assets_lifecycle},
    {"approvals_add", approvals_add},
    {"approvals_list", approvals_list},
    {"approvals_remove", approvals_remove},
    {"notices_add", notices_add},
    {"assets_owner", assets_owner},
    {"assets_statistics", assets_statistics},
    {"assets_history", assets_history},
    {"assets_lineage", assets_lineage},
    {"relations_list", relations_list},
    {"relations_add", relations_add},
    {"relations_remove", relations_remove},
    {"grants_list", grants_list},
    {"grants_add", grants_add},
    {"grants_remove", grants_remove},
    {"grants_check", grants_check},
    {"graphs_list", graphs_list},
    {"graphs_create", graphs_create},
    {"graphs_get", graphs_get},
    {"graphs_update", graphs_update},
    {"graphs_delete", graphs_delete},
    {"graphs_stats", graphs_stats},
    {"graphs_history", graphs_history},
    {"registry_stats", registry_stats},
    {"locations_list", locations_list},
    {"locations_create", locations_create},
    {"locations_get", locations_get},
    {"locations_update", locations_update},
    {"locations_delete", locations_delete},
    {"principals_list", principals_list},
    {"principals_create", principals_create},
    {"principals_get", principals_get},
    {"principals_update", principals_update},
    {"principals_delete", principals_delete},
    {"config_list", config_list},
    {"config_get", config_get},
    {"config_set", config_set},
    {"config_delete", config_delete},
    {"audit_list", audit_list},
    {"events_list", events_list},
    {"metadata_sources", metadata_sources},
    {"metadata_stats", metadata_stats},
    {"metadata_compact", metadata_compact},
    {"metadata_partitions", metadata_partitions},
    {"search", text_search},
    {"nodes_register", nodes_register},
    {"nodes_validate", nodes_validate},
    {"nodes_list", nodes_list},
    {"nodes_versions", nodes_versions},
    {"nodes_get", nodes_get},
    {"nodes_block", nodes_block},
    {"nodes_replace", nodes_replace},
    {"nodes_delete", nodes_delete},
    {"nodes_lifecycle", nodes_lifecycle},
    {"nodes_resolve", nodes_resolve},
    {"nodes_compare", nodes_compare},
    {"catalog_backup", backup_control},
    {"nodes_import", nodes_import},
    {"nodes_pull", nodes_pull},
    {"collections_create", collections_create},
    {"collections_list", collections_list},
    {"collections_get", collections_get},
    {"collections_update", collections_update},
    {"collections_delete", collections_delete},
    {"collections_stats", collections_stats},
    {"partitions_create", partitions_create},
    {"partitions_list", partitions_list},
    {"partitions_delete", partitions_delete},
    {"index_builds_create", index_builds_create},
    {"index_builds_list", index_builds_list},
    {"index_builds_update", index_builds_update},
    {"index_builds_delete", index_builds_delete},
    {"ingestions_start", ingestions_start},
    {"ingestions_list", ingestions_list},
    {"ingestions_update", ingestions_update},
    {"collection_grants_list", collection_grants_list},
    {"collection_grants_add", collection_grants_add},
    {"collection_grants_check", collection_grants_check},
    {"collection_grants_revoke", collection_grants_revoke},
    {"query_logs_add", query_logs_add},
    {"query_logs_list", query_logs_list},
    {"metric_logs_add", metric_logs_add},
    {"metric_logs_list", metric_logs_list},
    {"performance_stats_get", performance_stats_get},
    {"audit_add", audit_add},
    {"audit_rows", audit_rows},
    {"retention_apply", retention_apply},
    {"users_create", users_create},
    {"users_list", users_list},
    {"users_get", users_get},
    {"users_login", users_login},
    {"npm_package", npm_package},
    {"npm_manifest", npm_manifest},
    {"npm_tarball", npm_tarball},
    {"npm_publish", npm_publish},
    {"npm_tags_list", npm_tags_list},
    {"npm_tag_set", npm_tag_set},
    {"npm_tag_remove", npm_tag_remove},
    {"npm_search", npm_search},
    {"npm_ping", npm_ping},
    {"npm_whoami", npm_whoami},
    {"npm_advisories", npm_advisories},
    {"npm_user", npm_user},
    {"npm_user_packages", npm_user_packages},
    {"npm_collaborators", npm_collaborators},
    {"npm_visibility", npm_visibility},
    {"npm_access_set", npm_access_set},
    {"npm_change", npm_change},
    {"npm_remove", npm_remove},
    {"npm_tarball_remove", npm_tarball_remove},
};

static bool health(void *context, struct json_writer *details, const char **ret_status)
{
    struct catalog_service *service = context;
    struct backend *backend = catalog_backend(service->catalog);
    bool healthy = backend_health(backend, NULL) == STATUS_OK;
    json_kv_strz(details, "backend", backend->ops->name);
    backend_state_write(backend, details);
    search_write_state(service, details);
    json_time(details, "timestamp", sys_now_us(service->sys));
    if (!healthy)
        *ret_status = "the catalog's back end does not answer";
    return healthy;
}

static enum status start_service(struct catalog_service *service,
                                 const struct service_options *base, struct error *err)
{
    struct service_options options = *base;
    options.kind = SERVICE_CATALOG;
    options.context = service;
    options.health = health;
    options.collect = backend_state_collect;
    options.handlers = handlers;
    options.handlers_len = sizeof handlers / sizeof handlers[0];
    return service_start(&options, &service->service, err);
}

enum status catalog_service_start(const struct service_options *base,
                                  const struct catalog_service_options *options,
                                  struct catalog_service **ret, struct error *err)
{
    struct catalog_service *service = calloc(1, sizeof *service);
    if (!service)
        return error_no_memory(err);
    service->options = *options;
    service->catalog = options->catalog;
    service->sys = base->sys;
    service->log = base->log;
    pthread_mutex_init(&service->lock, NULL);
    pthread_mutex_init(&service->upkeep.lock, NULL);
    thread_cond_init(&service->upkeep.wake);
    enum status status = catalog_ensure_defaults(service->catalog, str_of(options->tenant_id),
                                                 str_of(options->parquet_base_path), err);
    if (status == STATUS_OK)
        status = start_service(service, base, err);
    if (status == STATUS_OK)
        status = upkeep_start(service, err);
    if (status != STATUS_OK) {
        catalog_service_stop(service, 0);
        return status;
    }
    *ret = service;
    return STATUS_OK;
}

void catalog_service_set_node(struct catalog_service *service, const char *url)
{
    size_t len = strlen(url);
    if (len >= NODE_URL_MAX)
        return;
    pthread_mutex_lock(&service->lock);
    memcpy(service->node_url, url, len + 1);
    pthread_mutex_unlock(&service->lock);
}

struct service *catalog_service_service(struct catalog_service *service)
{
    return service->service;
}

void catalog_service_stop(struct catalog_service *service, uint32_t grace_ms)
{
    if (!service)
        return;
    upkeep_stop(service);
    service_stop(service->service, grace_ms);
    pthread_cond_destroy(&service->upkeep.wake);
    pthread_mutex_destroy(&service->upkeep.lock);
    seal_key_forget(&service->config_key);
    pthread_mutex_destroy(&service->lock);
    free(service);
}
