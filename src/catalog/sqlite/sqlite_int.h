/* sqlite_int.h: what the parts of the SQLite back end share. */
#ifndef QUARRY_CATALOG_SQLITE_INT_H
#define QUARRY_CATALOG_SQLITE_INT_H

#include <pthread.h>
#include <sqlite3.h>

#include "catalog/commit_queue.h"
#include "catalog/pool.h"
#include "catalog/sqlite/sqlite_backend.h"

enum {
    STATEMENTS_MAX = 64, /* prepared statements of a connection */
    READERS_MAX = 64,
    CHANGES_TOGETHER_MAX = 1000, /* of one transaction, when it is of several commits */
};

struct statement {
    uint64_t hash; /* of its SQL */
    uint64_t used; /* when, in uses of the connection */
    sqlite3_stmt *stmt;
};

struct connection {
    struct pool_item item; /* of the readers' pool */
    sqlite3 *db;
    struct statement statements[STATEMENTS_MAX];
    uint64_t uses;
    /* of a bounded walk (start.c) */
    uint32_t walk_left;
    bool walk_ended;
};

struct sqlite_backend {
    struct backend base;
    char *path;
    uint32_t busy_timeout_ms;
    struct pool readers;
    struct commit_queue commits;
    struct connection writer; /* of whoever has the turn */
    /* texts made once */
    char *columns[DOMAIN_COUNT]; /* "id,tenant,..." in the order of record.def */
    char *insert[DOMAIN_COUNT], *update[DOMAIN_COUNT];
};

/* --- connection.c --- */
enum status sqlite_connection_open(struct connection *connection, const char *path, bool writes,
                                   uint32_t busy_timeout_ms, struct error *err);
void sqlite_connection_close(struct connection *connection);
/* A statement ready for binding, owned by the connection; finish with statement_done. */
enum status connection_prepare(struct connection *connection, struct str sql, sqlite3_stmt **ret,
                               struct error *err);
void statement_done(sqlite3_stmt *stmt);
/* SQL without parameters and rows. */
enum status connection_run(struct connection *connection, const char *sql, struct error *err);
/* The connection's last failure as a status with message. */
enum status connection_failed(struct connection *connection, struct error *err);
/* Readers' connections. */
enum status reader_take(struct sqlite_backend *backend, struct connection **ret, struct error *err);
void reader_give(struct sqlite_backend *backend, struct connection *connection);

void bind_text(sqlite3_stmt *stmt, int at, struct str text);
/* A row of backend->columns[domain], texts copied into the arena. */
enum status row_read(sqlite3_stmt *stmt, enum domain domain, struct arena *arena,
                     struct record *ret, struct error *err);

/* --- schema.c --- */
/* Brings the schema up to date; safe when several do so at once. */
enum status schema_migrate(struct connection *connection, const char *path, struct error *err);

/* --- views.c: SQL texts --- */
extern const char sqlite_views_graphs[], sqlite_views_shared[], sqlite_views_collections[],
    sqlite_view_inserts[], sqlite_view_collection_stats[];

/* --- property_index.c --- */
extern const char sqlite_property_index[];
/* Whether every asset that matches has its row in asset_properties, under "p:NAME" or "a:NAME". */
bool sqlite_property_indexed(const struct match *match, yyjson_val *value);
struct str sqlite_property_name(const struct match *match, struct arena *arena);

/* --- words.c, start.c --- */
/* The SQL functions that queries use. */
enum status words_register(struct connection *connection, struct error *err);
enum status start_register(struct connection *connection, struct error *err);

/* --- journal.c --- */
extern const char sqlite_journal[];
/* Before the COMMIT of a transaction: what it added is of now. */
enum status sqlite_journal_mark(struct connection *connection, struct error *err);

/* --- read.c --- */
enum status sqlite_get(struct backend *base, enum domain domain, struct str tenant, struct str id,
                       struct arena *arena, struct record *ret, struct error *err);
bool sqlite_get_now(struct backend *base, enum domain domain, struct str tenant, struct str id,
                    struct arena *arena, struct record *ret);
enum status sqlite_find(struct backend *base, enum domain domain, struct str tenant, struct str key,
                        struct arena *arena, struct record *ret, struct error *err);
enum status sqlite_scan(struct backend *base, enum domain domain, struct str after, uint32_t limit,
                        struct arena *arena, struct record_page *ret, struct error *err);
/* --- query.c --- */
enum status sqlite_query(struct backend *base, const struct record_query *query,
                         struct arena *arena, struct record_page *ret, struct error *err);
/* --- group.c --- */
enum status sqlite_group(struct backend *base, const struct group_query *query, struct arena *arena,
                         struct group_answer *ret, struct error *err);
/* --- write.c --- */
enum status sqlite_commit(struct backend *base, const struct change *changes, uint32_t len,
                          struct commit_result *ret, struct error *err);
void sqlite_write_group(void *backend, struct queued_commit *first);
/* --- verify.c --- */
enum status sqlite_verify(struct backend *base, backend_fault_fn fault, void *context,
                          struct error *err);

#endif
