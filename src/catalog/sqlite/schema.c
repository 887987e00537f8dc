/* schema.c: the tables, and how an older file becomes a newer one.
 *
 * PRAGMA user_version is the number of the last migration that ran. Migrations only go forward;
 * each runs whole or not at all, in the transaction that also raises the number, and BEGIN
 * IMMEDIATE lets one process run them while others that start wait. A released migration is never
 * changed.
 *
 * Every domain is a table of its own with the columns of record.def. INTEGER times are microseconds
 * since 1970, lists are JSON arrays, absent texts are ''. Names that people's SQL may use are the
 * views of views.c. */
#include "catalog/sqlite/sqlite_int.h"

#define APPLICATION_ID "1364546121" /* "QURY" would be a word; these bytes are "QUAI" */

#define COMMON_COLUMNS                                                                             \
    "id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, key TEXT NOT NULL DEFAULT '',"                 \
    "kind TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', lifecycle TEXT NOT NULL DEFAULT '',"      \
    "attributes TEXT NOT NULL DEFAULT '{}', properties TEXT NOT NULL DEFAULT '{}',"                \
    "revision INTEGER NOT NULL DEFAULT 1, created_us INTEGER NOT NULL,"                            \
    "updated_us INTEGER NOT NULL, deleted_us INTEGER NOT NULL DEFAULT 0"
#define TEXT_COLUMN(name)   ", " name " TEXT NOT NULL DEFAULT ''"
#define LIST_COLUMN(name)   ", " name " TEXT NOT NULL DEFAULT '[]'"
#define NUMBER_COLUMN(name) ", " name " INTEGER NOT NULL DEFAULT 0"
#define KEY_INDEX(table)                                                                           \
    "CREATE UNIQUE INDEX " table "_key ON " table "(tenant, key)"                                  \
    " WHERE deleted_us = 0 AND key <> '';"

static const char tables[] =
    "CREATE TABLE assets(seq INTEGER PRIMARY KEY, " COMMON_COLUMNS TEXT_COLUMN("namespace")
        TEXT_COLUMN("name") TEXT_COLUMN("version") TEXT_COLUMN("title")
            TEXT_COLUMN("description")
                TEXT_COLUMN("location")
                    LIST_COLUMN("tags")
                        LIST_COLUMN("categories")
                            NUMBER_COLUMN("is_public")
                                NUMBER_COLUMN("row_count") NUMBER_COLUMN("node_count") NUMBER_COLUMN("edge_count") NUMBER_COLUMN("hyperedge_count") NUMBER_COLUMN("file_count") NUMBER_COLUMN("size_bytes") NUMBER_COLUMN("access_count") NUMBER_COLUMN("accessed_us") NUMBER_COLUMN("stats_us") ") STRICT;" KEY_INDEX("assets") "CREATE INDEX assets_name ON assets(tenant, kind, name, id);"
                                                                                                                                                                                                                                                                                                                                 "CREATE INDEX assets_updated ON assets(tenant, kind, updated_us, id);"
                                                                                                                                                                                                                                                                                                                                 "CREATE INDEX assets_owner ON assets(tenant, owner, id);"

                                                                                                                                                                                                                                                                                                                                 "CREATE TABLE relations(" COMMON_COLUMNS
                                                                                                                                                                                                                                                                                                                                     TEXT_COLUMN("subject") TEXT_COLUMN("object") ") STRICT;" KEY_INDEX("relations") "CREATE INDEX relations_subject ON relations(tenant, subject, id);"
                                                                                                                                                                                                                                                                                                                                                                                                                     "CREATE INDEX relations_object ON relations(tenant, object, id);"

                                                                                                                                                                                                                                                                                                                                                                                                                     "CREATE TABLE principals(" COMMON_COLUMNS
                                                                                                                                                                                                                                                                                                                                                                                                                         TEXT_COLUMN(
                                                                                                                                                                                                                                                                                                                                                                                                                             "name")
                                                                                                                                                                                                                                                                                                                                                                                                                             TEXT_COLUMN(
                                                                                                                                                                                                                                                                                                                                                                                                                                 "title")
                                                                                                                                                                                                                                                                                                                                                                                                                                 TEXT_COLUMN(
                                                                                                                                                                                                                                                                                                                                                                                                                                     "description") TEXT_COLUMN("secret") LIST_COLUMN("roles") NUMBER_COLUMN("accessed_us") NUMBER_COLUMN("expires_us") ") STRICT;" KEY_INDEX("principals") "CREATE INDEX principals_kind ON principals(tenant, kind, id);"

                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                            "CREATE TABLE grants(" COMMON_COLUMNS
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                TEXT_COLUMN("subject") TEXT_COLUMN("object") NUMBER_COLUMN("expires_us") ") STRICT;" KEY_INDEX(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                    "grants") "CREATE INDEX grants_subject ON grants(tenant, subject, id);"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              "CREATE INDEX grants_object ON grants(tenant, object, id);"

                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              "CREATE TABLE events(" COMMON_COLUMNS TEXT_COLUMN("namespace") TEXT_COLUMN("name") TEXT_COLUMN("description") TEXT_COLUMN("subject") TEXT_COLUMN("object") TEXT_COLUMN(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "location")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  NUMBER_COLUMN(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "success")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      NUMBER_COLUMN("row_count") NUMBER_COLUMN("size_bytes") NUMBER_COLUMN("duration_us") ") STRICT;"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          "CREATE INDEX events_kind ON events(tenant, kind, id);"
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          "CREATE INDEX events_object ON events(object, id);"

                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          "CREATE TABLE config(" COMMON_COLUMNS TEXT_COLUMN("namespace") TEXT_COLUMN("name") TEXT_COLUMN("description") TEXT_COLUMN("secret") ") STRICT;" KEY_INDEX(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              "config")

                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              "CREATE TABLE locations(" COMMON_COLUMNS
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  TEXT_COLUMN("name") TEXT_COLUMN(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "description")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      TEXT_COLUMN("location") NUMBER_COLUMN(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          "is_default") NUMBER_COLUMN("size_bytes") NUMBER_COLUMN("capacity_bytes") NUMBER_COLUMN("accessed_us") ") STRICT;" KEY_INDEX("locations")

                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                          "CREATE TABLE services(" COMMON_COLUMNS
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                              TEXT_COLUMN(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  "name")
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                  TEXT_COLUMN(
                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                                      "version") TEXT_COLUMN("location") NUMBER_COLUMN("accessed_us") NUMBER_COLUMN("expires_us") ") STRICT;" KEY_INDEX("services");

/* Tags and words follow the assets by triggers, so that SQL writers keep them right too. The
 * tokenizer "ascii" cuts words exactly as query.h says. */
static const char search[] =
    "CREATE TABLE asset_tags(tag TEXT NOT NULL, asset INTEGER NOT NULL REFERENCES assets(seq)"
    " ON DELETE CASCADE, PRIMARY KEY(tag, asset)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX asset_tags_asset ON asset_tags(asset);"
    "CREATE TRIGGER assets_tags_insert AFTER INSERT ON assets WHEN new.tags <> '[]' BEGIN"
    " INSERT OR IGNORE INTO asset_tags SELECT value, new.seq FROM json_each(new.tags); END;"
    "CREATE TRIGGER assets_tags_update AFTER UPDATE OF tags ON assets WHEN old.tags <> new.tags"
    " BEGIN DELETE FROM asset_tags WHERE asset = old.seq;"
    " INSERT OR IGNORE INTO asset_tags SELECT value, new.seq FROM json_each(new.tags); END;"
    "CREATE VIRTUAL TABLE asset_words USING fts5(name, namespace, title, description, tags,"
    " categories, content='assets', content_rowid='seq', tokenize='ascii', prefix='2 3',"
    " detail=none);"
    "CREATE TRIGGER assets_words_insert AFTER INSERT ON assets BEGIN"
    " INSERT INTO asset_words(rowid, name, namespace, title, description, tags, categories)"
    " VALUES(new.seq, new.name, new.namespace, new.title, new.description, new.tags,"
    " new.categories); END;"
    "CREATE TRIGGER assets_words_delete AFTER DELETE ON assets BEGIN"
    " INSERT INTO asset_words(asset_words, rowid, name, namespace, title, description, tags,"
    " categories) VALUES('delete', old.seq, old.name, old.namespace, old.title, old.description,"
    " old.tags, old.categories); END;"
    "CREATE TRIGGER assets_words_update AFTER UPDATE OF name, namespace, title, description, tags,"
    " categories ON assets WHEN old.name <> new.name OR old.namespace <> new.namespace"
    " OR old.title <> new.title OR old.description <> new.description OR old.tags <> new.tags"
    " OR old.categories <> new.categories BEGIN"
    " INSERT INTO asset_words(asset_words, rowid, name, namespace, title, description, tags,"
    " categories) VALUES('delete', old.seq, old.name, old.namespace, old.title, old.description,"
    " old.tags, old.categories);"
    " INSERT INTO asset_words(rowid, name, namespace, title, description, tags, categories)"
    " VALUES(new.seq, new.name, new.namespace, new.title, new.description, new.tags,"
    " new.categories); END;";

/* The texts of one migration, run in order; NULL-ended. */
struct migration {
    const char *texts[5];
};

static const struct migration migrations[] = {
    {{tables, search}},
    {{sqlite_views_graphs, sqlite_views_shared, sqlite_views_collections, sqlite_view_inserts}},
    {{sqlite_view_collection_stats}},
};

enum { SCHEMA_VERSION = sizeof migrations / sizeof migrations[0] };

static enum status pragma_int(struct connection *connection, const char *sql, int *ret,
                              struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    TRY(connection_prepare(connection, str_of(sql), &stmt, err));
    enum status status = STATUS_OK;
    if (sqlite3_step(stmt) == SQLITE_ROW)
        *ret = sqlite3_column_int(stmt, 0);
    else
        status = connection_failed(connection, err);
    statement_done(stmt);
    return status;
}

static enum status check_version(struct connection *connection, const char *path, int *ret,
                                 struct error *err)
{
    int tables_len = 0;
    TRY(pragma_int(connection, "PRAGMA user_version", ret, err));
    if (*ret > SCHEMA_VERSION)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "%s was written by a newer release (its schema is %d, this one knows up"
                         " to %d); start that release, or restore a backup of this one",
                         path, *ret, SCHEMA_VERSION);
    TRY(pragma_int(connection, "SELECT count(*) FROM sqlite_schema", &tables_len, err));
    if (*ret == 0 && tables_len)
        return error_set(err, STATUS_INVALID_ARGUMENT, "%s is a database, but not a catalog", path);
    return STATUS_OK;
}

static enum status run_migrations(struct connection *connection, int from, struct error *err)
{
    char sql[64];
    for (int i = from; i < SCHEMA_VERSION; i++)
        for (const char *const *text = migrations[i].texts; *text; text++)
            TRY(connection_run(connection, *text, err));
    TRY(connection_run(connection, "PRAGMA application_id=" APPLICATION_ID, err));
    sqlite3_snprintf(sizeof sql, sql, "PRAGMA user_version=%d", SCHEMA_VERSION);
    return connection_run(connection, sql, err);
}

enum status schema_migrate(struct connection *connection, const char *path, struct error *err)
{
    int version = 0;
    TRY(check_version(connection, path, &version, err));
    if (version == SCHEMA_VERSION)
        return STATUS_OK;
    TRY(connection_run(connection, "BEGIN IMMEDIATE", err));
    /* Another process may have done it while this one waited. */
    enum status status = check_version(connection, path, &version, err);
    if (status == STATUS_OK && version < SCHEMA_VERSION)
        status = run_migrations(connection, version, err);
    if (status == STATUS_OK)
        status = connection_run(connection, "COMMIT", err);
    if (status != STATUS_OK)
        (void)connection_run(connection, "ROLLBACK", NULL); /* the first failure is the news */
    return status;
}
