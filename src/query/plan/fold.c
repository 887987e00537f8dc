/* fold.c: constant folding. Conditions are three-valued; what is folded keeps that, except where a
 * conjunct of a filter can be false or unknown only: both drop the row. */
#include <stdio.h>

#include "query/plan/rules_int.h"

static bool is_call(const struct plan_expr *expr, const char *name)
{
    return expr->kind == PLAN_CALL && str_is(expr->name, name);
}

static bool is_bool(const struct plan_expr *expr, bool value)
{
    return expr->kind == PLAN_VALUE && str_is(expr->json, value ? "true" : "false");
}

static struct plan_expr *truth(struct plan *plan, bool value)
{
    return plan_value(plan, value ? STR("true") : STR("false"));
}

static bool number_of(const struct plan_expr *expr, double *ret)
{
    return expr->kind == PLAN_VALUE && str_to_double(expr->json, ret);
}

static bool is_text(const struct plan_expr *expr)
{
    return expr->kind == PLAN_VALUE && expr->json.len && expr->json.data[0] == '"';
}

/* --- and, or, not --- */

/* Flattens, drops what changes nothing and doubles; the deciding constant decides. */
static struct plan_expr *fold_list(struct plan *plan, struct plan_expr *expr, bool is_and,
                                   bool *changed)
{
    struct plan_exprs kept = {0};
    const char *word = is_and ? "and" : "or";
    for (uint32_t i = 0; i < expr->args_len; i++) {
        struct plan_expr *arg = expr->args[i];
        bool twice = false;
        if (is_bool(arg, !is_and)) {
            *changed = true;
            return arg;
        }
        for (uint32_t k = 0; k < kept.len; k++)
            twice = twice || plan_expr_equal(kept.items[k], arg);
        if (is_bool(arg, is_and) || twice) {
            *changed = true;
        } else if (is_call(arg, word)) {
            *changed = true;
            for (uint32_t k = 0; k < arg->args_len; k++)
                plan_push_expr(plan, &kept, arg->args[k]);
        } else {
            plan_push_expr(plan, &kept, arg);
        }
    }
    if (kept.len == 0)
        return truth(plan, is_and);
    if (kept.len == 1) {
        *changed = true;
        return kept.items[0];
    }
    if (kept.len == expr->args_len && !*changed)
        return expr;
    struct plan_expr *list = plan_call(plan, expr->name, kept.len);
    if (list->args_len == kept.len)
        memcpy(list->args, kept.items, kept.len * sizeof *kept.items);
    return list;
}

/* Not gt and its kind: a document's value of another kind is neither greater nor less. */
static struct plan_expr *fold_not(struct plan *plan, struct plan_expr *expr, bool *changed)
{
    static const struct {
        const char *op, *opposite;
    } pairs[] = {{"eq", "ne"},
                 {"in", "not_in"},
                 {"between", "not_between"},
                 {"like", "not_like"},
                 {"is_null", "is_not_null"},
                 {"is_distinct", "is_not_distinct"},
                 {"exists", "not_exists"}};
    struct plan_expr *arg = expr->args[0];
    if (arg->kind != PLAN_CALL && !is_bool(arg, true) && !is_bool(arg, false))
        return expr;
    if (arg->kind == PLAN_VALUE) {
        *changed = true;
        return truth(plan, is_bool(arg, false));
    }
    if (is_call(arg, "not")) {
        *changed = true;
        return arg->args[0];
    }
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        bool first = str_is(arg->name, pairs[i].op), second = str_is(arg->name, pairs[i].opposite);
        if (!first && !second)
            continue;
        struct plan_expr *turned =
            plan_call(plan, str_of(first ? pairs[i].opposite : pairs[i].op), arg->args_len);
        if (turned->args_len == arg->args_len && arg->args_len)
            memcpy(turned->args, arg->args, arg->args_len * sizeof *arg->args);
        *changed = true;
        return turned;
    }
    return expr;
}

/* --- values --- */

static bool compare(struct str op, int order, bool *ret)
{
    static const struct {
        const char *op;
        bool less, equal, more;
    } ops[] = {{"eq", false, true, false}, {"ne", true, false, true},  {"lt", true, false, false},
               {"lte", true, true, false}, {"gt", false, false, true}, {"gte", false, true, true}};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (!str_is(op, ops[i].op))
            continue;
        *ret = order < 0 ? ops[i].less : order == 0 ? ops[i].equal : ops[i].more;
        return true;
    }
    return false;
}

static struct plan_expr *fold_compare(struct plan *plan, struct plan_expr *expr, bool *changed)
{
    double a, b;
    bool result;
    const struct plan_expr *left = expr->args[0], *right = expr->args[1];
    int order;
    if (number_of(left, &a) && number_of(right, &b))
        order = a < b ? -1 : a > b;
    else if (is_text(left) && is_text(right) && str_eq(left->json, right->json))
        order = 0;
    else
        return expr;
    if (!compare(expr->name, order, &result))
        return expr;
    *changed = true;
    return truth(plan, result);
}

static struct plan_expr *fold_arithmetic(struct plan *plan, struct plan_expr *expr, bool *changed)
{
    int64_t a, b, result;
    const struct plan_expr *left = expr->args[0], *right = expr->args[1];
    if (left->kind != PLAN_VALUE || right->kind != PLAN_VALUE || !str_to_int64(left->json, &a) ||
        !str_to_int64(right->json, &b))
        return expr;
    bool over = true;
    if (str_is(expr->name, "add"))
        over = __builtin_add_overflow(a, b, &result);
    else if (str_is(expr->name, "subtract"))
        over = __builtin_sub_overflow(a, b, &result);
    else if (str_is(expr->name, "multiply"))
        over = __builtin_mul_overflow(a, b, &result);
    if (over)
        return expr;
    const char *text = arena_printf(plan->arena, "%lld", (long long)result);
    if (!text)
        return expr;
    *changed = true;
    return plan_value(plan, str_of(text));
}

static struct plan_expr *fold_expr(struct plan *plan, struct plan_expr *expr, bool *changed)
{
    if (expr->kind != PLAN_CALL)
        return expr;
    for (uint32_t i = 0; i < expr->args_len; i++)
        expr->args[i] = fold_expr(plan, expr->args[i], changed);
    if (is_call(expr, "and") || is_call(expr, "or")) {
        bool here = false;
        expr = fold_list(plan, expr, is_call(expr, "and"), &here);
        *changed = *changed || here;
        return expr;
    }
    if (is_call(expr, "not") && expr->args_len == 1)
        return fold_not(plan, expr, changed);
    if ((is_call(expr, "in") || is_call(expr, "not_in")) && expr->args_len == 1) {
        *changed = true;
        return truth(plan, is_call(expr, "not_in"));
    }
    if (expr->args_len != 2)
        return expr;
    expr = fold_compare(plan, expr, changed);
    return expr->kind == PLAN_CALL ? fold_arithmetic(plan, expr, changed) : expr;
}

/* Never true, though perhaps unknown: a range that holds nothing. */
static bool never_true(const struct plan_expr *expr)
{
    double low, high;
    return is_call(expr, "between") && expr->args_len == 3 && number_of(expr->args[1], &low) &&
           number_of(expr->args[2], &high) && low > high;
}

/* Conjuncts: true ones go, doubles go; the result says whether one is never true. */
static bool fold_conjuncts(struct plan *plan, struct plan_exprs *list, bool *changed)
{
    struct plan_exprs before = *list;
    bool never = false;
    *list = (struct plan_exprs){0};
    for (uint32_t i = 0; i < before.len; i++) {
        bool here = false, twice = false;
        struct plan_expr *expr = fold_expr(plan, before.items[i], &here);
        for (uint32_t k = 0; k < list->len; k++)
            twice = twice || plan_expr_equal(list->items[k], expr);
        never = never || is_bool(expr, false) || never_true(expr) ||
                (expr->kind == PLAN_VALUE && str_is(expr->json, "null"));
        if (is_bool(expr, true) || twice)
            here = true;
        else
            plan_push_conjuncts(plan, list, expr);
        *changed = *changed || here;
    }
    return never;
}

struct plan_node *rule_fold(struct plan *plan, struct plan_node *node)
{
    static const char what[] = "constants and double negations are worked out";
    bool changed = false, never = false;
    bool filters = node->op == PLAN_FILTER;
    if (filters || node->op == PLAN_JOIN)
        never = fold_conjuncts(plan, &node->conditions, &changed) && filters;
    for (uint32_t i = 0; i < node->items.len; i++)
        node->items.items[i].expr = fold_expr(plan, node->items.items[i].expr, &changed);
    if (changed || never)
        plan_note(plan, "constant_folding", what);
    if (never) {
        struct plan_node *empty = plan_add(plan, PLAN_EMPTY, NULL);
        plan_note(plan, "empty_result", "a condition is never true: nothing is read");
        return empty;
    }
    if (filters && node->conditions.len == 0)
        return node->input;
    return node;
}
