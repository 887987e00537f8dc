/* redis_backend.c: the URL, opening, what is asked of a server that is to be believed. */
#include <stdlib.h>

#include "catalog/redis/redis_int.h"

static enum status redis_health(struct backend *base, struct error *err)
{
    struct redis_backend *backend = (struct redis_backend *)base;
    struct redis_command command;
    struct arena arena;
    redisReply *reply = NULL;
    arena_init(&arena, 1 << 16);
    redis_command_init(&command, &arena, 1);
    redis_add(&command, STR("PING"));
    enum status status = redis_read(backend, &command, &reply, err);
    if (status == STATUS_OK)
        freeReplyObject(reply);
    arena_release(&arena);
    return status;
}

static void redis_close(struct backend *base)
{
    struct redis_backend *backend = (struct redis_backend *)base;
    pool_release(&backend->pool, redis_close_item);
    redis_url_release(&backend->url);
    free(backend->prefix);
    free(backend);
}

static const struct backend_ops redis_ops = {
    .name = "redis",
    .get = redis_get,
    .find = redis_find,
    .query = redis_query,
    .group = redis_group,
    .commit = redis_commit,
    .scan = redis_scan,
    .verify = redis_verify,
    .health = redis_health,
    .close = redis_close,
};

/* --- durability --- */

static enum status configure(struct redis_connection *connection, struct arena *arena,
                             const char *name, const char *value, struct error *err)
{
    struct redis_command command;
    redisReply *reply = NULL;
    redis_command_init(&command, arena, 3);
    redis_add(&command, STR("CONFIG"));
    redis_add(&command, STR("GET"));
    redis_add(&command, str_of(name));
    TRY(redis_run(connection, &command, &reply, err));
    bool set = reply->elements == 2 &&
               str_is(str_make(reply->element[1]->str, reply->element[1]->len), value);
    freeReplyObject(reply);
    if (set)
        return STATUS_OK;
    redis_command_init(&command, arena, 4);
    redis_add(&command, STR("CONFIG"));
    redis_add(&command, STR("SET"));
    redis_add(&command, str_of(name));
    redis_add(&command, str_of(value));
    TRY(redis_run(connection, &command, &reply, err));
    freeReplyObject(reply);
    return STATUS_OK;
}

/* A write that is answered must be on disk. */
static enum status make_durable(struct redis_backend *backend, struct error *err)
{
    struct redis_connection *connection = NULL;
    struct arena arena;
    TRY(redis_take(backend, &connection, err));
    arena_init(&arena, 1 << 16);
    enum status status = configure(connection, &arena, "appendfsync", "always", err);
    if (status == STATUS_OK)
        status = configure(connection, &arena, "appendonly", "yes", err);
    arena_release(&arena);
    redis_give(backend, connection);
    if (status == STATUS_INTERNAL)
        return error_set(
            err, STATUS_INVALID_ARGUMENT,
            "The Redis server does not sync its writes and does not let us change "
            "that: set 'appendonly yes' and 'appendfsync always' in its configuration.");
    return status;
}

/* A store without assets is marked as one that files all of them by their members. */
static enum status look_for_members(struct redis_backend *backend, struct error *err)
{
    struct redis_command command;
    struct arena arena;
    redisReply *reply = NULL;
    arena_init(&arena, 1 << 16);
    redis_command_init(&command, &arena, 5);
    redis_add(&command, STR("EVAL"));
    redis_add(&command, STR("if redis.call('EXISTS',KEYS[1]..':assets:ids')==0 then"
                            " redis.call('SET',KEYS[1]..':members','1') end"
                            " return redis.call('EXISTS',KEYS[1]..':members')"));
    redis_add(&command, STR("1"));
    redis_add(&command, str_of(backend->prefix));
    enum status status = redis_read(backend, &command, &reply, err);
    if (status == STATUS_OK) {
        backend->files_members = reply->integer == 1;
        freeReplyObject(reply);
    }
    arena_release(&arena);
    return status;
}

enum status redis_backend_open(const struct redis_backend_options *options,
                               struct backend **ret_backend, struct error *err)
{
    struct redis_backend *backend = calloc(1, sizeof *backend);
    if (!backend)
        return error_no_memory(err);
    backend->base.ops = &redis_ops;
    pool_init(&backend->pool, options->connections_max ? options->connections_max : 16);
    backend->base.pool = &backend->pool;
    backend->timeout_ms = options->timeout_ms ? options->timeout_ms : 5000;
    backend->is_cache = options->is_cache;
    backend->prefix = str_dup(str_of(options->prefix ? options->prefix : "quarry"));
    enum status status = backend->prefix ? redis_url_parse(str_of(options->url), &backend->url, err)
                                         : error_no_memory(err);
    if (status == STATUS_OK && !backend->is_cache)
        status = make_durable(backend, err);
    if (status == STATUS_OK && !backend->is_cache)
        status = look_for_members(backend, err);
    if (status != STATUS_OK) {
        redis_close(&backend->base);
        return status;
    }
    *ret_backend = &backend->base;
    return STATUS_OK;
}
