/* change.c: POST /data/delete and POST /data/update. One request is one mutation: all matching rows
 * or none, durable when answered. */
#include <stdlib.h>

#include "base/uuid.h"
#include "format/records/record_builder.h"
#include "query/exec/change.h"
#include "services/tenant/matview.h"
#include "services/tenant/tenant_int.h"

struct change {
    struct tenant_node *node;
    struct request *request;
    struct source *source;
    struct filter *filter;
    struct str write_id; /* data NULL: none was sent */
    struct str *columns; /* of `set` */
    uint32_t columns_len;
    struct batch *values;
    struct write_result result;
    struct exec_stats stats;
};

/* --- decoding --- */

static enum status decode_filter(struct change *change, struct error *err)
{
    TRY(filter_parse(request_json(change->request, "filters"), &change->filter, err));
    bool all = request_bool(change->request, "all");
    if (filter_is_empty(change->filter) && !all)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "filters is empty: that means every record; send \"all\": true as well");
    if (!filter_is_empty(change->filter) && all)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "send either filters or \"all\": true, not both");
    return STATUS_OK;
}

/* A key stays what it is: two records could get the same one. */
static enum status check_keys(const struct change *change, struct error *err)
{
    const struct source_config *config = source_config(change->source);
    for (uint32_t i = 0; i < change->columns_len; i++) {
        for (uint32_t k = 0; k < config->key_columns_len; k++) {
            if (str_eq(change->columns[i], config->key_columns[k]))
                return error_set(err, STATUS_INVALID_ARGUMENT,
                                 "set: '%.*s' is a key column and cannot be changed",
                                 STR_ARG(config->key_columns[k]));
        }
    }
    return STATUS_OK;
}

/* The one row of `set`, in the source's types as a write would have it. */
static enum status read_values(struct change *change, struct error *err)
{
    yyjson_val *set = request_json(change->request, "set");
    struct record_builder *builder = NULL;
    size_t len = 0;
    char *text = yyjson_val_write(set, 0, &len);
    if (!text)
        return error_no_memory(err);
    enum status status = tenant_builder(change->source, &builder, err);
    if (status == STATUS_OK) {
        struct json_scan scan = json_scan_of(str_make(text, len));
        status = record_builder_object(builder, &scan, err);
        if (status == STATUS_OK)
            status = record_builder_finish(builder, &change->values, err);
        record_builder_free(builder);
    }
    free(text);
    return status;
}

static enum status decode_set(struct change *change, struct error *err)
{
    yyjson_val *set = request_json(change->request, "set"), *key, *value;
    size_t i, max, len = yyjson_obj_size(set);
    if (len == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "set names no column");
    change->columns = arena_array(change->request->arena, len, sizeof *change->columns);
    if (!change->columns)
        return error_no_memory(err);
    yyjson_obj_foreach(set, i, max, key, value)
    {
        (void)value;
        change->columns[change->columns_len++] = json_str_of(key);
    }
    return check_keys(change, err);
}

static enum status decode_write_id(struct change *change, struct error *err)
{
    change->write_id = request_str(change->request, "write_id");
    if (!change->write_id.data)
        change->write_id = request_str(change->request, "Idempotency-Key");
    size_t len = change->write_id.len;
    if (change->write_id.data && (len == 0 || len > WRITE_ID_MAX))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a write id has 1 to %d bytes",
                         WRITE_ID_MAX);
    return STATUS_OK;
}

/* --- the deed --- */

static enum status mutate(struct change *change, struct mutation *mutation, struct error *err)
{
    struct exec_context context = {
        .sys = change->node->sys,
        .deadline_us = sys_mono_us(change->node->sys) + change->node->options.search_timeout_us,
    };
    struct batch *rows = NULL;
    if (!change->columns) {
        TRY(change_delete(mutation, change->filter, &context, &change->stats, err));
        return mutation_commit(mutation, NULL, &change->result, err);
    }
    struct change_set set = {change->columns, change->columns_len, change->values};
    TRY(change_update(mutation, change->filter, &set, &context, &change->stats, &rows, err));
    enum status status = mutation_commit(mutation, rows, &change->result, err);
    batch_unref(rows);
    return status;
}

static enum status run(struct change *change, struct error *err)
{
    struct mutation *mutation = NULL;
    batch_unref(change->values);
    change->values = NULL;
    if (change->columns)
        TRY(read_values(change, err));
    TRY(mutation_begin(change->source, change->write_id, &mutation, &change->result, err));
    enum status status = mutation ? mutate(change, mutation, err) : STATUS_OK;
    mutation_end(mutation);
    return status;
}

static enum status run_admitted(struct change *change, struct error *err)
{
    TRY(admission_enter(&change->node->admission, err));
    enum status status = STATUS_SCHEMA_CHANGED;
    for (int i = 0; i < TENANT_SCHEMA_TRIES && status == STATUS_SCHEMA_CHANGED; i++)
        status = run(change, err);
    admission_leave(&change->node->admission);
    tenant_count_reads(change->request, &change->stats, NULL);
    return status;
}

static enum status answer_change(struct change *change, const char *count, struct error *err)
{
    struct answer answer;
    char made_id[UUID_TEXT_LEN + 1];
    tenant_make_write_id(change->node, made_id);
    answer_init(&answer, change->request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    json_kv_str(&answer.w, "write_id", change->write_id.data ? change->write_id : str_of(made_id));
    json_kv_null(&answer.w, "error_message");
    json_kv_int(&answer.w, count, change->result.rows);
    json_kv_bool(&answer.w, "duplicate", change->result.duplicate);
    json_end_object(&answer.w);
    enum status status = answer_end(&answer, err);
    answer_release(&answer);
    return status;
}

static enum status handle_change(struct request *request, bool update)
{
    struct error *err = &request->error;
    struct change change = {.node = request->context, .request = request};
    TRY(decode_write_id(&change, err));
    TRY(matview_check_writable(change.node, request_str(request, "source_id"), err));
    TRY(store_get_source(change.node->store, request_str(request, "source_id"), &change.source,
                         err));
    enum status status = decode_filter(&change, err);
    if (status == STATUS_OK && update)
        status = decode_set(&change, err);
    if (status == STATUS_OK)
        status = run_admitted(&change, err);
    filter_free(change.filter);
    batch_unref(change.values);
    source_unref(change.source);
    TRY(status);
    return answer_change(&change, update ? "rows_updated" : "rows_deleted", err);
}

enum status handle_delete(struct request *request)
{
    return handle_change(request, false);
}

enum status handle_update(struct request *request)
{
    return handle_change(request, true);
}
