/* derived.h: what a statement computes from the operators' rows: expressions, and which groups. */
#ifndef QUARRY_QUERY_DERIVED_H
#define QUARRY_QUERY_DERIVED_H

#include "query/optimize/statement.h"

/* Adds the columns behind those of the rows, which nobody else has yet. EXPR_DOUBT: query/expr. */
enum status derived_add(const struct own_statement *statement, struct batch *rows,
                        struct error *err);
/* The rows that HAVING lets through, malloc'ed; NULL when it is not there. */
enum status derived_having(const struct own_statement *statement, const struct batch *rows,
                           uint32_t **ret_rows, uint32_t *ret_len, struct error *err);

#endif
