/* view.c: finding tables, making views, putting them in.
 *
 * The walk knows which names are CTEs: those of every WITH on the way down, a recursive one for
 * itself too. */
#include "query/lang/view.h"

#include <stdio.h>

#include "query/lang/lower_int.h"
#include "query/lang/token.h"

/* ---- tables ---- */

struct cte_scope {
    struct str name;
    const struct cte_scope *outer;
};

struct finder {
    struct arena *arena;
    struct lang_places *places;
    enum status status;
};

struct str lang_place_name(const struct node *table)
{
    const struct node *ref = table->kids[0];
    if (!node_is(ref, N_REF) || ref->count == 0 || ref->count > 2)
        return STR_NONE;
    if (ref->count == 2 && !str_eq_nocase(ref->kids[0]->text, STR("main")))
        return STR_NONE;
    return ref->kids[ref->count - 1]->text;
}

static bool is_cte(const struct node *table, const struct cte_scope *scope)
{
    const struct node *ref = table->kids[0];
    if (!node_is(ref, N_REF) || ref->count != 1)
        return false;
    for (; scope; scope = scope->outer) {
        if (str_eq_nocase(scope->name, ref->kids[0]->text))
            return true;
    }
    return false;
}

static void add_place(struct finder *finder, struct node *table)
{
    struct lang_places *places = finder->places;
    if (places->len == places->cap) {
        size_t cap = places->cap ? places->cap * 2 : 8;
        struct node **wider = arena_array(finder->arena, cap, sizeof(struct node *));
        if (!wider) {
            finder->status = STATUS_NO_MEMORY;
            return;
        }
        if (places->len)
            memcpy(wider, places->tables, places->len * sizeof *wider);
        places->tables = wider;
        places->cap = cap;
    }
    places->tables[places->len++] = table;
}

static const struct node *with_of(const struct node *node)
{
    for (size_t i = 0; i < node->count; i++) {
        if (node_is(node->kids[i], N_WITH))
            return node->kids[i];
    }
    return NULL;
}

static void find(struct finder *finder, struct node *node, const struct cte_scope *scope);

static void find_below(struct finder *finder, struct node *node, const struct cte_scope *scope)
{
    for (size_t i = 0; i < node->count; i++) {
        if (!node_is(node->kids[i], N_WITH))
            find(finder, node->kids[i], scope);
    }
}

/* CTEs from `at` on enter the scope one after the other, then the rest of `node` is walked. */
static void find_with(struct finder *finder, struct node *node, const struct node *with, size_t at,
                      const struct cte_scope *scope)
{
    if (at == with->count) {
        find_below(finder, node, scope);
        return;
    }
    struct node *cte = with->kids[at];
    struct cte_scope inner = {.name = cte->text, .outer = scope};
    find_below(finder, cte, with->flags & NODE_RECURSIVE ? &inner : scope);
    find_with(finder, node, with, at + 1, &inner);
}

static void find(struct finder *finder, struct node *node, const struct cte_scope *scope)
{
    if (!node || (node->flags & NODE_DONE) || finder->status != STATUS_OK)
        return;
    if (node->kind == N_TABLE && !is_cte(node, scope))
        add_place(finder, node);
    const struct node *with = with_of(node);
    if (with)
        find_with(finder, node, with, 0, scope);
    else
        find_below(finder, node, scope);
}

enum status lang_find_tables(struct arena *arena, struct node *root, struct lang_places *ret)
{
    *ret = (struct lang_places){0};
    struct finder finder = {.arena = arena, .places = ret};
    find(&finder, root, NULL);
    return finder.status;
}

/* ---- putting views in ---- */

struct expander {
    struct lower l; /* makes nodes */
    const struct lang_view *views;
    size_t len;
    const struct node *target; /* of a change; NULL: none */
    bool changed;
};

/* As the binder finds a source: the same name, else the only one that differs in case. */
static const struct lang_view *view_named(const struct expander *e, struct str name)
{
    const struct lang_view *alike = NULL;
    for (size_t i = 0; i < e->len && name.data; i++) {
        if (str_eq(e->views[i].source.name, name))
            return &e->views[i];
        if (str_eq_nocase(e->views[i].source.name, name))
            alike = &e->views[i];
    }
    return alike;
}

static void refuse(struct expander *e, const struct node *at, struct str name, const char *why)
{
    *e->l.problem = (struct lang_problem){.code = LANG_UNSUPPORTED, .offset = at->offset};
    snprintf(e->l.problem->found, sizeof e->l.problem->found, "%.*s",
             name.len < LANG_NAME_MAX ? (int)name.len : LANG_NAME_MAX - 1, name.data);
    snprintf(e->l.problem->message, sizeof e->l.problem->message, "%s %s", e->l.problem->found,
             why);
    problem_place(e->l.problem, e->l.text);
    e->l.status = STATUS_INVALID_SQL;
}

/* TABLE(name, alias, sample, version) becomes TABLE_QUERY(query, alias, sample). */
static void put_in(struct expander *e, struct node *table, const struct lang_view *view)
{
    if (table == e->target) {
        refuse(e, table, view->source.name, "is a view: change the sources that it reads");
        return;
    }
    if (kid(table, 3)) {
        refuse(e, table, view->source.name,
               "is a view: it has no versions, the sources that it reads have");
        return;
    }
    struct str name = lang_place_name(table);
    if (!table->kids[1]) {
        struct node *alias = lower_node(&e->l, N_ALIAS, "", 2, table);
        if (e->l.status != STATUS_OK)
            return;
        alias->text = name;
        alias->flags = NODE_QUOTED;
        table->kids[1] = alias;
    }
    table->kind = N_TABLE_QUERY;
    table->count = 3;
    table->kids[0] = view->query;
    e->changed = true;
}

static bool is_change(const struct node *root)
{
    return root->kind == N_INSERT || root->kind == N_UPDATE || root->kind == N_DELETE ||
           root->kind == N_MERGE;
}

enum status lang_expand(struct arena *arena, struct lang_query *query,
                        const struct lang_catalog *catalog, const struct lang_view *views,
                        size_t views_len, bool *ret_changed, struct lang_problem *problem)
{
    struct lang_places places;
    struct expander e = {
        .l = {.arena = arena, .text = query->text, .problem = problem},
        .views = views,
        .len = views_len,
        .target = is_change(query->root) ? query->root->kids[0] : NULL,
    };
    *ret_changed = false;
    *problem = (struct lang_problem){.code = LANG_NO_MEMORY};
    TRY(lang_find_tables(arena, query->root, &places));
    for (size_t i = 0; i < places.len && e.l.status == STATUS_OK; i++) {
        const struct lang_view *view = view_named(&e, lang_place_name(places.tables[i]));
        if (view)
            put_in(&e, places.tables[i], view);
    }
    *ret_changed = e.changed;
    TRY(e.l.status);
    return e.changed ? lang_merge_views(arena, query->root, catalog) : STATUS_OK;
}

/* ---- the text that is kept ---- */

static const struct node *find_parameter(const struct node *node)
{
    const struct node *found = node_is(node, N_PARAM) ? node : NULL;
    for (size_t i = 0; node && i < node->count && !found; i++)
        found = find_parameter(node->kids[i]);
    return found;
}

/* SELECT a, b FROM ... where the names can simply stand behind the columns. */
static bool takes_names(const struct node *query, size_t names)
{
    static const uint8_t parts[] = {SELECT_ITEMS, SELECT_FROM, SELECT_WHERE, SLOT_WITH};
    const struct node *items = query->kind == N_SELECT ? query->kids[SELECT_ITEMS] : NULL;
    for (size_t i = 0; i < query->count; i++) {
        if (query->kids[i] && !memchr(parts, (int)i, sizeof parts))
            return false;
    }
    for (size_t i = 0; i < list_count(items); i++) {
        if (items->kids[i]->kind == N_ALIAS || items->kids[i]->kind == N_STAR)
            return false;
    }
    return list_count(items) == names;
}

/* SELECT * FROM (query) AS view(names) */
static struct node *wrapped(struct lower *l, struct node *query, struct node *names)
{
    struct node *select = lower_node(l, N_SELECT, "", SELECT_SLOTS, query);
    struct node *star = lower_node(l, N_STAR, "", 5, query);
    struct node *table = lower_node(l, N_TABLE_QUERY, "", 3, query);
    struct node *alias = lower_named(l, NULL, STR("view"));
    struct node *items = lower_list_of(l, N_LIST, &star, 1, query);
    struct node *from = lower_list_of(l, N_LIST, &table, 1, query);
    if (l->status != STATUS_OK)
        return NULL;
    alias->kids[1] = names;
    table->kids[0] = query;
    table->kids[1] = alias;
    select->kids[SELECT_ITEMS] = items;
    select->kids[SELECT_FROM] = from;
    return select;
}

static struct node *with_names(struct lower *l, struct node *query, struct node *names)
{
    if (!names || l->status != STATUS_OK)
        return query;
    if (!takes_names(query, names->count))
        return wrapped(l, query, names);
    struct node *items = query->kids[SELECT_ITEMS];
    for (size_t i = 0; i < items->count; i++)
        items->kids[i] = lower_named(l, items->kids[i], names->kids[i]->text);
    return query;
}

enum status lang_view_text(struct arena *arena, const struct lang_query *query, struct buf *out,
                           struct lang_problem *problem)
{
    const struct node *root = query->root, *parameter = find_parameter(root->kids[2]);
    struct lang_query made = *query;
    struct node *lowered;
    *problem = (struct lang_problem){.code = LANG_NO_MEMORY};
    if (parameter) {
        *problem = (struct lang_problem){.code = LANG_UNSUPPORTED, .offset = parameter->offset};
        snprintf(problem->message, sizeof problem->message, "a view has no parameters");
        problem_place(problem, query->text);
        return STATUS_INVALID_SQL;
    }
    made.root = root->kids[2];
    TRY(lang_lower(arena, &made, &lowered, problem));
    struct lower l = {.arena = arena, .problem = problem};
    made.root = with_names(&l, lowered, root->kids[1]);
    made.dialect = LANG_DUCKDB; /* the tree is its own already */
    TRY(l.status);
    made.root->flags |= NODE_DONE;
    return lang_rewrite(arena, &made, out, problem);
}

/* ---- making views ---- */

/* t becomes main.t; other schemas stay. */
static enum status qualify(struct arena *arena, struct node *root)
{
    struct lang_places places;
    TRY(lang_find_tables(arena, root, &places));
    for (size_t i = 0; i < places.len; i++) {
        struct node *ref = places.tables[i]->kids[0];
        if (!node_is(ref, N_REF) || ref->count != 1)
            continue;
        struct node *schema = ARENA_NEW(arena, struct node);
        struct node **parts = arena_array(arena, 2, sizeof(struct node *));
        if (!schema || !parts)
            return STATUS_NO_MEMORY;
        *schema = (struct node){.kind = N_IDENT, .offset = ref->offset, .text = STR("main")};
        parts[0] = schema;
        parts[1] = ref->kids[0];
        ref->kids = parts;
        ref->count = 2;
    }
    return STATUS_OK;
}

static enum status one_problem(struct lang_problems *problems, const struct lang_problem *problem,
                               enum status status)
{
    problems->items[0] = *problem;
    problems->count = status == STATUS_NO_MEMORY ? 0 : 1;
    return status;
}

enum status lang_view_make(struct arena *arena, struct str name, struct str text,
                           const struct lang_catalog *catalog, const struct lang_view *views,
                           size_t views_len, struct lang_view *ret, struct lang_problems *problems)
{
    struct lang_query query;
    struct lang_problem problem;
    bool changed;
    *ret = (struct lang_view){0};
    enum status status = lang_parse(arena, text, LANG_DUCKDB, NULL, &query, &problem);
    if (status != STATUS_OK)
        return one_problem(problems, &problem, status);
    TRY(lang_bind_query(arena, &query, catalog, &ret->source, problems));
    ret->source.name = name;
    status = lang_expand(arena, &query, catalog, views, views_len, &changed, &problem);
    if (status == STATUS_OK)
        status = qualify(arena, query.root);
    if (status == STATUS_OK)
        status = lang_lower(arena, &query, &ret->query, &problem);
    if (status != STATUS_OK)
        return one_problem(problems, &problem, status);
    ret->query->flags |= NODE_DONE;
    return STATUS_OK;
}
