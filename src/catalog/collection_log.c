/* collection_log.c: what the logs of collections tell, and the runs of ingestion. */
#include <stdlib.h>

#include "catalog/catalog_int.h"
#include "catalog/collection.h"

/* --- performance statistics --- */

struct durations {
    struct str type;
    int64_t *us;
    size_t len, room;
    int64_t successful;
};

struct sample {
    struct durations types[LOGGED_TYPES_MAX];
    uint32_t len;
    size_t total;
};

static void sample_release(struct sample *sample)
{
    for (uint32_t i = 0; i < LOGGED_TYPES_MAX; i++)
        free(sample->types[i].us);
}

static enum status durations_of(struct sample *sample, struct str type, struct arena *arena,
                                struct durations **ret, struct error *err)
{
    for (uint32_t i = 0; i < sample->len; i++) {
        *ret = &sample->types[i];
        if (str_eq((*ret)->type, type))
            return STATUS_OK;
    }
    if (sample->len == LOGGED_TYPES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d types of operations",
                         LOGGED_TYPES_MAX);
    *ret = &sample->types[sample->len];
    (*ret)->type = arena_str(arena, type);
    if (!(*ret)->type.data)
        return error_no_memory(err);
    sample->len++;
    return STATUS_OK;
}

static enum status sample_add(struct sample *sample, const struct record *event,
                              struct arena *arena, struct error *err)
{
    struct durations *durations;
    struct str type = str_is(event->kind, "query") ? STR("search") : event->name;
    if (sample->total == LOGGED_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT,
                         "more than %d operations in that time: ask for fewer days or for one "
                         "collection",
                         LOGGED_MAX);
    TRY(durations_of(sample, type, arena, &durations, err));
    if (durations->len == durations->room) {
        size_t room = durations->room ? durations->room * 2 : 256;
        int64_t *us = realloc(durations->us, room * sizeof *us);
        if (!us)
            return error_no_memory(err);
        durations->us = us;
        durations->room = room;
    }
    durations->us[durations->len++] = event->duration_us;
    durations->successful += event->success;
    sample->total++;
    return STATUS_OK;
}

/* All events that the query selects, a page at a time in an arena of its own. */
static enum status sample_query(struct catalog *catalog, struct record_query *query,
                                struct sample *sample, struct arena *arena, struct error *err)
{
    enum status status = STATUS_OK;
    struct str cursor = STR_NONE;
    do {
        struct arena own;
        struct record_page page;
        arena_init(&own, 0);
        query->cursor = cursor;
        status = backend_query(catalog->backend, query, &own, &page, err);
        for (uint32_t i = 0; status == STATUS_OK && i < page.len; i++)
            status = sample_add(sample, &page.records[i], arena, err);
        cursor = STR_NONE;
        if (status == STATUS_OK && page.next.len) {
            cursor = arena_str(arena, page.next);
            status = cursor.data ? STATUS_OK : error_no_memory(err);
        }
        arena_release(&own);
    } while (status == STATUS_OK && cursor.len);
    return status;
}

/* The query log, then the metrics of everything that is not in it. */
static enum status sample_fill(struct catalog *catalog, const struct caller *caller,
                               struct str collection, int64_t since_us, struct sample *sample,
                               struct arena *arena, struct error *err)
{
    struct str logged = STR("query"), measured = STR("performance");
    struct match matches[4] = {
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &logged, .values_len = 1},
        {.field = RECORD_created_us, .op = MATCH_GTE, .number = since_us}};
    struct record_query query = {.domain = DOMAIN_EVENT,
                                 .tenant = caller->tenant,
                                 .matches = matches,
                                 .matches_len = 2,
                                 .limit = QUERY_LIMIT_MAX};
    struct match of_collection = {
        .field = RECORD_object, .op = MATCH_EQ, .values = &collection, .values_len = 1};
    if (collection.len)
        matches[query.matches_len++] = of_collection;
    TRY(sample_query(catalog, &query, sample, arena, err));
    matches[0].values = &measured;
    matches[query.matches_len++] = (struct match){
        .field = RECORD_namespace, .op = MATCH_NE, .values = &logged, .values_len = 1};
    return sample_query(catalog, &query, sample, arena, err);
}

static int compare_us(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int compare_types(const void *a, const void *b)
{
    return str_cmp(((const struct performance_stats *)a)->operation_type,
                   ((const struct performance_stats *)b)->operation_type);
}

/* Nearest rank: the least duration that `percent` of all are not above. */
static int64_t percentile(const struct durations *sorted, size_t percent)
{
    return sorted->us[(sorted->len * percent + 99) / 100 - 1];
}

static struct performance_stats summary(struct durations *durations)
{
    struct performance_stats stats = {.operation_type = durations->type,
                                      .total = (int64_t)durations->len,
                                      .successful = durations->successful};
    if (!durations->us)
        return stats;
    qsort(durations->us, durations->len, sizeof *durations->us, compare_us);
    for (size_t i = 0; i < durations->len; i++)
        stats.sum_us += durations->us[i];
    stats.min_us = durations->us[0];
    stats.max_us = durations->us[durations->len - 1];
    stats.p50_us = percentile(durations, 50);
    stats.p95_us = percentile(durations, 95);
    stats.p99_us = percentile(durations, 99);
    return stats;
}

enum status performance_stats(struct catalog *catalog, const struct caller *caller,
                              struct str collection, int64_t since_us, struct arena *arena,
                              struct performance_stats **ret, uint32_t *ret_len, struct error *err)
{
    struct sample sample = {0};
    enum status status = sample_fill(catalog, caller, collection, since_us, &sample, arena, err);
    struct performance_stats *rows = arena_array(arena, sample.len, sizeof *rows);
    if (status == STATUS_OK && !rows)
        status = error_no_memory(err);
    if (status == STATUS_OK && rows) {
        for (uint32_t i = 0; i < sample.len; i++)
            rows[i] = summary(&sample.types[i]);
        qsort(rows, sample.len, sizeof *rows, compare_types);
        *ret = rows;
        *ret_len = sample.len;
    }
    sample_release(&sample);
    return status;
}

/* --- runs of ingestion --- */

enum status ingestion_edit(struct catalog *catalog, const struct caller *caller,
                           struct str collection, struct str id, ingestion_edit_fn edit,
                           void *context, struct arena *arena, struct record *ret,
                           struct error *err)
{
    struct record old;
    for (int tries = 0; tries < EDIT_TRIES_MAX; tries++) {
        struct commit_result result = {0};
        enum status status =
            backend_get(catalog->backend, DOMAIN_EVENT, caller->tenant, id, arena, &old, err);
        bool is_run =
            status == STATUS_OK && str_is(old.kind, "ingestion") && str_eq(old.object, collection);
        if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !is_run))
            return error_set(err, STATUS_NOT_FOUND, "the collection has no ingestion '%.*s'",
                             STR_ARG(id));
        TRY(status);
        *ret = old;
        TRY(edit(context, ret, arena, err));
        ret->revision = old.revision + 1;
        ret->updated_us = sys_now_us(catalog->sys);
        struct change change = {.kind = CHANGE_UPDATE, .expected = old.revision, .record = ret};
        status = backend_commit(catalog->backend, &change, 1, &result, err);
        if (result.conflict == CONFLICT_NONE)
            return status;
    }
    return error_set(err, STATUS_UNAVAILABLE, "the ingestion is changed by others all the time");
}
