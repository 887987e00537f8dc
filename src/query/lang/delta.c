/* delta.c: what kind of query it is, and the columns that avg needs. */
#include "query/lang/delta.h"

#include "query/lang/bind_int.h"
#include "query/lang/lower_int.h"

static struct node *value_of(struct node *item)
{
    return item->kind == N_ALIAS ? item->kids[0] : item;
}

/* ---- shape ---- */

static bool has_inner(const struct node *node)
{
    if (!node)
        return false;
    if (node_is_query(node) || node->kind == N_WINDOW || node->kind == N_GROUPING ||
        (node->kind == N_CALL && (node->kids[CALL_OVER] || node->kids[CALL_WITHIN])))
        return true;
    for (size_t i = 0; i < node->count; i++) {
        if (has_inner(node->kids[i]))
            return true;
    }
    return false;
}

/* NULL: it may be either kind; else what hinders. */
static const char *hindrance(const struct node *select)
{
    static const uint8_t never[] = {SLOT_WITH,       SLOT_ORDER,         SLOT_LIMIT,
                                    SLOT_OFFSET,     SELECT_DISTINCT_ON, SELECT_HAVING,
                                    SELECT_QUALIFY,  SELECT_WINDOWS,     SELECT_SAMPLE,
                                    SELECT_LIMIT_BY, SELECT_INTO};
    if (!node_is(select, N_SELECT))
        return "it is not one SELECT";
    for (size_t i = 0; i < sizeof never; i++) {
        if (select->kids[never[i]])
            return "it has a WITH, ORDER BY, LIMIT, HAVING or the like";
    }
    const struct node *from = select->kids[SELECT_FROM], *items = select->kids[SELECT_ITEMS];
    if (select->flags & (NODE_DISTINCT | NODE_BY_NAME))
        return "it has DISTINCT";
    if (list_count(from) != 1 || !node_is(from->kids[0], N_TABLE) || kid(from->kids[0], 2) ||
        kid(from->kids[0], 3))
        return "it does not read one source, or a view below is not a simple one";
    if (!items || has_inner(items) || has_inner(select->kids[SELECT_WHERE]) ||
        has_inner(select->kids[SELECT_GROUP]))
        return "it has sub-queries or windows";
    return NULL;
}

/* ---- groups ---- */

static bool role_of(const struct node *call, enum lang_delta_role *ret)
{
    static const struct {
        const char *name;
        enum lang_delta_role role;
    } roles[] = {{"count", LANG_DELTA_COUNT}, {"sum", LANG_DELTA_SUM}, {"min", LANG_DELTA_MIN},
                 {"max", LANG_DELTA_MAX},     {"avg", LANG_DELTA_AVG}, {"mean", LANG_DELTA_AVG}};
    for (size_t i = CALL_ARGS + 1; i < call->count; i++) {
        if (call->kids[i])
            return false; /* FILTER, ORDER BY, ... */
    }
    if (call->flags & NODE_DISTINCT)
        return false;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        if (str_eq_nocase(call->text, str_of(roles[i].name))) {
            *ret = roles[i].role;
            return list_count(call->kids[CALL_ARGS]) <= 1;
        }
    }
    return false;
}

static bool is_same(const struct node *a, const struct node *b)
{
    if (!a || !b)
        return a == b;
    if (a->kind != b->kind || a->count != b->count || !str_eq(a->text, b->text))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (!is_same(a->kids[i], b->kids[i]))
            return false;
    }
    return true;
}

static bool has_name(const struct node *node, struct str name)
{
    if (node_is(node, N_REF))
        return node->count && str_eq_nocase(node->kids[node->count - 1]->text, name);
    for (size_t i = 0; node && i < node->count; i++) {
        if (has_name(node->kids[i], name))
            return true;
    }
    return false;
}

/* GROUP BY 2, GROUP BY alias, GROUP BY the expression itself. */
static bool names_item(const struct node *key, const struct node *item, size_t place)
{
    int64_t number;
    if (node_is(key, N_NUMBER))
        return str_to_int64(key->text, &number) && number == (int64_t)place + 1;
    const struct node *value = item->kind == N_ALIAS ? item->kids[0] : item;
    bool alias = item->kind == N_ALIAS && node_is(key, N_REF) && key->count == 1 &&
                 str_eq_nocase(key->kids[0]->text, item->text);
    if (alias && value->kind != N_REF && has_name(value, item->text))
        return false; /* lower_tree(city) AS city: the column is meant, not the item */
    return alias || is_same(key, value);
}

/* Every key is an item, every item that is no aggregate a key. */
static bool has_all_keys(const struct node *keys, const struct node *items,
                         const enum lang_delta_role *roles)
{
    size_t key_items = 0;
    for (size_t i = 0; i < items->count; i++)
        key_items += roles[i] == LANG_DELTA_KEY;
    for (size_t k = 0; k < list_count(keys); k++) {
        bool found = false;
        for (size_t i = 0; i < items->count && !found; i++)
            found = roles[i] == LANG_DELTA_KEY && names_item(keys->kids[k], items->kids[i], i);
        if (!found)
            return false;
    }
    return key_items == list_count(keys);
}

static const char *read_groups(const struct node *select, struct lang_delta *ret)
{
    const struct node *items = select->kids[SELECT_ITEMS], *keys = select->kids[SELECT_GROUP];
    if (keys && (keys->kind != N_LIST || (keys->flags & NODE_ALL)))
        return "its groups are not listed";
    ret->len = items->count;
    for (size_t i = 0; i < items->count; i++) {
        const struct node *value = value_of(items->kids[i]);
        ret->roles[i] = LANG_DELTA_KEY;
        if (value->kind == N_STAR)
            return "it has groups and a star";
        if (!bind_has_aggregate(value))
            continue;
        if (!bind_is_aggregate(value) || !role_of(value, &ret->roles[i]))
            return "it has other aggregates than count, sum, min, max and avg";
        ret->has_avg = ret->has_avg || ret->roles[i] == LANG_DELTA_AVG;
    }
    return has_all_keys(keys, items, ret->roles) ? NULL : "a key of its groups is not shown";
}

enum status lang_delta_of(struct arena *arena, const struct lang_query *query,
                          struct lang_delta *ret)
{
    const struct node *select = query->root;
    *ret = (struct lang_delta){.why = hindrance(select), .is_pure = lang_is_pure(select)};
    if (ret->why)
        return STATUS_OK;
    if (!ret->is_pure) {
        ret->why = "it has functions that may give something else each time";
        return STATUS_OK;
    }
    const struct node *items = select->kids[SELECT_ITEMS];
    bool groups = select->kids[SELECT_GROUP] != NULL;
    for (size_t i = 0; i < items->count; i++)
        groups = groups || bind_has_aggregate(items->kids[i]);
    ret->kind = groups ? LANG_DELTA_GROUPS : LANG_DELTA_ROWS;
    if (!groups)
        return STATUS_OK;
    ret->roles = arena_array(arena, items->count + 1u, sizeof *ret->roles);
    if (!ret->roles)
        return STATUS_NO_MEMORY;
    ret->why = read_groups(select, ret);
    if (ret->why)
        ret->kind = LANG_DELTA_NONE;
    return STATUS_OK;
}

/* ---- avg ---- */

static struct node *state_item(struct lower *l, struct node *item, const char *function,
                               const char *suffix)
{
    const struct node *avg = value_of(item);
    struct node *call = lower_shallow(l, avg), *alias = lower_node(l, N_ALIAS, "", 2, item);
    const char *name = item->kind == N_ALIAS
                           ? arena_printf(l->arena, "%.*s%s", STR_ARG(item->text), suffix)
                           : NULL;
    if (l->status != STATUS_OK || !name)
        return NULL;
    call->text = str_of(function);
    alias->kids[0] = call;
    alias->text = str_of(name);
    alias->flags = NODE_QUOTED;
    return alias;
}

enum status lang_delta_add_state(struct arena *arena, struct lang_query *query,
                                 const struct lang_delta *delta)
{
    struct lang_problem ignored = {0};
    struct lower l = {.arena = arena, .problem = &ignored};
    struct node *items = query->root->kids[SELECT_ITEMS];
    size_t n = items->count;
    struct node **wider = arena_array(arena, 3 * (size_t)items->count, sizeof(struct node *));
    if (!wider || 3 * (size_t)items->count > NODE_KIDS_MAX)
        return STATUS_NO_MEMORY;
    memcpy(wider, items->kids, n * sizeof *wider);
    for (size_t i = 0; i < items->count && i < delta->len; i++) {
        if (delta->roles[i] != LANG_DELTA_AVG)
            continue;
        wider[n++] = state_item(&l, items->kids[i], "sum", LANG_DELTA_SUM_SUFFIX);
        wider[n++] = state_item(&l, items->kids[i], "count", LANG_DELTA_COUNT_SUFFIX);
        if (!wider[n - 1] || !wider[n - 2])
            return STATUS_NO_MEMORY;
    }
    items->kids = wider;
    items->count = (uint16_t)n;
    return STATUS_OK;
}
