/* lang.c: dialects by name, and the way from a tree to text. */
#include "query/lang/lang.h"

#include <stdio.h>

#include "query/lang/lower_int.h"
#include "query/lang/token.h"
#include "query/lang/write_int.h"

static const struct dialect *const dialects[LANG_DIALECTS] = {
    [LANG_MYSQL] = &dialect_mysql,
    [LANG_POSTGRES] = &dialect_postgres,
    [LANG_DUCKDB] = &dialect_duckdb,
    [LANG_BIGQUERY] = &dialect_bigquery,
    [LANG_SNOWFLAKE] = &dialect_snowflake,
    [LANG_SPARK] = &dialect_spark,
    [LANG_HIVE] = &dialect_hive,
    [LANG_DATABRICKS] = &dialect_databricks,
    [LANG_CLICKHOUSE] = &dialect_clickhouse,
    [LANG_TSQL] = &dialect_tsql,
    [LANG_PRESTO] = &dialect_presto,
    [LANG_TRINO] = &dialect_trino,
    [LANG_SQLITE] = &dialect_sqlite,
    [LANG_REDSHIFT] = &dialect_redshift,
    [LANG_ORACLE] = &dialect_oracle,
};

const struct dialect *dialect_of(enum lang_dialect dialect)
{
    return dialects[dialect < LANG_DIALECTS ? dialect : LANG_MYSQL];
}

const char *lang_dialect_name(enum lang_dialect dialect)
{
    return dialect_of(dialect)->name;
}

bool lang_dialect_find(struct str name, enum lang_dialect *ret)
{
    static const struct {
        const char *name;
        enum lang_dialect dialect;
    } others[] = {
        {"mariadb", LANG_MYSQL}, {"postgresql", LANG_POSTGRES}, {"generic", LANG_POSTGRES},
        {"mssql", LANG_TSQL},    {"sqlserver", LANG_TSQL},      {"athena", LANG_TRINO},
        {"spark2", LANG_SPARK},  {"plsql", LANG_ORACLE},
    };
    for (int i = 0; i < LANG_DIALECTS; i++) {
        if (str_eq_nocase(name, str_of(dialects[i]->name))) {
            *ret = (enum lang_dialect)i;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (str_eq_nocase(name, str_of(others[i].name))) {
            *ret = others[i].dialect;
            return true;
        }
    }
    return false;
}

static const struct target *target_of(enum lang_dialect dialect)
{
    switch (dialect) {
    case LANG_DUCKDB:
        return &target_duckdb;
    case LANG_CLICKHOUSE:
        return &target_clickhouse;
    case LANG_TRINO:
        return &target_trino;
    case LANG_POSTGRES:
        return &target_postgres;
    case LANG_MYSQL:
        return &target_mysql;
    default:
        return NULL;
    }
}

bool lang_is_target(enum lang_dialect dialect)
{
    return target_of(dialect) != NULL;
}

static enum status write_tree(struct arena *arena, const struct node *root,
                              const struct lang_query *query, const struct target *target,
                              enum lang_dialect id, struct buf *out, struct lang_problem *problem)
{
    struct writer w = {.arena = arena, .out = out, .target = target, .id = id, .problem = problem};
    emit_statement(&w, root);
    if (w.status != STATUS_OK)
        problem_place(problem, query->text);
    if (w.status == STATUS_OK && buf_failed(out)) {
        problem->code = out->over_max ? LANG_TOO_LARGE : LANG_NO_MEMORY;
        snprintf(problem->message, sizeof problem->message,
                 "the translated statement is too large");
        return out->over_max ? STATUS_TOO_LARGE : STATUS_NO_MEMORY;
    }
    return w.status;
}

static struct str without_semicolon(struct str text)
{
    text = str_trim(text);
    while (text.len && text.data[text.len - 1] == ';')
        text = str_trim(str_make(text.data, text.len - 1));
    return text;
}

enum status lang_generate(struct arena *arena, const struct lang_query *query,
                          enum lang_dialect target, struct buf *out, struct lang_problem *problem)
{
    struct lang_problem scratch;
    if (!problem)
        problem = &scratch;
    *problem = (struct lang_problem){0};
    const struct target *to = target_of(target);
    if (target == query->dialect) {
        buf_append_str(out, without_semicolon(query->text));
        return buf_failed(out) ? STATUS_NO_MEMORY : STATUS_OK;
    }
    if (!to) {
        problem->code = LANG_UNSUPPORTED;
        snprintf(
            problem->message, sizeof problem->message,
            "SQL is not written for %s; targets are duckdb, clickhouse, trino, postgres, mysql",
            lang_dialect_name(target));
        return STATUS_INVALID_SQL;
    }
    struct node *root = NULL;
    TRY(lang_lower(arena, query, &root, problem));
    return write_tree(arena, root, query, to, target, out, problem);
}

enum status lang_rewrite(struct arena *arena, const struct lang_query *query, struct buf *out,
                         struct lang_problem *problem)
{
    struct node *root = NULL;
    *problem = (struct lang_problem){0};
    TRY(lang_lower(arena, query, &root, problem));
    return write_tree(arena, root, query, &target_duckdb, LANG_DUCKDB, out, problem);
}

enum status lang_canonical(struct arena *arena, const struct lang_query *query, struct buf *out,
                           struct lang_problem *problem)
{
    struct lang_problem scratch;
    if (!problem)
        problem = &scratch;
    *problem = (struct lang_problem){0};
    const struct dialect *dialect = dialect_of(query->dialect);
    bool backtick = query->dialect == LANG_MYSQL || query->dialect == LANG_BIGQUERY ||
                    query->dialect == LANG_SPARK || query->dialect == LANG_HIVE ||
                    query->dialect == LANG_DATABRICKS;
    struct target target = {.name = dialect->name,
                            .quote = backtick ? '`' : '"',
                            .backslash = (dialect->flags & D_BACKSLASH) != 0,
                            .canonical = true};
    if (query->root->kind == N_OTHER) {
        buf_append_str(out, without_semicolon(query->text));
        return buf_failed(out) ? STATUS_NO_MEMORY : STATUS_OK;
    }
    return write_tree(arena, query->root, query, &target, query->dialect, out, problem);
}
