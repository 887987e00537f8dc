/* write.c: POST /data/write. One body is one batch: stored wholly or not at all, durable when
 * answered. The JSON form is read in two passes over the text: the first finds the member `records`
 * (checking the whole text on the way), the second turns the records into columns without a tree.
 */
#include <stdlib.h>

#include "base/uuid.h"
#include "format/records/record_builder.h"
#include "services/tenant/matview.h"
#include "services/tenant/quarantine.h"
#include "services/tenant/tenant_int.h"

enum status tenant_builder(struct source *source, struct record_builder **ret_builder,
                           struct error *err)
{
    struct schema *schema = source_schema(source);
    struct record_field *fields =
        calloc(schema->fields_len ? schema->fields_len : 1, sizeof *fields);
    if (!fields) {
        schema_unref(schema);
        return error_no_memory(err);
    }
    for (uint32_t i = 0; i < schema->fields_len; i++) {
        const struct field_traits *traits = &schema->traits[i];
        fields[i] = (struct record_field){.name = schema->fields[i].name,
                                          .type = schema->fields[i].type,
                                          .declared = traits->declared,
                                          .required = traits->required,
                                          .fill = traits->fill};
    }
    enum status status = record_builder_new(fields, schema->fields_len, ret_builder, err);
    if (status == STATUS_OK)
        record_builder_set_epoch(*ret_builder, schema->epoch);
    free(fields);
    schema_unref(schema);
    return status;
}

enum status tenant_store(struct quarantine *quarantine, struct record_builder *builder, bool upsert,
                         struct write_result *ret_result, struct error *err)
{
    struct batch *batch;
    enum status status = record_builder_finish(builder, &batch, err);
    record_builder_free(builder);
    TRY(status);
    status = quarantine_store(quarantine, batch, upsert, ret_result, err);
    batch_unref(batch);
    return status;
}

/* Cuts the member `records` out of a JSON body: *ret_records is its value, *ret_rest the object
 * without it. */
static enum status split_body(struct request *request, struct str text, struct str *ret_records,
                              struct str *ret_rest, struct error *err)
{
    struct json_scan scan = json_scan_of(text);
    struct buf rest;
    struct str raw, value;
    bool more, escaped;
    buf_init(&rest, TENANT_BODY_MAX);
    *ret_records = STR_NONE;
    enum status status = json_scan_open(&scan, '{', '}', &more, err);
    while (status == STATUS_OK && more) {
        status = json_scan_key(&scan, &raw, &escaped, err);
        if (status == STATUS_OK)
            status = json_scan_skip(&scan, &value, NULL, err);
        if (status != STATUS_OK)
            break;
        if (str_is(raw, "records")) {
            if (ret_records->data)
                status =
                    error_set(err, STATUS_INVALID_ARGUMENT, "the field 'records' stands twice");
            *ret_records = value;
        } else {
            buf_append_char(&rest, rest.len ? ',' : '{');
            buf_append_char(&rest, '"');
            buf_append_str(&rest, raw);
            buf_append_str(&rest, STR("\":"));
            buf_append_str(&rest, value);
        }
        if (status == STATUS_OK)
            status = json_scan_next(&scan, '}', &more, err);
    }
    if (status == STATUS_OK)
        status = json_scan_end(&scan, err);
    buf_append_str(&rest, rest.len ? STR("}") : STR("{}"));
    if (status == STATUS_OK)
        status = buf_check(&rest, "a body", err);
    if (status == STATUS_OK) {
        *ret_rest = arena_str(request->arena, buf_str(&rest));
        status = ret_rest->data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&rest);
    return status;
}

/* A write may repeat the source's partition columns, not choose others. */
static enum status check_partition_columns(struct request *request, struct source *source,
                                           struct error *err)
{
    yyjson_val *list = request_json(request, "partition_columns"), *item;
    const struct source_config *config = source_config(source);
    size_t i, max;
    bool same = !list || yyjson_arr_size(list) == 0 ||
                yyjson_arr_size(list) == config->partition_columns_len;
    yyjson_arr_foreach(list, i, max, item)
    {
        same = same && str_eq(json_str_of(item), config->partition_columns[i]);
    }
    if (same)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "partition_columns of a write must be those of the source '%.*s' or left out",
                     STR_ARG(config->source_id));
}

struct write_input {
    struct request *request;
    enum body_form form;
    struct str text; /* the records */
    struct str write_id;
    bool upsert;
    char made_id[UUID_TEXT_LEN + 1];
};

static enum status read_records(struct record_builder *builder, const struct write_input *in,
                                struct error *err)
{
    struct json_scan scan = json_scan_of(in->text);
    if (in->form == FORM_NDJSON)
        return record_builder_ndjson(builder, in->text, err);
    if (in->form == FORM_CSV)
        return record_builder_csv(builder, in->text, err);
    return record_builder_array(builder, &scan, true, err);
}

/* One write from its body to its answer; in the request's memory, for it may be put off. */
struct write_job {
    struct write_input in;
    struct source *source;
    struct quarantine quarantine;
    struct write_result result;
    struct later_write *later; /* its rows are on their way to the log */
    int span;
};

static void on_settled(void *context)
{
    request_ready(context);
}

/* On the I/O thread: hands the rows over to the log. What does more than that is a worker's. */
static enum status store_later(struct write_job *job, struct record_builder *builder,
                               struct error *err)
{
    struct request *request = job->in.request;
    const struct later_call call = {on_settled, request};
    struct batch *batch;
    enum status status = record_builder_finish(builder, &batch, err);
    record_builder_free(builder);
    TRY(status);
    bool plain = batch->rows && !job->quarantine.batch;
    if (plain)
        status = source_write_later(job->source, batch, job->in.write_id, &call, &job->later,
                                    &job->result, err);
    batch_unref(batch);
    if (status == STATUS_OK && !job->later && !job->result.duplicate)
        return request_give_back(request);
    return status;
}

static enum status store_once(struct write_job *job, struct error *err)
{
    struct record_builder *builder;
    struct request *request = job->in.request;
    TRY(tenant_builder(job->source, &builder, err));
    quarantine_begin(&job->quarantine, builder, job->in.write_id);
    job->span = span_begin(request, "write.parse", SPAN_INTERNAL);
    enum status status = read_records(builder, &job->in, err);
    span_note(request, job->span, "rows", (int64_t)record_builder_rows(builder));
    span_end(request, job->span);
    if (status == STATUS_OK && record_builder_rows(builder) + job->quarantine.bad == 0)
        status =
            error_set(err, STATUS_INVALID_ARGUMENT, "the batch is empty: send at least one record");
    if (status != STATUS_OK) {
        record_builder_free(builder);
        return status;
    }
    job->span = span_begin(request, "write.store", SPAN_INTERNAL); /* log, sync, memory */
    if (request->here)
        return store_later(job, builder, err);
    return tenant_store(&job->quarantine, builder, job->in.upsert, &job->result, err);
}

static enum status store_records(struct write_job *job, struct error *err)
{
    enum status status = STATUS_SCHEMA_CHANGED;
    for (int i = 0; i < TENANT_SCHEMA_TRIES && status == STATUS_SCHEMA_CHANGED; i++) {
        status = store_once(job, err);
        if (!job->later)
            span_end(job->in.request, job->span);
    }
    return status;
}

static enum status decode_write(struct request *request, struct write_input *in, struct error *err)
{
    struct str body, rest;
    TRY(tenant_body_form(request, &in->form, err));
    if (in->form == FORM_PARQUET)
        return error_set(err, STATUS_UNSUPPORTED_MEDIA, "Parquet files go to POST /data/load");
    TRY(tenant_body(request, &body, err));
    in->text = body;
    if (in->form == FORM_JSON) {
        TRY(split_body(request, body, &in->text, &rest, err));
        TRY(request_decode_json(request, rest, "records"));
        if (!in->text.data || in->text.data[0] != '[')
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "the field 'records' must be an array of {\"fields\": {...}}");
    }
    in->upsert = str_is(request_str(request, "mode"), "upsert");
    in->write_id = request_str(request, "write_id");
    if (!in->write_id.data)
        in->write_id = request_str(request, "Idempotency-Key");
    if (in->write_id.data && (in->write_id.len == 0 || in->write_id.len > WRITE_ID_MAX))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a write id has 1 to %d bytes",
                         WRITE_ID_MAX);
    return STATUS_OK;
}

static enum status answer_write(struct request *request, const struct write_job *job)
{
    const struct write_input *in = &job->in;
    const struct write_result *result = &job->result;
    struct answer answer;
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    if (in->write_id.data)
        json_kv_str(&answer.w, "write_id", in->write_id);
    else
        json_kv_strz(&answer.w, "write_id", in->made_id);
    json_kv_null(&answer.w, "error_message");
    json_kv_int(&answer.w, "rows_written", result->rows);
    if (in->upsert && !result->duplicate) /* how many it replaced then is not remembered */
        json_kv_int(&answer.w, "rows_replaced", (int64_t)result->deleted);
    json_kv_bool(&answer.w, "duplicate", result->duplicate);
    quarantine_write(&job->quarantine, &answer.w);
    json_end_object(&answer.w);
    enum status status = answer_end(&answer, &request->error);
    answer_release(&answer);
    return status;
}

void tenant_make_write_id(struct tenant_node *node, char out[UUID_TEXT_LEN + 1])
{
    unsigned char random[10];
    sys_random(node->sys, random, sizeof random);
    uuid_format(uuid_v7((uint64_t)(sys_now_us(node->sys) / 1000), random), out);
}

static enum status end_write(struct write_job *job, enum status status)
{
    struct request *request = job->in.request;
    if (status == STATUS_OK) {
        request->work.rows_written += (uint64_t)job->result.rows;
        quarantine_count(&job->quarantine);
        status = answer_write(request, job);
    }
    quarantine_release(&job->quarantine);
    source_unref(job->source);
    return status;
}

static enum status finish_write(struct request *request)
{
    struct write_job *job = request->later_state;
    enum status status = later_write_end(job->later, &job->result, &request->error);
    span_end(request, job->span);
    return end_write(job, status);
}

enum status handle_write(struct request *request)
{
    struct tenant_node *node = request->context;
    struct error *err = &request->error;
    struct write_job *job = ARENA_NEW(request->arena, struct write_job);
    if (request->here && request->encoding.data)
        return request_give_back(request); /* it may unpack to anything */
    if (!job)
        return error_no_memory(err);
    job->in = (struct write_input){.request = request, .text = STR_NONE};
    TRY(quota_check_bytes(node, err));
    TRY(decode_write(request, &job->in, err));
    if (request->here && job->in.upsert)
        return request_give_back(request);
    tenant_make_write_id(node, job->in.made_id);
    TRY(matview_check_writable(node, request_str(request, "source_id"), err));
    TRY(store_get_source(node->store, request_str(request, "source_id"), &job->source, err));
    enum status status = quarantine_init(&job->quarantine, request, job->source);
    job->quarantine.shown_id = job->in.write_id.data ? job->in.write_id : str_of(job->in.made_id);
    if (status == STATUS_OK)
        status = check_partition_columns(request, job->source, err);
    if (status == STATUS_OK)
        status = store_records(job, err);
    if (status == STATUS_OK && job->later)
        return request_put_off(request, finish_write, job);
    return end_write(job, status);
}
