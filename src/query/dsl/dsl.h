/* dsl.h: the JSON DSL: reading, checking, SQL.
 *
 *   dsl_parse     JSON (or the text form, dsl_text.h) to a checked tree
 *   dsl_generate  the tree to DuckDB's SQL with $1.. and the values to bind
 *   dsl_write_*   errors, canonical JSON, the JSON Schema of the language
 *
 * Grammar and semantics: docs/dsl.md. A query's mistakes are not failures of a call: dsl_parse
 * returns STATUS_OK and the query carries up to DSL_ERRORS_MAX of them, each with a JSON pointer.
 * Everything lives in the caller's arena and borrows strings from the JSON document. Not
 * thread-safe within one query; no state between queries.
 *
 * Invariant: no byte of the query reaches SQL except through a quoting function or as a bound
 * parameter. */
#ifndef QUARRY_QUERY_DSL_H
#define QUARRY_QUERY_DSL_H

#include "base/arena.h"
#include "base/json.h"
#include "data/type.h"

enum {
    DSL_BYTES_MAX = 1 << 20,
    DSL_ERRORS_MAX = 20,
    DSL_DEPTH_DEFAULT = 10,
    DSL_DEPTH_MAX = 50, /* of the setting: what the engine's parser bears */
    DSL_CONDITIONS_MAX = 1000,
    DSL_VALUES_MAX = 10000, /* of one list */
    DSL_OUTPUTS_MAX = 1000, /* columns of an answer */
    DSL_AGGREGATIONS_MAX = 64,
    DSL_GROUPS_MAX = 32,
    DSL_WINDOWS_MAX = 32,
    DSL_ORDER_MAX = 32,
    DSL_JOINS_MAX = 8,
    DSL_STEPS_MAX = 32, /* of a path */
    DSL_ARGS_MAX = 16,  /* of a function */
    DSL_NAME_MAX = 255,
    DSL_LIMIT_DEFAULT = 1000,
    DSL_LIMIT_MAX = 100000,
    DSL_OFFSET_MAX = 1000000,
};

enum dsl_code {
    DSL_INVALID_JSON,
    DSL_INVALID_TEXT,
    DSL_MISSING_FIELD,
    DSL_UNKNOWN_KEY,
    DSL_UNKNOWN_QUERY_TYPE,
    DSL_UNKNOWN_OPERATOR,
    DSL_UNKNOWN_FUNCTION,
    DSL_UNKNOWN_SOURCE,
    DSL_UNKNOWN_COLUMN,
    DSL_AMBIGUOUS_COLUMN,
    DSL_TYPE_MISMATCH,
    DSL_BAD_VALUE,
    DSL_DEPTH_EXCEEDED,
    DSL_TOO_MANY_VALUES,
    DSL_DUPLICATE_ALIAS,
    DSL_BAD_CURSOR,
};
const char *dsl_code_name(enum dsl_code code);
/* 422 for what only the catalog can know, 400 for the rest. */
int dsl_code_http(enum dsl_code code);

struct dsl_words {
    const char *const *items;
    uint32_t len;
};

struct dsl_error {
    enum dsl_code code;
    struct str path; /* JSON pointer into the query; "" is the whole */
    struct str message;
    struct dsl_words allowed; /* len 0: none given */
    const char *hint;         /* NULL: none */
};

struct dsl_errors {
    uint32_t len;
    uint32_t total; /* those beyond DSL_ERRORS_MAX too */
    struct dsl_error items[DSL_ERRORS_MAX];
};

/* What is known about sources. */
struct dsl_source {
    struct str name;
    const struct field *fields;
    uint32_t fields_len;
};
struct dsl_catalog {
    const struct dsl_source *sources; /* in the order of their names */
    uint32_t len;
};

/* What the operator says of the language. */
struct dsl_settings {
    uint32_t max_depth;    /* 0: DSL_DEPTH_DEFAULT; at most DSL_DEPTH_MAX */
    bool strict;           /* only the functions of `functions` */
    const char *functions; /* "SUM,COUNT,..." */
    bool custom_functions; /* names that the DSL does not know go to the engine */
    bool lenient;          /* what only the catalog can know is left to the engine */
};

struct dsl_options {
    struct dsl_settings settings;
    const struct dsl_catalog *catalog; /* NULL: names and types are not checked */
    yyjson_val *parameters; /* values of {"param": name}, beside the query's own; or NULL */
    bool open_parameters;   /* one without a value is no error but left open */
};

struct dsl_query;

/* STATUS_NO_MEMORY only; look at dsl_query_errors() before anything else. */
enum status dsl_parse(struct arena *arena, yyjson_val *json, const struct dsl_options *options,
                      struct dsl_query **ret_query, struct error *err);
const struct dsl_errors *dsl_query_errors(const struct dsl_query *query);
/* For callers that find a mistake themselves (a cursor, a text that is not JSON). */
struct dsl_query *dsl_query_of_error(struct arena *arena, enum dsl_code code, const char *pointer,
                                     const char *message);
/* The members of an error answer into an object that the caller has begun: success, error_message,
 * error (the first), errors (all of them; there is at least one). Returns the HTTP status: 422 when
 * only the catalog minded. */
int dsl_write_errors(const struct dsl_errors *errors, struct str request_id, struct json_writer *w);

bool dsl_query_is_aggregate(const struct dsl_query *query);
int64_t dsl_query_limit(const struct dsl_query *query);
struct str dsl_query_cursor(const struct dsl_query *query); /* data NULL: none asked for */

/* A value to bind, or a parameter that was left open. */
struct dsl_parameter {
    struct str name; /* of {"param": name}; data NULL: a value of the query */
    bool open;
    struct str json; /* the value as JSON; "null" when open */
};

struct dsl_table_name {
    struct str name;
    struct str alias; /* data NULL: none */
};

struct dsl_sql {
    struct str text;
    const struct dsl_parameter *parameters;
    uint32_t parameters_len;
    const struct dsl_table_name *tables;
    uint32_t tables_len;
    const struct str *columns; /* "column" or "table.column", each once */
    uint32_t columns_len;
    const struct str *functions;
    uint32_t functions_len;
};

struct dsl_generate_options {
    bool probe;       /* one row more than the limit, so that the caller sees that it cut */
    bool total_order; /* ties in order_by are broken by all columns: pages do not overlap */
    int64_t skip;     /* added to the offset: rows of earlier pages */
};
/* The query must be without errors. STATUS_RESOURCE_LIMIT when the text grows beyond 1 MiB. */
enum status dsl_generate(struct arena *arena, const struct dsl_query *query,
                         const struct dsl_generate_options *options, struct dsl_sql *ret,
                         struct error *err);
/* lang_fingerprint of the query's SQL: equal for queries that differ in values only, and for the
 * same query written in SQL. 0 when memory ran out. */
uint64_t dsl_fingerprint(struct arena *arena, const struct dsl_query *query);
/* "parameters" as JSON array, for sql_query. */
void dsl_write_parameters(const struct dsl_sql *sql, struct json_writer *w);

/* The query as one JSON object in the seed's spelling, every default spelt out. */
void dsl_write_query(const struct dsl_query *query, struct json_writer *w);

/* The JSON Schema (2020-12) of the language, without what needs the catalog. */
void dsl_write_schema(struct json_writer *w);

#endif
