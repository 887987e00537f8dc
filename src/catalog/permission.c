/* permission.c: who may do what with an asset.
 *
 * An admin of the tenant and the owner may everything; everybody may read what is public. Else a
 * grant decides that names the caller, one of his roles ("role:NAME") or everyone ("*"), has not
 * expired, and whose permission includes the one that is asked for. */
#include "catalog/catalog_int.h"

static const char *const names[RIGHT_COUNT] = {"read", "write", "execute", "admin"};

const char *right_name(enum right permission)
{
    return names[permission];
}

bool right_parse(struct str name, enum right *ret)
{
    for (int i = 0; i < RIGHT_COUNT; i++) {
        if (!str_is(name, names[i]))
            continue;
        *ret = (enum right)i;
        return true;
    }
    return false;
}

/* Whether a grant of the name gives `wanted`: admin ⊇ write ⊇ read, admin ⊇ execute. */
static bool includes(struct str granted, enum right wanted)
{
    if (str_is(granted, "admin"))
        return true;
    if (str_is(granted, "write"))
        return wanted == RIGHT_WRITE || wanted == RIGHT_READ;
    return str_is(granted, names[wanted]);
}

static enum status subjects_of(struct str principal, const struct str *roles, uint32_t roles_len,
                               struct arena *arena, struct str **ret, uint32_t *ret_len,
                               struct error *err)
{
    struct str *subjects = arena_array(arena, roles_len + 2, sizeof *subjects);
    if (!subjects)
        return error_no_memory(err);
    subjects[0] = principal;
    subjects[1] = STR("*");
    for (uint32_t i = 0; i < roles_len; i++) {
        subjects[i + 2] = str_of(arena_printf(arena, "role:%.*s", STR_ARG(roles[i])));
        if (!subjects[i + 2].data)
            return error_no_memory(err);
    }
    *ret = subjects;
    *ret_len = roles_len + 2;
    return STATUS_OK;
}

static bool is_valid(const struct record *grant, int64_t now_us)
{
    return !grant->expires_us || grant->expires_us > now_us;
}

/* Whether grants on the asset give one of the subjects the permission. */
static enum status granted(struct catalog *catalog, const struct record *asset,
                           const struct str *subjects, uint32_t len, enum right wanted, bool *ret,
                           struct arena *arena, struct error *err)
{
    struct match matches[] = {
        {.field = RECORD_object, .op = MATCH_EQ, .values = &asset->id, .values_len = 1},
        {.field = RECORD_subject, .op = MATCH_IN, .values = subjects, .values_len = len}};
    struct record_query query = {.domain = DOMAIN_GRANT,
                                 .tenant = asset->tenant,
                                 .matches = matches,
                                 .matches_len = 2,
                                 .limit = QUERY_LIMIT_MAX};
    struct record_page page;
    int64_t now_us = sys_now_us(catalog->sys);
    *ret = false;
    do {
        TRY(backend_query(catalog->backend, &query, arena, &page, err));
        for (uint32_t i = 0; i < page.len && !*ret; i++)
            *ret = is_valid(&page.records[i], now_us) && includes(page.records[i].kind, wanted);
        query.cursor = page.next;
    } while (!*ret && page.next.len);
    return STATUS_OK;
}

static enum status caller_granted(struct catalog *catalog, const struct caller *caller,
                                  const struct record *asset, enum right wanted, bool *ret,
                                  struct error *err)
{
    struct arena arena;
    struct str *subjects = NULL;
    uint32_t len = 0;
    arena_init(&arena, 0);
    enum status status = subjects_of(caller->principal, caller->roles, caller->roles_len, &arena,
                                     &subjects, &len, err);
    if (status == STATUS_OK)
        status = granted(catalog, asset, subjects, len, wanted, ret, &arena, err);
    arena_release(&arena);
    return status;
}

enum status permission_check(struct catalog *catalog, const struct caller *caller,
                             const struct record *asset, enum right permission, struct error *err)
{
    bool may = caller->admin || str_eq(asset->owner, caller->principal);
    if (may || (asset->is_public && permission == RIGHT_READ))
        return STATUS_OK;
    TRY(caller_granted(catalog, caller, asset, permission, &may, err));
    if (may)
        return STATUS_OK;
    bool may_read = asset->is_public;
    if (!may_read && permission != RIGHT_READ)
        TRY(caller_granted(catalog, caller, asset, RIGHT_READ, &may_read, err));
    if (!may_read)
        return asset_missing(asset->id, err);
    return error_set(err, STATUS_FORBIDDEN, "this needs %s permission on %.*s '%.*s'",
                     names[permission], STR_ARG(asset->kind), STR_ARG(asset->name));
}

/* --- what a caller sees --- */

static enum status collect_ids(struct catalog *catalog, const struct caller *caller,
                               const struct str *subjects, uint32_t len, struct arena *arena,
                               struct visibility *ret, struct error *err)
{
    struct match match = {
        .field = RECORD_subject, .op = MATCH_IN, .values = subjects, .values_len = len};
    struct record_query query = {.domain = DOMAIN_GRANT,
                                 .tenant = caller->tenant,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .limit = QUERY_LIMIT_MAX};
    struct record_page page;
    int64_t now_us = sys_now_us(catalog->sys);
    struct str *ids = arena_array(arena, VISIBLE_IDS_MAX, sizeof *ids);
    if (!ids)
        return error_no_memory(err);
    ret->ids = ids;
    do {
        TRY(backend_query(catalog->backend, &query, arena, &page, err));
        for (uint32_t i = 0; i < page.len; i++) {
            if (!is_valid(&page.records[i], now_us) || !includes(page.records[i].kind, RIGHT_READ))
                continue;
            if (ret->ids_len == VISIBLE_IDS_MAX)
                return error_set(err, STATUS_RESOURCE_LIMIT,
                                 "you have grants on more than %d assets: use a role",
                                 VISIBLE_IDS_MAX);
            ids[ret->ids_len++] = page.records[i].object;
        }
        query.cursor = page.next;
    } while (page.next.len);
    return STATUS_OK;
}

enum status permission_visible(struct catalog *catalog, const struct caller *caller,
                               struct arena *arena, const struct visibility **ret,
                               struct error *err)
{
    *ret = NULL;
    if (caller->admin)
        return STATUS_OK;
    struct visibility *visible = ARENA_NEW(arena, struct visibility);
    struct str *subjects = NULL;
    uint32_t len = 0;
    if (!visible)
        return error_no_memory(err);
    visible->owner = caller->principal;
    TRY(subjects_of(caller->principal, caller->roles, caller->roles_len, arena, &subjects, &len,
                    err));
    TRY(collect_ids(catalog, caller, subjects, len, arena, visible, err));
    *ret = visible;
    return STATUS_OK;
}

/* --- grants --- */

static enum status write_grant(struct catalog *catalog, const struct caller *caller,
                               const struct record *asset, const struct record *old,
                               const struct record *grant, struct arena *arena,
                               struct commit_result *result, struct error *err)
{
    struct str detail = str_of(arena_printf(arena, "{\"permission\":\"%.*s\",\"revision\":%lld}",
                                            STR_ARG(grant->kind), (long long)grant->revision));
    struct change change = {.kind = old ? CHANGE_UPDATE : CHANGE_INSERT,
                            .expected = old ? old->revision : 0,
                            .record = grant};
    if (!detail.data)
        return error_no_memory(err);
    return commit_audited(catalog, caller, "permission.grant", asset, detail, &change, 1, arena,
                          result, err);
}

enum status grant_put(struct catalog *catalog, const struct caller *caller, struct str asset_id,
                      const struct grant *grant, struct arena *arena, struct record *ret,
                      struct error *err)
{
    struct record asset, old;
    struct str permission = str_of(names[grant->permission]), key;
    struct str parts[] = {asset_id, grant->principal, permission};
    TRY(asset_open(catalog, caller, asset_id, RIGHT_ADMIN, "permission.grant", arena, &asset, err));
    if (!grant->principal.len)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a grant needs a principal");
    TRY(key_join(parts, 3, arena, &key, err));
    for (int tries = 0; tries < EDIT_TRIES_MAX; tries++) {
        struct commit_result result = {0};
        enum status found =
            backend_find(catalog->backend, DOMAIN_GRANT, caller->tenant, key, arena, &old, err);
        if (found != STATUS_OK && found != STATUS_NOT_FOUND)
            return found;
        *ret = (struct record){.domain = DOMAIN_GRANT,
                               .kind = permission,
                               .key = key,
                               .lifecycle = STR("active"),
                               .subject = grant->principal,
                               .object = asset_id};
        if (found == STATUS_OK)
            *ret = old;
        else
            TRY(catalog_record_begin(catalog, caller, ret, arena, err));
        ret->owner = caller->admin && grant->granted_by.len ? grant->granted_by : caller->principal;
        ret->expires_us = grant->expires_us;
        ret->updated_us = sys_now_us(catalog->sys);
        ret->revision = found == STATUS_OK ? old.revision + 1 : 1;
        enum status status = write_grant(catalog, caller, &asset, found == STATUS_OK ? &old : NULL,
                                         ret, arena, &result, err);
        if (status == STATUS_OK || result.conflict == CONFLICT_NONE)
            return status;
    }
    return error_set(err, STATUS_UNAVAILABLE, "the grant is changed by others all the time");
}

enum status grant_revoke(struct catalog *catalog, const struct caller *caller, struct str asset_id,
                         struct str grant_id, struct error *err)
{
    struct arena arena;
    struct record asset, grant;
    arena_init(&arena, 0);
    enum status status = asset_open(catalog, caller, asset_id, RIGHT_ADMIN, "permission.revoke",
                                    &arena, &asset, err);
    if (status == STATUS_OK)
        status = backend_get(catalog->backend, DOMAIN_GRANT, caller->tenant, grant_id, &arena,
                             &grant, err);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !str_eq(grant.object, asset_id)))
        status =
            error_set(err, STATUS_NOT_FOUND, "the asset has no grant '%.*s'", STR_ARG(grant_id));
    if (status == STATUS_OK) {
        struct change change = {.kind = CHANGE_REMOVE, .record = &grant};
        status = commit_audited(catalog, caller, "permission.revoke", &asset, STR_NONE, &change, 1,
                                &arena, NULL, err);
    }
    arena_release(&arena);
    return status;
}

enum status grant_list(struct catalog *catalog, const struct caller *caller, struct str asset_id,
                       struct arena *arena, struct record_page *ret, struct error *err)
{
    struct record asset;
    struct match match = {
        .field = RECORD_object, .op = MATCH_EQ, .values = &asset_id, .values_len = 1};
    struct record_query query = {.domain = DOMAIN_GRANT,
                                 .tenant = caller->tenant,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .limit = QUERY_LIMIT_MAX};
    TRY(asset_open(catalog, caller, asset_id, RIGHT_READ, "permission.list", arena, &asset, err));
    return backend_query(catalog->backend, &query, arena, ret, err);
}

enum status grant_check(struct catalog *catalog, const struct caller *caller, struct str asset_id,
                        struct str principal, enum right permission, bool *ret, struct error *err)
{
    struct arena arena;
    struct record asset, user = {0};
    struct str *subjects = NULL;
    uint32_t len = 0;
    *ret = false;
    arena_init(&arena, 0);
    enum status status =
        asset_open(catalog, caller, asset_id, RIGHT_READ, "permission.check", &arena, &asset, err);
    if (status == STATUS_OK) {
        status = backend_get(catalog->backend, DOMAIN_PRINCIPAL, caller->tenant, principal, &arena,
                             &user, err);
        if (status == STATUS_NOT_FOUND)
            status = STATUS_OK; /* a name, or a role: only grants to itself count */
    }
    if (status == STATUS_OK)
        status =
            subjects_of(principal, user.roles.items, user.roles.len, &arena, &subjects, &len, err);
    if (status == STATUS_OK)
        status = granted(catalog, &asset, subjects, len, permission, ret, &arena, err);
    *ret = *ret || str_eq(asset.owner, principal) || (asset.is_public && permission == RIGHT_READ);
    arena_release(&arena);
    return status;
}
