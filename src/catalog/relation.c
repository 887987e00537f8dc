/* relation.c: relations between assets, and what follows from them.
 *
 * A relation points from an asset to one that it rests on (a derived graph to its origin, a node to
 * its dependency). Lineage goes along the arrows, impact against them: breadth first, each asset
 * once, so cycles end it by themselves. */
#include "catalog/catalog_int.h"

static enum status check_relation(const struct record *from, const struct record *to,
                                  struct str kind, struct error *err)
{
    if (from->deleted_us || to->deleted_us)
        return asset_missing(from->deleted_us ? from->id : to->id, err);
    if (str_eq(from->id, to->id))
        return error_set(err, STATUS_INVALID_ARGUMENT, "an asset cannot be related to itself");
    if (!kind.len)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a relation needs a type, such as derived_from");
    return STATUS_OK;
}

enum status relation_add(struct catalog *catalog, const struct caller *caller, struct str from_id,
                         struct str to_id, struct str kind, struct str properties,
                         struct arena *arena, struct record *ret, struct error *err)
{
    struct record from, to;
    struct str parts[] = {from_id, kind, to_id};
    struct commit_result result = {0};
    TRY(asset_open(catalog, caller, from_id, RIGHT_WRITE, "relation.add", arena, &from, err));
    TRY(asset_open(catalog, caller, to_id, RIGHT_READ, "relation.add", arena, &to, err));
    TRY(check_relation(&from, &to, kind, err));
    *ret = (struct record){.domain = DOMAIN_RELATION,
                           .kind = kind,
                           .owner = caller->principal,
                           .lifecycle = STR("active"),
                           .subject = from.id,
                           .object = to.id,
                           .properties = properties};
    TRY(key_join(parts, 3, arena, &ret->key, err));
    TRY(catalog_record_begin(catalog, caller, ret, arena, err));
    struct change change = {.kind = CHANGE_INSERT, .record = ret};
    enum status status = commit_audited(catalog, caller, "relation.add", &from, STR_NONE, &change,
                                        1, arena, &result, err);
    if (result.conflict == CONFLICT_KEY)
        return error_set(err, STATUS_CONFLICT, "the assets are related by %.*s already",
                         STR_ARG(kind));
    return status;
}

enum status relation_remove(struct catalog *catalog, const struct caller *caller,
                            struct str asset_id, struct str relation_id, struct error *err)
{
    struct arena arena;
    struct record asset, relation;
    arena_init(&arena, 0);
    enum status status =
        asset_open(catalog, caller, asset_id, RIGHT_WRITE, "relation.remove", &arena, &asset, err);
    if (status == STATUS_OK)
        status = backend_get(catalog->backend, DOMAIN_RELATION, caller->tenant, relation_id, &arena,
                             &relation, err);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !str_eq(relation.subject, asset_id)))
        status = error_set(err, STATUS_NOT_FOUND, "the asset has no relation '%.*s'",
                           STR_ARG(relation_id));
    if (status == STATUS_OK) {
        struct change change = {.kind = CHANGE_REMOVE, .record = &relation};
        status = commit_audited(catalog, caller, "relation.remove", &asset, STR_NONE, &change, 1,
                                &arena, NULL, err);
    }
    arena_release(&arena);
    return status;
}

/* Relations whose `field` is the asset. */
static enum status relations_of(struct catalog *catalog, struct str tenant, struct str id,
                                enum record_field field, struct arena *arena,
                                struct record_page *ret, struct error *err)
{
    struct match match = {.field = field, .op = MATCH_EQ, .values = &id, .values_len = 1};
    struct record_query query = {.domain = DOMAIN_RELATION,
                                 .tenant = tenant,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .limit = QUERY_LIMIT_MAX};
    return backend_query(catalog->backend, &query, arena, ret, err);
}

enum status relation_list(struct catalog *catalog, const struct caller *caller, struct str id,
                          struct arena *arena, struct record_page *ret, struct error *err)
{
    struct record asset;
    struct record_page in;
    TRY(asset_open(catalog, caller, id, RIGHT_READ, "relation.list", arena, &asset, err));
    TRY(relations_of(catalog, caller->tenant, id, RECORD_subject, arena, ret, err));
    TRY(relations_of(catalog, caller->tenant, id, RECORD_object, arena, &in, err));
    struct record *all = arena_array(arena, ret->len + in.len, sizeof *all);
    if (!all)
        return error_no_memory(err);
    if (ret->len)
        memcpy(all, ret->records, ret->len * sizeof *all);
    if (in.len)
        memcpy(all + ret->len, in.records, in.len * sizeof *all);
    ret->records = all;
    ret->len += in.len;
    return STATUS_OK;
}

/* --- lineage --- */

static bool seen(const struct lineage *lineage, struct str start, struct str id)
{
    if (str_eq(id, start))
        return true;
    for (uint32_t i = 0; i < lineage->len; i++)
        if (str_eq(lineage->steps[i].asset.id, id))
            return true;
    return false;
}

struct walk {
    struct catalog *catalog;
    const struct caller *caller;
    struct arena *arena;
    struct str start;
    bool upstream;
    struct lineage *lineage;
};

/* The asset at the other end becomes a step, when the caller may know of it. */
static enum status add_step(struct walk *walk, const struct record *relation, struct str from,
                            uint32_t depth, struct error *err)
{
    struct lineage *lineage = walk->lineage;
    struct str id = walk->upstream ? relation->object : relation->subject;
    if (seen(lineage, walk->start, id))
        return STATUS_OK;
    if (lineage->len == LINEAGE_ASSETS_MAX) {
        lineage->cut = true;
        return STATUS_OK;
    }
    struct lineage_step *step = &lineage->steps[lineage->len];
    *step = (struct lineage_step){.kind = relation->kind, .from = from, .depth = depth};
    enum status status = backend_get(walk->catalog->backend, DOMAIN_ASSET, walk->caller->tenant, id,
                                     walk->arena, &step->asset, err);
    if (status == STATUS_OK && step->asset.deleted_us)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = permission_check(walk->catalog, walk->caller, &step->asset, RIGHT_READ, err);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    if (status == STATUS_OK)
        lineage->len++;
    return status;
}

static enum status walk_from(struct walk *walk, struct str id, uint32_t depth, struct error *err)
{
    struct record_page page;
    TRY(relations_of(walk->catalog, walk->caller->tenant, id,
                     walk->upstream ? RECORD_subject : RECORD_object, walk->arena, &page, err));
    walk->lineage->cut = walk->lineage->cut || page.next.len;
    for (uint32_t i = 0; i < page.len; i++)
        TRY(add_step(walk, &page.records[i], id, depth, err));
    return STATUS_OK;
}

enum status asset_lineage(struct catalog *catalog, const struct caller *caller, struct str id,
                          bool upstream, uint32_t depth, struct arena *arena, struct lineage *ret,
                          struct error *err)
{
    struct record asset;
    TRY(asset_open(catalog, caller, id, RIGHT_READ, "asset.lineage", arena, &asset, err));
    *ret = (struct lineage){
        .steps = arena_array(arena, LINEAGE_ASSETS_MAX, sizeof(struct lineage_step))};
    if (!ret->steps)
        return error_no_memory(err);
    depth = depth < LINEAGE_DEPTH_MAX ? depth : LINEAGE_DEPTH_MAX;
    struct walk walk = {catalog, caller, arena, id, upstream, ret};
    if (depth)
        TRY(walk_from(&walk, id, 1, err));
    for (uint32_t i = 0; i < ret->len; i++) {
        if (ret->steps[i].depth < depth) {
            TRY(walk_from(&walk, ret->steps[i].asset.id, ret->steps[i].depth + 1, err));
        } else {
            struct record_page page;
            TRY(relations_of(catalog, caller->tenant, ret->steps[i].asset.id,
                             upstream ? RECORD_subject : RECORD_object, arena, &page, err));
            ret->cut = ret->cut || page.len;
        }
    }
    return STATUS_OK;
}
