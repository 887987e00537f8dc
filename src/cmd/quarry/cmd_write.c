/* cmd_write.c: quarry write SOURCE FILE|-: all records of a small file as one batch: all or none.
 */
#include "cmd/quarry/client.h"
#include "cmd/quarry/records.h"

struct write_args {
    const char *format, *key;
    bool upsert;
};

static enum status read_batch(const char *path, const char *format, struct record_batch **ret_batch,
                              struct error *err)
{
    struct record_options options = {
        .path = path, .records_max = UINT32_MAX, .bytes_max = BATCH_BODY_MAX};
    struct record_source *source;
    if (!format && strcmp(path, "-") == 0)
        options.format = RECORD_NDJSON;
    else if (!format)
        TRY(record_format_guess(path, &options.format, err));
    else if (!record_format_parse(format, &options.format))
        return error_set(err, STATUS_INVALID_ARGUMENT, "no format is called %s", format);
    TRY(record_source_open(&options, &source, err));
    struct record_batch *more = NULL;
    enum status status = record_source_next(source, ret_batch, err);
    if (status == STATUS_OK && *ret_batch)
        status = record_source_next(source, &more, err);
    if (status == STATUS_OK && more)
        status = error_set(err, STATUS_TOO_LARGE, "too large for one batch; use quarry load");
    record_batch_free(more);
    record_source_close(source);
    if (status != STATUS_OK) {
        record_batch_free(*ret_batch);
        *ret_batch = NULL;
    }
    return status;
}

static int post(struct cli *cli, const char *source, const struct write_args *args,
                const struct record_batch *batch)
{
    struct buf path;
    yyjson_doc *doc;
    buf_init(&path, 64 * 1024);
    buf_append_str(&path, STR("/data/write?source_id="));
    url_append(&path, str_of(source));
    buf_append_str(&path, args->upsert ? STR("&mode=upsert") : STR(""));
    buf_append_char(&path, 0);
    if (buf_failed(&path)) {
        buf_release(&path);
        cli_complain("the source's name is too long");
        return EXIT_USAGE;
    }
    struct call call = {.method = "POST",
                        .path = path.data,
                        .content_type = batch ? batch->content_type : "application/x-ndjson",
                        .body = batch ? buf_str(&batch->body) : STR_NONE,
                        .idempotency_key = args->key};
    int code = client_json(cli, &call, &doc, NULL);
    if (doc) {
        yyjson_val *root = yyjson_doc_get_root(doc);
        const char *id = yyjson_get_str(json_get(root, "write_id"));
        printf("%llu rows stored (write %s)\n",
               (unsigned long long)yyjson_get_uint(json_get(root, "rows_written")), id ? id : "?");
    }
    yyjson_doc_free(doc);
    buf_release(&path);
    return code;
}

int cmd_write(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct write_args options = {0};
    const struct arg args[] = {
        {"--format", ARG_TEXT, &options.format, "F",
         "ndjson, json, csv, parquet, apt-contents, apt-packages (by the name)"},
        {"--key", ARG_TEXT, &options.key, "TEXT",
         "idempotency key: a repeated write is stored once"},
        {"--upsert", ARG_FLAG, &options.upsert, NULL,
         "in place of records with the same key_columns"},
    };
    struct error err = ERROR_INIT;
    struct record_batch *batch = NULL;
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 2, 2, &argc, argv, &code))
        return code;
    if (read_batch(argv[1], options.format, &batch, &err) != STATUS_OK) {
        cli_complain_error(&err);
        return EXIT_INPUT;
    }
    code = post(cli, argv[0], &options, batch);
    record_batch_free(batch);
    return code;
}
