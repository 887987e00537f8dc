/* system.c: the system tables and their rows.
 *
 * Each is a batch that is written to a Parquet file in run/, which the workers read as any other;
 * the file goes when the statement has ended. */
#include "services/tenant/system.h"

#include "base/uuid.h"

/* ---- the list ---- */

static const struct system_table tables[] = {
    {"system.sources",
     "sources",
     {{"source", TYPE_STRING},
      {"name", TYPE_STRING},
      {"row_count", TYPE_INT64},
      {"files", TYPE_INT64},
      {"bytes", TYPE_INT64},
      {"memtable_rows", TYPE_INT64},
      {"snapshot_id", TYPE_INT64},
      {"snapshots", TYPE_INT64},
      {"last_updated", TYPE_TIMESTAMP},
      {"partition_columns", TYPE_STRING},
      {"key_columns", TYPE_STRING},
      {"index_columns", TYPE_STRING},
      {"wal_enabled", TYPE_BOOL}},
     system_fill_sources},
    {"system.columns",
     "columns",
     {{"source", TYPE_STRING},
      {"name", TYPE_STRING},
      {"position", TYPE_INT64},
      {"type", TYPE_STRING},
      {"required", TYPE_BOOL},
      {"comment", TYPE_STRING},
      {"is_partition", TYPE_BOOL},
      {"is_key", TYPE_BOOL},
      {"is_indexed", TYPE_BOOL}},
     system_fill_columns},
    {"system.snapshots",
     "snapshots",
     {{"source", TYPE_STRING},
      {"snapshot_id", TYPE_INT64},
      {"parent_id", TYPE_INT64},
      {"committed_at", TYPE_TIMESTAMP},
      {"operation", TYPE_STRING},
      {"row_count", TYPE_INT64},
      {"bytes", TYPE_INT64},
      {"files", TYPE_INT64},
      {"files_added", TYPE_INT64},
      {"files_removed", TYPE_INT64},
      {"is_current", TYPE_BOOL},
      {"is_damaged", TYPE_BOOL},
      {"tags", TYPE_STRING}},
     system_fill_snapshots},
    {"system.files",
     "files",
     {{"source", TYPE_STRING},
      {"file_id", TYPE_INT64},
      {"path", TYPE_STRING},
      {"row_count", TYPE_INT64},
      {"bytes", TYPE_INT64},
      {"deleted_rows", TYPE_INT64}},
     system_fill_files},
    {"system.statistics",
     "statistics",
     {{"source", TYPE_STRING},
      {"column_name", TYPE_STRING},
      {"type", TYPE_STRING},
      {"row_count", TYPE_INT64},
      {"min", TYPE_STRING},
      {"max", TYPE_STRING},
      {"nulls", TYPE_INT64}},
     system_fill_statistics},
    {"system.queries",
     "queries",
     {{"query_id", TYPE_STRING}, {"query", TYPE_STRING}, {"started_at", TYPE_TIMESTAMP}},
     system_fill_queries},
    {"system.audit_logs",
     "audit_logs",
     {{"id", TYPE_STRING},
      {"user_id", TYPE_STRING},
      {"action", TYPE_STRING},
      {"resource_type", TYPE_STRING},
      {"resource_id", TYPE_STRING},
      {"success", TYPE_BOOL},
      {"details", TYPE_JSON},
      {"ip_address", TYPE_STRING},
      {"user_agent", TYPE_STRING},
      {"session_id", TYPE_STRING},
      {"reported_by", TYPE_STRING},
      {"timestamp", TYPE_TIMESTAMP}},
     system_fill_audit_logs},
    {"system.query_logs",
     "query_logs",
     {{"id", TYPE_STRING},
      {"user_id", TYPE_STRING},
      {"collection_id", TYPE_STRING},
      {"query_type", TYPE_STRING},
      {"query_vector_dimension", TYPE_INT64},
      {"top_k", TYPE_INT64},
      {"search_params", TYPE_JSON},
      {"result_count", TYPE_INT64},
      {"duration_ms", TYPE_INT64},
      {"success", TYPE_BOOL},
      {"error_message", TYPE_STRING},
      {"timestamp", TYPE_TIMESTAMP}},
     system_fill_query_logs},
    {"system.performance_metrics",
     "performance_metrics",
     {{"id", TYPE_STRING},
      {"collection_id", TYPE_STRING},
      {"operation_type", TYPE_STRING},
      {"operation_id", TYPE_STRING},
      {"duration_ms", TYPE_INT64},
      {"success", TYPE_BOOL},
      {"error_message", TYPE_STRING},
      {"metadata", TYPE_JSON},
      {"timestamp", TYPE_TIMESTAMP}},
     system_fill_performance_metrics},
    {"system.ingestion_logs",
     "ingestion_logs",
     {{"id", TYPE_STRING},
      {"collection_id", TYPE_STRING},
      {"user_id", TYPE_STRING},
      {"batch_id", TYPE_STRING},
      {"records_count", TYPE_INT64},
      {"file_size_bytes", TYPE_INT64},
      {"source_type", TYPE_STRING},
      {"status", TYPE_STRING},
      {"started_at", TYPE_TIMESTAMP},
      {"completed_at", TYPE_TIMESTAMP},
      {"error_message", TYPE_STRING},
      {"metadata", TYPE_JSON}},
     system_fill_ingestion_logs},
    {"system.views",
     "views",
     {{"name", TYPE_STRING},
      {"query", TYPE_STRING},
      {"reads", TYPE_STRING},
      {"sql", TYPE_STRING},
      {"dialect", TYPE_STRING},
      {"created_at", TYPE_TIMESTAMP},
      {"is_materialized", TYPE_BOOL}},
     system_fill_views},
    {"system.materialized_views",
     "materialized_views",
     {{"name", TYPE_STRING},
      {"refresh_seconds", TYPE_INT64},
      {"last_refresh", TYPE_TIMESTAMP},
      {"last_attempt", TYPE_TIMESTAMP},
      {"how", TYPE_STRING},
      {"why_anew", TYPE_STRING},
      {"rows_stored", TYPE_INT64},
      {"duration_ms", TYPE_DOUBLE},
      {"bases", TYPE_JSON},
      {"is_stale", TYPE_BOOL},
      {"lag_ms", TYPE_INT64},
      {"last_error", TYPE_STRING}},
     system_fill_materialized},
    {"information_schema.tables",
     "tables",
     {{"table_catalog", TYPE_STRING},
      {"table_schema", TYPE_STRING},
      {"table_name", TYPE_STRING},
      {"table_type", TYPE_STRING}},
     system_fill_standard_tables},
    {"information_schema.columns",
     "columns",
     {{"table_catalog", TYPE_STRING},
      {"table_schema", TYPE_STRING},
      {"table_name", TYPE_STRING},
      {"column_name", TYPE_STRING},
      {"ordinal_position", TYPE_INT64},
      {"is_nullable", TYPE_STRING},
      {"data_type", TYPE_STRING}},
     system_fill_standard_columns},
};

const struct system_table *system_table_at(size_t i)
{
    return i < sizeof tables / sizeof *tables ? &tables[i] : NULL;
}

const struct system_table *system_table_find(struct str name)
{
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (str_eq_nocase(name, str_of(tables[i].name)))
            return &tables[i];
    }
    return NULL;
}

static uint32_t columns_of(const struct system_table *table)
{
    uint32_t len = 0;
    while (len < SYSTEM_COLUMNS_MAX && table->columns[len].name)
        len++;
    return len;
}

/* Names and types as the store has them, ids from 1. */
static struct field *fields_of(struct arena *arena, const struct system_table *table)
{
    uint32_t len = columns_of(table);
    struct field *fields = arena_array(arena, len, sizeof *fields);
    for (uint32_t i = 0; fields && i < len; i++)
        fields[i] =
            (struct field){str_of(table->columns[i].name), table->columns[i].type, (int32_t)i + 1};
    return fields;
}

struct lang_source system_table_source(struct arena *arena, const struct system_table *table)
{
    struct field *fields = fields_of(arena, table);
    return fields ? lang_source_of(arena, str_of(table->name), fields, columns_of(table))
                  : (struct lang_source){0};
}

/* ---- files ---- */

struct file_sink {
    struct sys *sys;
    struct sys_file *file;
    uint64_t offset;
};

static enum status write_bytes(void *context, struct slice bytes, struct error *err)
{
    struct file_sink *sink = context;
    TRY(sys_pwrite(sink->sys, sink->file, bytes.data, bytes.len, sink->offset, err));
    sink->offset += bytes.len;
    return STATUS_OK;
}

static enum status write_file(struct sys *sys, const char *path, const struct sql_table *table,
                              const struct batch *batch, struct error *err)
{
    struct parquet_write_options options = {.codec = PARQUET_NONE, .created_by = STR("Quarry")};
    struct parquet_writer *writer = NULL;
    struct file_sink sink = {.sys = sys};
    TRY(sys_open(sys, path, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &sink.file, err));
    enum status status = parquet_writer_open(table->fields, table->fields_len, &options,
                                             write_bytes, &sink, &writer, err);
    if (status == STATUS_OK)
        status = parquet_writer_append(writer, batch, NULL, batch->rows, err);
    if (status == STATUS_OK)
        status = parquet_writer_finish(writer, NULL, err);
    parquet_writer_free(writer);
    sys_close(sys, sink.file);
    if (status != STATUS_OK)
        (void)sys_unlink(sys, path, NULL); /* run/ is emptied at start */
    return status;
}

static enum status make_rows(struct request *request, const struct system_table *table,
                             const struct tenant_views *views, const struct sql_table *made,
                             struct error *err)
{
    struct tenant_node *node = request->context;
    struct system_fill fill = {request, views, batch_new()};
    enum status status = fill.batch ? STATUS_OK : error_no_memory(err);
    for (uint32_t i = 0; i < made->fields_len && status == STATUS_OK; i++) {
        uint32_t index;
        if (batch_add_column(fill.batch, made->fields[i].name, made->fields[i].type, &index) !=
            STATUS_OK)
            status = error_no_memory(err);
    }
    if (status == STATUS_OK)
        status = table->fill(&fill, err);
    if (status == STATUS_OK)
        status = write_file(node->sys, made->path, made, fill.batch, err);
    batch_unref(fill.batch);
    return status;
}

enum status system_table_open(struct request *request, const struct system_table *table,
                              const struct tenant_views *views, struct sql_table *ret,
                              struct error *err)
{
    struct tenant_node *node = request->context;
    char id[UUID_TEXT_LEN + 1];
    tenant_make_write_id(node, id);
    const char *path =
        arena_printf(request->arena, "%s/run/system-%s.parquet", node->options.data_path, id);
    *ret = (struct sql_table){.name = str_of(table->name),
                              .fields = fields_of(request->arena, table),
                              .fields_len = columns_of(table)};
    if (!path || !ret->fields)
        return error_no_memory(err);
    ret->path = path;
    enum status status = make_rows(request, table, views, ret, err);
    if (status != STATUS_OK)
        ret->path = NULL;
    return status;
}

void system_table_close(struct tenant_node *node, struct sql_table *table)
{
    if (table->path)
        (void)sys_unlink(node->sys, table->path, NULL); /* run/ is emptied at start */
    table->path = NULL;
}
