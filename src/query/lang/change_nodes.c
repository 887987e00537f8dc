/* change_nodes.c: pieces of the queries that changes become; values of SET and INSERT by column;
 * parameters. */
#include "query/lang/change_int.h"

#include <stdio.h>
#include <stdlib.h>

void change_refuse(struct maker *m, const struct node *at, struct str name, const char *why)
{
    if (m->l.status != STATUS_OK)
        return;
    m->l.status = STATUS_INVALID_SQL;
    *m->l.problem = (struct lang_problem){.code = LANG_UNSUPPORTED, .offset = at ? at->offset : 0};
    snprintf(m->l.problem->found, sizeof m->l.problem->found, "%.*s",
             name.len < LANG_NAME_MAX ? (int)name.len : LANG_NAME_MAX - 1, name.data);
    snprintf(m->l.problem->message, sizeof m->l.problem->message, "%s '%s'", why,
             m->l.problem->found);
}

/* ---- nodes ---- */

struct node *change_ident(struct maker *m, struct str text)
{
    struct node *node = lower_text(&m->l, N_IDENT, text, NULL);
    if (m->l.status == STATUS_OK)
        node->flags |= NODE_QUOTED;
    return node;
}

struct node *change_column_of(struct maker *m, struct str table, struct str column)
{
    struct node *parts[] = {change_ident(m, table), change_ident(m, column)};
    return lower_list_of(&m->l, N_REF, parts, 2, NULL);
}

struct node *change_null_node(struct maker *m)
{
    return lower_node(&m->l, N_NULL_, "", 0, NULL);
}

struct node *change_named(struct maker *m, struct node *value, struct str name)
{
    struct node *alias = lower_node(&m->l, N_ALIAS, "", 2, NULL);
    if (m->l.status == STATUS_OK) {
        alias->text = name;
        alias->flags |= NODE_QUOTED;
        alias->kids[0] = value;
    }
    return alias;
}

struct node *change_table_node(struct maker *m, struct str name, struct str alias)
{
    struct node *part = change_ident(m, name), *table = lower_node(&m->l, N_TABLE, "", 4, NULL);
    if (m->l.status == STATUS_OK) {
        table->kids[0] = lower_list_of(&m->l, N_REF, &part, 1, NULL);
        table->kids[1] = change_named(m, NULL, alias);
    }
    return table;
}

struct node *change_target_node(struct maker *m)
{
    return change_table_node(m, str_of(m->change->table), m->alias);
}

struct node *change_select_node(struct maker *m, struct node *items, struct node *from,
                                struct node *where)
{
    struct node *select = lower_node(&m->l, N_SELECT, "", SELECT_SLOTS, NULL);
    if (m->l.status == STATUS_OK) {
        select->kids[SELECT_ITEMS] = items;
        select->kids[SELECT_FROM] = from;
        select->kids[SELECT_WHERE] = where;
    }
    return select;
}

struct node *change_not_exists(struct maker *m, struct node *from, struct node *where)
{
    struct node *one = lower_number(&m->l, 1, NULL);
    struct node *items = lower_list_of(&m->l, N_LIST, &one, 1, NULL);
    struct node *exists = lower_node(&m->l, N_EXISTS, "", 1, NULL);
    struct node *node = lower_node(&m->l, N_NOT, "", 1, NULL);
    struct node *list = lower_list_of(&m->l, N_LIST, &from, 1, NULL);
    if (m->l.status == STATUS_OK) {
        exists->kids[0] = change_select_node(m, items, list, where);
        node->kids[0] = exists;
    }
    return node;
}

/* ---- parts ---- */

size_t change_column_index(struct maker *m, const struct node *name)
{
    const struct node *last = node_is(name, N_REF) ? name->kids[name->count - 1] : name;
    for (size_t i = 0; i < m->change->columns_len; i++) {
        if (str_eq_nocase(m->change->columns[i].name, last->text))
            return i;
    }
    change_refuse(m, last, last->text, "there is no such column of the target:");
    return 0;
}

struct node *change_cast_to(struct maker *m, struct node *value, size_t column)
{
    return lower_cast(&m->l, value, m->change->columns[column].type);
}

/* The values of SET, by column; NULL: the column stays. */
struct node **change_assigned(struct maker *m, const struct node *list)
{
    struct node **values =
        arena_array(m->l.arena, m->change->columns_len + 1, sizeof(struct node *));
    if (!values) {
        change_refuse(m, list, STR("SET"), "no memory for");
        return NULL;
    }
    for (size_t i = 0; i < list_count(list) && m->l.status == STATUS_OK; i++) {
        const struct node *pair = list->kids[i];
        size_t at = change_column_index(m, pair->kids[0]);
        if (m->l.status != STATUS_OK)
            break;
        if (values[at])
            change_refuse(m, pair, m->change->columns[at].name, "set twice:");
        if (m->change->columns[at].is_key)
            change_refuse(m, pair, m->change->columns[at].name, "a key column cannot be changed:");
        if (pair->kids[1]->kind == N_DEFAULT)
            change_refuse(m, pair, STR("DEFAULT"), "this is not available here:");
        values[at] = change_cast_to(m, lower_tree(&m->l, pair->kids[1]), at);
    }
    return values;
}

/* unit, row, action, columns */
struct node *change_item_list(struct maker *m, bool has_position, struct node *action,
                              struct node **columns)
{
    const struct lang_change *change = m->change;
    size_t extra = columns ? change->columns_len : 0;
    struct node *list = lower_node(&m->l, N_LIST, "", LANG_CHANGE_COLUMNS + extra, NULL);
    if (m->l.status != STATUS_OK)
        return list;
    struct node *unit = has_position ? change_column_of(m, m->alias, str_of(change->unit))
                                     : lower_cast(&m->l, change_null_node(m), "BIGINT");
    struct node *row = has_position ? change_column_of(m, m->alias, str_of(change->row))
                                    : lower_cast(&m->l, change_null_node(m), "BIGINT");
    list->kids[LANG_CHANGE_UNIT] = change_named(m, unit, str_of(change->unit));
    list->kids[LANG_CHANGE_ROW] = change_named(m, row, str_of(change->row));
    list->kids[LANG_CHANGE_ACTION] =
        change_named(m, lower_cast(&m->l, action, "BIGINT"), STR("quarry action"));
    for (size_t i = 0; i < extra; i++)
        list->kids[LANG_CHANGE_COLUMNS + i] = change_named(m, columns[i], change->columns[i].name);
    return list;
}

struct node *change_action_node(struct maker *m, enum lang_action action)
{
    return lower_number(&m->l, action, NULL);
}

void change_with_of(struct maker *m, struct node *select, const struct node *with)
{
    if (with && m->l.status == STATUS_OK)
        select->kids[SLOT_WITH] = lower_tree(&m->l, with);
}

/* ORDER BY 1, 2: rows of one place come one behind the other. */
void change_order_by_place(struct maker *m, struct node *select)
{
    struct node *keys[2];
    for (int i = 0; i < 2; i++) {
        keys[i] = lower_node(&m->l, N_ORDER, "", 2, NULL);
        if (m->l.status == STATUS_OK)
            keys[i]->kids[0] = lower_number(&m->l, i + 1, NULL);
    }
    struct node *order = lower_list_of(&m->l, N_LIST, keys, 2, NULL);
    if (m->l.status == STATUS_OK)
        select->kids[SLOT_ORDER] = order;
}

/* Which columns the values of an INSERT go to, in their order. */
size_t *change_insert_order(struct maker *m, const struct node *names, size_t *ret_len)
{
    size_t len = names ? names->count : m->change->columns_len;
    size_t *order = arena_array(m->l.arena, len + 1, sizeof *order);
    *ret_len = order ? len : 0;
    for (size_t i = 0; i < *ret_len && m->l.status == STATUS_OK; i++) {
        order[i] = names ? change_column_index(m, names->kids[i]) : i;
        struct lang_target_column *column = &m->change->columns[order[i]];
        if (column->set && m->l.status == STATUS_OK)
            change_refuse(m, names->kids[i], column->name, "named twice:");
        column->set = true;
    }
    return order;
}

void change_check_value_rows(struct maker *m, const struct node *query, size_t wanted)
{
    const struct node *rows = query->kids[VALUES_ROWS];
    for (size_t i = 0; i < list_count(rows); i++) {
        if (rows->kids[i]->count == wanted || m->l.status != STATUS_OK)
            continue;
        m->l.status = STATUS_INVALID_SQL;
        *m->l.problem =
            (struct lang_problem){.code = LANG_WRONG_ARGUMENTS, .offset = rows->kids[i]->offset};
        snprintf(m->l.problem->message, sizeof m->l.problem->message, "%zu values for %zu columns",
                 (size_t)rows->kids[i]->count, wanted);
    }
}

/* ---- parameters ---- */

struct parameters {
    struct node **items;
    size_t len, cap;
    bool failed;
};

static void collect(struct arena *arena, struct parameters *list, struct node *node)
{
    if (!node || list->failed)
        return;
    if (node->kind == N_PARAM && str_is(node->text, "?")) {
        if (list->len == list->cap) {
            size_t cap = list->cap ? list->cap * 2 : 16;
            struct node **wider = arena_array(arena, cap, sizeof *wider);
            list->failed = !wider;
            if (!wider)
                return;
            if (list->len)
                memcpy(wider, list->items, list->len * sizeof *wider);
            list->items = wider;
            list->cap = cap;
        }
        list->items[list->len++] = node;
    }
    for (size_t i = 0; i < node->count; i++)
        collect(arena, list, node->kids[i]);
}

static int compare_places(const void *a, const void *b)
{
    uint32_t x = (*(struct node *const *)a)->offset, y = (*(struct node *const *)b)->offset;
    return x < y ? -1 : x > y;
}

/* Parts change their places: ? becomes $1, $2, ... in the order of the text. */
bool change_number_parameters(struct arena *arena, struct node *root)
{
    struct parameters list = {0};
    collect(arena, &list, root);
    if (list.len)
        qsort(list.items, list.len, sizeof *list.items, compare_places);
    for (size_t i = 0; i < list.len; i++) {
        const char *text = arena_printf(arena, "$%zu", i + 1);
        list.failed = list.failed || !text;
        list.items[i]->text = str_of(text ? text : "?");
    }
    return !list.failed;
}
