/* rules.c: the rules on one node, and the order in which all of them run. */
#include "query/plan/rules_int.h"

void plan_note(struct plan *plan, const char *rule, const char *what)
{
    for (uint32_t i = 0; i < plan->rules_len; i++) {
        if (strcmp(plan->rules[i].rule, rule) == 0) {
            plan->rules[i].times++;
            return;
        }
    }
    if (plan->rules_len < PLAN_RULES_MAX)
        plan->rules[plan->rules_len++] = (struct plan_rule_use){rule, what, 1};
}

bool plan_level_parse(struct str name, enum plan_level *ret)
{
    static const char *const names[] = {"none", "basic", "aggressive"};
    for (int i = 0; i < 3; i++) {
        if (!str_eq_nocase(name, str_of(names[i])))
            continue;
        *ret = (enum plan_level)i;
        return true;
    }
    return false;
}

/* A limit over a sort, perhaps with a projection between, keeps only so many rows while sorting. */
struct plan_node *rule_top_k(struct plan *plan, struct plan_node *node)
{
    if (node->op != PLAN_LIMIT || !node->input || node->limit < 0)
        return node;
    bool project = node->input->op == PLAN_PROJECT;
    struct plan_node *sort = project ? node->input->input : node->input;
    if (!sort || sort->op != PLAN_SORT)
        return node;
    sort->op = PLAN_TOP_K;
    sort->limit = node->limit;
    sort->offset = node->offset;
    plan_note(plan, "top_k", "only the first rows are kept while sorting");
    return node->input;
}

static bool keeps_rows(const struct plan_node *node)
{
    return node->op == PLAN_PROJECT;
}

/* Without an order any rows will do: the scan stops when it has enough. */
struct plan_node *rule_limit(struct plan *plan, struct plan_node *node)
{
    struct plan_node *below = node->input;
    if (node->op != PLAN_LIMIT || node->limit < 0)
        return node;
    while (below && keeps_rows(below))
        below = below->input;
    int64_t rows = node->limit + node->offset;
    if (!below || below->op != PLAN_SCAN || (below->limit >= 0 && below->limit <= rows))
        return node;
    below->limit = rows;
    plan_note(plan, "limit_pushdown", "the scan stops when it has enough rows");
    return node;
}

/* A column compared with values: what bounds of files and partitions can decide. */
static bool decidable(const struct plan_expr *expr)
{
    static const char *const ops[] = {"eq", "gt",      "gte",     "lt",          "lte",
                                      "in", "between", "is_null", "is_not_null", "starts_with"};
    if (expr->kind != PLAN_CALL || expr->args_len == 0 || expr->args[0]->kind != PLAN_COLUMN)
        return false;
    for (uint32_t i = 1; i < expr->args_len; i++)
        if (expr->args[i]->kind != PLAN_VALUE)
            return false;
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (str_is(expr->name, ops[i]))
            return true;
    return false;
}

struct plan_node *rule_pruning(struct plan *plan, struct plan_node *node)
{
    if (node->op != PLAN_SCAN || node->pruned)
        return node;
    for (uint32_t i = 0; i < node->conditions.len; i++)
        if (decidable(node->conditions.items[i]))
            plan_push_expr(plan, &node->pruning, node->conditions.items[i]);
    node->pruned = node->conditions.len > 0;
    if (node->pruning.len)
        plan_note(plan, "partition_pruning",
                  "partitions, files and row groups whose bounds cannot match are not read");
    return node;
}

static bool all_among(const struct plan_items *items, const char *const *names, size_t len)
{
    for (uint32_t i = 0; i < items->len; i++) {
        const struct plan_expr *expr = items->items[i].expr;
        bool found = false;
        for (size_t k = 0; k < len; k++)
            found = found || (expr->kind == PLAN_CALL && str_is(expr->name, names[k]));
        if (!found)
            return false;
    }
    return items->len > 0;
}

/* Sums of sums: what was worked out for a file that never changes need not be done again. */
struct plan_node *rule_partial(struct plan *plan, struct plan_node *node)
{
    static const char *const names[] = {"count",  "sum",      "avg",      "min",    "max",
                                        "stddev", "variance", "bool_and", "bool_or"};
    if (node->op != PLAN_AGGREGATE || node->partial || !node->input ||
        node->input->op != PLAN_SCAN ||
        !all_among(&node->items, names, sizeof names / sizeof *names))
        return node;
    node->partial = true;
    plan_note(plan, "partial_aggregation", "aggregates are made per file and then merged");
    return node;
}

struct plan_node *rule_metadata(struct plan *plan, struct plan_node *node)
{
    static const char *const names[] = {"count", "min", "max"};
    if (node->op != PLAN_AGGREGATE || node->metadata_only || node->groups.len || !node->input ||
        node->input->op != PLAN_SCAN || node->input->conditions.len ||
        !all_among(&node->items, names, sizeof names / sizeof *names))
        return node;
    for (uint32_t i = 0; i < node->items.len; i++) {
        const struct plan_expr *expr = node->items.items[i].expr;
        if (expr->args_len != 1 || (expr->args[0]->kind == PLAN_CALL))
            return node;
    }
    node->metadata_only = true;
    plan_note(plan, "metadata_only", "counts and bounds of files answer it: no file is opened");
    return node;
}

/* --- all of them --- */

static struct plan_node *apply(struct plan *plan, struct plan_node *node, plan_rule rule)
{
    if (!node)
        return NULL;
    node->input = apply(plan, node->input, rule);
    node->right = apply(plan, node->right, rule);
    return rule(plan, node);
}

static uint32_t uses(const struct plan *plan)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < plan->rules_len; i++)
        sum += plan->rules[i].times;
    return sum;
}

static uint32_t choose(const struct plan_options *options, plan_rule rules[8])
{
    bool all = options->level == PLAN_AGGRESSIVE;
    uint32_t n = 0;
    rules[n++] = rule_fold;
    if (all && options->optimize_joins)
        rules[n++] = rule_outer_to_inner;
    if (options->push_down_filters)
        rules[n++] = rule_push_down;
    rules[n++] = rule_top_k;
    rules[n++] = rule_limit;
    if (all) {
        rules[n++] = rule_pruning;
        rules[n++] = rule_partial;
        rules[n++] = rule_metadata;
    }
    return n;
}

enum status plan_optimize(struct plan *plan, const struct plan_options *options, struct error *err)
{
    plan_rule rules[8];
    uint32_t n = choose(options, rules);
    if (options->level == PLAN_NONE)
        return STATUS_OK;
    for (int round = 0; round < PLAN_ROUNDS_MAX; round++) {
        uint32_t before = uses(plan);
        for (uint32_t i = 0; i < n; i++) {
            if (options->late && options->late(options->context))
                return error_set(err, STATUS_TIMEOUT, "planning took too long");
            plan->root = apply(plan, plan->root, rules[i]);
        }
        if (uses(plan) == before)
            break;
    }
    if (options->column_pruning)
        rule_columns(plan);
    if (options->level == PLAN_AGGRESSIVE && options->optimize_joins)
        rule_join_order(plan);
    return plan->failed ? error_no_memory(err) : STATUS_OK;
}
