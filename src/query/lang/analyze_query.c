/* analyze_query.c: queries: outputs with the columns they are made of, groups, order, limit. */
#include "query/lang/analyze_int.h"

/* ---- queries ---- */

static void push_texts(struct analyzer *a, const struct node *list, struct str **ret, size_t *count)
{
    size_t cap = 0;
    for (size_t i = 0; i < list_count(list); i++)
        ANALYZE_PUSH(a, *ret, *count, cap, analyze_text_of(a, list->kids[i]));
}

static void push_orders(struct analyzer *a, const struct node *list)
{
    size_t cap = 0;
    for (size_t i = 0; i < list_count(list); i++) {
        const struct node *order = list->kids[i];
        struct lang_order item = {.expression = order->kids[0] ? analyze_text_of(a, order->kids[0])
                                                               : STR("ALL"),
                                  .descending = (order->flags & NODE_DESC) != 0};
        item.nulls = order->flags & NODE_NULLS_FIRST  ? "first"
                     : order->flags & NODE_NULLS_LAST ? "last"
                                                      : NULL;
        ANALYZE_PUSH(a, a->ret->order_by, a->ret->order_count, cap, item);
    }
}

static int64_t number_of(const struct node *node)
{
    int64_t value = 0;
    return node_is(node, N_NUMBER) && str_to_int64(node->text, &value) ? value : -1;
}

void analyze_walk_ctes(struct analyzer *a, const struct node *with, struct scope *scope)
{
    for (size_t i = 0; i < list_count(with) && !a->failed; i++) {
        const struct node *cte = with->kids[i];
        struct entry *e = ARENA_NEW(a->arena, struct entry);
        struct outputs *none = ARENA_NEW(a->arena, struct outputs);
        if (!e || !none) {
            a->failed = true;
            return;
        }
        ANALYZE_PUSH(a, a->ret->ctes, a->ret->cte_count, a->cte_cap, cte->text);
        *e = (struct entry){
            .alias = cte->text, .name = cte->text, .outputs = none, .next = scope->ctes};
        if (with->flags & NODE_RECURSIVE)
            scope->ctes = e;
        if (node_is_query(cte->kids[1])) {
            struct node alias = {
                .kind = N_ALIAS, .count = 2, .kids = (struct node *[]){NULL, cte->kids[0]}};
            const struct outputs *outputs = analyze_walk_query(a, cte->kids[1], scope, false);
            e->outputs = analyze_renamed(a, outputs ? outputs : none, &alias);
        } else {
            analyze_walk(a, cte->kids[1], scope);
        }
        scope->ctes = e;
    }
}

static struct str output_name(struct analyzer *a, const struct node *item)
{
    if (item->kind == N_ALIAS)
        return item->text;
    if (item->kind == N_REF)
        return analyze_last_part(item);
    if (item->kind == N_STAR)
        return STR("*");
    return analyze_text_of(a, item);
}

static struct outputs *walk_items(struct analyzer *a, const struct node *select,
                                  struct scope *scope)
{
    struct outputs *outputs = ARENA_NEW(a->arena, struct outputs);
    const struct node *items = select->kids[SELECT_ITEMS];
    struct columns *sink = a->sink;
    if (!outputs) {
        a->failed = true;
        return NULL;
    }
    for (size_t i = 0; i < (items ? items->count : 1) && !a->failed; i++) {
        struct columns from = {0};
        struct lang_output output = {.name = STR("*")};
        a->sink = &from;
        if (items) {
            analyze_walk(a, items->kids[i], scope);
            output.name = output_name(a, items->kids[i]);
            output.is_aggregate = analyze_has_aggregate(items->kids[i]);
        } else {
            a->ret->select_star = true;
            for (const struct entry *e = scope->entries; e; e = e->next)
                analyze_star_of(a, e, select->offset);
        }
        a->sink = sink;
        output.from = from.items;
        output.from_count = from.count;
        ANALYZE_PUSH(a, outputs->items, outputs->count, outputs->cap, output);
    }
    return outputs;
}

/* Names of the select list may stand in GROUP BY, HAVING, ORDER BY. */
static bool is_output(const struct outputs *outputs, const struct node *node)
{
    return node_is(node, N_REF) && node->count == 1 &&
           analyze_find_output(outputs, node->kids[0]->text) != NULL;
}

static void walk_list(struct analyzer *a, const struct node *list, struct scope *scope,
                      const struct outputs *outputs)
{
    for (size_t i = 0; i < list_count(list); i++) {
        const struct node *item = list->kids[i];
        const struct node *value = node_is(item, N_ORDER) ? item->kids[0] : item;
        if (!is_output(outputs, value))
            analyze_walk(a, item, scope);
    }
}

static void top_facts(struct analyzer *a, const struct node *query)
{
    push_orders(a, query->kids[SLOT_ORDER]);
    a->ret->limit = number_of(query->kids[SLOT_LIMIT]);
    a->ret->offset = number_of(query->kids[SLOT_OFFSET]);
}

static struct outputs *walk_select(struct analyzer *a, const struct node *select,
                                   struct scope *scope, bool top)
{
    const struct node *from = select->kids[SELECT_FROM];
    struct columns rest = {0}, *sink = a->sink;
    a->sink = &rest;
    for (size_t i = 0; i < list_count(from); i++)
        analyze_walk_from(a, from->kids[i], scope, top);
    a->sink = sink;
    struct outputs *outputs = walk_items(a, select, scope);
    a->sink = &rest;
    analyze_walk(a, select->kids[SELECT_WHERE], scope);
    walk_list(a, select->kids[SELECT_DISTINCT_ON], scope, outputs);
    walk_list(a, select->kids[SELECT_GROUP], scope, outputs);
    analyze_walk(a, select->kids[SELECT_HAVING], scope);
    analyze_walk(a, select->kids[SELECT_QUALIFY], scope);
    analyze_walk(a, select->kids[SELECT_WINDOWS], scope);
    analyze_walk(a, select->kids[SELECT_LIMIT_BY], scope);
    walk_list(a, select->kids[SLOT_ORDER], scope, outputs);
    analyze_walk(a, select->kids[SLOT_LIMIT], scope);
    analyze_walk(a, select->kids[SLOT_OFFSET], scope);
    if (top) {
        analyze_add_filters(a, select->kids[SELECT_WHERE], scope);
        analyze_add_aggregates(a, select->kids[SELECT_ITEMS], STR(""));
        push_texts(a, select->kids[SELECT_GROUP], &a->ret->group_by, &a->ret->group_count);
    }
    a->sink = sink;
    return outputs;
}

struct outputs *analyze_walk_query(struct analyzer *a, const struct node *query,
                                   struct scope *parent, bool top)
{
    if (!query || a->failed)
        return NULL;
    struct scope *scope = ARENA_NEW(a->arena, struct scope);
    if (!scope) {
        a->failed = true;
        return NULL;
    }
    scope->parent = parent;
    analyze_walk_ctes(a, query->kids[SLOT_WITH], scope);
    if (top)
        top_facts(a, query);
    if (query->kind == N_SELECT)
        return walk_select(a, query, scope, top);
    if (query->kind == N_VALUES) {
        analyze_walk(a, query->kids[VALUES_ROWS], scope);
        return NULL;
    }
    struct outputs *left = analyze_walk_query(a, query->kids[SETOP_LEFT], scope, false);
    struct outputs *right = analyze_walk_query(a, query->kids[SETOP_RIGHT], scope, false);
    for (size_t i = 0; left && right && i < left->count && i < right->count; i++) {
        struct columns both = {.items = left->items[i].from,
                               .count = left->items[i].from_count,
                               .cap = left->items[i].from_count};
        for (size_t k = 0; k < right->items[i].from_count; k++)
            analyze_add_to(a, &both, right->items[i].from[k]);
        left->items[i].from = both.items;
        left->items[i].from_count = both.count;
    }
    return left ? left : right;
}
