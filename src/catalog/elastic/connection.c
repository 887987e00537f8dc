/* connection.c: requests over pooled connections, with retries.
 *
 * Retrying is safe for every request of this back end: reads change nothing, documents carry an
 * external version, head is written on the condition of its number, and indexes that are there
 * already are fine. Waits double from wait_ms on, are spread by half, and give way to the server's
 * Retry-After of up to RETRY_AFTER_MAX_S. */
#include <stdio.h>
#include <stdlib.h>

#include "catalog/elastic/elastic_int.h"

enum { RETRY_AFTER_MAX_S = 5, WAIT_MAX_MS = 5000, REASON_MAX = 300 };

struct connection {
    struct pool_item item;
    struct http_client *client;
    struct http_reply reply;
};

static void connection_close(struct connection *connection)
{
    if (!connection)
        return;
    http_client_free(connection->client);
    http_reply_release(&connection->reply);
    free(connection);
}

void elastic_close_item(struct pool_item *item)
{
    connection_close((struct connection *)item);
}

static enum status connection_take(struct elastic_backend *backend, struct connection **ret,
                                   struct error *err)
{
    const struct http_client_options options = {.timeout_ms = (int)backend->timeout_ms,
                                                .connect_timeout_ms = (int)backend->timeout_ms,
                                                .ca_file = backend->url.ca_file};
    *ret = (struct connection *)pool_take(&backend->pool);
    if (*ret)
        return STATUS_OK;
    *ret = calloc(1, sizeof **ret);
    enum status status =
        *ret ? http_client_new(&options, &(*ret)->client, err) : error_no_memory(err);
    if (status == STATUS_OK) {
        http_reply_init(&(*ret)->reply, ELASTIC_REPLY_MAX);
        return STATUS_OK;
    }
    free(*ret);
    pool_give(&backend->pool, NULL);
    return status;
}

/* A large answer's memory is not kept. */
static void connection_give(struct elastic_backend *backend, struct connection *connection)
{
    if (connection->reply.body.cap > ELASTIC_BULK_BYTES) {
        http_reply_release(&connection->reply);
        http_reply_init(&connection->reply, ELASTIC_REPLY_MAX);
    }
    pool_give(&backend->pool, &connection->item);
}

/* --- one try --- */

static enum status send_once(struct elastic_backend *backend, struct connection *connection,
                             const struct elastic_request *request, struct error *err)
{
    struct arena arena;
    struct http_field fields[2];
    uint32_t len = 0;
    arena_init(&arena, 1 << 16);
    char *url = arena_printf(&arena, "%s%s", backend->url.origin, request->path);
    if (request->body.data)
        fields[len++] =
            (struct http_field){STR("Content-Type"), request->lines ? STR("application/x-ndjson")
                                                                    : STR("application/json")};
    if (backend->url.authorization)
        fields[len++] =
            (struct http_field){STR("Authorization"), str_of(backend->url.authorization)};
    const struct http_call call = {.method = request->method,
                                   .url = url,
                                   .fields = fields,
                                   .field_count = len,
                                   .body = request->body,
                                   .timeout_ms = request->timeout_ms};
    enum status status = url ? http_client_call(connection->client, &call, &connection->reply, err)
                             : error_no_memory(err);
    arena_release(&arena);
    return status;
}

static bool is_busy(int http)
{
    return http == 429 || http == 502 || http == 503 || http == 504;
}

static int64_t wait_us(struct elastic_backend *backend, const struct http_reply *reply,
                       uint32_t tries)
{
    int64_t seconds = 0, ms = (int64_t)backend->wait_ms << (tries < 10 ? tries : 10);
    uint32_t random = 0;
    sys_random(backend->sys, &random, sizeof random);
    ms = ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS;
    ms = ms / 2 + random % (ms + 1);
    if (reply->status && str_to_int64(http_reply_header(reply, "Retry-After"), &seconds) &&
        seconds > 0 && seconds <= RETRY_AFTER_MAX_S && seconds * 1000 > ms)
        ms = seconds * 1000;
    return ms * 1000;
}

static enum status send_tries(struct elastic_backend *backend, struct connection *connection,
                              const struct elastic_request *request, struct error *err)
{
    enum status status = STATUS_OK;
    for (uint32_t tries = 0;; tries++) {
        status = send_once(backend, connection, request, err);
        bool lost = status == STATUS_UNAVAILABLE || status == STATUS_TIMEOUT;
        bool busy = status == STATUS_OK && is_busy(connection->reply.status);
        if (!lost && !busy)
            return status;
        if (tries + 1 >= backend->tries || request->once)
            return status;
        atomic_fetch_add(&backend->retries, 1);
        sys_sleep_us(backend->sys, wait_us(backend, &connection->reply, tries));
    }
}

/* --- answers --- */

yyjson_val *elastic_member(yyjson_val *object, const char *path)
{
    struct str rest = str_of(path), name;
    while (object && rest.data) {
        str_split(&rest, '.', &name);
        object = yyjson_obj_getn(object, name.data, name.len);
    }
    return object;
}

static struct str reason_of(const struct elastic_reply *reply)
{
    yyjson_val *root = yyjson_doc_get_root(reply->doc);
    yyjson_val *reason = elastic_member(root, "error.reason");
    if (!reason)
        reason = json_get(root, "error");
    struct str text = yyjson_is_str(reason) ? json_str_of(reason) : STR_NONE;
    return str_make(text.data, text.len < REASON_MAX ? text.len : REASON_MAX);
}

/* A full disk makes indexes read-only: 403 or 429, depending on the version. */
static bool is_full(const struct elastic_reply *reply)
{
    yyjson_val *type = elastic_member(yyjson_doc_get_root(reply->doc), "error.type");
    return (reply->status == 403 || reply->status == 429) && yyjson_is_str(type) &&
           str_is(json_str_of(type), "cluster_block_exception");
}

enum status elastic_refused(const struct elastic_reply *reply, struct error *err)
{
    struct str reason = reason_of(reply);
    enum status status = is_full(reply)                                 ? STATUS_STORAGE_FULL
                         : is_busy(reply->status)                       ? STATUS_UNAVAILABLE
                         : reply->status == 401 || reply->status == 403 ? STATUS_UNAVAILABLE
                         : reply->status == 413                         ? STATUS_RESOURCE_LIMIT
                                                                        : STATUS_INTERNAL;
    return error_set(err, status, "the catalog's search server answered %d: %.*s", reply->status,
                     STR_ARG(reason));
}

enum status elastic_strange(const char *what, struct error *err)
{
    return error_set(err, STATUS_CORRUPT, "the catalog's search server gave a strange answer to %s",
                     what);
}

static void read_reply(const struct http_reply *from, struct elastic_reply *ret)
{
    struct str body = buf_str(&from->body);
    *ret = (struct elastic_reply){.status = from->status};
    if (body.len)
        ret->doc = yyjson_read(body.data, body.len, 0);
}

enum status elastic_send(struct elastic_backend *backend, const struct elastic_request *request,
                         struct elastic_reply *ret, struct error *err)
{
    struct connection *connection = NULL;
    *ret = (struct elastic_reply){0};
    TRY(connection_take(backend, &connection, err));
    enum status status = send_tries(backend, connection, request, err);
    if (status == STATUS_OK) {
        read_reply(&connection->reply, ret);
        if (is_busy(ret->status)) {
            status = elastic_refused(ret, err);
            elastic_reply_release(ret);
        }
    } else if (status == STATUS_UNAVAILABLE || status == STATUS_TIMEOUT) {
        error_wrap(err, "the catalog's search server cannot be reached");
    }
    connection_give(backend, connection);
    return status;
}

enum status elastic_call(struct elastic_backend *backend, const struct elastic_request *request,
                         struct elastic_reply *ret, struct error *err)
{
    TRY(elastic_send(backend, request, ret, err));
    if (ret->status / 100 == 2 && ret->doc)
        return STATUS_OK;
    enum status status =
        ret->status / 100 == 2 ? elastic_strange(request->path, err) : elastic_refused(ret, err);
    elastic_reply_release(ret);
    return status;
}

void elastic_reply_release(struct elastic_reply *reply)
{
    yyjson_doc_free(reply->doc);
    *reply = (struct elastic_reply){0};
}

char *elastic_path(const struct elastic_backend *backend, struct arena *arena, const char *name,
                   const char *rest)
{
    return arena_printf(arena, "/%s-%s%s", backend->url.prefix, name, rest);
}
