/* collection.c: collections by id or name, and their statistics.
 *
 * Each table is counted by itself: joining partitions, grants and queries first would multiply them
 * (contracts 3.3). */
#include "catalog/collection.h"

#include <stdlib.h>

#include "catalog/catalog_int.h"

static enum status missing(struct str id_or_name, struct error *err)
{
    return error_set(err, STATUS_NOT_FOUND, "there is no collection '%.*s'", STR_ARG(id_or_name));
}

static enum status find_by_name(struct catalog *catalog, const struct caller *caller,
                                struct str name, struct arena *arena, struct record *ret,
                                struct error *err)
{
    struct record wanted = {.kind = STR("collection"), .name = name};
    struct str key;
    TRY(asset_key(&wanted, arena, &key, err));
    return backend_find(catalog->backend, DOMAIN_ASSET, caller->tenant, key, arena, ret, err);
}

enum status collection_open(struct catalog *catalog, const struct caller *caller,
                            struct str id_or_name, enum right permission, struct arena *arena,
                            struct record *ret, struct error *err)
{
    enum status status =
        backend_get(catalog->backend, DOMAIN_ASSET, caller->tenant, id_or_name, arena, ret, err);
    if (status == STATUS_NOT_FOUND)
        status = find_by_name(catalog, caller, id_or_name, arena, ret, err);
    if (status == STATUS_NOT_FOUND)
        return missing(id_or_name, err);
    TRY(status);
    if (!str_is(ret->kind, "collection") || ret->deleted_us)
        return missing(id_or_name, err);
    status = asset_open(catalog, caller, ret->id, permission, "collection.open", arena, ret, err);
    return status == STATUS_NOT_FOUND ? missing(id_or_name, err) : status;
}

/* --- statistics --- */

struct counting {
    struct catalog *catalog;
    const struct caller *caller;
    const struct record *collections;
    uint32_t len;
    const struct str *ids;
    struct arena *arena;
    struct collection_stats *stats;
};

static struct collection_stats *stats_of(const struct counting *counting, struct str id)
{
    for (uint32_t i = 0; i < counting->len; i++)
        if (str_eq(counting->ids[i], id))
            return &counting->stats[i];
    return NULL;
}

static struct match equals(enum record_field field, const struct str *value)
{
    return (struct match){.field = field, .op = MATCH_EQ, .values = value, .values_len = 1};
}

static struct match one_of(const struct counting *counting, enum record_field field)
{
    return (struct match){
        .field = field, .op = MATCH_IN, .values = counting->ids, .values_len = counting->len};
}

static enum status group(const struct counting *counting, enum domain domain,
                         const struct match *matches, uint32_t len, enum record_field by,
                         struct group_answer *ret, struct error *err)
{
    struct group_query query = {.records = {.domain = domain,
                                            .tenant = counting->caller->tenant,
                                            .matches = matches,
                                            .matches_len = len,
                                            .limit = 1},
                                .by = (int)by,
                                .numbers = {RECORD_duration_us},
                                .numbers_len = domain == DOMAIN_EVENT ? 1 : 0};
    return backend_group(counting->catalog->backend, &query, counting->arena, ret, err);
}

static enum status count_partitions(const struct counting *counting, struct error *err)
{
    struct str kind = STR("partition");
    struct match matches[] = {equals(RECORD_kind, &kind), one_of(counting, RECORD_namespace)};
    struct group_answer answer;
    TRY(group(counting, DOMAIN_ASSET, matches, 2, RECORD_namespace, &answer, err));
    for (uint32_t i = 0; i < answer.len; i++) {
        struct collection_stats *stats = stats_of(counting, answer.rows[i].value);
        if (stats)
            stats->partition_count = answer.rows[i].count;
    }
    return STATUS_OK;
}

/* Adds the queries that the matches select; the last of them is on success. */
static enum status add_queries(const struct counting *counting, struct match *matches, uint32_t len,
                               struct error *err)
{
    struct group_answer all, good;
    TRY(group(counting, DOMAIN_EVENT, matches, len - 1, RECORD_object, &all, err));
    TRY(group(counting, DOMAIN_EVENT, matches, len, RECORD_object, &good, err));
    for (uint32_t i = 0; i < all.len; i++) {
        struct collection_stats *stats = stats_of(counting, all.rows[i].value);
        if (!stats)
            continue;
        stats->total_queries += all.rows[i].count;
        stats->duration_us += all.rows[i].sum[0];
    }
    for (uint32_t i = 0; i < good.len; i++) {
        struct collection_stats *stats = stats_of(counting, good.rows[i].value);
        if (stats)
            stats->successful_queries += good.rows[i].count;
    }
    return STATUS_OK;
}

static enum status count_queries(const struct counting *counting, struct error *err)
{
    struct str query = STR("query"), performance = STR("performance"), search = STR("search");
    struct match success = {.field = RECORD_success, .op = MATCH_EQ, .number = 1};
    struct match logged[] = {equals(RECORD_kind, &query), one_of(counting, RECORD_object), success};
    struct match measured[] = {equals(RECORD_kind, &performance), one_of(counting, RECORD_object),
                               equals(RECORD_name, &search), equals(RECORD_namespace, &query),
                               success};
    measured[3].op = MATCH_NE;
    TRY(add_queries(counting, logged, 3, err));
    return add_queries(counting, measured, 5, err);
}

static int compare_grants(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    int order = str_cmp(x[0], y[0]);
    return order ? order : str_cmp(x[1], y[1]);
}

static enum status count_users(const struct counting *counting, struct error *err)
{
    struct match match = one_of(counting, RECORD_object);
    struct record_query query = {.domain = DOMAIN_GRANT,
                                 .tenant = counting->caller->tenant,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .limit = QUERY_LIMIT_MAX};
    struct record_page page;
    struct str(*pairs)[2] = arena_array(counting->arena, USERS_MAX, sizeof *pairs);
    uint32_t len = 0;
    int64_t now_us = sys_now_us(counting->catalog->sys);
    if (!pairs)
        return error_no_memory(err);
    do {
        TRY(backend_query(counting->catalog->backend, &query, counting->arena, &page, err));
        for (uint32_t i = 0; i < page.len; i++) {
            const struct record *grant = &page.records[i];
            if (grant->expires_us && grant->expires_us <= now_us)
                continue;
            if (len == USERS_MAX)
                return error_set(err, STATUS_RESOURCE_LIMIT,
                                 "these collections have more than %d grants: ask for fewer",
                                 USERS_MAX);
            pairs[len][0] = grant->object;
            pairs[len++][1] = grant->subject;
        }
        query.cursor = page.next;
    } while (page.next.len);
    qsort(pairs, len, sizeof *pairs, compare_grants);
    for (uint32_t i = 0; i < len; i++) {
        struct collection_stats *stats = stats_of(counting, pairs[i][0]);
        if (stats && (i == 0 || compare_grants(pairs[i - 1], pairs[i]) != 0))
            stats->user_count++;
    }
    return STATUS_OK;
}

enum status collection_stats(struct catalog *catalog, const struct caller *caller,
                             const struct record *collections, uint32_t len, struct arena *arena,
                             struct collection_stats *ret, struct error *err)
{
    struct str *ids = arena_array(arena, len, sizeof *ids);
    struct counting counting = {catalog, caller, collections, len, ids, arena, ret};
    if (!ids)
        return error_no_memory(err);
    if (len > COLLECTIONS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d collections", COLLECTIONS_MAX);
    memset(ret, 0, len * sizeof *ret);
    for (uint32_t i = 0; i < len; i++)
        ids[i] = collections[i].id;
    if (len == 0)
        return STATUS_OK;
    TRY(count_partitions(&counting, err));
    TRY(count_users(&counting, err));
    return count_queries(&counting, err);
}
