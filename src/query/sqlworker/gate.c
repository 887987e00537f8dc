#include "query/sqlworker/gate.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "query/sqlworker/errors.h"

/* A common table expression that is visible. */
struct scope {
    struct str name;
    const struct scope *outer;
};

struct gate {
    const struct engine *engine;
    struct str sql;
    struct gate_result *result;
    struct error *err;
};

static const char *const table_functions[] = {"unnest", "range", "generate_series", "json_each",
                                              "json_tree"};

static const char *const node_types[] = {"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE"};

/* Objects without a class: table references, result modifiers, order items, pivot parts. */
static const char *const plain_types[] = {
    "BASE_TABLE",        "SUBQUERY",       "JOIN",
    "TABLE_FUNCTION",    "EMPTY",          "EMPTY_FROM",
    "EXPRESSION_LIST",   "PIVOT",          "SHOW_REF",
    "ORDER_MODIFIER",    "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER",
    "DISTINCT_MODIFIER", "ORDER_DEFAULT",  "ASCENDING",
    "DESCENDING"};

static const char *const expression_classes[] = {
    "CONSTANT", "COLUMN_REF", "FUNCTION", "WINDOW",     "STAR",        "OPERATOR",
    "CAST",     "CASE",       "SUBQUERY", "PARAMETER",  "LAMBDA",      "LAMBDA_REF",
    "BETWEEN",  "COLLATE",    "DEFAULT",  "COMPARISON", "CONJUNCTION", "POSITIONAL_REFERENCE",
    "TYPE"};

static bool listed(struct str name, const char *const *list, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (str_eq_nocase(name, str_of(list[i])))
            return true;
    return false;
}

#define LISTED(name, list) listed((name), (list), sizeof(list) / sizeof *(list))

static struct str text_of(yyjson_val *object, const char *key)
{
    return json_str_of(json_get(object, key));
}

/* Sets the place of a node in the error. */
static enum status at_node(struct gate *gate, yyjson_val *node, enum status status)
{
    yyjson_val *place = json_get(node, "query_location");
    if (yyjson_is_uint(place))
        sql_place(gate->sql, yyjson_get_uint(place), gate->err);
    return status;
}

static bool in_scope(const struct scope *scope, struct str name)
{
    for (; scope; scope = scope->outer)
        if (str_eq_nocase(scope->name, name))
            return true;
    return false;
}

static enum status want_table(struct gate *gate, yyjson_val *node, struct str name)
{
    struct gate_result *r = gate->result;
    for (uint32_t i = 0; i < r->tables_len; i++)
        if (str_eq(r->tables[i].name, name))
            return STATUS_OK;
    if (r->tables_len == SQL_TABLES_MAX)
        return error_set(gate->err, STATUS_RESOURCE_LIMIT, "a statement may name at most %d tables",
                         SQL_TABLES_MAX);
    uint64_t place = yyjson_get_uint(json_get(node, "query_location"));
    r->tables[r->tables_len++] =
        (struct gate_table){name, place <= gate->sql.len ? (size_t)place : gate->sql.len};
    return STATUS_OK;
}

static enum status check_table(struct gate *gate, yyjson_val *node, const struct scope *scope)
{
    struct str name = text_of(node, "table_name");
    struct str schema = text_of(node, "schema_name");
    struct str catalog = text_of(node, "catalog_name");
    yyjson_val *at = json_get(node, "at_clause");
    if (at && !yyjson_is_null(at)) {
        error_set(gate->err, STATUS_NOT_IMPLEMENTED, "AT (VERSION or TIMESTAMP) is not available");
        return at_node(gate, node, STATUS_NOT_IMPLEMENTED);
    }
    if (catalog.len || (schema.len && !str_eq_nocase(schema, STR("main")))) {
        error_set(
            gate->err, STATUS_SQL_REFUSED,
            "table %.*s.%.*s: only the tenant's own sources can be read, by their plain names",
            STR_ARG(schema.len ? schema : catalog), STR_ARG(name));
        return at_node(gate, node, STATUS_SQL_REFUSED);
    }
    if (schema.len == 0 && in_scope(scope, name))
        return STATUS_OK;
    return want_table(gate, node, name);
}

static enum status check_function(struct gate *gate, yyjson_val *node, bool is_table)
{
    struct str name = text_of(node, "function_name");
    struct str schema = text_of(node, "schema");
    struct str catalog = text_of(node, "catalog");
    bool built_in = (schema.len == 0 || str_eq_nocase(schema, STR("main")) ||
                     str_eq_nocase(schema, STR("pg_catalog"))) &&
                    (catalog.len == 0 || str_eq_nocase(catalog, STR("system")));
    enum engine_verdict verdict = engine_function(gate->engine, name);
    if (is_table && verdict != FUNCTION_UNKNOWN)
        verdict = LISTED(name, table_functions) ? FUNCTION_ALLOWED : FUNCTION_REFUSED;
    if (built_in && verdict == FUNCTION_ALLOWED)
        return STATUS_OK;
    enum status status = verdict == FUNCTION_UNKNOWN ? STATUS_INVALID_SQL : STATUS_SQL_REFUSED;
    error_set(gate->err, status,
              verdict == FUNCTION_UNKNOWN ? "there is no %sfunction %.*s"
                                          : "%sfunction %.*s is not available",
              is_table ? "table " : "", STR_ARG(name));
    return at_node(gate, node, status);
}

static enum status walk(struct gate *gate, yyjson_val *value, const struct scope *scope, int depth);

static enum status walk_members(struct gate *gate, yyjson_val *object, const struct scope *scope,
                                int depth, const char *skip)
{
    size_t i, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(object, i, max, key, value)
    {
        if (skip && strcmp(yyjson_get_str(key), skip) == 0)
            continue;
        TRY(walk(gate, value, scope, depth));
    }
    return STATUS_OK;
}

static enum status walk_body(struct gate *gate, yyjson_val *node, const struct scope *scope,
                             int depth)
{
    if (!str_is(text_of(node, "type"), "RECURSIVE_CTE_NODE"))
        return walk_members(gate, node, scope, depth, "cte_map");
    struct scope self = {text_of(node, "cte_name"), scope};
    TRY(walk(gate, json_get(node, "left"), scope, depth));
    return walk(gate, json_get(node, "right"), &self, depth);
}

/* The expressions of WITH one after the other, each seeing those before it, then the query. */
static enum status walk_with(struct gate *gate, yyjson_val *node, yyjson_arr_iter *expressions,
                             const struct scope *scope, int depth)
{
    if (depth > GATE_DEPTH_MAX)
        return error_set(gate->err, STATUS_INVALID_SQL, "the statement is nested too deeply");
    yyjson_val *entry = yyjson_arr_iter_next(expressions);
    if (!entry)
        return walk_body(gate, node, scope, depth);
    TRY(walk(gate, json_get(entry, "value"), scope, depth));
    struct scope inner = {text_of(entry, "key"), scope};
    return walk_with(gate, node, expressions, &inner, depth + 1);
}

static enum status walk_query(struct gate *gate, yyjson_val *node, const struct scope *scope,
                              int depth)
{
    yyjson_val *map = json_get(json_get(node, "cte_map"), "map");
    yyjson_arr_iter expressions;
    if (!LISTED(text_of(node, "type"), node_types) || !yyjson_arr_iter_init(map, &expressions))
        return error_set(gate->err, STATUS_SQL_REFUSED,
                         "this form of query is not available (%.*s)",
                         STR_ARG(text_of(node, "type")));
    return walk_with(gate, node, &expressions, scope, depth);
}

static enum status check_show(struct gate *gate, yyjson_val *node)
{
    yyjson_val *query = json_get(node, "query");
    struct str kind = text_of(node, "show_type");
    if (query && !yyjson_is_null(query) && (str_is(kind, "DESCRIBE") || str_is(kind, "SUMMARY")))
        return STATUS_OK;
    return error_set(gate->err, STATUS_SQL_REFUSED,
                     "SHOW is not available; DESCRIBE <source> and SUMMARIZE <source> are");
}

static enum status walk_plain(struct gate *gate, yyjson_val *object, struct str type,
                              const struct scope *scope, int depth)
{
    if (!LISTED(type, plain_types))
        return error_set(gate->err, STATUS_SQL_REFUSED, "this construct is not available (%.*s)",
                         STR_ARG(type));
    if (str_is(type, "BASE_TABLE"))
        TRY(check_table(gate, object, scope));
    if (str_is(type, "SHOW_REF"))
        TRY(check_show(gate, object));
    if (!str_is(type, "TABLE_FUNCTION"))
        return walk_members(gate, object, scope, depth, NULL);
    yyjson_val *function = json_get(object, "function");
    if (!str_is(text_of(function, "class"), "FUNCTION"))
        return error_set(gate->err, STATUS_SQL_REFUSED, "this table function is not available");
    TRY(check_function(gate, function, true));
    TRY(walk_members(gate, function, scope, depth, NULL));
    return walk_members(gate, object, scope, depth, "function");
}

static enum status walk_expression(struct gate *gate, yyjson_val *object, struct str class,
                                   const struct scope *scope, int depth)
{
    if (!LISTED(class, expression_classes)) {
        error_set(gate->err, STATUS_SQL_REFUSED, "this expression is not available (%.*s)",
                  STR_ARG(class));
        return at_node(gate, object, STATUS_SQL_REFUSED);
    }
    if (str_is(class, "CONSTANT"))
        return STATUS_OK; /* its type object looks like a node */
    if (json_get(object, "function_name"))
        TRY(check_function(gate, object, false));
    return walk_members(gate, object, scope, depth, "cast_type");
}

static enum status walk(struct gate *gate, yyjson_val *value, const struct scope *scope, int depth)
{
    if (depth > GATE_DEPTH_MAX)
        return error_set(gate->err, STATUS_INVALID_SQL, "the statement is nested too deeply");
    if (yyjson_is_arr(value)) {
        size_t i, max;
        yyjson_val *item;
        yyjson_arr_foreach(value, i, max, item) TRY(walk(gate, item, scope, depth + 1));
        return STATUS_OK;
    }
    if (!yyjson_is_obj(value))
        return STATUS_OK;
    if (json_get(value, "cte_map"))
        return walk_query(gate, value, scope, depth + 1);
    yyjson_val *class = json_get(value, "class");
    yyjson_val *type = json_get(value, "type");
    if (class)
        return walk_expression(gate, value, json_str_of(class), scope, depth + 1);
    if (yyjson_is_str(type))
        return walk_plain(gate, value, json_str_of(type), scope, depth + 1);
    return walk_members(gate, value, scope, depth + 1, NULL);
}

/* Statements of a text that the engine parses; 0 when it does not. */
static idx_t count_statements(struct engine *engine, struct str sql)
{
    duckdb_extracted_statements statements = NULL;
    char *text = str_dup(sql);
    idx_t count = text ? duckdb_extract_statements(engine->admin, text, &statements) : 0;
    duckdb_destroy_extracted(&statements);
    free(text);
    return count;
}

static enum status not_a_query(struct engine *engine, struct str sql, struct error *err)
{
    struct str start = str_trim(sql);
    start.len = start.len < 5 ? start.len : 5;
    /* The engine makes several statements of a PIVOT. */
    if (str_eq_nocase(start, STR("pivot")))
        return error_set(err, STATUS_SQL_REFUSED,
                         "PIVOT is available as FROM source PIVOT (... FOR column IN (values))");
    if (count_statements(engine, sql) > 1)
        return error_set(err, STATUS_SQL_REFUSED, "one statement at a time");
    return error_set(err, STATUS_SQL_REFUSED,
                     "only queries can be run: SELECT, VALUES, FROM, DESCRIBE, SUMMARIZE");
}

/* What json_serialize_sql says instead of a tree. */
static enum status not_serialized(struct engine *engine, struct str sql, yyjson_val *root,
                                  struct error *err)
{
    struct str message = text_of(root, "error_message");
    if (!str_is(text_of(root, "error_type"), "parser"))
        return not_a_query(engine, sql, err);
    if (memmem(message.data, message.len, "expression depth", strlen("expression depth")))
        return error_set(err, STATUS_INVALID_SQL, "the statement is nested too deeply");
    error_set(err, STATUS_INVALID_SQL, "%.*s", STR_ARG(message));
    int64_t offset;
    if (str_to_int64(text_of(root, "position"), &offset) && offset >= 0)
        sql_place(sql, (size_t)offset, err);
    return STATUS_INVALID_SQL;
}

/* The statement's tree as a JSON document, made by the engine's own parser. */
static enum status serialize(struct engine *engine, struct str sql, yyjson_doc **ret,
                             struct error *err)
{
    duckdb_prepared_statement statement = NULL;
    duckdb_result result = {0};
    enum status status = STATUS_OK;
    if (duckdb_prepare(engine->admin, "SELECT json_serialize_sql(?::VARCHAR)", &statement) !=
            DuckDBSuccess ||
        duckdb_bind_varchar_length(statement, 1, sql.data, sql.len) != DuckDBSuccess)
        status = errors_map(duckdb_prepare_error(statement), STR_NONE, err);
    else if (duckdb_execute_prepared(statement, &result) != DuckDBSuccess)
        status = errors_map(duckdb_result_error(&result), sql, err);
    if (status == STATUS_OK) {
        char *json = duckdb_value_varchar(&result, 0, 0);
        *ret = json ? yyjson_read(json, strlen(json), YYJSON_READ_ALLOW_INF_AND_NAN) : NULL;
        duckdb_free(json);
        if (!*ret)
            status = error_set(err, STATUS_SQL_REFUSED, "the statement cannot be looked into");
    }
    duckdb_destroy_result(&result);
    duckdb_destroy_prepare(&statement);
    return status;
}

static enum status check_text(struct str sql, struct error *err)
{
    if (sql.len > SQL_TEXT_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a statement may have at most %d bytes",
                         SQL_TEXT_MAX);
    size_t valid = utf8_valid_prefix(sql.data, sql.len);
    const char *zero = sql.len ? memchr(sql.data, '\0', sql.len) : NULL;
    if (valid == sql.len && !zero)
        return STATUS_OK;
    error_set(err, STATUS_INVALID_SQL, "the statement is not UTF-8 text without zero bytes");
    sql_place(sql, zero && (size_t)(zero - sql.data) < valid ? (size_t)(zero - sql.data) : valid,
              err);
    return STATUS_INVALID_SQL;
}

enum status gate_check(struct engine *engine, struct str sql, struct gate_result *ret,
                       struct error *err)
{
    ret->doc = NULL;
    ret->tables_len = 0;
    TRY(check_text(sql, err));
    TRY(serialize(engine, sql, &ret->doc, err));
    yyjson_val *root = yyjson_doc_get_root(ret->doc);
    if (!yyjson_is_false(json_get(root, "error")))
        return not_serialized(engine, sql, root, err);
    yyjson_val *statements = json_get(root, "statements");
    if (yyjson_arr_size(statements) == 0)
        return error_set(err, STATUS_INVALID_SQL, "there is no statement");
    if (yyjson_arr_size(statements) > 1)
        return error_set(err, STATUS_SQL_REFUSED, "one statement at a time");
    struct gate gate = {engine, sql, ret, err};
    return walk(&gate, json_get(yyjson_arr_get_first(statements), "node"), NULL, 0);
}

void gate_release(struct gate_result *result)
{
    yyjson_doc_free(result->doc);
    result->doc = NULL;
}
