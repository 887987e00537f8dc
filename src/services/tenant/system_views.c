/* system_views.c: system.views: what is known of the tenant's views. */
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
    system_put_bool(&row, false);
    enum status status = buf_failed(&reads) ? error_no_memory(err) : system_end_row(&row, err);
    buf_release(&reads);
    return status;
}

enum status system_fill_views(struct system_fill *fill, struct error *err)
{
    struct tenant_node *node = fill->request->context;
    struct sql_view **views;
    uint32_t len;
    TRY(sql_view_list(node->sql_views, &views, &len, err));
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < len && status == STATUS_OK; i++)
        status = put_view(fill, views[i], err);
    sql_view_list_release(views, len);
    return status;
}
