/* statement_int.h: shared by the files that read a statement. A function that returns false has met
 * something that our operators cannot do (or no memory: the engine will say so). */
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

struct scope;
struct typed;

/* --- statement.c --- */

/* The column that a reference means: its very name, once in the table whatever the case. */
bool reader_column(const struct reader *reader, const struct node *ref, uint32_t *ret);
/* Names over the fields of the table. */
struct scope field_scope(struct reader *reader);
static inline const struct node *expression_of(const struct node *item)
{
    return node_is(item, N_ALIAS) ? kid(item, 0) : item;
}
/* Says more than `allowed`: something we do not know. */
static inline bool node_has_other(const struct node *node, uint32_t allowed)
{
    return node->flags & ~(allowed | NODE_PAREN | NODE_LOWERED);
}
/* A call with arguments and perhaps DISTINCT, nothing more. */
bool is_plain_call(const struct node *call);

/* --- constant.c; values as written or as parameters --- */

bool constant_whole(const struct reader *reader, const struct node *node, int64_t *ret);
bool constant_real(const struct reader *reader, const struct node *node, double *ret);
bool constant_text(const struct reader *reader, const struct node *node, struct str *ret);
bool constant_bool(const struct reader *reader, const struct node *node, bool *ret);
bool constant_date(const struct node *node, int32_t *ret);
bool constant_time(const struct node *node, int64_t *ret);
bool constant_date_text(struct str text, int32_t *ret);
bool constant_time_text(struct str text, int64_t *ret);

/* --- condition.c: WHERE into the statement's filter --- */

bool statement_read_where(struct reader *reader, const struct node *where);

/* --- names.c --- */

bool engine_name(const struct reader *reader, const struct node *expression, struct str *ret);
bool is_engine_word(struct str name);

/* --- output.c: what is selected, grouped and ordered by --- */

bool statement_read_outputs(struct reader *reader);
/* A column of the answer; `from` of the operators' rows. */
bool add_output(struct reader *reader, struct str name, const char *type, uint32_t from);
/* An expression over the operators' rows becomes one more column of them, or is one of them
 * already. Derived columns are marked until the number of the others is known. */
bool add_derived(struct reader *reader, struct typed value, uint32_t *ret_from);
void place_derived(struct own_statement *out, uint32_t columns);
/* The output's name: the alias, or what the engine would give. */
bool statement_output_name(const struct reader *reader, const struct node *item, struct str *ret);
/* Which output a key of ORDER BY names or numbers, as the engine finds it: aliases first. */
bool order_output(const struct reader *reader, const struct node *order, uint32_t *ret);
/* One key of ORDER BY, nulls last: the engine's default in both directions. */
bool is_plain_order(const struct node *order);
/* rows.c, groups.c. */
bool statement_read_rows(struct reader *reader, const struct node *items);
bool statement_read_groups(struct reader *reader, const struct node *items);
bool has_aggregate(const struct node *node);

#endif
