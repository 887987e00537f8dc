/* view_merge.c: SELECT ... FROM view WHERE y as SELECT ... FROM table WHERE x AND y.
 *
 * The view must be SELECT columns FROM table WHERE x: columns as they are or renamed. The query
 * around it must have nothing but the view in FROM, no sub-queries, and only names that are certain
 * to mean columns of the view or its own aliases; a name must not come to mean a column of the
 * table that the view does not show. Where there is a doubt the view stays a sub-query. */
#include "query/lang/lower_int.h"
#include "query/lang/view.h"

struct shown {
    struct str name; /* of the view's column */
    struct str base; /* of the table's */
};

struct merge {
    struct lower l; /* makes nodes */
    const struct lang_catalog *catalog;
    struct node *select;            /* the query around */
    const struct node *view;        /* the view's SELECT */
    const struct lang_source *base; /* its table */
    struct str alias;               /* of the view in the query around */
    struct shown *shown;
    size_t len;
};

/* ---- names ---- */

static const struct lang_source *source_named(const struct lang_catalog *catalog, struct str name)
{
    for (size_t i = 0; i < catalog->count && name.data; i++) {
        if (str_eq(catalog->sources[i].name, name))
            return &catalog->sources[i];
    }
    return NULL;
}

static const struct lang_source_column *base_column(const struct merge *m, struct str name)
{
    for (size_t i = 0; i < m->base->count; i++) {
        if (str_eq_nocase(m->base->columns[i].name, name))
            return &m->base->columns[i];
    }
    return NULL;
}

static const struct shown *shown_column(const struct merge *m, struct str name)
{
    for (size_t i = 0; i < m->len; i++) {
        if (str_eq_nocase(m->shown[i].name, name))
            return &m->shown[i];
    }
    return NULL;
}

static bool is_renamed(const struct shown *shown)
{
    return !str_eq(shown->name, shown->base);
}

/* a, or q.a where that is the table's own name here; data NULL: something else. */
static struct str column_of(const struct node *ref, struct str qualifier)
{
    if (!node_is(ref, N_REF) || ref->count == 0 || ref->count > 2)
        return STR_NONE;
    if (ref->count == 2 && !str_eq_nocase(ref->kids[0]->text, qualifier))
        return STR_NONE;
    return ref->kids[ref->count - 1]->text;
}

/* The star of this one table, with nothing left out or replaced. */
static bool is_plain_star(const struct node *star, struct str qualifier)
{
    const struct node *of = kid(star, 0);
    for (size_t i = 1; i < star->count; i++) {
        if (star->kids[i])
            return false;
    }
    return !of ||
           (node_is(of, N_REF) && of->count == 1 && str_eq_nocase(of->kids[0]->text, qualifier));
}

/* ---- the view ---- */

static bool has_only(const struct node *select, const uint8_t *slots, size_t len)
{
    for (size_t i = 0; i < select->count; i++) {
        if (select->kids[i] && !memchr(slots, (int)i, len))
            return false;
    }
    return true;
}

static struct str table_alias(const struct node *table)
{
    const struct node *alias = kid(table, 1);
    return alias ? alias->text : lang_place_name(table);
}

static bool has_plain_alias(const struct node *table)
{
    const struct node *alias = kid(table, 1);
    return !alias || (!kid(alias, 0) && !kid(alias, 1) && alias->text.len);
}

static bool is_within_table(const struct merge *m, const struct node *node, struct str qualifier)
{
    if (!node)
        return true;
    if (node->kind == N_REF) {
        struct str name = column_of(node, qualifier);
        return name.data && base_column(m, name);
    }
    if (node_is_query(node) || node->kind == N_LAMBDA || node->kind == N_COMPREHENSION ||
        node->kind == N_STAR)
        return false;
    for (size_t i = 0; i < node->count; i++) {
        if (!is_within_table(m, node->kids[i], qualifier))
            return false;
    }
    return true;
}

static bool show(struct merge *m, struct str name, struct str base)
{
    const struct lang_source_column *column = base.data ? base_column(m, base) : NULL;
    if (!column || shown_column(m, name))
        return false;
    m->shown[m->len++] = (struct shown){name, column->name};
    return true;
}

static bool show_item(struct merge *m, const struct node *item, struct str qualifier)
{
    if (item->kind == N_STAR) {
        bool good = is_plain_star(item, qualifier);
        for (size_t i = 0; i < m->base->count && good; i++)
            good = show(m, m->base->columns[i].name, m->base->columns[i].name);
        return good;
    }
    const struct node *value = item->kind == N_ALIAS ? item->kids[0] : item;
    if (item->kind == N_ALIAS && kid(item, 1))
        return false;
    struct str base = column_of(value, qualifier);
    return show(m, item->kind == N_ALIAS ? item->text : base, base);
}

/* The one table of SELECT items FROM table WHERE x; NULL: the view is something else. */
static const struct node *only_table(const struct node *view)
{
    static const uint8_t parts[] = {SELECT_ITEMS, SELECT_FROM, SELECT_WHERE};
    if (view->kind != N_SELECT || (view->flags & (NODE_DISTINCT | NODE_BY_NAME | NODE_ALL)) ||
        !has_only(view, parts, sizeof parts) || !view->kids[SELECT_ITEMS] ||
        list_count(view->kids[SELECT_FROM]) != 1)
        return NULL;
    const struct node *table = view->kids[SELECT_FROM]->kids[0];
    bool plain = node_is(table, N_TABLE) && !kid(table, 2) && !kid(table, 3);
    return plain && has_plain_alias(table) ? table : NULL;
}

static bool read_view(struct merge *m)
{
    const struct node *view = m->view, *table = only_table(view);
    if (!table)
        return false;
    const struct node *items = view->kids[SELECT_ITEMS];
    m->base = source_named(m->catalog, lang_place_name(table));
    if (!m->base || m->base->open)
        return false;
    m->shown = arena_array(m->l.arena, items->count * (m->base->count + 1), sizeof *m->shown);
    for (size_t i = 0; i < items->count && m->shown; i++) {
        if (!show_item(m, items->kids[i], table_alias(table)))
            return false;
    }
    return m->shown && is_within_table(m, view->kids[SELECT_WHERE], table_alias(table));
}

/* ---- the query around ---- */

static bool is_own_alias(const struct merge *m, struct str name)
{
    const struct node *items = m->select->kids[SELECT_ITEMS];
    for (size_t i = 0; i < items->count; i++) {
        if (node_is(items->kids[i], N_ALIAS) && str_eq_nocase(items->kids[i]->text, name))
            return true;
    }
    return false;
}

/* Every name is a column of the view or an alias; `*ret_renamed`: one has another name in the
 * table. */
static bool is_certain(const struct merge *m, const struct node *node, bool *ret_renamed)
{
    if (!node)
        return true;
    if (node->kind == N_REF) {
        struct str name = column_of(node, m->alias);
        const struct shown *shown = name.data ? shown_column(m, name) : NULL;
        *ret_renamed = *ret_renamed || (shown && is_renamed(shown));
        return shown || (name.data && node->count == 1 && is_own_alias(m, name));
    }
    if (node_is_query(node) || node->kind == N_LAMBDA || node->kind == N_COMPREHENSION ||
        node->kind == N_STAR || (node->kind == N_CALL && str_eq_nocase(node->text, STR("columns"))))
        return false;
    for (size_t i = 0; i < node->count; i++) {
        if (!is_certain(m, node->kids[i], ret_renamed))
            return false;
    }
    return true;
}

/* An alias may be a name of the table only where the view shows that column under it. */
static bool is_good_alias(const struct merge *m, struct str name)
{
    const struct shown *shown = shown_column(m, name);
    if (shown)
        return !is_renamed(shown);
    return !base_column(m, name);
}

static bool is_good_item(const struct merge *m, const struct node *item)
{
    bool renamed = false;
    if (item->kind == N_STAR)
        return is_plain_star(item, m->alias);
    if (item->kind == N_ALIAS)
        return !kid(item, 1) && is_good_alias(m, item->text) &&
               is_certain(m, item->kids[0], &renamed);
    /* the engine names an expression by its text */
    return is_certain(m, item, &renamed) && (item->kind == N_REF || !renamed);
}

static size_t items_after(const struct merge *m)
{
    const struct node *items = m->select->kids[SELECT_ITEMS];
    size_t n = 0;
    for (size_t i = 0; i < items->count; i++)
        n += items->kids[i]->kind == N_STAR ? m->len : 1;
    return n;
}

static bool read_select(struct merge *m)
{
    const struct node *select = m->select, *items = select->kids[SELECT_ITEMS];
    bool renamed = false;
    if (!items || select->kids[SLOT_WITH] || select->kids[SELECT_INTO] ||
        (select->flags & NODE_BY_NAME))
        return false;
    for (size_t i = 0; i < items->count; i++) {
        if (!is_good_item(m, items->kids[i]))
            return false;
    }
    for (size_t i = 0; i < select->count; i++) {
        if (i != SELECT_ITEMS && i != SELECT_FROM && !is_certain(m, select->kids[i], &renamed))
            return false;
    }
    return items_after(m) <= NODE_KIDS_MAX;
}

/* ---- merging ---- */

static struct node *column_ref(struct merge *m, struct str table, struct str name)
{
    struct node *parts[] = {lower_quoted(&m->l, table), lower_quoted(&m->l, name)};
    struct node *ref =
        lower_list_of(&m->l, N_REF, table.data ? parts : parts + 1, table.data ? 2 : 1, NULL);
    if (m->l.status == STATUS_OK)
        ref->flags = 0;
    return ref;
}

static struct node *item_of(struct merge *m, const struct shown *shown)
{
    struct node *ref = column_ref(m, STR_NONE, shown->base);
    return is_renamed(shown) ? lower_named(&m->l, ref, shown->name) : ref;
}

/* A column keeps its place, its type and its qualifier; only its last name changes. */
static void rename_columns(struct merge *m, struct node *node)
{
    if (!node)
        return;
    if (node->kind == N_REF) {
        const struct shown *shown = shown_column(m, column_of(node, m->alias));
        if (shown && is_renamed(shown))
            node->kids[node->count - 1] = lower_quoted(&m->l, shown->base);
        return;
    }
    for (size_t i = 0; i < node->count; i++)
        rename_columns(m, node->kids[i]);
}

static void merge_items(struct merge *m)
{
    const struct node *items = m->select->kids[SELECT_ITEMS];
    size_t n = 0;
    struct node *list = lower_node(&m->l, N_LIST, "", items_after(m), items);
    for (size_t i = 0; i < items->count && m->l.status == STATUS_OK; i++) {
        struct node *item = items->kids[i];
        const struct shown *shown =
            item->kind == N_REF ? shown_column(m, column_of(item, m->alias)) : NULL;
        for (size_t k = 0; k < m->len && item->kind == N_STAR; k++)
            list->kids[n++] = item_of(m, &m->shown[k]);
        if (item->kind == N_STAR)
            continue;
        rename_columns(m, item);
        list->kids[n++] = shown && is_renamed(shown) ? lower_named(&m->l, item, shown->name) : item;
    }
    if (m->l.status != STATUS_OK)
        return;
    list->flags = items->flags;
    m->select->kids[SELECT_ITEMS] = list;
}

/* The view's condition, shared with it, so copied: its columns are those of the alias here. */
static struct node *condition(struct merge *m, const struct node *node)
{
    if (!node)
        return NULL;
    if (node->kind == N_REF)
        return column_ref(m, m->alias, base_column(m, node->kids[node->count - 1]->text)->name);
    struct node *copy = lower_shallow(&m->l, node);
    for (size_t i = 0; i < node->count && m->l.status == STATUS_OK; i++)
        copy->kids[i] = condition(m, node->kids[i]);
    return copy;
}

static void merge_where(struct merge *m)
{
    struct node *inner = condition(m, m->view->kids[SELECT_WHERE]);
    struct node *outer = m->select->kids[SELECT_WHERE];
    if (m->l.status != STATUS_OK || !inner)
        return;
    inner->flags |= NODE_DONE;
    m->select->kids[SELECT_WHERE] = inner;
    if (!outer)
        return;
    struct node *both = lower_node(&m->l, N_BINARY, "AND", 2, outer);
    if (m->l.status != STATUS_OK)
        return;
    both->flags = 0;
    both->kids[0] = inner;
    both->kids[1] = outer;
    m->select->kids[SELECT_WHERE] = both;
}

static void merge_from(struct merge *m)
{
    const struct node *table = m->view->kids[SELECT_FROM]->kids[0];
    struct node *place = m->select->kids[SELECT_FROM]->kids[0];
    struct node *made = lower_node(&m->l, N_TABLE, "", 4, place);
    if (m->l.status != STATUS_OK)
        return;
    made->kids[0] = table->kids[0];
    made->kids[1] = place->kids[1];
    made->flags = NODE_DONE;
    m->select->kids[SELECT_FROM]->kids[0] = made;
}

static void merge_select(struct merge *m, struct node *select)
{
    const struct node *from = kid(select, SELECT_FROM), *place = from ? kid(from, 0) : NULL;
    if (list_count(from) != 1 || !node_is(place, N_TABLE_QUERY) || kid(place, 2) ||
        !has_plain_alias(place) || !(place->kids[0]->flags & NODE_DONE))
        return;
    m->select = select;
    m->view = place->kids[0];
    m->alias = place->kids[1]->text;
    m->shown = NULL;
    m->len = 0;
    if (!read_view(m) || !read_select(m))
        return;
    merge_items(m);
    static const uint8_t others[] = {
        SLOT_ORDER,   SLOT_LIMIT,    SLOT_OFFSET,    SELECT_DISTINCT_ON, SELECT_WHERE,
        SELECT_GROUP, SELECT_HAVING, SELECT_QUALIFY, SELECT_WINDOWS,     SELECT_LIMIT_BY};
    for (size_t i = 0; i < sizeof others; i++)
        rename_columns(m, select->kids[others[i]]);
    merge_where(m);
    merge_from(m);
}

static void merge_below(struct merge *m, struct node *node)
{
    if (!node || (node->flags & NODE_DONE) || m->l.status != STATUS_OK)
        return;
    for (size_t i = 0; i < node->count; i++)
        merge_below(m, node->kids[i]);
    if (node->kind == N_SELECT)
        merge_select(m, node);
}

enum status lang_merge_views(struct arena *arena, struct node *root,
                             const struct lang_catalog *catalog)
{
    struct lang_problem ignored = {0};
    struct merge m = {.l = {.arena = arena, .problem = &ignored}, .catalog = catalog};
    merge_below(&m, root);
    return m.l.status;
}
