/* system_views.c: system.views, system.materialized_views: what is known of the tenant's views. */
#include "services/tenant/matview.h"
#include "services/tenant/sql_view.h"
#include "services/tenant/system.h"

static enum status put_view(struct system_fill *fill, const struct sql_view *view,
                            struct error *err)
{
    struct system_row row = {.fill = fill};
    yyjson_val *name;
    size_t at, max;
    struct buf reads;
    buf_init(&reads, SQL_VIEW_TEXT_MAX);
    yyjson_arr_foreach(view->reads, at, max, name)
    {
        buf_append_str(&reads, at ? STR(",") : STR(""));
        buf_append_str(&reads, json_str_of(name));
    }
    system_put_text(&row, view->name);
    system_put_text(&row, view->query);
    system_put_text(&row, reads.len ? buf_str(&reads) : STR(""));
    system_put_text(&row, view->sql);
    system_put_text(&row, view->dialect);
    system_put_time(&row, view->created_us);
    system_put_bool(&row, view->materialized != NULL);
    enum status status = buf_failed(&reads) ? error_no_memory(err) : system_end_row(&row, err);
    buf_release(&reads);
    return status;
}

static enum status fill_views(struct system_fill *fill,
                              enum status (*put)(struct system_fill *fill,
                                                 const struct sql_view *view, struct error *err),
                              struct error *err)
{
    struct tenant_node *node = fill->request->context;
    struct sql_view **views;
    uint32_t len;
    TRY(sql_view_list(node->sql_views, &views, &len, err));
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < len && status == STATUS_OK; i++)
        status = put(fill, views[i], err);
    sql_view_list_release(views, len);
    return status;
}

enum status system_fill_views(struct system_fill *fill, struct error *err)
{
    return fill_views(fill, put_view, err);
}

/* ---- materialised ---- */

/* Since that snapshot there were only compactions. */
static bool is_shown(const struct view *view, const struct matview_base *base,
                     const struct snapshot_list *list)
{
    const struct snapshot_info *info = matview_snapshot(list, view->snapshot_id);
    if (view->chunks_len || (info && info->rows != view->rows)) /* or deletes not flushed yet */
        return false;
    uint64_t id = view->snapshot_id;
    for (; id != base->snapshot && info && info->operation == SNAPSHOT_REPLACE;
         info = matview_snapshot(list, id))
        id = info->parent;
    return id == base->snapshot;
}

/* The source below has rows or deletes that the content does not show, or may have. */
static bool has_moved(const struct system_fill *fill, const struct matview_base *base)
{
    for (uint32_t i = 0; i < fill->views->len; i++) {
        const struct view *view = &fill->views->views[i];
        struct snapshot_list list;
        if (!str_eq(source_config(view->source)->source_id, base->source))
            continue;
        if (source_list_snapshots(view->source, &list, NULL) != STATUS_OK)
            return true;
        bool shown = is_shown(view, base, &list);
        snapshot_list_release(&list);
        return !shown;
    }
    return true;
}

static struct str bases_text(struct system_fill *fill, const struct matview_bases *bases)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, SQL_VIEW_TEXT_MAX);
    json_writer_init(&w, &text);
    json_begin_array(&w);
    for (uint32_t i = 0; i < bases->len; i++) {
        json_begin_object(&w);
        json_kv_str(&w, "source", bases->items[i].source);
        json_kv_int(&w, "snapshot_id", (int64_t)bases->items[i].snapshot);
        json_end_object(&w);
    }
    json_end_array(&w);
    struct str copy =
        buf_failed(&text) ? STR_NONE : arena_str(fill->request->arena, buf_str(&text));
    buf_release(&text);
    return copy;
}

static enum status put_materialized(struct system_fill *fill, const struct sql_view *view,
                                    struct error *err)
{
    struct tenant_node *node = fill->request->context;
    struct system_row row = {.fill = fill};
    struct matview_state state;
    if (!view->materialized)
        return STATUS_OK;
    matview_state_read(view, &state);
    bool stale = !state.write_id.data;
    for (uint32_t i = 0; i < state.bases.len; i++)
        stale = stale || has_moved(fill, &state.bases.items[i]);
    system_put_text(&row, view->name);
    system_put_int(&row, matview_every_s(view));
    system_put_time(&row, state.refreshed_us);
    system_put_time(&row, state.attempted_us);
    system_put_text(&row, state.how);
    system_put_text(&row, state.reason);
    system_put_int(&row, state.rows);
    system_put_double(&row, (double)state.duration_us / 1000);
    system_put_text(&row, bases_text(fill, &state.bases));
    system_put_bool(&row, stale);
    system_put_int(&row, stale ? (sys_now_us(node->sys) - state.refreshed_us) / 1000 : 0);
    system_put_text(&row, state.error);
    return system_end_row(&row, err);
}

enum status system_fill_materialized(struct system_fill *fill, struct error *err)
{
    return fill_views(fill, put_materialized, err);
}
