/* sql_write.h: statements of POST /query/sql that are no queries: changes of rows
 * (sql_change.c) and of sources (sql_define.c), and what they share (sql_write.c). */
#ifndef QUARRY_SERVICES_TENANT_SQL_WRITE_H
#define QUARRY_SERVICES_TENANT_SQL_WRITE_H

#include "services/tenant/statement.h"

struct sql_affected {
    uint64_t inserted, updated, deleted;
    bool duplicate; /* this write id was stored before */
    char query_id[64];
    const char *warning; /* NULL: none */
};

/* Whether the caller may do what that operation does. */
enum status sql_admit(struct request *request, const char *operation);
/* Runs a query whose rows go to `sink`; listed and cancelled as all others. */
enum status tenant_sql_into(struct request *request, const struct sql_job *job,
                            const struct sql_sink *sink, char ret_query_id[64],
                            struct sql_stats *stats, struct error *err);
/* The columns of an INSERT's or CREATE TABLE AS' query, without running it. */
enum status sql_describe_query(struct statement *statement, const struct str **ret_names,
                               const struct str **ret_types, uint32_t *ret_len, struct error *err);
/* The columns of a view. */
enum status sql_describe_view(struct statement *statement, struct str name,
                              const struct str **ret_names, const struct str **ret_types,
                              uint32_t *ret_len, struct error *err);
/* A name in DuckDB's quotes. */
void sql_put_name(struct buf *out, struct str name);
/* The engine's name of a type: "BIGINT". */
const char *sql_engine_type(enum type type);
/* A row of a worker's answer, its columns from `first` on, at the end of `rows`. */
enum status sql_append_row(struct batch *rows, const struct batch *from, uint32_t first,
                           uint32_t row, struct error *err);
/* An INSERT's query must have so many columns. */
enum status sql_check_values(struct statement *statement, size_t wanted, struct error *err);
enum status sql_answer_affected(struct statement *statement, const struct sql_affected *affected,
                                struct error *err);

/* INSERT, UPDATE, DELETE, MERGE or CREATE TABLE AS on a source. */
enum status sql_change_source(struct statement *statement, struct source *source,
                              struct sql_affected *ret, struct error *err);

/* The name of a source or view that is defined, changed or dropped: t or main.t, nothing else. */
enum status sql_plain_name(const struct node *ref, struct str *ret, struct error *err);
bool sql_source_exists(struct statement *statement, struct str name);

/* DESCRIBE of a view, not of a source. */
bool sql_shows_view(const struct statement *statement);

/* After statement_bind and statement_open. */
enum status handle_sql_change(struct statement *statement, struct error *err);
enum status handle_sql_define(struct statement *statement, struct error *err);
enum status handle_sql_view(struct statement *statement, struct error *err); /* CREATE, DROP */
enum status handle_sql_show(struct statement *statement, struct error *err);

#endif
