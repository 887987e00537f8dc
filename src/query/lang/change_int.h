/* change_int.h: what the files of change.h share: nodes that are lowered already, and the parts
 * that the statements have in common. */
#ifndef QUARRY_QUERY_LANG_CHANGE_INT_H
#define QUARRY_QUERY_LANG_CHANGE_INT_H

#include "query/lang/change.h"
#include "query/lang/lower_int.h"

struct maker {
    struct lower l;
    const struct lang_change *change;
    struct str alias; /* of the target */
};

/* UNSUPPORTED: why, and the name. The first stays. */
void change_refuse(struct maker *m, const struct node *at, struct str name, const char *why);

/* ---- nodes ---- */
struct node *change_ident(struct maker *m, struct str text);
struct node *change_column_of(struct maker *m, struct str table, struct str column);
struct node *change_null_node(struct maker *m);
struct node *change_named(struct maker *m, struct node *value, struct str name);
struct node *change_table_node(struct maker *m, struct str name, struct str alias);
struct node *change_target_node(struct maker *m);
struct node *change_select_node(struct maker *m, struct node *items, struct node *from,
                                struct node *where);
struct node *change_not_exists(struct maker *m, struct node *from, struct node *where);

/* ---- values by column ---- */
size_t change_column_index(struct maker *m, const struct node *name);
struct node *change_cast_to(struct maker *m, struct node *value, size_t column);
struct node **change_assigned(struct maker *m, const struct node *list);
struct node *change_item_list(struct maker *m, bool has_position, struct node *action,
                              struct node **columns);
struct node *change_action_node(struct maker *m, enum lang_action action);
void change_with_of(struct maker *m, struct node *select, const struct node *with);
void change_order_by_place(struct maker *m, struct node *select);
size_t *change_insert_order(struct maker *m, const struct node *names, size_t *ret_len);
void change_check_value_rows(struct maker *m, const struct node *query, size_t wanted);
struct node *change_merge(struct maker *m, const struct node *root);
/* Parts change their places: ? becomes $1, $2, ... in the order of the text. */
bool change_number_parameters(struct arena *arena, struct node *root);

#endif
