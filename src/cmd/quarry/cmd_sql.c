/* cmd_sql.c: quarry sql: one statement, or a shell: statements end with ";", "\q" leaves, "\d"
 * lists the sources, "\timing" is always on. */
#include <stdlib.h>
#include <unistd.h>

#include "cmd/quarry/client.h"
#include "cmd/quarry/table.h"

enum { STATEMENT_MAX = 4 << 20 };

struct sql_args {
    const char *dialect; /* NULL: the node's own */
    struct texts params;
    const char *format;
    int64_t limit, timeout_ms;
    bool show_request;
};

/* JSON when it is, else a text. */
static void write_param(struct json_writer *w, const char *text)
{
    yyjson_doc *doc;
    if (json_parse(str_of(text), &doc, NULL) != STATUS_OK) {
        json_stringz(w, text);
        return;
    }
    json_value(w, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
}

/* A param is VALUE (positional) or NAME=VALUE; all of one kind. */
static bool write_params(struct json_writer *w, const struct texts *params)
{
    size_t named = 0;
    for (size_t i = 0; i < params->len; i++)
        named += params->items[i][0] == '$' && strchr(params->items[i], '=') != NULL;
    if (named && named != params->len) {
        cli_complain("--param: either all $NAME=VALUE or all VALUE");
        return false;
    }
    if (!params->len)
        return true;
    json_keyz(w, "parameters");
    named ? json_begin_object(w) : json_begin_array(w);
    for (size_t i = 0; i < params->len; i++) {
        const char *text = params->items[i];
        if (named) {
            const char *equals = strchr(text, '=');
            json_key(w, str_make(text + 1, (size_t)(equals - text - 1)));
            text = equals + 1;
        }
        write_param(w, text);
    }
    named ? json_end_object(w) : json_end_array(w);
    return true;
}

static bool write_request(struct buf *body, struct str query, const struct sql_args *args)
{
    bool table = strcmp(args->format, "table") == 0;
    struct json_writer writer;
    json_writer_init(&writer, body);
    json_begin_object(&writer);
    json_kv_str(&writer, "query", query);
    if (!write_params(&writer, &args->params))
        return false;
    if (args->dialect)
        json_kv_strz(&writer, "dialect", args->dialect);
    if (args->limit)
        json_kv_int(&writer, "limit", args->limit);
    if (args->timeout_ms)
        json_kv_int(&writer, "timeout_ms", args->timeout_ms);
    json_kv_strz(&writer, "format", table ? "json" : args->format);
    json_end_object(&writer);
    if (!buf_failed(body))
        return true;
    cli_complain("the statement is too long");
    return false;
}

static yyjson_val *rows_of(yyjson_val *root)
{
    static const char *const names[] = {"rows", "results", "records", "data"};
    for (size_t i = 0; i < ARGS_LEN(names); i++)
        if (yyjson_is_arr(json_get(root, names[i])))
            return json_get(root, names[i]);
    return NULL;
}

static void fill_table(struct table *table, yyjson_val *root)
{
    size_t at, max, cell, cells;
    yyjson_val *column, *row, *value;
    yyjson_arr_foreach(json_get(root, "columns"), at, max, column)
    {
        yyjson_val *name = yyjson_is_obj(column) ? json_get(column, "name") : column;
        /* Two columns may have one name; a table_column of its own each. */
        uint32_t before = table->columns;
        (void)table_column(table, json_str_of(name));
        if (table->columns == before)
            (void)table_column(
                table, str_of(arena_printf(&table->arena, "%s:%zu", yyjson_get_str(name), at + 1)));
    }
    yyjson_arr_foreach(rows_of(root), at, max, row)
    {
        if (yyjson_is_obj(row)) {
            yyjson_val *key;
            yyjson_obj_foreach(row, cell, cells, key, value)
            {
                table_value(table, value);
            }
        } else {
            yyjson_arr_foreach(row, cell, cells, value)
            {
                table_value(table, value);
            }
        }
    }
}

static void print_answer(struct cli *cli, yyjson_val *root, double seconds)
{
    struct table table;
    yyjson_val *warning, *affected = json_get(root, "rows_affected");
    size_t i, max;
    yyjson_arr_foreach(json_get(root, "warnings"), i, max, warning)
    {
        fprintf(stderr, "quarry: warning: %s\n", yyjson_get_str(warning));
    }
    if (affected) {
        printf("%s: %lld rows (%.1f ms)\n", yyjson_get_str(json_get(root, "statement")),
               (long long)yyjson_get_sint(affected), seconds * 1e3);
        return;
    }
    table_init(&table);
    fill_table(&table, root);
    table_print(&table, cli);
    printf("(%zu rows%s, %.1f ms)\n", yyjson_arr_size(rows_of(root)),
           yyjson_get_bool(json_get(root, "truncated")) ? ", cut at the limit" : "", seconds * 1e3);
    table_release(&table);
}

static int run_statement(struct cli *cli, struct str query, const struct sql_args *args)
{
    struct buf body;
    yyjson_doc *doc = NULL;
    double seconds = 0;
    int code = EXIT_USAGE;
    buf_init(&body, STATEMENT_MAX * 2);
    if (write_request(&body, query, args)) {
        bool raw = cli->json || strcmp(args->format, "table") != 0;
        struct cli as = *cli;
        struct call call = {.method = "POST",
                            .path = "/query/sql",
                            .content_type = "application/json",
                            .body = buf_str(&body),
                            .accept = "*/*",
                            .timeout_s = args->timeout_ms / 1000 + 60};
        as.json = raw;
        if (args->show_request)
            fprintf(stderr, "POST /query/sql %.*s\n", STR_ARG(buf_str(&body)));
        code = client_json(&as, &call, &doc, &seconds);
        if (doc)
            print_answer(cli, yyjson_doc_get_root(doc), seconds);
        yyjson_doc_free(doc);
    }
    buf_release(&body);
    return code;
}

/* Ends with ";" outside of blanks. */
static bool is_whole(const struct buf *text)
{
    struct str trimmed = str_trim(buf_str(text));
    return trimmed.len && trimmed.data[trimmed.len - 1] == ';';
}

static int shell(struct cli *cli, const struct sql_args *args)
{
    struct buf text;
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    buf_init(&text, STATEMENT_MAX);
    printf("Statements end with \";\"; \\d lists the sources, \\q leaves.\n");
    for (;;) {
        fputs(text.len ? "   ...> " : "quarry> ", stdout);
        (void)fflush(stdout);
        len = getline(&line, &cap, stdin);
        if (len < 0 || strcmp(line, "\\q\n") == 0)
            break;
        if (strcmp(line, "\\d\n") == 0) {
            char *list[] = {"list"};
            (void)cmd_sources(cli, &(struct command){.name = "sources", .usage = "list"}, 1, list);
            continue;
        }
        buf_append(&text, line, (size_t)len);
        if (!is_whole(&text) && !buf_failed(&text))
            continue;
        struct str statement = str_trim(buf_str(&text));
        statement.len--;
        if (statement.len)
            (void)run_statement(cli, statement, args);
        buf_clear(&text);
    }
    putchar('\n');
    free(line);
    buf_release(&text);
    return EXIT_DONE;
}

static int run_input(struct cli *cli, const struct sql_args *args)
{
    struct buf text;
    struct error err = ERROR_INIT;
    int code = EXIT_INPUT;
    buf_init(&text, STATEMENT_MAX);
    if (cli_read_file("-", &text, &err) == STATUS_OK)
        code = run_statement(cli, str_trim(buf_str(&text)), args);
    else
        cli_complain_error(&err);
    buf_release(&text);
    return code;
}

int cmd_sql(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct sql_args options = {.format = "table"};
    const struct arg args[] = {
        {"--param", ARG_TEXTS, &options.params, "VALUE",
         "value of the next ?, or $NAME=VALUE; JSON or a bare text"},
        {"--format", ARG_TEXT, &options.format, "F", "table (default), json, ndjson, csv"},
        {"--dialect", ARG_TEXT, &options.dialect, "D", "mysql, postgres, ...; duckdb when absent"},
        {"--limit", ARG_INT, &options.limit, "N", "rows at the most"},
        {"--show-request", ARG_FLAG, &options.show_request, NULL, "print what is sent"},
        {"--timeout-ms", ARG_INT, &options.timeout_ms, "N", "stop the work after this (30000)"},
    };
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 0, 1, &argc, argv, &code))
        return code;
    if (argc == 1 && strcmp(argv[0], "-") != 0)
        return run_statement(cli, str_of(argv[0]), &options);
    if (argc == 0 && isatty(STDIN_FILENO))
        return shell(cli, &options);
    return run_input(cli, &options);
}
