/* read.c: records by id and key; queries by candidates from an index and the reference evaluator.
 */
#include <stdlib.h>

#include "catalog/redis/redis_int.h"

/* --- one record --- */

/* The JSON of P:D:r with the counts of P:D:a. */
static enum status read_record(const redisReply *json, const redisReply *counts,
                               struct arena *arena, struct record *ret, struct error *err)
{
    yyjson_doc *doc = yyjson_read(json->str, json->len, 0);
    enum status status =
        doc ? record_read(yyjson_doc_get_root(doc), arena, ret, err)
            : error_set(err, STATUS_CORRUPT, "a record in the catalog's Redis server is not JSON");
    yyjson_doc_free(doc);
    if (status != STATUS_OK || !counts || counts->type != REDIS_REPLY_STRING)
        return status;
    struct str rest = str_make(counts->str, counts->len), count;
    str_split(&rest, ' ', &count);
    if (record_has_field(ret->domain, RECORD_access_count))
        (void)str_to_int64(count, &ret->access_count);
    if (record_has_field(ret->domain, RECORD_accessed_us))
        (void)str_to_int64(rest, &ret->accessed_us);
    return STATUS_OK;
}

static enum status missing(struct error *err)
{
    return error_set(err, STATUS_NOT_FOUND, "the record does not exist");
}

/* Records of the ids, NULL entries for those that are gone. Both hashes in one script call, so that
 * a record and its counts are of one moment. */
static enum status fetch(struct redis_backend *backend, enum domain domain, const struct str *ids,
                         uint32_t len, redisReply **ret, struct arena *arena, struct error *err)
{
    struct redis_command command;
    redis_command_init(&command, arena, (int)len + 8);
    redis_add(&command, STR("EVAL"));
    redis_add(&command, STR("local r=redis.call('HMGET',KEYS[1],unpack(ARGV))"
                            " local a=redis.call('HMGET',KEYS[2],unpack(ARGV)) return {r,a}"));
    redis_add(&command, STR("2"));
    redis_add_key(&command, backend, domain, "r", STR_NONE);
    redis_add_key(&command, backend, domain, "a", STR_NONE);
    for (uint32_t i = 0; i < len; i++)
        redis_add(&command, ids[i]);
    TRY(redis_read(backend, &command, ret, err));
    if ((*ret)->type == REDIS_REPLY_ARRAY && (*ret)->elements == 2 &&
        (*ret)->element[0]->elements == len && (*ret)->element[1]->elements == len)
        return STATUS_OK;
    freeReplyObject(*ret);
    return error_set(err, STATUS_CORRUPT, "the catalog's Redis server gave a strange answer");
}

static enum status get_any(struct redis_backend *backend, enum domain domain, struct str id,
                           struct arena *arena, struct record *ret, struct error *err)
{
    redisReply *reply = NULL;
    TRY(fetch(backend, domain, &id, 1, &reply, arena, err));
    const redisReply *json = reply->element[0]->element[0];
    enum status status = json->type == REDIS_REPLY_STRING
                             ? read_record(json, reply->element[1]->element[0], arena, ret, err)
                             : missing(err);
    freeReplyObject(reply);
    return status;
}

enum status redis_get(struct backend *backend, enum domain domain, struct str tenant, struct str id,
                      struct arena *arena, struct record *ret, struct error *err)
{
    TRY(get_any((struct redis_backend *)backend, domain, id, arena, ret, err));
    return str_eq(ret->tenant, tenant) ? STATUS_OK : missing(err);
}

enum status redis_find(struct backend *base, enum domain domain, struct str tenant, struct str key,
                       struct arena *arena, struct record *ret, struct error *err)
{
    struct redis_backend *backend = (struct redis_backend *)base;
    struct redis_command command;
    redisReply *reply = NULL;
    char *name = arena_printf(arena, "%.*s\n%.*s", STR_ARG(tenant), STR_ARG(key));
    if (!name)
        return error_no_memory(err);
    redis_command_init(&command, arena, 3);
    redis_add(&command, STR("HGET"));
    redis_add_key(&command, backend, domain, "k", STR_NONE);
    redis_add(&command, str_of(name));
    TRY(redis_read(backend, &command, &reply, err));
    struct str id = reply->type == REDIS_REPLY_STRING
                        ? arena_str(arena, str_make(reply->str, reply->len))
                        : STR_NONE;
    freeReplyObject(reply);
    if (!id.len)
        return missing(err);
    TRY(redis_get(base, domain, tenant, id, arena, ret, err));
    /* it may have changed between the two looks */
    return str_eq(ret->key, key) && !ret->deleted_us ? STATUS_OK : missing(err);
}

/* --- many --- */

/* Ids of a sorted set behind `after`, in the order asked for. */
static enum status next_ids(struct redis_backend *backend, enum domain domain, const char *part,
                            struct str name, struct str after, bool descending, uint32_t limit,
                            struct str *ids, uint32_t *ret_len, struct arena *arena,
                            struct error *err)
{
    struct redis_command command;
    redisReply *reply = NULL;
    char *behind = arena_printf(arena, "(%.*s", STR_ARG(after));
    if (!behind)
        return error_no_memory(err);
    redis_command_init(&command, arena, 8);
    redis_add(&command, descending ? STR("ZREVRANGEBYLEX") : STR("ZRANGEBYLEX"));
    redis_add_key(&command, backend, domain, part, name);
    redis_add(&command, after.len ? str_of(behind) : descending ? STR("+") : STR("-"));
    redis_add(&command, descending ? STR("-") : STR("+"));
    redis_add(&command, STR("LIMIT"));
    redis_add(&command, STR("0"));
    redis_add_number(&command, limit);
    TRY(redis_read(backend, &command, &reply, err));
    enum status status = STATUS_OK;
    *ret_len = 0;
    for (size_t i = 0; i < reply->elements && status == STATUS_OK; i++) {
        ids[*ret_len] = arena_str(arena, str_make(reply->element[i]->str, reply->element[i]->len));
        status = ids[(*ret_len)++].data ? STATUS_OK : error_no_memory(err);
    }
    freeReplyObject(reply);
    return status;
}

/* Puts the matching ones of a batch into the set. */
static enum status take_batch(struct redis_backend *backend, const struct record_query *query,
                              const struct str *ids, uint32_t len, struct record_set *set,
                              uint32_t *matching, struct error *err)
{
    redisReply *reply = NULL;
    struct arena arena;
    arena_init(&arena, 0);
    enum status status = fetch(backend, query->domain, ids, len, &reply, &arena, err);
    for (uint32_t i = 0; status == STATUS_OK && i < len; i++) {
        struct record record;
        const redisReply *json = reply->element[0]->element[i];
        if (json->type != REDIS_REPLY_STRING)
            continue;
        status = read_record(json, reply->element[1]->element[i], &arena, &record, err);
        if (status != STATUS_OK || !query_matches(query, &record))
            continue;
        struct record *copy = record_clone(&record);
        status = copy ? record_set_put(set, copy, err) : error_no_memory(err);
        ++*matching;
    }
    if (reply)
        freeReplyObject(reply);
    arena_release(&arena);
    return status;
}

/* All records that match, or, when they come in the order wanted, so many as a page needs. */
static enum status gather(struct redis_backend *backend, const struct record_query *query,
                          bool whole, struct record_set *set, struct error *err)
{
    bool by_id = !whole && query->order == RECORD_id && !query->count;
    struct str after = STR_NONE, name, ids[REDIS_BATCH];
    uint32_t matching = 0, seen = 0, len = REDIS_BATCH;
    struct arena arena, page;
    arena_init(&arena, 1 << 20);
    arena_init(&page, 0);
    enum status status = redis_index_of_query(backend, query, &arena, &name, err);
    if (status == STATUS_OK && by_id && query->cursor.len) {
        struct cursor cursor;
        status = cursor_read(query, &arena, &cursor, err);
        after = cursor.id;
    }
    while (status == STATUS_OK && len == REDIS_BATCH && !(by_id && matching > query->limit)) {
        status = next_ids(backend, query->domain, "x:", name, after, by_id && query->descending,
                          REDIS_BATCH, ids, &len, &page, err);
        if (status != STATUS_OK || len == 0)
            break;
        status = take_batch(backend, query, ids, len, set, &matching, err);
        char *last = str_dup(ids[len - 1]);
        arena_release(&page);
        after = last ? arena_str(&page, str_of(last)) : STR_NONE;
        free(last);
        if (status == STATUS_OK && !after.data)
            status = error_no_memory(err);
        if (status == STATUS_OK && (seen += len) > REDIS_CANDIDATES_MAX)
            status = error_set(err, STATUS_RESOURCE_LIMIT,
                               "the query would look at more than %d records; filter by kind, "
                               "owner, name or a tag",
                               REDIS_CANDIDATES_MAX);
    }
    arena_release(&arena);
    arena_release(&page);
    return status;
}

enum status redis_query(struct backend *backend, const struct record_query *query,
                        struct arena *arena, struct record_page *ret, struct error *err)
{
    struct record_set set;
    record_set_init(&set);
    enum status status = gather((struct redis_backend *)backend, query, false, &set, err);
    if (status == STATUS_OK)
        status = record_set_query(&set, query, arena, ret, err);
    record_set_release(&set);
    return status;
}

enum status redis_group(struct backend *backend, const struct group_query *query,
                        struct arena *arena, struct group_answer *ret, struct error *err)
{
    struct record_set set;
    record_set_init(&set);
    enum status status = gather((struct redis_backend *)backend, &query->records, true, &set, err);
    if (status == STATUS_OK)
        status = record_set_group(&set, query, arena, ret, err);
    record_set_release(&set);
    return status;
}

enum status redis_scan(struct backend *base, enum domain domain, struct str after, uint32_t limit,
                       struct arena *arena, struct record_page *ret, struct error *err)
{
    struct redis_backend *backend = (struct redis_backend *)base;
    struct str *ids = arena_array(arena, limit, sizeof *ids);
    redisReply *reply = NULL;
    uint32_t len = 0;
    ret->records = arena_array(arena, limit, sizeof *ret->records);
    if (!ids || !ret->records)
        return error_no_memory(err);
    TRY(next_ids(backend, domain, "ids", STR_NONE, after, false, limit, ids, &len, arena, err));
    if (len == 0)
        return STATUS_OK;
    TRY(fetch(backend, domain, ids, len, &reply, arena, err));
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < len && status == STATUS_OK; i++)
        if (reply->element[0]->element[i]->type == REDIS_REPLY_STRING)
            status = read_record(reply->element[0]->element[i], reply->element[1]->element[i],
                                 arena, &ret->records[ret->len++], err);
    freeReplyObject(reply);
    return status;
}
