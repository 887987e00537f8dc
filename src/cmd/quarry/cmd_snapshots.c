/* cmd_snapshots.c: quarry snapshots list|tag|untag|rollback, quarry compact SOURCE */
#include <stdlib.h>
#include <time.h>

#include "cmd/quarry/client.h"
#include "cmd/quarry/table.h"

enum { COMPACT_LOOK_MS = 100 };

/* "/sources/SOURCE<middle>LAST"; false when it is too long. */
static bool make_path(struct buf *path, const char *source, const char *middle, const char *last)
{
    buf_init(path, 64 * 1024);
    buf_append_str(path, STR("/sources/"));
    url_append(path, str_of(source));
    buf_append_str(path, str_of(middle));
    if (last)
        url_append(path, str_of(last));
    return !buf_failed(path);
}

static int call(struct cli *cli, const char *method, struct buf *path, struct buf *body,
                yyjson_doc **ret_doc)
{
    buf_append_char(path, 0);
    *ret_doc = NULL;
    if (buf_failed(path) || (body && buf_failed(body))) {
        cli_complain("a name is too long");
        return EXIT_USAGE;
    }
    struct call request = {.method = method,
                           .path = path->data,
                           .content_type = body ? "application/json" : NULL,
                           .body = body ? buf_str(body) : STR_NONE};
    return client_json(cli, &request, ret_doc, NULL);
}

static void print_row(struct table *table, yyjson_val *snapshot)
{
    struct buf tags;
    size_t at, max;
    yyjson_val *tag;
    table_value(table, json_get(snapshot, "snapshot_id"));
    table_value(table, json_get(snapshot, "timestamp"));
    table_value(table, json_get(snapshot, "operation"));
    table_value(table, json_get(snapshot, "total_rows"));
    table_value(table, json_get(snapshot, "total_files"));
    table_value(table, json_get(snapshot, "added_files"));
    table_value(table, json_get(snapshot, "removed_files"));
    buf_init(&tags, 64 * 1024);
    if (yyjson_get_bool(json_get(snapshot, "current")))
        buf_append_str(&tags, STR("(current) "));
    if (yyjson_get_bool(json_get(snapshot, "damaged")))
        buf_append_str(&tags, STR("(damaged) "));
    yyjson_arr_foreach(json_get(snapshot, "tags"), at, max, tag)
    {
        buf_append_str(&tags, json_str_of(tag));
        buf_append_char(&tags, ' ');
    }
    table_text(table, buf_str(&tags));
    buf_release(&tags);
}

static int list(struct cli *cli, const char *source)
{
    static const char *const names[] = {"snapshot", "time",  "operation", "rows",
                                        "files",    "added", "removed",   "tags"};
    struct buf path;
    yyjson_doc *doc;
    (void)make_path(&path, source, "/snapshots", NULL); /* call checks it */
    int code = call(cli, "GET", &path, NULL, &doc);
    buf_release(&path);
    if (!doc)
        return code;
    struct table table;
    size_t at, max;
    yyjson_val *snapshot;
    table_init(&table);
    for (size_t i = 0; i < ARGS_LEN(names); i++)
        (void)table_column(&table, str_of(names[i]));
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "snapshots"), at, max, snapshot)
    {
        print_row(&table, snapshot);
    }
    table_print(&table, cli);
    printf("(%zu snapshots)\n", table_rows(&table));
    table_release(&table);
    yyjson_doc_free(doc);
    return code;
}

static bool is_number(const char *text)
{
    return *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 19;
}

static int tag(struct cli *cli, const char *source, const char *snapshot, const char *name)
{
    struct buf path, body;
    struct json_writer w;
    yyjson_doc *doc;
    (void)make_path(&path, source, "/snapshots/", snapshot);
    buf_append_str(&path, STR("/tag"));
    buf_init(&body, 64 * 1024);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_strz(&w, "name", name);
    json_end_object(&w);
    int code = call(cli, "POST", &path, &body, &doc);
    if (doc)
        printf("snapshot %s of %s is now %s\n", snapshot, source, name);
    yyjson_doc_free(doc);
    buf_release(&path);
    buf_release(&body);
    return code;
}

static int untag(struct cli *cli, const char *source, const char *name)
{
    struct buf path;
    yyjson_doc *doc;
    (void)make_path(&path, source, "/tags/", name);
    int code = call(cli, "DELETE", &path, NULL, &doc);
    if (doc)
        printf("%s has no tag %s any more\n", source, name);
    yyjson_doc_free(doc);
    buf_release(&path);
    return code;
}

static int rollback(struct cli *cli, const char *source, const char *to)
{
    struct buf path, body;
    struct json_writer w;
    yyjson_doc *doc;
    (void)make_path(&path, source, "/rollback", NULL);
    buf_init(&body, 64 * 1024);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    if (is_number(to))
        json_kv_int(&w, "snapshot_id", strtoll(to, NULL, 10));
    else
        json_kv_strz(&w, "tag", to);
    json_end_object(&w);
    int code = call(cli, "POST", &path, &body, &doc);
    if (doc)
        printf(
            "%s is as of %s again, by snapshot %llu\n", source, to,
            (unsigned long long)yyjson_get_uint(json_get(yyjson_doc_get_root(doc), "snapshot_id")));
    yyjson_doc_free(doc);
    buf_release(&path);
    buf_release(&body);
    return code;
}

int cmd_snapshots(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int code;
    if (!args_parse(cli, command, NULL, 0, 2, 4, &argc, argv, &code))
        return code;
    if (strcmp(argv[0], "list") == 0 && argc == 2)
        return list(cli, argv[1]);
    if (strcmp(argv[0], "tag") == 0 && argc == 4)
        return tag(cli, argv[1], argv[2], argv[3]);
    if (strcmp(argv[0], "untag") == 0 && argc == 3)
        return untag(cli, argv[1], argv[2]);
    if (strcmp(argv[0], "rollback") == 0 && argc == 3)
        return rollback(cli, argv[1], argv[2]);
    cli_complain("usage: quarry snapshots %s", command->usage);
    return EXIT_USAGE;
}

/* --- compaction --- */

static void print_job(yyjson_val *job)
{
    const char *status = yyjson_get_str(json_get(job, "status"));
    printf("compaction %s: %s files into %s, %s rows", status ? status : "?",
           cli_count_text(yyjson_get_uint(json_get(job, "input_files_count")),
                          (char[COUNT_TEXT_MAX]){0}),
           cli_count_text(yyjson_get_uint(json_get(job, "output_files_count")),
                          (char[COUNT_TEXT_MAX]){0}),
           cli_count_text(yyjson_get_uint(json_get(job, "rows")), (char[COUNT_TEXT_MAX]){0}));
    const char *failure = yyjson_get_str(json_get(job, "failure"));
    printf("%s%s\n", failure ? ": " : "", failure ? failure : "");
}

static bool is_running(const char *status)
{
    return status && (strcmp(status, "queued") == 0 || strcmp(status, "running") == 0);
}

/* Looks until the job has ended. */
static int follow(struct cli *cli, const char *job)
{
    char path[128];
    snprintf(path, sizeof path, "/metadata/compact/%.64s", job);
    for (;;) {
        yyjson_doc *doc;
        struct cli quiet = *cli;
        quiet.json = false;
        int code = client_json(&quiet, &(struct call){.method = "GET", .path = path}, &doc, NULL);
        if (!doc)
            return code;
        yyjson_val *info = json_get(yyjson_doc_get_root(doc), "job");
        const char *status = yyjson_get_str(json_get(info, "status"));
        bool running = is_running(status);
        if (!running)
            print_job(info);
        code = running || (status && strcmp(status, "completed") == 0) ? EXIT_DONE : EXIT_REFUSED;
        yyjson_doc_free(doc);
        if (!running)
            return code;
        struct timespec nap = {.tv_nsec = COMPACT_LOOK_MS * 1000000L};
        (void)nanosleep(&nap, NULL);
    }
}

int cmd_compact(struct cli *cli, const struct command *command, int argc, char **argv)
{
    bool no_wait = false;
    const struct arg args[] = {
        {"--no-wait", ARG_FLAG, &no_wait, NULL, "do not wait for the end"},
    };
    struct buf path, body;
    struct json_writer w;
    yyjson_doc *doc;
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 1, 1, &argc, argv, &code))
        return code;
    buf_init(&path, 64);
    buf_append_str(&path, STR("/metadata/compact"));
    buf_init(&body, 64 * 1024);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_strz(&w, "source_id", argv[0]);
    json_end_object(&w);
    code = call(cli, "POST", &path, &body, &doc);
    buf_release(&path);
    buf_release(&body);
    if (!doc)
        return code;
    const char *job = yyjson_get_str(json_get(yyjson_doc_get_root(doc), "job_id"));
    if (no_wait || !job)
        printf("compaction %s is queued\n", job ? job : "?");
    else
        code = follow(cli, job);
    yyjson_doc_free(doc);
    return code;
}
