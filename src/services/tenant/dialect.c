/* dialect.c: statements of other dialects on their way to the SQL workers. The front reads them,
 * refuses what tenant SQL may not touch, and writes DuckDB's SQL; the workers' own gate looks at
 * the result again. */
#include <stdio.h>

#include "query/lang/lang.h"
#include "services/tenant/tenant_int.h"

enum { TRANSLATED_MAX = 8 << 20 };

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

static enum status tell(const struct lang_problem *problem, struct error *err)
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

static enum status translate(struct arena *arena, const struct lang_query *query, struct str *ret,
                             struct error *err)
{
    struct lang_problem problem;
    struct buf out;
    buf_init(&out, TRANSLATED_MAX);
    enum status status = lang_generate(arena, query, LANG_DUCKDB, &out, &problem);
    if (status == STATUS_OK)
        *ret = arena_str(arena, buf_str(&out));
    buf_release(&out);
    if (status != STATUS_OK)
        return tell(&problem, err);
    return ret->data ? STATUS_OK : error_no_memory(err);
}

enum status tenant_translate(struct arena *arena, struct str dialect, struct str *query,
                             struct error *err)
{
    enum lang_dialect id;
    struct lang_query parsed;
    struct lang_analysis facts;
    struct lang_problem problem;
    if (!lang_dialect_find(dialect, &id))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "dialect '%.*s' is not known; GET /status of the interpreter lists them",
                         dialect.len < 60 ? (int)dialect.len : 60, dialect.data);
    if (id == LANG_DUCKDB)
        return STATUS_OK;
    if (lang_parse(arena, *query, id, NULL, &parsed, &problem) != STATUS_OK ||
        lang_analyze(arena, &parsed, &facts, &problem) != STATUS_OK ||
        lang_check_tables(&facts, &parsed, &problem) != STATUS_OK)
        return tell(&problem, err);
    if (parsed.statement != LANG_SELECT)
        return error_set(err, STATUS_SQL_REFUSED,
                         "a %s statement is not read in this dialect; send one SELECT",
                         lang_statement_name(parsed.statement));
    return translate(arena, &parsed, query, err);
}
