/* postgres_int.h: what the parts of the PostgreSQL back end share. */
#ifndef QUARRY_CATALOG_POSTGRES_INT_H
#define QUARRY_CATALOG_POSTGRES_INT_H

#include <libpq-fe.h>
#include <pthread.h>

#include "catalog/pool.h"
#include "catalog/postgres/postgres_backend.h"
#include "sys/thread.h"

enum {
    PREPARED_MAX = 256, /* statements of a connection; more: all are forgotten */
    STATEMENT_NAME_MAX = 24,
    PARAMETERS_MAX = 160,
};

#define NOTIFY_CHANNEL "quarry_catalog"

struct pg_connection {
    struct pool_item item;
    PGconn *pg;
    uint64_t prepared[PREPARED_MAX]; /* hashes of their SQL */
    uint32_t prepared_len;
};

/* Values of a statement, as texts. Small numbers are kept in `numbers`. */
struct pg_parameters {
    const char *values[PARAMETERS_MAX];
    char numbers[PARAMETERS_MAX][24];
    int len;
    struct arena *arena;
    bool failed; /* no memory, or too many */
};

struct postgres_backend {
    struct backend base;
    char *url;
    int connect_timeout_s;
    char origin[40]; /* of our own notifications */
    struct pool pool;
    /* texts made once */
    char *columns[DOMAIN_COUNT]; /* as pg_row_read wants them, "r." before each */
    char *insert[DOMAIN_COUNT], *update[DOMAIN_COUNT];
    /* listening */
    bool listens;
    struct thread listener;
    int stop_pipe[2];
};

/* --- connection.c --- */
enum status pg_take(struct postgres_backend *backend, struct pg_connection **ret,
                    struct error *err);
void pg_give(struct postgres_backend *backend, struct pg_connection *connection);
enum status pg_open(struct postgres_backend *backend, struct pg_connection **ret,
                    struct error *err);
void pg_close(struct pg_connection *connection);
void pg_close_item(struct pool_item *item);
/* SQL without parameters and rows. */
enum status pg_run(struct pg_connection *connection, const char *sql, struct error *err);
/* Makes the statement known to the server; `ret_name` is what it is called. */
enum status pg_prepare(struct pg_connection *connection, struct str sql,
                       char ret_name[STATEMENT_NAME_MAX], struct error *err);
/* The status of a failed result, with message. */
enum status pg_failed(struct pg_connection *connection, const PGresult *result, struct error *err);
/* One prepared statement with rows; PQclear is the caller's. A connection that broke is replaced
 * and the statement repeated once: reads only. */
enum status pg_select(struct postgres_backend *backend, struct pg_connection **connection,
                      struct str sql, const struct pg_parameters *parameters, PGresult **ret,
                      struct error *err);

void pg_add_text(struct pg_parameters *parameters, struct str text);
void pg_add_number(struct pg_parameters *parameters, int64_t number);
/* As an array of texts. */
void pg_add_texts(struct pg_parameters *parameters, const struct str *texts, uint32_t len);

/* --- views.c: SQL texts --- */
extern const char pg_views_graphs[], pg_views_shared[], pg_views_collections[], pg_view_inserts[];

/* --- journal.c --- */
enum status pg_journal_create(struct pg_connection *connection, struct error *err);

/* --- read.c --- */
/* A row of backend->columns[domain], texts copied into the arena. */
enum status pg_row_read(const PGresult *result, int row, enum domain domain, struct arena *arena,
                        struct record *ret, struct error *err);
int64_t pg_value_int(const PGresult *result, int row, int column);
struct str pg_value_text(const PGresult *result, int row, int column);
enum status postgres_get(struct backend *backend, enum domain domain, struct str tenant,
                         struct str id, struct arena *arena, struct record *ret, struct error *err);
enum status postgres_find(struct backend *backend, enum domain domain, struct str tenant,
                          struct str key, struct arena *arena, struct record *ret,
                          struct error *err);
enum status postgres_scan(struct backend *backend, enum domain domain, struct str after,
                          uint32_t limit, struct arena *arena, struct record_page *ret,
                          struct error *err);
/* --- query.c --- */
enum status postgres_query(struct backend *base, const struct record_query *query,
                           struct arena *arena, struct record_page *ret, struct error *err);
enum status postgres_group(struct backend *base, const struct group_query *query,
                           struct arena *arena, struct group_answer *ret, struct error *err);
/* --- write.c --- */
enum status postgres_commit(struct backend *base, const struct change *changes, uint32_t len,
                            struct commit_result *ret, struct error *err);
/* The words by which an asset is found, as an array of texts. */
void pg_add_words(struct pg_parameters *parameters, const struct record *record);
/* --- schema.c --- */
enum status pg_schema_migrate(struct pg_connection *connection, struct error *err);
/* --- verify.c --- */
enum status postgres_verify(struct backend *base, backend_fault_fn fault, void *context,
                            struct error *err);
/* --- listen.c --- */
enum status pg_listen_start(struct postgres_backend *backend, struct error *err);
void pg_listen_stop(struct postgres_backend *backend);

#endif
