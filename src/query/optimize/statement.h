/* statement.h: SELECTs that our own operators answer exactly as the SQL engine would: one table, a
 * filter, columns or expressions, aggregates and HAVING by columns or expressions, an order, a
 * limit. Of functions and types those of query/expr. Everything else is left to the engine; so is
 * everything about which there is a doubt. */
#ifndef QUARRY_QUERY_STATEMENT_H
#define QUARRY_QUERY_STATEMENT_H

#include "query/optimize/access.h"
#include "query/sql/sql.h"

enum { OWN_COLUMNS_MAX = 500, OWN_ORDERS_MAX = 8, OWN_DERIVED_MAX = 64 };

/* A column of the answer. */
struct own_output {
    struct str name;
    const char *sql_type; /* the engine's name: "BIGINT" */
    uint32_t from; /* of the operators' rows: keys, then aggregates, or the search's columns; behind
                    * them what is derived from these */
};

/* An expression over the operators' rows. */
struct own_derived {
    const struct expr *expr;
    enum type type; /* in the answer: JSON for a HUGEINT */
};

struct own_order {
    uint32_t from; /* of the operators' rows */
    bool descending;
};

struct own_statement {
    uint32_t table; /* of the tables given */
    struct query_shape shape;
    struct filter *filter;
    yyjson_doc *filters;
    enum type *types; /* of the operators' rows, of aggregates */
    struct own_output *outputs;
    uint32_t outputs_len;
    struct own_derived *derived;
    uint32_t derived_len;
    const struct expr *having;               /* which groups; NULL: all */
    struct own_order orders[OWN_ORDERS_MAX]; /* of aggregates */
    uint32_t orders_len;
    int64_t limit; /* of the answer; -1: none */
    uint64_t offset;
};

struct node;

/* `root` is the tree of a query in DuckDB's dialect; it has to outlive the statement. False: the
 * engine has to do it (and finds what is wrong with it). What it made is to be released in either
 * case. */
bool own_statement_read(struct arena *arena, const struct node *root, yyjson_val *parameters,
                        const struct sql_table *tables, uint32_t tables_len,
                        struct own_statement *ret);
/* All that the answer depends on but the state of the table: equal for statements that mean the
 * same, as far as that is seen. */
void own_statement_key(const struct own_statement *statement, struct buf *key);
void own_statement_release(struct own_statement *statement);

#endif
