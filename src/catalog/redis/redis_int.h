/* redis_int.h: what the parts of the Redis back end share.
 *
 * Keys, all below the prefix P, for each domain D ("assets", ...):
 *   P:D:r            hash: id -> the record as JSON
 *   P:D:a            hash: id -> "<access_count> <accessed_us>", which TOUCH changes
 *   P:D:m            hash: id -> JSON [revision, tenant, key or "", [index names]]
 *   P:D:k            hash: <tenant>\n<key> -> id, of live records
 *   P:D:ids          sorted set of all ids, by bytes
 *   P:D:x:<name>     sorted set of the ids with an index name: "t:<tenant>", "f:<tenant>:kind:<v>",
 *                    "p:<tenant>:<property>:<v>", "a:<tenant>:uuid:<v>"
 *   P:members        "1": index names of properties are complete (stores of earlier releases lack
 *                    them until they are copied)
 */
#ifndef QUARRY_CATALOG_REDIS_INT_H
#define QUARRY_CATALOG_REDIS_INT_H

#include <hiredis/hiredis.h>
#include <pthread.h>

#include "catalog/pool.h"
#include "catalog/record_set.h"
#include "catalog/redis/redis_backend.h"
#include "catalog/redis/redis_url.h"

enum {
    REDIS_BATCH = 500,             /* records of one round trip */
    REDIS_CANDIDATES_MAX = 500000, /* records that one query may look at */
};

struct redis_connection {
    struct pool_item item;
    redisContext *redis;
};

struct redis_backend {
    struct backend base;
    struct redis_url url;
    char *prefix;
    uint32_t timeout_ms;
    bool is_cache;
    bool files_members; /* every asset is filed by its members: P:members is there */
    struct pool pool;
};

/* A command in the making: arguments live in the arena. */
struct redis_command {
    const char **arguments;
    size_t *lengths;
    int len, cap;
    struct arena *arena;
    bool failed;
};

/* --- connection.c --- */
enum status redis_take(struct redis_backend *backend, struct redis_connection **ret,
                       struct error *err);
void redis_give(struct redis_backend *backend, struct redis_connection *connection);
void redis_close_item(struct pool_item *item);
void redis_command_init(struct redis_command *command, struct arena *arena, int cap);
void redis_add(struct redis_command *command, struct str argument);
void redis_add_number(struct redis_command *command, int64_t number);
/* "P:D:<part>" */
void redis_add_key(struct redis_command *command, const struct redis_backend *backend,
                   enum domain domain, const char *part, struct str name);
/* Runs it; the reply is the caller's (freeReplyObject) and is no error. */
enum status redis_run(struct redis_connection *connection, const struct redis_command *command,
                      redisReply **ret, struct error *err);
/* For commands that change nothing: takes a connection, and tries again on a fresh one when the
 * kept one turns out dead. */
enum status redis_read(struct redis_backend *backend, const struct redis_command *command,
                       redisReply **ret, struct error *err);

/* --- index.c: under which names a record is found --- */
/* NUL-free texts in the arena. */
enum status redis_index_names(const struct record *record, struct arena *arena,
                              struct str_list *ret, struct error *err);
/* The name that finds the candidates of a query: the most telling of its matches. */
enum status redis_index_of_query(const struct redis_backend *backend,
                                 const struct record_query *query, struct arena *arena,
                                 struct str *ret, struct error *err);

/* --- read.c --- */
enum status redis_get(struct backend *backend, enum domain domain, struct str tenant, struct str id,
                      struct arena *arena, struct record *ret, struct error *err);
enum status redis_find(struct backend *base, enum domain domain, struct str tenant, struct str key,
                       struct arena *arena, struct record *ret, struct error *err);
enum status redis_query(struct backend *backend, const struct record_query *query,
                        struct arena *arena, struct record_page *ret, struct error *err);
enum status redis_group(struct backend *backend, const struct group_query *query,
                        struct arena *arena, struct group_answer *ret, struct error *err);
enum status redis_scan(struct backend *base, enum domain domain, struct str after, uint32_t limit,
                       struct arena *arena, struct record_page *ret, struct error *err);
/* --- write.c --- */
enum status redis_commit(struct backend *backend, const struct change *changes, uint32_t len,
                         struct commit_result *ret, struct error *err);
/* --- verify.c --- */
enum status redis_verify(struct backend *base, backend_fault_fn fault, void *context,
                         struct error *err);

#endif
