/* analyze_int.h: what the files of the analysis share: the walk's state, scopes, and who walks
 * what. */
#ifndef QUARRY_QUERY_LANG_ANALYZE_INT_H
#define QUARRY_QUERY_LANG_ANALYZE_INT_H

#include "query/lang/lang.h"
#include "query/lang/node.h"

struct columns {
    struct lang_column *items;
    size_t count, cap;
};

struct outputs {
    struct lang_output *items;
    size_t count, cap;
};

/* A table in scope: a base table (outputs NULL) or a derived one. */
struct entry {
    struct str alias;
    struct str name;
    const struct outputs *outputs;
    struct entry *next;
};

struct scope {
    struct scope *parent;
    struct entry *entries;
    struct entry *ctes; /* with their outputs */
};

struct analyzer {
    struct arena *arena;
    const struct lang_query *query;
    struct lang_analysis *ret;
    struct columns *sink; /* base columns of the expression at hand */
    struct columns all;
    size_t table_cap, function_cap, parameter_cap, filter_cap, aggregate_cap, join_cap, cte_cap;
    bool failed;
    int depth;
};

/* analyze_names.c */
/* Makes room for one more item of an array in the arena. */
void *analyze_grow(struct analyzer *a, void *items, size_t count, size_t *cap, size_t size);
#define ANALYZE_PUSH(a, array, counter, capacity, value)                                           \
    do {                                                                                           \
        void *push_ = analyze_grow((a), (array), (counter), &(capacity), sizeof *(array));         \
        if (push_) {                                                                               \
            (array) = push_;                                                                       \
            (array)[(counter)++] = (value);                                                        \
        }                                                                                          \
    } while (0)
struct str analyze_text_of(struct analyzer *a, const struct node *node);
struct str analyze_dotted(struct analyzer *a, const struct node *ref);
struct str analyze_last_part(const struct node *ref);
void analyze_add_to(struct analyzer *a, struct columns *columns, struct lang_column column);
const struct lang_output *analyze_find_output(const struct outputs *outputs, struct str name);
void analyze_add_output(struct analyzer *a, const struct lang_output *output);
void analyze_resolve_bare(struct analyzer *a, struct str name, const struct scope *scope,
                          size_t offset);
void analyze_walk_ref(struct analyzer *a, const struct node *ref, struct scope *scope);
void analyze_star_of(struct analyzer *a, const struct entry *e, size_t offset);
void analyze_walk_star(struct analyzer *a, const struct node *star, struct scope *scope);

/* analyze_from.c */
const struct outputs *analyze_renamed(struct analyzer *a, const struct outputs *outputs,
                                      const struct node *alias);
void analyze_add_table(struct analyzer *a, struct lang_table table);
void analyze_walk_name(struct analyzer *a, const struct node *table, struct scope *scope,
                       bool written);
void analyze_walk_from(struct analyzer *a, const struct node *table, struct scope *scope, bool top);

/* analyze_facts.c */
bool analyze_has_aggregate(const struct node *node);
void analyze_add_aggregates(struct analyzer *a, const struct node *node, struct str alias);
void analyze_walk(struct analyzer *a, const struct node *node, struct scope *scope);
void analyze_add_filters(struct analyzer *a, const struct node *condition, struct scope *scope);

/* analyze_query.c */
void analyze_walk_ctes(struct analyzer *a, const struct node *with, struct scope *scope);
struct outputs *analyze_walk_query(struct analyzer *a, const struct node *query,
                                   struct scope *parent, bool top);

#endif
