/* location.c: where assets' data may lie, and how much of it is used. */
#include "catalog/catalog_int.h"

static enum status no_location(struct str name, struct error *err)
{
    if (name.len)
        return error_set(err, STATUS_NOT_FOUND, "no storage location is named '%.*s'",
                         STR_ARG(name));
    return error_set(err, STATUS_NOT_FOUND,
                     "no storage location is the default: name one, or make one the default");
}

static enum status default_location(struct catalog *catalog, const struct caller *caller,
                                    struct arena *arena, struct record *ret, struct error *err)
{
    struct match match = {.field = RECORD_is_default, .op = MATCH_EQ, .number = 1};
    struct record_query query = {.domain = DOMAIN_LOCATION,
                                 .tenant = caller->tenant,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .limit = QUERY_LIMIT_MAX};
    struct record_page page;
    TRY(backend_query(catalog->backend, &query, arena, &page, err));
    for (uint32_t i = 0; i < page.len; i++) {
        if (!str_is(page.records[i].lifecycle, "active"))
            continue;
        *ret = page.records[i];
        return STATUS_OK;
    }
    return no_location(STR_NONE, err);
}

enum status location_choose(struct catalog *catalog, const struct caller *caller, struct str name,
                            struct arena *arena, struct record *ret, struct error *err)
{
    if (name.len) {
        enum status status = entry_find(catalog, caller, DOMAIN_LOCATION, name, arena, ret, err);
        if (status == STATUS_NOT_FOUND)
            return no_location(name, err);
        TRY(status);
    } else {
        TRY(default_location(catalog, caller, arena, ret, err));
    }
    if (!str_is(ret->lifecycle, "active"))
        return error_set(err, STATUS_CONFLICT, "the storage location '%.*s' is not active",
                         STR_ARG(ret->name));
    if (ret->capacity_bytes && ret->size_bytes >= ret->capacity_bytes)
        return error_set(err, STATUS_STORAGE_FULL, "the storage location '%.*s' is full",
                         STR_ARG(ret->name));
    return STATUS_OK;
}

enum status location_account(struct catalog *catalog, const struct record *asset, int64_t delta,
                             struct arena *arena, struct record *ret, bool *ret_changed,
                             struct error *err)
{
    struct str name = attribute_get(asset->attributes, "storage_location", arena), key;
    *ret_changed = false;
    *ret = (struct record){0};
    if (!delta || !name.len)
        return STATUS_OK;
    TRY(key_join(&name, 1, arena, &key, err));
    enum status status =
        backend_find(catalog->backend, DOMAIN_LOCATION, asset->tenant, key, arena, ret, err);
    if (status == STATUS_NOT_FOUND)
        return STATUS_OK; /* taken away meanwhile: nothing to account to */
    TRY(status);
    int64_t used = ret->size_bytes + delta;
    if (delta > 0 && ret->capacity_bytes && used > ret->capacity_bytes)
        return error_set(err, STATUS_STORAGE_FULL,
                         "the storage location '%.*s' has %lld of %lld bytes left, %lld are needed",
                         STR_ARG(name), (long long)(ret->capacity_bytes - ret->size_bytes),
                         (long long)ret->capacity_bytes, (long long)delta);
    ret->size_bytes = used > 0 ? used : 0;
    ret->accessed_us = ret->updated_us = sys_now_us(catalog->sys);
    ret->revision++;
    *ret_changed = true;
    return STATUS_OK;
}
