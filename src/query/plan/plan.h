/* plan.h: logical plans: a tree of relational operators that rules improve and that is written as
 * JSON. Made from the DSL (query/dsl) or from the tree of an SQL statement (plan_of_sql).
 *
 * A plan says what is done where, not how the engine does it: DuckDB plans its own way. What it is
 * for: seeing which rules apply, and the optimizer's choice of access paths.
 *
 * Everything lives in the caller's arena. Trees are bounded by PLAN_DEPTH_MAX. */
#ifndef QUARRY_QUERY_PLAN_H
#define QUARRY_QUERY_PLAN_H

#include "base/arena.h"
#include "base/json.h"

enum { PLAN_DEPTH_MAX = 60, PLAN_RULES_MAX = 16, PLAN_ROUNDS_MAX = 8 };

/* --- expressions --- */

enum plan_expr_kind { PLAN_COLUMN, PLAN_VALUE, PLAN_CALL, PLAN_STAR };
struct plan_expr {
    enum plan_expr_kind kind;
    struct str table; /* qualifier; data NULL: none */
    struct str name;  /* of the column, with its path; of the function: "and", "eq", "sum" ... */
    struct str json;  /* the value; of a parameter {"param": name} */
    struct plan_expr **args;
    uint32_t args_len;
};

struct plan_exprs {
    struct plan_expr **items;
    uint32_t len, cap;
};

/* A column of an answer, or a sort key. */
struct plan_item {
    struct plan_expr *expr;
    struct str alias; /* data NULL: none */
    bool descending, nulls_first;
};

struct plan_items {
    struct plan_item *items;
    uint32_t len, cap;
};

/* --- operators --- */

enum plan_op {
    PLAN_SCAN,
    PLAN_FILTER,
    PLAN_JOIN,
    PLAN_AGGREGATE,
    PLAN_WINDOW,
    PLAN_PROJECT,
    PLAN_DISTINCT,
    PLAN_SORT,
    PLAN_LIMIT,
    PLAN_TOP_K,
    PLAN_SET,   /* union, intersect, except */
    PLAN_EMPTY, /* no rows: a condition is never true */
};

struct plan_node {
    enum plan_op op;
    struct plan_node *input, *right; /* right: of a join or set operation */
    struct str source, alias;        /* scan; alias also of a subquery's outermost node */
    struct str kind;                 /* of a join or set operation: "left", "union all" */
    struct plan_exprs conditions;    /* filter, join; scan: pushed down */
    struct plan_items items;         /* project, sort, top-k, window; aggregate: functions */
    struct plan_items groups;        /* aggregate */
    int64_t limit, offset;           /* limit, top-k; scan: -1 none */
    struct plan_exprs pruning;       /* scan: of its conditions, those that bounds can decide */
    struct str *columns;             /* scan: all that is read; NULL: everything */
    uint32_t columns_len;
    bool pruned, partial, metadata_only;
};

struct plan_rule_use {
    const char *rule, *what; /* what: for people */
    uint32_t times;
};

struct plan {
    struct arena *arena;
    struct plan_node *root;
    struct plan_rule_use rules[PLAN_RULES_MAX]; /* in the order of their first use */
    uint32_t rules_len;
    struct str *join_order; /* a hint, or NULL */
    uint32_t join_order_len;
    bool failed; /* memory ran out; then these stand for what could not be made */
    struct plan_node spare_node;
    struct plan_expr spare_expr;
};

/* --- building --- */

void plan_init(struct plan *plan, struct arena *arena);
struct plan_node *plan_add(struct plan *plan, enum plan_op op, struct plan_node *input);
struct plan_expr *plan_column(struct plan *plan, struct str table, struct str name);
struct plan_expr *plan_value(struct plan *plan, struct str json);
struct plan_expr *plan_star(struct plan *plan);
struct plan_expr *plan_call(struct plan *plan, struct str name, uint32_t args);
void plan_push_expr(struct plan *plan, struct plan_exprs *list, struct plan_expr *expr);
void plan_push_item(struct plan *plan, struct plan_items *list, struct plan_item item);
/* The conjuncts of a condition. */
void plan_push_conjuncts(struct plan *plan, struct plan_exprs *list, struct plan_expr *expr);

/* The tree of query/lang as JSON: {"kind": "select", ...}. STATUS_INVALID_ARGUMENT when it is no
 * query, STATUS_NOT_IMPLEMENTED naming what has no plan yet. */
enum status plan_of_sql(struct plan *plan, yyjson_val *tree, struct error *err);

/* --- rules --- */

enum plan_level { PLAN_NONE, PLAN_BASIC, PLAN_AGGRESSIVE };
bool plan_level_parse(struct str name, enum plan_level *ret);

struct plan_options {
    enum plan_level level;
    bool optimize_joins, push_down_filters, column_pruning;
    /* Polled between rounds; true ends the work with STATUS_TIMEOUT. May be NULL. */
    bool (*late)(void *context);
    void *context;
};
enum status plan_optimize(struct plan *plan, const struct plan_options *options, struct error *err);

/* --- looking --- */

bool plan_expr_equal(const struct plan_expr *a, const struct plan_expr *b);
void plan_write(const struct plan_node *node, struct json_writer *w);
void plan_write_expr(const struct plan_expr *expr, struct json_writer *w);
/* [{"rule", "description", "times"}...] */
void plan_write_rules(const struct plan *plan, struct json_writer *w);
/* The 11 keys of contracts 1.5.4, of a plan before any rule. */
void plan_write_internal(const struct plan_node *root, struct json_writer *w);
/* The members of contracts 1.5.5 behind internal_query: execution_strategy ... timeout_ms. */
void plan_write_execution(const struct plan_node *root, struct json_writer *w);

#endif
