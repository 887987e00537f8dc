/* views.c: the tenant node's SQL views as assets of kind "view", with relations derived_from to the
 * sources and views that they read. The node's word is taken over with its sources (sources.c). */
#include "services/catalog/catalog_int.h"

struct view_info {
    struct str name;
    struct str properties; /* JSON */
    yyjson_val *reads;
};

static enum status read_info(struct request *request, yyjson_val *name, yyjson_val *json,
                             struct view_info *ret)
{
    struct buf text;
    struct json_writer w;
    buf_init(&text, 4 << 20);
    json_writer_init(&w, &text);
    json_value(&w, json);
    ret->name = json_str_of(name);
    ret->reads = json_get(json, "reads");
    ret->properties = buf_failed(&text) ? STR_NONE : arena_str(request->arena, buf_str(&text));
    buf_release(&text);
    return ret->properties.data ? STATUS_OK : error_no_memory(&request->error);
}

static enum status edit_properties(void *context, struct record *record, struct arena *arena,
                                   struct error *err)
{
    const struct view_info *info = context;
    (void)arena;
    (void)err;
    record->properties = info->properties;
    return STATUS_OK;
}

static enum status register_view(struct request *request, const struct caller *system,
                                 struct view_info *info, struct record *ret)
{
    struct catalog *catalog = catalog_of(request);
    enum status status = asset_find(catalog, system, STR("view"), STR_NONE, info->name, STR_NONE,
                                    request->arena, ret, &request->error);
    if (status == STATUS_NOT_FOUND) {
        struct record draft = {.kind = STR("view"),
                               .name = info->name,
                               .title = info->name,
                               .properties = info->properties};
        return asset_create(catalog, system, &draft, request->arena, ret, &request->error);
    }
    TRY(status);
    if (str_eq(ret->properties, info->properties))
        return STATUS_OK;
    struct asset_edit edit = {.action = "asset.update",
                              .permission = RIGHT_WRITE,
                              .edit = edit_properties,
                              .context = info};
    return asset_edit(catalog, system, ret->id, &edit, request->arena, ret, &request->error);
}

/* ---- lineage ---- */

/* The source or view of that name; data NULL: there is none. */
static enum status find_read(struct request *request, const struct caller *system, struct str name,
                             struct str *ret_id)
{
    static const struct str kinds[] = {STR("source"), STR("view")};
    struct record asset;
    *ret_id = STR_NONE;
    for (size_t i = 0; i < 2; i++) {
        enum status status = asset_find(catalog_of(request), system, kinds[i], STR_NONE, name,
                                        STR_NONE, request->arena, &asset, &request->error);
        if (status == STATUS_OK)
            *ret_id = asset.id;
        if (status != STATUS_NOT_FOUND)
            return status;
    }
    return STATUS_OK;
}

static bool is_related(const struct record_page *relations, struct str from, struct str to)
{
    for (uint32_t i = 0; i < relations->len; i++) {
        const struct record *relation = &relations->records[i];
        if (str_eq(relation->subject, from) && str_eq(relation->object, to) &&
            str_is(relation->kind, "derived_from"))
            return true;
    }
    return false;
}

static bool is_listed(const struct str *ids, size_t len, struct str id)
{
    for (size_t i = 0; i < len; i++) {
        if (str_eq(ids[i], id))
            return true;
    }
    return false;
}

/* Relations that the node's word was for and is not any more. */
static enum status remove_others(struct request *request, const struct caller *system,
                                 struct str view, const struct record_page *relations,
                                 const struct str *ids, size_t len)
{
    for (uint32_t i = 0; i < relations->len; i++) {
        const struct record *relation = &relations->records[i];
        if (!str_eq(relation->subject, view) || !str_is(relation->kind, "derived_from") ||
            !str_eq(relation->owner, system->principal) || is_listed(ids, len, relation->object))
            continue;
        TRY(relation_remove(catalog_of(request), system, view, relation->id, &request->error));
    }
    return STATUS_OK;
}

static enum status relate(struct request *request, const struct caller *system,
                          const struct view_info *info, struct str view)
{
    struct record_page relations;
    struct record ignored;
    yyjson_val *name;
    size_t at, max, len = 0;
    struct str *ids = arena_array(request->arena, yyjson_arr_size(info->reads) + 1, sizeof *ids);
    if (!ids)
        return error_no_memory(&request->error);
    TRY(relation_list(catalog_of(request), system, view, request->arena, &relations,
                      &request->error));
    yyjson_arr_foreach(info->reads, at, max, name)
    {
        TRY(find_read(request, system, json_str_of(name), &ids[len]));
        if (!ids[len].data || str_eq(ids[len], view))
            continue;
        if (!is_related(&relations, view, ids[len]))
            TRY(relation_add(catalog_of(request), system, view, ids[len], STR("derived_from"),
                             STR_NONE, request->arena, &ignored, &request->error));
        len++;
    }
    return remove_others(request, system, view, &relations, ids, len);
}

enum status views_take_over(struct request *request, const struct caller *system,
                            yyjson_val *details)
{
    struct record view;
    struct view_info info;
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach(details, at, max, key, value)
    {
        TRY(read_info(request, key, value, &info));
        TRY(register_view(request, system, &info, &view));
    }
    yyjson_obj_foreach(details, at, max, key, value) /* a view may read a later one */
    {
        TRY(read_info(request, key, value, &info));
        TRY(register_view(request, system, &info, &view));
        TRY(relate(request, system, &info, view.id));
    }
    return sources_hide_gone(request, system, STR("view"), details);
}
