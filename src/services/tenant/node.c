/* node.c: the tenant node put together: store, SQL pool, listener; health. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "services/tenant/sql_view.h"

static const struct service_handler handlers[] = {
    {"data_write", handle_write},
    {"data_delete", handle_delete},
    {"data_update", handle_update},
    {"data_load", handle_load},
    {"data_search", handle_search},
    {"data_search_stream", handle_search_stream},
    {"data_aggregate", handle_aggregate},
    {"sources_add", handle_source_add},
    {"sources_remove", handle_source_remove},
    {"sources_list", handle_source_list},
    {"source_stats", handle_source_stats},
    {"source_flush", handle_source_flush},
    {"source_partitions", handle_source_partitions},
    {"source_statistics", handle_source_statistics},
    {"tenant_statistics", handle_tenant_statistics},
    {"snapshots_list", handle_snapshots_list},
    {"snapshot_tag", handle_snapshot_tag},
    {"snapshot_untag", handle_snapshot_untag},
    {"source_rollback", handle_source_rollback},
    {"compaction_start", handle_compaction_start},
    {"compaction_status", handle_compaction_status},
    {"compaction_job", handle_compaction_job},
    {"compaction_cancel", handle_compaction_cancel},
    {"tenant_stats", handle_tenant_stats},
    {"source_settings", handle_source_settings},
    {"source_schema", handle_schema_get},
    {"source_schema_change", handle_schema_change},
    {"source_indexes_add", handle_index_add},
    {"source_indexes_list", handle_index_list},
    {"source_indexes_drop", handle_index_drop},
    {"admin_backup", handle_backup_start},
    {"admin_backup_status", handle_backup_status},
    {"query_sql", handle_sql},
    {"query_dsl", handle_dsl},
    {"query_plan", handle_query_plan},
    {"optimizer_stats", handle_optimizer_stats},
    {"optimizer_reset", handle_optimizer_reset},
    {"queries_list", handle_query_list},
    {"query_cancel", handle_query_cancel},
};

/* Sources that serve only part of their rows, and why. */
static void write_damage(const struct source_set *set, struct json_writer *w)
{
    json_keyz(w, "damaged_sources");
    json_begin_object(w);
    for (uint32_t i = 0; i < set->len; i++) {
        struct source_stats stats;
        source_get_stats(set->sources[i], &stats);
        if (!stats.damage[0])
            continue;
        json_key(w, source_config(set->sources[i])->source_id);
        json_string(w, str_of(stats.damage));
    }
    json_end_object(w);
}

static bool health(void *context, struct json_writer *w, const char **ret_status)
{
    struct tenant_node *node = context;
    struct source_set set;
    char count[16] = "?";
    bool listed = source_set_open(node, NULL, &set, NULL) == STATUS_OK;
    if (listed) {
        snprintf(count, sizeof count, "%u", set.len);
        write_damage(&set, w);
        source_set_close(&set);
    } else {
        *ret_status = "the sources cannot be listed";
    }
    json_kv_strz(w, "tenant_id", node->options.tenant_id);
    json_kv_strz(w, "source_count", count); /* a string: the contract has it so */
    tenant_write_time(w, "timestamp", sys_now_us(node->sys));
    return listed;
}

static enum status open_store(struct tenant_node *node, struct error *err)
{
    struct store_options options = {
        .path = node->options.data_path,
        .memtable_bytes = node->options.memtable_bytes,
        .page_cache_bytes = node->options.page_cache_bytes,
        .flush_age_us = node->options.flush_age_us,
        .flush_threads = node->options.flush_threads,
        .wal_retention_us = node->options.wal_retention_us,
        .wal_commit_delay_us = node->options.wal_commit_delay_us,
        .snapshot_retention_us = node->options.snapshot_retention_us,
        .snapshots_min_kept = node->options.snapshots_min_kept,
        .auto_compaction = node->options.auto_compaction,
        .compaction_interval_us = node->options.compaction_interval_us,
        .compaction = node->options.compaction,
    };
    TRY(sys_mkdirs(node->sys, options.path, err));
    return store_open(node->sys, &options, &node->store, err);
}

static enum status open_sql(struct tenant_node *node, struct error *err)
{
    struct sql_pool_options options = {
        .worker_path = node->options.sql_worker_path,
        .data_path = node->options.data_path,
        .workers_min = node->options.sql_workers_min,
        .workers_max = tenant_workers_first(node),
        .queue_max = node->options.sql_queue_max,
        .threads = node->options.sql_threads,
        .memory_bytes = node->options.sql_memory_bytes,
    };
    return sql_pool_open(node->sys, &options, &node->sql, err);
}

static enum status open_optimizer(struct tenant_node *node, struct error *err)
{
    const struct tenant_node_options *options = &node->options;
    struct value_cache_options cache = {
        .sys = node->sys, .bytes = options->cache_bytes, .life_us = options->cache_life_us};
    struct optimizer_options optimizer = {.sys = node->sys,
                                          .disabled = options->optimizer_disabled,
                                          .learns = options->optimizer_learns,
                                          .plans_max = options->plans_max,
                                          .plan_life_us = options->cache_life_us};
    char path[SYS_PATH_MAX];
    TRY(sys_path(path, err, "%s/optimizer.json", options->data_path));
    node->optimizer_path = str_dup(str_of(path));
    if (!node->optimizer_path)
        return error_no_memory(err);
    optimizer.state_path = node->optimizer_path;
    TRY(value_cache_open(&cache, &node->cache, err));
    return optimizer_open(&optimizer, &node->optimizer, err);
}

/* One sync for all writes of a round. */
static void commit_writes(void *context, bool wait)
{
    const struct tenant_node *node = context;
    store_commit(node->store, wait);
}

static enum status serve(struct tenant_node *node, struct error *err)
{
    struct service_options options = {
        .kind = SERVICE_TENANT,
        .version = node->options.version,
        .sys = node->sys,
        .log = node->log,
        .gate = node->options.gate,
        .http = {.host = node->options.host,
                 .port = node->options.port,
                 .idle_timeout_s = node->options.idle_timeout_s,
                 .request_timeout_s = node->options.request_timeout_s,
                 .connections_max = node->options.connections_max,
                 .io_threads = node->options.http_io_threads,
                 .workers = node->options.http_workers ? node->options.http_workers : 64,
                 .tls_certificate = node->options.tls_certificate,
                 .tls_key = node->options.tls_key},
        .handlers = handlers,
        .handlers_len = sizeof handlers / sizeof *handlers,
        .context = node,
        .on_round = commit_writes,
        .health = health,
        .collect = tenant_collect,
        .trace = node->options.trace,
        .slow_us = node->options.slow_us,
    };
    return service_start(&options, &node->service, err);
}

static void set_defaults(struct tenant_node_options *options)
{
    if (!options->max_concurrent_searches)
        options->max_concurrent_searches = 10;
    if (!options->search_queue_max)
        options->search_queue_max = 4 * options->max_concurrent_searches;
    if (!options->search_timeout_us)
        options->search_timeout_us = 30 * 1000000;
}

enum status tenant_node_start(const struct tenant_node_options *options,
                              struct tenant_node **ret_node, struct error *err)
{
    struct tenant_node *node = calloc(1, sizeof *node);
    if (!node)
        return error_no_memory(err);
    node->options = *options;
    node->sys = options->sys;
    node->log = options->log;
    set_defaults(&node->options);
    backup_job_init(&node->backup);
    admission_init(&node->admission, node->options.max_concurrent_searches,
                   node->options.search_queue_max);
    enum status status = query_table_start(node, err);
    if (status == STATUS_OK)
        status = cursor_table_init(&node->cursors, node->sys, err);
    if (status == STATUS_OK)
        status = open_store(node, err);
    if (status == STATUS_OK)
        status = sql_view_book_open(node->sys, node->options.data_path, &node->sql_views, err);
    if (status == STATUS_OK)
        status = open_optimizer(node, err);
    if (status == STATUS_OK)
        status = statistics_start(node, err);
    if (status == STATUS_OK)
        status = open_sql(node, err);
    if (status == STATUS_OK)
        status = query_table_watch(node, err);
    if (status == STATUS_OK)
        status = matviews_start(node, err);
    if (status == STATUS_OK)
        status = serve(node, err);
    if (status != STATUS_OK) {
        tenant_node_stop(node, 0);
        return status;
    }
    *ret_node = node;
    return STATUS_OK;
}

uint16_t tenant_node_port(const struct tenant_node *node)
{
    return service_port(node->service);
}

void tenant_node_stop(struct tenant_node *node, uint32_t grace_ms)
{
    if (!node)
        return;
    if (node->service)
        service_stop(node->service, grace_ms);
    backup_job_stop(&node->backup);
    matviews_stop(node);
    query_table_stop(node);
    if (node->cursors.entries)
        cursor_table_release(&node->cursors);
    if (node->sql)
        sql_pool_close(node->sql);
    optimizer_close(node->optimizer);
    value_cache_close(node->cache);
    free(node->optimizer_path);
    statistics_stop(node);
    if (node->store)
        store_close(node->store, true);
    sql_view_book_close(node->sql_views);
    query_table_release(node);
    admission_release(&node->admission);
    backup_job_release(&node->backup);
    free(node);
}
