/* gate.h: may this statement run? Decided before the engine binds anything, since binding a table
 * function already opens files.
 *
 * Passes: exactly one statement that the engine can serialize, which means a SELECT (also VALUES,
 * FROM ..., TABLE t, DESCRIBE t, SUMMARIZE t), in which
 *   - every kind of node is on the list of known kinds,
 *   - every table is unqualified or of schema main; it is a common table expression in scope, or
 *     its name is handed out as wanted, for the pool to say whether the tenant has it,
 *   - every table function and every scalar, aggregate and window function is on its allow-list.
 * Scope follows the engine's rules to the safe side: a common table expression is visible after its
 * own definition and, if recursive, in its recursive half. */
#ifndef QUARRY_QUERY_SQLWORKER_GATE_H
#define QUARRY_QUERY_SQLWORKER_GATE_H

#include "base/json.h"
#include "query/sql/wire.h"
#include "query/sqlworker/engine.h"

enum { GATE_DEPTH_MAX = 3000 }; /* levels of the serialized tree */

struct gate_table {
    struct str name; /* as written; borrowed from the document */
    size_t offset;   /* byte in the statement */
};

struct gate_result {
    yyjson_doc *doc; /* keeps the names */
    struct gate_table tables[SQL_TABLES_MAX];
    uint32_t tables_len;
};

/* STATUS_INVALID_SQL (syntax), STATUS_SQL_REFUSED, STATUS_RESOURCE_LIMIT (too long, too many
 * tables). The result is to be released in any case. */
enum status gate_check(struct engine *engine, struct str sql, struct gate_result *ret,
                       struct error *err);
void gate_release(struct gate_result *result);

#endif
