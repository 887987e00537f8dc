/* cmd_nodes.c: quarry node ...: versioned nodes. Files are checked and stamped here, without a
 * server; registered, searched and resolved by the catalog. Import and pull: cmd_federation.c. What
 * remains (list, versions, show, delete) is plain calls: cmd_assets.c. */
#include <stdlib.h>
#include <time.h>

#include "base/datetime.h"
#include "cmd/quarry/nodes.h"
#include "cmd/quarry/table.h"
#include "sys/sys.h"

struct options {
    bool strict;
    const char *lock;
    struct import_options import;
};

/* --- files --- */

enum status cli_read_block(const char *path, struct arena *arena, struct metadata_block *ret,
                           struct error *err)
{
    struct buf file;
    buf_init(&file, METADATA_FILE_MAX);
    enum status status = cli_read_file(path, &file, err);
    struct str text = status == STATUS_OK ? arena_str(arena, buf_str(&file)) : STR_NONE;
    buf_release(&file);
    TRY(status);
    status = metadata_find(text, arena, ret, err);
    struct str name = str_of(path);
    if (status == STATUS_NOT_FOUND &&
        (str_ends(name, STR(".yaml")) || str_ends(name, STR(".yml")))) {
        *ret = (struct metadata_block){.body = STR("")};
        status = metadata_parse(text, arena, &ret->json, err);
    }
    return status;
}

static int complain_file(const char *path, const struct error *err)
{
    cli_complain("%s: %s", path, err->message);
    return EXIT_INPUT;
}

static int validate_file(const char *path)
{
    struct arena arena;
    struct metadata_block block;
    struct metadata_issues issues;
    struct error err = ERROR_INIT;
    char hash[METADATA_HASH_LEN + 1] = "";
    arena_init(&arena, 0);
    int code = EXIT_DONE;
    if (cli_read_block(path, &arena, &block, &err) != STATUS_OK ||
        metadata_check(block.json, &arena, &issues, &err) != STATUS_OK ||
        metadata_hash(block.json, block.body, hash, &err) != STATUS_OK) {
        code = complain_file(path, &err);
    } else {
        for (uint32_t i = 0; i < issues.len; i++)
            printf("%s: %s %s: %.*s %.*s\n", path, severity_name(issues.list[i].severity),
                   issues.list[i].code, STR_ARG(issues.list[i].field),
                   STR_ARG(issues.list[i].message));
        if (!memmem(block.json.data, block.json.len, hash, METADATA_HASH_LEN))
            printf("%s: warning MD003: hash is not that of the contents, which is %s\n", path,
                   hash);
        code = issues.errors ? EXIT_REFUSED : EXIT_DONE;
        if (!issues.errors)
            printf("%s: valid\n", path);
    }
    arena_release(&arena);
    return code;
}

static int stamp_file(const char *path)
{
    struct buf file, stamped;
    struct error err = ERROR_INIT;
    struct sys *sys = sys_posix();
    char now[TIMESTAMP_TEXT_MAX];
    buf_init(&file, METADATA_FILE_MAX);
    buf_init(&stamped, 2 * METADATA_FILE_MAX);
    (void)timestamp_format(sys_now_us(sys), now);
    enum status status = cli_read_file(path, &file, &err);
    if (status == STATUS_OK)
        status = metadata_stamp(buf_str(&file), str_of(now), &stamped, &err);
    bool changed = status == STATUS_OK && !str_eq(buf_str(&file), buf_str(&stamped));
    if (changed)
        status = sys_replace_file(sys, path, (struct slice){stamped.data, stamped.len}, &err);
    if (status == STATUS_OK)
        printf("%s: %s\n", path, changed ? "stamped" : "right already");
    buf_release(&file);
    buf_release(&stamped);
    return status == STATUS_OK ? EXIT_DONE : complain_file(path, &err);
}

/* --- registering --- */

static int send_block(struct cli *cli, const char *path, const struct metadata_block *block,
                      bool strict)
{
    struct buf body;
    struct json_writer w;
    struct reply reply;
    buf_init(&body, 64 << 20);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_keyz(&w, "metadata");
    json_raw(&w, block->json);
    json_kv_bool(&w, "strict", strict);
    json_end_object(&w);
    struct call call = {.method = "POST",
                        .path = "/nodes",
                        .content_type = "application/json",
                        .body = buf_str(&body)};
    struct client *client = NULL;
    struct error err = ERROR_INIT;
    int code = EXIT_DONE;
    reply_init(&reply);
    if (client_open(cli->url, &client, &err) != STATUS_OK ||
        client_send(client, &call, &reply, &err) != STATUS_OK) {
        cli_complain_error(&err);
        code = EXIT_UNREACHABLE;
    } else if (!reply_good(&reply)) {
        cli_complain("%s:", path);
        reply_complain(&reply);
        code = EXIT_REFUSED;
    }
    client_close(client);
    reply_release(&reply);
    buf_release(&body);
    return code;
}

static int register_file(struct cli *cli, const char *path, const struct options *options)
{
    struct arena arena;
    struct metadata_block block;
    struct error err = ERROR_INIT;
    arena_init(&arena, 0);
    int code = cli_read_block(path, &arena, &block, &err) == STATUS_OK
                   ? send_block(cli, path, &block, options->strict)
                   : complain_file(path, &err);
    if (code == EXIT_DONE)
        printf("%s: registered\n", path);
    arena_release(&arena);
    return code;
}

/* --- search and resolution --- */

static int search_nodes(struct cli *cli, int argc, char **argv)
{
    struct buf path;
    yyjson_doc *doc = NULL;
    size_t at, max;
    yyjson_val *hit;
    buf_init(&path, 1 << 16);
    buf_append_str(&path, STR("/search?kind=node&by_name=true&q="));
    for (int i = 0; i < argc; i++) {
        if (i)
            buf_append_str(&path, STR("%20"));
        url_append(&path, str_of(argv[i]));
    }
    buf_append_char(&path, 0);
    struct call call = {.method = "GET", .path = path.data};
    int code = buf_failed(&path) ? EXIT_USAGE : client_json(cli, &call, &doc, NULL);
    buf_release(&path);
    if (!doc)
        return code;
    struct table table;
    static const char *const columns[] = {"namespace", "name", "version", "description"};
    table_init(&table);
    for (size_t i = 0; i < ARGS_LEN(columns); i++)
        (void)table_column(&table, str_of(columns[i]));
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "hits"), at, max, hit)
    {
        for (size_t i = 0; i < ARGS_LEN(columns); i++)
            table_value(&table, json_get(json_get(hit, "asset"), columns[i]));
    }
    table_print(&table, cli);
    table_release(&table);
    yyjson_doc_free(doc);
    return code;
}

/* The lock file's contents, if there is one. */
static bool add_lock(struct json_writer *w, const char *path, struct buf *file)
{
    struct error err = ERROR_INIT;
    struct sys_stat stat;
    if (!path || sys_stat(sys_posix(), path, &stat, NULL) != STATUS_OK)
        return true;
    yyjson_doc *doc = NULL;
    if (cli_read_file(path, file, &err) != STATUS_OK ||
        json_parse(buf_str(file), &doc, &err) != STATUS_OK) {
        (void)complain_file(path, &err);
        return false;
    }
    json_keyz(w, "lock");
    json_value(w, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return true;
}

static int write_lock(const char *path, yyjson_val *lock)
{
    struct error err = ERROR_INIT;
    size_t len = 0;
    char *text = yyjson_val_write(lock, YYJSON_WRITE_PRETTY_TWO_SPACES, &len);
    enum status status = text ? sys_replace_file(sys_posix(), path, (struct slice){text, len}, &err)
                              : error_no_memory(&err);
    free(text);
    return status == STATUS_OK ? EXIT_DONE : complain_file(path, &err);
}

static int print_resolution(yyjson_val *root, const struct options *options)
{
    size_t at, max;
    yyjson_val *name;
    yyjson_val *nodes = json_get(json_get(root, "lock"), "nodes");
    yyjson_arr_foreach(json_get(root, "execution_order"), at, max, name)
    {
        yyjson_val *node = yyjson_obj_getn(nodes, yyjson_get_str(name), yyjson_get_len(name));
        struct str version = json_str_of(json_get(node, "version"));
        printf("%.*s %.*s\n", STR_ARG(json_str_of(name)), STR_ARG(version));
    }
    return options->lock ? write_lock(options->lock, json_get(root, "lock")) : EXIT_DONE;
}

static int resolve_nodes(struct cli *cli, int argc, char **argv, const struct options *options)
{
    struct buf body, lock;
    struct json_writer w;
    yyjson_doc *doc = NULL;
    buf_init(&body, 64 << 20);
    buf_init(&lock, 64 << 20);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_keyz(&w, "needs");
    json_begin_array(&w);
    for (int i = 0; i < argc; i++)
        json_stringz(&w, argv[i]);
    json_end_array(&w);
    bool made = add_lock(&w, options->lock, &lock);
    json_end_object(&w);
    struct call call = {.method = "POST",
                        .path = "/nodes/resolve",
                        .content_type = "application/json",
                        .body = buf_str(&body)};
    int code = made ? client_json(cli, &call, &doc, NULL) : EXIT_INPUT;
    if (doc)
        code = print_resolution(yyjson_doc_get_root(doc), options);
    yyjson_doc_free(doc);
    buf_release(&body);
    buf_release(&lock);
    return code;
}

/* --- the command --- */

static int each_file(struct cli *cli, const char *verb, int argc, char **argv,
                     const struct options *options)
{
    int worst = EXIT_DONE;
    for (int i = 0; i < argc; i++) {
        int code = strcmp(verb, "validate") == 0 ? validate_file(argv[i])
                   : strcmp(verb, "stamp") == 0  ? stamp_file(argv[i])
                   : strcmp(verb, "import") == 0 ? cli_import_nodes(cli, argv[i], &options->import)
                   : strcmp(verb, "pull") == 0   ? cli_pull_nodes(cli, argv[i], &options->import)
                                                 : register_file(cli, argv[i], options);
        worst = code > worst ? code : worst;
    }
    return worst;
}

int cmd_nodes(struct cli *cli, const struct command *command, int argc, char **argv)
{
    static const char *const ours[] = {"validate", "stamp",  "register", "import",
                                       "pull",     "search", "resolve"};
    enum { OPERANDS_MAX = 1000 };
    struct options options = {0};
    const struct arg args[] = {
        {"--strict", ARG_FLAG, &options.strict, NULL, "register: refuse blocks with any error"},
        {"--lock", ARG_TEXT, &options.lock, "FILE", "resolve: keep its versions, write it anew"},
        {"--policy", ARG_TEXT, &options.import.policy, "POLICY",
         "import, pull: what a conflict does: skip (default), overwrite, newer, fail, quarantine"},
        {"--dry-run", ARG_FLAG, &options.import.dry, NULL, "import, pull: only tell"},
        {"--deletions", ARG_TEXT, &options.import.deletions, "keep|follow",
         "pull: follow also deletes what came from there and is deleted there"},
        {"--namespace", ARG_TEXT, &options.import.namespace, "NAME", "pull: only this namespace"},
        {"--name", ARG_TEXT, &options.import.name, "NAME", "pull: only this name"},
        {"--token", ARG_TEXT, &options.import.token, "TOKEN", "pull: token for the other catalog"},
        {"--cursor", ARG_TEXT, &options.import.cursor, "CURSOR", "pull: go on there"},
    };
    bool is_ours = false;
    for (size_t i = 0; i < ARGS_LEN(ours) && argc > 0; i++)
        is_ours = is_ours || strcmp(argv[0], ours[i]) == 0;
    if (!is_ours)
        return cmd_assets(cli, command, argc, argv);
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 2, OPERANDS_MAX, &argc, argv, &code))
        return code;
    options.import.strict = options.strict;
    cli_choose_catalog(cli);
    if (strcmp(argv[0], "search") == 0)
        return search_nodes(cli, argc - 1, argv + 1);
    if (strcmp(argv[0], "resolve") == 0)
        return resolve_nodes(cli, argc - 1, argv + 1, &options);
    return each_file(cli, argv[0], argc - 1, argv + 1, &options);
}
