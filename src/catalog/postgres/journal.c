/* journal.c: what records were before they changed (catalog/journal.h), kept by one trigger
 * function.
 *
 * journal(seq, tx, at_us, domain, id, old): a row for each change, with the row that was there
 * before as JSON by columns. A transaction counts as of its last row: two that change one record
 * wait for each other, so their times are in the order of their commits. journal_start(at_us): how
 * far it reaches back. */
#include "catalog/journal.h"

#include "catalog/postgres/postgres_int.h"

static const char TABLES[] =
    "CREATE TABLE journal(seq bigserial PRIMARY KEY,"
    " tx xid8 NOT NULL DEFAULT pg_current_xact_id(),"
    " at_us bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint,"
    " domain text NOT NULL, id text NOT NULL, old text);"

    "CREATE INDEX journal_at ON journal(at_us);"

    "CREATE TABLE journal_start(at_us bigint NOT NULL);"

    "INSERT INTO journal_start VALUES((extract(epoch FROM clock_timestamp()) * 1000000)::bigint);"

    "CREATE FUNCTION journal_change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN"
    " IF TG_OP = 'INSERT' THEN"
    " INSERT INTO quarry.journal(domain, id) VALUES(TG_TABLE_NAME, new.id);"
    " ELSE INSERT INTO quarry.journal(domain, id, old) VALUES(TG_TABLE_NAME, old.id,"
    " (to_jsonb(old) - 'attributes_j' - 'properties_j' - 'words')::text);"
    " END IF; RETURN NULL; END$$;";

static void append_triggers(struct buf *sql, enum domain domain)
{
    const char *name = domain_name(domain), *comma = "";
    buf_printf(sql,
               "CREATE TRIGGER journal_change AFTER INSERT OR DELETE ON %s FOR EACH ROW EXECUTE"
               " FUNCTION journal_change(); CREATE TRIGGER journal_update AFTER UPDATE OF ",
               name);
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        bool counted = i == RECORD_access_count || i == RECORD_accessed_us;
        if (counted || !record_has_field(domain, (enum record_field)i))
            continue;
        buf_printf(sql, "%s%s", comma, record_field_info[i].member);
        comma = ", ";
    }
    buf_printf(sql, " ON %s FOR EACH ROW EXECUTE FUNCTION journal_change();", name);
}

enum status pg_journal_create(struct pg_connection *connection, struct error *err)
{
    static const enum domain domains[] = {DOMAIN_ASSET, DOMAIN_RELATION, DOMAIN_PRINCIPAL,
                                          DOMAIN_GRANT, DOMAIN_CONFIG,   DOMAIN_LOCATION};
    struct buf sql;
    buf_init(&sql, 1 << 20);
    buf_append_str(&sql, STR(TABLES));
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
        append_triggers(&sql, domains[i]);
    buf_append_char(&sql, 0);
    enum status status = buf_check(&sql, "the schema", err);
    if (status == STATUS_OK)
        status = pg_run(connection, sql.data, err);
    buf_release(&sql);
    return status;
}

/* --- reading --- */

static enum status check_start(const PGresult *result, int64_t at_us, struct error *err)
{
    int64_t start_us = pg_value_int(result, 0, 0);
    return at_us < start_us ? journal_too_short(start_us, err) : STATUS_OK;
}

static enum status visit_rows(const PGresult *result, journal_fn visit, void *context,
                              struct error *err)
{
    for (int row = 0; row < PQntuples(result); row++) {
        bool none = PQgetisnull(result, row, 2);
        TRY(journal_visit(pg_value_text(result, row, 0), pg_value_text(result, row, 1),
                          none ? STR_NONE : pg_value_text(result, row, 2), visit, context, err));
    }
    return STATUS_OK;
}

static enum status read_since(struct postgres_backend *backend, struct pg_connection **connection,
                              struct pg_parameters *parameters, int64_t at_us, journal_fn visit,
                              void *context, struct error *err)
{
    PGresult *result = NULL;
    TRY(pg_select(backend, connection, STR("SELECT max(at_us) FROM journal_start"), parameters,
                  &result, err));
    enum status status = check_start(result, at_us, err);
    PQclear(result);
    TRY(status);
    pg_add_number(parameters, at_us);
    TRY(pg_select(backend, connection,
                  STR("SELECT DISTINCT ON (domain, id) domain, id, old FROM journal WHERE tx IN"
                      " (SELECT tx FROM journal WHERE at_us > $1) ORDER BY domain, id, seq"),
                  parameters, &result, err));
    status = visit_rows(result, visit, context, err);
    PQclear(result);
    return status;
}

enum status postgres_journal_read(struct backend *base, int64_t at_us, journal_fn visit,
                                  void *context, struct error *err)
{
    struct postgres_backend *backend = (struct postgres_backend *)base;
    struct pg_connection *connection = NULL;
    struct arena arena;
    arena_init(&arena, 0);
    struct pg_parameters *parameters = ARENA_NEW(&arena, struct pg_parameters);
    enum status status = parameters ? pg_take(backend, &connection, err) : error_no_memory(err);
    if (status == STATUS_OK) {
        parameters->arena = &arena;
        status = read_since(backend, &connection, parameters, at_us, visit, context, err);
        pg_give(backend, connection);
    }
    arena_release(&arena);
    return status;
}

enum status postgres_journal_trim(struct backend *base, int64_t before_us, struct error *err)
{
    struct postgres_backend *backend = (struct postgres_backend *)base;
    struct pg_connection *connection = NULL;
    char sql[256];
    snprintf(sql, sizeof sql,
             "BEGIN; UPDATE journal_start SET at_us = greatest(at_us, %lld);"
             " DELETE FROM journal WHERE at_us < %lld; COMMIT",
             (long long)before_us, (long long)before_us);
    TRY(pg_take(backend, &connection, err));
    enum status status = pg_run(connection, sql, err);
    pg_give(backend, connection);
    return status;
}
