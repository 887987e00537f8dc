/* lower_int.h: from a dialect's tree to the common meaning (DuckDB's).
 *
 * Lowering builds a new tree bottom-up: lower_tree(node) gives a node whose children are lowered
 * and whose functions, operators, types, literals and orders mean in DuckDB what the source meant
 * in its dialect. The source tree stays as it is. Errors are sticky, as in the parser. */
#ifndef QUARRY_QUERY_LANG_LOWER_INT_H
#define QUARRY_QUERY_LANG_LOWER_INT_H

#include "query/lang/dialect.h"
#include "query/lang/node.h"

/* ClickHouse: WITH 10 AS n: the name stands for the value. */
struct lower_binding {
    struct str name;
    struct node *value;
    struct lower_binding *outer;
};

struct lower {
    struct arena *arena;
    const struct dialect *dialect;
    enum lang_dialect id;
    struct str text;
    struct lang_problem *problem;
    enum status status;
    struct lower_binding *bindings; /* of WITH value AS name, innermost first */
    int aliases;                    /* made so far, for _t0, _t1 */
    int depth;                      /* of templates in templates */
};

bool lower_has(const struct lower *l, uint32_t flag);
#define LOWER_IS(l, name) ((l)->id == LANG_##name)

/* ---- nodes ---- */
struct node *lower_node(struct lower *l, enum node_kind kind, const char *text, size_t slots,
                        const struct node *at);
struct node *lower_text(struct lower *l, enum node_kind kind, struct str text,
                        const struct node *at);
/* A name in quotes; a value AS such a name. */
struct node *lower_quoted(struct lower *l, struct str name);
struct node *lower_named(struct lower *l, struct node *value, struct str name);
struct node *lower_string(struct lower *l, const char *text, const struct node *at);
struct node *lower_number(struct lower *l, int64_t value, const struct node *at);
/* A copy with lowered children. */
struct node *lower_copy(struct lower *l, const struct node *node);
struct node *lower_shallow(struct lower *l, const struct node *node);
struct node *lower_list_of(struct lower *l, enum node_kind kind, struct node **items, size_t count,
                           const struct node *at);
struct node *lower_call_of(struct lower *l, const char *name, struct node **args, size_t count,
                           const struct node *at);
struct node *lower_cast(struct lower *l, struct node *value, const char *type);
struct node *lower_binary(struct lower *l, const char *op, struct node *left, struct node *right);
struct str lower_upper(struct lower *l, struct str text);

void lower_unsupported(struct lower *l, const struct node *at, struct str name, const char *why);

/* ---- walk ---- */
struct node *lower_tree(struct lower *l, const struct node *node);
struct node *lower_expr(struct lower *l, const struct node *node); /* operators, literals */
struct node *lower_call(struct lower *l, const struct node *node);
struct node *lower_query(struct lower *l, const struct node *node);
struct node *lower_table(struct lower *l, const struct node *node);
struct node *lower_type(struct lower *l, const struct node *node);
struct node *lower_interval(struct lower *l, const struct node *node);
struct node *lower_extract(struct lower *l, const struct node *node);
struct node *lower_order(struct lower *l, const struct node *list);

/* A template with its slots filled by lowered nodes; modifiers of `call` go to its first call. */
struct node *lower_template(struct lower *l, const char *text, struct node **args, size_t count,
                            const struct node *call);
/* The conversion of a time format, given as a literal. NULL and UNSUPPORTED when it cannot be. */
struct node *lower_format(struct lower *l, const struct node *format);
/* YEAR, 'year', years, yy: the unit in upper case; "" when it is none. */
struct str lower_unit(struct lower *l, const struct node *node);

/* ---- special cases, by name after "@" in a row ---- */
typedef struct node *lower_hook(struct lower *l, struct node *call, struct node **args,
                                size_t count);
lower_hook *lower_hook_find(const char *name);

/* ---- types ---- */
enum lang_type lower_type_of(struct str name);
/* The light type of a lowered node. */
void lower_infer(struct lower *l, struct node *node);
bool type_is_number(uint8_t type);

/* The whole: the lowered tree. */
enum status lang_lower(struct arena *arena, const struct lang_query *query, struct node **ret,
                       struct lang_problem *problem);

#endif
