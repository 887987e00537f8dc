/* entry.c: principals, configuration, locations, services: named things of a tenant.
 *
 * A user's e-mail address is unique too: a principal of kind "email" stands for it, made, moved and
 * removed in the same commit as the user. */
#include "catalog/catalog_int.h"

static enum status check_admin(const struct caller *caller, enum domain domain, struct error *err)
{
    if (caller->admin)
        return STATUS_OK;
    return error_set(err, STATUS_FORBIDDEN, "only an admin of the tenant changes %s",
                     domain_name(domain));
}

static enum status entry_key(const struct record *record, struct arena *arena, struct str *ret,
                             struct error *err)
{
    struct str parts[] = {record->kind, record->name};
    bool by_kind = record->domain == DOMAIN_PRINCIPAL;
    return key_join(by_kind ? parts : parts + 1, by_kind ? 2 : 1, arena, ret, err);
}

static const char *action_of(enum domain domain, const char *verb, struct arena *arena)
{
    static const char *const nouns[DOMAIN_COUNT] = {
        [DOMAIN_PRINCIPAL] = "principal",
        [DOMAIN_CONFIG] = "config",
        [DOMAIN_LOCATION] = "location",
        [DOMAIN_SERVICE] = "service",
    };
    const char *action = arena_printf(arena, "%s.%s", nouns[domain], verb);
    return action ? action : verb;
}

/* --- e-mail addresses --- */

static struct str email_of(const struct record *user, struct arena *arena)
{
    bool has = user && user->domain == DOMAIN_PRINCIPAL && str_is(user->kind, "user");
    return has ? attribute_get(user->attributes, "email", arena) : STR_NONE;
}

static enum status free_email(struct catalog *catalog, const struct caller *caller,
                              struct str email, struct change *changes, uint32_t *len,
                              struct arena *arena, struct error *err)
{
    struct record *record = ARENA_NEW(arena, struct record);
    struct str parts[] = {STR("email"), email}, key;
    if (!record)
        return error_no_memory(err);
    TRY(key_join(parts, 2, arena, &key, err));
    enum status status =
        backend_find(catalog->backend, DOMAIN_PRINCIPAL, caller->tenant, key, arena, record, err);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK;
    changes[(*len)++] = (struct change){.kind = CHANGE_REMOVE, .record = record};
    return status;
}

static enum status take_email(struct catalog *catalog, const struct caller *caller,
                              struct str email, struct change *changes, uint32_t *len,
                              struct arena *arena, struct error *err)
{
    struct record *record = ARENA_NEW(arena, struct record);
    if (!record)
        return error_no_memory(err);
    *record = (struct record){.domain = DOMAIN_PRINCIPAL, .kind = STR("email"), .name = email};
    TRY(catalog_record_begin(catalog, caller, record, arena, err));
    TRY(entry_key(record, arena, &record->key, err));
    changes[(*len)++] = (struct change){.kind = CHANGE_INSERT, .record = record};
    return STATUS_OK;
}

/* The changes that follow from a user that was `old` (NULL: none) and will be `new`. */
static enum status email_changes(struct catalog *catalog, const struct caller *caller,
                                 const struct record *old, const struct record *new,
                                 struct change *changes, uint32_t *len, struct arena *arena,
                                 struct error *err)
{
    struct str before = email_of(old, arena), after = email_of(new, arena);
    if (str_eq(before, after))
        return STATUS_OK;
    if (before.len)
        TRY(free_email(catalog, caller, before, changes, len, arena, err));
    return after.len ? take_email(catalog, caller, after, changes, len, arena, err) : STATUS_OK;
}

/* --- changes --- */

static enum status taken(const struct record *record, uint32_t at, struct arena *arena,
                         struct error *err)
{
    if (at)
        return error_set(err, STATUS_CONFLICT, "the e-mail address '%.*s' is taken",
                         STR_ARG(email_of(record, arena)));
    return error_set(err, STATUS_CONFLICT, "the name '%.*s' is taken", STR_ARG(record->name));
}

static enum status commit_entry(struct catalog *catalog, const struct caller *caller,
                                const char *verb, const struct record *old,
                                const struct record *new, struct arena *arena,
                                struct commit_result *result, struct error *err)
{
    struct change changes[3];
    uint32_t len = 0;
    const struct record *record = new ? new : old;
    changes[len++] = (struct change){.kind = !old   ? CHANGE_INSERT
                                             : !new ? CHANGE_REMOVE
                                                    : CHANGE_UPDATE,
                                     .expected = old ? old->revision : 0,
                                     .record = record};
    TRY(email_changes(catalog, caller, old, new, changes, &len, arena, err));
    enum status status = commit_audited(catalog, caller, action_of(record->domain, verb, arena),
                                        record, STR_NONE, changes, len, arena, result, err);
    if (result->conflict == CONFLICT_KEY || result->conflict == CONFLICT_ID)
        return taken(record, result->at, arena, err);
    return status;
}

enum status entry_create(struct catalog *catalog, const struct caller *caller,
                         const struct record *record, struct arena *arena, struct record *ret,
                         struct error *err)
{
    struct commit_result result = {0};
    TRY(check_admin(caller, record->domain, err));
    *ret = *record;
    if (!ret->name.len)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a name is needed");
    if (!ret->owner.len)
        ret->owner = caller->principal;
    if (!ret->lifecycle.len)
        ret->lifecycle = STR("active");
    TRY(catalog_record_begin(catalog, caller, ret, arena, err));
    TRY(entry_key(ret, arena, &ret->key, err));
    TRY(record_check(ret, err));
    return commit_entry(catalog, caller, "create", NULL, ret, arena, &result, err);
}

/* Everything but what a record is born with. */
static void take_over(struct record *to, const struct record *from)
{
    struct record old = *to;
    *to = *from;
    to->id = old.id;
    to->tenant = old.tenant;
    to->key = old.key;
    to->name = old.name;
    to->revision = old.revision;
    to->created_us = old.created_us;
    to->deleted_us = old.deleted_us;
    to->owner = from->owner.len ? from->owner : old.owner;
    to->lifecycle = from->lifecycle.len ? from->lifecycle : old.lifecycle;
}

static enum status edit_take_over(void *context, struct record *record, struct arena *arena,
                                  struct error *err)
{
    (void)arena;
    (void)err;
    take_over(record, context);
    return STATUS_OK;
}

enum status entry_put(struct catalog *catalog, const struct caller *caller,
                      const struct record *record, struct arena *arena, struct record *ret,
                      struct error *err)
{
    struct record old, wanted = *record;
    struct str key;
    struct asset_edit edit = {.edit = edit_take_over, .context = &wanted};
    TRY(check_admin(caller, record->domain, err));
    TRY(entry_key(record, arena, &key, err));
    enum status status =
        backend_find(catalog->backend, record->domain, caller->tenant, key, arena, &old, err);
    if (status == STATUS_NOT_FOUND)
        return entry_create(catalog, caller, record, arena, ret, err);
    TRY(status);
    return entry_edit(catalog, caller, record->domain, old.id, &edit, arena, ret, err);
}

static enum status entry_missing(enum domain domain, struct str id, struct error *err)
{
    return error_set(err, STATUS_NOT_FOUND, "nothing among the %s is '%.*s'", domain_name(domain),
                     STR_ARG(id));
}

enum status entry_get(struct catalog *catalog, const struct caller *caller, enum domain domain,
                      struct str id, struct arena *arena, struct record *ret, struct error *err)
{
    enum status status = backend_get(catalog->backend, domain, caller->tenant, id, arena, ret, err);
    return status == STATUS_NOT_FOUND ? entry_missing(domain, id, err) : status;
}

enum status entry_find(struct catalog *catalog, const struct caller *caller, enum domain domain,
                       struct str name, struct arena *arena, struct record *ret, struct error *err)
{
    struct str rest = name, kind = STR_NONE, key;
    struct record wanted = {.domain = domain, .name = name};
    if (domain == DOMAIN_PRINCIPAL && str_split(&rest, '/', &kind)) {
        wanted.kind = kind;
        wanted.name = rest;
    }
    TRY(entry_key(&wanted, arena, &key, err));
    enum status status =
        backend_find(catalog->backend, domain, caller->tenant, key, arena, ret, err);
    return status == STATUS_NOT_FOUND ? entry_missing(domain, name, err) : status;
}

enum status entry_edit(struct catalog *catalog, const struct caller *caller, enum domain domain,
                       struct str id, const struct asset_edit *edit, struct arena *arena,
                       struct record *ret, struct error *err)
{
    struct record old;
    TRY(check_admin(caller, domain, err));
    for (int tries = 0; tries < EDIT_TRIES_MAX; tries++) {
        struct commit_result result = {0};
        TRY(entry_get(catalog, caller, domain, id, arena, &old, err));
        if (edit->expected && edit->expected != old.revision)
            return error_set(err, STATUS_CONFLICT, "it is at revision %lld, not %lld",
                             (long long)old.revision, (long long)edit->expected);
        *ret = old;
        TRY(edit->edit(edit->context, ret, arena, err));
        TRY(entry_key(ret, arena, &ret->key, err));
        TRY(record_check(ret, err));
        if (record_equal(&old, ret))
            return STATUS_OK;
        ret->revision = old.revision + 1;
        ret->updated_us = sys_now_us(catalog->sys);
        enum status status =
            commit_entry(catalog, caller, "update", &old, ret, arena, &result, err);
        bool again = result.conflict == CONFLICT_REVISION || result.conflict == CONFLICT_MISSING;
        if (!again || edit->expected)
            return status;
    }
    return error_set(err, STATUS_UNAVAILABLE, "it is changed by others all the time");
}

enum status entry_remove(struct catalog *catalog, const struct caller *caller, enum domain domain,
                         struct str id, struct error *err)
{
    struct arena arena;
    struct record old;
    struct commit_result result = {0};
    TRY(check_admin(caller, domain, err));
    arena_init(&arena, 0);
    enum status status = entry_get(catalog, caller, domain, id, &arena, &old, err);
    if (status == STATUS_OK)
        status = commit_entry(catalog, caller, "delete", &old, NULL, &arena, &result, err);
    arena_release(&arena);
    return status;
}

enum status entry_query(struct catalog *catalog, const struct caller *caller,
                        const struct record_query *query, struct arena *arena,
                        struct record_page *ret, struct error *err)
{
    struct record_query own = *query;
    if (query->domain == DOMAIN_ASSET)
        return error_set(err, STATUS_INTERNAL, "assets have a query of their own");
    own.tenant = caller->tenant;
    return backend_query(catalog->backend, &own, arena, ret, err);
}

enum status setting_get(struct catalog *catalog, const struct caller *caller, const char *name,
                        const char *fallback, struct arena *arena, struct str *ret,
                        struct error *err)
{
    struct record config;
    enum status status =
        entry_find(catalog, caller, DOMAIN_CONFIG, str_of(name), arena, &config, err);
    *ret = str_of(fallback);
    if (status == STATUS_OK)
        *ret = attribute_get(config.attributes, "value", arena);
    return status == STATUS_NOT_FOUND ? STATUS_OK : status;
}
