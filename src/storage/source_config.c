/* source_config.c: what a client declares of a source: checks, copies, the file source.json. */
#include <stdlib.h>

#include "storage/store_int.h"

enum { SOURCE_TEXT_MAX = 4096, SOURCE_JSON_MAX = 32 << 20, MAX_FILE_SIZE_MB = 256 };
/* 2: with a schema that was changed, which an older program would not see. */
enum { SOURCE_JSON_VERSION = 2 };

static bool is_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

enum status source_check_id(struct str id, struct error *err)
{
    bool ok = id.len >= 1 && id.len <= SOURCE_ID_MAX && is_id_char(id.data[0]);
    for (size_t i = 1; ok && i < id.len; i++)
        ok = is_id_char(id.data[i]) || id.data[i] == '.' || id.data[i] == '-';
    if (ok)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "a source id has 1 to %d letters, digits, '_', '.', '-' and starts with a "
                     "letter, a digit or '_'",
                     SOURCE_ID_MAX);
}

static enum status check_columns(const char *what, const struct str *columns, uint32_t len,
                                 struct error *err)
{
    if (len > SOURCE_COLUMNS_LISTED_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s: at most %d columns", what,
                         SOURCE_COLUMNS_LISTED_MAX);
    for (uint32_t i = 0; i < len; i++) {
        if (columns[i].len == 0 || columns[i].len > FIELD_NAME_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT, "%s: a name has 1 to %d bytes", what,
                             FIELD_NAME_MAX);
        for (uint32_t k = 0; k < i; k++) {
            if (str_eq(columns[i], columns[k]))
                return error_set(err, STATUS_INVALID_ARGUMENT, "%s: \"%.*s\" is named twice", what,
                                 STR_ARG(columns[i]));
        }
    }
    return STATUS_OK;
}

static enum status check_fields(const struct source_config *config, struct error *err)
{
    if (config->fields_len > SCHEMA_FIELDS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "schema_definition: at most %d columns",
                         SCHEMA_FIELDS_MAX);
    for (uint32_t i = 0; i < config->fields_len; i++) {
        struct str name = config->fields[i].name;
        if (name.len == 0 || name.len > FIELD_NAME_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "schema_definition: a name has 1 to %d bytes", FIELD_NAME_MAX);
        for (uint32_t k = 0; k < i; k++) {
            if (str_eq(name, config->fields[k].name))
                return error_set(err, STATUS_INVALID_ARGUMENT,
                                 "schema_definition: \"%.*s\" is named twice", STR_ARG(name));
        }
    }
    return STATUS_OK;
}

static const char *const on_error_names[ON_ERROR_COUNT] = {"reject", "quarantine", "skip"};

const char *on_error_name(enum on_error mode)
{
    return on_error_names[mode];
}

bool on_error_parse(struct str text, enum on_error *ret)
{
    for (int i = 0; i < ON_ERROR_COUNT; i++) {
        if (str_is(text, on_error_names[i])) {
            *ret = (enum on_error)i;
            return true;
        }
    }
    return false;
}

static enum status check_settings(const struct source_settings *settings, struct error *err)
{
    if (settings->retention_days > RETENTION_DAYS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "retention_days: 0 to %d",
                         RETENTION_DAYS_MAX);
    if (settings->retention_column.len > FIELD_NAME_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "retention_column: a name has at most %d bytes", FIELD_NAME_MAX);
    return STATUS_OK;
}

enum status source_config_check(const struct source_config *config, struct error *err)
{
    TRY(source_check_id(config->source_id, err));
    if (config->name.len > SOURCE_TEXT_MAX || config->connection_string.len > SOURCE_TEXT_MAX ||
        config->data_path.len > SOURCE_TEXT_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "name, connection_string and data_path have at most %d bytes",
                         SOURCE_TEXT_MAX);
    TRY(check_fields(config, err));
    TRY(check_settings(&config->settings, err));
    TRY(check_columns("partition_columns", config->partition_columns, config->partition_columns_len,
                      err));
    TRY(check_columns("index_columns", config->index_columns, config->index_columns_len, err));
    TRY(composites_check(config, err));
    return check_columns("key_columns", config->key_columns, config->key_columns_len, err);
}

static struct str copy_str(struct arena *arena, struct str s)
{
    return arena_str(arena, s.data ? s : STR(""));
}

static const struct str *copy_list(struct arena *arena, const struct str *list, uint32_t len)
{
    struct str *copy = arena_array(arena, len + 1u, sizeof *copy);
    for (uint32_t i = 0; copy && i < len; i++) {
        copy[i] = copy_str(arena, list[i]);
        if (!copy[i].data)
            return NULL;
    }
    return copy;
}

static const struct field *copy_fields(struct arena *arena, const struct field *fields,
                                       uint32_t len)
{
    struct field *copy = arena_array(arena, len + 1u, sizeof *copy);
    for (uint32_t i = 0; copy && i < len; i++) {
        copy[i] = (struct field){
            .name = copy_str(arena, fields[i].name), .type = fields[i].type, .id = (int32_t)i + 1};
        if (!copy[i].name.data)
            return NULL;
    }
    return copy;
}

enum status source_config_copy(struct arena *arena, const struct source_config *from,
                               struct source_config *to, struct error *err)
{
    *to = *from;
    to->source_id = copy_str(arena, from->source_id);
    to->name = copy_str(arena, from->name);
    to->connection_string = copy_str(arena, from->connection_string);
    to->data_path = copy_str(arena, from->data_path);
    to->settings.retention_column = copy_str(arena, from->settings.retention_column);
    to->fields = copy_fields(arena, from->fields, from->fields_len);
    to->partition_columns = copy_list(arena, from->partition_columns, from->partition_columns_len);
    to->index_columns = copy_list(arena, from->index_columns, from->index_columns_len);
    to->key_columns = copy_list(arena, from->key_columns, from->key_columns_len);
    if (from->declared_index_columns) {
        to->declared_index_columns =
            copy_list(arena, from->declared_index_columns, from->declared_index_columns_len);
        if (!to->declared_index_columns)
            return error_no_memory(err);
    }
    if (from->declared_partition_columns) {
        to->declared_partition_columns =
            copy_list(arena, from->declared_partition_columns, from->partition_columns_len);
        if (!to->declared_partition_columns)
            return error_no_memory(err);
    }
    if (!composites_copy(arena, from, to))
        return error_no_memory(err);
    if (from->schema) {
        to->schema = schema_def_copy(arena, from->schema);
        if (!to->schema)
            return error_no_memory(err);
    }
    if (from->sorted_fields_len) {
        int32_t *fields = arena_array(arena, from->sorted_fields_len, sizeof *fields);
        if (!fields)
            return error_no_memory(err);
        memcpy(fields, from->sorted_fields, from->sorted_fields_len * sizeof *fields);
        to->sorted_fields = fields;
    }
    if (to->max_file_size_mb == 0)
        to->max_file_size_mb = MAX_FILE_SIZE_MB;
    if (!to->source_id.data || !to->name.data || !to->connection_string.data ||
        !to->data_path.data || !to->fields || !to->partition_columns || !to->index_columns ||
        !to->key_columns || !to->settings.retention_column.data)
        return error_no_memory(err);
    return STATUS_OK;
}

static bool list_equal(const struct str *a, uint32_t a_len, const struct str *b, uint32_t b_len)
{
    if (a_len != b_len)
        return false;
    for (uint32_t i = 0; i < a_len; i++) {
        if (!str_eq(a[i], b[i]))
            return false;
    }
    return true;
}

static bool same_indexes(const struct source_config *a, const struct source_config *b)
{
    return list_equal(a->index_columns, a->index_columns_len, b->index_columns,
                      b->index_columns_len) ||
           (a->declared_index_columns &&
            list_equal(a->declared_index_columns, a->declared_index_columns_len, b->index_columns,
                       b->index_columns_len));
}

bool source_config_equal(const struct source_config *a, const struct source_config *b)
{
    uint32_t a_size = a->max_file_size_mb ? a->max_file_size_mb : MAX_FILE_SIZE_MB;
    uint32_t b_size = b->max_file_size_mb ? b->max_file_size_mb : MAX_FILE_SIZE_MB;
    if (!str_eq(a->source_id, b->source_id) || !str_eq(a->name, b->name) ||
        !str_eq(a->connection_string, b->connection_string) ||
        !str_eq(a->data_path, b->data_path) || a->fields_len != b->fields_len ||
        a->codec != b->codec || a_size != b_size || a->wal_enabled != b->wal_enabled)
        return false;
    for (uint32_t i = 0; i < a->fields_len; i++) {
        if (!str_eq(a->fields[i].name, b->fields[i].name) || a->fields[i].type != b->fields[i].type)
            return false;
    }
    const struct str *a_partition =
        a->declared_partition_columns ? a->declared_partition_columns : a->partition_columns;
    return list_equal(a_partition, a->partition_columns_len, b->partition_columns,
                      b->partition_columns_len) &&
           list_equal(a->key_columns, a->key_columns_len, b->key_columns, b->key_columns_len) &&
           same_indexes(a, b) && composites_equal(a, b);
}

/* --- source.json --- */

static void write_list(struct json_writer *w, const char *key, const struct str *list, uint32_t len)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (uint32_t i = 0; i < len; i++)
        json_string(w, list[i]);
    json_end_array(w);
}

static void write_numbers(struct json_writer *w, const char *key, const int32_t *list, uint32_t len)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (uint32_t i = 0; i < len; i++)
        json_int(w, list[i]);
    json_end_array(w);
}

static void write_fields(struct json_writer *w, const struct source_config *config)
{
    json_keyz(w, "fields");
    json_begin_array(w);
    for (uint32_t i = 0; i < config->fields_len; i++) {
        json_begin_object(w);
        json_kv_str(w, "name", config->fields[i].name);
        json_kv_strz(w, "type", type_name(config->fields[i].type));
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_settings(struct json_writer *w, const struct source_settings *settings)
{
    if (settings->on_error != ON_ERROR_REJECT)
        json_kv_strz(w, "on_error", on_error_name(settings->on_error));
    if (settings->retention_days)
        json_kv_int(w, "retention_days", settings->retention_days);
    if (settings->retention_column.len)
        json_kv_str(w, "retention_column", settings->retention_column);
}

enum status source_config_write(struct sys *sys, const char *path,
                                const struct source_config *config, struct uuid incarnation,
                                int64_t created_us, struct error *err)
{
    char uuid[UUID_TEXT_LEN + 1];
    struct buf buf;
    struct json_writer writer, *w = &writer;
    uuid_format(incarnation, uuid);
    buf_init(&buf, SOURCE_JSON_MAX);
    json_writer_init(w, &buf);
    json_begin_object(w);
    json_kv_strz(w, "format", "quarry-source");
    json_kv_int(w, "version", config->schema ? SOURCE_JSON_VERSION : 1);
    json_kv_str(w, "source_id", config->source_id);
    json_kv_strz(w, "incarnation", uuid);
    json_kv_int(w, "created_us", created_us);
    json_kv_str(w, "name", config->name);
    json_kv_str(w, "connection_string", config->connection_string);
    json_kv_str(w, "data_path", config->data_path);
    write_fields(w, config);
    write_list(w, "partition_columns", config->partition_columns, config->partition_columns_len);
    write_list(w, "index_columns", config->index_columns, config->index_columns_len);
    if (config->key_columns_len)
        write_list(w, "key_columns", config->key_columns, config->key_columns_len);
    if (config->declared_index_columns)
        write_list(w, "declared_index_columns", config->declared_index_columns,
                   config->declared_index_columns_len);
    if (config->declared_partition_columns)
        write_list(w, "declared_partition_columns", config->declared_partition_columns,
                   config->partition_columns_len);
    if (config->schema) {
        json_keyz(w, "schema");
        schema_def_write(w, config->schema);
    }
    if (config->sorted_fields_len)
        write_numbers(w, "sorted_fields", config->sorted_fields, config->sorted_fields_len);
    composites_write(w, config);
    write_settings(w, &config->settings);
    json_kv_strz(w, "codec", parquet_codec_name(config->codec));
    json_kv_int(w, "max_file_size_mb", config->max_file_size_mb);
    json_kv_bool(w, "wal_enabled", config->wal_enabled);
    json_end_object(w);
    enum status status = buf_check(&buf, "a source's configuration", err);
    if (status == STATUS_OK)
        status = sealed_write(sys, path, buf_str(&buf), err);
    buf_release(&buf);
    return status;
}

static bool read_list(yyjson_val *json, struct arena *arena, const struct str **ret,
                      uint32_t *ret_len)
{
    size_t index, max;
    yyjson_val *item;
    struct str *list = arena_array(arena, yyjson_arr_size(json) + 1, sizeof *list);
    if (!yyjson_is_arr(json) || !list)
        return false;
    yyjson_arr_foreach(json, index, max, item)
    {
        list[index] = json_str_of(item);
        if (!list[index].data)
            return false;
    }
    *ret = list;
    *ret_len = (uint32_t)yyjson_arr_size(json);
    return true;
}

static bool read_fields(yyjson_val *json, struct arena *arena, struct source_config *config)
{
    size_t index, max;
    yyjson_val *item;
    struct field *fields = arena_array(arena, yyjson_arr_size(json) + 1, sizeof *fields);
    if (!yyjson_is_arr(json) || !fields)
        return false;
    yyjson_arr_foreach(json, index, max, item)
    {
        struct str type = json_str_of(json_get(item, "type"));
        fields[index].name = json_str_of(json_get(item, "name"));
        if (!fields[index].name.data || !type.data || !type_parse(type, &fields[index].type))
            return false;
    }
    config->fields = fields;
    config->fields_len = (uint32_t)yyjson_arr_size(json);
    return true;
}

/* Absent in 0.2. */
static bool read_sorted_fields(yyjson_val *json, struct arena *arena, struct source_config *config)
{
    size_t index, max;
    yyjson_val *item;
    int32_t *fields = arena_array(arena, yyjson_arr_size(json) + 1, sizeof *fields);
    if (!fields || (json && !yyjson_is_arr(json)) ||
        yyjson_arr_size(json) > SOURCE_COLUMNS_LISTED_MAX)
        return false;
    yyjson_arr_foreach(json, index, max, item)
    {
        int64_t id = yyjson_get_sint(item);
        if (id < 1 || id >= FIELD_ID_STEP)
            return false;
        fields[index] = (int32_t)id;
    }
    config->sorted_fields = fields;
    config->sorted_fields_len = (uint32_t)yyjson_arr_size(json);
    return true;
}

static bool read_declared_partition(yyjson_val *json, struct arena *arena,
                                    struct source_config *config)
{
    uint32_t len;
    return !json || (read_list(json, arena, &config->declared_partition_columns, &len) &&
                     len == config->partition_columns_len);
}

/* Members that are absent: the defaults. */
static bool read_settings(yyjson_val *root, struct source_settings *settings)
{
    struct str on_error = json_str_of(json_get(root, "on_error"));
    settings->retention_days = (uint32_t)yyjson_get_uint(json_get(root, "retention_days"));
    settings->retention_column = json_str_of(json_get(root, "retention_column"));
    return !on_error.data || on_error_parse(on_error, &settings->on_error);
}

/* Borrows from the document. */
static bool read_config(yyjson_val *root, struct arena *arena, struct source_config *config,
                        struct uuid *incarnation)
{
    struct str uuid = json_str_of(json_get(root, "incarnation"));
    struct str codec = json_str_of(json_get(root, "codec"));
    config->source_id = json_str_of(json_get(root, "source_id"));
    config->name = json_str_of(json_get(root, "name"));
    config->connection_string = json_str_of(json_get(root, "connection_string"));
    config->data_path = json_str_of(json_get(root, "data_path"));
    config->max_file_size_mb = (uint32_t)yyjson_get_uint(json_get(root, "max_file_size_mb"));
    config->wal_enabled = yyjson_get_bool(json_get(root, "wal_enabled"));
    uint64_t version = yyjson_get_uint(json_get(root, "version"));
    if (json_get(root, "schema")) {
        config->schema = schema_def_read(json_get(root, "schema"), arena);
        if (!config->schema)
            return false;
    }
    return version >= 1 && version <= SOURCE_JSON_VERSION && config->source_id.data &&
           config->name.data && config->connection_string.data && config->data_path.data &&
           uuid.data && uuid_parse(uuid, incarnation) && codec.data &&
           parquet_codec_parse(codec, &config->codec) &&
           read_fields(json_get(root, "fields"), arena, config) &&
           read_list(json_get(root, "partition_columns"), arena, &config->partition_columns,
                     &config->partition_columns_len) &&
           read_list(json_get(root, "index_columns"), arena, &config->index_columns,
                     &config->index_columns_len) &&
           read_settings(root, &config->settings) &&
           (!json_get(root, "key_columns") ||
            read_list(json_get(root, "key_columns"), arena, &config->key_columns,
                      &config->key_columns_len)) &&
           read_declared_partition(json_get(root, "declared_partition_columns"), arena, config) &&
           (!json_get(root, "declared_index_columns") ||
            read_list(json_get(root, "declared_index_columns"), arena,
                      &config->declared_index_columns, &config->declared_index_columns_len)) &&
           read_sorted_fields(json_get(root, "sorted_fields"), arena, config) &&
           composites_read(root, arena, config);
}

enum status source_config_read(struct sys *sys, const char *path, struct arena *arena,
                               struct source_config *ret, struct uuid *ret_incarnation,
                               int64_t *ret_created_us, struct error *err)
{
    struct source_config config = {0};
    struct arena scratch;
    yyjson_doc *doc = NULL;
    yyjson_val *root = NULL;
    TRY(sealed_read(sys, path, &doc, &root, err));
    arena_init(&scratch, 0);
    enum status status = STATUS_OK;
    if (!read_config(root, &scratch, &config, ret_incarnation) ||
        source_config_check(&config, NULL) != STATUS_OK)
        status = error_set(err, STATUS_CORRUPT, "%s: a member is missing or wrong", path);
    if (status == STATUS_OK)
        status = source_config_copy(arena, &config, ret, err);
    *ret_created_us = yyjson_get_sint(json_get(root, "created_us"));
    arena_release(&scratch);
    yyjson_doc_free(doc);
    return status;
}
