/* purge.c: assets go for good, with their relations, grants and parts; their events stay. Tenants
 * go with everything. */
#include "catalog/catalog_int.h"

/* Removals of the records of a domain whose `field` is the asset's id, behind `changes`. */
static enum status add_removals(struct catalog *catalog, const struct record *asset,
                                enum domain domain, enum record_field field, struct change *changes,
                                uint32_t *len, struct arena *arena, struct error *err)
{
    struct match match = {.field = field, .op = MATCH_EQ, .values = &asset->id, .values_len = 1};
    struct record_query query = {.domain = domain,
                                 .tenant = asset->tenant,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .deleted = DELETED_SHOW,
                                 .limit = COMMIT_CHANGES_MAX / 4};
    struct record_page page;
    TRY(backend_query(catalog->backend, &query, arena, &page, err));
    if (page.next.len)
        return error_set(err, STATUS_RESOURCE_LIMIT,
                         "the asset has more than %u %s: remove some of them first",
                         (unsigned)query.limit, domain_name(domain));
    for (uint32_t i = 0; i < page.len; i++)
        changes[(*len)++] = (struct change){.kind = CHANGE_REMOVE, .record = &page.records[i]};
    return STATUS_OK;
}

static enum status purge_one(struct catalog *catalog, const struct caller *caller, struct str id,
                             struct error *err)
{
    struct arena arena;
    struct record asset, location;
    arena_init(&arena, 0);
    bool accounted = false;
    uint32_t len = 1;
    struct change *changes = arena_array(&arena, COMMIT_CHANGES_MAX, sizeof *changes);
    enum status status = changes ? STATUS_OK : error_no_memory(err);
    if (status == STATUS_OK)
        status = asset_open(catalog, caller, id, RIGHT_ADMIN, "asset.purge", &arena, &asset, err);
    if (status == STATUS_OK)
        status = location_account(catalog, &asset, -asset_stored_bytes(&asset), &arena, &location,
                                  &accounted, err);
    if (status == STATUS_OK)
        status =
            add_removals(catalog, &asset, DOMAIN_GRANT, RECORD_object, changes, &len, &arena, err);
    if (status == STATUS_OK)
        status = add_removals(catalog, &asset, DOMAIN_RELATION, RECORD_subject, changes, &len,
                              &arena, err);
    if (status == STATUS_OK)
        status = add_removals(catalog, &asset, DOMAIN_RELATION, RECORD_object, changes, &len,
                              &arena, err);
    if (status == STATUS_OK) {
        changes[0] =
            (struct change){.kind = CHANGE_REMOVE, .expected = asset.revision, .record = &asset};
        if (accounted)
            changes[len++] = (struct change){
                .kind = CHANGE_UPDATE, .expected = location.revision - 1, .record = &location};
        status = commit_audited(catalog, caller, "asset.purge", &asset, STR_NONE, changes, len,
                                &arena, NULL, err);
    }
    arena_release(&arena);
    return status;
}

/* A collection's partitions and indexes are nothing without it. */
static enum status next_part(struct catalog *catalog, const struct caller *caller, struct str id,
                             struct arena *arena, struct record_page *ret, struct error *err)
{
    static const struct str kinds[] = {STR("partition"), STR("index")};
    const struct match matches[] = {
        {.field = RECORD_kind, .op = MATCH_IN, .values = kinds, .values_len = 2},
        {.field = RECORD_namespace, .op = MATCH_EQ, .values = &id, .values_len = 1}};
    struct record_query query = {.domain = DOMAIN_ASSET,
                                 .tenant = caller->tenant,
                                 .matches = matches,
                                 .matches_len = 2,
                                 .deleted = DELETED_SHOW,
                                 .limit = 100};
    return backend_query(catalog->backend, &query, arena, ret, err);
}

static enum status purge_parts(struct catalog *catalog, const struct caller *caller, struct str id,
                               struct error *err)
{
    uint32_t len = 1;
    while (len) {
        struct arena arena;
        struct record_page page = {0};
        arena_init(&arena, 0);
        enum status status = next_part(catalog, caller, id, &arena, &page, err);
        for (uint32_t i = 0; status == STATUS_OK && i < page.len; i++)
            status = purge_one(catalog, caller, page.records[i].id, err);
        len = page.len;
        arena_release(&arena);
        TRY(status);
    }
    return STATUS_OK;
}

enum status asset_purge(struct catalog *catalog, const struct caller *caller, struct str id,
                        struct error *err)
{
    struct arena arena;
    struct record asset;
    arena_init(&arena, 0);
    enum status status =
        asset_open(catalog, caller, id, RIGHT_ADMIN, "asset.purge", &arena, &asset, err);
    bool has_parts = status == STATUS_OK && str_is(asset.kind, "collection");
    arena_release(&arena);
    TRY(status);
    if (has_parts) /* first, so that a purge that is cut off can be repeated */
        TRY(purge_parts(catalog, caller, id, err));
    return purge_one(catalog, caller, id, err);
}

/* --- tenants --- */

/* In one commit; one by one when somebody else was faster with some of them. */
static enum status remove_records(struct catalog *catalog, const struct record_page *page,
                                  struct arena *arena, struct error *err)
{
    struct change *changes = arena_array(arena, page->len, sizeof *changes);
    if (!changes)
        return error_no_memory(err);
    for (uint32_t i = 0; i < page->len; i++)
        changes[i] = (struct change){.kind = CHANGE_REMOVE, .record = &page->records[i]};
    enum status status = backend_commit(catalog->backend, changes, page->len, NULL, err);
    if (status != STATUS_CONFLICT)
        return status;
    for (uint32_t i = 0; i < page->len; i++) {
        status = backend_commit(catalog->backend, &changes[i], 1, NULL, err);
        if (status != STATUS_CONFLICT)
            TRY(status);
    }
    return STATUS_OK;
}

static enum status remove_domain(struct catalog *catalog, struct str tenant, enum domain domain,
                                 struct error *err)
{
    struct record_query query = {
        .domain = domain, .tenant = tenant, .deleted = DELETED_SHOW, .limit = QUERY_LIMIT_MAX / 2};
    uint32_t len = 1;
    while (len) {
        struct arena arena;
        struct record_page page = {0};
        arena_init(&arena, 0);
        enum status status = backend_query(catalog->backend, &query, &arena, &page, err);
        len = page.len;
        if (status == STATUS_OK && len)
            status = remove_records(catalog, &page, &arena, err);
        arena_release(&arena);
        TRY(status);
    }
    return STATUS_OK;
}

/* Whoever may come in goes first. */
enum status catalog_remove_tenant(struct catalog *catalog, struct str tenant, struct error *err)
{
    TRY(remove_domain(catalog, tenant, DOMAIN_PRINCIPAL, err));
    for (int domain = 0; domain < DOMAIN_COUNT; domain++)
        TRY(remove_domain(catalog, tenant, (enum domain)domain, err));
    return STATUS_OK;
}
