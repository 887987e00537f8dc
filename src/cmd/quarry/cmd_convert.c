/* cmd_convert.c: quarry convert FORMAT FILE: the records as NDJSON on standard output. No server.
 */
#include "cmd/quarry/cli.h"
#include "cmd/quarry/records.h"

static enum status print_records(struct record_source *source, struct error *err)
{
    struct record_batch *batch;
    for (;;) {
        TRY(record_source_next(source, &batch, err));
        if (!batch)
            return STATUS_OK;
        size_t written = fwrite(batch->body.data, 1, batch->body.len, stdout);
        bool whole = written == batch->body.len;
        record_batch_free(batch);
        if (!whole)
            return error_set(err, STATUS_IO, "cannot write to standard output");
    }
}

int cmd_convert(struct cli *cli, const struct command *command, int argc, char **argv)
{
    const char *architecture = NULL;
    const struct arg args[] = {
        {"--architecture", ARG_TEXT, &architecture, "NAME",
         "apt-contents: instead of the file name's"},
    };
    struct error err = ERROR_INIT;
    struct record_source *source;
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 2, 2, &argc, argv, &code))
        return code;
    struct record_options options = {.path = argv[1],
                                     .records_max = 10000,
                                     .bytes_max = BATCH_BYTES_USUAL,
                                     .architecture = str_of(architecture)};
    if (!record_format_parse(argv[0], &options.format) || options.format == RECORD_CSV) {
        cli_complain("FORMAT is ndjson, json, parquet, apt-contents or apt-packages");
        return EXIT_USAGE;
    }
    enum status status = record_source_open(&options, &source, &err);
    if (status == STATUS_OK) {
        status = print_records(source, &err);
        record_source_close(source);
    }
    if (status == STATUS_OK)
        return EXIT_DONE;
    cli_complain_error(&err);
    return EXIT_INPUT;
}
