/* bind.h: names and types of a statement against a catalog: the semantic check.
 *
 * lang_bind walks the tree of lang_parse with scopes, finds the table and column of every name, and
 * writes the light type of each column into its node, so that lowering can choose between meanings
 * (a / b over integers). It reports all that is wrong, up to LANG_PROBLEMS_MAX:
 *
 *   UNKNOWN_TABLE, UNKNOWN_COLUMN (with the nearest name), AMBIGUOUS_COLUMN, TYPE_MISMATCH (where
 *   the dialect itself would refuse), WRONG_ARGUMENTS, NOT_GROUPED, BAD_AGGREGATE, BAD_WINDOW.
 *
 * It never refuses what is right: where a type, a table's columns or a function's ways are not
 * known (table functions, PIVOT, structs, functions of a dialect), it is silent. */
#ifndef QUARRY_QUERY_LANG_BIND_H
#define QUARRY_QUERY_LANG_BIND_H

#include "data/type.h"
#include "query/lang/lang.h"

/* A column of unknown type has LANG_TYPE_UNKNOWN. Values are those of enum lang_type. */
struct lang_source_column {
    struct str name;
    uint8_t type;
};

struct lang_source {
    struct str name; /* "sales", "system.files" */
    const struct lang_source_column *columns;
    size_t count;
    bool open; /* it may have further columns */
};

struct lang_catalog {
    const struct lang_source *sources;
    size_t count;
};

enum { LANG_PROBLEMS_MAX = 20 };

struct lang_problems {
    struct lang_problem items[LANG_PROBLEMS_MAX]; /* by place */
    size_t count;
};

/* A source as the store has it; the columns are in the arena. Of columns that differ in case only
 * the engine renames some: such a source is open. NULL columns: no memory. */
struct lang_source lang_source_of(struct arena *arena, struct str name, const struct field *fields,
                                  size_t count);

/* The same for a query whose columns are wanted: `ret_columns` gets them, names in the arena or the
 * query's text (an expression without a name has the empty one), open when the engine has to say.
 */
enum status lang_bind_query(struct arena *arena, struct lang_query *query,
                            const struct lang_catalog *catalog, struct lang_source *ret_columns,
                            struct lang_problems *ret);

/* STATUS_OK: nothing is wrong. STATUS_INVALID_SQL: `ret` says what. STATUS_NO_MEMORY. */
enum status lang_bind(struct arena *arena, struct lang_query *query,
                      const struct lang_catalog *catalog, struct lang_problems *ret);

#endif
