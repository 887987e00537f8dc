/* change.h: statements that change rows, as queries over what they change.
 *
 * INSERT, UPDATE, DELETE and MERGE become one SELECT in DuckDB's dialect whose rows say what is to
 * be done: unit and row of the target (NULL: none), an action, then the target's columns in their
 * order, cast to their types. So every expression, sub-query and join that a query may have may
 * stand in them too. The target is read under a name of its own, with its two position columns. */
#ifndef QUARRY_QUERY_LANG_CHANGE_H
#define QUARRY_QUERY_LANG_CHANGE_H

#include "data/type.h"
#include "query/lang/lang.h"

enum lang_action { LANG_KEEP, LANG_ADD, LANG_REPLACE, LANG_REMOVE };

/* Columns before the target's own in the rows. */
enum { LANG_CHANGE_UNIT, LANG_CHANGE_ROW, LANG_CHANGE_ACTION, LANG_CHANGE_COLUMNS };

struct lang_target_column {
    struct str name;
    const char *type; /* DuckDB's: "BIGINT" */
    bool is_key;      /* SET may not change it */
    bool set;         /* out: rows of LANG_ADD have a value for it (else its default) */
};

struct lang_change {
    const char *table;      /* name that stands for the target in the text */
    const char *unit, *row; /* its position columns */
    struct lang_target_column *columns;
    size_t columns_len;
};

/* The table that an INSERT, UPDATE, DELETE or MERGE changes: the last part of its name, and where
 * it stands. Data NULL: another statement. */
struct str lang_change_target(const struct lang_query *query, size_t *ret_offset);

/* `query` was bound; its parameters ? become $1, $2, ... The number of values of an INSERT is
 * checked for VALUES only: `*ret_values` is how many columns its query must have. */
enum status lang_change_query(struct arena *arena, struct lang_query *query,
                              struct lang_change *change, struct buf *out, size_t *ret_values,
                              struct lang_problem *problem);

/* The query alone that an INSERT or CREATE TABLE AS takes its rows from, in DuckDB's dialect;
 * `no_rows`: its columns are wanted only. */
enum status lang_source_query(struct arena *arena, struct lang_query *query, bool no_rows,
                              struct buf *out, struct lang_problem *problem);

/* ---- declared columns ---- */

/* The type that a column declared so gets. `*ret_loses`: values may lose digits (DECIMAL as
 * double). UNSUPPORTED for types that have no place in a source (TIME, BLOB, ...). */
enum status lang_declared_type(struct arena *arena, const struct lang_query *query,
                               const struct node *type, enum type *ret, bool *ret_loses,
                               struct lang_problem *problem);
/* The same for DuckDB's name of a type: "DECIMAL(18,2)", "INTEGER[]". False: none. */
bool lang_named_type(struct str name, enum type *ret, bool *ret_loses);
/* The value of a literal (a number, a text, TRUE, NULL, DATE '...') as JSON, appended to `out`. */
enum status lang_literal_json(const struct lang_query *query, const struct node *node,
                              struct buf *out, struct lang_problem *problem);

#endif
