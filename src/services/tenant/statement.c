/* statement.c: statements of all dialects on their way to the SQL workers. The front reads them,
 * refuses what tenant SQL may not touch, checks names and types, and writes DuckDB's SQL; the
 * workers' own gate looks at the result again. DuckDB's dialect goes to the workers as it is, and
 * what the front cannot read of it is theirs to judge. */
#include "services/tenant/statement.h"

#include <stdio.h>

#include "query/lang/node.h"

enum { TRANSLATED_MAX = 8 << 20, PROBLEMS_ANSWER_MAX = 1 << 20 };

/* ---- failures ---- */

static enum status status_of(enum lang_code code)
{
    switch (code) {
    case LANG_PARSE_ERROR:
        return STATUS_INVALID_SQL;
    case LANG_TOO_LARGE:
        return STATUS_TOO_LARGE;
    case LANG_NO_MEMORY:
        return STATUS_NO_MEMORY;
    case LANG_REFUSED:
        return STATUS_SQL_REFUSED;
    default:
        return STATUS_UNSUPPORTED_SQL;
    }
}

enum status statement_fail(const struct lang_problem *problem, struct error *err)
{
    enum status status = status_of(problem->code);
    if (problem->nearest[0])
        error_set(err, status, "%s (did you mean '%s'?)", problem->message, problem->nearest);
    else
        error_set(err, status, "%s", problem->message);
    if (err) {
        err->offset = (int64_t)problem->offset;
        err->line = (int64_t)problem->line;
        err->column = (int64_t)problem->column;
    }
    return status;
}

/* A source that there is not is told as everywhere on this node. */
void statement_answer(struct statement *statement, const struct lang_problem *problems,
                      size_t count)
{
    bool no_source = problems[0].code == LANG_UNKNOWN_TABLE;
    const struct status_info *info = status_info(STATUS_UNKNOWN_SOURCE);
    struct buf body;
    struct json_writer w;
    buf_init(&body, PROBLEMS_ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    lang_write_problems(problems, count, no_source ? info->code : lang_code_name(problems[0].code),
                        statement->request->request_id, &w);
    json_end_object(&w);
    request_respond_json(statement->request,
                         no_source ? info->http : lang_code_http(problems[0].code), &body);
    statement->answered = true;
}

/* ---- reading ---- */

/* All but the system tables that there are. */
static enum status check_tables(const struct statement *statement, struct lang_analysis *facts,
                                struct lang_problem *problem)
{
    size_t len = 0;
    for (size_t i = 0; i < facts->table_count; i++) {
        if (!system_table_find(facts->tables[i].name))
            facts->tables[len++] = facts->tables[i];
    }
    facts->table_count = len;
    return lang_check_tables(facts, &statement->query, problem);
}

enum status statement_read(struct request *request, struct str text, struct statement *ret,
                           struct error *err)
{
    struct str dialect = request_str(request, "dialect");
    enum lang_dialect id;
    struct lang_analysis facts;
    struct lang_problem problem;
    *ret = (struct statement){.request = request, .text = text};
    if (!lang_dialect_find(dialect, &id))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "dialect '%.*s' is not known; GET /status of the interpreter lists them",
                         dialect.len < 60 ? (int)dialect.len : 60, dialect.data);
    enum status status = lang_parse(request->arena, text, id, NULL, &ret->query, &problem);
    ret->is_read = status == STATUS_OK;
    bool is_query = ret->is_read && ret->query.statement == LANG_SELECT;
    if (id == LANG_DUCKDB && (!ret->is_read || is_query))
        return STATUS_OK;
    if (status != STATUS_OK ||
        lang_analyze(request->arena, &ret->query, &facts, &problem) != STATUS_OK ||
        check_tables(ret, &facts, &problem) != STATUS_OK)
        return statement_fail(&problem, err);
    if (ret->query.statement == LANG_OTHER)
        return error_set(err, STATUS_SQL_REFUSED, "%.*s is not available",
                         STR_ARG(ret->query.root->text));
    return STATUS_OK;
}

/* ---- binding ---- */

static enum status make_catalog(struct statement *statement, const struct tenant_views *views,
                                struct error *err)
{
    struct arena *arena = statement->request->arena;
    struct lang_source *sources =
        arena_array(arena, views->len + SYSTEM_TABLES_MAX + SQL_VIEWS_MAX, sizeof *sources);
    size_t len = views->len;
    if (!sources)
        return error_no_memory(err);
    for (const struct system_table *table; (table = system_table_at(len - views->len)); len++) {
        sources[len] = system_table_source(arena, table);
        if (!sources[len].columns)
            return error_no_memory(err);
    }
    for (uint32_t i = 0; i < views->len; i++) {
        const struct view *view = &views->views[i];
        sources[i] = lang_source_of(arena, source_config(view->source)->source_id,
                                    view->schema->fields, view->schema->fields_len);
        if (!sources[i].columns)
            return error_no_memory(err);
    }
    statement->catalog = (struct lang_catalog){sources, len};
    return STATUS_OK;
}

static enum status translate(struct statement *statement, struct error *err)
{
    struct arena *arena = statement->request->arena;
    struct lang_problem problem;
    struct buf out;
    buf_init(&out, TRANSLATED_MAX);
    enum status status = lang_rewrite(arena, &statement->query, &out, &problem);
    if (status == STATUS_OK)
        statement->text = arena_str(arena, buf_str(&out));
    buf_release(&out);
    if (status != STATUS_OK)
        return statement_fail(&problem, err);
    return statement->text.data ? STATUS_OK : error_no_memory(err);
}

static enum status expand(struct statement *statement, struct error *err)
{
    struct lang_problem problem;
    enum status status =
        lang_expand(statement->request->arena, &statement->query, &statement->catalog,
                    statement->views.views, statement->views.len, &statement->has_views, &problem);
    return status == STATUS_OK ? STATUS_OK : statement_fail(&problem, err);
}

enum status statement_bind(struct statement *statement, const struct tenant_views *views,
                           struct error *err)
{
    statement->sources = views;
    if (!statement->is_read)
        return STATUS_OK;
    struct lang_problems *problems = ARENA_NEW(statement->request->arena, struct lang_problems);
    if (!problems)
        return error_no_memory(err);
    TRY(make_catalog(statement, views, err));
    TRY(sql_view_resolve(statement->request->context, statement->request->arena,
                         statement->query.root, &statement->catalog, &statement->views, err));
    enum status status =
        lang_bind(statement->request->arena, &statement->query, &statement->catalog, problems);
    if (status == STATUS_NO_MEMORY)
        return error_no_memory(err);
    if (status != STATUS_OK) {
        statement_answer(statement, problems->items, problems->count);
        return STATUS_OK;
    }
    if (statement->query.statement == LANG_CREATE_VIEW)
        TRY(sql_view_draft(statement, err)); /* with the views in it by their names */
    if (statement->views.len)
        TRY(expand(statement, err));
    const struct system_table *shown = sql_show_table(&statement->query);
    if (shown)
        statement->system[statement->system_len++] = shown;
    else
        TRY(statement_find_system_tables(statement, err));
    bool as_it_is = statement->query.statement != LANG_SELECT ||
                    (statement->query.dialect == LANG_DUCKDB && !statement->has_views);
    return as_it_is ? STATUS_OK : translate(statement, err);
}

/* ---- tables for the workers ---- */

enum status statement_open(struct statement *statement, const struct tenant_views *views,
                           struct error *err)
{
    struct arena *arena = statement->request->arena;
    statement->tables =
        arena_array(arena, views->len + SYSTEM_TABLES_MAX + 1u, sizeof *statement->tables);
    if (!statement->tables)
        return error_no_memory(err);
    memcpy(statement->tables, views->tables, views->len * sizeof *statement->tables);
    statement->tables_len = views->len;
    for (uint32_t i = 0; i < statement->system_len; i++) {
        TRY(system_table_open(statement->request, statement->system[i], views,
                              &statement->tables[statement->tables_len], err));
        statement->tables_len++;
    }
    return STATUS_OK;
}

void statement_close(struct statement *statement)
{
    for (uint32_t i = 0; i < statement->tables_len; i++) {
        if (!statement->tables[i].view)
            system_table_close(statement->request->context, &statement->tables[i]);
    }
    statement->tables_len = 0;
}
