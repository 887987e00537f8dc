/* backend.c: the checks that every call goes through before a back end sees it, and its measuring.
 */
#include "catalog/backend.h"

void backend_watch(struct backend *backend, backend_watch_fn watch, void *context)
{
    backend->watch = watch;
    backend->watch_context = context;
}

void backend_notify(struct backend *backend, const struct change *changes, uint32_t len)
{
    if (backend->watch)
        backend->watch(backend->watch_context, changes, len);
}

static enum status check_tenant(struct str tenant, struct error *err)
{
    if (!tenant.len)
        return error_set(err, STATUS_INVALID_ARGUMENT, "no tenant is named");
    return STATUS_OK;
}

enum status backend_get(struct backend *backend, enum domain domain, struct str tenant,
                        struct str id, struct arena *arena, struct record *ret, struct error *err)
{
    TRY(check_tenant(tenant, err));
    int64_t begin = meter_begin();
    return meter_end(&backend->meter, CALL_GET, begin,
                     backend->ops->get(backend, domain, tenant, id, arena, ret, err));
}

bool backend_get_now(struct backend *backend, enum domain domain, struct str tenant, struct str id,
                     struct arena *arena, struct record *ret)
{
    int64_t begin = meter_begin();
    if (!backend->ops->get_now || !tenant.len ||
        !backend->ops->get_now(backend, domain, tenant, id, arena, ret))
        return false;
    meter_end(&backend->meter, CALL_GET, begin, STATUS_OK);
    return true;
}

enum status backend_find(struct backend *backend, enum domain domain, struct str tenant,
                         struct str key, struct arena *arena, struct record *ret, struct error *err)
{
    TRY(check_tenant(tenant, err));
    if (!key.len)
        return error_set(err, STATUS_NOT_FOUND, "an empty key names nothing");
    int64_t begin = meter_begin();
    return meter_end(&backend->meter, CALL_FIND, begin,
                     backend->ops->find(backend, domain, tenant, key, arena, ret, err));
}

enum status backend_query(struct backend *backend, const struct record_query *query,
                          struct arena *arena, struct record_page *ret, struct error *err)
{
    *ret = (struct record_page){.total = -1};
    TRY(query_check(query, err));
    int64_t begin = meter_begin();
    return meter_end(&backend->meter, CALL_QUERY, begin,
                     backend->ops->query(backend, query, arena, ret, err));
}

enum status backend_group(struct backend *backend, const struct group_query *query,
                          struct arena *arena, struct group_answer *ret, struct error *err)
{
    *ret = (struct group_answer){0};
    TRY(group_check(query, err));
    int64_t begin = meter_begin();
    return meter_end(&backend->meter, CALL_GROUP, begin,
                     backend->ops->group(backend, query, arena, ret, err));
}

static enum status check_change(const struct change *change, struct error *err)
{
    const struct record *record = change->record;
    TRY(check_tenant(record->tenant, err));
    if (record->id.len < 1)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a record without id cannot be stored");
    if (change->kind == CHANGE_REMOVE || change->kind == CHANGE_TOUCH)
        return STATUS_OK;
    if (record->revision < 1 || !record->created_us)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "a record without revision and time of creation cannot be stored");
    return record_check(record, err);
}

enum status backend_commit(struct backend *backend, const struct change *changes, uint32_t len,
                           struct commit_result *ret, struct error *err)
{
    struct commit_result ignored;
    if (!ret)
        ret = &ignored;
    *ret = (struct commit_result){0};
    if (len > COMMIT_CHANGES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a commit has at most %d changes, not %u",
                         COMMIT_CHANGES_MAX, (unsigned)len);
    for (uint32_t i = 0; i < len; i++)
        TRY(check_change(&changes[i], err));
    if (!len)
        return STATUS_OK;
    TRY(backend_commit_checked(backend, changes, len, ret, err));
    backend_notify(backend, changes, len);
    return STATUS_OK;
}

enum status backend_commit_checked(struct backend *backend, const struct change *changes,
                                   uint32_t len, struct commit_result *ret, struct error *err)
{
    int64_t begin = meter_begin();
    return meter_end(&backend->meter, CALL_COMMIT, begin,
                     backend->ops->commit(backend, changes, len, ret, err));
}

enum status backend_scan(struct backend *backend, enum domain domain, struct str after,
                         uint32_t limit, struct arena *arena, struct record_page *ret,
                         struct error *err)
{
    *ret = (struct record_page){.total = -1};
    if (limit < 1 || limit > QUERY_LIMIT_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "limit must be between 1 and %d",
                         QUERY_LIMIT_MAX);
    int64_t begin = meter_begin();
    return meter_end(&backend->meter, CALL_SCAN, begin,
                     backend->ops->scan(backend, domain, after, limit, arena, ret, err));
}

enum status backend_verify(struct backend *backend, backend_fault_fn fault, void *context,
                           struct error *err)
{
    return backend->ops->verify(backend, fault, context, err);
}

enum status backend_health(struct backend *backend, struct error *err)
{
    return backend->ops->health(backend, err);
}

void backend_close(struct backend *backend)
{
    if (backend)
        backend->ops->close(backend);
}

enum status commit_refused(struct commit_result *ret, enum conflict conflict, uint32_t at,
                           int64_t revision, struct error *err)
{
    static const char *const messages[] = {
        [CONFLICT_NONE] = "",
        [CONFLICT_ID] = "a record with this id exists",
        [CONFLICT_KEY] = "a record with this name exists",
        [CONFLICT_MISSING] = "the record does not exist",
        [CONFLICT_REVISION] = "the record has changed meanwhile",
    };
    *ret = (struct commit_result){.conflict = conflict, .at = at, .revision = revision};
    return error_set(err, STATUS_CONFLICT, "%s", messages[conflict]);
}
