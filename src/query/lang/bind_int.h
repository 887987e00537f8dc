/* bind_int.h: what the files of the binder share.
 *
 * A relation is a table in scope with its columns; an open one may have columns that are not
 * listed. Scopes are chained from the inside out. */
#ifndef QUARRY_QUERY_LANG_BIND_INT_H
#define QUARRY_QUERY_LANG_BIND_INT_H

#include "query/lang/bind.h"
#include "query/lang/lower_int.h"
#include "query/lang/node.h"

struct bind_relation {
    struct str name; /* alias, or the table's last name */
    const struct lang_source_column *columns;
    size_t count, cap;
    bool open;
    bool hidden; /* the right side of a semi-join: no star, no ambiguity */
    struct bind_relation *next;
};

/* A name that is no column: a lambda's parameter, a USING column, a value of WITH. */
struct bind_name {
    struct str name;
    struct bind_name *next;
};

struct bind_scope {
    struct bind_scope *parent;
    struct bind_relation *relations; /* in their order */
    struct bind_relation *ctes;      /* newest first */
    struct bind_relation *outputs;   /* of this select, as far as they are known */
    const struct node *items;        /* its select list; NULL: none or a bare FROM */
    struct bind_name *merged;        /* by USING and NATURAL: not ambiguous */
    struct bind_name *values;
    bool open; /* any name may be meant */
};

enum bind_clause { BIND_ITEMS, BIND_ON, BIND_WHERE, BIND_GROUP, BIND_HAVING, BIND_REST };

struct binder {
    struct arena *arena;
    const struct lang_query *query;
    const struct lang_catalog *catalog;
    struct lang_problems *problems;
    enum lang_dialect id;
    bool failed; /* no memory */
    enum bind_clause clause;
    int aggregates; /* calls of aggregates around the node at hand */
    bool inner;     /* tables of outer queries are in scope */
};

/* ---- problems ---- */
struct lang_problem *bind_problem(struct binder *b, enum lang_code code, size_t offset,
                                  struct str found, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* ---- scopes ---- */
struct bind_scope *bind_scope_new(struct binder *b, struct bind_scope *parent);
struct bind_relation *bind_relation_new(struct binder *b, struct str name);
void bind_enter(struct bind_scope *scope, struct bind_relation *relation);
void bind_add_column(struct binder *b, struct bind_relation *relation, struct str name,
                     uint8_t type);
void bind_add_name(struct binder *b, struct bind_name **list, struct str name);
bool bind_has_name(const struct bind_name *list, struct str name);
const struct lang_source_column *bind_column(const struct bind_relation *relation, struct str name);
/* A base table or CTE; an unknown one is reported and open. */
struct bind_relation *bind_table(struct binder *b, const struct node *table,
                                 struct bind_scope *scope);
/* The type of a column reference; an unknown one is reported. */
uint8_t bind_ref(struct binder *b, struct node *ref, struct bind_scope *scope);
/* Of a table; NULL: of any in scope. */
void bind_unknown_column(struct binder *b, const struct node *ref, struct str name,
                         const struct bind_relation *in, const struct bind_scope *scope);
/* Whether it is certainly a column of a table of this very scope. */
bool bind_is_own_column(const struct bind_scope *scope, const struct node *ref);

/* ---- queries ---- */
/* The outputs as a relation without a name; never NULL but without memory. */
struct bind_relation *bind_query(struct binder *b, struct node *query, struct bind_scope *parent);
void bind_from(struct binder *b, struct node *table, struct bind_scope *scope);
void bind_with(struct binder *b, struct node *with, struct bind_scope *scope);

/* ---- expressions ---- */
uint8_t bind_expr(struct binder *b, struct node *node, struct bind_scope *scope);
void bind_exprs(struct binder *b, struct node *list, struct bind_scope *scope);
/* What a call gives, by the types of its arguments. */
uint8_t bind_call_type(const struct binder *b, const struct node *call, const uint8_t *types,
                       size_t count);

/* ---- rules ---- */
bool bind_is_aggregate(const struct node *node);
/* An aggregate outside of sub-queries. */
bool bind_has_aggregate(const struct node *node);
void bind_check_call(struct binder *b, const struct node *call, const uint8_t *types, size_t count);
void bind_check_comparison(struct binder *b, const struct node *left, uint8_t x,
                           const struct node *right, uint8_t y);
void bind_check_arithmetic(struct binder *b, const struct node *node, uint8_t left, uint8_t right);
void bind_check_grouping(struct binder *b, const struct node *select,
                         const struct bind_scope *scope);
/* A function that is the same everywhere and works row by row. */
bool bind_is_plain_function(struct str name);

#endif
