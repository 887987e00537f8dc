/* schema.c: the tables, and how an older database becomes a newer one.
 *
 * Everything lives in the schema "quarry". quarry.schema_version holds the number of the last
 * migration; they only go forward, under an advisory lock, so that several that start at once are
 * safe; each runs whole or not at all. A released migration is never changed.
 *
 * Every domain is a table with the columns of record.def: texts compare as bytes (COLLATE "C"),
 * times are microseconds since 1970, lists are arrays. JSON is kept byte for byte as text; beside
 * it stands what can be asked (attributes_j, properties_j), NULL where jsonb cannot hold it. */
#include <stdio.h>

#include "catalog/postgres/postgres_int.h"

#define MIGRATION_LOCK "7305811245127450732"

static const char FUNCTIONS[] =
    "CREATE FUNCTION as_jsonb(value text) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT AS"
    " $$BEGIN RETURN value::jsonb; EXCEPTION WHEN OTHERS THEN RETURN NULL; END$$";

static const char *column_type(enum record_type type)
{
    switch (type) {
    case RECORD_TEXT:
        return "text COLLATE \"C\" NOT NULL DEFAULT ''";
    case RECORD_JSON:
        return "text NOT NULL DEFAULT '{}'";
    case RECORD_LIST:
        return "text[] COLLATE \"C\" NOT NULL DEFAULT '{}'";
    case RECORD_BOOL:
        return "boolean NOT NULL DEFAULT false";
    case RECORD_INT:
    case RECORD_TIME:
        break;
    }
    return "bigint NOT NULL DEFAULT 0";
}

static void append_table(struct buf *sql, enum domain domain)
{
    const char *name = domain_name(domain);
    buf_printf(sql, "CREATE TABLE %s(", name);
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        const struct record_field_info *field = &record_field_info[i];
        if (!record_has_field(domain, (enum record_field)i))
            continue;
        buf_printf(sql, "%s %s,", field->member, column_type(field->type));
        if (field->type == RECORD_JSON)
            buf_printf(sql, "%s_j jsonb GENERATED ALWAYS AS (as_jsonb(%s)) STORED,", field->member,
                       field->member);
    }
    if (domain == DOMAIN_ASSET)
        buf_printf(sql, "words tsvector NOT NULL DEFAULT '',");
    buf_printf(sql,
               "CONSTRAINT %s_id PRIMARY KEY(id));"
               "CREATE UNIQUE INDEX %s_key ON %s(tenant, key) WHERE deleted_us=0 AND key<>'';"
               "CREATE INDEX %s_kind ON %s(tenant, kind, id);",
               name, name, name, name, name);
}

static const char INDEXES[] =
    "CREATE INDEX assets_tags ON assets USING gin(tags);"
    "CREATE INDEX assets_words ON assets USING gin(words);"
    "CREATE INDEX assets_properties ON assets USING gin(properties_j jsonb_path_ops);"
    "CREATE INDEX assets_attributes ON assets USING gin(attributes_j jsonb_path_ops);"
    "CREATE INDEX assets_owner ON assets(tenant, owner);"
    "CREATE INDEX relations_subject ON relations(tenant, subject);"
    "CREATE INDEX relations_object ON relations(tenant, object);"
    "CREATE INDEX grants_subject ON grants(tenant, subject);"
    "CREATE INDEX grants_object ON grants(tenant, object);"
    "CREATE INDEX events_object ON events(tenant, object, id);"
    "CREATE INDEX events_created ON events(tenant, created_us);";

static enum status migrate_first(struct pg_connection *connection, struct error *err)
{
    struct buf sql;
    buf_init(&sql, 1 << 20);
    for (int i = 0; i < DOMAIN_COUNT; i++)
        append_table(&sql, (enum domain)i);
    buf_append(&sql, INDEXES, sizeof INDEXES); /* with its NUL */
    enum status status = buf_check(&sql, "the schema", err);
    if (status == STATUS_OK)
        status = pg_run(connection, FUNCTIONS, err);
    if (status == STATUS_OK)
        status = pg_run(connection, sql.data, err);
    buf_release(&sql);
    return status;
}

static enum status migrate_views(struct pg_connection *connection, struct error *err)
{
    TRY(pg_run(connection, pg_views_graphs, err));
    TRY(pg_run(connection, pg_views_shared, err));
    TRY(pg_run(connection, pg_views_collections, err));
    return pg_run(connection, pg_view_inserts, err);
}

typedef enum status (*migration)(struct pg_connection *connection, struct error *err);
static const migration migrations[] = {migrate_first, migrate_views, pg_journal_create};

enum { SCHEMA_VERSION = sizeof migrations / sizeof *migrations };

static enum status read_version(struct pg_connection *connection, int *ret, struct error *err)
{
    PGresult *result =
        PQexec(connection->pg, "SELECT coalesce(max(version),0) FROM quarry.schema_version");
    enum status status = STATUS_OK;
    if (PQresultStatus(result) == PGRES_TUPLES_OK)
        *ret = (int)pg_value_int(result, 0, 0);
    else
        status = pg_failed(connection, result, err);
    PQclear(result);
    if (status == STATUS_OK && *ret > SCHEMA_VERSION)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "The catalog's database was written by a newer release (its schema is %d, "
                         "this one knows up to %d); start that release, or restore a backup.",
                         *ret, SCHEMA_VERSION);
    return status;
}

static enum status run_migrations(struct pg_connection *connection, struct error *err)
{
    int version = 0;
    char note[96];
    TRY(pg_run(connection,
               "CREATE SCHEMA IF NOT EXISTS quarry;"
               "CREATE TABLE IF NOT EXISTS quarry.schema_version(version int PRIMARY KEY,"
               " applied timestamptz NOT NULL DEFAULT now())",
               err));
    TRY(read_version(connection, &version, err));
    if (version == SCHEMA_VERSION)
        return STATUS_OK;
    TRY(pg_run(connection, "BEGIN", err));
    enum status status = STATUS_OK;
    for (int i = version; i < SCHEMA_VERSION && status == STATUS_OK; i++)
        status = migrations[i](connection, err);
    snprintf(note, sizeof note, "INSERT INTO schema_version(version) VALUES(%d)", SCHEMA_VERSION);
    if (status == STATUS_OK)
        status = pg_run(connection, note, err);
    /* of two failures the first is the news */
    if (status != STATUS_OK)
        (void)pg_run(connection, "ROLLBACK", NULL);
    return status == STATUS_OK ? pg_run(connection, "COMMIT", err) : status;
}

enum status pg_schema_migrate(struct pg_connection *connection, struct error *err)
{
    TRY(pg_run(connection, "SELECT pg_advisory_lock(" MIGRATION_LOCK ")", err));
    enum status status = run_migrations(connection, err);
    (void)pg_run(connection, "SELECT pg_advisory_unlock(" MIGRATION_LOCK ")", NULL);
    return status;
}
