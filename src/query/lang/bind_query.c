/* bind_query.c: queries: what stands in FROM, select lists, set operations, WITH. */
#include "query/lang/bind_int.h"

/* ---- WITH ---- */

/* The relation under another name, with the columns of t(a, b). */
static struct bind_relation *renamed(struct binder *b, const struct bind_relation *from,
                                     struct str name, const struct node *columns)
{
    struct bind_relation *relation = bind_relation_new(b, name);
    if (!relation)
        return NULL;
    relation->open = !from || from->open;
    for (size_t i = 0; from && i < from->count; i++)
        bind_add_column(b, relation,
                        i < list_count(columns) ? columns->kids[i]->text : from->columns[i].name,
                        from->open ? (uint8_t)TY_UNKNOWN : from->columns[i].type);
    for (size_t i = from ? from->count : 0; i < list_count(columns); i++)
        bind_add_column(b, relation, columns->kids[i]->text, TY_UNKNOWN);
    return relation;
}

static void bind_cte(struct binder *b, struct node *cte, bool recursive, struct bind_scope *scope)
{
    struct bind_relation *relation = NULL;
    if (!node_is_query(cte->kids[1])) { /* WITH 10 AS n */
        bind_expr(b, cte->kids[1], scope);
        bind_add_name(b, &scope->values, cte->text);
        return;
    }
    if (recursive) { /* itself, of columns not known yet */
        relation = bind_relation_new(b, cte->text);
        if (!relation)
            return;
        relation->open = true;
        relation->next = scope->ctes;
        scope->ctes = relation;
    }
    struct bind_relation *outputs = bind_query(b, cte->kids[1], scope);
    relation = renamed(b, outputs, cte->text, cte->kids[0]);
    if (!relation)
        return;
    relation->next = scope->ctes;
    scope->ctes = relation;
}

void bind_with(struct binder *b, struct node *with, struct bind_scope *scope)
{
    for (size_t i = 0; i < list_count(with) && !b->failed; i++)
        bind_cte(b, with->kids[i], with->flags & NODE_RECURSIVE, scope);
}

/* ---- FROM ---- */

static void enter_open(struct binder *b, struct str name, struct bind_scope *scope)
{
    struct bind_relation *relation = bind_relation_new(b, name);
    if (!relation)
        return;
    relation->open = true;
    bind_enter(scope, relation);
}

static struct str alias_text(const struct node *alias)
{
    return alias ? alias->text : STR("");
}

static struct bind_relation *last_relation(const struct bind_scope *scope)
{
    struct bind_relation *relation = scope->relations;
    while (relation && relation->next)
        relation = relation->next;
    return relation;
}

/* Columns that both sides have become one. */
static void merge_natural(struct binder *b, struct bind_scope *scope,
                          const struct bind_relation *right)
{
    for (const struct bind_relation *r = scope->relations; r && r != right; r = r->next) {
        for (size_t i = 0; right && i < right->count; i++) {
            if (bind_column(r, right->columns[i].name))
                bind_add_name(b, &scope->merged, right->columns[i].name);
        }
    }
}

static void bind_join(struct binder *b, struct node *join, struct bind_scope *scope)
{
    bind_from(b, join->kids[0], scope);
    struct bind_relation *before = last_relation(scope);
    if (str_ends(join->text, STR("ARRAY"))) {
        struct node *list = join->kids[1];
        bind_exprs(b, list, scope);
        scope->open = true;
        return;
    }
    bind_from(b, join->kids[1], scope);
    struct bind_relation *right = before ? before->next : scope->relations;
    if (join->flags & NODE_NATURAL)
        merge_natural(b, scope, right);
    for (size_t i = 0; i < list_count(join->kids[3]); i++)
        bind_add_name(b, &scope->merged, join->kids[3]->kids[i]->text);
    enum bind_clause clause = b->clause;
    b->clause = BIND_ON;
    bind_expr(b, join->kids[2], scope);
    b->clause = clause;
    bool semi = str_ends(join->text, STR("SEMI")) || str_ends(join->text, STR("ANTI"));
    for (; semi && right; right = right->next)
        right->hidden = true;
}

void bind_from(struct binder *b, struct node *table, struct bind_scope *scope)
{
    if (!table || b->failed)
        return;
    struct bind_relation *relation = NULL;
    const struct node *alias = kid(table, 1);
    switch (table->kind) {
    case N_TABLE:
        relation = bind_table(b, table, scope);
        if (relation && alias && alias->kids && kid(alias, 1))
            relation = renamed(b, relation, relation->name, kid(alias, 1));
        if (relation)
            bind_enter(scope, relation);
        break;
    case N_TABLE_QUERY: {
        struct bind_relation *outputs = bind_query(b, table->kids[0], scope);
        relation = renamed(b, outputs, alias_text(alias), alias ? kid(alias, 1) : NULL);
        if (relation)
            bind_enter(scope, relation);
        break;
    }
    case N_TABLE_CALL: /* its columns are its own affair */
        bind_exprs(b, kid(table->kids[0], CALL_ARGS), scope);
        enter_open(b, alias_text(alias), scope);
        scope->open = true;
        break;
    case N_TABLE_JOINED:
        bind_from(b, table->kids[0], scope);
        if (alias)
            enter_open(b, alias->text, scope);
        break;
    case N_JOIN:
        bind_join(b, table, scope);
        break;
    default: { /* PIVOT: the table within is checked by itself */
        struct bind_scope *inner = bind_scope_new(b, scope);
        if (inner && table->kind == N_PIVOT)
            bind_from(b, table->kids[0], inner);
        enter_open(b, alias_text(kid(table, 5)), scope);
        scope->open = true;
        break;
    }
    }
}

/* ---- select lists ---- */

static void add_star(struct binder *b, struct bind_relation *outputs,
                     const struct bind_relation *from, const struct bind_scope *scope)
{
    outputs->open = outputs->open || from->open;
    for (size_t i = 0; i < from->count; i++) {
        struct str name = from->columns[i].name;
        if (bind_has_name(scope->merged, name) && bind_column(outputs, name))
            continue;
        bind_add_column(b, outputs, name,
                        scope->open ? (uint8_t)TY_UNKNOWN : from->columns[i].type);
    }
}

static void bind_star(struct binder *b, struct node *star, struct bind_relation *outputs,
                      struct bind_scope *scope)
{
    const struct node *qualifier = star ? star->kids[0] : NULL;
    struct str name = node_is(qualifier, N_REF) && qualifier->count
                          ? qualifier->kids[qualifier->count - 1]->text
                          : STR("");
    bool found = false;
    for (const struct bind_relation *r = scope->relations; r; r = r->next) {
        if (r->hidden || (qualifier && !str_eq_nocase(r->name, name)))
            continue;
        add_star(b, outputs, r, scope);
        found = true;
    }
    bool changed = star && (star->kids[1] || star->kids[2] || star->kids[3] || star->kids[4]);
    outputs->open = outputs->open || changed || !found || scope->open;
    if (star)
        bind_exprs(b, star->kids[2], scope);
}

/* COLUMNS(...) makes several items of one. */
static bool has_columns(const struct node *item)
{
    if (node_is(item, N_CALL) && str_eq_nocase(item->text, STR("columns")))
        return true;
    for (size_t i = 0; item && i < item->count; i++) {
        if (has_columns(item->kids[i]))
            return true;
    }
    return false;
}

static void bind_items(struct binder *b, struct node *select, struct bind_scope *scope)
{
    struct node *items = select->kids[SELECT_ITEMS];
    struct bind_relation *outputs = scope->outputs;
    if (!items)
        bind_star(b, NULL, outputs, scope);
    for (size_t i = 0; i < list_count(items) && !b->failed; i++) {
        struct node *item = items->kids[i];
        if (item->kind == N_STAR) {
            bind_star(b, item, outputs, scope);
            continue;
        }
        struct node *value = item->kind == N_ALIAS ? item->kids[0] : item;
        uint8_t type = bind_expr(b, value, scope);
        outputs->open = outputs->open || has_columns(value) || (item != value && kid(item, 1));
        if (item->kind == N_ALIAS)
            bind_add_column(b, outputs, item->text, type);
        else if (item->kind == N_REF && item->count)
            bind_add_column(b, outputs, item->kids[item->count - 1]->text, type);
        else { /* the engine finds a name for it */
            bind_add_column(b, outputs, STR(""), type);
            outputs->open = true;
        }
    }
    if (select->flags & NODE_BY_NAME)
        outputs->open = true;
}

/* ---- queries ---- */

static void bind_clause(struct binder *b, enum bind_clause clause, struct node *node,
                        struct bind_scope *scope)
{
    b->clause = clause;
    bind_expr(b, node, scope);
}

static struct bind_relation *bind_select(struct binder *b, struct node *select,
                                         struct bind_scope *scope)
{
    struct node *from = select->kids[SELECT_FROM];
    b->clause = BIND_ITEMS;
    for (size_t i = 0; i < list_count(from); i++)
        bind_from(b, from->kids[i], scope);
    scope->items = select->kids[SELECT_ITEMS];
    b->clause = BIND_ITEMS;
    bind_items(b, select, scope);
    bind_clause(b, BIND_WHERE, select->kids[SELECT_WHERE], scope);
    bind_clause(b, BIND_GROUP, select->kids[SELECT_GROUP], scope);
    bind_clause(b, BIND_HAVING, select->kids[SELECT_HAVING], scope);
    static const uint8_t rest[] = {SELECT_DISTINCT_ON, SELECT_QUALIFY, SELECT_WINDOWS, SLOT_ORDER,
                                   SELECT_LIMIT_BY,    SLOT_LIMIT,     SLOT_OFFSET};
    for (size_t i = 0; i < sizeof rest; i++)
        bind_clause(b, BIND_REST, select->kids[rest[i]], scope);
    bind_check_grouping(b, select, scope);
    return scope->outputs;
}

static uint8_t of_both(const struct bind_relation *left, const struct bind_relation *right,
                       size_t i)
{
    if (left->open || right->open || i >= right->count)
        return TY_UNKNOWN;
    uint8_t x = left->columns[i].type, y = right->columns[i].type;
    return x == y ? x : (uint8_t)TY_UNKNOWN;
}

static struct bind_relation *bind_setop(struct binder *b, struct node *query,
                                        struct bind_scope *scope)
{
    struct bind_relation *left = bind_query(b, query->kids[SETOP_LEFT], scope);
    struct bind_relation *right = bind_query(b, query->kids[SETOP_RIGHT], scope);
    if (!left || !right)
        return NULL;
    bool by_name = query->flags & (NODE_BY_NAME | NODE_REPLACE);
    if (!left->open && !right->open && !by_name && left->count != right->count)
        bind_problem(b, LANG_TYPE_MISMATCH, query->kids[SETOP_RIGHT]->offset, query->text,
                     "%.*s needs as many columns on both sides; there are %zu and %zu",
                     STR_ARG(query->text), left->count, right->count);
    for (size_t i = 0; i < left->count && !by_name; i++)
        bind_add_column(b, scope->outputs, left->columns[i].name, of_both(left, right, i));
    scope->outputs->open = left->open || right->open || by_name;
    struct bind_scope *names = bind_scope_new(b, scope); /* ORDER BY may use names of both */
    if (!names)
        return NULL;
    names->outputs = scope->outputs;
    names->open = true;
    b->clause = BIND_REST;
    bind_expr(b, query->kids[SLOT_ORDER], names);
    bind_expr(b, query->kids[SLOT_LIMIT], names);
    bind_expr(b, query->kids[SLOT_OFFSET], names);
    return scope->outputs;
}

/* Then an aggregate may be that one's. */
static bool has_outer_tables(const struct bind_scope *scope)
{
    for (; scope; scope = scope->parent) {
        if (scope->relations)
            return true;
    }
    return false;
}

struct bind_relation *bind_query(struct binder *b, struct node *query, struct bind_scope *parent)
{
    struct bind_scope *scope = bind_scope_new(b, parent);
    struct bind_relation *outputs = bind_relation_new(b, STR(""));
    enum bind_clause clause = b->clause;
    int aggregates = b->aggregates;
    bool inner = b->inner;
    if (!query || !scope || !outputs || b->failed)
        return outputs;
    b->aggregates = 0;
    b->inner = has_outer_tables(parent);
    scope->outputs = outputs;
    bind_with(b, query->kids[SLOT_WITH], scope);
    if (query->kind == N_SELECT) {
        outputs = bind_select(b, query, scope);
    } else if (query->kind == N_SETOP) {
        outputs = bind_setop(b, query, scope);
    } else {
        bind_exprs(b, query->kids[VALUES_ROWS], scope);
        outputs->open = true;
    }
    b->clause = clause;
    b->aggregates = aggregates;
    b->inner = inner;
    return outputs;
}
