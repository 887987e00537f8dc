/* cmd_change.c: quarry delete SOURCE, quarry update SOURCE: records by filters. */
#include "cmd/quarry/client.h"
#include "cmd/quarry/filters.h"

struct change_args {
    struct texts wheres, set;
    const char *filters, *key;
    bool all;
};

/* "COLUMN=VALUE": VALUE is JSON, or else a bare text. */
static bool write_setting(struct json_writer *w, const char *setting)
{
    const char *sign = strchr(setting, '=');
    if (!sign || sign == setting) {
        cli_complain("--set %s: COLUMN=VALUE is expected", setting);
        return false;
    }
    struct str value = str_of(sign + 1);
    yyjson_doc *doc = yyjson_read(value.data, value.len, 0);
    json_key(w, str_make(setting, (size_t)(sign - setting)));
    if (doc)
        json_value(w, yyjson_doc_get_root(doc));
    else
        json_string(w, value);
    yyjson_doc_free(doc);
    return true;
}

static bool write_request(struct buf *body, const struct change_args *args, const char *source)
{
    struct json_writer writer;
    json_writer_init(&writer, body);
    json_begin_object(&writer);
    json_kv_strz(&writer, "source_id", source);
    if (!filters_write(&writer, &args->wheres, args->filters))
        return false;
    if (args->all)
        json_kv_bool(&writer, "all", true);
    if (args->set.len) {
        json_keyz(&writer, "set");
        json_begin_object(&writer);
        for (size_t i = 0; i < args->set.len; i++) {
            if (!write_setting(&writer, args->set.items[i]))
                return false;
        }
        json_end_object(&writer);
    }
    json_end_object(&writer);
    return !buf_failed(body);
}

static int post(struct cli *cli, const struct change_args *args, const char *path, struct str body,
                const char *count, const char *word)
{
    yyjson_doc *doc = NULL;
    struct call call = {.method = "POST",
                        .path = path,
                        .content_type = "application/json",
                        .body = body,
                        .idempotency_key = args->key};
    int code = client_json(cli, &call, &doc, NULL);
    if (doc) {
        yyjson_val *root = yyjson_doc_get_root(doc);
        const char *id = yyjson_get_str(json_get(root, "write_id"));
        printf("%llu rows %s (write %s)\n",
               (unsigned long long)yyjson_get_uint(json_get(root, count)), word, id ? id : "?");
    }
    yyjson_doc_free(doc);
    return code;
}

static int run(struct cli *cli, const struct change_args *args, const char *source,
               const char *path, const char *count, const char *word)
{
    struct buf body;
    int code = EXIT_USAGE;
    buf_init(&body, 4 << 20);
    if (write_request(&body, args, source))
        code = post(cli, args, path, buf_str(&body), count, word);
    buf_release(&body);
    return code;
}

int cmd_delete(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct change_args options = {0};
    const struct arg args[] = {
        {"--where", ARG_TEXTS, &options.wheres, "'F OP V'", "condition; repeat to combine by AND"},
        {"--filters", ARG_TEXT, &options.filters, "JSON", "the filters as a JSON object"},
        {"--all", ARG_FLAG, &options.all, NULL, "every record, instead of conditions"},
        {"--key", ARG_TEXT, &options.key, "TEXT",
         "idempotency key: a repeated delete is done once"},
    };
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 1, 1, &argc, argv, &code))
        return code;
    return run(cli, &options, argv[0], "/data/delete", "rows_deleted", "deleted");
}

int cmd_update(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct change_args options = {0};
    const struct arg args[] = {
        {"--set", ARG_TEXTS, &options.set, "COLUMN=VALUE",
         "new value: JSON, or a bare text; may be repeated"},
        {"--where", ARG_TEXTS, &options.wheres, "'F OP V'", "condition; repeat to combine by AND"},
        {"--filters", ARG_TEXT, &options.filters, "JSON", "the filters as a JSON object"},
        {"--all", ARG_FLAG, &options.all, NULL, "every record, instead of conditions"},
        {"--key", ARG_TEXT, &options.key, "TEXT",
         "idempotency key: a repeated update is done once"},
    };
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 1, 1, &argc, argv, &code))
        return code;
    return run(cli, &options, argv[0], "/data/update", "rows_updated", "updated");
}
