/* cmd_federation.c: quarry node import FOLDER, quarry node pull URL. Each conflict is a line; exit
 * status 1 when something was refused, or was kept out by the policy.
 *
 * A folder with a manifest `.onextree` (YAML: nodes: [{name, version, path, type}]) gives what the
 * manifest lists; what does not agree with it is named (RG005). Without one, all *.onex.yaml below
 * the folder count. Folders with a file `.wip` are unfinished and left out. */
#include <stdlib.h>

#include "catalog/node/registry.h"
#include "cmd/quarry/nodes.h"
#include "sys/sys.h"

enum { DEPTH_MAX = 32, BATCH_NODES = 200, BATCH_BYTES = 8 << 20, LISTED_MAX = 100000 };
enum { DELETED = 6, TOTALS }; /* of the outcomes */

#define MANIFEST   ".onextree"
#define BLOCK_FILE ".onex.yaml"

struct outcome_names {
    const char *name;
    int64_t count;
};

struct import {
    struct cli *cli;
    const struct import_options *options;
    struct client *client;
    struct buf body; /* of the next call */
    struct json_writer w;
    uint32_t nodes; /* in the body */
    struct outcome_names totals[TOTALS];
    struct arena arena;  /* listed paths */
    const char **listed; /* by the manifest */
    uint32_t listed_len;
    int code; /* the worst so far */
};

static void worse(struct import *import, int code)
{
    import->code = code > import->code ? code : import->code;
}

static void import_begin(struct import *import, struct cli *cli,
                         const struct import_options *options)
{
    *import = (struct import){.cli = cli,
                              .options = options,
                              .totals = {{"added", 0},
                                         {"same", 0},
                                         {"replaced", 0},
                                         {"kept", 0},
                                         {"quarantined", 0},
                                         {"refused", 0},
                                         {"deleted", 0}}};
    arena_init(&import->arena, 0);
    buf_init(&import->body, 64 << 20);
}

static int import_end(struct import *import)
{
    const char *comma = "";
    for (size_t i = 0; i < TOTALS; i++) {
        if (i == DELETED && !import->totals[i].count)
            continue;
        printf("%s%lld %s", comma, (long long)import->totals[i].count, import->totals[i].name);
        comma = ", ";
    }
    printf("%s\n", import->options->dry ? " (nothing was changed)" : "");
    client_close(import->client);
    buf_release(&import->body);
    arena_release(&import->arena);
    return import->code;
}

/* --- one call --- */

static void begin_body(struct import *import)
{
    const struct import_options *options = import->options;
    buf_clear(&import->body);
    json_writer_init(&import->w, &import->body);
    json_begin_object(&import->w);
    if (options->policy)
        json_kv_strz(&import->w, "policy", options->policy);
    json_kv_bool(&import->w, "dry_run", options->dry);
}

static void tell_conflicts(struct import *import, yyjson_val *answer)
{
    size_t at, max;
    yyjson_val *one;
    yyjson_val *counts = json_get(answer, "counts");
    for (size_t i = 0; i < TOTALS; i++)
        import->totals[i].count += yyjson_get_sint(json_get(counts, import->totals[i].name));
    yyjson_arr_foreach(json_get(answer, "conflicts"), at, max, one)
    {
        struct str outcome = json_str_of(json_get(one, "outcome"));
        printf("%.*s: %.*s/%.*s %.*s: %.*s (%.*s)\n", STR_ARG(outcome),
               STR_ARG(json_str_of(json_get(one, "namespace"))),
               STR_ARG(json_str_of(json_get(one, "name"))),
               STR_ARG(json_str_of(json_get(one, "version"))),
               STR_ARG(json_str_of(json_get(one, "reason"))),
               STR_ARG(json_str_of(json_get(one, "origin"))));
        if (str_is(outcome, "kept") || str_is(outcome, "refused"))
            worse(import, EXIT_REFUSED);
    }
}

/* Sends the body; NULL after a message. The caller frees the answer. */
static yyjson_doc *send_body(struct import *import, const char *path)
{
    struct call call = {.method = "POST",
                        .path = path,
                        .content_type = "application/json",
                        .body = buf_str(&import->body)};
    struct reply reply;
    struct error err = ERROR_INIT;
    yyjson_doc *doc = NULL;
    reply_init(&reply);
    if ((!import->client && client_open(import->cli->url, &import->client, &err) != STATUS_OK) ||
        client_send(import->client, &call, &reply, &err) != STATUS_OK) {
        cli_complain_error(&err);
        worse(import, EXIT_UNREACHABLE);
    } else if (!reply_good(&reply)) {
        reply_complain(&reply);
        worse(import, EXIT_REFUSED);
    } else if (json_parse(buf_str(&reply.body), &doc, &err) != STATUS_OK) {
        cli_complain_error(&err);
        worse(import, EXIT_UNREACHABLE);
    }
    reply_release(&reply);
    if (doc)
        tell_conflicts(import, yyjson_doc_get_root(doc));
    return doc;
}

/* --- a tree --- */

static void flush(struct import *import)
{
    if (!import->nodes)
        return;
    json_end_array(&import->w);
    json_end_object(&import->w);
    yyjson_doc_free(send_body(import, "/nodes/import"));
    import->nodes = 0;
}

static void add_block(struct import *import, const char *path, const struct metadata_block *block)
{
    if (!import->nodes) {
        begin_body(import);
        json_kv_bool(&import->w, "strict", import->options->strict);
        json_keyz(&import->w, "nodes");
        json_begin_array(&import->w);
    }
    json_begin_object(&import->w);
    json_keyz(&import->w, "metadata");
    json_raw(&import->w, block->json);
    json_kv_strz(&import->w, "origin", path);
    json_end_object(&import->w);
    if (++import->nodes == BATCH_NODES || import->body.len > BATCH_BYTES)
        flush(import);
}

/* `entry`: the manifest's word on the file, or NULL. */
static void add_file(struct import *import, const char *path, yyjson_val *entry)
{
    struct arena arena;
    struct metadata_block block;
    struct error err = ERROR_INIT;
    arena_init(&arena, 0);
    if (cli_read_block(path, &arena, &block, &err) == STATUS_OK) {
        static const char *const members[] = {"name", "version"};
        for (size_t i = 0; i < ARGS_LEN(members) && entry; i++) {
            struct str here = json_str_of(json_get(entry, members[i]));
            if (!here.len || str_eq(here, attribute_get(block.json, members[i], &arena)))
                continue;
            cli_complain("%s: RG005: its %s is not '%.*s', as " MANIFEST " says", path, members[i],
                         STR_ARG(here));
            worse(import, EXIT_REFUSED);
        }
        add_block(import, path, &block);
    } else {
        cli_complain("%s: %s", path, err.message);
        worse(import, EXIT_INPUT);
    }
    arena_release(&arena);
}

static bool exists(const char *folder, const char *name)
{
    char path[SYS_PATH_MAX];
    struct sys_stat stat;
    return sys_path(path, NULL, "%s/%s", folder, name) == STATUS_OK &&
           sys_stat(sys_posix(), path, &stat, NULL) == STATUS_OK;
}

typedef enum status (*visit_fn)(struct import *import, const char *path, struct error *err);

struct walk {
    struct import *import;
    const char *folder;
    int depth;
    visit_fn visit;
};

static enum status walk_entry(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct walk *walk = context, inner = *walk;
    char path[SYS_PATH_MAX];
    if (entry->name[0] == '.')
        return STATUS_OK;
    TRY(sys_path(path, err, "%s/%s", walk->folder, entry->name));
    if (!entry->is_dir)
        return str_ends(str_of(entry->name), STR(BLOCK_FILE)) ? walk->visit(walk->import, path, err)
                                                              : STATUS_OK;
    if (inner.depth++ == DEPTH_MAX || exists(path, ".wip"))
        return STATUS_OK;
    inner.folder = path;
    return sys_list_dir(sys_posix(), path, walk_entry, &inner, err);
}

static enum status walk_tree(struct import *import, const char *folder, visit_fn visit,
                             struct error *err)
{
    struct walk walk = {.import = import, .folder = folder, .visit = visit};
    return sys_list_dir(sys_posix(), folder, walk_entry, &walk, err);
}

static enum status visit_file(struct import *import, const char *path, struct error *err)
{
    (void)err;
    add_file(import, path, NULL);
    return STATUS_OK;
}

/* --- a manifest --- */

static enum status remember(struct import *import, const char *path, struct error *err)
{
    if (import->listed_len == LISTED_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d nodes in one " MANIFEST,
                         LISTED_MAX);
    struct str copy = arena_str(&import->arena, str_of(path));
    if (!copy.data)
        return error_no_memory(err);
    import->listed[import->listed_len++] = copy.data;
    return STATUS_OK;
}

static enum status visit_unlisted(struct import *import, const char *path, struct error *err)
{
    (void)err;
    for (uint32_t i = 0; i < import->listed_len; i++)
        if (strcmp(import->listed[i], path) == 0)
            return STATUS_OK;
    cli_complain("%s: RG005: not in " MANIFEST, path);
    worse(import, EXIT_REFUSED);
    return STATUS_OK;
}

/* The entry's path is a file, or a folder with node.onex.yaml in it. */
static enum status add_entry(struct import *import, const char *folder, yyjson_val *entry,
                             struct error *err)
{
    char path[SYS_PATH_MAX], inner[SYS_PATH_MAX];
    struct sys_stat stat;
    const char *given = yyjson_get_str(json_get(entry, "path"));
    const char *relative = given ? given : "";
    TRY(sys_path(path, err, "%s/%s", folder, relative));
    bool there = *relative && sys_stat(sys_posix(), path, &stat, NULL) == STATUS_OK;
    if (there && exists(path, "node" BLOCK_FILE)) {
        TRY(sys_path(inner, err, "%s/node" BLOCK_FILE, path));
        memcpy(path, inner, sizeof path);
    }
    if (!there) {
        cli_complain("%s/" MANIFEST ": RG005: '%s' is not there", folder, relative);
        worse(import, EXIT_REFUSED);
        return STATUS_OK;
    }
    add_file(import, path, entry);
    return remember(import, path, err);
}

static enum status add_entries(struct import *import, const char *folder, struct str json,
                               struct error *err)
{
    size_t at, max;
    yyjson_val *entry;
    yyjson_doc *doc = NULL;
    TRY(json_parse(json, &doc, err));
    yyjson_val *nodes = json_get(yyjson_doc_get_root(doc), "nodes");
    import->listed = arena_array(&import->arena, LISTED_MAX, sizeof *import->listed);
    enum status status = !import->listed ? error_no_memory(err)
                         : !yyjson_is_arr(nodes)
                             ? error_set(err, STATUS_INVALID_ARGUMENT,
                                         "%s/" MANIFEST ": there is no list of nodes", folder)
                             : STATUS_OK;
    yyjson_arr_foreach(nodes, at, max, entry)
    {
        if (status == STATUS_OK)
            status = add_entry(import, folder, entry, err);
    }
    yyjson_doc_free(doc);
    return status;
}

static enum status add_listed(struct import *import, const char *folder, struct error *err)
{
    char path[SYS_PATH_MAX];
    struct arena arena;
    struct buf file;
    struct str json = STR_NONE;
    TRY(sys_path(path, err, "%s/" MANIFEST, folder));
    arena_init(&arena, 0);
    buf_init(&file, METADATA_FILE_MAX);
    enum status status = cli_read_file(path, &file, err);
    if (status == STATUS_OK)
        status = metadata_parse(buf_str(&file), &arena, &json, err);
    if (status == STATUS_OK)
        status = add_entries(import, folder, json, err);
    buf_release(&file);
    arena_release(&arena);
    return status == STATUS_OK ? walk_tree(import, folder, visit_unlisted, err) : status;
}

int cli_import_nodes(struct cli *cli, const char *folder, const struct import_options *options)
{
    struct import import;
    struct error err = ERROR_INIT;
    import_begin(&import, cli, options);
    enum status status = exists(folder, MANIFEST) ? add_listed(&import, folder, &err)
                                                  : walk_tree(&import, folder, visit_file, &err);
    if (status != STATUS_OK) {
        cli_complain("%s: %s", folder, err.message);
        worse(&import, EXIT_INPUT);
    }
    flush(&import);
    return import_end(&import);
}

/* --- another Quarry --- */

static void write_pull(struct import *import, const char *url, struct str cursor)
{
    const struct import_options *options = import->options;
    begin_body(import);
    json_kv_strz(&import->w, "url", url);
    if (options->namespace)
        json_kv_strz(&import->w, "namespace", options->namespace);
    if (options->name)
        json_kv_strz(&import->w, "name", options->name);
    if (options->token)
        json_kv_strz(&import->w, "token", options->token);
    if (options->deletions)
        json_kv_strz(&import->w, "deletions", options->deletions);
    if (cursor.len)
        json_kv_str(&import->w, "cursor", cursor);
    json_end_object(&import->w);
}

int cli_pull_nodes(struct cli *cli, const char *url, const struct import_options *options)
{
    struct import import;
    struct str cursor = str_of(options->cursor), stopped = STR_NONE;
    import_begin(&import, cli, options);
    bool more = true;
    while (more) {
        write_pull(&import, url, cursor);
        yyjson_doc *doc = send_body(&import, "/nodes/pull");
        yyjson_val *root = yyjson_doc_get_root(doc);
        if (root) {
            cursor = arena_str(&import.arena, json_str_of(json_get(root, "next_cursor")));
            stopped = arena_str(&import.arena, json_str_of(json_get(root, "stopped_by")));
        }
        more = root && !stopped.len && !yyjson_get_bool(json_get(root, "complete"));
        yyjson_doc_free(doc);
        if (stopped.len) {
            cli_complain("stopped: %.*s", STR_ARG(stopped));
            worse(&import, EXIT_UNREACHABLE);
        }
        if ((!root || stopped.len) && cursor.len)
            cli_complain("what is done stays; go on with --cursor '%.*s'", STR_ARG(cursor));
    }
    return import_end(&import);
}
