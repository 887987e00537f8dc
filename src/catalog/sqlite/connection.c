/* connection.c: connections, prepared statements, the readers' pool. */
#include <stdio.h>
#include <stdlib.h>

#include "catalog/sqlite/sqlite_int.h"

static enum status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return STATUS_STORAGE_FULL;
    case SQLITE_NOMEM:
        return STATUS_NO_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return STATUS_UNAVAILABLE;
    case SQLITE_CORRUPT:
        return STATUS_CORRUPT;
    case SQLITE_NOTADB:
        return STATUS_INVALID_ARGUMENT;
    case SQLITE_TOOBIG:
        return STATUS_RESOURCE_LIMIT;
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return STATUS_IO;
    default:
        return STATUS_INTERNAL;
    }
}

enum status connection_failed(struct connection *connection, struct error *err)
{
    return error_set(err, status_of(sqlite3_errcode(connection->db)), "the catalog's database: %s",
                     sqlite3_errmsg(connection->db));
}

enum status connection_run(struct connection *connection, const char *sql, struct error *err)
{
    if (sqlite3_exec(connection->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return connection_failed(connection, err);
    return STATUS_OK;
}

/* FULL: the WAL is synced at each commit, so that an answered commit survives a power cut. */
static enum status set_up(struct connection *connection, bool writes, struct error *err)
{
    if (writes) {
        TRY(connection_run(connection, "PRAGMA journal_mode=WAL", err));
        TRY(connection_run(connection, "PRAGMA wal_autocheckpoint=4000", err));
    }
    return connection_run(connection,
                          writes ? "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;"
                                   "PRAGMA cache_size=-32768; PRAGMA temp_store=MEMORY;"
                                   "PRAGMA recursive_triggers=ON"
                                 : "PRAGMA query_only=ON; PRAGMA cache_size=-8192;"
                                   "PRAGMA mmap_size=268435456; PRAGMA temp_store=MEMORY",
                          err);
}

enum status sqlite_connection_open(struct connection *connection, const char *path, bool writes,
                                   uint32_t busy_timeout_ms, struct error *err)
{
    *connection = (struct connection){0};
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
                (writes ? SQLITE_OPEN_CREATE : 0);
    if (sqlite3_open_v2(path, &connection->db, flags, NULL) != SQLITE_OK) {
        enum status status = error_set(err, STATUS_IO, "%s cannot be opened as a database: %s",
                                       path, sqlite3_errmsg(connection->db));
        sqlite_connection_close(connection);
        return status;
    }
    sqlite3_extended_result_codes(connection->db, 1);
    sqlite3_busy_timeout(connection->db, (int)busy_timeout_ms);
    sqlite3_db_config(connection->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    enum status status = set_up(connection, writes, err);
    if (status == STATUS_OK)
        status = words_register(connection, err);
    if (status == STATUS_OK)
        status = start_register(connection, err);
    if (status != STATUS_OK)
        sqlite_connection_close(connection);
    return status;
}

void sqlite_connection_close(struct connection *connection)
{
    for (int i = 0; i < STATEMENTS_MAX; i++)
        sqlite3_finalize(connection->statements[i].stmt);
    sqlite3_close_v2(connection->db);
    *connection = (struct connection){0};
}

/* The place for a statement: its own, else the one that was not used for longest. */
static struct statement *place_for(struct connection *connection, uint64_t hash, struct str sql)
{
    struct statement *oldest = &connection->statements[0];
    for (int i = 0; i < STATEMENTS_MAX; i++) {
        struct statement *statement = &connection->statements[i];
        if (statement->stmt && statement->hash == hash &&
            str_eq(str_of(sqlite3_sql(statement->stmt)), sql))
            return statement;
        if (statement->used < oldest->used)
            oldest = statement;
    }
    sqlite3_finalize(oldest->stmt);
    *oldest = (struct statement){.hash = hash};
    return oldest;
}

enum status connection_prepare(struct connection *connection, struct str sql, sqlite3_stmt **ret,
                               struct error *err)
{
    struct statement *statement = place_for(connection, str_hash(sql), sql);
    if (!statement->stmt &&
        sqlite3_prepare_v3(connection->db, sql.data, (int)sql.len, SQLITE_PREPARE_PERSISTENT,
                           &statement->stmt, NULL) != SQLITE_OK)
        return connection_failed(connection, err);
    statement->used = ++connection->uses;
    *ret = statement->stmt;
    return STATUS_OK;
}

void statement_done(sqlite3_stmt *stmt)
{
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
}

/* --- readers --- */

enum status reader_take(struct sqlite_backend *backend, struct connection **ret, struct error *err)
{
    *ret = (struct connection *)pool_take(&backend->readers);
    if (*ret)
        return STATUS_OK;
    struct connection *connection = malloc(sizeof *connection);
    enum status status = connection ? sqlite_connection_open(connection, backend->path, false,
                                                             backend->busy_timeout_ms, err)
                                    : error_no_memory(err);
    if (status == STATUS_OK) {
        *ret = connection;
        return STATUS_OK;
    }
    free(connection);
    pool_give(&backend->readers, NULL);
    return status;
}

void reader_give(struct sqlite_backend *backend, struct connection *connection)
{
    pool_give(&backend->readers, &connection->item);
}

/* --- values --- */

void bind_text(sqlite3_stmt *stmt, int at, struct str text)
{
    sqlite3_bind_text64(stmt, at, text.len ? text.data : "", text.len, SQLITE_STATIC, SQLITE_UTF8);
}

static enum status column_text(sqlite3_stmt *stmt, int at, struct arena *arena, struct str *ret,
                               struct error *err)
{
    const char *data = (const char *)sqlite3_column_text(stmt, at);
    struct str text = str_make(data, (size_t)sqlite3_column_bytes(stmt, at));
    *ret = STR_NONE;
    if (!data || !text.len)
        return STATUS_OK;
    *ret = arena_str(arena, text);
    return ret->data ? STATUS_OK : error_no_memory(err);
}

/* "[]" in nearly all rows: not worth a parser. */
static enum status column_list(sqlite3_stmt *stmt, int at, struct arena *arena,
                               struct str_list *ret, struct error *err)
{
    struct str text = str_make((const char *)sqlite3_column_text(stmt, at),
                               (size_t)sqlite3_column_bytes(stmt, at));
    *ret = (struct str_list){NULL, 0};
    if (!text.data || text.len <= 2)
        return STATUS_OK;
    yyjson_doc *doc = yyjson_read(text.data, text.len, 0);
    yyjson_val *array = yyjson_doc_get_root(doc);
    if (!yyjson_is_arr(array)) {
        yyjson_doc_free(doc);
        return error_set(err, STATUS_CORRUPT, "a list in the catalog's database is not JSON");
    }
    struct str *items = arena_array(arena, yyjson_arr_size(array), sizeof *items);
    bool good = items != NULL;
    size_t i, max;
    yyjson_val *item;
    yyjson_arr_foreach(array, i, max, item)
    {
        if (good) {
            items[i] = arena_str(arena, json_str_of(item));
            good = items[i].data != NULL;
        }
    }
    *ret = (struct str_list){items, (uint32_t)max};
    yyjson_doc_free(doc);
    return good ? STATUS_OK : error_no_memory(err);
}

enum status row_read(sqlite3_stmt *stmt, enum domain domain, struct arena *arena,
                     struct record *ret, struct error *err)
{
    int at = 0;
    *ret = (struct record){.domain = domain};
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        if (!record_has_field(domain, field))
            continue;
        enum record_type type = record_field_info[i].type;
        if (type == RECORD_TEXT || type == RECORD_JSON)
            TRY(column_text(stmt, at, arena, record_text_at(ret, field), err));
        else if (type == RECORD_LIST)
            TRY(column_list(stmt, at, arena, record_list_at(ret, field), err));
        else if (type == RECORD_BOOL)
            *record_bool_at(ret, field) = sqlite3_column_int(stmt, at) != 0;
        else
            *record_int_at(ret, field) = sqlite3_column_int64(stmt, at);
        at++;
    }
    return STATUS_OK;
}
