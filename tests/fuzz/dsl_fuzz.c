/* Any bytes as a query of the DSL, as JSON and as text, with and without a catalog: mistakes with
 * pointers, or SQL whose quotes are balanced, a canonical form that parses to itself, and a plan
 * that the rules may improve. */
#include <stdlib.h>

#include "query/dsl/text.h"
#include "query/dsl/to_plan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct field fields[] = {{STR("id"), TYPE_INT64, 1},    {STR("s"), TYPE_STRING, 2},
                                      {STR("r"), TYPE_DOUBLE, 3},    {STR("d"), TYPE_DATE, 4},
                                      {STR("t"), TYPE_TIMESTAMP, 5}, {STR("b"), TYPE_BOOL, 6},
                                      {STR("j"), TYPE_JSON, 7},      {STR("S"), TYPE_INT64, 8}};
static const struct dsl_source sources[] = {{STR("t1"), fields, 8}, {STR("t2"), fields, 3}};
static const struct dsl_catalog catalog = {sources, 2};

/* Outside of quotes there is nothing but our own SQL: no semicolon, no comment. */
static void check_sql(struct str sql)
{
    char quote = 0;
    for (size_t i = 0; i < sql.len; i++) {
        char c = sql.data[i];
        if (quote && c == quote)
            quote = 0;
        else if (!quote && (c == '\'' || c == '"'))
            quote = c;
        else if (!quote && (c == ';' || (c == '-' && i + 1 < sql.len && sql.data[i + 1] == '-')))
            abort();
    }
    if (quote)
        abort();
}

static void check_plan(struct arena *arena, const struct dsl_query *query)
{
    struct plan plan;
    struct plan_options options = {PLAN_AGGRESSIVE, true, true, true, NULL, NULL};
    struct buf out;
    struct json_writer w;
    plan_init(&plan, arena);
    if (dsl_to_plan(query, &plan, NULL) != STATUS_OK ||
        plan_optimize(&plan, &options, NULL) != STATUS_OK)
        return;
    buf_init(&out, 64 << 20);
    json_writer_init(&w, &out);
    plan_write(plan.root, &w);
    buf_release(&out);
}

static void check_query(struct arena *arena, const struct dsl_query *query,
                        const struct dsl_options *options, bool again)
{
    struct dsl_generate_options how = {.probe = true, .total_order = true};
    struct dsl_sql sql;
    struct buf out;
    struct json_writer w;
    yyjson_doc *doc = NULL;
    struct dsl_query *second;
    if (dsl_query_errors(query)->len || dsl_generate(arena, query, &how, &sql, NULL) != STATUS_OK)
        return;
    check_sql(sql.text);
    check_plan(arena, query);
    buf_init(&out, 64 << 20);
    json_writer_init(&w, &out);
    dsl_write_query(query, &w);
    if (again && !buf_failed(&out)) {
        if (json_parse(buf_str(&out), &doc, NULL) != STATUS_OK ||
            dsl_parse(arena, yyjson_doc_get_root(doc), options, &second, NULL) != STATUS_OK ||
            dsl_query_errors(second)->len)
            abort();
        check_query(arena, second, options, false);
    }
    yyjson_doc_free(doc);
    buf_release(&out);
}

static void read_as(struct str text, const struct dsl_catalog *known)
{
    struct arena arena;
    struct dsl_query *query;
    yyjson_doc *doc = NULL;
    struct dsl_options options = {.catalog = known, .open_parameters = true};
    arena_init(&arena, (size_t)256 << 20);
    if (dsl_parse_text(&arena, text, &options, &query, &doc, NULL) == STATUS_OK)
        check_query(&arena, query, &options, true);
    yyjson_doc_free(doc);
    arena_release(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    read_as(text, NULL);
    read_as(text, &catalog);
    return 0;
}
