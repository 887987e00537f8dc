/* matview_state.c: what is known of a materialised view's content, as JSON in its definition. */
#include "services/tenant/matview.h"

/* Members of the object. */
static void read_bases(yyjson_val *object, struct matview_bases *ret)
{
    yyjson_val *list = json_get(object, "bases"), *item;
    size_t at, max;
    ret->len = 0;
    ret->query_hash = yyjson_get_sint(json_get(object, "query_hash"));
    yyjson_arr_foreach(list, at, max, item)
    {
        if (ret->len == MATVIEW_BASES_MAX)
            return;
        ret->items[ret->len++] =
            (struct matview_base){.source = json_str_of(json_get(item, "source")),
                                  .incarnation = json_str_of(json_get(item, "incarnation")),
                                  .snapshot = (uint64_t)yyjson_get_sint(json_get(item, "snapshot")),
                                  .time_us = yyjson_get_sint(json_get(item, "time_us")),
                                  .schema = yyjson_get_sint(json_get(item, "schema"))};
    }
}

void matview_state_read(const struct sql_view *view, struct matview_state *ret)
{
    yyjson_val *state = json_get(view->materialized, "state"),
               *pending = json_get(state, "pending");
    *ret = (struct matview_state){
        .write_id = json_str_of(json_get(state, "write_id")),
        .pending_id = json_str_of(json_get(pending, "write_id")),
        .refreshed_us = yyjson_get_sint(json_get(state, "refreshed_us")),
        .attempted_us = yyjson_get_sint(json_get(state, "attempted_us")),
        .duration_us = yyjson_get_sint(json_get(state, "duration_us")),
        .rows = yyjson_get_sint(json_get(state, "rows")),
        .how = json_str_of(json_get(state, "how")),
        .reason = json_str_of(json_get(state, "reason")),
        .error = json_str_of(json_get(state, "error")),
    };
    read_bases(state, &ret->bases);
    read_bases(pending, &ret->pending);
}

int64_t matview_every_s(const struct sql_view *view)
{
    return yyjson_get_sint(json_get(view->materialized, "every_s"));
}

static void write_bases(struct json_writer *w, const struct matview_bases *bases)
{
    json_keyz(w, "bases");
    json_begin_array(w);
    for (uint32_t i = 0; i < bases->len; i++) {
        const struct matview_base *base = &bases->items[i];
        json_begin_object(w);
        json_kv_str(w, "source", base->source);
        json_kv_str(w, "incarnation", base->incarnation);
        json_kv_int(w, "snapshot", (int64_t)base->snapshot);
        json_kv_int(w, "time_us", base->time_us);
        json_kv_int(w, "schema", base->schema);
        json_end_object(w);
    }
    json_end_array(w);
    json_kv_int(w, "query_hash", bases->query_hash);
}

static void write_state(struct json_writer *w, const struct matview_state *state)
{
    json_begin_object(w);
    json_kv_str(w, "write_id", state->write_id);
    write_bases(w, &state->bases);
    if (state->pending_id.data) {
        json_keyz(w, "pending");
        json_begin_object(w);
        json_kv_str(w, "write_id", state->pending_id);
        write_bases(w, &state->pending);
        json_end_object(w);
    }
    json_kv_int(w, "refreshed_us", state->refreshed_us);
    json_kv_int(w, "attempted_us", state->attempted_us);
    json_kv_int(w, "duration_us", state->duration_us);
    json_kv_int(w, "rows", state->rows);
    json_kv_str(w, "how", state->how);
    json_kv_str(w, "reason", state->reason);
    json_kv_str(w, "error", state->error);
    json_end_object(w);
}

/* All members of the object but one, which is left to the caller. */
static void copy_members(struct json_writer *w, yyjson_val *object, const char *but)
{
    yyjson_val *key, *value;
    size_t at, max;
    yyjson_obj_foreach(object, at, max, key, value)
    {
        if (str_is(json_str_of(key), but))
            continue;
        json_key(w, json_str_of(key));
        json_value(w, value);
    }
}

enum status matview_state_save(struct tenant_node *node, struct sql_view *view,
                               const struct matview_state *state, struct error *err)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, 8 * SQL_VIEW_TEXT_MAX);
    json_writer_init(&w, &text);
    json_begin_object(&w);
    copy_members(&w, yyjson_doc_get_root(view->doc), "materialized");
    json_keyz(&w, "materialized");
    json_begin_object(&w);
    copy_members(&w, view->materialized, "state");
    json_keyz(&w, "state");
    write_state(&w, state);
    json_end_object(&w);
    json_end_object(&w);
    enum status status = buf_check(&text, "the view's state", err);
    if (status == STATUS_OK)
        status = sql_view_put(node->sql_views, buf_str(&text), err);
    buf_release(&text);
    return status;
}
