/* sources.c: declaring, listing, removing, measuring. */
#include <stdio.h>
#include <stdlib.h>

#include "base/datetime.h"
#include "services/tenant/matview.h"
#include "services/tenant/quarantine.h"
#include "services/tenant/sql_view.h"
#include "services/tenant/tenant_int.h"

static struct tenant_node *node_of(const struct request *request)
{
    return request->context;
}

void tenant_write_time(struct json_writer *w, const char *key, int64_t us)
{
    char text[TIMESTAMP_TEXT_MAX + 1];
    if (us == 0) {
        json_kv_null(w, key);
        return;
    }
    size_t n = timestamp_format(us, text);
    text[n++] = 'Z';
    json_kv_str(w, key, str_make(text, n));
}

/* --- sets of sources --- */

static bool named_before(yyjson_val *ids, size_t index)
{
    struct str name = json_str_of(yyjson_arr_get(ids, index));
    for (size_t i = 0; i < index; i++)
        if (str_eq(json_str_of(yyjson_arr_get(ids, i)), name))
            return true;
    return false;
}

static enum status open_named(struct tenant_node *node, yyjson_val *ids, struct source_set *ret,
                              struct error *err)
{
    size_t count = yyjson_arr_size(ids);
    if (count == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "source_ids is empty: name sources, or leave it out for all of them");
    if (count > STORE_SOURCES_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "source_ids has more than %d names",
                         STORE_SOURCES_MAX);
    ret->sources = calloc(count, sizeof(struct source *));
    if (!ret->sources)
        return error_no_memory(err);
    for (size_t i = 0; i < count; i++) {
        if (named_before(ids, i))
            continue;
        struct str name = json_str_of(yyjson_arr_get(ids, i));
        enum status status = store_get_source(node->store, name, &ret->sources[ret->len], err);
        TRY(sql_view_unknown_source(node, name, status, err));
        ret->len++;
    }
    return STATUS_OK;
}

enum status source_set_open(struct tenant_node *node, yyjson_val *ids, struct source_set *ret,
                            struct error *err)
{
    *ret = (struct source_set){0};
    enum status status = ids ? open_named(node, ids, ret, err)
                             : store_list_sources(node->store, &ret->sources, &ret->len, err);
    if (status != STATUS_OK)
        source_set_close(ret);
    return status;
}

void source_set_close(struct source_set *set)
{
    for (uint32_t i = 0; i < set->len; i++)
        source_unref(set->sources[i]);
    free(set->sources);
    *set = (struct source_set){0};
}

/* --- declaring --- */

static enum status decode_schema(struct request *request, struct source_config *config,
                                 struct error *err)
{
    yyjson_val *schema = request_json(request, "schema_definition");
    size_t count = yyjson_obj_size(schema), i, max;
    yyjson_val *key, *value;
    if (count > SCHEMA_FIELDS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "schema_definition has more than %d columns",
                         SCHEMA_FIELDS_MAX);
    struct field *fields = arena_array(request->arena, count ? count : 1, sizeof *fields);
    if (!fields)
        return error_no_memory(err);
    yyjson_obj_foreach(schema, i, max, key, value)
    {
        struct str name = json_str_of(key), type = json_str_of(value);
        if (name.len == 0 || name.len > FIELD_NAME_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "schema_definition: a column name has 1 to %d bytes", FIELD_NAME_MAX);
        if (!type_parse(type, &fields[i].type))
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "schema_definition: column '%.*s' has the unknown type '%.*s'; known: "
                             "string, int64, float64, bool, date, datetime64[ns], json",
                             STR_ARG(name), type.len < 60 ? (int)type.len : 60, type.data);
        fields[i].name = name;
    }
    config->fields = fields;
    config->fields_len = (uint32_t)count;
    return STATUS_OK;
}

static enum status decode_names(struct request *request, const char *field,
                                const struct str **ret_names, uint32_t *ret_len, struct error *err)
{
    yyjson_val *list = request_json(request, field), *item;
    size_t count = yyjson_arr_size(list), i, max;
    if (count > SOURCE_COLUMNS_LISTED_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s has more than %d columns", field,
                         SOURCE_COLUMNS_LISTED_MAX);
    struct str *names = arena_array(request->arena, count ? count : 1, sizeof *names);
    if (!names)
        return error_no_memory(err);
    yyjson_arr_foreach(list, i, max, item)
    {
        names[i] = json_str_of(item);
        for (size_t k = 0; k < i; k++)
            if (str_eq(names[k], names[i]))
                return error_set(err, STATUS_INVALID_ARGUMENT, "%s names '%.*s' twice", field,
                                 names[i].len < 100 ? (int)names[i].len : 100, names[i].data);
        if (names[i].len == 0 || names[i].len > FIELD_NAME_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s: a column name has 1 to %d bytes",
                             field, FIELD_NAME_MAX);
    }
    *ret_names = names;
    *ret_len = (uint32_t)count;
    return STATUS_OK;
}

static enum status check_quarantine(const struct source_config *config, struct error *err)
{
    char id[SOURCE_ID_MAX + 1];
    return config->settings.on_error == ON_ERROR_QUARANTINE
               ? quarantine_id(config->source_id, id, err)
               : STATUS_OK;
}

enum status handle_source_add(struct request *request)
{
    struct error *err = &request->error;
    struct source_config config = {
        .source_id = request_str(request, "source_id"),
        .name = request_str(request, "name"),
        .connection_string = request_str(request, "connection_string"),
        .data_path = request_str(request, "data_path"),
        .max_file_size_mb = (uint32_t)request_int(request, "max_file_size_mb"),
        .wal_enabled = request_bool(request, "wal_enabled"),
        .settings = {.retention_days = (uint32_t)request_int(request, "retention_days"),
                     .retention_column = request_str(request, "retention_column")},
    };
    (void)on_error_parse(request_str(request, "on_error"), &config.settings.on_error);
    TRY(check_quarantine(&config, err));
    TRY(decode_schema(request, &config, err));
    TRY(decode_names(request, "partition_columns", &config.partition_columns,
                     &config.partition_columns_len, err));
    TRY(decode_index_columns(request, &config, err));
    TRY(decode_names(request, "key_columns", &config.key_columns, &config.key_columns_len, err));
    if (!parquet_codec_parse(request_str(request, "compression"), &config.codec))
        return error_set(err, STATUS_INVALID_ARGUMENT, "compression is not known");
    TRY(sql_view_check_free(node_of(request), config.source_id, err));
    TRY(quota_check_source(node_of(request), config.source_id, err));
    TRY(store_add_source(node_of(request)->store, &config, err));
    return answer_success(request);
}

enum status tenant_remove_source(struct tenant_node *node, struct str id, struct error *err)
{
    char side[SOURCE_ID_MAX + 1];
    TRY(store_remove_source(node->store, id, err));
    if (quarantine_id(id, side, NULL) == STATUS_OK)
        (void)store_remove_source(node->store, str_of(side), NULL); /* mostly: none */
    cursor_sweep(&node->cursors);
    return STATUS_OK;
}

enum status handle_source_remove(struct request *request)
{
    TRY(matview_check_writable(node_of(request), request_path_param(request, "source_id"),
                               &request->error));
    TRY(tenant_remove_source(node_of(request), request_path_param(request, "source_id"),
                             &request->error));
    return answer_success(request);
}

enum status handle_source_flush(struct request *request)
{
    struct error *err = &request->error;
    struct source *source;
    struct source_stats stats;
    TRY(store_get_source(node_of(request)->store, request_path_param(request, "source_id"), &source,
                         err));
    enum status status = source_flush(source, err);
    source_get_stats(source, &stats);
    source_unref(source);
    TRY(status);
    struct answer answer;
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    json_kv_int(&answer.w, "snapshot_id", (int64_t)stats.snapshot_id);
    json_kv_int(&answer.w, "total_files", (int64_t)stats.files);
    json_kv_int(&answer.w, "total_rows", (int64_t)stats.rows);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    status = answer_end(&answer, err);
    answer_release(&answer);
    return status;
}

/* --- measuring --- */

/* SourceInfo of the contract. */
static void write_info(struct json_writer *w, struct source *source,
                       const struct source_stats *stats)
{
    const struct source_config *config = source_config(source);
    json_begin_object(w);
    json_kv_str(w, "source_id", config->source_id);
    json_kv_str(w, "name", config->name);
    json_kv_int(w, "total_files", (int64_t)stats->files);
    json_kv_int(w, "total_size_bytes", (int64_t)stats->bytes);
    json_kv_int(w, "total_rows", (int64_t)stats->rows);
    tenant_write_time(w, "last_updated", stats->last_updated_us);
    json_end_object(w);
}

static void write_info_map(struct json_writer *w, const char *key, const struct source_set *set)
{
    struct source_stats stats;
    json_keyz(w, key);
    json_begin_object(w);
    for (uint32_t i = 0; i < set->len; i++) {
        source_get_stats(set->sources[i], &stats);
        json_key(w, source_config(set->sources[i])->source_id);
        write_info(w, set->sources[i], &stats);
    }
    json_end_object(w);
}

enum status handle_source_list(struct request *request)
{
    struct error *err = &request->error;
    struct source_set set;
    struct answer answer;
    TRY(source_set_open(node_of(request), NULL, &set, err));
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_keyz(&answer.w, "source_ids");
    json_begin_array(&answer.w);
    for (uint32_t i = 0; i < set.len; i++)
        json_string(&answer.w, source_config(set.sources[i])->source_id);
    json_end_array(&answer.w);
    write_info_map(&answer.w, "source_details", &set);
    enum status status = sql_view_write_all(node_of(request), &answer.w, err);
    json_end_object(&answer.w);
    if (status == STATUS_OK)
        status = answer_end(&answer, err);
    answer_release(&answer);
    source_set_close(&set);
    return status;
}

static void write_names(struct json_writer *w, const char *key, const struct str *names,
                        uint32_t len)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (uint32_t i = 0; i < len; i++)
        json_string(w, names[i]);
    json_end_array(w);
}

static void write_columns(struct json_writer *w, struct source *source)
{
    struct schema *schema = source_schema(source);
    json_keyz(w, "columns");
    json_begin_array(w);
    for (uint32_t i = 0; schema && i < schema->fields_len; i++) {
        json_begin_object(w);
        json_kv_str(w, "name", schema->fields[i].name);
        json_kv_strz(w, "type", type_name(schema->fields[i].type));
        json_kv_int(w, "field_id", schema->fields[i].id);
        json_end_object(w);
    }
    json_end_array(w);
    schema_unref(schema);
}

static void write_settings(struct json_writer *w, const struct source_settings *settings,
                           const struct source_stats *stats)
{
    json_kv_strz(w, "on_error", on_error_name(settings->on_error));
    json_keyz(w, "retention");
    json_begin_object(w);
    json_kv_int(w, "days", settings->retention_days);
    json_kv_str(w, "column",
                settings->retention_column.len ? settings->retention_column : STR_NONE);
    tenant_write_time(w, "last_run", stats->retention_us);
    json_kv_int(w, "rows_removed", (int64_t)stats->retention_rows);
    json_kv_int(w, "files_removed", (int64_t)stats->retention_files);
    json_kv_str(w, "error", stats->retention_error[0] ? str_of(stats->retention_error) : STR_NONE);
    json_end_object(w);
}

/* --- settings --- */

static enum status set(struct request *request, struct source *source)
{
    struct error *err = &request->error;
    struct source_config config = *source_config(source);
    struct source_settings *settings = &config.settings;
    if (request_json(request, "on_error"))
        (void)on_error_parse(request_str(request, "on_error"), &settings->on_error);
    if (request_json(request, "retention_days"))
        settings->retention_days = (uint32_t)request_int(request, "retention_days");
    if (request_json(request, "retention_column"))
        settings->retention_column = request_str(request, "retention_column");
    TRY(check_quarantine(&config, err));
    TRY(source_set(source, settings, err));
    return answer_success(request);
}

enum status handle_source_settings(struct request *request)
{
    struct source *source;
    TRY(matview_check_writable(node_of(request), request_path_param(request, "source_id"),
                               &request->error));
    TRY(store_get_source(node_of(request)->store, request_path_param(request, "source_id"), &source,
                         &request->error));
    enum status status = set(request, source);
    source_unref(source);
    return status;
}

static void write_details(struct json_writer *w, struct tenant_node *node, struct source *source,
                          const struct source_stats *stats)
{
    const struct source_config *config = source_config(source);
    struct store_stats store;
    store_get_stats(node->store, &store);
    json_begin_object(w);
    json_kv_int(w, "snapshot_id", (int64_t)stats->snapshot_id);
    json_kv_int(w, "snapshots", (int64_t)stats->snapshots);
    json_kv_int(w, "flushes", (int64_t)stats->flushes);
    json_kv_int(w, "memtable_rows", (int64_t)stats->memtable_rows);
    json_kv_int(w, "memtable_bytes", (int64_t)stats->memtable_bytes);
    json_kv_str(w, "damage", stats->damage[0] ? str_of(stats->damage) : STR_NONE);
    json_kv_strz(w, "compression", parquet_codec_name(config->codec));
    write_names(w, "partition_columns", config->partition_columns, config->partition_columns_len);
    write_names(w, "key_columns", config->key_columns, config->key_columns_len);
    write_columns(w, source);
    write_settings(w, &config->settings, stats);
    json_keyz(w, "wal_status");
    json_begin_object(w);
    json_kv_bool(w, "enabled", config->wal_enabled);
    json_kv_int(w, "total_log_files", (int64_t)store.wal_files);
    json_kv_int(w, "total_size_bytes", (int64_t)store.wal_bytes);
    json_kv_strz(w, "current_log_file", store.wal_current);
    json_kv_int(w, "pending_operations", (int64_t)store.wal_pending);
    json_end_object(w);
    json_keyz(w, "index_status");
    json_begin_object(w);
    write_names(w, "indexed_columns", config->index_columns, config->index_columns_len);
    json_kv_int(w, "total_index_entries", (int64_t)stats->index_entries);
    json_end_object(w);
    json_end_object(w);
}

enum status handle_source_stats(struct request *request)
{
    struct error *err = &request->error;
    struct source *source;
    struct source_stats stats;
    struct answer answer;
    TRY(store_get_source(node_of(request)->store, request_path_param(request, "source_id"), &source,
                         err));
    source_get_stats(source, &stats);
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    json_keyz(&answer.w, "stats");
    write_info(&answer.w, source, &stats);
    json_keyz(&answer.w, "detailed_stats");
    write_details(&answer.w, node_of(request), source, &stats);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    enum status status = answer_end(&answer, err);
    answer_release(&answer);
    source_unref(source);
    return status;
}

enum status handle_tenant_stats(struct request *request)
{
    struct error *err = &request->error;
    struct tenant_node *node = node_of(request);
    struct source_set set;
    struct source_stats stats, total = {0};
    struct answer answer;
    TRY(source_set_open(node, NULL, &set, err));
    for (uint32_t i = 0; i < set.len; i++) {
        source_get_stats(set.sources[i], &stats);
        total.files += stats.files;
        total.bytes += stats.bytes;
        total.rows += stats.rows;
    }
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_strz(&answer.w, "tenant_id", node->options.tenant_id);
    json_kv_strz(&answer.w, "tenant_name", node->options.tenant_name);
    json_kv_int(&answer.w, "total_sources", set.len);
    json_kv_int(&answer.w, "total_files", (int64_t)total.files);
    json_kv_int(&answer.w, "total_size_bytes", (int64_t)total.bytes);
    json_kv_int(&answer.w, "total_rows", (int64_t)total.rows);
    write_info_map(&answer.w, "source_stats", &set);
    json_end_object(&answer.w);
    enum status status = answer_end(&answer, err);
    answer_release(&answer);
    source_set_close(&set);
    return status;
}
