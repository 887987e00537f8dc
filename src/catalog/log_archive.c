/* log_archive.c: events as a Parquet file: events-<first id>.parquet, zstd. */
#include "catalog/folder.h"
#include "catalog/retention.h"
#include "format/parquet/parquet.h"

static const struct {
    enum record_field field;
    enum type type;
} columns[] = {
    {RECORD_id, TYPE_STRING},
    {RECORD_tenant, TYPE_STRING},
    {RECORD_created_us, TYPE_TIMESTAMP},
    {RECORD_updated_us, TYPE_TIMESTAMP},
    {RECORD_kind, TYPE_STRING},
    {RECORD_namespace, TYPE_STRING},
    {RECORD_name, TYPE_STRING},
    {RECORD_subject, TYPE_STRING},
    {RECORD_object, TYPE_STRING},
    {RECORD_owner, TYPE_STRING},
    {RECORD_lifecycle, TYPE_STRING},
    {RECORD_location, TYPE_STRING},
    {RECORD_description, TYPE_STRING},
    {RECORD_success, TYPE_BOOL},
    {RECORD_row_count, TYPE_INT64},
    {RECORD_size_bytes, TYPE_INT64},
    {RECORD_duration_us, TYPE_INT64},
    {RECORD_attributes, TYPE_JSON},
    {RECORD_properties, TYPE_JSON},
};
enum { COLUMNS = sizeof columns / sizeof *columns };

static struct str column_name(int i)
{
    return str_of(record_field_info[columns[i].field].json);
}

/* Empty texts are nulls, as in the API's answers. */
static enum status append_value(struct column *to, const struct record *event,
                                enum record_field field)
{
    struct str text;
    switch (to->type) {
    case TYPE_BOOL:
        return column_append_bool(to, record_get_int(event, field) != 0);
    case TYPE_INT64:
    case TYPE_TIMESTAMP:
        return column_append_int64(to, record_get_int(event, field));
    default:
        text = record_get_text(event, field);
        return text.len ? column_append_bytes(to, text) : column_append_null(to);
    }
}

static enum status fill_batch(const struct record *events, uint32_t len, struct batch *batch)
{
    for (int i = 0; i < COLUMNS; i++) {
        uint32_t at;
        TRY(batch_add_column(batch, column_name(i), columns[i].type, &at));
        for (uint32_t row = 0; row < len; row++)
            TRY(append_value(&batch->columns[at].column, &events[row], columns[i].field));
    }
    return batch_set_rows(batch, len);
}

struct output {
    struct sys *sys;
    struct sys_file *file;
    uint64_t bytes;
};

static enum status write_bytes(void *context, struct slice bytes, struct error *err)
{
    struct output *output = context;
    TRY(sys_pwrite(output->sys, output->file, bytes.data, bytes.len, output->bytes, err));
    output->bytes += bytes.len;
    return STATUS_OK;
}

static enum status write_parquet(const struct batch *batch, struct output *output,
                                 struct error *err)
{
    static const struct parquet_write_options options = {.codec = PARQUET_ZSTD,
                                                         .created_by = {"quarry", 6}};
    struct field fields[COLUMNS];
    struct parquet_writer *writer = NULL;
    for (int i = 0; i < COLUMNS; i++)
        fields[i] = (struct field){column_name(i), columns[i].type, i + 1};
    TRY(parquet_writer_open(fields, COLUMNS, &options, write_bytes, output, &writer, err));
    enum status status = parquet_writer_append(writer, batch, NULL, batch->rows, err);
    if (status == STATUS_OK)
        status = parquet_writer_finish(writer, NULL, err);
    parquet_writer_free(writer);
    return status;
}

static enum status write_file(struct sys *sys, const char *path, const struct batch *batch,
                              struct error *err)
{
    char temp[SYS_PATH_MAX];
    struct output output = {.sys = sys};
    TRY(sys_path(temp, err, "%s.tmp", path));
    TRY(sys_open(sys, temp, SYS_WRITE | SYS_CREATE | SYS_TRUNCATE, &output.file, err));
    enum status status = write_parquet(batch, &output, err);
    if (status == STATUS_OK)
        status = sys_sync(sys, output.file, err);
    sys_close(sys, output.file);
    return status == STATUS_OK ? sys_rename(sys, temp, path, err) : status;
}

enum status log_archive_write(struct sys *sys, const char *folder, const struct record *events,
                              uint32_t len, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct batch *batch = batch_new();
    if (!batch)
        return error_no_memory(err);
    enum status status = fill_batch(events, len, batch);
    if (status != STATUS_OK)
        error_set(err, status, "%u events do not fit into one archive file", len);
    if (status == STATUS_OK)
        status = folder_make(sys, folder, err);
    if (status == STATUS_OK)
        status = sys_path(path, err, "%s/events-%.*s.parquet", folder, STR_ARG(events[0].id));
    if (status == STATUS_OK)
        status = write_file(sys, path, batch, err);
    batch_unref(batch);
    return status == STATUS_OK ? sys_sync_dir(sys, folder, err) : status;
}
