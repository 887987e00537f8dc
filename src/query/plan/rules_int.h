/* rules_int.h: the rules. Each takes the plan one step further and notes each use. */
#ifndef QUARRY_QUERY_PLAN_RULES_INT_H
#define QUARRY_QUERY_PLAN_RULES_INT_H

#include "query/plan/plan.h"

/* A rule sees a node after its inputs and gives what stands in its place. */
typedef struct plan_node *(*plan_rule)(struct plan *plan, struct plan_node *node);

void plan_note(struct plan *plan, const char *rule, const char *what);

/* fold.c */
struct plan_node *rule_fold(struct plan *plan, struct plan_node *node);
/* push.c */
struct plan_node *rule_push_down(struct plan *plan, struct plan_node *node);
struct plan_node *rule_outer_to_inner(struct plan *plan, struct plan_node *node);
/* The sides of a join that an expression names: 1 left, 2 right, 3 both or not known, 0 none. */
uint64_t plan_tables_of(const struct plan_node *join, const struct plan_expr *expr);
/* rules.c */
struct plan_node *rule_top_k(struct plan *plan, struct plan_node *node);
struct plan_node *rule_limit(struct plan *plan, struct plan_node *node);
struct plan_node *rule_pruning(struct plan *plan, struct plan_node *node);
struct plan_node *rule_partial(struct plan *plan, struct plan_node *node);
struct plan_node *rule_metadata(struct plan *plan, struct plan_node *node);
/* whole.c: rules over the whole plan */
void rule_columns(struct plan *plan);
void rule_join_order(struct plan *plan);

#endif
