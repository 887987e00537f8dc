/* indexes.c: indexes of a source: added, listed with their progress, dropped. */
#include "services/tenant/tenant_int.h"

static enum status source_of(struct request *request, struct source **ret, struct error *err)
{
    struct tenant_node *node = request->context;
    return store_get_source(node->store, request_path_param(request, "source_id"), ret, err);
}

static void write_index(struct json_writer *w, const struct index_info *info)
{
    bool ready = info->ready + info->failed == info->files;
    json_begin_object(w);
    if (info->number) {
        json_kv_null(w, "column");
        json_kv_int(w, "number", info->number);
    } else {
        json_kv_str(w, "column", info->columns[0]);
    }
    json_keyz(w, "columns");
    json_begin_array(w);
    for (uint32_t i = 0; i < info->columns_len; i++)
        json_string(w, info->columns[i]);
    json_end_array(w);
    json_kv_strz(w, "kind", info->kind == INDEX_KIND_SORTED ? "sorted" : "hash");
    json_kv_strz(w, "state", ready ? "ready" : "building");
    json_kv_double(w, "progress",
                   info->files ? (double)(info->ready + info->failed) / (double)info->files : 1);
    json_kv_int(w, "files", (int64_t)info->files);
    json_kv_int(w, "files_ready", (int64_t)info->ready);
    json_kv_int(w, "files_failed", (int64_t)info->failed);
    json_end_object(w);
}

static enum status answer_indexes(struct request *request, struct source *source)
{
    struct error *err = &request->error;
    struct index_info *list;
    struct answer answer;
    uint32_t len;
    TRY(source_list_indexes(source, request->arena, &list, &len, err));
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    json_kv_str(&answer.w, "source_id", source_config(source)->source_id);
    json_keyz(&answer.w, "indexes");
    json_begin_array(&answer.w);
    for (uint32_t i = 0; i < len; i++)
        write_index(&answer.w, &list[i]);
    json_end_array(&answer.w);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    enum status status = answer_end(&answer, err);
    answer_release(&answer);
    return status;
}

/* `otherwise`: when none is named. */
static uint32_t kinds_of(struct request *request, uint32_t otherwise)
{
    struct str kind = request_str(request, "kind");
    return str_is(kind, "hash")     ? INDEX_KIND_HASH
           : str_is(kind, "sorted") ? INDEX_KIND_SORTED
           : str_is(kind, "both")   ? INDEX_KIND_HASH | INDEX_KIND_SORTED
                                    : otherwise;
}

static enum status add_composite(struct source *source, const struct str *names, uint32_t len,
                                 uint32_t kinds, struct error *err)
{
    uint32_t number;
    if (kinds & INDEX_KIND_HASH)
        TRY(source_add_composite(source, names, len, INDEX_KIND_HASH, &number, err));
    if (kinds & INDEX_KIND_SORTED)
        TRY(source_add_composite(source, names, len, INDEX_KIND_SORTED, &number, err));
    return STATUS_OK;
}

static enum status add(struct request *request, struct source *source)
{
    yyjson_val *list = request_json(request, "columns"), *item;
    struct str names[SOURCE_COLUMNS_LISTED_MAX];
    size_t count = yyjson_arr_size(list), i, max;
    if (count == 0 || count > SOURCE_COLUMNS_LISTED_MAX)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT, "columns has 1 to %d names",
                         SOURCE_COLUMNS_LISTED_MAX);
    yyjson_arr_foreach(list, i, max, item) names[i] = json_str_of(item);
    if (request_bool(request, "composite")) {
        TRY(add_composite(source, names, (uint32_t)count, kinds_of(request, 0), &request->error));
        return answer_indexes(request, source);
    }
    TRY(source_add_indexes(source, names, (uint32_t)count, kinds_of(request, 0), &request->error));
    return answer_indexes(request, source);
}

enum status handle_index_add(struct request *request)
{
    struct source *source;
    TRY(source_of(request, &source, &request->error));
    enum status status = add(request, source);
    source_unref(source);
    return status;
}

enum status handle_index_list(struct request *request)
{
    struct source *source;
    TRY(source_of(request, &source, &request->error));
    enum status status = answer_indexes(request, source);
    source_unref(source);
    return status;
}

static enum status drop(struct request *request, struct source *source)
{
    struct str name = request_path_param(request, "column");
    int64_t number;
    if (!request_bool(request, "composite"))
        return source_drop_index(
            source, name, kinds_of(request, INDEX_KIND_HASH | INDEX_KIND_SORTED), &request->error);
    if (!str_to_int64(name, &number) || number < 1 || number > UINT32_MAX)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "an index over several columns is named by its number");
    return source_drop_composite(source, (uint32_t)number, &request->error);
}

enum status handle_index_drop(struct request *request)
{
    struct source *source;
    TRY(source_of(request, &source, &request->error));
    enum status status = drop(request, source);
    source_unref(source);
    return status == STATUS_OK ? answer_success(request) : status;
}

/* --- with the source's declaration --- */

static enum status bad_entry(struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "index_columns holds names and {\"columns\": [2 to %d names], \"kind\": "
                     "\"hash\" or \"sorted\"}",
                     INDEX_FIELDS_MAX);
}

/* A declared column by its number from 1. */
static enum status read_member(const struct source_config *config, yyjson_val *json,
                               enum index_kind kind, int32_t *ret, struct error *err)
{
    struct str name = json_str_of(json);
    uint32_t f = 0;
    if (!name.data)
        return bad_entry(err);
    while (f < config->fields_len && !str_eq(config->fields[f].name, name))
        f++;
    int shown = name.len < 100 ? (int)name.len : 100;
    if (f == config->fields_len)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "index_columns: \"%.*s\" is not in schema_definition", shown, name.data);
    if (kind == INDEX_KIND_SORTED && config->fields[f].type == TYPE_JSON)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "\"%.*s\" is a JSON column: its values have no order to index", shown,
                         name.data);
    *ret = (int32_t)f + 1;
    return STATUS_OK;
}

static enum status read_composite(const struct source_config *config, yyjson_val *json,
                                  struct composite_config *ret, struct error *err)
{
    yyjson_val *columns = json_get(json, "columns"), *item;
    struct str kind = json_str_of(json_get(json, "kind"));
    size_t i, max;
    *ret = (struct composite_config){.kind = INDEX_KIND_HASH};
    if (str_is(kind, "sorted"))
        ret->kind = INDEX_KIND_SORTED;
    else if (json_get(json, "kind") && !str_is(kind, "hash"))
        return bad_entry(err);
    if (!yyjson_is_obj(json) || !yyjson_is_arr(columns) || yyjson_arr_size(columns) < 2 ||
        yyjson_arr_size(columns) > INDEX_FIELDS_MAX)
        return bad_entry(err);
    yyjson_arr_foreach(columns, i, max, item)
        TRY(read_member(config, item, ret->kind, &ret->fields[ret->fields_len++], err));
    return STATUS_OK;
}

static enum status check_name(const struct str *names, uint32_t len, struct error *err)
{
    struct str name = names[len];
    if (name.len == 0 || name.len > FIELD_NAME_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "index_columns: a column name has 1 to %d bytes", FIELD_NAME_MAX);
    for (uint32_t i = 0; i < len; i++)
        if (str_eq(names[i], name))
            return error_set(err, STATUS_INVALID_ARGUMENT, "index_columns names '%.*s' twice",
                             name.len < 100 ? (int)name.len : 100, name.data);
    return STATUS_OK;
}

enum status decode_index_columns(struct request *request, struct source_config *config,
                                 struct error *err)
{
    yyjson_val *list = request_json(request, "index_columns"), *item;
    size_t count = yyjson_arr_size(list), i, max;
    if (count > SOURCE_COLUMNS_LISTED_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "index_columns has at most %d entries",
                         SOURCE_COLUMNS_LISTED_MAX);
    struct str *names = arena_array(request->arena, count + 1, sizeof *names);
    struct composite_config *several = arena_array(request->arena, count + 1, sizeof *several);
    if (!names || !several)
        return error_no_memory(err);
    yyjson_arr_foreach(list, i, max, item)
    {
        if (!yyjson_is_str(item)) {
            TRY(read_composite(config, item, &several[config->composites_len], err));
            config->composites_len++;
            continue;
        }
        names[config->index_columns_len] = json_str_of(item);
        TRY(check_name(names, config->index_columns_len, err));
        config->index_columns_len++;
    }
    config->index_columns = names;
    config->composites = several;
    return STATUS_OK;
}
