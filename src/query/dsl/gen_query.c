/* dsl_gen_query.c: the statement, clause by clause, in DuckDB's SQL. */
#include <stdlib.h>

#include "query/dsl/dsl_int.h"
#include "query/lang/lang.h"
#include "query/sql/wire.h"

/* --- sources --- */

static void dsl_gen_cast_column(struct dsl_gen *g, const struct dsl_source *source, uint32_t index,
                                enum dsl_type type)
{
    const char *as = dsl_type_sql(type);
    bool document = type == DSL_JSON && source->fields[index].type != TYPE_JSON;
    if (document)
        dsl_gen_text(g, "to_json(");
    else if (as[0])
        dsl_gen_text(g, "CAST(");
    dsl_gen_identifier(g, dsl_engine_name(g->arena, source, index));
    if (document)
        dsl_gen_text(g, ")");
    else if (as[0])
        buf_printf(&g->sql, " AS %s)", as);
}

static void dsl_gen_pattern_column(struct dsl_gen *g, const struct dsl_source *source,
                                   const struct dsl_column *column)
{
    uint32_t i = 0;
    while (i < source->fields_len && !str_eq(source->fields[i].name, column->name))
        i++;
    if (i < source->fields_len)
        dsl_gen_cast_column(g, source, i, column->type);
    else if (column->type == DSL_ANY)
        dsl_gen_text(g, "NULL");
    else
        buf_printf(&g->sql, "CAST(NULL AS %s)", dsl_type_sql(column->type));
    dsl_gen_text(g, " AS ");
    dsl_gen_identifier(g, column->engine_name);
}

/* Sources of a pattern, one above the other, brought to the same columns. */
static void dsl_gen_union(struct dsl_gen *g, const struct dsl_table *table)
{
    dsl_gen_text(g, "(");
    for (uint32_t i = 0; i < table->matches_len; i++) {
        dsl_gen_text(g, i ? " UNION ALL SELECT " : "SELECT ");
        for (uint32_t k = 0; k < table->columns_len; k++) {
            dsl_gen_text(g, k ? ", " : "");
            dsl_gen_pattern_column(g, table->matches[i], &table->columns[k]);
        }
        if (table->columns_len == 0)
            dsl_gen_text(g, "NULL AS \"_empty\"");
        dsl_gen_text(g, " FROM ");
        dsl_gen_identifier(g, table->matches[i]->name);
    }
    dsl_gen_text(g, ")");
}

static void dsl_gen_table(struct dsl_gen *g, const struct dsl_table *table)
{
    if (table->matches_len > 1)
        dsl_gen_union(g, table);
    else
        dsl_gen_identifier(g, table->matches_len == 1 ? table->matches[0]->name : table->name);
    if (table->aliased || (table->pattern && table->matches_len > 0)) {
        dsl_gen_text(g, " AS ");
        dsl_gen_identifier(g, table->alias);
    }
}

static void dsl_gen_from(struct dsl_gen *g)
{
    static const char *const words[] = {
        [JOIN_INNER] = " JOIN ",      [JOIN_LEFT] = " LEFT JOIN ", [JOIN_RIGHT] = " RIGHT JOIN ",
        [JOIN_FULL] = " FULL JOIN ",  [JOIN_SEMI] = " SEMI JOIN ", [JOIN_ANTI] = " ANTI JOIN ",
        [JOIN_CROSS] = " CROSS JOIN "};
    const struct dsl_query *q = g->query;
    dsl_gen_text(g, " FROM ");
    dsl_gen_table(g, &q->tables[0]);
    for (uint32_t i = 1; i < q->tables_len; i++) {
        dsl_gen_text(g, words[q->tables[i].join]);
        dsl_gen_table(g, &q->tables[i]);
        if (!q->tables[i].on)
            continue;
        dsl_gen_text(g, " ON ");
        dsl_gen_cond_outer(g, q->tables[i].on);
    }
}

/* --- order --- */

/* Documents: numbers by size, then texts. */
static void dsl_gen_document_order(struct dsl_gen *g, const struct dsl_path *path, const char *down,
                                   bool nulls_first)
{
    if (nulls_first) {
        dsl_gen_text(g, "(");
        dsl_gen_json_call(g, "json_type", path);
        dsl_gen_text(g, " IS NULL) DESC, ");
    }
    dsl_gen_path_as(g, path, DSL_DOUBLE);
    dsl_gen_text(g, down);
    dsl_gen_text(g, ", ");
    dsl_gen_json_call(g, "json_extract_string", path);
    dsl_gen_text(g, down);
}

/* The same for a column of the answer. */
static void dsl_gen_alias_order(struct dsl_gen *g, struct str alias, const char *down,
                                bool nulls_first)
{
    if (nulls_first) {
        dsl_gen_text(g, "(json_type(");
        dsl_gen_identifier(g, alias);
        dsl_gen_text(g, ") IS NULL) DESC, ");
    }
    dsl_gen_text(g, "CASE WHEN json_type(");
    dsl_gen_identifier(g, alias);
    dsl_gen_text(g,
                 ") IN ('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE') THEN CAST(json_extract_string(");
    dsl_gen_identifier(g, alias);
    buf_printf(&g->sql, ", '$') AS DOUBLE) END%s, json_extract_string(", down);
    dsl_gen_identifier(g, alias);
    buf_printf(&g->sql, ", '$')%s", down);
}

static void dsl_gen_order(struct dsl_gen *g, const struct dsl_order *order)
{
    const struct dsl_path *path = order->path;
    const char *down = order->descending ? " DESC" : "";
    const struct dsl_output *output = path->output;
    bool by_path = output && output->kind == OUTPUT_EXPR && output->expr->kind == EXPR_PATH &&
                   !g->query->distinct;
    if (by_path)
        path = output->expr->path;
    if (output && !by_path && output->type == DSL_JSON && !g->query->distinct) {
        dsl_gen_alias_order(g, output->alias, down, order->nulls_first);
        return;
    }
    if (dsl_path_is_json(path) && !dsl_path_has_all(path)) {
        dsl_gen_document_order(g, path, down, order->nulls_first);
        return;
    }
    if (output)
        dsl_gen_identifier(g, output->alias);
    else
        dsl_gen_path(g, path);
    dsl_gen_text(g, down);
    dsl_gen_text(g, order->nulls_first ? " NULLS FIRST" : "");
}

static void dsl_gen_orders(struct dsl_gen *g, const struct dsl_order *order, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        dsl_gen_text(g, i ? ", " : " ORDER BY ");
        dsl_gen_order(g, &order[i]);
    }
}

/* --- outputs --- */

static void dsl_gen_bucket(struct dsl_gen *g, const struct dsl_output *output)
{
    bool date = output->type == DSL_DATE;
    if (output->bucket != BUCKET_WIDTH) {
        buf_printf(&g->sql, "%sdate_trunc('%s', ", date ? "CAST(" : "",
                   dsl_bucket_name(output->bucket));
        dsl_gen_path_as(g, output->path, DSL_TIMESTAMP);
        dsl_gen_text(g, date ? ") AS DATE)" : ")");
        return;
    }
    struct str width = dsl_gen_json_of(g, output->width); /* a number, written by us */
    if (output->type == DSL_INT) {
        dsl_gen_text(g, "(");
        dsl_gen_path(g, output->path);
        dsl_gen_text(g, " - ((");
        dsl_gen_path(g, output->path);
        buf_printf(&g->sql, " %% %.*s) + %.*s) %% %.*s)", STR_ARG(width), STR_ARG(width),
                   STR_ARG(width));
        return;
    }
    dsl_gen_text(g, "floor(");
    dsl_gen_path_as(g, output->path, DSL_DOUBLE);
    buf_printf(&g->sql, " / %.*s) * %.*s", STR_ARG(width), STR_ARG(width));
}

/* What an aggregate or window function is given. */
static void dsl_gen_argument(struct dsl_gen *g, const struct dsl_output *output)
{
    const struct function_info *f = output->function;
    const struct dsl_path *path = output->path;
    bool text = str_is(output->function_name, "string_agg");
    if (!path || path->star) {
        dsl_gen_text(g, "*");
    } else if (text) {
        dsl_gen_text(g, "CAST(");
        if (dsl_path_is_json(path))
            dsl_gen_json_call(g, "json_extract_string", path);
        else
            dsl_gen_path(g, path);
        dsl_gen_text(g, " AS VARCHAR)");
    } else if (f && f->takes == ARGS_NUMBER) {
        dsl_gen_path_as(g, path, DSL_DOUBLE);
    } else if (f && f->takes == ARGS_BOOL) {
        dsl_gen_path_as(g, path, DSL_BOOL);
    } else {
        dsl_gen_path(g, path);
    }
}

static void dsl_gen_arguments(struct dsl_gen *g, const struct dsl_output *output)
{
    bool none = !output->path && (!output->function || output->function->max == 0);
    dsl_gen_text(g, output->distinct ? "DISTINCT " : "");
    if (!none)
        dsl_gen_argument(g, output);
    if (output->argument) {
        dsl_gen_text(g, none ? "" : ", ");
        dsl_gen_value(g, output->argument, DSL_ANY);
    } else if (str_is(output->function_name, "string_agg")) {
        dsl_gen_text(g, ", ','");
    }
    if (output->otherwise) {
        dsl_gen_text(g, ", ");
        dsl_gen_expr(g, output->otherwise, output->type);
    }
    if (output->kind == OUTPUT_AGGREGATE)
        dsl_gen_orders(g, output->order, output->order_len);
}

static void dsl_gen_function(struct dsl_gen *g, const struct dsl_output *output)
{
    const char *template = output->function ? output->function->sql : "(@)";
    dsl_gen_note_function(g, output->function_name);
    if (!output->function)
        dsl_gen_identifier(g, output->function_name);
    for (const char *c = template; *c; c++) {
        if (*c == '@')
            dsl_gen_arguments(g, output);
        else
            buf_append_char(&g->sql, *c);
    }
    if (!output->where)
        return;
    dsl_gen_text(g, " FILTER (WHERE ");
    dsl_gen_cond_outer(g, output->where);
    dsl_gen_text(g, ")");
}

/* min and max over documents: of their numbers; where there are none, of their texts. */
static void dsl_gen_document_extreme(struct dsl_gen *g, const struct dsl_output *output)
{
    struct str name = output->function_name;
    static const enum dsl_type types[] = {DSL_DOUBLE, DSL_STRING};
    dsl_gen_note_function(g, name);
    dsl_gen_text(g, "coalesce(");
    for (int i = 0; i < 2; i++) {
        buf_printf(&g->sql, "%sto_json(%.*s(", i ? ", " : "", STR_ARG(name));
        dsl_gen_path_as(g, output->path, types[i]);
        dsl_gen_text(g, ")");
        if (output->where) {
            dsl_gen_text(g, " FILTER (WHERE ");
            dsl_gen_cond_outer(g, output->where);
            dsl_gen_text(g, ")");
        }
        dsl_gen_text(g, ")");
    }
    dsl_gen_text(g, ")");
}

static void dsl_gen_frame_bound(struct dsl_gen *g, struct dsl_bound bound, bool is_end)
{
    if (bound.kind == BOUND_UNBOUNDED)
        dsl_gen_text(g, is_end ? "UNBOUNDED FOLLOWING" : "UNBOUNDED PRECEDING");
    else if (bound.kind == BOUND_CURRENT || bound.offset == 0)
        dsl_gen_text(g, "CURRENT ROW");
    else
        buf_printf(&g->sql, "%lld %s", (long long)llabs(bound.offset),
                   bound.offset < 0 ? "PRECEDING" : "FOLLOWING");
}

static void dsl_gen_window(struct dsl_gen *g, const struct dsl_output *output)
{
    dsl_gen_function(g, output);
    dsl_gen_text(g, " OVER (");
    for (uint32_t i = 0; i < output->partition_len; i++) {
        dsl_gen_text(g, i ? ", " : "PARTITION BY ");
        dsl_gen_path(g, output->partition[i]);
    }
    dsl_gen_orders(g, output->order, output->order_len);
    if (output->framed) {
        dsl_gen_text(g, output->frame_range ? " RANGE BETWEEN " : " ROWS BETWEEN ");
        dsl_gen_frame_bound(g, output->start, false);
        dsl_gen_text(g, " AND ");
        dsl_gen_frame_bound(g, output->end, true);
    }
    dsl_gen_text(g, ")");
}

void dsl_gen_output(struct dsl_gen *g, const struct dsl_output *output)
{
    bool extreme = output->kind == OUTPUT_AGGREGATE && output->path && !output->path->star &&
                   dsl_path_is_json(output->path) &&
                   (str_is(output->function_name, "min") || str_is(output->function_name, "max"));
    if (output->kind == OUTPUT_EXPR)
        dsl_gen_expr(g, output->expr, DSL_ANY);
    else if (output->kind == OUTPUT_GROUP && output->bucket != BUCKET_NONE)
        dsl_gen_bucket(g, output);
    else if (output->kind == OUTPUT_GROUP)
        dsl_gen_path(g, output->path);
    else if (extreme)
        dsl_gen_document_extreme(g, output);
    else if (output->kind == OUTPUT_AGGREGATE)
        dsl_gen_function(g, output);
    else
        dsl_gen_window(g, output);
}

/* A column under its own name needs no AS. */
static bool names_itself(const struct dsl_output *output)
{
    const struct dsl_path *path = output->expr ? output->expr->path : output->path;
    bool column = (output->kind == OUTPUT_EXPR && output->expr->kind == EXPR_PATH) ||
                  (output->kind == OUTPUT_GROUP && output->bucket == BUCKET_NONE);
    return column && path && !dsl_path_is_json(path) && str_eq(path->column, output->alias);
}

static void dsl_gen_select(struct dsl_gen *g)
{
    const struct dsl_query *q = g->query;
    dsl_gen_text(g, q->distinct ? "SELECT DISTINCT " : "SELECT ");
    if (q->star)
        dsl_gen_text(g, "*");
    for (uint32_t i = 0; i < q->outputs_len; i++) {
        dsl_gen_text(g, i || q->star ? ", " : "");
        dsl_gen_output(g, &q->outputs[i]);
        if (names_itself(&q->outputs[i]))
            continue;
        dsl_gen_text(g, " AS ");
        dsl_gen_identifier(g, q->outputs[i].alias);
    }
}

static void dsl_gen_groups(struct dsl_gen *g)
{
    const char *before = " GROUP BY ";
    for (uint32_t i = 0; i < g->query->outputs_len; i++) {
        if (g->query->outputs[i].kind != OUTPUT_GROUP)
            continue;
        dsl_gen_text(g, before);
        dsl_gen_output(g, &g->query->outputs[i]);
        before = ", ";
    }
}

static void dsl_gen_clause(struct dsl_gen *g, const char *word, const struct dsl_cond *cond)
{
    if (!cond)
        return;
    dsl_gen_text(g, word);
    dsl_gen_cond_outer(g, cond);
}

/* Ties broken by every column: rows that are equal then are the same to a reader. */
static void dsl_gen_total_order(struct dsl_gen *g)
{
    const struct dsl_query *q = g->query;
    const char *before = q->order_len ? ", " : " ORDER BY ";
    for (uint32_t i = 0; q->distinct && !q->star && i < q->outputs_len; i++) {
        dsl_gen_text(g, before);
        dsl_gen_identifier(g, q->outputs[i].alias);
        before = ", ";
    }
    if (q->distinct && !q->star)
        return;
    for (uint32_t i = 0; i < q->tables_len; i++) {
        const struct dsl_table *table = &q->tables[i];
        if (table->join == JOIN_SEMI || table->join == JOIN_ANTI)
            continue;
        for (uint32_t k = 0; k < table->columns_len; k++) {
            dsl_gen_text(g, before);
            if (g->qualify) {
                dsl_gen_identifier(g, table->alias);
                dsl_gen_text(g, ".");
            }
            dsl_gen_identifier(g, table->columns[k].engine_name);
            before = ", ";
        }
    }
}

static void dsl_gen_statement(struct dsl_gen *g, const struct dsl_generate_options *options)
{
    const struct dsl_query *q = g->query;
    int64_t offset = q->offset + options->skip;
    dsl_gen_select(g);
    dsl_gen_from(g);
    dsl_gen_clause(g, " WHERE ", q->where);
    dsl_gen_groups(g);
    dsl_gen_clause(g, " HAVING ", q->having);
    dsl_gen_clause(g, " QUALIFY ", q->qualify);
    dsl_gen_orders(g, q->order, q->order_len);
    if (options->total_order)
        dsl_gen_total_order(g);
    buf_printf(&g->sql, " LIMIT %lld", (long long)q->limit + (options->probe ? 1 : 0));
    if (offset)
        buf_printf(&g->sql, " OFFSET %lld", (long long)offset);
}

/* --- what it needs --- */

static enum status list_tables(struct dsl_gen *g, struct dsl_sql *ret, struct error *err)
{
    const struct dsl_query *q = g->query;
    size_t most = 0;
    for (uint32_t i = 0; i < q->tables_len; i++)
        most += q->tables[i].matches_len ? q->tables[i].matches_len : 1;
    struct dsl_table_name *tables = arena_array(g->arena, most, sizeof *tables);
    if (!tables)
        return error_no_memory(err);
    for (uint32_t i = 0; i < q->tables_len; i++) {
        const struct dsl_table *table = &q->tables[i];
        struct str alias = table->aliased ? table->alias : STR_NONE;
        for (uint32_t k = 0; k < table->matches_len; k++)
            tables[ret->tables_len++] = (struct dsl_table_name){table->matches[k]->name, alias};
        if (table->matches_len == 0)
            tables[ret->tables_len++] = (struct dsl_table_name){table->name, alias};
    }
    ret->tables = tables;
    return STATUS_OK;
}

enum status dsl_generate(struct arena *arena, const struct dsl_query *query,
                         const struct dsl_generate_options *options, struct dsl_sql *ret,
                         struct error *err)
{
    struct dsl_gen g = {.arena = arena, .query = query, .qualify = query->tables_len > 1};
    *ret = (struct dsl_sql){0};
    buf_init(&g.sql, SQL_TEXT_MAX);
    dsl_gen_statement(&g, options);
    enum status status = buf_check(&g.sql, "the query's SQL", err);
    if (status == STATUS_OK)
        ret->text = arena_str(arena, buf_str(&g.sql));
    buf_release(&g.sql);
    TRY(status);
    if (g.failed || !ret->text.data)
        return error_no_memory(err);
    if (g.parameters_len > SQL_PARAMETERS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "the query has more than %d values",
                         SQL_PARAMETERS_MAX);
    ret->parameters = g.parameters;
    ret->parameters_len = g.parameters_len;
    ret->columns = g.columns;
    ret->columns_len = g.columns_len;
    ret->functions = g.functions;
    ret->functions_len = g.functions_len;
    return list_tables(&g, ret, err);
}

uint64_t dsl_fingerprint(struct arena *arena, const struct dsl_query *query)
{
    struct dsl_generate_options how = {0};
    struct dsl_sql sql;
    if (dsl_generate(arena, query, &how, &sql, NULL) != STATUS_OK)
        return 0;
    return lang_fingerprint(arena, sql.text, LANG_DUCKDB, NULL);
}

void dsl_write_parameters(const struct dsl_sql *sql, struct json_writer *w)
{
    json_begin_array(w);
    for (uint32_t i = 0; i < sql->parameters_len; i++)
        json_raw(w, sql->parameters[i].json);
    json_end_array(w);
}
