/* whole.c: rules that look at the whole plan: the columns that are read, the order of joins. */
#include "query/plan/rules_int.h"

/* --- columns --- */

struct needs {
    struct plan *plan;
    struct str *tables, *names; /* pairs; table data NULL: whichever source has it */
    uint32_t len, cap;
    bool everything;
};

static void need(struct needs *needs, struct str table, struct str name)
{
    for (uint32_t i = 0; i < needs->len; i++)
        if (str_eq(needs->tables[i], table) && str_eq(needs->names[i], name))
            return;
    if (needs->len == needs->cap) {
        uint32_t cap = needs->cap ? 2 * needs->cap : 16;
        struct str *tables = arena_array(needs->plan->arena, cap, sizeof *tables);
        struct str *names = arena_array(needs->plan->arena, cap, sizeof *names);
        if (!tables || !names) {
            needs->plan->failed = true;
            return;
        }
        if (needs->len) {
            memcpy(tables, needs->tables, needs->len * sizeof *tables);
            memcpy(names, needs->names, needs->len * sizeof *names);
        }
        needs->tables = tables;
        needs->names = names;
        needs->cap = cap;
    }
    needs->tables[needs->len] = table;
    needs->names[needs->len++] = name;
}

/* A path into a document needs its column. */
static struct str column_of(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] == '.' || name.data[i] == '[')
            return str_make(name.data, i);
    return name;
}

static void need_expr(struct needs *needs, const struct plan_expr *expr, bool in_count)
{
    if (expr->kind == PLAN_STAR && !in_count)
        needs->everything = true;
    if (expr->kind == PLAN_COLUMN)
        need(needs, expr->table, column_of(expr->name));
    for (uint32_t i = 0; i < expr->args_len; i++)
        need_expr(needs, expr->args[i], str_is(expr->name, "count"));
}

static void need_node(struct needs *needs, const struct plan_node *node)
{
    if (!node)
        return;
    for (uint32_t i = 0; i < node->conditions.len; i++)
        need_expr(needs, node->conditions.items[i], false);
    for (uint32_t i = 0; i < node->items.len; i++)
        need_expr(needs, node->items.items[i].expr, false);
    for (uint32_t i = 0; i < node->groups.len; i++)
        need_expr(needs, node->groups.items[i].expr, false);
    need_node(needs, node->input);
    need_node(needs, node->right);
}

/* Names that the plan makes itself are no columns of a source. */
static bool is_alias(const struct plan_node *node, struct str name)
{
    if (!node)
        return false;
    for (uint32_t i = 0; i < node->items.len; i++)
        if (node->items.items[i].alias.data && str_eq(node->items.items[i].alias, name) &&
            node->items.items[i].expr->kind == PLAN_CALL)
            return true;
    for (uint32_t i = 0; i < node->groups.len; i++)
        if (node->groups.items[i].alias.data && str_eq(node->groups.items[i].alias, name) &&
            !str_eq(node->groups.items[i].expr->name, name))
            return true;
    return is_alias(node->input, name) || is_alias(node->right, name);
}

static uint32_t count_scans(const struct plan_node *node)
{
    if (!node)
        return 0;
    return (node->op == PLAN_SCAN) + count_scans(node->input) + count_scans(node->right);
}

/* False when a column could be any source's: then nothing can be left out. */
static bool all_named(const struct needs *needs, const struct plan_node *root)
{
    for (uint32_t i = 0; i < needs->len; i++)
        if (!needs->tables[i].data && !is_alias(root, needs->names[i]))
            return false;
    return true;
}

static void set_columns(const struct needs *needs, const struct plan_node *root,
                        struct plan_node *node)
{
    if (!node)
        return;
    set_columns(needs, root, node->input);
    set_columns(needs, root, node->right);
    if (node->op != PLAN_SCAN)
        return;
    struct str name = node->alias.data ? node->alias : node->source;
    node->columns =
        arena_array(needs->plan->arena, needs->len ? needs->len : 1, sizeof *node->columns);
    for (uint32_t i = 0; node->columns && i < needs->len; i++) {
        bool ours = needs->tables[i].data ? str_eq(needs->tables[i], name)
                                          : !is_alias(root, needs->names[i]);
        if (ours)
            node->columns[node->columns_len++] = needs->names[i];
    }
    plan_note(needs->plan, "column_pruning", "only the columns that are used are read");
}

/* Whether all columns of a source come out at the top. */
static bool gives_all(const struct plan_node *node)
{
    if (!node || node->op == PLAN_PROJECT || node->op == PLAN_AGGREGATE)
        return false;
    return node->op == PLAN_SCAN || gives_all(node->input) || gives_all(node->right);
}

void rule_columns(struct plan *plan)
{
    struct needs needs = {.plan = plan, .everything = gives_all(plan->root)};
    need_node(&needs, plan->root);
    uint32_t scans = count_scans(plan->root);
    if (needs.everything || scans == 0 || (scans > 1 && !all_named(&needs, plan->root)))
        return;
    set_columns(&needs, plan->root, plan->root);
}

/* --- the order of inner joins: the source that is filtered most comes first --- */

enum { JOINED_MAX = 64 };

struct joined {
    struct str name;
    double share; /* of its rows that pass, as a rule of thumb */
};

static double share_of(const struct plan_expr *expr)
{
    static const struct {
        const char *op;
        double share;
    } shares[] = {{"eq", 0.01},  {"in", 0.05},        {"between", 0.1}, {"is_null", 0.05},
                  {"gt", 0.3},   {"gte", 0.3},        {"lt", 0.3},      {"lte", 0.3},
                  {"like", 0.2}, {"starts_with", 0.1}};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        if (expr->kind == PLAN_CALL && str_is(expr->name, shares[i].op))
            return shares[i].share;
    return 0.5;
}

static bool gather(const struct plan_node *node, struct joined *list, uint32_t *len)
{
    if (node->op == PLAN_JOIN)
        return str_is(node->kind, "inner") && gather(node->input, list, len) &&
               gather(node->right, list, len);
    if (node->op != PLAN_SCAN || *len == JOINED_MAX)
        return false;
    struct joined *one = &list[(*len)++];
    *one = (struct joined){node->alias.data ? node->alias : node->source, 1};
    for (uint32_t i = 0; i < node->conditions.len; i++)
        one->share *= share_of(node->conditions.items[i]);
    return true;
}

static const struct plan_node *find_join(const struct plan_node *node)
{
    while (node && node->op != PLAN_JOIN)
        node = node->input;
    return node;
}

void rule_join_order(struct plan *plan)
{
    struct joined list[JOINED_MAX];
    uint32_t len = 0;
    bool moved = false;
    const struct plan_node *join = find_join(plan->root);
    if (!join || !gather(join, list, &len) || len < 2)
        return;
    for (uint32_t i = 1; i < len; i++) { /* stable: equal ones stay as written */
        for (uint32_t k = i; k > 0 && list[k].share < list[k - 1].share; k--) {
            struct joined other = list[k];
            list[k] = list[k - 1];
            list[k - 1] = other;
            moved = true;
        }
    }
    plan->join_order = arena_array(plan->arena, len, sizeof *plan->join_order);
    for (uint32_t i = 0; plan->join_order && i < len; i++)
        plan->join_order[i] = list[i].name;
    plan->join_order_len = plan->join_order ? len : 0;
    if (moved)
        plan_note(plan, "join_reordering", "a hint: the source that is filtered most comes first");
}
