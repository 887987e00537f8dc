/* cmd_api.c: quarry api, and the operation part of each command's help; all from the one list. */
#include "cmd/quarry/cli.h"
#include "service/operation.h"

static const char *const WHERES[] = {"path", "query", "header", "body", "body or query"};

static void print_field(FILE *out, const struct op_field *field, int indent)
{
    fprintf(out, "%*s%s: %s, in the %s", indent, "", field->name, field_type_name(field),
            WHERES[field->where]);
    if (field->required)
        fputs(", required", out);
    if (field->fallback)
        fprintf(out, ", default %s", field->fallback);
    if (field->choices)
        fprintf(out, ", one of %s", field->choices);
    if (field->ranged && field->max < INT64_MAX)
        fprintf(out, ", %lld to %lld", (long long)field->min, (long long)field->max);
    fprintf(out, "\n%*s%s\n", indent + 4, "", field->help);
    for (const struct op_field *inner = field->shape ? field->shape->fields : NULL;
         inner && inner->name; inner++)
        print_field(out, inner, indent + 4);
}

void api_print_operation(FILE *out, const char *name)
{
    const struct operation *operation = operation_find(name);
    if (!operation)
        return;
    const char *service = operation->service == SERVICE_ALL
                              ? "every service"
                              : service_info(operation->service)->name;
    fprintf(out, "  %s: %s %s (%s, permission %s, since %s)\n  %s\n", operation->name,
            http_method_name(operation->method), operation->path, service,
            permission_name(operation->permission), operation->since, operation->summary);
    for (const struct op_field *field = operation->fields; field && field->name; field++)
        print_field(out, field, 4);
}

static void write_operation(struct json_writer *w, const struct operation *operation)
{
    json_begin_object(w);
    json_kv_strz(w, "name", operation->name);
    json_kv_strz(w, "method", http_method_name(operation->method));
    json_kv_strz(w, "path", operation->path);
    json_kv_strz(w, "service",
                 operation->service == SERVICE_ALL ? "all" : service_info(operation->service)->key);
    json_kv_strz(w, "permission", permission_name(operation->permission));
    json_kv_strz(w, "since", operation->since);
    json_kv_strz(w, "summary", operation->summary);
    json_end_object(w);
}

static int print_json(void)
{
    struct buf buf;
    struct json_writer writer;
    const struct operation *operation;
    buf_init(&buf, 1 << 20);
    json_writer_init(&writer, &buf);
    json_begin_array(&writer);
    for (size_t i = 0; (operation = operation_at(i)); i++)
        write_operation(&writer, operation);
    json_end_array(&writer);
    printf("%.*s\n", STR_ARG(buf_str(&buf)));
    buf_release(&buf);
    return EXIT_DONE;
}

static int print_list(void)
{
    const struct operation *operation;
    for (size_t i = 0; (operation = operation_at(i)); i++)
        printf("%-20s %-6s %-30s %-10s %-4s %s\n", operation->name,
               http_method_name(operation->method), operation->path,
               operation->service == SERVICE_ALL ? "all" : service_info(operation->service)->key,
               operation->since, operation->summary);
    return EXIT_DONE;
}

int cmd_api(struct cli *cli, const struct command *command, int argc, char **argv)
{
    int code;
    if (!args_parse(cli, command, NULL, 0, 0, 1, &argc, argv, &code))
        return code;
    if (argc == 0)
        return cli->json ? print_json() : print_list();
    if (!operation_find(argv[0])) {
        cli_complain("no operation is called \"%s\"; see quarry api", argv[0]);
        return EXIT_USAGE;
    }
    api_print_operation(stdout, argv[0]);
    return EXIT_DONE;
}
