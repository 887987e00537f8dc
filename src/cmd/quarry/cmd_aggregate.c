/* cmd_aggregate.c: quarry aggregate */
#include <stdlib.h>

#include "cmd/quarry/client.h"
#include "cmd/quarry/filters.h"
#include "cmd/quarry/table.h"

struct aggregate_args {
    struct texts wheres, aggregates, group_by;
    const char *filters;
    int64_t limit;
    const char *sort;
    bool show_request;
};

/* "TYPE[:COLUMN[:ALIAS]]", percentile as "percentile@0.9:COLUMN" */
static bool write_aggregate(struct json_writer *w, const char *text)
{
    struct str rest = str_of(text), part, type;
    (void)str_split(&rest, ':', &type);
    const char *at = memchr(type.data, '@', type.len);
    double percentile = 0.5;
    if (at) {
        if (!str_to_double(str_make(at + 1, (size_t)(type.data + type.len - at - 1)), &percentile))
            return false;
        type.len = (size_t)(at - type.data);
    }
    json_begin_object(w);
    json_kv_str(w, "type", type);
    if (str_split(&rest, ':', &part) && part.len)
        json_kv_str(w, "column", part);
    if (str_split(&rest, ':', &part) && part.len)
        json_kv_str(w, "alias", part);
    if (at || str_is(type, "percentile"))
        json_kv_double(w, "percentile", percentile);
    json_end_object(w);
    return !rest.data;
}

static void write_strings(struct json_writer *w, const char *key, const char *const *items,
                          size_t len)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (size_t i = 0; i < len; i++)
        json_stringz(w, items[i]);
    json_end_array(w);
}

static bool write_request(struct buf *body, const struct aggregate_args *args, int sources,
                          char **source)
{
    struct json_writer writer;
    json_writer_init(&writer, body);
    json_begin_object(&writer);
    if (sources)
        write_strings(&writer, "source_ids", (const char *const *)source, (size_t)sources);
    if (!filters_write(&writer, &args->wheres, args->filters))
        return false;
    json_keyz(&writer, "aggregations");
    json_begin_array(&writer);
    if (!args->aggregates.len)
        (void)write_aggregate(&writer, "count");
    for (size_t i = 0; i < args->aggregates.len; i++) {
        if (write_aggregate(&writer, args->aggregates.items[i]))
            continue;
        cli_complain("--agg takes TYPE[:COLUMN[:ALIAS]], not \"%s\"", args->aggregates.items[i]);
        return false;
    }
    json_end_array(&writer);
    if (args->group_by.len)
        write_strings(&writer, "group_by", args->group_by.items, args->group_by.len);
    json_end_object(&writer);
    return !buf_failed(body);
}

struct group_order {
    double key;
    size_t index;
    yyjson_val *group;
};

/* Largest first; ties stay in the server's order (by the keys). */
static int compare_groups(const void *a, const void *b)
{
    const struct group_order *left = a, *right = b;
    if (left->key != right->key)
        return left->key > right->key ? -1 : 1;
    return left->index < right->index ? -1 : 1;
}

static struct group_order *order_groups(yyjson_val *groups, const char *sort)
{
    struct group_order *order = calloc(yyjson_arr_size(groups) + 1, sizeof *order);
    size_t at, max;
    yyjson_val *group;
    if (!order)
        return NULL;
    yyjson_arr_foreach(groups, at, max, group)
    {
        double key = sort ? yyjson_get_num(json_get(group, sort)) : 0;
        order[at] = (struct group_order){key, at, group};
    }
    if (sort)
        qsort(order, yyjson_arr_size(groups), sizeof *order, compare_groups);
    return order;
}

static void add_group(struct table *table, yyjson_val *group, bool first)
{
    size_t at, max;
    yyjson_val *key, *value;
    if (first) {
        yyjson_obj_foreach(group, at, max, key, value)
        {
            (void)table_column(table, json_str_of(key));
        }
    }
    yyjson_obj_foreach(group, at, max, key, value)
    {
        table_value(table, value);
    }
}

static void print_groups(struct cli *cli, yyjson_val *groups, const struct aggregate_args *args)
{
    struct table table;
    size_t len = yyjson_arr_size(groups);
    size_t shown = args->limit && (size_t)args->limit < len ? (size_t)args->limit : len;
    struct group_order *order = order_groups(groups, args->sort);
    table_init(&table);
    table.failed = !order;
    for (size_t i = 0; order && i < shown; i++)
        add_group(&table, order[i].group, i == 0);
    table_print(&table, cli);
    printf("(%zu of %zu groups)\n", shown, len);
    table_release(&table);
    free(order);
}

static void print_totals(struct cli *cli, yyjson_val *totals)
{
    struct table table;
    size_t at, max;
    yyjson_val *key, *value;
    table_init(&table);
    yyjson_obj_foreach(totals, at, max, key, value)
    {
        (void)table_column(&table, json_str_of(key));
    }
    yyjson_obj_foreach(totals, at, max, key, value)
    {
        table_value(&table, value);
    }
    table_print(&table, cli);
    table_release(&table);
}

static int aggregate(struct cli *cli, const struct aggregate_args *args, struct str body)
{
    yyjson_doc *doc;
    double seconds = 0;
    struct call call = {.method = "POST",
                        .path = "/data/aggregate",
                        .content_type = "application/json",
                        .body = body};
    if (args->show_request)
        fprintf(stderr, "POST /data/aggregate %.*s\n", STR_ARG(body));
    int code = client_json(cli, &call, &doc, &seconds);
    if (!doc)
        return code;
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *results = json_get(root, "final_results");
    yyjson_val *groups = yyjson_is_arr(results) ? results : json_get(root, "groups");
    if (yyjson_is_arr(groups))
        print_groups(cli, groups, args);
    else
        print_totals(cli, results);
    printf("%.3f ms\n", seconds * 1e3);
    yyjson_doc_free(doc);
    return code;
}

int cmd_aggregate(struct cli *cli, const struct command *command, int argc, char **argv)
{
    struct aggregate_args options = {0};
    const struct arg args[] = {
        {"--agg", ARG_TEXTS, &options.aggregates, "T[:COL[:ALIAS]]",
         "count, sum, avg, min, max, count_distinct, stddev, percentile@P"},
        {"--group-by", ARG_TEXTS, &options.group_by, "COLUMN", "group by it; may be repeated"},
        {"--where", ARG_TEXTS, &options.wheres, "'F OP V'", "condition; repeat to combine by AND"},
        {"--filters", ARG_TEXT, &options.filters, "JSON", "the filters as a JSON object"},
        {"--sort", ARG_TEXT, &options.sort, "ALIAS", "print largest first"},
        {"--limit", ARG_INT, &options.limit, "N", "print this many groups"},
        {"--show-request", ARG_FLAG, &options.show_request, NULL, "print what is sent"},
    };
    int code;
    if (!args_parse(cli, command, args, ARGS_LEN(args), 0, 100, &argc, argv, &code))
        return code;
    struct buf body;
    buf_init(&body, 4 << 20);
    code = EXIT_USAGE;
    if (write_request(&body, &options, argc, argv))
        code = aggregate(cli, &options, buf_str(&body));
    buf_release(&body);
    return code;
}
