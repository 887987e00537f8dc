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

static const char tables[] =
    "CREATE TABLE assets(seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT"
    " NULL, key TEXT NOT NULL DEFAULT '',kind TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '',"
    " lifecycle TEXT NOT NULL DEFAULT '',attributes TEXT NOT NULL DEFAULT '{}', properties TEXT"
    " NOT NULL DEFAULT '{}',revision INTEGER NOT NULL DEFAULT 1, created_us INTEGER NOT"
    " NULL,updated_us INTEGER NOT NULL, deleted_us INTEGER NOT NULL DEFAULT 0, namespace TEXT"
    " NOT NULL DEFAULT '', name TEXT NOT NULL DEFAULT '', version TEXT NOT NULL DEFAULT '',"
    " title TEXT NOT NULL DEFAULT '', description TEXT NOT NULL DEFAULT '', location TEXT NOT"
    " NULL DEFAULT '', tags TEXT NOT NULL DEFAULT '[]', categories TEXT NOT NULL DEFAULT '[]',"
    " is_public INTEGER NOT NULL DEFAULT 0, row_count INTEGER NOT NULL DEFAULT 0, node_count"
    " INTEGER NOT NULL DEFAULT 0, edge_count INTEGER NOT NULL DEFAULT 0, hyperedge_count"
    " INTEGER NOT NULL DEFAULT 0, file_count INTEGER NOT NULL DEFAULT 0, size_bytes INTEGER NOT"
    " NULL DEFAULT 0, access_count INTEGER NOT NULL DEFAULT 0, accessed_us INTEGER NOT NULL"
    " DEFAULT 0, stats_us INTEGER NOT NULL DEFAULT 0) STRICT;"

    "CREATE UNIQUE INDEX assets_key ON assets(tenant, key) WHERE deleted_us = 0 AND key <> '';"

    "CREATE INDEX assets_name ON assets(tenant, kind, name, id);"

    "CREATE INDEX assets_updated ON assets(tenant, kind, updated_us, id);"

    "CREATE INDEX assets_owner ON assets(tenant, owner, id);"

    "CREATE TABLE relations(id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, key TEXT NOT NULL"
    " DEFAULT '',kind TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', lifecycle TEXT NOT NULL"
    " DEFAULT '',attributes TEXT NOT NULL DEFAULT '{}', properties TEXT NOT NULL DEFAULT"
    " '{}',revision INTEGER NOT NULL DEFAULT 1, created_us INTEGER NOT NULL,updated_us INTEGER"
    " NOT NULL, deleted_us INTEGER NOT NULL DEFAULT 0, subject TEXT NOT NULL DEFAULT '', object"
    " TEXT NOT NULL DEFAULT '') STRICT;"

    "CREATE UNIQUE INDEX relations_key ON relations(tenant, key) WHERE deleted_us = 0 AND key"
    " <> '';"

    "CREATE INDEX relations_subject ON relations(tenant, subject, id);"

    "CREATE INDEX relations_object ON relations(tenant, object, id);"

    "CREATE TABLE principals(id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, key TEXT NOT NULL"
    " DEFAULT '',kind TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', lifecycle TEXT NOT NULL"
    " DEFAULT '',attributes TEXT NOT NULL DEFAULT '{}', properties TEXT NOT NULL DEFAULT"
    " '{}',revision INTEGER NOT NULL DEFAULT 1, created_us INTEGER NOT NULL,updated_us INTEGER"
    " NOT NULL, deleted_us INTEGER NOT NULL DEFAULT 0, name TEXT NOT NULL DEFAULT '', title"
    " TEXT NOT NULL DEFAULT '', description TEXT NOT NULL DEFAULT '', secret TEXT NOT NULL"
    " DEFAULT '', roles TEXT NOT NULL DEFAULT '[]', accessed_us INTEGER NOT NULL DEFAULT 0,"
    " expires_us INTEGER NOT NULL DEFAULT 0) STRICT;"

    "CREATE UNIQUE INDEX principals_key ON principals(tenant, key) WHERE deleted_us = 0 AND key"
    " <> '';"

    "CREATE INDEX principals_kind ON principals(tenant, kind, id);"

    "CREATE TABLE grants(id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, key TEXT NOT NULL"
    " DEFAULT '',kind TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', lifecycle TEXT NOT NULL"
    " DEFAULT '',attributes TEXT NOT NULL DEFAULT '{}', properties TEXT NOT NULL DEFAULT"
    " '{}',revision INTEGER NOT NULL DEFAULT 1, created_us INTEGER NOT NULL,updated_us INTEGER"
    " NOT NULL, deleted_us INTEGER NOT NULL DEFAULT 0, subject TEXT NOT NULL DEFAULT '', object"
    " TEXT NOT NULL DEFAULT '', expires_us INTEGER NOT NULL DEFAULT 0) STRICT;"

    "CREATE UNIQUE INDEX grants_key ON grants(tenant, key) WHERE deleted_us = 0 AND key <> '';"

    "CREATE INDEX grants_subject ON grants(tenant, subject, id);"

    "CREATE INDEX grants_object ON grants(tenant, object, id);"

    "CREATE TABLE events(id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, key TEXT NOT NULL"
    " DEFAULT '',kind TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', lifecycle TEXT NOT NULL"
    " DEFAULT '',attributes TEXT NOT NULL DEFAULT '{}', properties TEXT NOT NULL DEFAULT"
    " '{}',revision INTEGER NOT NULL DEFAULT 1, created_us INTEGER NOT NULL,updated_us INTEGER"
    " NOT NULL, deleted_us INTEGER NOT NULL DEFAULT 0, namespace TEXT NOT NULL DEFAULT '', name"
    " TEXT NOT NULL DEFAULT '', description TEXT NOT NULL DEFAULT '', subject TEXT NOT NULL"
    " DEFAULT '', object TEXT NOT NULL DEFAULT '', location TEXT NOT NULL DEFAULT '', success"
    " INTEGER NOT NULL DEFAULT 0, row_count INTEGER NOT NULL DEFAULT 0, size_bytes INTEGER NOT"
    " NULL DEFAULT 0, duration_us INTEGER NOT NULL DEFAULT 0) STRICT;"

    "CREATE INDEX events_kind ON events(tenant, kind, id);"

    "CREATE INDEX events_object ON events(object, id);"

    "CREATE TABLE config(id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, key TEXT NOT NULL"
    " DEFAULT '',kind TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', lifecycle TEXT NOT NULL"
    " DEFAULT '',attributes TEXT NOT NULL DEFAULT '{}', properties TEXT NOT NULL DEFAULT"
    " '{}',revision INTEGER NOT NULL DEFAULT 1, created_us INTEGER NOT NULL,updated_us INTEGER"
    " NOT NULL, deleted_us INTEGER NOT NULL DEFAULT 0, namespace TEXT NOT NULL DEFAULT '', name"
    " TEXT NOT NULL DEFAULT '', description TEXT NOT NULL DEFAULT '', secret TEXT NOT NULL"
    " DEFAULT '') STRICT;"

    "CREATE UNIQUE INDEX config_key ON config(tenant, key) WHERE deleted_us = 0 AND key <> '';"

    "CREATE TABLE locations(id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, key TEXT NOT NULL"
    " DEFAULT '',kind TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', lifecycle TEXT NOT NULL"
    " DEFAULT '',attributes TEXT NOT NULL DEFAULT '{}', properties TEXT NOT NULL DEFAULT"
    " '{}',revision INTEGER NOT NULL DEFAULT 1, created_us INTEGER NOT NULL,updated_us INTEGER"
    " NOT NULL, deleted_us INTEGER NOT NULL DEFAULT 0, name TEXT NOT NULL DEFAULT '',"
    " description TEXT NOT NULL DEFAULT '', location TEXT NOT NULL DEFAULT '', is_default"
    " INTEGER NOT NULL DEFAULT 0, size_bytes INTEGER NOT NULL DEFAULT 0, capacity_bytes INTEGER"
    " NOT NULL DEFAULT 0, accessed_us INTEGER NOT NULL DEFAULT 0) STRICT;"

    "CREATE UNIQUE INDEX locations_key ON locations(tenant, key) WHERE deleted_us = 0 AND key"
    " <> '';"

    "CREATE TABLE services(id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, key TEXT NOT NULL"
    " DEFAULT '',kind TEXT NOT NULL, owner TEXT NOT NULL DEFAULT '', lifecycle TEXT NOT NULL"
    " DEFAULT '',attributes TEXT NOT NULL DEFAULT '{}', properties TEXT NOT NULL DEFAULT"
    " '{}',revision INTEGER NOT NULL DEFAULT 1, created_us INTEGER NOT NULL,updated_us INTEGER"
    " NOT NULL, deleted_us INTEGER NOT NULL DEFAULT 0, name TEXT NOT NULL DEFAULT '', version"
    " TEXT NOT NULL DEFAULT '', location TEXT NOT NULL DEFAULT '', accessed_us INTEGER NOT NULL"
    " DEFAULT 0, expires_us INTEGER NOT NULL DEFAULT 0) STRICT;"

    "CREATE UNIQUE INDEX services_key ON services(tenant, key) WHERE deleted_us = 0 AND key <>"
    " '';";

/* Tags and words follow the assets by triggers, so that SQL writers keep them right too. The
 * tokenizer "ascii" cuts words exactly as query.h says. */
static const char search[] =
    "CREATE TABLE asset_tags(tag TEXT NOT NULL, asset INTEGER NOT NULL REFERENCES assets(seq)"
    " ON DELETE CASCADE, PRIMARY KEY(tag, asset)) STRICT, WITHOUT ROWID;"

    "CREATE INDEX asset_tags_asset ON asset_tags(asset);"

    "CREATE TRIGGER assets_tags_insert AFTER INSERT ON assets WHEN new.tags <> '[]' BEGIN"
    " INSERT OR IGNORE INTO asset_tags SELECT value, new.seq FROM json_each(new.tags); END;"

    "CREATE TRIGGER assets_tags_update AFTER UPDATE OF tags ON assets WHEN old.tags <> new.tags"
    " BEGIN DELETE FROM asset_tags WHERE asset = old.seq; INSERT OR IGNORE INTO asset_tags"
    " SELECT value, new.seq FROM json_each(new.tags); END;"

    "CREATE VIRTUAL TABLE asset_words USING fts5(name, namespace, title, description, tags,"
    " categories, content='assets', content_rowid='seq', tokenize='ascii', prefix='2 3',"
    " detail=none);"

    "CREATE TRIGGER assets_words_insert AFTER INSERT ON assets BEGIN INSERT INTO"
    " asset_words(rowid, name, namespace, title, description, tags, categories) VALUES(new.seq,"
    " new.name, new.namespace, new.title, new.description, new.tags, new.categories); END;"

    "CREATE TRIGGER assets_words_delete AFTER DELETE ON assets BEGIN INSERT INTO"
    " asset_words(asset_words, rowid, name, namespace, title, description, tags, categories)"
    " VALUES('delete', old.seq, old.name, old.namespace, old.title, old.description, old.tags,"
    " old.categories); END;"

    "CREATE TRIGGER assets_words_update AFTER UPDATE OF name, namespace, title, description,"
    " tags, categories ON assets WHEN old.name <> new.name OR old.namespace <> new.namespace OR"
    " old.title <> new.title OR old.description <> new.description OR old.tags <> new.tags OR"
    " old.categories <> new.categories BEGIN INSERT INTO asset_words(asset_words, rowid, name,"
    " namespace, title, description, tags, categories) VALUES('delete', old.seq, old.name,"
    " old.namespace, old.title, old.description, old.tags, old.categories); INSERT INTO"
    " asset_words(rowid, name, namespace, title, description, tags, categories) VALUES(new.seq,"
    " new.name, new.namespace, new.title, new.description, new.tags, new.categories); END;";

/* Assets by their last change, whatever their kind: the order of lists. */
static const char by_change[] = "CREATE INDEX assets_changed ON assets(tenant, updated_us, id);";

/* The texts of one migration, run in order; NULL-ended. */
struct migration {
    const char *texts[5];
};

static const struct migration migrations[] = {
    {{tables, search}},
    {{sqlite_views_graphs, sqlite_views_shared, sqlite_views_collections, sqlite_view_inserts}},
    {{sqlite_view_collection_stats}},
    {{sqlite_property_index}},
    {{sqlite_journal}},
    {{by_change}},
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
