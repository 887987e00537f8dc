/* quarantine.c: records that do not fit, kept aside: the source <id>.quarantine, a source like any
 * other (search it, delete from it, remove it), made with the first such record. Its rows go into
 * the log together with those of their batch, both or neither. */
#include "services/tenant/quarantine.h"

#include <stdio.h>

#include "base/utf8.h"

#define QUARANTINE_SUFFIX ".quarantine"
enum { QUARANTINE_RETENTION_DAYS = 30, AT, WRITE_ID, RECORD, LINE, FIELD, REASON, RAW, RAW_BYTES };

static const struct field columns[] = {
    {.name = STR("at"), .type = TYPE_TIMESTAMP}, {.name = STR("write_id"), .type = TYPE_STRING},
    {.name = STR("record"), .type = TYPE_INT64}, {.name = STR("line"), .type = TYPE_INT64},
    {.name = STR("field"), .type = TYPE_STRING}, {.name = STR("reason"), .type = TYPE_STRING},
    {.name = STR("raw"), .type = TYPE_STRING},   {.name = STR("raw_bytes"), .type = TYPE_INT64},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static struct column *column_of(struct quarantine *q, int which)
{
    return &q->batch->columns[which - AT].column;
}

/* --- the source --- */

static enum status add_source(struct tenant_node *node, struct str id, struct error *err)
{
    const struct source_config config = {
        .source_id = id,
        .name = id,
        .fields = columns,
        .fields_len = COLUMNS,
        .settings = {.retention_days = QUARANTINE_RETENTION_DAYS, .retention_column = STR("at")},
        .codec = PARQUET_ZSTD,
        .wal_enabled = true,
    };
    return store_add_source(node->store, &config, err);
}

enum status quarantine_id(struct str source_id, char out[SOURCE_ID_MAX + 1], struct error *err)
{
    if (source_id.len + sizeof QUARANTINE_SUFFIX - 1 > SOURCE_ID_MAX ||
        str_ends(source_id, STR(QUARANTINE_SUFFIX)))
        return error_set(
            err, STATUS_INVALID_ARGUMENT,
            "on_error: a source with this id has no quarantine: choose reject or skip");
    snprintf(out, SOURCE_ID_MAX + 1, "%.*s" QUARANTINE_SUFFIX, STR_ARG(source_id));
    return STATUS_OK;
}

static enum status open_source(struct quarantine *q, struct error *err)
{
    char id[SOURCE_ID_MAX + 1];
    if (q->side)
        return STATUS_OK;
    TRY(quarantine_id(source_config(q->source)->source_id, id, err));
    TRY(add_source(q->node, str_of(id), err));
    return store_get_source(q->node->store, str_of(id), &q->side, err);
}

/* --- its rows --- */

static enum status start_batch(struct quarantine *q, struct error *err)
{
    uint32_t index;
    q->batch = batch_new();
    if (!q->batch)
        return error_no_memory(err);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        if (batch_add_column(q->batch, columns[i].name, columns[i].type, &index) != STATUS_OK)
            return error_no_memory(err);
    }
    return STATUS_OK;
}

/* Texts of the store are UTF-8: other bytes become U+FFFD. */
static enum status append_text(struct quarantine *q, int which, struct str text, size_t most)
{
    struct buf clean;
    text.len = text.len < most ? text.len : most;
    size_t valid = utf8_valid_prefix(text.data, text.len);
    if (valid == text.len)
        return column_append_bytes(column_of(q, which), text);
    buf_init(&clean, 4 * QUARANTINE_RAW_MAX);
    while (text.len) {
        valid = utf8_valid_prefix(text.data, text.len);
        buf_append(&clean, text.data, valid);
        text = str_make(text.data + valid, text.len - valid);
        if (text.len) {
            buf_append_str(&clean, STR("\xEF\xBF\xBD"));
            text = str_make(text.data + 1, text.len - 1);
        }
    }
    enum status status = buf_failed(&clean)
                             ? STATUS_NO_MEMORY
                             : column_append_bytes(column_of(q, which), buf_str(&clean));
    buf_release(&clean);
    return status;
}

static enum status append_row(struct quarantine *q, const struct record_bad *bad)
{
    struct str field = str_of(bad->error->field);
    TRY(column_append_int64(column_of(q, AT), q->now_us));
    TRY(append_text(q, WRITE_ID, q->write_id.data ? q->write_id : q->shown_id, WRITE_ID_MAX));
    TRY(column_append_int64(column_of(q, RECORD), q->records_before + bad->record));
    TRY(bad->line < 0 ? column_append_null(column_of(q, LINE))
                      : column_append_int64(column_of(q, LINE), q->lines_before + bad->line));
    TRY(field.len ? append_text(q, FIELD, field, FIELD_NAME_MAX)
                  : column_append_null(column_of(q, FIELD)));
    TRY(append_text(q, REASON, str_of(bad->error->message), ERROR_MESSAGE_MAX));
    TRY(append_text(q, RAW, bad->raw, QUARANTINE_RAW_MAX));
    TRY(column_append_int64(column_of(q, RAW_BYTES), (int64_t)bad->raw.len));
    q->batch->rows++;
    return STATUS_OK;
}

static enum status remember(struct quarantine *q, const struct record_bad *bad)
{
    if (q->errors_len == QUARANTINE_ERRORS_MAX)
        return STATUS_OK;
    struct quarantine_error *error = &q->errors[q->errors_len];
    *error = (struct quarantine_error){
        .record = q->records_before + bad->record,
        .line = bad->line < 0 ? -1 : q->lines_before + bad->line,
        .field = arena_str(q->arena, str_of(bad->error->field)),
        .reason = arena_str(q->arena, str_of(bad->error->message)),
    };
    q->errors_len++;
    return error->field.data && error->reason.data ? STATUS_OK : STATUS_NO_MEMORY;
}

static enum status add_bad(void *context, const struct record_bad *bad, struct error *err)
{
    struct quarantine *q = context;
    q->bad++;
    if (remember(q, bad) != STATUS_OK)
        return error_no_memory(err);
    if (q->mode == ON_ERROR_SKIP)
        return STATUS_OK;
    if (!q->batch)
        TRY(start_batch(q, err));
    return append_row(q, bad) == STATUS_OK ? STATUS_OK : error_no_memory(err);
}

/* --- around a batch --- */

void quarantine_begin(struct quarantine *q, struct record_builder *builder, struct str write_id)
{
    quarantine_drop(q);
    source_unref(q->side); /* it may be removed meanwhile */
    q->side = NULL;
    q->write_id = write_id;
    q->now_us = sys_now_us(q->node->sys);
    if (q->mode != ON_ERROR_REJECT)
        record_builder_on_bad(builder, add_bad, q);
}

void quarantine_drop(struct quarantine *q)
{
    batch_unref(q->batch);
    q->batch = NULL;
    q->bad = 0;
    q->errors_len = q->errors_kept;
}

enum status quarantine_store(struct quarantine *q, struct batch *batch, bool upsert,
                             struct write_result *ret_result, struct error *err)
{
    *ret_result = (struct write_result){0};
    if (q->batch)
        TRY(open_source(q, err));
    struct write_side side = {q->side, q->batch};
    if (batch->rows)
        return source_write_with(q->source, batch, q->write_id, upsert, q->batch ? &side : NULL,
                                 ret_result, err);
    if (!q->batch)
        return STATUS_OK;
    enum status status = source_write(q->side, q->batch, q->write_id, ret_result, err);
    ret_result->rows = 0;
    return status;
}

void quarantine_count(struct quarantine *q)
{
    q->total += q->bad;
    q->errors_kept = q->errors_len;
}

void quarantine_write(const struct quarantine *q, struct json_writer *w)
{
    if (q->mode == ON_ERROR_REJECT)
        return;
    json_kv_int(w, "rows_quarantined", q->mode == ON_ERROR_QUARANTINE ? (int64_t)q->total : 0);
    json_kv_int(w, "rows_skipped", q->mode == ON_ERROR_SKIP ? (int64_t)q->total : 0);
    json_keyz(w, "errors");
    json_begin_array(w);
    for (uint32_t i = 0; i < q->errors_len; i++) {
        const struct quarantine_error *error = &q->errors[i];
        json_begin_object(w);
        json_kv_int(w, "record", error->record);
        if (error->line < 0)
            json_kv_null(w, "line");
        else
            json_kv_int(w, "line", error->line);
        json_kv_str(w, "field", error->field.len ? error->field : STR_NONE);
        json_kv_str(w, "reason", error->reason);
        json_end_object(w);
    }
    json_end_array(w);
}

enum status quarantine_init(struct quarantine *q, struct request *request, struct source *source)
{
    struct str mode = request_str(request, "on_error");
    char id[SOURCE_ID_MAX + 1];
    *q = (struct quarantine){.node = request->context,
                             .arena = request->arena,
                             .source = source,
                             .mode = source_config(source)->settings.on_error};
    if (mode.data)
        (void)on_error_parse(mode, &q->mode); /* one of the names: the operation says so */
    return q->mode == ON_ERROR_QUARANTINE
               ? quarantine_id(source_config(source)->source_id, id, &request->error)
               : STATUS_OK;
}

void quarantine_release(struct quarantine *q)
{
    quarantine_drop(q);
    source_unref(q->side);
    q->side = NULL;
}
