/* cmd_search.c: quarry search */
#include <stdlib.h>

#include "cmd/quarry/client.h"
#include "cmd/quarry/filters.h"
#include "cmd/quarry/table.h"

struct search_args {
    struct texts wheres, select;
    const char *filters, *cursor;
    int64_t limit, offset, repeat;
    const char *as_of;
    bool show_request;
};

static void write_strings(struct json_writer *w, const char *key, const char *const *items,
                          size_t len)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (size_t i = 0; i < len; i++)
        json_stringz(w, items[i]);
    json_end_array(w);
}

static bool write_request(struct buf *body, const struct search_args *args, int sources,
                          char **source)
{
    struct json_writer writer;
    json_writer_init(&writer, body);
    json_begin_object(&writer);
    if (sources)
        write_strings(&writer, "source_ids", (const char *const *)source, (size_t)sources);
    if (!filters_write(&writer, &args->wheres, args->filters))
        return false;
    json_kv_int(&writer, "limit", args->limit);
    if (args->as_of)
        json_kv_strz(&writer, "as_of", args->as_of);
    if (args->offset)
        json_kv_int(&writer, "offset", args->offset);
    if (args->select.len)
        write_strings(&writer, "select_columns", args->select.items, args->select.len);
    if (args->cursor)
        json_kv_strz(&writer, "cursor", args->cursor);
    json_end_object(&writer);
    return !buf_failed(body);
}

static void print_source(struct cli *cli, yyjson_val *answer, const struct texts *select)
{
    struct table table;
    table_init(&table);
    table_of_objects(&table, json_get(answer, "records"), select);
    table_print(&table, cli);
    const char *more = yyjson_get_bool(json_get(answer, "has_more")) ? ", more exist" : "";
    const char *source = yyjson_get_str(json_get(answer, "source_id"));
    printf("(%zu rows from %s%s)\n", yyjson_arr_size(json_get(answer, "records")),
           source ? source : "?", more);
    const char *cursor = yyjson_get_str(json_get(answer, "cursor"));
    if (cursor)
        printf("next page: --cursor %s\n", cursor);
    table_release(&table);
}

static int compare_seconds(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* The same request again and again over one connection. */
static int repeat(struct cli *cli, const struct call *call, size_t times)
{
    struct client *client = NULL;
    struct error err = ERROR_INIT;
    struct reply reply;
    double *seconds = calloc(times, sizeof *seconds);
    reply_init(&reply);
    enum status status = seconds ? client_open(cli->url, &client, &err) : error_no_memory(&err);
    for (size_t i = 0; status == STATUS_OK && i < times; i++) {
        status = client_send(client, call, &reply, &err);
        seconds[i] = reply.seconds;
    }
    if (status == STATUS_OK) {
        qsort(seconds, times, sizeof *seconds, compare_seconds);
        printf("%zu times over one connection: median %.0f \u00b5s, 99th percentile %.0f \u00b5s\n",
               times, seconds[times / 2] * 1e6, seconds[times * 99 / 100] * 1e6);
    } else {
        cli_complain_error(&err);
    }
    client_close(client);
    reply_release(&reply);
    free(seconds);
    return status == STATUS_OK ? EXIT_DONE : EXIT_UNREACHABLE;
}

static int search(struct cli *cli, const struct search_args *args, struct str body)
{
    yyjson_doc *doc;
    double seconds = 0;
    struct call call = {
        .method = "POST", .path = "/data/search", .content_type = "application/json", .body = body};
    if (args->show_request)
        fprintf(stderr, "POST /data/search %.*s\n", STR_ARG(body));
    int code = client_json(cli, &call, &doc, &seconds);
    size_t at, max;
    yyjson_val *answer;
    yyjson_arr_foreach(yyjson_doc_get_root(doc), at, max, answer)
    {
        print_source(cli, answer, &args->select);
    }
    if (doc)
        printf("%.3f ms, connecting included\n", seconds * 1e3);
    if (doc && args->repeat)
        code = repeat(cli, &call, (size_t)args->repeat);
    yyjson_doc_free(doc);
    return code;
}

int cmd_search(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct search_args options = {.limit = 20};
    const struct arg args[] = {
        {"--where", ARG_TEXTS, &options.wheres, "'F OP V'", "condition; repeat to combine by AND"},
        {"--filters", ARG_TEXT, &options.filters, "JSON", "the filters as a JSON object"},
        {"--limit", ARG_INT, &options.limit, "N", "records of each source (20)"},
        {"--as-of", ARG_TEXT, &options.as_of, "STATE", "snapshot, tag or time of an earlier state"},
        {"--offset", ARG_INT, &options.offset, "N", "matching records to skip"},
        {"--select", ARG_TEXTS, &options.select, "COLUMN", "only this column; may be repeated"},
        {"--cursor", ARG_TEXT, &options.cursor, "TEXT",
         "\"*\" begins paging; then the cursor that the answer shows"},
        {"--repeat", ARG_INT, &options.repeat, "N",
         "ask N times over one connection and print the latency"},
        {"--show-request", ARG_FLAG, &options.show_request, NULL, "print what is sent"},
    };
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 0, 100, &argc, argv, &code))
        return code;
    struct buf body;
    buf_init(&body, 4 << 20);
    code = EXIT_USAGE;
    if (write_request(&body, &options, argc, argv))
        code = search(cli, &options, buf_str(&body));
    buf_release(&body);
    return code;
}
