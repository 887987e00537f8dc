/* cmd_server.c: quarry health, quarry stats */
#include "cmd/quarry/client.h"
#include "cmd/quarry/table.h"

static int print_object(struct cli *cli, const char *path, const char *nested)
{
    yyjson_doc *doc;
    int code = client_json(cli, &(struct call){.method = "GET", .path = path}, &doc, NULL);
    if (!doc)
        return code;
    struct table table;
    size_t at, max;
    yyjson_val *key, *value, *root = yyjson_doc_get_root(doc);
    table_init(&table);
    (void)table_column(&table, STR("what"));
    (void)table_column(&table, STR("value"));
    yyjson_obj_foreach(root, at, max, key, value)
    {
        if (nested && yyjson_equals_str(key, nested))
            continue;
        table_text(&table, json_str_of(key));
        table_value(&table, value);
    }
    yyjson_obj_foreach(json_get(root, nested ? nested : ""), at, max, key, value)
    {
        table_text(&table, json_str_of(key));
        table_value(&table, value);
    }
    table_print(&table, cli);
    table_release(&table);
    yyjson_doc_free(doc);
    return code;
}

int cmd_health(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int code;
    if (!args_parse(cli, command, NULL, 0, 0, 0, &argc, argv, &code))
        return code;
    return print_object(cli, "/health", "details");
}

int cmd_stats(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int code;
    if (!args_parse(cli, command, NULL, 0, 0, 0, &argc, argv, &code))
        return code;
    return print_object(cli, "/tenant/stats", NULL);
}
