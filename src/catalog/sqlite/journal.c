/* journal.c: what records were before they changed (catalog/journal.h), kept by triggers.
 *
 * journal(seq, domain, id, old): a row for each change of a record, with the row that was there
 * before as JSON by columns; NULL: none was. journal_commits(seq, at_us): the last row of each
 * transaction and when it was committed; the first row is where the journal begins. Rows of a
 * writer that is not Quarry belong to the next transaction of Quarry's. Access counts, events and
 * services are not kept. */
#include "catalog/journal.h"

#include "catalog/sqlite/sqlite_int.h"
#include "sys/sys.h"

const char sqlite_journal[] =
    "CREATE TABLE journal(seq INTEGER PRIMARY KEY AUTOINCREMENT, domain TEXT NOT NULL, id"
    " TEXT NOT NULL, old TEXT) STRICT;"

    "CREATE TABLE journal_commits(seq INTEGER PRIMARY KEY, at_us INTEGER NOT NULL) STRICT;"

    "CREATE INDEX journal_commits_at ON journal_commits(at_us);"

    "INSERT INTO journal_commits(seq, at_us) VALUES(0, CAST((julianday('now') - 2440587.5) *"
    " 86400000000 AS INTEGER));"

    "CREATE TRIGGER assets_journal_insert AFTER INSERT ON assets BEGIN INSERT INTO"
    " journal(domain, id) VALUES('assets', new.id); END;"

    "CREATE TRIGGER assets_journal_update AFTER UPDATE OF tenant, key, kind, namespace, name,"
    " version, title, description, owner, lifecycle, location, tags, categories, attributes,"
    " properties, is_public, row_count, node_count, edge_count, hyperedge_count, file_count,"
    " size_bytes, revision, created_us, updated_us, deleted_us, stats_us ON assets BEGIN"
    " INSERT INTO journal(domain, id, old) VALUES('assets', old.id, json_object('id', old.id,"
    " 'tenant', old.tenant, 'key', old.key, 'kind', old.kind, 'namespace', old.namespace,"
    " 'name', old.name, 'version', old.version, 'title', old.title, 'description',"
    " old.description, 'owner', old.owner, 'lifecycle', old.lifecycle, 'location',"
    " old.location, 'tags', old.tags, 'categories', old.categories, 'attributes',"
    " old.attributes, 'properties', old.properties, 'is_public', old.is_public, 'row_count',"
    " old.row_count, 'node_count', old.node_count, 'edge_count', old.edge_count,"
    " 'hyperedge_count', old.hyperedge_count, 'file_count', old.file_count, 'size_bytes',"
    " old.size_bytes, 'access_count', old.access_count, 'revision', old.revision,"
    " 'created_us', old.created_us, 'updated_us', old.updated_us, 'deleted_us',"
    " old.deleted_us, 'accessed_us', old.accessed_us, 'stats_us', old.stats_us)); END;"

    "CREATE TRIGGER assets_journal_delete AFTER DELETE ON assets BEGIN INSERT INTO"
    " journal(domain, id, old) VALUES('assets', old.id, json_object('id', old.id, 'tenant',"
    " old.tenant, 'key', old.key, 'kind', old.kind, 'namespace', old.namespace, 'name',"
    " old.name, 'version', old.version, 'title', old.title, 'description', old.description,"
    " 'owner', old.owner, 'lifecycle', old.lifecycle, 'location', old.location, 'tags',"
    " old.tags, 'categories', old.categories, 'attributes', old.attributes, 'properties',"
    " old.properties, 'is_public', old.is_public, 'row_count', old.row_count, 'node_count',"
    " old.node_count, 'edge_count', old.edge_count, 'hyperedge_count', old.hyperedge_count,"
    " 'file_count', old.file_count, 'size_bytes', old.size_bytes, 'access_count',"
    " old.access_count, 'revision', old.revision, 'created_us', old.created_us, 'updated_us',"
    " old.updated_us, 'deleted_us', old.deleted_us, 'accessed_us', old.accessed_us,"
    " 'stats_us', old.stats_us)); END;"

    "CREATE TRIGGER relations_journal_insert AFTER INSERT ON relations BEGIN INSERT INTO"
    " journal(domain, id) VALUES('relations', new.id); END;"

    "CREATE TRIGGER relations_journal_update AFTER UPDATE OF tenant, key, kind, owner,"
    " lifecycle, subject, object, attributes, properties, revision, created_us, updated_us,"
    " deleted_us ON relations BEGIN INSERT INTO journal(domain, id, old) VALUES('relations',"
    " old.id, json_object('id', old.id, 'tenant', old.tenant, 'key', old.key, 'kind',"
    " old.kind, 'owner', old.owner, 'lifecycle', old.lifecycle, 'subject', old.subject,"
    " 'object', old.object, 'attributes', old.attributes, 'properties', old.properties,"
    " 'revision', old.revision, 'created_us', old.created_us, 'updated_us', old.updated_us,"
    " 'deleted_us', old.deleted_us)); END;"

    "CREATE TRIGGER relations_journal_delete AFTER DELETE ON relations BEGIN INSERT INTO"
    " journal(domain, id, old) VALUES('relations', old.id, json_object('id', old.id, 'tenant',"
    " old.tenant, 'key', old.key, 'kind', old.kind, 'owner', old.owner, 'lifecycle',"
    " old.lifecycle, 'subject', old.subject, 'object', old.object, 'attributes',"
    " old.attributes, 'properties', old.properties, 'revision', old.revision, 'created_us',"
    " old.created_us, 'updated_us', old.updated_us, 'deleted_us', old.deleted_us)); END;"

    "CREATE TRIGGER principals_journal_insert AFTER INSERT ON principals BEGIN INSERT INTO"
    " journal(domain, id) VALUES('principals', new.id); END;"

    "CREATE TRIGGER principals_journal_update AFTER UPDATE OF tenant, key, kind, name, title,"
    " description, owner, lifecycle, secret, roles, attributes, properties, revision,"
    " created_us, updated_us, deleted_us, expires_us ON principals BEGIN INSERT INTO"
    " journal(domain, id, old) VALUES('principals', old.id, json_object('id', old.id,"
    " 'tenant', old.tenant, 'key', old.key, 'kind', old.kind, 'name', old.name, 'title',"
    " old.title, 'description', old.description, 'owner', old.owner, 'lifecycle',"
    " old.lifecycle, 'secret', old.secret, 'roles', old.roles, 'attributes', old.attributes,"
    " 'properties', old.properties, 'revision', old.revision, 'created_us', old.created_us,"
    " 'updated_us', old.updated_us, 'deleted_us', old.deleted_us, 'accessed_us',"
    " old.accessed_us, 'expires_us', old.expires_us)); END;"

    "CREATE TRIGGER principals_journal_delete AFTER DELETE ON principals BEGIN INSERT INTO"
    " journal(domain, id, old) VALUES('principals', old.id, json_object('id', old.id,"
    " 'tenant', old.tenant, 'key', old.key, 'kind', old.kind, 'name', old.name, 'title',"
    " old.title, 'description', old.description, 'owner', old.owner, 'lifecycle',"
    " old.lifecycle, 'secret', old.secret, 'roles', old.roles, 'attributes', old.attributes,"
    " 'properties', old.properties, 'revision', old.revision, 'created_us', old.created_us,"
    " 'updated_us', old.updated_us, 'deleted_us', old.deleted_us, 'accessed_us',"
    " old.accessed_us, 'expires_us', old.expires_us)); END;"

    "CREATE TRIGGER grants_journal_insert AFTER INSERT ON grants BEGIN INSERT INTO"
    " journal(domain, id) VALUES('grants', new.id); END;"

    "CREATE TRIGGER grants_journal_update AFTER UPDATE OF tenant, key, kind, owner,"
    " lifecycle, subject, object, attributes, properties, revision, created_us, updated_us,"
    " deleted_us, expires_us ON grants BEGIN INSERT INTO journal(domain, id, old)"
    " VALUES('grants', old.id, json_object('id', old.id, 'tenant', old.tenant, 'key', old.key,"
    " 'kind', old.kind, 'owner', old.owner, 'lifecycle', old.lifecycle, 'subject',"
    " old.subject, 'object', old.object, 'attributes', old.attributes, 'properties',"
    " old.properties, 'revision', old.revision, 'created_us', old.created_us, 'updated_us',"
    " old.updated_us, 'deleted_us', old.deleted_us, 'expires_us', old.expires_us)); END;"

    "CREATE TRIGGER grants_journal_delete AFTER DELETE ON grants BEGIN INSERT INTO"
    " journal(domain, id, old) VALUES('grants', old.id, json_object('id', old.id, 'tenant',"
    " old.tenant, 'key', old.key, 'kind', old.kind, 'owner', old.owner, 'lifecycle',"
    " old.lifecycle, 'subject', old.subject, 'object', old.object, 'attributes',"
    " old.attributes, 'properties', old.properties, 'revision', old.revision, 'created_us',"
    " old.created_us, 'updated_us', old.updated_us, 'deleted_us', old.deleted_us,"
    " 'expires_us', old.expires_us)); END;"

    "CREATE TRIGGER config_journal_insert AFTER INSERT ON config BEGIN INSERT INTO"
    " journal(domain, id) VALUES('config', new.id); END;"

    "CREATE TRIGGER config_journal_update AFTER UPDATE OF tenant, key, kind, namespace, name,"
    " description, owner, lifecycle, secret, attributes, properties, revision, created_us,"
    " updated_us, deleted_us ON config BEGIN INSERT INTO journal(domain, id, old)"
    " VALUES('config', old.id, json_object('id', old.id, 'tenant', old.tenant, 'key', old.key,"
    " 'kind', old.kind, 'namespace', old.namespace, 'name', old.name, 'description',"
    " old.description, 'owner', old.owner, 'lifecycle', old.lifecycle, 'secret', old.secret,"
    " 'attributes', old.attributes, 'properties', old.properties, 'revision', old.revision,"
    " 'created_us', old.created_us, 'updated_us', old.updated_us, 'deleted_us',"
    " old.deleted_us)); END;"

    "CREATE TRIGGER config_journal_delete AFTER DELETE ON config BEGIN INSERT INTO"
    " journal(domain, id, old) VALUES('config', old.id, json_object('id', old.id, 'tenant',"
    " old.tenant, 'key', old.key, 'kind', old.kind, 'namespace', old.namespace, 'name',"
    " old.name, 'description', old.description, 'owner', old.owner, 'lifecycle',"
    " old.lifecycle, 'secret', old.secret, 'attributes', old.attributes, 'properties',"
    " old.properties, 'revision', old.revision, 'created_us', old.created_us, 'updated_us',"
    " old.updated_us, 'deleted_us', old.deleted_us)); END;"

    "CREATE TRIGGER locations_journal_insert AFTER INSERT ON locations BEGIN INSERT INTO"
    " journal(domain, id) VALUES('locations', new.id); END;"

    "CREATE TRIGGER locations_journal_update AFTER UPDATE OF tenant, key, kind, name,"
    " description, owner, lifecycle, location, attributes, properties, is_default, size_bytes,"
    " capacity_bytes, revision, created_us, updated_us, deleted_us ON locations BEGIN INSERT"
    " INTO journal(domain, id, old) VALUES('locations', old.id, json_object('id', old.id,"
    " 'tenant', old.tenant, 'key', old.key, 'kind', old.kind, 'name', old.name, 'description',"
    " old.description, 'owner', old.owner, 'lifecycle', old.lifecycle, 'location',"
    " old.location, 'attributes', old.attributes, 'properties', old.properties, 'is_default',"
    " old.is_default, 'size_bytes', old.size_bytes, 'capacity_bytes', old.capacity_bytes,"
    " 'revision', old.revision, 'created_us', old.created_us, 'updated_us', old.updated_us,"
    " 'deleted_us', old.deleted_us, 'accessed_us', old.accessed_us)); END;"

    "CREATE TRIGGER locations_journal_delete AFTER DELETE ON locations BEGIN INSERT INTO"
    " journal(domain, id, old) VALUES('locations', old.id, json_object('id', old.id, 'tenant',"
    " old.tenant, 'key', old.key, 'kind', old.kind, 'name', old.name, 'description',"
    " old.description, 'owner', old.owner, 'lifecycle', old.lifecycle, 'location',"
    " old.location, 'attributes', old.attributes, 'properties', old.properties, 'is_default',"
    " old.is_default, 'size_bytes', old.size_bytes, 'capacity_bytes', old.capacity_bytes,"
    " 'revision', old.revision, 'created_us', old.created_us, 'updated_us', old.updated_us,"
    " 'deleted_us', old.deleted_us, 'accessed_us', old.accessed_us)); END;";

enum status sqlite_journal_mark(struct connection *connection, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    TRY(connection_prepare(connection,
                           STR("INSERT OR IGNORE INTO journal_commits(seq, at_us)"
                               " SELECT seq, ?1 FROM journal ORDER BY seq DESC LIMIT 1"),
                           &stmt, err));
    sqlite3_bind_int64(stmt, 1, sys_now_us(sys_posix()));
    enum status status =
        sqlite3_step(stmt) == SQLITE_DONE ? STATUS_OK : connection_failed(connection, err);
    statement_done(stmt);
    return status;
}

static enum status read_int(struct connection *connection, const char *sql, int64_t parameter,
                            int64_t *ret, bool *ret_found, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    TRY(connection_prepare(connection, str_of(sql), &stmt, err));
    sqlite3_bind_int64(stmt, 1, parameter);
    enum status status = STATUS_OK;
    if (sqlite3_step(stmt) == SQLITE_ROW) {
        *ret_found = sqlite3_column_type(stmt, 0) != SQLITE_NULL;
        *ret = sqlite3_column_int64(stmt, 0);
    } else {
        status = connection_failed(connection, err);
    }
    statement_done(stmt);
    return status;
}

/* The last row of what was committed at `at_us`. */
static enum status find_cut(struct connection *connection, int64_t at_us, int64_t *ret,
                            struct error *err)
{
    int64_t start_us = 0;
    bool found = false;
    TRY(read_int(connection, "SELECT max(seq) FROM journal_commits WHERE at_us<=?1", at_us, ret,
                 &found, err));
    if (found)
        return STATUS_OK;
    TRY(read_int(connection, "SELECT min(at_us) FROM journal_commits WHERE ?1 IS NOT NULL", 0,
                 &start_us, &found, err));
    return journal_too_short(start_us, err);
}

static enum status visit_row(sqlite3_stmt *stmt, journal_fn visit, void *context, struct error *err)
{
    struct str text[3];
    for (int i = 0; i < 3; i++)
        text[i] = str_make((const char *)sqlite3_column_text(stmt, i),
                           (size_t)sqlite3_column_bytes(stmt, i));
    return journal_visit(text[0], text[1], text[2], visit, context, err);
}

static enum status visit_rows(struct connection *connection, int64_t cut, journal_fn visit,
                              void *context, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int code = SQLITE_DONE;
    enum status status = STATUS_OK;
    TRY(connection_prepare(connection,
                           STR("SELECT domain, id, old FROM journal WHERE seq IN"
                               " (SELECT min(seq) FROM journal WHERE seq>?1 GROUP BY domain, id)"),
                           &stmt, err));
    sqlite3_bind_int64(stmt, 1, cut);
    while (status == STATUS_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW)
        status = visit_row(stmt, visit, context, err);
    if (status == STATUS_OK && code != SQLITE_DONE)
        status = connection_failed(connection, err);
    statement_done(stmt);
    return status;
}

enum status sqlite_journal_read(struct backend *base, int64_t at_us, journal_fn visit,
                                void *context, struct error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct connection *connection = NULL;
    int64_t cut = 0;
    TRY(reader_take(backend, &connection, err));
    enum status status = find_cut(connection, at_us, &cut, err);
    if (status == STATUS_OK)
        status = visit_rows(connection, cut, visit, context, err);
    reader_give(backend, connection);
    return status;
}

/* --- forgetting --- */

/* Runs a deletion with one time as parameter. */
static enum status trim(struct sqlite_backend *backend, struct str sql, int64_t before_us,
                        struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    TRY(connection_prepare(&backend->writer, sql, &stmt, err));
    sqlite3_bind_int64(stmt, 1, before_us);
    enum status status =
        sqlite3_step(stmt) == SQLITE_DONE ? STATUS_OK : connection_failed(&backend->writer, err);
    statement_done(stmt);
    return status;
}

/* A page at a time, so that commits are not held up. */
static enum status trim_page(struct sqlite_backend *backend, int64_t before_us, int *ret_removed,
                             struct error *err)
{
    TRY(trim(backend,
             STR("DELETE FROM journal WHERE seq IN (SELECT seq FROM journal WHERE seq <="
                 " (SELECT max(seq) FROM journal_commits WHERE at_us < ?1) ORDER BY seq"
                 " LIMIT 10000)"),
             before_us, err));
    *ret_removed = sqlite3_changes(backend->writer.db);
    return STATUS_OK;
}

static enum status trim_commits(struct sqlite_backend *backend, int64_t before_us,
                                struct error *err)
{
    return trim(backend,
                STR("DELETE FROM journal_commits WHERE seq <"
                    " (SELECT max(seq) FROM journal_commits WHERE at_us < ?1)"),
                before_us, err);
}

enum status sqlite_journal_trim(struct backend *base, int64_t before_us, struct error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct queued_commit turn;
    int removed = 1;
    enum status status = STATUS_OK;
    commit_queue_take(
        &backend->commits,
        &turn); /* marks go first: a journal that begins too late is refused, not wrong */
    status = trim_commits(backend, before_us, err);
    commit_queue_give(&backend->commits, &turn);
    while (status == STATUS_OK && removed) {
        commit_queue_take(&backend->commits, &turn);
        status = trim_page(backend, before_us, &removed, err);
        commit_queue_give(&backend->commits, &turn);
    }
    return status;
}
