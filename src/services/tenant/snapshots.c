/* snapshots.c: a source's earlier states: reading as of one, listing, tags, rollback. */
#include "services/tenant/matview.h"
#include "services/tenant/tenant_int.h"

static struct tenant_node *node_of(const struct request *request)
{
    return request->context;
}

static enum status decode_as_of(yyjson_val *json, struct as_of *ret, struct error *err)
{
    if (yyjson_is_uint(json)) {
        *ret = (struct as_of){.kind = AS_OF_ID, .id = yyjson_get_uint(json)};
        return STATUS_OK;
    }
    if (yyjson_is_str(json))
        return as_of_parse(json_str_of(json), ret, err);
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "as_of is a snapshot's number, a tag, or a timestamp, not %s",
                     json_kind_name(json));
}

enum status tenant_view(struct request *request, struct source *source, struct view *ret_view,
                        struct error *err)
{
    struct as_of as_of;
    yyjson_val *json = request_json(request, "as_of");
    if (!json)
        return view_open(source, ret_view, err);
    TRY(decode_as_of(json, &as_of, err));
    return view_open_as_of(source, &as_of, ret_view, err);
}

static enum status get_source(const struct request *request, struct source **ret, struct error *err)
{
    return store_get_source(node_of(request)->store, request_path_param(request, "source_id"), ret,
                            err);
}

static void write_snapshot(struct json_writer *w, const struct snapshot_info *info)
{
    json_begin_object(w);
    json_kv_int(w, "snapshot_id", (int64_t)info->id);
    json_kv_bool(w, "current", info->is_current);
    json_kv_bool(w, "damaged", info->is_damaged);
    if (!info->is_damaged) {
        if (info->parent)
            json_kv_int(w, "parent_id", (int64_t)info->parent);
        else
            json_kv_null(w, "parent_id");
        tenant_write_time(w, "timestamp", info->time_us);
        json_kv_strz(w, "operation", snapshot_operation_name(info->operation));
        json_kv_int(w, "lsn", (int64_t)info->lsn);
        json_kv_int(w, "total_rows", (int64_t)info->rows);
        json_kv_int(w, "total_files", (int64_t)info->files);
        json_kv_int(w, "total_size_bytes", (int64_t)info->bytes);
        json_kv_int(w, "added_files", (int64_t)info->added);
        json_kv_int(w, "removed_files", (int64_t)info->removed);
    }
    json_keyz(w, "tags");
    json_begin_array(w);
    for (uint32_t i = 0; i < info->tags_len; i++)
        json_stringz(w, info->tags[i]);
    json_end_array(w);
    json_end_object(w);
}

enum status handle_snapshots_list(struct request *request)
{
    struct error *err = &request->error;
    struct source *source;
    struct snapshot_list list;
    struct answer answer;
    TRY(get_source(request, &source, err));
    enum status status = source_list_snapshots(source, &list, err);
    source_unref(source);
    TRY(status);
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    json_keyz(&answer.w, "snapshots");
    json_begin_array(&answer.w);
    for (uint32_t i = 0; i < list.len; i++)
        write_snapshot(&answer.w, &list.items[i]);
    json_end_array(&answer.w);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    status = answer_end(&answer, err);
    answer_release(&answer);
    snapshot_list_release(&list);
    return status;
}

enum status handle_snapshot_tag(struct request *request)
{
    struct error *err = &request->error;
    struct source *source;
    struct as_of as_of;
    TRY(as_of_parse(request_path_param(request, "snapshot_id"), &as_of, err));
    if (as_of.kind != AS_OF_ID)
        return error_set(err, STATUS_INVALID_ARGUMENT, "snapshot_id is a number");
    TRY(get_source(request, &source, err));
    enum status status = source_tag(source, as_of.id, request_str(request, "name"), err);
    source_unref(source);
    TRY(status);
    return answer_success(request);
}

enum status handle_snapshot_untag(struct request *request)
{
    struct error *err = &request->error;
    struct source *source;
    TRY(get_source(request, &source, err));
    enum status status = source_untag(source, request_path_param(request, "name"), err);
    source_unref(source);
    TRY(status);
    return answer_success(request);
}

static enum status answer_snapshot(struct request *request, uint64_t id)
{
    struct answer answer;
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    json_kv_int(&answer.w, "snapshot_id", (int64_t)id);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    enum status status = answer_end(&answer, &request->error);
    answer_release(&answer);
    return status;
}

enum status handle_source_rollback(struct request *request)
{
    struct error *err = &request->error;
    struct source *source;
    uint64_t id = 0;
    struct as_of as_of = {.kind = AS_OF_TAG, .tag = request_str(request, "tag")};
    if (request_has(request, "snapshot_id") == request_has(request, "tag"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "give either snapshot_id or tag");
    if (request_has(request, "snapshot_id")) {
        int64_t number = request_int(request, "snapshot_id");
        if (number <= 0)
            return error_set(err, STATUS_INVALID_ARGUMENT, "snapshot_id is above 0");
        as_of = (struct as_of){.kind = AS_OF_ID, .id = (uint64_t)number};
    }
    TRY(matview_check_writable(node_of(request), request_path_param(request, "source_id"), err));
    TRY(get_source(request, &source, err));
    enum status status = source_rollback(source, &as_of, &id, err);
    source_unref(source);
    TRY(status);
    return answer_snapshot(request, id);
}
