/* nodes_pull_more.c: what a pull takes beside the nodes: their relations among each other, and,
 * where that is asked for, their deletions. */
#include "services/catalog/nodes_federation_int.h"

/* Which node an asset over there is. */
struct identity_there {
    struct str namespace, name, version; /* name empty: it is no node, or not to be seen */
};

static struct str text_of(yyjson_val *object, const char *name, struct arena *arena)
{
    yyjson_val *value = json_get(object, name);
    struct str text = yyjson_is_str(value) ? arena_str(arena, json_str_of(value)) : STR("");
    return text.data ? text : STR("");
}

static struct identity_there identity_of(yyjson_val *asset, struct arena *arena)
{
    if (!str_is(json_str_of(json_get(asset, "kind")), "node"))
        return (struct identity_there){.name = STR("")};
    return (struct identity_there){text_of(asset, "namespace", arena),
                                   text_of(asset, "name", arena), text_of(asset, "version", arena)};
}

static enum status local_of(struct job *job, const struct identity_there *identity,
                            struct arena *arena, struct record *ret)
{
    if (!identity->name.len)
        return STATUS_NOT_FOUND;
    return asset_find(catalog_of(job->request), &job->caller, STR("node"), identity->namespace,
                      identity->name, identity->version, arena, ret, NULL);
}

/* --- relations --- */

/* An asset over there: of the page, else asked for. */
static enum status look_up(struct job *job, const struct other *other, yyjson_val *page,
                           struct str id, struct arena *arena, struct identity_there *ret)
{
    size_t at, max;
    yyjson_val *node;
    yyjson_doc *doc = NULL;
    *ret = (struct identity_there){.name = STR("")};
    yyjson_arr_foreach(page, at, max, node)
    {
        if (!str_eq(json_str_of(json_get(node, "id")), id))
            continue;
        *ret = identity_of(node, arena);
        return STATUS_OK;
    }
    struct buf path;
    buf_init(&path, 4096);
    buf_append_str(&path, STR("/assets/"));
    url_part(&path, id);
    enum status status = other_json(job, other, buf_str(&path), &doc);
    buf_release(&path);
    if (status == STATUS_OK)
        *ret = identity_of(yyjson_doc_get_root(doc), arena);
    yyjson_doc_free(doc);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}

static enum status add_relation(struct job *job, const struct other *other, yyjson_val *page,
                                yyjson_val *relation, struct arena *arena)
{
    static const char *const ends[] = {"source_id", "target_id"};
    struct record local[2], added;
    struct str properties = STR("{}"), kind = json_str_of(json_get(relation, "relationship_type"));
    for (int i = 0; i < 2; i++) {
        struct identity_there identity;
        struct str id = json_str_of(json_get(relation, ends[i]));
        TRY(look_up(job, other, page, id.data ? id : STR(""), arena, &identity));
        enum status status = local_of(job, &identity, arena, &local[i]);
        if (status != STATUS_OK)
            return status == STATUS_NOT_FOUND ? STATUS_OK : status;
    }
    if (yyjson_is_obj(json_get(relation, "properties")))
        TRY(json_text_of(job->request, json_get(relation, "properties"), &properties));
    enum status status = relation_add(catalog_of(job->request), &job->caller, local[0].id,
                                      local[1].id, kind, properties, arena, &added, NULL);
    job->relations += status == STATUS_OK;
    bool own = status == STATUS_CONFLICT || status == STATUS_FORBIDDEN ||
               status == STATUS_INVALID_ARGUMENT;
    return own ? STATUS_OK : status; /* it is there, or may not be */
}

static enum status relations_of(struct job *job, const struct other *other, yyjson_val *page,
                                struct str id)
{
    struct arena arena;
    struct buf path;
    yyjson_doc *doc = NULL;
    size_t at, max;
    yyjson_val *relation;
    arena_init(&arena, 0);
    buf_init(&path, 4096);
    buf_append_str(&path, STR("/assets/"));
    url_part(&path, id);
    buf_append_str(&path, STR("/relations"));
    enum status status = other_json(job, other, buf_str(&path), &doc);
    buf_release(&path);
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "relations"), at, max, relation)
    {
        if (status == STATUS_OK)
            status = add_relation(job, other, page, relation, &arena);
    }
    yyjson_doc_free(doc);
    arena_release(&arena);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status; /* the node is gone meanwhile */
}

enum status pull_relations(struct job *job, const struct other *other, yyjson_val *nodes)
{
    size_t at, max;
    yyjson_val *node;
    yyjson_arr_foreach(nodes, at, max, node)
    {
        struct str id = json_str_of(json_get(node, "id"));
        if (id.len)
            TRY(relations_of(job, other, nodes, id));
    }
    return STATUS_OK;
}

/* --- deletions --- */

/* Deleted over there, and not registered there again. */
static enum status is_gone(struct job *job, const struct other *other,
                           const struct identity_there *identity, bool *ret)
{
    const struct str parts[] = {identity->namespace, identity->name, identity->version};
    yyjson_doc *doc = NULL;
    struct buf path;
    buf_init(&path, 16384);
    buf_append_str(&path, STR("/nodes"));
    for (int i = 0; i < 3; i++) {
        buf_append_char(&path, '/');
        url_part(&path, parts[i]);
    }
    enum status status = other_json(job, other, buf_str(&path), &doc);
    buf_release(&path);
    yyjson_doc_free(doc);
    *ret = status == STATUS_NOT_FOUND;
    return *ret ? STATUS_OK : status;
}

static enum status edit_followed(void *context, struct record *record, struct arena *arena,
                                 struct error *err)
{
    record->deleted_us = *(const int64_t *)context;
    return attribute_set(&record->properties, NODE_DELETED_BY_PULL, STR("true"), arena, err);
}

static enum status follow(struct job *job, const struct other *other,
                          const struct identity_there *identity, struct arena *arena)
{
    struct import_result result = {.outcome = IMPORT_DELETED,
                                   .namespace = identity->namespace,
                                   .name = identity->name,
                                   .version = identity->version,
                                   .reason = STR("it was deleted over there")};
    struct record local, deleted;
    bool gone = false;
    int64_t now_us = sys_now_us(service_of(job->request)->sys);
    struct asset_edit edit = {.action = "asset.delete",
                              .permission = RIGHT_ADMIN,
                              .edit = edit_followed,
                              .context = &now_us};
    enum status status = local_of(job, identity, arena, &local);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    TRY(status);
    if (!str_eq(attribute_get(local.properties, "origin", arena), job->origin))
        return STATUS_OK; /* it has come from elsewhere */
    TRY(is_gone(job, other, identity, &gone));
    if (!gone)
        return STATUS_OK;
    if (!job->dry)
        TRY(asset_edit(catalog_of(job->request), &job->caller, local.id, &edit, arena, &deleted,
                       &job->request->error));
    job_note(job, &result, job->origin);
    return STATUS_OK;
}

static enum status follow_page(struct job *job, const struct other *other, yyjson_val *assets)
{
    size_t at, max;
    yyjson_val *asset;
    yyjson_arr_foreach(assets, at, max, asset)
    {
        struct arena arena;
        arena_init(&arena, 0);
        struct identity_there identity = identity_of(asset, &arena);
        enum status status = follow(job, other, &identity, &arena);
        arena_release(&arena);
        TRY(status);
    }
    return STATUS_OK;
}

enum status pull_deletions(struct job *job, const struct other *other)
{
    struct str cursor = STR("");
    do {
        yyjson_doc *doc = NULL;
        struct buf path;
        buf_init(&path, 64 << 10);
        buf_append_str(&path, STR("/assets?kind=node&deleted=only&limit=500"));
        url_parameter(&path, "namespace", request_str(job->request, "namespace"));
        url_parameter(&path, "name", request_str(job->request, "name"));
        url_parameter(&path, "cursor", cursor);
        enum status status = other_json(job, other, buf_str(&path), &doc);
        buf_release(&path);
        if (status == STATUS_OK)
            status = follow_page(job, other, json_get(yyjson_doc_get_root(doc), "assets"));
        cursor = text_of(yyjson_doc_get_root(doc), "next_cursor", job->request->arena);
        yyjson_doc_free(doc);
        TRY(status);
    } while (cursor.len);
    return STATUS_OK;
}
