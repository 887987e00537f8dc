/* push.c: conditions go where their rows come from.
 *
 * A conjunct above a join goes to the side that it names, when that side's rows pass the join
 * unchanged (the preserved side of an outer join; both of an inner one). A conjunct of ON goes to
 * the other side of an outer join, where it only decides which rows can match. */
#include "query/plan/rules_int.h"

/* --- what a condition names --- */

/* Whether `table` is the name of a source below. */
static bool has_table(const struct plan_node *node, struct str table)
{
    if (!node)
        return false;
    if (node->alias.data && str_eq(node->alias, table))
        return true;
    if (node->op == PLAN_SCAN)
        return !node->alias.data && str_eq(node->source, table);
    if (node->alias.data) /* a subquery: its insides have no names here */
        return false;
    return has_table(node->input, table) || has_table(node->right, table);
}

uint64_t plan_tables_of(const struct plan_node *join, const struct plan_expr *expr)
{
    uint64_t found = 0;
    if (expr->kind == PLAN_STAR)
        return 3;
    if (expr->kind == PLAN_COLUMN) {
        if (!expr->table.data)
            return 3;
        found |= has_table(join->input, expr->table) ? 1u : 0u;
        found |= has_table(join->right, expr->table) ? 2u : 0u;
        return found ? found : 3;
    }
    for (uint32_t i = 0; i < expr->args_len; i++)
        found |= plan_tables_of(join, expr->args[i]);
    return found;
}

static bool holds_subquery(const struct plan_expr *expr)
{
    if (expr->kind == PLAN_CALL && str_is(expr->name, "subquery"))
        return true;
    for (uint32_t i = 0; i < expr->args_len; i++)
        if (holds_subquery(expr->args[i]))
            return true;
    return false;
}

/* --- into a side --- */

static void note(struct plan *plan)
{
    plan_note(plan, "predicate_pushdown", "conditions are checked where the rows are read");
}

static void into(struct plan *plan, struct plan_node **side, struct plan_expr *expr)
{
    if ((*side)->op != PLAN_FILTER)
        *side = plan_add(plan, PLAN_FILTER, *side);
    plan_push_expr(plan, &(*side)->conditions, expr);
    note(plan);
}

static bool preserves(const struct plan_node *join, uint64_t side)
{
    static const char *const left[] = {"inner", "cross", "left", "semi", "anti"};
    static const char *const right[] = {"inner", "cross", "right"};
    const char *const *list = side == 1 ? left : right;
    size_t n = side == 1 ? 5 : 3;
    for (size_t i = 0; i < n; i++)
        if (str_is(join->kind, list[i]))
            return true;
    return false;
}

static struct plan_node *below_join(struct plan *plan, struct plan_node *filter)
{
    struct plan_node *join = filter->input;
    struct plan_exprs kept = {0};
    for (uint32_t i = 0; i < filter->conditions.len; i++) {
        struct plan_expr *expr = filter->conditions.items[i];
        uint64_t side = holds_subquery(expr) ? 3 : plan_tables_of(join, expr);
        if ((side == 1 || side == 2) && preserves(join, side))
            into(plan, side == 1 ? &join->input : &join->right, expr);
        else
            plan_push_expr(plan, &kept, expr);
    }
    filter->conditions = kept;
    return kept.len ? filter : join;
}

/* The sides in which a conjunct of ON may be checked beforehand. */
static bool on_goes_to(const struct plan_node *join, uint64_t side)
{
    if (str_is(join->kind, "inner") || str_is(join->kind, "semi"))
        return true;
    if (str_is(join->kind, "left") || str_is(join->kind, "anti"))
        return side == 2;
    return str_is(join->kind, "right") && side == 1;
}

static void out_of_on(struct plan *plan, struct plan_node *join)
{
    struct plan_exprs kept = {0};
    for (uint32_t i = 0; i < join->conditions.len; i++) {
        struct plan_expr *expr = join->conditions.items[i];
        uint64_t side = holds_subquery(expr) ? 3 : plan_tables_of(join, expr);
        if ((side == 1 || side == 2) && on_goes_to(join, side))
            into(plan, side == 1 ? &join->input : &join->right, expr);
        else
            plan_push_expr(plan, &kept, expr);
    }
    join->conditions = kept;
}

/* --- through an aggregate: conditions on groups --- */

/* The expression with names of groups replaced by what they stand for; NULL when it names anything
 * else. */
static struct plan_expr *over_groups(struct plan *plan, const struct plan_node *aggregate,
                                     struct plan_expr *expr)
{
    if (expr->kind == PLAN_VALUE)
        return expr;
    if (expr->kind == PLAN_STAR)
        return NULL;
    if (expr->kind == PLAN_COLUMN) {
        for (uint32_t i = 0; i < aggregate->groups.len; i++) {
            const struct plan_item *group = &aggregate->groups.items[i];
            if ((group->alias.data && str_eq(group->alias, expr->name) && !expr->table.data) ||
                plan_expr_equal(group->expr, expr))
                return group->expr;
        }
        return NULL;
    }
    struct plan_expr *copy = plan_call(plan, expr->name, expr->args_len);
    for (uint32_t i = 0; i < copy->args_len; i++) {
        copy->args[i] = over_groups(plan, aggregate, expr->args[i]);
        if (!copy->args[i])
            return NULL;
    }
    return copy;
}

static struct plan_node *below_aggregate(struct plan *plan, struct plan_node *filter)
{
    struct plan_node *aggregate = filter->input;
    struct plan_exprs kept = {0};
    for (uint32_t i = 0; i < filter->conditions.len; i++) {
        struct plan_expr *expr = filter->conditions.items[i];
        struct plan_expr *below = aggregate->groups.len && !holds_subquery(expr)
                                      ? over_groups(plan, aggregate, expr)
                                      : NULL;
        if (below)
            into(plan, &aggregate->input, below);
        else
            plan_push_expr(plan, &kept, expr);
    }
    filter->conditions = kept;
    return kept.len ? filter : aggregate;
}

static struct plan_node *into_scan(struct plan *plan, struct plan_node *filter)
{
    struct plan_node *scan = filter->input;
    struct plan_exprs kept = {0};
    for (uint32_t i = 0; i < filter->conditions.len; i++) {
        if (holds_subquery(filter->conditions.items[i])) {
            plan_push_expr(plan, &kept, filter->conditions.items[i]);
            continue;
        }
        plan_push_expr(plan, &scan->conditions, filter->conditions.items[i]);
        note(plan);
    }
    filter->conditions = kept;
    return kept.len ? filter : scan;
}

struct plan_node *rule_push_down(struct plan *plan, struct plan_node *node)
{
    if (node->op == PLAN_JOIN)
        out_of_on(plan, node);
    if (node->op != PLAN_FILTER || !node->input)
        return node;
    switch (node->input->op) {
    case PLAN_SCAN:
        return into_scan(plan, node);
    case PLAN_JOIN:
        return below_join(plan, node);
    case PLAN_AGGREGATE:
        return below_aggregate(plan, node);
    default:
        return node;
    }
}

/* --- outer joins whose made-up rows no condition lets through --- */

static bool rejects_null(const struct plan_expr *expr)
{
    static const char *const ops[] = {
        "eq",      "ne",   "gt",       "gte",         "lt",        "lte",   "in",
        "between", "like", "contains", "starts_with", "ends_with", "regex", "is_not_null"};
    if (expr->kind != PLAN_CALL || expr->args_len == 0 || expr->args[0]->kind != PLAN_COLUMN)
        return false;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (str_is(expr->name, ops[i]))
            return true;
    return false;
}

struct plan_node *rule_outer_to_inner(struct plan *plan, struct plan_node *node)
{
    struct plan_node *join = node->op == PLAN_FILTER ? node->input : NULL;
    if (!join || join->op != PLAN_JOIN)
        return node;
    for (uint32_t i = 0; i < node->conditions.len; i++) {
        const struct plan_expr *expr = node->conditions.items[i];
        if (!rejects_null(expr))
            continue;
        uint64_t side = plan_tables_of(join, expr->args[0]);
        struct str before = join->kind;
        if (str_is(join->kind, "left") && side == 2)
            join->kind = STR("inner");
        else if (str_is(join->kind, "right") && side == 1)
            join->kind = STR("inner");
        else if (str_is(join->kind, "full") && (side == 1 || side == 2))
            join->kind = side == 1 ? STR("left") : STR("right");
        if (!str_eq(before, join->kind))
            plan_note(plan, "outer_join_to_inner",
                      "a condition drops the rows that an outer join makes up");
    }
    return node;
}
