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
    json_kv_str(w, "column", info->column);
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

static enum status add(struct request *request, struct source *source)
{
    yyjson_val *list = request_json(request, "columns"), *item;
    struct str names[SOURCE_COLUMNS_LISTED_MAX];
    size_t count = yyjson_arr_size(list), i, max;
    if (count == 0 || count > SOURCE_COLUMNS_LISTED_MAX)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT, "columns has 1 to %d names",
                         SOURCE_COLUMNS_LISTED_MAX);
    yyjson_arr_foreach(list, i, max, item) names[i] = json_str_of(item);
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

enum status handle_index_drop(struct request *request)
{
    struct source *source;
    TRY(source_of(request, &source, &request->error));
    enum status status =
        source_drop_index(source, request_path_param(request, "column"),
                          kinds_of(request, INDEX_KIND_HASH | INDEX_KIND_SORTED), &request->error);
    source_unref(source);
    return status == STATUS_OK ? answer_success(request) : status;
}
