/* statement.h: a statement of POST /query/sql on its way: read in its dialect, checked against the
 * tenant's sources, translated for the SQL workers. */
#ifndef QUARRY_SERVICES_TENANT_STATEMENT_H
#define QUARRY_SERVICES_TENANT_STATEMENT_H

#include "query/lang/bind.h"
#include "services/tenant/sql_view.h"
#include "services/tenant/system.h"

/* What will be kept of a new view. */
struct sql_view_draft {
    struct str query;
    struct str *reads; /* names of sources and views */
    size_t reads_len;
};

struct statement {
    struct request *request;
    struct lang_query query;
    const struct tenant_views *sources; /* after statement_bind */
    struct lang_catalog catalog;        /* sources, system tables, views that it reads */
    struct sql_view_set views;
    bool has_views;              /* they were put in place of their names */
    struct sql_view_draft draft; /* of CREATE VIEW */
    const struct system_table *system[SYSTEM_TABLES_MAX]; /* that it names */
    uint32_t system_len;
    struct sql_table *tables; /* for the workers, after statement_open: those of the views first */
    uint32_t tables_len;
    struct str text; /* DuckDB's, after statement_bind */
    bool is_read;    /* false: DuckDB's dialect, and its own parser has the word */
    bool answered;   /* what is wrong was told; nothing more to do */
};

/* In the dialect of the request. What tenant SQL may not touch is STATUS_SQL_REFUSED. */
enum status statement_read(struct request *request, struct str text, struct statement *ret,
                           struct error *err);
/* statement_tables.c: the sources that a query reads, in the request's arena; NULL: it is no query,
 * names system tables, or is not understood here, so any may be needed. */
const struct table_names *statement_table_names(const struct statement *statement);
/* Names and types against the views' columns, then DuckDB's text. */
enum status statement_bind(struct statement *statement, const struct tenant_views *views,
                           struct error *err);
/* The views' tables and the system tables that it names; statement_close in any case. */
enum status statement_open(struct statement *statement, const struct tenant_views *views,
                           struct error *err);
void statement_close(struct statement *statement);
/* statement_tables.c: the system tables that it names, by names that the workers' gate lets
 * through; DuckDB's text is written anew where it names some. */
enum status statement_find_system_tables(struct statement *statement, struct error *err);
/* sql_view_define.c: of a statement CREATE VIEW that was bound, into `draft`. */
enum status sql_view_draft(struct statement *statement, struct error *err);
/* sql_show.c: the system table that a SHOW or DESCRIBE reads; NULL: none. */
const struct system_table *sql_show_table(const struct lang_query *query);
/* Answers with all that is wrong; sets `answered`. */
void statement_answer(struct statement *statement, const struct lang_problem *problems,
                      size_t count);
/* The problem as a failure with its place. */
enum status statement_fail(const struct lang_problem *problem, struct error *err);

#endif
