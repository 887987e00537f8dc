/* read.c: one record, and all records in the order of their ids. */
#include "catalog/sqlite/sqlite_int.h"

static enum status one_row(struct connection *connection, sqlite3_stmt *stmt, enum domain domain,
                           struct arena *arena, struct record *ret, struct error *err)
{
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW)
        return row_read(stmt, domain, arena, ret, err);
    if (code == SQLITE_DONE)
        return error_set(err, STATUS_NOT_FOUND, "the record does not exist");
    return connection_failed(connection, err);
}

/* SELECT <columns> FROM <domain> WHERE <condition>, with two parameters. */
static enum status read_one(struct sqlite_backend *backend, struct connection *connection,
                            enum domain domain, const char *condition, struct str first,
                            struct str second, struct arena *arena, struct record *ret,
                            struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = arena_printf(arena, "SELECT %s FROM %s WHERE %s", backend->columns[domain],
                             domain_name(domain), condition);
    if (!sql)
        return error_no_memory(err);
    TRY(connection_prepare(connection, str_of(sql), &stmt, err));
    bind_text(stmt, 1, first);
    bind_text(stmt, 2, second);
    enum status status = one_row(connection, stmt, domain, arena, ret, err);
    statement_done(stmt);
    return status;
}

#define BY_ID  "id=?1 AND tenant=?2"
#define BY_KEY "tenant=?1 AND key=?2 AND key<>'' AND deleted_us=0"

enum status sqlite_get(struct backend *base, enum domain domain, struct str tenant, struct str id,
                       struct arena *arena, struct record *ret, struct error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct connection *connection = NULL;
    TRY(reader_take(backend, &connection, err));
    enum status status = read_one(backend, connection, domain, BY_ID, id, tenant, arena, ret, err);
    reader_give(backend, connection);
    return status;
}

bool sqlite_get_now(struct backend *base, enum domain domain, struct str tenant, struct str id,
                    struct arena *arena, struct record *ret)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct connection *connection = (struct connection *)pool_take_idle(&backend->readers);
    if (!connection)
        return false;
    enum status status = read_one(backend, connection, domain, BY_ID, id, tenant, arena, ret, NULL);
    reader_give(backend, connection);
    return status == STATUS_OK;
}

enum status sqlite_find(struct backend *base, enum domain domain, struct str tenant, struct str key,
                        struct arena *arena, struct record *ret, struct error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct connection *connection = NULL;
    TRY(reader_take(backend, &connection, err));
    enum status status =
        read_one(backend, connection, domain, BY_KEY, tenant, key, arena, ret, err);
    reader_give(backend, connection);
    return status;
}

static enum status read_rows(struct connection *connection, sqlite3_stmt *stmt, enum domain domain,
                             uint32_t limit, struct arena *arena, struct record_page *ret,
                             struct error *err)
{
    ret->records = arena_array(arena, limit, sizeof *ret->records);
    if (!ret->records)
        return error_no_memory(err);
    int code;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW && ret->len < limit)
        TRY(row_read(stmt, domain, arena, &ret->records[ret->len++], err));
    return code == SQLITE_DONE || code == SQLITE_ROW ? STATUS_OK
                                                     : connection_failed(connection, err);
}

enum status sqlite_scan(struct backend *base, enum domain domain, struct str after, uint32_t limit,
                        struct arena *arena, struct record_page *ret, struct error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct connection *connection = NULL;
    sqlite3_stmt *stmt = NULL;
    char *sql = arena_printf(arena, "SELECT %s FROM %s WHERE id>?1 ORDER BY id LIMIT ?2",
                             backend->columns[domain], domain_name(domain));
    if (!sql)
        return error_no_memory(err);
    TRY(reader_take(backend, &connection, err));
    enum status status = connection_prepare(connection, str_of(sql), &stmt, err);
    if (status == STATUS_OK) {
        bind_text(stmt, 1, after);
        sqlite3_bind_int64(stmt, 2, limit);
        status = read_rows(connection, stmt, domain, limit, arena, ret, err);
        statement_done(stmt);
    }
    reader_give(backend, connection);
    return status;
}
