/* change_merge.c: MERGE: the rows of each side with what becomes of them, one above the other. */
#include "query/lang/change_int.h"

enum merge_side { MERGE_MATCHED, MERGE_NOT_MATCHED, MERGE_NOT_BY_SOURCE };

static enum merge_side side_of(const struct node *branch)
{
    return str_starts(branch->text, STR("NOT MATCHED BY SOURCE")) ? MERGE_NOT_BY_SOURCE
           : str_starts(branch->text, STR("NOT"))                 ? MERGE_NOT_MATCHED
                                                                  : MERGE_MATCHED;
}

/* The values that a branch gives to the columns; NULL: as it was, or none. */
static struct node **branch_values(struct maker *m, const struct node *branch)
{
    const struct node *query = branch->kids[2];
    size_t len;
    if (str_ends(branch->text, STR("UPDATE")))
        return change_assigned(m, query);
    struct node **values =
        arena_array(m->l.arena, m->change->columns_len + 1, sizeof(struct node *));
    if (!values || str_ends(branch->text, STR("DELETE")))
        return values;
    for (size_t i = 0; i < m->change->columns_len; i++)
        m->change->columns[i].set = false; /* of this branch */
    const size_t *order = change_insert_order(m, branch->kids[1], &len);
    const struct node *rows = node_is(query, N_VALUES) ? query->kids[VALUES_ROWS] : NULL;
    if (list_count(rows) != 1)
        change_refuse(m, branch, STR("INSERT"), "one row of VALUES is needed in a");
    if (m->l.status == STATUS_OK)
        change_check_value_rows(m, query, len);
    for (size_t i = 0; i < len && m->l.status == STATUS_OK; i++)
        values[order[i]] = change_cast_to(m, lower_tree(&m->l, rows->kids[0]->kids[i]), order[i]);
    return values;
}

/* CASE WHEN condition of branch 1 THEN values[0] ... ELSE other END */
static struct node *choose(struct maker *m, struct node **conditions, struct node **values,
                           size_t count, struct node *other)
{
    struct node *node = lower_node(&m->l, N_CASE, "", 3, NULL);
    struct node *whens = lower_node(&m->l, N_LIST, "", count, NULL);
    if (m->l.status != STATUS_OK)
        return node;
    for (size_t i = 0; i < count && m->l.status == STATUS_OK; i++) {
        struct node *when = lower_node(&m->l, N_WHEN, "", 2, NULL);
        if (m->l.status != STATUS_OK)
            break;
        when->kids[0] = conditions[i];
        when->kids[1] = values[i] ? values[i] : other;
        whens->kids[i] = when;
    }
    node->kids[1] = whens;
    node->kids[2] = other;
    return node;
}

static enum lang_action action_of(const struct node *branch)
{
    return str_ends(branch->text, STR("UPDATE"))   ? LANG_REPLACE
           : str_ends(branch->text, STR("DELETE")) ? LANG_REMOVE
                                                   : LANG_ADD;
}

/* What becomes of the rows of one side; NULL: it has no branch. */
static struct node *side_items(struct maker *m, const struct node *branches, enum merge_side side)
{
    struct arena *arena = m->l.arena;
    size_t columns = m->change->columns_len, count = 0, n = branches->count;
    struct node **conditions = arena_array(arena, n + 1, sizeof(struct node *));
    struct node **one = arena_array(arena, n + 1, sizeof(struct node *));
    struct node ***values = arena_array(arena, n + 1, sizeof(struct node **));
    struct node **made = arena_array(arena, columns + 1, sizeof(struct node *));
    struct node **actions = arena_array(arena, n + 1, sizeof(struct node *));
    if (!conditions || !one || !values || !made || !actions)
        return NULL;
    for (size_t i = 0; i < n && m->l.status == STATUS_OK; i++) {
        const struct node *branch = branches->kids[i];
        if (side_of(branch) != side)
            continue;
        conditions[count] = branch->kids[0] ? lower_tree(&m->l, branch->kids[0])
                                            : lower_node(&m->l, N_BOOL, "TRUE", 0, NULL);
        actions[count] = change_action_node(m, action_of(branch));
        values[count++] = branch_values(m, branch);
    }
    if (m->l.status != STATUS_OK || count == 0)
        return NULL;
    for (size_t k = 0; k < columns && m->l.status == STATUS_OK; k++) {
        for (size_t i = 0; i < count; i++)
            one[i] = values[i] ? values[i][k] : NULL;
        struct node *other = side == MERGE_NOT_MATCHED
                                 ? change_cast_to(m, change_null_node(m), k)
                                 : change_column_of(m, m->alias, m->change->columns[k].name);
        made[k] = choose(m, conditions, one, count, other);
    }
    struct node *action = choose(m, conditions, actions, count, change_action_node(m, LANG_KEEP));
    return change_item_list(m, side != MERGE_NOT_MATCHED, action, made);
}

static struct node *union_all(struct maker *m, struct node *left, struct node *right)
{
    if (!left || !right)
        return left ? left : right;
    struct node *node = lower_node(&m->l, N_SETOP, "UNION", SETOP_SLOTS, NULL);
    if (m->l.status == STATUS_OK) {
        node->flags |= NODE_ALL;
        node->kids[SETOP_LEFT] = left;
        node->kids[SETOP_RIGHT] = right;
    }
    return node;
}

struct node *change_merge(struct maker *m, const struct node *root)
{
    const struct node *branches = root->kids[3];
    struct node *query = NULL;
    struct node *on = lower_tree(&m->l, root->kids[2]), *source = lower_tree(&m->l, root->kids[1]);
    struct node *items = side_items(m, branches, MERGE_MATCHED);
    if (items && m->l.status == STATUS_OK) {
        struct node *join = lower_node(&m->l, N_JOIN, "INNER", 4, NULL);
        if (m->l.status != STATUS_OK)
            return NULL;
        join->kids[0] = change_target_node(m);
        join->kids[1] = source;
        join->kids[2] = on;
        query = change_select_node(m, items, lower_list_of(&m->l, N_LIST, &join, 1, NULL), NULL);
    }
    items = side_items(m, branches, MERGE_NOT_BY_SOURCE);
    if (items && m->l.status == STATUS_OK) {
        struct node *target = change_target_node(m);
        query =
            union_all(m, query,
                      change_select_node(m, items, lower_list_of(&m->l, N_LIST, &target, 1, NULL),
                                         change_not_exists(m, source, on)));
    }
    for (size_t i = 0; i < m->change->columns_len; i++)
        m->change->columns[i].set = false;
    items = side_items(m, branches, MERGE_NOT_MATCHED);
    if (items && m->l.status == STATUS_OK)
        query =
            union_all(m, query,
                      change_select_node(m, items, lower_list_of(&m->l, N_LIST, &source, 1, NULL),
                                         change_not_exists(m, change_target_node(m), on)));
    if (query && m->l.status == STATUS_OK)
        change_order_by_place(m, query);
    return query;
}
