/* cmd_fsck.c: quarry fsck DATA_PATH, quarry repair DATA_PATH: without a server, on its folder.
 *
 * Exit status: 0 nothing is wrong (notes do not count), 1 damage was found or is left, 2 usage,
 * 4 the folder cannot be checked (none there, in use, not readable). */
#include "cmd/quarry/cli.h"
#include "storage/check/check.h"

enum { LINE_BYTES_MAX = 16 << 10 };

/* One JSON object a line. */
static void print_line(struct buf *buf)
{
    if (!buf_failed(buf))
        printf("%.*s\n", STR_ARG(buf_str(buf)));
    buf_clear(buf);
}

static void finding_json(const struct check_finding *finding)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, LINE_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    json_kv_strz(&w, "severity", check_severity_name(finding->severity));
    json_kv_strz(&w, "kind", check_kind_name(finding->kind));
    json_kv_strz(&w, "file", finding->file);
    if (finding->offset >= 0)
        json_kv_int(&w, "offset", finding->offset);
    else
        json_kv_null(&w, "offset");
    json_kv_strz(&w, "source_id", finding->source);
    json_kv_strz(&w, "what", finding->what);
    json_end_object(&w);
    print_line(&buf);
    buf_release(&buf);
}

static enum status print_finding(void *context, const struct check_finding *finding,
                                 struct error *err)
{
    const struct cli *cli = context;
    (void)err;
    if (cli->json) {
        finding_json(finding);
        return STATUS_OK;
    }
    printf("%-10s %s", check_severity_name(finding->severity), finding->file);
    if (finding->offset >= 0)
        printf(" at byte %lld", (long long)finding->offset);
    printf(": %s\n", finding->what);
    return STATUS_OK;
}

static void summary_json(const struct check_summary *sum)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, LINE_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    json_keyz(&w, "summary");
    json_begin_object(&w);
    const struct {
        const char *name;
        uint64_t value;
    } members[] = {{"sources", sum->sources},
                   {"segments", sum->segments},
                   {"rows", sum->rows},
                   {"bytes", sum->bytes},
                   {"indexes", sum->indexes},
                   {"index_entries", sum->index_entries},
                   {"write_ids", sum->write_ids},
                   {"log_files", sum->log_files},
                   {"log_frames", sum->log_frames},
                   {"notes", sum->notes},
                   {"repairable", sum->repairable},
                   {"damage", sum->damage}};
    for (size_t i = 0; i < ARGS_LEN(members); i++)
        json_kv_int(&w, members[i].name, (int64_t)members[i].value);
    json_end_object(&w);
    json_end_object(&w);
    print_line(&buf);
    buf_release(&buf);
}

static void summary_text(const struct check_summary *sum)
{
    char rows[COUNT_TEXT_MAX], bytes[COUNT_TEXT_MAX];
    printf("%llu sources, %llu segments, %s rows, %s; %llu indexes; %llu log files, %llu frames\n",
           (unsigned long long)sum->sources, (unsigned long long)sum->segments,
           cli_count_text(sum->rows, rows), cli_bytes_text(sum->bytes, bytes),
           (unsigned long long)sum->indexes, (unsigned long long)sum->log_files,
           (unsigned long long)sum->log_frames);
    if (sum->damage + sum->repairable == 0)
        printf("clean (%llu notes)\n", (unsigned long long)sum->notes);
    else
        printf("DAMAGED: %llu damaged, %llu repairable, %llu notes; see quarry repair\n",
               (unsigned long long)sum->damage, (unsigned long long)sum->repairable,
               (unsigned long long)sum->notes);
}

static int failed(const struct error *err)
{
    cli_complain_error(err);
    return EXIT_INPUT;
}

static int check(struct cli *cli, const char *path)
{
    struct check_summary sum;
    struct error err = ERROR_INIT;
    if (store_check(sys_posix(), path, print_finding, cli, &sum, &err) != STATUS_OK)
        return failed(&err);
    if (cli->json)
        summary_json(&sum);
    else
        summary_text(&sum);
    return sum.damage + sum.repairable ? EXIT_REFUSED : EXIT_DONE;
}

int cmd_fsck(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int code;
    if (!args_parse(cli, command, NULL, 0, 1, 1, &argc, argv, &code))
        return code;
    return check(cli, argv[0]);
}

static void print_action(void *context, const struct repair_action *action)
{
    const struct cli *cli = context;
    if (!cli->json) {
        printf("%-8s %s: %s\n", action->mended ? "mended" : "left", action->file, action->done);
        return;
    }
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, LINE_BYTES_MAX);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    json_kv_bool(&w, "mended", action->mended);
    json_kv_strz(&w, "file", action->file);
    json_kv_strz(&w, "done", action->done);
    json_end_object(&w);
    print_line(&buf);
    buf_release(&buf);
}

int cmd_repair(struct cli *cli, const struct command *command, int argc, char **argv)
{
    bool drop = false;
    const char *from = NULL;
    const struct arg args[] = {
        {"--from", ARG_TEXT, &from, "BACKUP", "take damaged data files from this backup"},
        {"--drop-damaged", ARG_FLAG, &drop, NULL,
         "give damaged files up: move them to damaged/, go on without their rows"},
    };
    struct repair_summary sum;
    struct error err = ERROR_INIT;
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 1, 1, &argc, argv, &code))
        return code;
    struct repair_options options = {.path = argv[0],
                                     .backup = from,
                                     .drop_damaged = drop,
                                     .acted = print_action,
                                     .context = cli};
    if (store_repair(sys_posix(), &options, &sum, &err) != STATUS_OK)
        return failed(&err);
    if (!cli->json)
        printf("%llu mended, %llu left; checking again\n", (unsigned long long)sum.mended,
               (unsigned long long)sum.left);
    return check(cli, argv[0]);
}
