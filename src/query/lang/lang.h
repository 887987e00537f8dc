/* lang.h: reading SQL in fifteen dialects, saying what it touches, writing it in five.
 *
 * Steps: text -> lang_parse (tokens, tree in the source dialect's own terms)
 *             -> lang_analyze (tables, columns, functions, ...: what rights and plans need)
 *             -> lang_generate (the tree lowered to the common meaning, written for a target)
 * A pure library: no I/O, no catalog; names are only checked through the callbacks given. Nodes,
 * texts and results live in the arena handed in and may point into the source text, which must
 * outlive them. A construct or function that is not known is an error, never passed through.
 *
 * All failures are told in struct lang_problem: what, where (byte, line, column), what was found,
 * what was expected, the nearest known name. The status is STATUS_OK or one of STATUS_INVALID_SQL
 * (problem.code says which), STATUS_TOO_LARGE, STATUS_NO_MEMORY. */
#ifndef QUARRY_QUERY_LANG_H
#define QUARRY_QUERY_LANG_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/status.h"

enum lang_dialect {
    LANG_MYSQL,
    LANG_POSTGRES,
    LANG_DUCKDB,
    LANG_BIGQUERY,
    LANG_SNOWFLAKE,
    LANG_SPARK,
    LANG_HIVE,
    LANG_DATABRICKS,
    LANG_CLICKHOUSE,
    LANG_TSQL,
    LANG_PRESTO,
    LANG_TRINO,
    LANG_SQLITE,
    LANG_REDSHIFT,
    LANG_ORACLE,
    LANG_DIALECTS,
};

/* "mysql", ... in the order of the enum. */
const char *lang_dialect_name(enum lang_dialect dialect);
/* By name or a usual second name (mariadb, postgresql, mssql, ...), case folded. */
bool lang_dialect_find(struct str name, enum lang_dialect *ret);
/* Whether lang_generate writes it. */
bool lang_is_target(enum lang_dialect dialect);

/* Light types: enough to choose between meanings. */
enum lang_type {
    TY_UNKNOWN,
    TY_BOOL,
    TY_INT,
    TY_DECIMAL,
    TY_DOUBLE,
    TY_TEXT,
    TY_BLOB,
    TY_DATE,
    TY_TIME,
    TY_TIMESTAMP,
    TY_TIMESTAMPTZ,
    TY_INTERVAL,
    TY_JSON,
    TY_LIST,
    TY_STRUCT,
    TY_MAP,
    TY_OTHER,
};

enum lang_code {
    LANG_PARSE_ERROR,
    LANG_UNSUPPORTED,
    LANG_TOO_LARGE,
    LANG_NO_MEMORY,
    LANG_UNKNOWN_TABLE,
    LANG_UNKNOWN_COLUMN,
    LANG_AMBIGUOUS_COLUMN,
    LANG_TYPE_MISMATCH,
    LANG_NOT_GROUPED,
    LANG_REFUSED,
    LANG_WRONG_ARGUMENTS,
    LANG_BAD_AGGREGATE, /* one where there can be none */
    LANG_BAD_WINDOW,
};
/* "PARSE_ERROR", "UNSUPPORTED", ... */
const char *lang_code_name(enum lang_code code);

enum { LANG_MESSAGE_MAX = 240, LANG_NAME_MAX = 64, LANG_EXPECTED_MAX = 6 };

struct lang_problem {
    enum lang_code code;
    size_t offset; /* byte, from 0 */
    size_t line;   /* from 1 */
    size_t column; /* in bytes, from 1 */
    char message[LANG_MESSAGE_MAX];
    char found[LANG_NAME_MAX];   /* the token or name at fault */
    char nearest[LANG_NAME_MAX]; /* the known name that was perhaps meant, or "" */
    const char *expected[LANG_EXPECTED_MAX];
    int expected_count;
};

/* Limits; 0 means the default. */
struct lang_limits {
    size_t bytes;   /* 1 MiB */
    size_t tokens;  /* 100,000 */
    size_t in_list; /* 10,000 */
    int depth;      /* 200 nested expressions and queries */
};

/* The HTTP status of an answer about it. */
int lang_code_http(enum lang_code code);
/* The members of an answer that says what is wrong, the first problem as its `error`, all as
 * `errors`, no warnings. With `code` (NULL: the problem's own, and all its members) the `error` has
 * the form that errors have everywhere. */
void lang_write_problems(const struct lang_problem *problems, size_t count, const char *code,
                         struct str request_id, struct json_writer *w);

struct node;

enum lang_statement {
    LANG_SELECT,
    LANG_INSERT,
    LANG_UPDATE,
    LANG_DELETE,
    LANG_MERGE,
    LANG_CREATE_TABLE,
    LANG_CREATE_VIEW,
    LANG_ALTER,
    LANG_DROP,
    LANG_SHOW,
    LANG_DESCRIBE,
    LANG_EXPLAIN,
    LANG_REFRESH,
    LANG_OTHER, /* known by its first word only (SET, COPY, ATTACH, ...) */
};
const char *lang_statement_name(enum lang_statement statement);

struct lang_query {
    enum lang_dialect dialect;
    enum lang_statement statement;
    struct str text;   /* as given */
    struct node *root; /* node.h */
};

/* One statement (a closing semicolon is allowed). */
enum status lang_parse(struct arena *arena, struct str text, enum lang_dialect dialect,
                       const struct lang_limits *limits, struct lang_query *ret,
                       struct lang_problem *problem);

/* The statement in another dialect, appended to `out`. The same dialect, or LANG_DUCKDB from
 * LANG_DUCKDB, gives the text unchanged except for comments and white space at both ends. */
enum status lang_generate(struct arena *arena, const struct lang_query *query,
                          enum lang_dialect target, struct buf *out, struct lang_problem *problem);

/* The same in DuckDB's dialect, written from the tree also when it came from that dialect: for
 * trees that were changed (view.h). */
enum status lang_rewrite(struct arena *arena, const struct lang_query *query, struct buf *out,
                         struct lang_problem *problem);

/* The statement in its own dialect, laid out canonically: keywords upper case, one space. */
enum status lang_canonical(struct arena *arena, const struct lang_query *query, struct buf *out,
                           struct lang_problem *problem);

/* The token sequence with constants replaced by ?, lists of constants by one ?, words folded;
 * appended to `out` (may be NULL). Returns XXH3 of it. Statements that differ only in constants,
 * comments, case and spacing have equal fingerprints. 0 when the text cannot be read. */
uint64_t lang_fingerprint(struct arena *arena, struct str text, enum lang_dialect dialect,
                          struct buf *out);

/* ---- what a statement touches ---- */

struct lang_table {
    struct str name; /* as written, dotted: "db.t" */
    struct str last; /* the last part: "t" */
    struct str alias;
    size_t offset;
    bool is_function; /* a table function such as range(...) */
    bool is_written;  /* target of INSERT, UPDATE, ... */
};

struct lang_column {
    struct str table; /* qualifier as written, resolved to the table's name when it is an alias */
    struct str name;  /* "*" for a star */
    size_t offset;
};

struct lang_output {
    struct str name;          /* alias, column name, or the expression's text */
    struct lang_column *from; /* base columns it is made of */
    size_t from_count;
    bool is_aggregate;
};

struct lang_filter {
    struct lang_column column;
    const char *op;   /* "eq", "gte", "in", "like", "is_null", ... */
    struct str value; /* the source text of the other side */
};

struct lang_aggregate {
    struct str function; /* lower case */
    struct str column;   /* source text of the argument, "*" */
    struct str alias;
    bool distinct;
};

struct lang_join {
    const char *side; /* "inner", "left", "right", "full", "cross", "semi", "anti" */
    struct str table;
    struct str condition; /* source text; the column list of USING */
};

struct lang_order {
    struct str expression;
    bool descending;
    const char *nulls; /* "first", "last" or NULL */
};

/* array + count pairs, all in the arena */
struct lang_analysis {
    struct lang_table *tables;
    size_t table_count;
    struct lang_column *columns;
    size_t column_count;
    struct lang_output *outputs;
    size_t output_count;
    struct str *functions; /* lower case, each once */
    size_t function_count;
    struct str *parameters; /* in order: "?", "$1", ":name" */
    size_t parameter_count;
    struct lang_filter *filters; /* conjuncts of WHERE and ON that compare a column */
    size_t filter_count;
    struct lang_aggregate *aggregates;
    size_t aggregate_count;
    struct lang_join *joins;
    size_t join_count;
    struct str *group_by;
    size_t group_count;
    struct lang_order *order_by;
    size_t order_count;
    struct str *ctes;
    size_t cte_count;
    int64_t limit; /* -1: none or not a number */
    int64_t offset;
    bool select_star;
};

enum status lang_analyze(struct arena *arena, const struct lang_query *query,
                         struct lang_analysis *ret, struct lang_problem *problem);

/* Refuses what tenant SQL may never read: file functions (read_parquet, glob, ...), tables named
 * by a path or a URL, system schemas. LANG_REFUSED with the place. */
enum status lang_check_tables(const struct lang_analysis *analysis, const struct lang_query *query,
                              struct lang_problem *problem);

/* The tree: {"kind", "text"?, "flags"?, "at", slot: node | [nodes] ...}; kinds and slots are those
 * of nodes.def. */
void lang_tree_json(const struct lang_query *query, struct json_writer *writer);

#endif
