/* engine.h: one DuckDB instance, locked down, and what it offers to tenant SQL.
 *
 * Opened inside the cage. No extension is installed or loaded, files outside of the tenant's
 * folders are refused by the engine as well, its configuration is locked. Each query gets a
 * connection of its own, so no session state goes from one query to the next. One thread. */
#ifndef QUARRY_QUERY_SQLWORKER_ENGINE_H
#define QUARRY_QUERY_SQLWORKER_ENGINE_H

#include <duckdb.h>

#include "base/buf.h"
#include "base/json.h"
#include "query/sqlworker/views.h"

struct engine_options {
    const char *read_folders[3]; /* NULL-ended */
    const char *temp_folder;
    uint64_t memory_bytes; /* address space of the process; 0: no limit is known */
    uint64_t spill_bytes;
    uint32_t threads;
};

struct engine_function {
    char *name; /* lower case */
    bool allowed;
};

struct engine {
    duckdb_database db;
    duckdb_connection admin;           /* for the engine's own statements */
    struct engine_function *functions; /* all that the engine has, by name */
    uint32_t functions_len;
    struct view_cache views;
};

enum status engine_open(const struct engine_options *options, struct engine *ret,
                        struct error *err);
void engine_close(struct engine *engine);

/* Runs a statement of ours that gives nothing back. */
enum status engine_run(struct engine *engine, const char *sql, struct error *err);

/* Functions by name, for the gate. Refused: the engine has it, tenant SQL has not. Only scalar,
 * aggregate and window functions and macros are ever allowed here; table functions have their own
 * list in gate.c. */
enum engine_verdict { FUNCTION_ALLOWED, FUNCTION_REFUSED, FUNCTION_UNKNOWN };
enum engine_verdict engine_function(const struct engine *engine, struct str name);

#endif
