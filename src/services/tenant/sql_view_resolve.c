/* sql_view_resolve.c: the views that a statement names, and those that they name, from the inside
 * out. Each is read once for a statement; a view that reads itself by a way around is refused. */
#include <stdio.h>

#include "services/tenant/sql_view.h"

enum progress { NOT_YET, UNDER_WAY, READY };

struct resolver {
    struct arena *arena;
    struct sql_view **list; /* all there are */
    enum progress *progress;
    uint32_t len;
    struct str skipped; /* a definition that is being replaced; data NULL: none */
    struct lang_catalog *catalog;
    struct sql_view_set *set;
    struct error *err;
};

static enum status broken(const struct resolver *r, struct str name,
                          const struct lang_problem *problem)
{
    const char *advice = problem->code == LANG_UNKNOWN_TABLE
                             ? "declare it again, or replace or drop the view"
                             : "replace or drop the view";
    return error_set(r->err, STATUS_UNSUPPORTED_SQL, "view %.*s cannot be read any more: %s; %s",
                     STR_ARG(name), problem->message, advice);
}

static enum status make(struct resolver *r, struct str name, struct str query,
                        struct lang_view *ret)
{
    struct lang_problems *problems = ARENA_NEW(r->arena, struct lang_problems);
    if (!problems)
        return error_no_memory(r->err);
    struct str text = arena_str(r->arena, query), id = arena_str(r->arena, name);
    if (!text.data || !id.data)
        return error_no_memory(r->err);
    enum status status =
        lang_view_make(r->arena, id, text, r->catalog, r->set->views, r->set->len, ret, problems);
    if (status == STATUS_OK)
        return STATUS_OK;
    return problems->count ? broken(r, name, &problems->items[0]) : error_no_memory(r->err);
}

static enum status resolve_all(struct resolver *r, struct node *root, int depth);

static enum status resolve_text(struct resolver *r, struct str name, struct str query, int depth)
{
    struct lang_query parsed;
    struct lang_problem problem;
    if (depth > SQL_VIEW_DEPTH_MAX)
        return error_set(r->err, STATUS_UNSUPPORTED_SQL,
                         "view %.*s: views that read views are nested deeper than %d",
                         STR_ARG(name), SQL_VIEW_DEPTH_MAX);
    if (lang_parse(r->arena, query, LANG_DUCKDB, NULL, &parsed, &problem) != STATUS_OK)
        return broken(r, name, &problem);
    return resolve_all(r, parsed.root, depth);
}

/* Of the source of that name, whose columns are those of the view from now on. */
static size_t place_of(const struct lang_catalog *catalog, struct str name)
{
    size_t at = 0;
    while (at < catalog->count && !str_eq(catalog->sources[at].name, name))
        at++;
    return at;
}

static enum status resolve(struct resolver *r, uint32_t i, int depth)
{
    const struct sql_view *view = r->list[i];
    struct lang_source *sources = (struct lang_source *)r->catalog->sources;
    if (r->progress[i] == READY || (view->materialized && !view->shown.data))
        return STATUS_OK; /* the latter is a source */
    if (r->progress[i] == UNDER_WAY)
        return error_set(r->err, STATUS_UNSUPPORTED_SQL,
                         "view %.*s reads itself, by the views that it reads", STR_ARG(view->name));
    r->progress[i] = UNDER_WAY;
    if (!view->materialized)
        TRY(resolve_text(r, view->name, view->query, depth + 1));
    TRY(make(r, view->name, view->materialized ? view->shown : view->query,
             &r->set->views[r->set->len]));
    size_t place = view->materialized ? place_of(r->catalog, view->name) : r->catalog->count;
    sources[place] = r->set->views[r->set->len++].source;
    r->catalog->count += place == r->catalog->count;
    r->progress[i] = READY;
    return STATUS_OK;
}

static enum status resolve_all(struct resolver *r, struct node *root, int depth)
{
    struct lang_places places;
    if (lang_find_tables(r->arena, root, &places) != STATUS_OK)
        return error_no_memory(r->err);
    for (size_t i = 0; i < places.len; i++) {
        struct str name = lang_place_name(places.tables[i]);
        if (name.data && r->skipped.data && str_eq_nocase(r->skipped, name))
            return error_set(r->err, STATUS_UNSUPPORTED_SQL,
                             "view %.*s would read itself, by the views that it reads",
                             STR_ARG(name));
        for (uint32_t k = 0; name.data && k < r->len; k++) {
            if (str_eq_nocase(r->list[k]->name, name))
                TRY(resolve(r, k, depth));
        }
    }
    return STATUS_OK;
}

static enum status begin(struct resolver *r, struct tenant_node *node)
{
    TRY(sql_view_list(node->sql_views, &r->list, &r->len, r->err));
    r->progress = arena_array(r->arena, r->len + 1u, sizeof *r->progress);
    r->set->views = arena_array(r->arena, r->len + 1u, sizeof *r->set->views);
    r->set->len = 0;
    return r->progress && r->set->views ? STATUS_OK : error_no_memory(r->err);
}

enum status sql_view_resolve(struct tenant_node *node, struct arena *arena, struct node *root,
                             struct lang_catalog *catalog, struct sql_view_set *ret,
                             struct error *err)
{
    struct resolver r = {.arena = arena, .catalog = catalog, .set = ret, .err = err};
    enum status status = begin(&r, node);
    if (status == STATUS_OK && r.len)
        status = resolve_all(&r, root, 0);
    sql_view_list_release(r.list, r.len);
    return status;
}

enum status sql_view_try(struct tenant_node *node, struct arena *arena, struct str name,
                         struct str query, struct lang_catalog *catalog, struct lang_view *ret,
                         struct error *err)
{
    struct sql_view_set set;
    struct resolver r = {
        .arena = arena, .catalog = catalog, .set = &set, .skipped = name, .err = err};
    enum status status = begin(&r, node);
    if (status == STATUS_OK)
        status = resolve_text(&r, name, query, 1);
    if (status == STATUS_OK)
        status = make(&r, name, query, ret);
    sql_view_list_release(r.list, r.len);
    return status;
}
