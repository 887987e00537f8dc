/* cmd_sources.c: quarry sources list|add|show|remove|flush */
#include <stdlib.h>

#include "cmd/quarry/client.h"
#include "cmd/quarry/table.h"

struct add_options {
    struct texts columns, partitions, indexes, keys;
    const char *schema, *name, *compression;
    int64_t max_file_size_mb;
    bool no_wal;
};

static uint64_t uint_of(yyjson_val *object, const char *name)
{
    return yyjson_get_uint(json_get(object, name));
}

static void print_info_row(struct table *table, struct str id, yyjson_val *info)
{
    char text[COUNT_TEXT_MAX];
    table_text(table, id);
    table_count(table, uint_of(info, "total_rows"));
    table_count(table, uint_of(info, "total_files"));
    table_text(table, str_of(cli_bytes_text(uint_of(info, "total_size_bytes"), text)));
    table_value(table, json_get(info, "last_updated"));
}

static int list(struct cli *cli)
{
    static const char *const names[] = {"source", "rows", "files", "size", "last updated"};
    yyjson_doc *doc;
    int code = client_json(cli, &(struct call){.method = "GET", .path = "/sources"}, &doc, NULL);
    if (!doc)
        return code;
    struct table table;
    table_init(&table);
    for (size_t i = 0; i < ARGS_LEN(names); i++)
        (void)table_column(&table, str_of(names[i]));
    size_t at, max;
    yyjson_val *key, *info;
    yyjson_obj_foreach(json_get(yyjson_doc_get_root(doc), "source_details"), at, max, key, info)
    {
        print_info_row(&table, json_str_of(key), info);
    }
    table_print(&table, cli);
    printf("(%zu sources)\n", table_rows(&table));
    table_release(&table);
    yyjson_doc_free(doc);
    return code;
}

/* Path and text, members of members indented. */
static void print_members(yyjson_val *object, int indent)
{
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, at, max, key, value)
    {
        printf("%*s%s:", indent, "", yyjson_get_str(key));
        if (yyjson_is_obj(value)) {
            putchar('\n');
            print_members(value, indent + 2);
        } else if (yyjson_is_str(value)) {
            printf(" %s\n", yyjson_get_str(value));
        } else {
            size_t len;
            char *text = yyjson_val_write(value, 0, &len);
            printf(" %s\n", text ? text : "?");
            free(text);
        }
    }
}

static int call_on(struct cli *cli, const char *method, const char *source, const char *action)
{
    struct buf path;
    yyjson_doc *doc;
    buf_init(&path, 64 * 1024);
    buf_append_str(&path, STR("/sources/"));
    url_append(&path, str_of(source));
    buf_append_str(&path, str_of(action));
    buf_append_char(&path, 0);
    if (buf_failed(&path)) {
        buf_release(&path);
        cli_complain("the source's name is too long");
        return EXIT_USAGE;
    }
    struct call call = {.method = method, .path = path.data};
    int code = client_json(cli, &call, &doc, NULL);
    buf_release(&path);
    if (!doc)
        return code;
    print_members(yyjson_doc_get_root(doc), 0);
    yyjson_doc_free(doc);
    return code;
}

/* "name:type" members, or a whole JSON object. */
static bool write_schema(struct json_writer *w, const struct add_options *options)
{
    yyjson_doc *doc;
    struct error err = ERROR_INIT;
    json_keyz(w, "schema_definition");
    if (options->schema) {
        if (json_parse(str_of(options->schema), &doc, &err) != STATUS_OK) {
            cli_complain("--schema: %s", err.message);
            return false;
        }
        json_value(w, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
        return true;
    }
    json_begin_object(w);
    for (size_t i = 0; i < options->columns.len; i++) {
        const char *text = options->columns.items[i];
        const char *colon = strrchr(text, ':');
        if (!colon || colon == text || !colon[1]) {
            cli_complain("--column takes NAME:TYPE, not \"%s\"", text);
            return false;
        }
        json_key(w, str_make(text, (size_t)(colon - text)));
        json_stringz(w, colon + 1);
    }
    json_end_object(w);
    return true;
}

static void write_texts(struct json_writer *w, const char *key, const struct texts *texts)
{
    if (!texts->len)
        return;
    json_keyz(w, key);
    json_begin_array(w);
    for (size_t i = 0; i < texts->len; i++)
        json_stringz(w, texts->items[i]);
    json_end_array(w);
}

static bool write_config(struct buf *body, const char *source, const struct add_options *options)
{
    struct json_writer writer;
    json_writer_init(&writer, body);
    json_begin_object(&writer);
    json_kv_strz(&writer, "source_id", source);
    json_kv_strz(&writer, "name", options->name ? options->name : source);
    json_kv_strz(&writer, "connection_string", "");
    json_kv_strz(&writer, "data_path", "");
    if (!write_schema(&writer, options))
        return false;
    write_texts(&writer, "partition_columns", &options->partitions);
    write_texts(&writer, "index_columns", &options->indexes);
    write_texts(&writer, "key_columns", &options->keys);
    if (options->compression)
        json_kv_strz(&writer, "compression", options->compression);
    if (options->max_file_size_mb)
        json_kv_int(&writer, "max_file_size_mb", options->max_file_size_mb);
    if (options->no_wal)
        json_kv_bool(&writer, "wal_enabled", false);
    json_end_object(&writer);
    return !buf_failed(body);
}

static int add(struct cli *cli, const char *source, const struct add_options *options)
{
    struct buf body;
    yyjson_doc *doc;
    int code = EXIT_USAGE;
    buf_init(&body, 1 << 20);
    if (write_config(&body, source, options)) {
        struct call call = {.method = "POST",
                            .path = "/sources/add",
                            .content_type = "application/json",
                            .body = buf_str(&body)};
        code = client_json(cli, &call, &doc, NULL);
        if (doc)
            printf("source %s is there\n", source);
        yyjson_doc_free(doc);
    }
    buf_release(&body);
    return code;
}

int cmd_sources(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct add_options options = {0};
    const struct arg args[] = {
        {"--column", ARG_TEXTS, &options.columns, "NAME:TYPE", "add: a column of the schema"},
        {"--schema", ARG_TEXT, &options.schema, "JSON", "add: the schema as a JSON object"},
        {"--partition", ARG_TEXTS, &options.partitions, "COLUMN", "add: partition by it"},
        {"--index", ARG_TEXTS, &options.indexes, "COLUMN", "add: index it for point look-ups"},
        {"--key", ARG_TEXTS, &options.keys, "COLUMN", "add: part of a record's key, for upserts"},
        {"--name", ARG_TEXT, &options.name, "TEXT", "add: name for people"},
        {"--compression", ARG_TEXT, &options.compression, "CODEC",
         "add: snappy, zstd, gzip, lz4, none"},
        {"--max-file-size-mb", ARG_INT, &options.max_file_size_mb, "N", "add: size of a file"},
        {"--no-wal", ARG_FLAG, &options.no_wal, NULL, "add: acknowledge before it is on disk"},
    };
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 1, 2, &argc, argv, &code))
        return code;
    if (strcmp(argv[0], "list") == 0 && argc == 1)
        return list(cli);
    if (argc == 2 && strcmp(argv[0], "add") == 0)
        return add(cli, argv[1], &options);
    if (argc == 2 && strcmp(argv[0], "show") == 0)
        return call_on(cli, "GET", argv[1], "/stats");
    if (argc == 2 && strcmp(argv[0], "remove") == 0)
        return call_on(cli, "DELETE", argv[1], "");
    if (argc == 2 && strcmp(argv[0], "flush") == 0)
        return call_on(cli, "POST", argv[1], "/flush");
    cli_complain("usage: quarry sources %s", command->usage);
    return EXIT_USAGE;
}
