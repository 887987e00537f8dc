/* views.c: the views under a statement of SQL or the DSL: of the sources that it names, or of all.
 * With very many sources, opening them all would cost more than a small query. */
#include "services/tenant/tenant_int.h"

static bool is_named(const struct table_names *names, const struct source *source)
{
    struct str id = source_config(source)->source_id;
    for (size_t i = 0; i < names->len; i++) {
        if (str_eq_nocase(names->items[i], id))
            return true;
    }
    return false;
}

/* Is every name a source's? If not, it is a view's or a mistake, and all sources are of interest.
 */
static bool are_sources(const struct table_names *names, const struct source_set *set)
{
    for (size_t i = 0; i < names->len; i++) {
        bool found = false;
        for (uint32_t k = 0; k < set->len && !found; k++)
            found = str_eq_nocase(names->items[i], source_config(set->sources[k])->source_id);
        if (!found)
            return false;
    }
    return true;
}

enum status tenant_views_open(struct request *request, const struct table_names *names,
                              struct tenant_views *ret, struct error *err)
{
    *ret = (struct tenant_views){0};
    TRY(source_set_open(request->context, NULL, &ret->set, err));
    uint32_t len = ret->set.len ? ret->set.len : 1;
    ret->views = arena_array(request->arena, len, sizeof *ret->views);
    ret->tables = arena_array(request->arena, len, sizeof *ret->tables);
    if (!ret->views || !ret->tables)
        return error_no_memory(err);
    bool has_as_of = request_has(request, "as_of");
    bool all = !names || !are_sources(names, &ret->set);
    for (uint32_t i = 0; i < ret->set.len; i++) {
        if (!all && !is_named(names, ret->set.sources[i]))
            continue;
        struct view *view = &ret->views[ret->len];
        enum status status = tenant_view(request, ret->set.sources[i], view, err);
        if (status == STATUS_NOT_FOUND && has_as_of && ret->set.len > 1)
            continue; /* the source did not have that state: no table then */
        TRY(status);
        ret->tables[ret->len++].view = view;
    }
    return STATUS_OK;
}

void tenant_views_close(struct tenant_views *views)
{
    for (uint32_t i = 0; i < views->len; i++)
        view_close(&views->views[i]);
    views->len = 0;
    source_set_close(&views->set);
}
