/* connection.c: the pool, commands, failures. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "catalog/redis/redis_int.h"

/* --- one connection --- */

static void connection_close(struct redis_connection *connection)
{
    if (!connection)
        return;
    redisFree(connection->redis);
    free(connection);
}

static enum status connection_lost(const struct redis_connection *connection, struct error *err)
{
    const redisContext *redis = connection->redis;
    return error_set(err, STATUS_UNAVAILABLE, "the catalog's Redis server cannot be reached: %s",
                     redis && redis->errstr[0] ? redis->errstr : "no memory");
}

static enum status run_words(struct redis_connection *connection, struct arena *arena,
                             const char *const *words, struct error *err)
{
    struct redis_command command;
    redisReply *reply = NULL;
    redis_command_init(&command, arena, 4);
    for (; *words; words++)
        redis_add(&command, str_of(*words));
    TRY(redis_run(connection, &command, &reply, err));
    freeReplyObject(reply);
    return STATUS_OK;
}

static enum status log_in(struct redis_backend *backend, struct redis_connection *connection,
                          struct error *err)
{
    struct arena arena;
    char database[16];
    enum status status = STATUS_OK;
    arena_init(&arena, 1 << 16);
    snprintf(database, sizeof database, "%d", backend->url.database);
    if (backend->url.password)
        status = run_words(connection, &arena,
                           (const char *const[]){"AUTH", backend->url.password, NULL}, err);
    if (status == STATUS_OK && backend->url.database)
        status =
            run_words(connection, &arena, (const char *const[]){"SELECT", database, NULL}, err);
    arena_release(&arena);
    return status;
}

static enum status connection_open(struct redis_backend *backend, struct redis_connection **ret,
                                   struct error *err)
{
    const struct timeval timeout = {.tv_sec = backend->timeout_ms / 1000,
                                    .tv_usec = backend->timeout_ms % 1000 * 1000};
    struct redis_connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return error_no_memory(err);
    connection->redis =
        backend->url.is_unix
            ? redisConnectUnixWithTimeout(backend->url.host, timeout)
            : redisConnectWithTimeout(backend->url.host, backend->url.port, timeout);
    enum status status = !connection->redis || connection->redis->err ||
                                 redisSetTimeout(connection->redis, timeout) != REDIS_OK
                             ? connection_lost(connection, err)
                             : log_in(backend, connection, err);
    if (status != STATUS_OK) {
        connection_close(connection);
        return status;
    }
    *ret = connection;
    return STATUS_OK;
}

/* A server that has gone has closed it, and one that is idle says nothing by itself. */
static bool is_broken(const struct redis_connection *connection)
{
    struct pollfd fd = {.fd = connection->redis->fd, .events = POLLIN};
    return connection->redis->err || poll(&fd, 1, 0) > 0;
}

enum status redis_take(struct redis_backend *backend, struct redis_connection **ret,
                       struct error *err)
{
    *ret = (struct redis_connection *)pool_take(&backend->pool);
    if (*ret && !is_broken(*ret))
        return STATUS_OK;
    connection_close(*ret);
    *ret = NULL;
    enum status status = connection_open(backend, ret, err);
    if (status != STATUS_OK)
        pool_give(&backend->pool, NULL);
    return status;
}

void redis_give(struct redis_backend *backend, struct redis_connection *connection)
{
    bool keep = !connection->redis->err;
    if (!keep)
        connection_close(connection);
    pool_give(&backend->pool, keep ? &connection->item : NULL);
}

void redis_close_item(struct pool_item *item)
{
    connection_close((struct redis_connection *)item);
}

/* --- commands --- */

void redis_command_init(struct redis_command *command, struct arena *arena, int cap)
{
    *command = (struct redis_command){
        .arguments = arena_array(arena, (size_t)cap, sizeof *command->arguments),
        .lengths = arena_array(arena, (size_t)cap, sizeof *command->lengths),
        .cap = cap,
        .arena = arena};
    command->failed = !command->arguments || !command->lengths;
}

void redis_add(struct redis_command *command, struct str argument)
{
    struct str copy = argument.len ? arena_str(command->arena, argument) : STR("");
    if (command->failed || command->len == command->cap || !copy.data) {
        command->failed = true;
        return;
    }
    command->arguments[command->len] = copy.data;
    command->lengths[command->len++] = copy.len;
}

void redis_add_number(struct redis_command *command, int64_t number)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)number);
    redis_add(command, str_make(text, (size_t)n));
}

void redis_add_key(struct redis_command *command, const struct redis_backend *backend,
                   enum domain domain, const char *part, struct str name)
{
    char *text = arena_printf(command->arena, "%s:%s:%s%.*s", backend->prefix, domain_name(domain),
                              part, STR_ARG(name));
    if (text)
        redis_add(command, str_of(text));
    else
        command->failed = true;
}

enum status redis_run(struct redis_connection *connection, const struct redis_command *command,
                      redisReply **ret, struct error *err)
{
    if (command->failed)
        return error_no_memory(err);
    redisReply *reply =
        redisCommandArgv(connection->redis, command->len, command->arguments, command->lengths);
    if (!reply)
        return connection_lost(connection, err);
    if (reply->type == REDIS_REPLY_ERROR) {
        struct str text = str_make(reply->str, reply->len);
        enum status status = str_starts(text, STR("OOM"))        ? STATUS_STORAGE_FULL
                             : str_starts(text, STR("MISCONF"))  ? STATUS_STORAGE_FULL
                             : str_starts(text, STR("LOADING"))  ? STATUS_UNAVAILABLE
                             : str_starts(text, STR("READONLY")) ? STATUS_UNAVAILABLE
                             : str_starts(text, STR("NOAUTH"))   ? STATUS_UNAVAILABLE
                             : str_starts(text, STR("NOSCRIPT")) ? STATUS_NOT_FOUND
                                                                 : STATUS_INTERNAL;
        error_set(err, status, "the catalog's Redis server: %.*s", STR_ARG(text));
        freeReplyObject(reply);
        return status;
    }
    *ret = reply;
    return STATUS_OK;
}

enum status redis_read(struct redis_backend *backend, const struct redis_command *command,
                       redisReply **ret, struct error *err)
{
    struct redis_connection *connection = NULL;
    TRY(redis_take(backend, &connection, err));
    enum status status = redis_run(connection, command, ret, err);
    if (status == STATUS_UNAVAILABLE && connection->redis->err) {
        redis_give(backend, connection);
        TRY(redis_take(backend, &connection, err));
        status = redis_run(connection, command, ret, err);
    }
    redis_give(backend, connection);
    return status;
}
