/* sql.c: POST /parse/sql, /sql/transpile, /sql/format; GET /status and /.
 *
 * Answers hold what contracts 1.5.4 promises and sql-design 2.4 proposes; a statement that cannot
 * be read or translated answers 400, 413 or 422 with every place and name that is known. */
#include <stdio.h>

#include "query/lang/bind.h"
#include "services/interpreter/interpreter_int.h"
#include "services/interpreter/sql.h"

enum { SQL_ANSWER_MAX = 32 << 20 };

static const enum lang_dialect targets[] = {LANG_DUCKDB, LANG_CLICKHOUSE, LANG_TRINO, LANG_POSTGRES,
                                            LANG_MYSQL};

/* ---- failures ---- */

static enum status answer_problems(struct request *request, const struct lang_problem *problems,
                                   size_t count)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, SQL_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    lang_write_problems(problems, count, NULL, request->request_id, &w);
    json_end_object(&w);
    request_respond_json(request, lang_code_http(problems[0].code), &body);
    return STATUS_OK;
}

static enum status answer_problem(struct request *request, const struct lang_problem *problem)
{
    return answer_problems(request, problem, 1);
}

static enum status answer_unknown_dialect(struct request *request, struct str name, bool target)
{
    struct buf body;
    struct json_writer w;
    char message[160];
    snprintf(message, sizeof message, "%s '%.*s' is not known", target ? "target" : "dialect",
             name.len < 60 ? (int)name.len : 60, name.data);
    buf_init(&body, SQL_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "success", false);
    json_kv_strz(&w, "error_message", message);
    json_keyz(&w, "error");
    json_begin_object(&w);
    json_kv_strz(&w, "code", "UNKNOWN_DIALECT");
    json_kv_strz(&w, "message", message);
    json_keyz(&w, "expected");
    json_begin_array(&w);
    for (int i = 0; i < LANG_DIALECTS; i++) {
        if (!target || lang_is_target((enum lang_dialect)i))
            json_stringz(&w, lang_dialect_name((enum lang_dialect)i));
    }
    json_end_array(&w);
    json_kv_str(&w, "request_id", request->request_id);
    json_end_object(&w);
    json_end_object(&w);
    request_respond_json(request, 400, &body);
    return STATUS_OK;
}

/* ---- parts of the answer ---- */

struct parsed {
    struct request *request;
    enum lang_dialect dialect, target;
    struct lang_query query;
    struct lang_analysis facts;
    struct lang_problem problem;
    struct buf canonical, translated;
    bool has_translation;
    struct lang_problems *problems; /* of names and types; NULL: not looked for */
};

static void put_column(struct json_writer *w, const struct lang_column *column)
{
    char text[300];
    if (column->table.len == 0) {
        json_string(w, column->name);
        return;
    }
    snprintf(text, sizeof text, "%.*s.%.*s", STR_ARG(column->table), STR_ARG(column->name));
    json_stringz(w, text);
}

static void put_texts(struct json_writer *w, const char *key, const struct str *texts, size_t count)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (size_t i = 0; i < count; i++)
        json_string(w, texts[i]);
    json_end_array(w);
}

static void put_tables(struct json_writer *w, const struct lang_analysis *facts)
{
    json_keyz(w, "tables");
    json_begin_array(w);
    for (size_t i = 0; i < facts->table_count; i++) {
        const struct lang_table *table = &facts->tables[i];
        json_begin_object(w);
        json_kv_str(w, "name", table->name);
        if (table->alias.len)
            json_kv_str(w, "alias", table->alias);
        else
            json_kv_null(w, "alias");
        json_kv_int(w, "offset", (int64_t)table->offset);
        if (table->is_function)
            json_kv_bool(w, "function", true);
        if (table->is_written)
            json_kv_bool(w, "written", true);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_columns(struct json_writer *w, const struct lang_analysis *facts)
{
    json_keyz(w, "columns");
    json_begin_array(w);
    for (size_t i = 0; i < facts->column_count; i++)
        put_column(w, &facts->columns[i]);
    json_end_array(w);
    json_keyz(w, "output_columns");
    json_begin_array(w);
    for (size_t i = 0; i < facts->output_count; i++) {
        const struct lang_output *output = &facts->outputs[i];
        json_begin_object(w);
        json_kv_str(w, "name", output->name);
        json_kv_bool(w, "aggregate", output->is_aggregate);
        json_keyz(w, "lineage");
        json_begin_array(w);
        for (size_t k = 0; k < output->from_count; k++)
            put_column(w, &output->from[k]);
        json_end_array(w);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_filters(struct json_writer *w, const struct lang_analysis *facts)
{
    json_keyz(w, "filters");
    json_begin_array(w);
    for (size_t i = 0; i < facts->filter_count; i++) {
        const struct lang_filter *filter = &facts->filters[i];
        json_begin_object(w);
        json_kv_str(w, "table", filter->column.table);
        json_kv_str(w, "column", filter->column.name);
        json_kv_strz(w, "operator", filter->op);
        json_kv_str(w, "value", filter->value);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_aggregations(struct json_writer *w, const struct lang_analysis *facts)
{
    json_keyz(w, "aggregations");
    json_begin_array(w);
    for (size_t i = 0; i < facts->aggregate_count; i++) {
        const struct lang_aggregate *item = &facts->aggregates[i];
        json_begin_object(w);
        json_kv_str(w, "type", item->function);
        json_kv_str(w, "function", item->function);
        json_kv_str(w, "column", item->column);
        if (item->alias.len)
            json_kv_str(w, "alias", item->alias);
        else
            json_kv_null(w, "alias");
        json_kv_bool(w, "distinct", item->distinct);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_joins(struct json_writer *w, const struct lang_analysis *facts)
{
    json_keyz(w, "joins");
    json_begin_array(w);
    for (size_t i = 0; i < facts->join_count; i++) {
        json_begin_object(w);
        json_kv_strz(w, "type", facts->joins[i].side);
        json_kv_str(w, "table", facts->joins[i].table);
        json_kv_str(w, "condition", facts->joins[i].condition);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_order(struct json_writer *w, const struct lang_analysis *facts)
{
    json_keyz(w, "order_by");
    json_begin_array(w);
    for (size_t i = 0; i < facts->order_count; i++) {
        const struct lang_order *order = &facts->order_by[i];
        json_begin_object(w);
        json_kv_str(w, "expression", order->expression);
        json_kv_strz(w, "direction", order->descending ? "desc" : "asc");
        if (order->nulls)
            json_kv_strz(w, "nulls", order->nulls);
        json_end_object(w);
    }
    json_end_array(w);
}

static void put_number(struct json_writer *w, const char *key, int64_t value)
{
    if (value < 0)
        json_kv_null(w, key);
    else
        json_kv_int(w, key, value);
}

static void put_warning(struct json_writer *w, const char *code, const char *message,
                        int64_t offset)
{
    json_begin_object(w);
    json_kv_strz(w, "code", code);
    json_kv_strz(w, "message", message);
    if (offset >= 0)
        json_kv_int(w, "offset", offset);
    json_end_object(w);
}

static void put_warnings(struct json_writer *w, const struct parsed *p)
{
    struct lang_problem refused;
    json_keyz(w, "warnings");
    json_begin_array(w);
    if (p->facts.select_star)
        put_warning(w, "SELECT_STAR", "all columns are read; name those that are needed", -1);
    if (p->facts.table_count > 5)
        put_warning(w, "MANY_TABLES", "more than 5 tables are joined", -1);
    if (!p->has_translation)
        put_warning(w, "NO_TRANSLATION", p->problem.message, (int64_t)p->problem.offset);
    if (lang_check_tables(&p->facts, &p->query, &refused) != STATUS_OK)
        put_warning(w, "REFUSED", refused.message, (int64_t)refused.offset);
    json_end_array(w);
}

static void put_parsed_query(struct json_writer *w, const struct parsed *p)
{
    json_keyz(w, "parsed_query");
    json_begin_object(w);
    json_kv_str(w, "sql", p->query.text);
    json_kv_strz(w, "dialect", lang_dialect_name(p->dialect));
    if (p->has_translation)
        json_kv_str(w, "target_sql", buf_str(&p->translated));
    json_kv_strz(w, "target", lang_dialect_name(p->target));
    json_keyz(w, "tree");
    lang_tree_json(&p->query, w);
    json_end_object(w);
}

static void put_sql(struct json_writer *w, const struct parsed *p)
{
    if (p->has_translation) {
        json_kv_str(w, "sql", buf_str(&p->translated));
        json_kv_str(w, "target_sql", buf_str(&p->translated));
    } else {
        json_kv_null(w, "sql");
        json_kv_null(w, "target_sql");
    }
    json_kv_str(w, "canonical_sql", buf_str(&p->canonical));
    json_kv_strz(w, "dialect", lang_dialect_name(p->dialect));
    json_kv_strz(w, "target", lang_dialect_name(p->target));
}

static void put_fingerprint(struct json_writer *w, const struct parsed *p)
{
    struct buf text;
    char hex[20];
    buf_init(&text, SQL_ANSWER_MAX);
    uint64_t fingerprint = lang_fingerprint(p->request->arena, p->query.text, p->dialect, &text);
    snprintf(hex, sizeof hex, "%016llx", (unsigned long long)fingerprint);
    json_kv_strz(w, "fingerprint", hex);
    json_kv_str(w, "normalized_sql", buf_str(&text));
    buf_release(&text);
}

static enum status answer_parsed(struct parsed *p)
{
    const struct lang_analysis *facts = &p->facts;
    struct buf body;
    struct json_writer w;
    buf_init(&body, SQL_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_kv_strz(&w, "statement", lang_statement_name(p->query.statement));
    json_kv_strz(&w, "query_type", lang_statement_name(p->query.statement));
    put_sql(&w, p);
    put_tables(&w, facts);
    put_columns(&w, facts);
    put_texts(&w, "functions", facts->functions, facts->function_count);
    put_texts(&w, "parameters", facts->parameters, facts->parameter_count);
    put_filters(&w, facts);
    put_aggregations(&w, facts);
    put_joins(&w, facts);
    put_texts(&w, "group_by", facts->group_by, facts->group_count);
    put_order(&w, facts);
    put_number(&w, "limit", facts->limit);
    put_number(&w, "offset", facts->offset);
    put_texts(&w, "ctes", facts->ctes, facts->cte_count);
    put_fingerprint(&w, p);
    put_parsed_query(&w, p);
    json_keyz(&w, "errors");
    json_begin_array(&w);
    json_end_array(&w);
    put_warnings(&w, p);
    json_end_object(&w);
    request_respond_json(p->request, 200, &body);
    return STATUS_OK;
}

/* ---- work ---- */

static void parsed_init(struct parsed *p, struct request *request)
{
    *p = (struct parsed){.request = request, .target = LANG_DUCKDB};
    buf_init(&p->canonical, SQL_ANSWER_MAX);
    buf_init(&p->translated, SQL_ANSWER_MAX);
}

static void parsed_release(struct parsed *p)
{
    buf_release(&p->canonical);
    buf_release(&p->translated);
}

/* Statements that no target has words for still have a tree to show. */
static bool may_lack_translation(enum lang_statement statement)
{
    return statement == LANG_MERGE || statement == LANG_SHOW || statement == LANG_OTHER;
}

/* Names and types against the request's `schema`; without one nothing is known. */
static enum status bind(struct parsed *p, struct error *err)
{
    struct arena *arena = p->request->arena;
    struct dsl_catalog given;
    struct lang_problems *problems = ARENA_NEW(arena, struct lang_problems);
    TRY(interpreter_read_schema(p->request, &given, err));
    struct lang_source *sources = arena_array(arena, given.len + 1u, sizeof *sources);
    if (!sources || !problems)
        return error_no_memory(err);
    for (uint32_t i = 0; i < given.len; i++)
        sources[i] = lang_source_of(arena, given.sources[i].name, given.sources[i].fields,
                                    given.sources[i].fields_len);
    struct lang_catalog catalog = {sources, given.len};
    p->problems = problems;
    if (lang_bind(arena, &p->query, &catalog, problems) == STATUS_NO_MEMORY)
        return error_no_memory(err);
    return STATUS_OK;
}

static enum status work(struct parsed *p, struct str sql)
{
    struct arena *arena = p->request->arena;
    TRY(lang_parse(arena, sql, p->dialect, NULL, &p->query, &p->problem));
    if (request_json(p->request, "schema"))
        TRY(bind(p, &p->request->error));
    if (p->problems && p->problems->count)
        return STATUS_INVALID_SQL;
    TRY(lang_analyze(arena, &p->query, &p->facts, &p->problem));
    TRY(lang_canonical(arena, &p->query, &p->canonical, &p->problem));
    enum status status = lang_generate(arena, &p->query, p->target, &p->translated, &p->problem);
    p->has_translation = status == STATUS_OK;
    return may_lack_translation(p->query.statement) ? STATUS_OK : status;
}

/* The dialect of a field, or the usual one; false: an answer was given. */
static bool take_dialect(struct request *request, const char *field, bool target,
                         enum lang_dialect *ret)
{
    struct str name = request_str(request, field);
    if (!request_has(request, field) || name.len == 0)
        return true;
    if (lang_dialect_find(name, ret) && (!target || lang_is_target(*ret)))
        return true;
    answer_unknown_dialect(request, name, target);
    return false;
}

static struct str text_of(const struct request *request)
{
    return request_has(request, "query") ? request_str(request, "query")
                                         : request_str(request, "sql");
}

enum status handle_parse_sql(struct request *request)
{
    struct parsed p;
    struct str sql = text_of(request);
    parsed_init(&p, request);
    p.dialect = interpreter_dialect(request);
    if (!sql.data)
        return error_set(&request->error, STATUS_INVALID_ARGUMENT,
                         "query: the statement is missing");
    if (!take_dialect(request, "dialect", false, &p.dialect) ||
        !take_dialect(request, "target", true, &p.target))
        return STATUS_OK;
    enum status status = work(&p, sql);
    bool minded = p.problems && p.problems->count;
    if (status == STATUS_OK)
        status = answer_parsed(&p);
    else if (minded)
        status = answer_problems(request, p.problems->items, p.problems->count);
    else if (!request->error.status)
        status = answer_problem(request, &p.problem);
    parsed_release(&p);
    return status;
}

enum status interpreter_sql_tree(struct request *request, yyjson_val *parsed, yyjson_doc **ret,
                                 struct error *err)
{
    struct str sql = json_str_of(json_get(parsed, "sql"));
    struct str name = json_str_of(json_get(parsed, "dialect"));
    enum lang_dialect dialect;
    struct lang_query query;
    struct lang_problem problem;
    struct json_writer w;
    struct buf text;
    if (!name.data || !lang_dialect_find(name, &dialect))
        return error_set(err, STATUS_INVALID_ARGUMENT, "parsed_query.dialect is not known");
    if (lang_parse(request->arena, sql, dialect, NULL, &query, &problem) != STATUS_OK) {
        error_set(err, STATUS_INVALID_SQL, "parsed_query.sql: %s", problem.message);
        err->offset = (int64_t)problem.offset;
        err->line = (int64_t)problem.line;
        err->column = (int64_t)problem.column;
        return STATUS_INVALID_SQL;
    }
    buf_init(&text, SQL_ANSWER_MAX);
    json_writer_init(&w, &text);
    lang_tree_json(&query, &w);
    *ret = buf_failed(&text) ? NULL : yyjson_read(text.data, text.len, 0);
    buf_release(&text);
    return *ret ? STATUS_OK : error_no_memory(err);
}

enum status handle_sql_transpile(struct request *request)
{
    struct parsed p;
    struct buf body;
    struct json_writer w;
    parsed_init(&p, request);
    p.dialect = LANG_POSTGRES;
    p.target = LANG_POSTGRES;
    if (!take_dialect(request, "from_dialect", false, &p.dialect) ||
        !take_dialect(request, "to_dialect", true, &p.target))
        return STATUS_OK;
    enum status status = lang_parse(request->arena, request_str(request, "sql"), p.dialect, NULL,
                                    &p.query, &p.problem);
    if (status == STATUS_OK)
        status = lang_generate(request->arena, &p.query, p.target, &p.translated, &p.problem);
    if (status != STATUS_OK) {
        parsed_release(&p);
        return answer_problem(request, &p.problem);
    }
    buf_init(&body, SQL_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_kv_str(&w, "sql", buf_str(&p.translated));
    json_kv_strz(&w, "from_dialect", lang_dialect_name(p.dialect));
    json_kv_strz(&w, "to_dialect", lang_dialect_name(p.target));
    json_end_object(&w);
    request_respond_json(request, 200, &body);
    parsed_release(&p);
    return STATUS_OK;
}

enum status handle_sql_format(struct request *request)
{
    struct parsed p;
    struct buf body;
    struct json_writer w;
    parsed_init(&p, request);
    p.dialect = LANG_POSTGRES;
    if (!take_dialect(request, "dialect", false, &p.dialect))
        return STATUS_OK;
    enum status status = lang_parse(request->arena, request_str(request, "sql"), p.dialect, NULL,
                                    &p.query, &p.problem);
    if (status == STATUS_OK)
        status = lang_canonical(request->arena, &p.query, &p.canonical, &p.problem);
    if (status != STATUS_OK) {
        parsed_release(&p);
        return answer_problem(request, &p.problem);
    }
    buf_init(&body, SQL_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    json_kv_str(&w, "formatted_sql", buf_str(&p.canonical));
    json_kv_strz(&w, "dialect", lang_dialect_name(p.dialect));
    json_end_object(&w);
    request_respond_json(request, 200, &body);
    parsed_release(&p);
    return STATUS_OK;
}

enum status handle_interpreter_status(struct request *request)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, SQL_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_strz(&w, "service", "query-interpreter");
    json_kv_strz(&w, "default_dialect", lang_dialect_name(interpreter_dialect(request)));
    json_keyz(&w, "dialects");
    json_begin_array(&w);
    for (int i = 0; i < LANG_DIALECTS; i++)
        json_stringz(&w, lang_dialect_name((enum lang_dialect)i));
    json_end_array(&w);
    json_keyz(&w, "targets");
    json_begin_array(&w);
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        json_stringz(&w, lang_dialect_name(targets[i]));
    json_end_array(&w);
    json_end_object(&w);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}

enum status handle_interpreter_index(struct request *request)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, SQL_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_strz(&w, "service", "query-interpreter");
    json_keyz(&w, "routes");
    json_begin_array(&w);
    for (size_t i = 0; operation_at(i); i++) {
        const struct operation *operation = operation_at(i);
        if (operation->service == SERVICE_INTERPRETER || operation->service == SERVICE_ALL)
            json_stringz(&w, operation->path);
    }
    json_end_array(&w);
    json_end_object(&w);
    request_respond_json(request, 200, &body);
    return STATUS_OK;
}
