/* lower_query.c: queries and tables: orders of nulls, UNNEST, LATERAL VIEW, APPLY, ARRAY JOIN,
 * LIMIT BY, TOP. */
#include <stdio.h>

#include "query/lang/functions.h"
#include "query/lang/lower_int.h"

/* ---- ORDER BY ---- */

/* Where nulls go when nothing is said: DuckDB puts them last both ways. */
static uint32_t default_nulls(const struct lower *l, bool descending)
{
    switch (l->dialect->nulls) {
    case NULLS_SMALL:
        return descending ? NODE_NULLS_LAST : NODE_NULLS_FIRST;
    case NULLS_LARGE:
        return descending ? NODE_NULLS_FIRST : NODE_NULLS_LAST;
    default:
        return NODE_NULLS_LAST;
    }
}

struct node *lower_order(struct lower *l, const struct node *list)
{
    if (!list)
        return NULL;
    struct node *copy = lower_shallow(l, list);
    for (size_t i = 0; i < list->count && l->status == STATUS_OK; i++) {
        struct node *order = lower_copy(l, list->kids[i]);
        if (!(order->flags & (NODE_NULLS_FIRST | NODE_NULLS_LAST)) && l->status == STATUS_OK)
            order->flags |= default_nulls(l, order->flags & NODE_DESC);
        copy->kids[i] = order;
    }
    return copy;
}

/* ---- table functions ---- */

static struct node *alias_node(struct lower *l, const char *name, struct str *columns, size_t count,
                               const struct node *at)
{
    struct node *alias = lower_node(l, N_ALIAS, name, 2, at);
    struct node *list = lower_node(l, N_LIST, "", count, at);
    for (size_t i = 0; i < count && l->status == STATUS_OK; i++) {
        list->kids[i] = lower_text(l, N_IDENT, columns[i], at);
        if (l->status == STATUS_OK)
            list->kids[i]->flags |= NODE_QUOTED;
    }
    if (l->status == STATUS_OK && count)
        alias->kids[1] = list;
    return alias;
}

static const char *fresh_alias(struct lower *l)
{
    const char *name = arena_printf(l->arena, "_t%d", l->aliases++);
    return name ? name : "_t";
}

static bool is_struct_list(const struct node *value)
{
    if (node_is(value, N_CAST) && node_is(value->kids[1], N_TYPE) &&
        str_is(value->kids[1]->text, "[]"))
        return value->kids[1]->count && str_is(value->kids[1]->kids[0]->text, "STRUCT");
    return node_is(value, N_ARRAY) && value->count && node_is(value->kids[0], N_STRUCT);
}

/* UNNEST(list of structs) gives columns: (SELECT UNNEST(x, max_depth => 2)). */
static struct node *unnest_structs(struct lower *l, struct node *value, struct node *alias)
{
    struct node *item = lower_template(l, "unnest($1, max_depth := 2)", &value, 1, NULL);
    struct node *select = lower_node(l, N_SELECT, "", SELECT_SLOTS, value);
    struct node *table = lower_node(l, N_TABLE_QUERY, "", 3, value);
    if (l->status == STATUS_OK) {
        select->kids[SELECT_ITEMS] = lower_list_of(l, N_LIST, &item, 1, value);
        table->kids[0] = select;
        table->kids[1] = alias;
    }
    return table;
}

static struct node *select_table(struct lower *l, struct node *items, struct node *alias);

/* BigQuery: UNNEST(x) AS a WITH OFFSET AS o: a and o are columns, o counts from 0. */
static struct node *unnest_columns(struct lower *l, struct node *table, struct node *value)
{
    struct node *alias = table->kids[1], *position = table->kids[4];
    struct str columns[2] = {alias ? alias->text : STR("_u"), position ? position->text : STR("")};
    if ((!alias && !position) || (alias && alias->kids[1]))
        return table;
    struct node *name = alias_node(l, fresh_alias(l), columns, position ? 2 : 1, table);
    if (position) {
        struct node *items[] = {
            lower_template(l, "unnest($1)", &value, 1, NULL),
            lower_template(l, "generate_subscripts($1, 1) - 1", &value, 1, NULL)};
        return select_table(l, lower_list_of(l, N_LIST, items, 2, table), name);
    }
    table->kids[1] = name;
    return table;
}

static bool names_are_columns(const struct lower *l)
{
    return LOWER_IS(l, BIGQUERY);
}

static void check_table_function(struct lower *l, const struct node *call)
{
    if (!function_is_table(call->text) && l->status == STATUS_OK)
        lower_unsupported(l, call, call->text, "no translation of the table function");
}

static bool is_posexplode(const struct node *call)
{
    return node_is(call, N_CALL) && str_eq_nocase(call->text, STR("posexplode")) &&
           list_count(call->kids[CALL_ARGS]) == 1;
}

static struct node *named_item(struct lower *l, struct node *value, struct str name)
{
    struct node *alias = lower_node(l, N_ALIAS, "", 2, value);
    if (l->status == STATUS_OK) {
        alias->text = name;
        alias->kids[0] = value;
    }
    return alias;
}

/* POSEXPLODE(x) as two items: the position from 0, and the element. */
static void posexplode_items(struct lower *l, const struct node *call, const struct node *names,
                             struct node *items[2])
{
    struct node *value = lower_tree(l, call->kids[CALL_ARGS]->kids[0]);
    bool named = list_count(names) == 2;
    if (l->status != STATUS_OK)
        return;
    items[0] = named_item(l, lower_template(l, "generate_subscripts($1, 1) - 1", &value, 1, NULL),
                          named ? names->kids[0]->text : STR("pos"));
    items[1] = named_item(l, lower_template(l, "unnest($1)", &value, 1, NULL),
                          named ? names->kids[1]->text : STR("col"));
}

static struct node *posexplode_table(struct lower *l, const struct node *node)
{
    const struct node *alias = node->kids[1];
    struct node *items[2] = {NULL, NULL};
    posexplode_items(l, node->kids[0], alias ? alias->kids[1] : NULL, items);
    struct node *select = lower_node(l, N_SELECT, "", SELECT_SLOTS, node),
                *table = lower_node(l, N_TABLE_QUERY, "", 3, node);
    if (l->status != STATUS_OK)
        return table;
    select->kids[SELECT_ITEMS] = lower_list_of(l, N_LIST, items, 2, node);
    table->kids[0] = select;
    if (alias && alias->text.len) {
        struct node *name = lower_node(l, N_ALIAS, "", 2, node);
        if (l->status == STATUS_OK)
            name->text = alias->text;
        table->kids[1] = name;
    }
    return table;
}

static struct node *lower_table_call(struct lower *l, const struct node *node)
{
    if (is_posexplode(node->kids[0]))
        return posexplode_table(l, node);
    struct node *table = lower_shallow(l, node);
    if (l->status != STATUS_OK)
        return table;
    struct node *call = lower_call(l, node->kids[0]);
    table->kids[0] = call;
    table->kids[1] = lower_tree(l, node->kids[1]);
    table->kids[2] = lower_tree(l, node->kids[2]);
    if (l->status != STATUS_OK || !node_is(call, N_CALL)) {
        if (node_is(call, N_SUBQUERY)) { /* a hook made a query of it */
            struct node *query = lower_node(l, N_TABLE_QUERY, "", 3, node);
            if (l->status == STATUS_OK) {
                query->kids[0] = call->kids[0];
                query->kids[1] = table->kids[1];
            }
            return query;
        }
        if (l->status == STATUS_OK)
            lower_unsupported(l, node, kid(node, 0)->text, "no translation of the table function");
        return table;
    }
    if (l->id == LANG_DUCKDB)
        return table;
    if (str_eq_nocase(call->text, STR("unnest"))) {
        struct node *value = kid(kid(call, CALL_ARGS), 0);
        if (names_are_columns(l) && is_struct_list(value))
            return unnest_structs(l, value, table->kids[1]);
        if (names_are_columns(l))
            return unnest_columns(l, table, value);
        return table;
    }
    check_table_function(l, call);
    return table;
}

/* ---- joins ---- */

static struct node *join_node(struct lower *l, const char *kind, struct node *left,
                              struct node *right, const struct node *at)
{
    struct node *join = lower_node(l, N_JOIN, kind, 4, at);
    if (l->status == STATUS_OK) {
        join->kids[0] = left;
        join->kids[1] = right;
    }
    return join;
}

/* A table (SELECT items) AS alias, usable in a lateral join. */
static struct node *select_table(struct lower *l, struct node *items, struct node *alias)
{
    struct node *select = lower_node(l, N_SELECT, "", SELECT_SLOTS, items);
    struct node *table = lower_node(l, N_TABLE_QUERY, "", 3, items);
    if (l->status == STATUS_OK) {
        select->kids[SELECT_ITEMS] = items;
        table->kids[0] = select;
        table->kids[1] = alias;
        table->flags |= NODE_LATERAL;
    }
    return table;
}

static struct node *true_node(struct lower *l, const struct node *at)
{
    return lower_node(l, N_BOOL, "TRUE", 0, at);
}

/* LATERAL VIEW [OUTER] explode(x) t AS a: a lateral join with UNNEST. */
static struct node *lateral_view(struct lower *l, const struct node *node)
{
    struct node *left = lower_tree(l, node->kids[0]);
    const struct node *view = node->kids[1];
    const struct node *source = view->kids[0];
    bool outer = str_starts(node->text, STR("OUTER")) ||
                 str_eq_nocase(source->text, STR("explode_outer")) ||
                 str_eq_nocase(source->text, STR("posexplode_outer"));
    bool position = str_starts(lower_upper(l, source->text), STR("POSEXPLODE"));
    bool inlined = str_starts(lower_upper(l, source->text), STR("INLINE"));
    bool known = position || inlined || str_eq_nocase(source->text, STR("explode")) ||
                 str_eq_nocase(source->text, STR("explode_outer"));
    struct node *value = lower_tree(l, kid(kid(source, CALL_ARGS), 0));
    if (l->status != STATUS_OK)
        return left;
    if (!known || !value) {
        lower_unsupported(l, source, source->text, "no translation of the table function");
        return left;
    }
    const struct node *alias = view->kids[1];
    const struct node *names = alias ? alias->kids[1] : NULL;
    struct str columns[8];
    size_t count = 0;
    for (size_t i = 0; i < list_count(names) && count < 8; i++)
        columns[count++] = names->kids[i]->text;
    struct node *call = NULL;
    struct node *args[] = {value};
    struct node *items[2];
    size_t item_count = 1;
    bool map = value->type == TY_MAP || (!position && !inlined && count == 2);
    if (inlined) {
        call = lower_template(l, "unnest($1, max_depth := 2)", args, 1, NULL);
    } else if (map) {
        items[0] = lower_template(l, "unnest(map_keys($1))", args, 1, NULL);
        items[1] = lower_template(l, "unnest(map_values($1))", args, 1, NULL);
        item_count = 2;
    } else if (position) {
        items[0] = lower_template(l, "generate_subscripts($1, 1) - 1", args, 1, NULL);
        items[1] = lower_template(l, "unnest($1)", args, 1, NULL);
        item_count = 2;
        if (count == 0) {
            columns[count++] = STR("pos");
            columns[count++] = STR("col");
        }
    } else {
        call = lower_template(l, "unnest($1)", args, 1, NULL);
        if (count == 0)
            columns[count++] = STR("col");
    }
    if (call)
        items[0] = call;
    const char *name = alias && alias->text.len
                           ? arena_printf(l->arena, "%.*s", STR_ARG(alias->text))
                           : fresh_alias(l);
    struct node *table = select_table(l, lower_list_of(l, N_LIST, items, item_count, node),
                                      alias_node(l, name ? name : "_t", columns, count, node));
    struct node *join = join_node(l, outer ? "LEFT" : "CROSS", left, table, node);
    if (outer && l->status == STATUS_OK)
        join->kids[2] = true_node(l, node);
    return join;
}

/* [LEFT] ARRAY JOIN a AS x, b AS y */
static struct node *array_join(struct lower *l, const struct node *node)
{
    struct node *left = lower_tree(l, node->kids[0]);
    bool outer = str_starts(node->text, STR("LEFT"));
    const struct node *list = node->kids[1];
    struct node *items = lower_node(l, N_LIST, "", list->count, node);
    for (size_t i = 0; i < list->count && l->status == STATUS_OK; i++) {
        const struct node *item = list->kids[i];
        const struct node *value = item->kind == N_ALIAS ? item->kids[0] : item;
        struct str name = item->kind == N_ALIAS ? item->text
                          : item->kind == N_REF ? item->kids[item->count - 1]->text
                                                : STR("arr");
        struct node *lowered = lower_tree(l, value);
        if (l->status != STATUS_OK)
            return left;
        struct node *alias = lower_node(l, N_ALIAS, "", 2, node);
        struct node *call = lower_template(l, "unnest($1)", &lowered, 1, NULL);
        if (l->status != STATUS_OK)
            return left;
        alias->text = name;
        alias->kids[0] = call;
        items->kids[i] = alias;
        if (item->kind != N_ALIAS) /* the array's own name now means its elements */
            lower_unsupported(l, item, name, "no translation of ARRAY JOIN without an alias for");
    }
    struct node *alias = lower_node(l, N_ALIAS, fresh_alias(l), 2, node);
    struct node *table = select_table(l, items, alias);
    struct node *join = join_node(l, outer ? "LEFT" : "CROSS", left, table, node);
    if (outer && l->status == STATUS_OK)
        join->kids[2] = true_node(l, node);
    return join;
}

static struct node *apply(struct lower *l, const struct node *node)
{
    struct node *left = lower_tree(l, node->kids[0]), *right = lower_tree(l, node->kids[1]);
    if (l->status != STATUS_OK)
        return left;
    bool outer = str_starts(node->text, STR("OUTER"));
    if (right->kind == N_TABLE_QUERY || right->kind == N_TABLE_CALL)
        right->flags |= NODE_LATERAL;
    struct node *join = join_node(l, outer ? "LEFT" : "CROSS", left, right, node);
    if (outer && l->status == STATUS_OK)
        join->kids[2] = true_node(l, node);
    return join;
}

static struct node *lower_join(struct lower *l, const struct node *node)
{
    if (str_ends(node->text, STR("LATERAL VIEW")))
        return lateral_view(l, node);
    if (str_ends(node->text, STR("ARRAY")))
        return array_join(l, node);
    if (str_ends(node->text, STR("APPLY")))
        return apply(l, node);
    struct node *join = lower_copy(l, node);
    if (l->status != STATUS_OK)
        return join;
    if ((node->flags & NODE_DISTINCT) && l->id == LANG_CLICKHOUSE && !str_is(node->text, "SEMI") &&
        !str_is(node->text, "ANTI"))
        lower_unsupported(l, node, STR("ANY JOIN"), "no translation of");
    if (str_starts(node->text, STR("RIGHT ")) &&
        l->status == STATUS_OK) { /* RIGHT SEMI: sides change */
        struct node *left = join->kids[0];
        join->kids[0] = join->kids[1];
        join->kids[1] = left;
        join->text = str_make(node->text.data + 6, node->text.len - 6);
    }
    bool bare = !join->kids[2] && !join->kids[3] && !(join->flags & NODE_NATURAL);
    if (bare && str_is(join->text, "INNER"))
        join->text = STR("CROSS");
    else if (bare && (str_is(join->text, "LEFT") || str_is(join->text, "RIGHT") ||
                      str_is(join->text, "FULL")))
        join->kids[2] = true_node(l, node);
    if (str_is(join->text, "CROSS") && join->kids[2])
        join->text = STR("INNER");
    return join;
}

/* Whether the first part of a table's name is the alias of a table before it. */
static bool names_table(const struct node *table, struct str name)
{
    if (!table)
        return false;
    if (table->kind == N_JOIN)
        return names_table(table->kids[0], name) || names_table(table->kids[1], name);
    if (table->kind != N_TABLE)
        return false;
    const struct node *ref = table->kids[0], *alias = table->kids[1];
    return str_eq_nocase(alias ? alias->text : ref->kids[ref->count - 1]->text, name);
}

/* BigQuery: FROM t, t.list AS x unnests the list. */
static struct node *implicit_unnest(struct lower *l, const struct node *from, size_t i)
{
    const struct node *table = from->kids[i];
    if (!node_is(table, N_TABLE) || table->kids[0]->count < 2)
        return NULL;
    bool known = false;
    for (size_t k = 0; k < i; k++)
        known = known || names_table(from->kids[k], table->kids[0]->kids[0]->text);
    if (!known)
        return NULL;
    struct node *value = lower_copy(l, table->kids[0]);
    struct node *call = lower_node(l, N_TABLE_CALL, "", 5, table);
    struct node *unnest = lower_call_of(l, "unnest", &value, 1, table);
    if (l->status != STATUS_OK)
        return call;
    call->kids[0] = unnest;
    call->kids[1] = lower_tree(l, table->kids[1]);
    return unnest_columns(l, call, value);
}

static struct node *lower_from(struct lower *l, const struct node *from)
{
    struct node *copy = lower_shallow(l, from);
    for (size_t i = 0; i < from->count && l->status == STATUS_OK; i++) {
        struct node *unnest = implicit_unnest(l, from, i);
        if (l->status == STATUS_OK)
            copy->kids[i] = unnest ? unnest : lower_tree(l, from->kids[i]);
    }
    return copy;
}

struct node *lower_table(struct lower *l, const struct node *node)
{
    switch (node->kind) {
    case N_TABLE_CALL:
        return lower_table_call(l, node);
    case N_JOIN:
        return lower_join(l, node);
    default:
        return lower_copy(l, node);
    }
}

/* ---- queries ---- */

/* LIMIT n BY columns: QUALIFY row_number() OVER (PARTITION BY columns ORDER BY ...) <= n */
static void limit_by(struct lower *l, struct node *select, const struct node *by)
{
    struct node *number = lower_node(l, N_CALL, "row_number", CALL_SLOTS, by);
    struct node *window = lower_node(l, N_WINDOW, "", WINDOW_SLOTS, by);
    struct node *count = lower_tree(l, by->kids[0]->kids[0]);
    struct node *partition = lower_tree(l, by->kids[1]);
    if (by->kids[0]->count > 1)
        lower_unsupported(l, by, STR("LIMIT m, n BY"), "no translation of");
    if (l->status != STATUS_OK)
        return;
    window->kids[WINDOW_PARTITION] = partition;
    window->kids[WINDOW_ORDER] = select->kids[SLOT_ORDER];
    number->kids[CALL_ARGS] = lower_node(l, N_LIST, "", 0, by);
    number->kids[CALL_OVER] = window;
    select->kids[SELECT_QUALIFY] = lower_binary(l, "<=", number, count);
}

/* WITH TIES: rank() <= n over the order */
static void with_ties(struct lower *l, struct node *select)
{
    struct node *rank = lower_node(l, N_CALL, "rank", CALL_SLOTS, select);
    struct node *window = lower_node(l, N_WINDOW, "", WINDOW_SLOTS, select);
    if (!select->kids[SLOT_ORDER] || select->kids[SLOT_OFFSET] || select->kind != N_SELECT ||
        select->kids[SELECT_QUALIFY] || (select->flags & NODE_PERCENT))
        lower_unsupported(l, select, STR("WITH TIES"), "no translation of this");
    if (l->status != STATUS_OK)
        return;
    window->kids[WINDOW_ORDER] = select->kids[SLOT_ORDER];
    rank->kids[CALL_ARGS] = lower_node(l, N_LIST, "", 0, select);
    rank->kids[CALL_OVER] = window;
    select->kids[SELECT_QUALIFY] = lower_binary(l, "<=", rank, select->kids[SLOT_LIMIT]);
    select->kids[SLOT_LIMIT] = NULL;
    select->flags &= ~(uint32_t)NODE_TIES;
}

/* SELECT AS STRUCT a, b: one column, a struct */
static void select_as_struct(struct lower *l, struct node *select)
{
    struct node *items = select->kids[SELECT_ITEMS];
    struct node *record = lower_node(l, N_STRUCT, "", items->count, items);
    for (size_t i = 0; i < items->count && l->status == STATUS_OK; i++) {
        struct node *item = items->kids[i];
        struct str name = item->kind == N_ALIAS ? item->text
                          : item->kind == N_REF ? item->kids[item->count - 1]->text
                                                : STR("");
        if (name.len == 0)
            lower_unsupported(l, item, STR("SELECT AS STRUCT"), "a column without a name in");
        struct node *pair = lower_node(l, N_PAIR, "", 2, item);
        if (l->status != STATUS_OK)
            return;
        pair->kids[0] = lower_text(l, N_STRING, name, item);
        pair->kids[1] = item->kind == N_ALIAS ? item->kids[0] : item;
        record->kids[i] = pair;
    }
    select->kids[SELECT_ITEMS] = lower_list_of(l, N_LIST, &record, 1, items);
    select->flags &= ~(uint32_t)NODE_BY_NAME;
}

/* ClickHouse: WITH 10 AS n. The values are bound, the queries stay. */
static struct node *bind_values(struct lower *l, const struct node *with)
{
    struct node *queries = lower_shallow(l, with);
    size_t n = 0;
    for (size_t i = 0; i < with->count && l->status == STATUS_OK; i++) {
        const struct node *cte = with->kids[i];
        if (!cte->kids[1] || node_is_query(cte->kids[1])) {
            queries->kids[n++] = with->kids[i];
            continue;
        }
        struct lower_binding *binding = ARENA_NEW(l->arena, struct lower_binding);
        struct node *value = lower_tree(l, cte->kids[1]);
        if (!binding || l->status != STATUS_OK)
            break;
        *binding = (struct lower_binding){.name = cte->text, .value = value, .outer = l->bindings};
        l->bindings = binding;
    }
    if (l->status == STATUS_OK)
        queries->count = (uint16_t)n;
    return n ? queries : NULL;
}

/* The select list; POSEXPLODE makes two items of one. */
static struct node *lower_items(struct lower *l, const struct node *items)
{
    size_t more = 0;
    for (size_t i = 0; i < list_count(items); i++)
        more += is_posexplode(items->kids[i]);
    if (!more)
        return lower_tree(l, items);
    struct node *list = lower_node(l, N_LIST, "", items->count + more, items);
    size_t n = 0;
    for (size_t i = 0; i < items->count && l->status == STATUS_OK; i++) {
        if (is_posexplode(items->kids[i])) {
            posexplode_items(l, items->kids[i], NULL, list->kids + n);
            n += 2;
        } else {
            list->kids[n++] = lower_tree(l, items->kids[i]);
        }
    }
    return list;
}

struct node *lower_query(struct lower *l, const struct node *node)
{
    struct node *copy = lower_shallow(l, node);
    if (l->status != STATUS_OK)
        return copy;
    struct lower_binding *outer = l->bindings;
    struct node *with = node->kids[SLOT_WITH] ? bind_values(l, node->kids[SLOT_WITH]) : NULL;
    for (size_t i = 0; i < node->count && l->status == STATUS_OK; i++) {
        if (i == SLOT_WITH)
            copy->kids[i] = lower_tree(l, with);
        else if (i == SLOT_ORDER)
            copy->kids[i] = lower_order(l, node->kids[i]);
        else if (node->kind == N_SELECT && i == SELECT_FROM && node->kids[i] &&
                 LOWER_IS(l, BIGQUERY))
            copy->kids[i] = lower_from(l, node->kids[i]);
        else if (node->kind == N_SELECT && i == SELECT_ITEMS)
            copy->kids[i] = lower_items(l, node->kids[i]);
        else if (!(node->kind == N_SELECT && i == SELECT_LIMIT_BY))
            copy->kids[i] = lower_tree(l, node->kids[i]);
    }
    l->bindings = outer;
    if (l->status != STATUS_OK)
        return copy;
    if (node->kind == N_SELECT && node->kids[SELECT_LIMIT_BY]) {
        limit_by(l, copy, node->kids[SELECT_LIMIT_BY]);
        copy->kids[SELECT_LIMIT_BY] = NULL;
    }
    if (node->kind == N_SELECT && (node->flags & NODE_BY_NAME))
        select_as_struct(l, copy);
    if (node->flags & NODE_TIES)
        with_ties(l, copy);
    if (node->kind == N_SETOP && l->id == LANG_CLICKHOUSE && !str_is(node->text, "UNION") &&
        !(node->flags & NODE_DISTINCT))
        copy->flags |= NODE_ALL; /* EXCEPT and INTERSECT keep duplicates there */
    return copy;
}
