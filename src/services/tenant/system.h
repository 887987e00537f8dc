/* system.h: system tables of SQL: what the node knows of itself, as tables that any statement may
 * read. Made when a statement names them, as of that moment. */
#ifndef QUARRY_SERVICES_TENANT_SYSTEM_H
#define QUARRY_SERVICES_TENANT_SYSTEM_H

#include "query/lang/bind.h"
#include "services/tenant/tenant_int.h"

enum { SYSTEM_COLUMNS_MAX = 14, SYSTEM_TABLES_MAX = 16 };

struct system_column {
    const char *name;
    enum type type;
};

struct system_fill {
    struct request *request;
    const struct tenant_views *views;
    struct batch *batch;
};

struct system_table {
    const char *name;  /* "system.sources" */
    const char *alias; /* "sources" */
    struct system_column columns[SYSTEM_COLUMNS_MAX];
    enum status (*fill)(struct system_fill *fill, struct error *err);
};

/* NULL when there is none of that name. */
const struct system_table *system_table_find(struct str name);
const struct system_table *system_table_at(size_t i); /* NULL past the last */
/* For names; columns in the arena, NULL without memory. */
struct lang_source system_table_source(struct arena *arena, const struct system_table *table);

/* The rows as a file for the SQL workers, to be removed by system_table_close. */
enum status system_table_open(struct request *request, const struct system_table *table,
                              const struct tenant_views *views, struct sql_table *ret,
                              struct error *err);
void system_table_close(struct tenant_node *node, struct sql_table *table);

/* --- rows --- */

/* One value after the other, in the order of the columns; the first failure stays. */
struct system_row {
    struct system_fill *fill;
    uint32_t at;
    enum status status;
};
void system_put_text(struct system_row *row, struct str text); /* data NULL: null */
void system_put_int(struct system_row *row, int64_t value);
void system_put_double(struct system_row *row, double value);
void system_put_bool(struct system_row *row, bool value);
void system_put_time(struct system_row *row, int64_t us); /* 0: null */
void system_put_null(struct system_row *row);
void system_row_failed(struct system_row *row, enum status status);
enum status system_end_row(struct system_row *row, struct error *err);

/* system_logs.c */
enum status system_fill_audit_logs(struct system_fill *fill, struct error *err);
enum status system_fill_query_logs(struct system_fill *fill, struct error *err);
enum status system_fill_performance_metrics(struct system_fill *fill, struct error *err);
enum status system_fill_ingestion_logs(struct system_fill *fill, struct error *err);

/* system_rows.c, system_views.c */

enum status system_fill_sources(struct system_fill *fill, struct error *err);
enum status system_fill_columns(struct system_fill *fill, struct error *err);
enum status system_fill_snapshots(struct system_fill *fill, struct error *err);
enum status system_fill_files(struct system_fill *fill, struct error *err);
enum status system_fill_statistics(struct system_fill *fill, struct error *err);
enum status system_fill_queries(struct system_fill *fill, struct error *err);
enum status system_fill_materialized(struct system_fill *fill, struct error *err);
enum status system_fill_views(struct system_fill *fill, struct error *err);
enum status system_fill_standard_tables(struct system_fill *fill, struct error *err);
enum status system_fill_standard_columns(struct system_fill *fill, struct error *err);

#endif
