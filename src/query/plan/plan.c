/* plan.c: making plans and writing them. */
#include "query/plan/plan.h"

void plan_init(struct plan *plan, struct arena *arena)
{
    *plan = (struct plan){.arena = arena};
}

static void *get(struct plan *plan, size_t count, size_t size)
{
    void *memory = arena_array(plan->arena, count ? count : 1, size);
    plan->failed = plan->failed || !memory;
    return memory;
}

struct plan_node *plan_add(struct plan *plan, enum plan_op op, struct plan_node *input)
{
    struct plan_node *node = get(plan, 1, sizeof *node);
    if (!node)
        node = &plan->spare_node;
    *node = (struct plan_node){.op = op, .input = input, .limit = -1};
    return node;
}

static struct plan_expr *new_expr(struct plan *plan, struct plan_expr expr)
{
    struct plan_expr *copy = get(plan, 1, sizeof *copy);
    if (!copy)
        copy = &plan->spare_expr;
    *copy = expr;
    return copy;
}

struct plan_expr *plan_column(struct plan *plan, struct str table, struct str name)
{
    return new_expr(plan, (struct plan_expr){.kind = PLAN_COLUMN, .table = table, .name = name});
}

struct plan_expr *plan_value(struct plan *plan, struct str json)
{
    return new_expr(plan, (struct plan_expr){.kind = PLAN_VALUE, .json = json});
}

struct plan_expr *plan_star(struct plan *plan)
{
    return new_expr(plan, (struct plan_expr){.kind = PLAN_STAR, .name = STR("*")});
}

struct plan_expr *plan_call(struct plan *plan, struct str name, uint32_t args)
{
    struct plan_expr **list = get(plan, args, sizeof(struct plan_expr *));
    return new_expr(
        plan, (struct plan_expr){
                  .kind = PLAN_CALL, .name = name, .args = list, .args_len = list ? args : 0});
}

void plan_push_expr(struct plan *plan, struct plan_exprs *list, struct plan_expr *expr)
{
    if (list->len == list->cap) {
        uint32_t cap = list->cap ? 2 * list->cap : 4;
        struct plan_expr **items = get(plan, cap, sizeof(struct plan_expr *));
        if (!items)
            return;
        if (list->len)
            memcpy(items, list->items, list->len * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->len++] = expr;
}

void plan_push_item(struct plan *plan, struct plan_items *list, struct plan_item item)
{
    if (list->len == list->cap) {
        uint32_t cap = list->cap ? 2 * list->cap : 4;
        struct plan_item *items = get(plan, cap, sizeof *items);
        if (!items)
            return;
        if (list->len)
            memcpy(items, list->items, list->len * sizeof *items);
        list->items = items;
        list->cap = cap;
    }
    list->items[list->len++] = item;
}

void plan_push_conjuncts(struct plan *plan, struct plan_exprs *list, struct plan_expr *expr)
{
    if (expr->kind != PLAN_CALL || !str_is(expr->name, "and")) {
        plan_push_expr(plan, list, expr);
        return;
    }
    for (uint32_t i = 0; i < expr->args_len; i++)
        plan_push_conjuncts(plan, list, expr->args[i]);
}

bool plan_expr_equal(const struct plan_expr *a, const struct plan_expr *b)
{
    if (a->kind != b->kind || !str_eq(a->table, b->table) || !str_eq(a->name, b->name) ||
        !str_eq(a->json, b->json) || a->args_len != b->args_len)
        return false;
    for (uint32_t i = 0; i < a->args_len; i++)
        if (!plan_expr_equal(a->args[i], b->args[i]))
            return false;
    return true;
}

/* --- JSON --- */

void plan_write_expr(const struct plan_expr *expr, struct json_writer *w)
{
    json_begin_object(w);
    switch (expr->kind) {
    case PLAN_COLUMN:
        json_kv_str(w, "column", expr->name);
        if (expr->table.data)
            json_kv_str(w, "table", expr->table);
        break;
    case PLAN_VALUE:
        json_keyz(w, "value");
        json_raw(w, expr->json);
        break;
    case PLAN_STAR:
        json_kv_strz(w, "column", "*");
        break;
    case PLAN_CALL:
        json_kv_str(w, "function", expr->name);
        json_keyz(w, "args");
        json_begin_array(w);
        for (uint32_t i = 0; i < expr->args_len; i++)
            plan_write_expr(expr->args[i], w);
        json_end_array(w);
        break;
    }
    json_end_object(w);
}

static void write_exprs(const char *key, const struct plan_exprs *list, struct json_writer *w)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (uint32_t i = 0; i < list->len; i++)
        plan_write_expr(list->items[i], w);
    json_end_array(w);
}

static void write_items(const char *key, const struct plan_items *list, bool sort,
                        struct json_writer *w)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (uint32_t i = 0; i < list->len; i++) {
        const struct plan_item *item = &list->items[i];
        json_begin_object(w);
        json_keyz(w, "expression");
        plan_write_expr(item->expr, w);
        if (item->alias.data)
            json_kv_str(w, "alias", item->alias);
        if (sort) {
            json_kv_strz(w, "direction", item->descending ? "desc" : "asc");
            json_kv_strz(w, "nulls", item->nulls_first ? "first" : "last");
        }
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_scan(const struct plan_node *node, struct json_writer *w)
{
    json_kv_str(w, "source", node->source);
    json_keyz(w, "columns");
    if (node->columns) {
        json_begin_array(w);
        for (uint32_t i = 0; i < node->columns_len; i++)
            json_string(w, node->columns[i]);
        json_end_array(w);
    } else {
        json_stringz(w, "*");
    }
    if (node->conditions.len)
        write_exprs("pushed_filters", &node->conditions, w);
    if (node->pruning.len)
        write_exprs("pruning", &node->pruning, w);
    if (node->limit >= 0)
        json_kv_int(w, "limit", node->limit);
}

static void write_members(const struct plan_node *node, struct json_writer *w)
{
    switch (node->op) {
    case PLAN_SCAN:
        write_scan(node, w);
        break;
    case PLAN_FILTER:
        write_exprs("conditions", &node->conditions, w);
        break;
    case PLAN_JOIN:
        json_kv_str(w, "type", node->kind);
        write_exprs("on", &node->conditions, w);
        break;
    case PLAN_SET:
        json_kv_str(w, "type", node->kind);
        break;
    case PLAN_AGGREGATE:
        write_items("group_by", &node->groups, false, w);
        write_items("aggregations", &node->items, false, w);
        if (node->partial)
            json_kv_bool(w, "partial_per_file", true);
        if (node->metadata_only)
            json_kv_bool(w, "metadata_only", true);
        break;
    case PLAN_WINDOW:
        write_items("windows", &node->items, false, w);
        break;
    case PLAN_PROJECT:
        write_items("columns", &node->items, false, w);
        break;
    case PLAN_SORT:
    case PLAN_TOP_K:
        write_items("keys", &node->items, true, w);
        break;
    default:
        break;
    }
    if (node->op == PLAN_LIMIT || node->op == PLAN_TOP_K) {
        json_kv_int(w, "limit", node->limit);
        json_kv_int(w, "offset", node->offset);
    }
}

void plan_write(const struct plan_node *node, struct json_writer *w)
{
    static const char *const names[] = {
        [PLAN_SCAN] = "scan",           [PLAN_FILTER] = "filter", [PLAN_JOIN] = "join",
        [PLAN_AGGREGATE] = "aggregate", [PLAN_WINDOW] = "window", [PLAN_PROJECT] = "project",
        [PLAN_DISTINCT] = "distinct",   [PLAN_SORT] = "sort",     [PLAN_LIMIT] = "limit",
        [PLAN_TOP_K] = "top_k",         [PLAN_SET] = "set",       [PLAN_EMPTY] = "empty"};
    json_begin_object(w);
    json_kv_strz(w, "operator", names[node->op]);
    if (node->alias.data)
        json_kv_str(w, "alias", node->alias);
    write_members(node, w);
    if (node->input) {
        json_keyz(w, node->right ? "left" : "input");
        plan_write(node->input, w);
    }
    if (node->right) {
        json_keyz(w, "right");
        plan_write(node->right, w);
    }
    json_end_object(w);
}

void plan_write_rules(const struct plan *plan, struct json_writer *w)
{
    json_begin_array(w);
    for (uint32_t i = 0; i < plan->rules_len; i++) {
        json_begin_object(w);
        json_kv_strz(w, "rule", plan->rules[i].rule);
        json_kv_strz(w, "description", plan->rules[i].what);
        json_kv_int(w, "times", plan->rules[i].times);
        json_end_object(w);
    }
    json_end_array(w);
}
