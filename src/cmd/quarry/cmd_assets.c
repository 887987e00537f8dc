/* cmd_assets.c: quarry asset|collection|user|role|grant|config|audit: the catalog service from the
 * command line; quarry tenant: the gateway. A table of verbs: method, path, what the operands are.
 * Members of a body and parameters of a query come as --set NAME=VALUE; a VALUE that is JSON is
 * taken as such, else as a text. */
#include <stdlib.h>

#include "cmd/quarry/client.h"
#include "cmd/quarry/table.h"

enum { OPERANDS_MAX = 3 };

struct verb {
    const char *noun, *name, *method;
    const char *path;                  /* each '*' stands for the next operand */
    const char *members[OPERANDS_MAX]; /* operands that are members of the body */
    const char *list;                  /* member with the rows; NULL: one object */
};

static const struct verb verbs[] = {
    {"asset", "list", "GET", "/assets", {0}, "assets"},
    {"asset", "show", "GET", "/assets/*", {0}, NULL},
    {"asset", "create", "POST", "/assets", {"kind", "name"}, NULL},
    {"asset", "update", "PATCH", "/assets/*", {0}, NULL},
    {"asset", "delete", "DELETE", "/assets/*", {0}, NULL},
    {"asset", "undelete", "POST", "/assets/*/undelete", {0}, NULL},
    {"asset", "move", "POST", "/assets/*/lifecycle", {"to"}, NULL},
    {"asset", "approve", "POST", "/assets/*/approvals", {"to"}, NULL},
    {"asset", "announce", "POST", "/assets/*/notices", {"to"}, NULL},
    {"asset", "approvals", "GET", "/assets/*/approvals", {0}, "approvals"},
    {"asset", "withdraw", "DELETE", "/assets/*/approvals/*", {0}, NULL},
    {"asset", "owner", "PUT", "/assets/*/owner", {"owner"}, NULL},
    {"asset", "history", "GET", "/assets/*/history", {0}, "events"},
    {"asset", "lineage", "GET", "/assets/*/lineage", {0}, NULL},
    {"asset", "relate", "POST", "/assets/*/relations", {"relationship_type", "target_id"}, NULL},
    {"asset", "relations", "GET", "/assets/*/relations", {0}, "relations"},
    {"collection", "list", "GET", "/collections", {0}, "collections"},
    {"collection", "show", "GET", "/collections/*", {0}, NULL},
    {"collection", "create", "POST", "/collections", {"collection_name"}, NULL},
    {"collection", "update", "PATCH", "/collections/*", {0}, NULL},
    {"collection", "delete", "DELETE", "/collections/*", {0}, NULL},
    {"collection", "stats", "GET", "/collection-stats", {0}, "collections"},
    {"collection", "partitions", "GET", "/collections/*/partitions", {0}, "partitions"},
    {"collection", "ingestions", "GET", "/collections/*/ingestions", {0}, "ingestions"},
    {"collection", "permissions", "GET", "/collections/*/permissions", {0}, "permissions"},
    {"collection",
     "grant",
     "POST",
     "/collections/*/permissions",
     {"user_id", "permission_type"},
     NULL},
    {"user", "list", "GET", "/principals/user", {0}, "principals"},
    {"user", "show", "GET", "/principals/user/*", {0}, NULL},
    {"user", "create", "POST", "/principals/user", {"name"}, NULL},
    {"user", "update", "PATCH", "/principals/user/*", {0}, NULL},
    {"user", "delete", "DELETE", "/principals/user/*", {0}, NULL},
    {"role", "list", "GET", "/principals/role", {0}, "principals"},
    {"role", "show", "GET", "/principals/role/*", {0}, NULL},
    {"role", "create", "POST", "/principals/role", {"name"}, NULL},
    {"role", "update", "PATCH", "/principals/role/*", {0}, NULL},
    {"role", "delete", "DELETE", "/principals/role/*", {0}, NULL},
    {"grant", "list", "GET", "/assets/*/permissions", {0}, "permissions"},
    {"grant", "add", "POST", "/assets/*/permissions", {"user_id", "permission_type"}, NULL},
    {"grant", "role", "POST", "/assets/*/permissions", {"role", "permission_type"}, NULL},
    {"grant", "remove", "DELETE", "/assets/*/permissions/*", {0}, NULL},
    {"config", "list", "GET", "/config", {0}, "config"},
    {"config", "get", "GET", "/config/*", {0}, NULL},
    {"config", "set", "PUT", "/config/*", {"value"}, NULL},
    {"config", "delete", "DELETE", "/config/*", {0}, NULL},
    {"tenant", "list", "GET", "/auth/tenants", {0}, "tenants"},
    {"tenant", "show", "GET", "/auth/tenants/*", {0}, NULL},
    {"tenant", "create", "POST", "/auth/tenants", {"tenant_id"}, NULL},
    {"tenant", "update", "PATCH", "/auth/tenants/*", {0}, NULL},
    {"tenant", "suspend", "POST", "/auth/tenants/*/suspend", {"reason"}, NULL},
    {"tenant", "resume", "POST", "/auth/tenants/*/resume", {0}, NULL},
    {"tenant", "delete", "DELETE", "/auth/tenants/*", {0}, NULL},
    {"tenant", "undelete", "POST", "/auth/tenants/*/undelete", {0}, NULL},
    {"audit", "list", "GET", "/audit", {0}, "audit"},
    {"node", "list", "GET", "/nodes", {0}, "nodes"},
    {"node", "versions", "GET", "/nodes/*/*", {0}, "versions"},
    {"node", "show", "GET", "/nodes/*/*/*", {0}, NULL},
    {"node", "delete", "DELETE", "/nodes/*/*/*", {0}, NULL},
};

static const struct verb *find_verb(const char *noun, const char *name)
{
    for (size_t i = 0; i < ARGS_LEN(verbs); i++)
        if (strcmp(verbs[i].noun, noun) == 0 && strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int operands_of(const struct verb *verb)
{
    int count = 0;
    for (const char *at = verb->path; *at; at++)
        count += *at == '*';
    for (int i = 0; i < OPERANDS_MAX && verb->members[i]; i++)
        count++;
    return count;
}

/* A text, or what it says as JSON. The value of a setting is a text always. */
static void write_member(struct json_writer *w, const char *name, struct str value, bool text)
{
    yyjson_doc *doc = NULL;
    json_keyz(w, name);
    if (!text && json_parse(value, &doc, NULL) == STATUS_OK)
        json_value(w, yyjson_doc_get_root(doc));
    else
        json_string(w, value);
    yyjson_doc_free(doc);
}

static bool split_set(const char *item, char *name, size_t cap, struct str *ret_value)
{
    const char *equals = strchr(item, '=');
    if (!equals || equals == item || (size_t)(equals - item) >= cap) {
        cli_complain("--set takes NAME=VALUE, not \"%s\"", item);
        return false;
    }
    memcpy(name, item, (size_t)(equals - item));
    name[equals - item] = 0;
    *ret_value = str_of(equals + 1);
    return true;
}

static bool make_body(const struct verb *verb, char **operands, const struct texts *sets,
                      struct buf *body)
{
    struct json_writer w;
    char name[64];
    struct str value;
    json_writer_init(&w, body);
    json_begin_object(&w);
    for (int i = 0; i < OPERANDS_MAX && verb->members[i]; i++)
        write_member(&w, verb->members[i], str_of(operands[i]), true);
    for (size_t i = 0; i < sets->len; i++) {
        if (!split_set(sets->items[i], name, sizeof name, &value))
            return false;
        write_member(&w, name, value, false);
    }
    json_end_object(&w);
    return true;
}

static bool add_query(const struct texts *sets, struct buf *path)
{
    char name[64];
    struct str value;
    for (size_t i = 0; i < sets->len; i++) {
        if (!split_set(sets->items[i], name, sizeof name, &value))
            return false;
        buf_append_char(path, i ? '&' : '?');
        url_append(path, str_of(name));
        buf_append_char(path, '=');
        url_append(path, value);
    }
    return true;
}

/* The path with its operands; *ret_used of them. */
static void make_path(const struct verb *verb, char **operands, struct buf *path, int *ret_used)
{
    *ret_used = 0;
    for (const char *at = verb->path; *at; at++) {
        if (*at == '*')
            url_append(path, str_of(operands[(*ret_used)++]));
        else
            buf_append_char(path, *at);
    }
}

static void print_answer(const struct cli *cli, const struct verb *verb, yyjson_val *root)
{
    if (!verb->list) {
        char *text = yyjson_val_write(root, YYJSON_WRITE_PRETTY_TWO_SPACES, NULL);
        printf("%s\n", text ? text : "");
        free(text);
        return;
    }
    struct table table;
    const struct texts all = {.len = 0};
    table_init(&table);
    table_of_objects(&table, json_get(root, verb->list), &all);
    table_print(&table, cli);
    yyjson_val *next = json_get(root, "next_cursor");
    printf("(%zu rows%s)\n", table_rows(&table),
           yyjson_is_str(next) ? "; more: --set cursor=... from --json" : "");
    table_release(&table);
}

static int call_verb(struct cli *cli, const struct verb *verb, char **operands,
                     const struct texts *sets)
{
    struct buf path, body;
    int used = 0, code = EXIT_USAGE;
    bool sends = strcmp(verb->method, "GET") != 0 && strcmp(verb->method, "DELETE") != 0;
    yyjson_doc *doc = NULL;
    buf_init(&path, 1 << 16);
    buf_init(&body, 16 << 20);
    make_path(verb, operands, &path, &used);
    bool made = sends ? make_body(verb, operands + used, sets, &body) : add_query(sets, &path);
    buf_append_char(&path, 0);
    if (made && !buf_failed(&path) && !buf_failed(&body)) {
        struct call call = {.method = verb->method, .path = path.data};
        if (sends) {
            call.content_type = "application/json";
            call.body = buf_str(&body);
        }
        code = client_json(cli, &call, &doc, NULL);
    }
    if (doc)
        print_answer(cli, verb, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    buf_release(&path);
    buf_release(&body);
    return code;
}

/* The catalog has a port of its own: it takes the place of the tenant node's usual address. */
void cli_choose_catalog(struct cli *cli)
{
    const char *named = getenv("QUARRY_CATALOG_URL");
    if (strcmp(cli->url, "http://127.0.0.1:8000") == 0)
        cli->url = named && *named ? named : "http://127.0.0.1:8083";
}

/* The same for the gateway. */
static void choose_gateway(struct cli *cli)
{
    const char *named = getenv("QUARRY_GATEWAY_URL");
    if (strcmp(cli->url, "http://127.0.0.1:8000") == 0)
        cli->url = named && *named ? named : "http://127.0.0.1:8080";
}

int cmd_assets(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct texts sets = {.len = 0};
    const struct arg args[] = {{"--set", ARG_TEXTS, &sets, "NAME=VALUE",
                                "a field of the body, or a parameter of the query"}};
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 1, 1 + OPERANDS_MAX, &argc, argv, &code))
        return code;
    const struct verb *verb = find_verb(command->name, argv[0]);
    if (!verb || operands_of(verb) != argc - 1) {
        cli_complain("usage: quarry %s %s", command->name, command->usage);
        return EXIT_USAGE;
    }
    if (strcmp(command->name, "tenant") == 0)
        choose_gateway(cli);
    else
        cli_choose_catalog(cli);
    return call_verb(cli, verb, argv + 1, &sets);
}
