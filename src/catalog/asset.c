/* asset.c: create, read and change assets. Every change is one commit: the asset, the bytes of its
 * storage location, the audit event. */
#include "catalog/catalog_int.h"

/* What makes an asset's name unique, by kind; other kinds: the name alone. */
static const struct {
    const char *kind;
    bool by_namespace, by_version;
} key_rules[] = {
    {"node", true, true},
    {"partition", true, false}, /* namespace: the collection's id */
    {"index", true, false},
};

enum status asset_missing(struct str id, struct error *err)
{
    return error_set(err, STATUS_NOT_FOUND, "no asset has the id '%.*s'", STR_ARG(id));
}

enum status asset_key(const struct record *asset, struct arena *arena, struct str *ret,
                      struct error *err)
{
    struct str parts[4] = {asset->kind};
    uint32_t len = 1;
    for (size_t i = 0; i < sizeof key_rules / sizeof key_rules[0]; i++) {
        if (!str_is(asset->kind, key_rules[i].kind))
            continue;
        if (key_rules[i].by_namespace)
            parts[len++] = asset->namespace;
        parts[len++] = asset->name;
        if (key_rules[i].by_version)
            parts[len++] = asset->version;
        return key_join(parts, len, arena, ret, err);
    }
    parts[len++] = asset->name;
    return key_join(parts, len, arena, ret, err);
}

static bool is_word(struct str text)
{
    if (!text.len || text.data[0] < 'a' || text.data[0] > 'z')
        return false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

static enum status check_new(const struct record *asset, struct error *err)
{
    if (!is_word(asset->kind)) {
        error_set(err, STATUS_INVALID_ARGUMENT,
                  "kind must be lower-case letters, digits and '_', such as source or graph");
        error_at_field(err, "kind", 4, asset->kind.data, (uint32_t)asset->kind.len);
        return STATUS_INVALID_ARGUMENT;
    }
    if (!asset->name.len) {
        error_set(err, STATUS_INVALID_ARGUMENT, "an asset needs a name");
        error_at_field(err, "name", 4, NULL, 0);
        return STATUS_INVALID_ARGUMENT;
    }
    if (!lifecycle_is_state(asset->lifecycle))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "LC001: lifecycle must be draft, active, deprecated or archived");
    return record_check(asset, err);
}

static enum status name_taken(const struct record *asset, struct error *err)
{
    return error_set(err, STATUS_CONFLICT, "a %.*s named '%.*s'%s%.*s exists", STR_ARG(asset->kind),
                     STR_ARG(asset->name), asset->version.len ? " " : "", STR_ARG(asset->version));
}

static enum status prepare_new(struct catalog *catalog, const struct caller *caller,
                               const struct record *draft, struct arena *arena, struct record *ret,
                               struct error *err)
{
    *ret = *draft;
    ret->domain = DOMAIN_ASSET;
    if (!ret->owner.len)
        ret->owner = caller->principal;
    if (!ret->lifecycle.len)
        ret->lifecycle = STR("active");
    ret->access_count = 0;
    ret->accessed_us = 0;
    TRY(catalog_record_begin(catalog, caller, ret, arena, err));
    TRY(check_new(ret, err));
    return asset_key(ret, arena, &ret->key, err);
}

static enum status try_create(struct catalog *catalog, const struct caller *caller,
                              const struct record *asset, struct arena *arena,
                              struct commit_result *ret, struct error *err)
{
    struct record location;
    bool accounted = false;
    TRY(location_account(catalog, asset, asset->size_bytes, arena, &location, &accounted, err));
    struct change changes[] = {
        {.kind = CHANGE_INSERT, .record = asset},
        {.kind = CHANGE_UPDATE, .expected = location.revision - 1, .record = &location},
    };
    return commit_audited(catalog, caller, "asset.create", asset, STR_NONE, changes,
                          accounted ? 2 : 1, arena, ret, err);
}

enum status asset_create(struct catalog *catalog, const struct caller *caller,
                         const struct record *draft, struct arena *arena, struct record *ret,
                         struct error *err)
{
    struct record asset;
    TRY(prepare_new(catalog, caller, draft, arena, &asset, err));
    TRY(lifecycle_guard(catalog, caller, &asset, STR(""), err));
    struct commit_result result = {0};
    for (int tries = 0; tries < EDIT_TRIES_MAX; tries++) {
        enum status status = try_create(catalog, caller, &asset, arena, &result, err);
        if (status == STATUS_OK)
            return record_copy(&asset, arena, ret, err);
        if (result.conflict == CONFLICT_NONE)
            return status;
        if (result.at == 0)
            return result.conflict == CONFLICT_ID
                       ? error_set(err, STATUS_CONFLICT, "the id '%.*s' is taken",
                                   STR_ARG(asset.id))
                       : name_taken(&asset, err);
    }
    return error_set(err, STATUS_UNAVAILABLE, "the storage location changes all the time");
}

/* --- reading --- */

static enum status audit_refusal(struct catalog *catalog, const struct caller *caller,
                                 const char *action, const struct record *asset,
                                 struct arena *arena, struct error *err)
{
    struct record event;
    TRY(audit_event(catalog, caller, action, asset, false, STR_NONE, arena, &event, err));
    struct change change = {.kind = CHANGE_INSERT, .record = &event};
    return backend_commit(catalog->backend, &change, 1, NULL, err);
}

enum status asset_open(struct catalog *catalog, const struct caller *caller, struct str id,
                       enum right permission, const char *action, struct arena *arena,
                       struct record *ret, struct error *err)
{
    enum status status =
        backend_get(catalog->backend, DOMAIN_ASSET, caller->tenant, id, arena, ret, err);
    if (status == STATUS_NOT_FOUND)
        return asset_missing(id, err);
    TRY(status);
    status = permission_check(catalog, caller, ret, permission, err);
    if (status == STATUS_NOT_FOUND || status == STATUS_FORBIDDEN)
        TRY(audit_refusal(catalog, caller, action, ret, arena, err));
    return status;
}

enum status asset_get(struct catalog *catalog, const struct caller *caller, struct str id,
                      struct arena *arena, struct record *ret, struct error *err)
{
    TRY(asset_open(catalog, caller, id, RIGHT_READ, "asset.read", arena, ret, err));
    touch_count(catalog, ret);
    return STATUS_OK;
}

bool asset_get_now(struct catalog *catalog, const struct caller *caller, struct str id,
                   struct arena *arena, struct record *ret)
{
    if (!backend_get_now(catalog->backend, DOMAIN_ASSET, caller->tenant, id, arena, ret))
        return false;
    if (!caller->admin && !ret->is_public && !str_eq(ret->owner, caller->principal))
        return false;
    touch_count(catalog, ret);
    return true;
}

enum status asset_find(struct catalog *catalog, const struct caller *caller, struct str kind,
                       struct str namespace, struct str name, struct str version,
                       struct arena *arena, struct record *ret, struct error *err)
{
    struct record wanted = {.kind = kind, .namespace = namespace, .name = name, .version = version};
    struct str key;
    TRY(asset_key(&wanted, arena, &key, err));
    enum status status =
        backend_find(catalog->backend, DOMAIN_ASSET, caller->tenant, key, arena, ret, err);
    if (status == STATUS_OK)
        status = permission_check(catalog, caller, ret, RIGHT_READ, err);
    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_NOT_FOUND, "there is no %.*s named '%.*s'", STR_ARG(kind),
                         STR_ARG(name));
    TRY(status);
    touch_count(catalog, ret);
    return STATUS_OK;
}

enum status asset_query(struct catalog *catalog, const struct caller *caller,
                        const struct record_query *query, struct arena *arena,
                        struct record_page *ret, struct error *err)
{
    struct record_query own = *query;
    own.domain = DOMAIN_ASSET;
    own.tenant = caller->tenant;
    TRY(permission_visible(catalog, caller, arena, &own.visible, err));
    return backend_query(catalog->backend, &own, arena, ret, err);
}

enum status asset_group(struct catalog *catalog, const struct caller *caller,
                        const struct group_query *query, struct arena *arena,
                        struct group_answer *ret, struct error *err)
{
    struct group_query own = *query;
    own.records.domain = DOMAIN_ASSET;
    own.records.tenant = caller->tenant;
    TRY(permission_visible(catalog, caller, arena, &own.records.visible, err));
    return backend_group(catalog->backend, &own, arena, ret, err);
}

/* --- changing --- */

static bool field_changed(const struct record *a, const struct record *b, enum record_field field)
{
    const struct record_field_info *info = &record_field_info[field];
    if (info->type == RECORD_TEXT || info->type == RECORD_JSON)
        return !str_eq(record_get_text(a, field), record_get_text(b, field));
    if (info->type != RECORD_LIST)
        return record_get_int(a, field) != record_get_int(b, field);
    const struct str_list *x = record_get_list(a, field), *y = record_get_list(b, field);
    if (x->len != y->len)
        return true;
    for (uint32_t i = 0; i < x->len; i++)
        if (!str_eq(x->items[i], y->items[i]))
            return true;
    return false;
}

/* {"revision":N,"changed":[...]}, with "from" and "to" of a lifecycle. */
static enum status edit_detail(const struct record *old, const struct record *new,
                               struct arena *arena, struct str *ret, struct error *err)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, RECORD_JSON_MAX);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    json_kv_int(&w, "revision", new->revision);
    json_keyz(&w, "changed");
    json_begin_array(&w);
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        bool told = field != RECORD_revision && field != RECORD_updated_us && field != RECORD_key;
        if (told && record_has_field(DOMAIN_ASSET, field) && field_changed(old, new, field))
            json_stringz(&w, record_field_info[i].json);
    }
    json_end_array(&w);
    if (!str_eq(old->lifecycle, new->lifecycle)) {
        json_kv_str(&w, "from", old->lifecycle);
        json_kv_str(&w, "to", new->lifecycle);
    }
    json_end_object(&w);
    enum status status = buf_check(&buf, "an audit event", err);
    if (status == STATUS_OK) {
        *ret = arena_str(arena, buf_str(&buf));
        status = ret->data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&buf);
    return status;
}

int64_t asset_stored_bytes(const struct record *asset)
{
    return asset->deleted_us ? 0 : asset->size_bytes;
}

static enum status changed_meanwhile(int64_t expected, int64_t revision, struct error *err)
{
    return error_set(err, STATUS_CONFLICT,
                     "the asset is at revision %lld, not %lld: read it again and repeat the change",
                     (long long)revision, (long long)expected);
}

/* The edited record in *next; the same revision when nothing changed. */
static enum status apply_edit(struct catalog *catalog, const struct caller *caller,
                              const struct asset_edit *edit, const struct record *current,
                              struct arena *arena, struct record *next, struct error *err)
{
    *next = *current;
    TRY(edit->edit(edit->context, next, arena, err));
    TRY(asset_key(next, arena, &next->key, err));
    TRY(record_check(next, err));
    if (record_equal(current, next))
        return STATUS_OK;
    if (!edit->beside && !str_eq(current->lifecycle, next->lifecycle))
        TRY(lifecycle_guard(catalog, caller, next, current->lifecycle, err));
    next->revision = current->revision + 1;
    next->updated_us = sys_now_us(catalog->sys);
    return STATUS_OK;
}

static enum status commit_edit(struct catalog *catalog, const struct caller *caller,
                               const struct asset_edit *edit, const struct record *current,
                               const struct record *next, struct arena *arena,
                               struct commit_result *ret, struct error *err)
{
    struct record location;
    struct str detail;
    bool accounted = false;
    int64_t delta = asset_stored_bytes(next) - asset_stored_bytes(current);
    if (delta)
        TRY(location_account(catalog, next, delta, arena, &location, &accounted, err));
    TRY(edit_detail(current, next, arena, &detail, err));
    uint32_t beside = edit->beside ? edit->beside->len : 0, len = 1;
    struct change *changes = arena_array(arena, beside + 2, sizeof *changes);
    if (!changes)
        return error_no_memory(err);
    changes[0] =
        (struct change){.kind = CHANGE_UPDATE, .expected = current->revision, .record = next};
    if (accounted)
        changes[len++] = (struct change){
            .kind = CHANGE_UPDATE, .expected = location.revision - 1, .record = &location};
    for (uint32_t i = 0; i < beside; i++)
        changes[len++] = edit->beside->list[i];
    return commit_audited(catalog, caller, edit->action, next, detail, changes, len, arena, ret,
                          err);
}

enum status asset_edit(struct catalog *catalog, const struct caller *caller, struct str id,
                       const struct asset_edit *edit, struct arena *arena, struct record *ret,
                       struct error *err)
{
    struct record current, next;
    for (int tries = 0; tries < EDIT_TRIES_MAX; tries++) {
        TRY(asset_open(catalog, caller, id, edit->permission, edit->action, arena, &current, err));
        if (current.deleted_us && !edit->deleted)
            return asset_missing(id, err);
        if (edit->expected && edit->expected != current.revision)
            return changed_meanwhile(edit->expected, current.revision, err);
        TRY(apply_edit(catalog, caller, edit, &current, arena, &next, err));
        struct commit_result result = {0};
        enum status status = STATUS_OK;
        if (next.revision != current.revision)
            status = commit_edit(catalog, caller, edit, &current, &next, arena, &result, err);
        if (status == STATUS_OK)
            return record_copy(&next, arena, ret, err);
        if (result.conflict == CONFLICT_KEY)
            return name_taken(&next, err);
        if (result.conflict == CONFLICT_MISSING && result.at == 0)
            return asset_missing(id, err);
        if (result.conflict == CONFLICT_NONE)
            return status;
        if (edit->expected && result.at == 0)
            return changed_meanwhile(edit->expected, result.revision, err);
    }
    return error_set(err, STATUS_UNAVAILABLE, "the asset is changed by others all the time");
}

static enum status edit_members(void *context, struct record *record, struct arena *arena,
                                struct error *err)
{
    size_t at, max;
    yyjson_val *key, *value;
    yyjson_obj_foreach((yyjson_val *)context, at, max, key, value)
    {
        enum record_field field;
        struct str name = json_str_of(key);
        if (str_is(name, "revision"))
            continue;
        if (!record_field_find(DOMAIN_ASSET, name, &field) ||
            record_field_info[field].access != ACCESS_FREE) {
            error_set(err, STATUS_INVALID_ARGUMENT, "'%.*s' cannot be changed this way",
                      STR_ARG(name));
            error_at_field(err, name.data, (uint32_t)name.len, NULL, 0);
            return STATUS_INVALID_ARGUMENT;
        }
        TRY(record_set_json(record, field, value, arena, err));
    }
    return STATUS_OK;
}

enum status asset_update(struct catalog *catalog, const struct caller *caller, struct str id,
                         int64_t expected, yyjson_val *members, struct arena *arena,
                         struct record *ret, struct error *err)
{
    struct asset_edit edit = {.action = "asset.update",
                              .permission = RIGHT_WRITE,
                              .expected = expected,
                              .edit = edit_members,
                              .context = members};
    return asset_edit(catalog, caller, id, &edit, arena, ret, err);
}

static enum status edit_owner(void *context, struct record *record, struct arena *arena,
                              struct error *err)
{
    (void)arena;
    (void)err;
    record->owner = *(struct str *)context;
    return STATUS_OK;
}

enum status asset_set_owner(struct catalog *catalog, const struct caller *caller, struct str id,
                            int64_t expected, struct str owner, struct arena *arena,
                            struct record *ret, struct error *err)
{
    struct asset_edit edit = {.action = "asset.set_owner",
                              .permission = RIGHT_ADMIN,
                              .expected = expected,
                              .edit = edit_owner,
                              .context = &owner};
    if (!owner.len)
        return error_set(err, STATUS_INVALID_ARGUMENT, "an asset needs an owner");
    return asset_edit(catalog, caller, id, &edit, arena, ret, err);
}

static void set_count(int64_t *to, int64_t count)
{
    if (count >= 0)
        *to = count;
}

struct statistics_edit {
    const struct asset_statistics *statistics;
    int64_t now_us;
};

static enum status edit_statistics(void *context, struct record *record, struct arena *arena,
                                   struct error *err)
{
    const struct statistics_edit *edit = context;
    (void)arena;
    (void)err;
    set_count(&record->row_count, edit->statistics->row_count);
    set_count(&record->node_count, edit->statistics->node_count);
    set_count(&record->edge_count, edit->statistics->edge_count);
    set_count(&record->hyperedge_count, edit->statistics->hyperedge_count);
    set_count(&record->file_count, edit->statistics->file_count);
    set_count(&record->size_bytes, edit->statistics->size_bytes);
    record->stats_us = edit->now_us;
    return STATUS_OK;
}

enum status asset_set_statistics(struct catalog *catalog, const struct caller *caller,
                                 struct str id, const struct asset_statistics *statistics,
                                 struct arena *arena, struct record *ret, struct error *err)
{
    struct statistics_edit context = {statistics, sys_now_us(catalog->sys)};
    struct asset_edit edit = {.action = "asset.statistics",
                              .permission = RIGHT_WRITE,
                              .edit = edit_statistics,
                              .context = &context};
    return asset_edit(catalog, caller, id, &edit, arena, ret, err);
}

static enum status edit_deleted(void *context, struct record *record, struct arena *arena,
                                struct error *err)
{
    (void)arena;
    (void)err;
    record->deleted_us = *(int64_t *)context;
    return STATUS_OK;
}

enum status asset_delete(struct catalog *catalog, const struct caller *caller, struct str id,
                         int64_t expected, struct arena *arena, struct record *ret,
                         struct error *err)
{
    int64_t now_us = sys_now_us(catalog->sys);
    struct asset_edit edit = {.action = "asset.delete",
                              .permission = RIGHT_ADMIN,
                              .expected = expected,
                              .edit = edit_deleted,
                              .context = &now_us};
    return asset_edit(catalog, caller, id, &edit, arena, ret, err);
}

enum status asset_undelete(struct catalog *catalog, const struct caller *caller, struct str id,
                           struct arena *arena, struct record *ret, struct error *err)
{
    int64_t zero = 0;
    struct asset_edit edit = {.action = "asset.undelete",
                              .permission = RIGHT_ADMIN,
                              .deleted = true,
                              .edit = edit_deleted,
                              .context = &zero};
    return asset_edit(catalog, caller, id, &edit, arena, ret, err);
}
