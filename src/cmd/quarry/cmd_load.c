/* cmd_load.c: quarry load SOURCE FILE... */
#include <unistd.h>

#include "cmd/quarry/client.h"
#include "cmd/quarry/loader.h"

enum { BATCH_USUAL = 10000, JOBS_USUAL = 2 };

struct load_args {
    const char *format, *architecture;
    int64_t batch, jobs;
    bool restart, quiet;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

static void catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = SA_RESETHAND};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static enum status format_of(const char *path, const char *format, enum record_format *ret,
                             struct error *err)
{
    if (!format)
        return record_format_guess(path, ret, err);
    if (record_format_parse(format, ret))
        return STATUS_OK;
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "--format: ndjson, json, csv, parquet, apt-contents, apt-packages; not %s",
                     format);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static void print_json(const char *path, const struct loader_result *result, uint64_t total)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, 64 * 1024);
    json_writer_init(&w, &text);
    json_begin_object(&w);
    json_kv_strz(&w, "file", path);
    json_kv_int(&w, "rows", (int64_t)total);
    json_kv_int(&w, "rows_sent", (int64_t)result->records);
    json_kv_int(&w, "rows_duplicate", (int64_t)result->duplicates);
    json_kv_int(&w, "batches", (int64_t)result->batches);
    json_kv_int(&w, "body_bytes", (int64_t)result->body_bytes);
    json_kv_double(&w, "seconds", result->seconds);
    json_kv_bool(&w, "interrupted", result->interrupted);
    json_end_object(&w);
    printf("%.*s\n", STR_ARG(buf_str(&text)));
    buf_release(&text);
}

static void print_result(const char *path, const struct loader_result *result,
                         const struct load_state *state)
{
    char rows[COUNT_TEXT_MAX], rate[COUNT_TEXT_MAX], bytes[COUNT_TEXT_MAX], speed[COUNT_TEXT_MAX];
    double seconds = result->seconds > 0 ? result->seconds : 1e-6;
    printf("%s: %s rows in %.1f s (%s rows/s), %s sent as JSON or CSV (%s/s)\n", base_name(path),
           cli_count_text(result->records, rows), seconds,
           cli_count_text((uint64_t)((double)result->records / seconds), rate),
           cli_bytes_text(result->body_bytes, bytes),
           cli_bytes_text((uint64_t)((double)result->body_bytes / seconds), speed));
    if (state->resumed)
        printf("  resumed: %s rows altogether\n", cli_count_text(state->records, rows));
    if (result->duplicates)
        printf("  %s rows were stored already\n", cli_count_text(result->duplicates, rows));
}

static int report(struct cli *cli, const char *path, enum status status, struct error *err,
                  const struct loader_result *result, const struct load_state *state)
{
    char rows[COUNT_TEXT_MAX];
    bool whole = status == STATUS_OK && !result->interrupted;
    bool nothing = result->refused && !state->done && !state->ahead_len;
    if (whole || nothing)
        load_state_remove(state);
    if (cli->json)
        print_json(path, result, state->records);
    else if (whole)
        print_result(path, result, state);
    if (whole)
        return EXIT_DONE;
    if (status != STATUS_OK) {
        cli_complain("%s:%lld: not loaded", path, (long long)(err->line > 0 ? err->line : 0));
        cli_complain_error(err);
    }
    fprintf(stderr, "quarry: %s rows of %s are stored%s\n", cli_count_text(state->records, rows),
            path, state->path[0] && !nothing ? "; the same command goes on behind them" : "");
    if (status == STATUS_OK)
        return EXIT_INTERRUPTED;
    if (result->refused)
        return EXIT_REFUSED;
    return status == STATUS_UNAVAILABLE ? EXIT_UNREACHABLE : EXIT_INPUT;
}

static int load_file(struct cli *cli, const char *source, const char *path,
                     const struct load_args *args)
{
    struct error err = ERROR_INIT;
    struct load_state state = {0};
    struct loader_result result = {0};
    struct record_source *records = NULL;
    enum record_format format = RECORD_NDJSON;
    enum status status = format_of(path, args->format, &format, &err);
    const struct load_identity identity = {cli->url, source, path, record_format_name(format),
                                           args->batch};
    if (status == STATUS_OK)
        status = load_state_open(&state, &identity, args->restart, &err);
    const struct record_options options = {.path = path,
                                           .format = format,
                                           .records_max = (uint32_t)args->batch,
                                           .bytes_max = BATCH_BYTES_USUAL,
                                           .architecture = str_of(args->architecture)};
    if (status == STATUS_OK)
        status = record_source_open(&options, &records, &err);
    if (status != STATUS_OK) {
        cli_complain_error(&err);
        return EXIT_INPUT;
    }
    const struct loader_options loader = {.url = cli->url,
                                          .source = source,
                                          .name = base_name(path),
                                          .jobs = (uint32_t)args->jobs,
                                          .quiet = args->quiet || cli->json,
                                          .interrupted = &interrupted};
    status = loader_run(&loader, records, &state, &result, &err);
    record_source_close(records);
    return report(cli, path, status, &err, &result, &state);
}

int cmd_load(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct load_args options = {.batch = BATCH_USUAL, .jobs = JOBS_USUAL};
    const struct arg args[] = {
        {"--format", ARG_TEXT, &options.format, "F",
         "ndjson, json, csv, parquet, apt-contents, apt-packages (by the name)"},
        {"--batch", ARG_INT, &options.batch, "N", "records of a request (10000; or 4 MiB)"},
        {"--jobs", ARG_INT, &options.jobs, "N", "requests at a time (2)"},
        {"--architecture", ARG_TEXT, &options.architecture, "NAME",
         "apt-contents: instead of the file name's"},
        {"--restart", ARG_FLAG, &options.restart, NULL, "forget an interrupted load of the file"},
        {"--quiet", ARG_FLAG, &options.quiet, NULL, "no progress"},
    };
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 2, 10000, &argc, argv, &code))
        return code;
    if (options.batch < 1 || options.batch > BATCH_RECORDS_MAX || options.jobs < 1 ||
        options.jobs > LOADER_JOBS_MAX) {
        cli_complain("--batch is 1 to %d, --jobs is 1 to %d", BATCH_RECORDS_MAX, LOADER_JOBS_MAX);
        return EXIT_USAGE;
    }
    catch_interrupts();
    code = EXIT_DONE;
    for (int i = 1; i < argc && code == EXIT_DONE; i++)
        code = load_file(cli, argv[0], argv[i], &options);
    return code;
}
