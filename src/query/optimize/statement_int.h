/* statement_int.h: shared by statement.c, output.c and condition.c. A function that returns false
 * has met something that our operators cannot do (or no memory: the engine will say so). */
#ifndef QUARRY_QUERY_STATEMENT_INT_H
#define QUARRY_QUERY_STATEMENT_INT_H

#include "query/lang/lang.h"
#include "query/lang/node.h"
#include "query/optimize/statement.h"

struct reader {
    struct arena *arena;
    const struct node *root;
    yyjson_val *parameters;
    const struct schema *schema;
    struct str table, alias; /* names that qualify a column */
    struct own_statement *out;
};

/* The column that a reference means: its very name, once in the table whatever the case. */
bool reader_column(const struct reader *reader, const struct node *ref, uint32_t *ret);

/* condition.c: WHERE as filters of the filter language, a JSON object. */
bool read_where(const struct reader *reader, const struct node *where, struct json_writer *w);
/* A whole number that is written or given as a parameter. */
bool read_whole(const struct reader *reader, const struct node *node, int64_t *ret);

/* output.c: what is selected, grouped and ordered by. */
bool read_outputs(struct reader *reader);

#endif
