/* verify.c: SQLite's own check of pages and indexes, and ours of what triggers keep. */
#include "catalog/sqlite/sqlite_int.h"

/* Each row of `sql` is a fault when it is not `good`. */
static enum status report_rows(struct connection *connection, const char *sql, const char *good,
                               backend_fault_fn fault, void *context, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int code;
    TRY(connection_prepare(connection, str_of(sql), &stmt, err));
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        if (text && !(good && strcmp(text, good) == 0))
            fault(context, text);
    }
    enum status status = code == SQLITE_DONE ? STATUS_OK : connection_failed(connection, err);
    statement_done(stmt);
    return status;
}

static enum status check_words(struct sqlite_backend *backend, backend_fault_fn fault,
                               void *context, struct error *err)
{
    struct queued_commit turn;
    commit_queue_take(&backend->commits, &turn);
    int code = sqlite3_exec(
        backend->writer.db,
        "INSERT INTO asset_words(asset_words, rank) VALUES('integrity-check',1)", NULL, NULL, NULL);
    enum status status = STATUS_OK;
    if ((code & 0xff) == SQLITE_CORRUPT)
        fault(context, "the search index does not match the assets");
    else if (code != SQLITE_OK)
        status = connection_failed(&backend->writer, err);
    commit_queue_give(&backend->commits, &turn);
    return status;
}

enum status sqlite_verify(struct backend *base, backend_fault_fn fault, void *context,
                          struct error *err)
{
    static const char *const checks[] = {
        "SELECT 'asset ' || id || ' has tags that the tag table lacks' FROM assets WHERE EXISTS"
        " (SELECT value FROM json_each(tags) EXCEPT SELECT tag FROM asset_tags WHERE asset=seq)",
        "SELECT 'asset ' || id || ' is in the tag table with tags that it lacks' FROM assets WHERE"
        " EXISTS (SELECT tag FROM asset_tags WHERE asset=seq EXCEPT SELECT value FROM"
        " json_each(tags))",
        "SELECT DISTINCT 'asset ' || assets.id || ' has properties that their table lacks' FROM "
        "assets,"
        " json_each(iif(json_valid(properties), properties, '{}')) AS j"
        " WHERE j.type IN ('text', 'integer', 'real', 'true', 'false')"
        " AND length(CAST(j.value AS BLOB)) <= 200 AND NOT EXISTS (SELECT 1 FROM asset_properties"
        " AS p WHERE p.name = 'p:' || j.key AND p.value = j.value AND p.asset = assets.seq)",
    };
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct connection *connection = NULL;
    TRY(reader_take(backend, &connection, err));
    enum status status =
        report_rows(connection, "PRAGMA integrity_check(20)", "ok", fault, context, err);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0] && status == STATUS_OK; i++)
        status = report_rows(connection, checks[i], NULL, fault, context, err);
    reader_give(backend, connection);
    if (status == STATUS_OK)
        status = check_words(backend, fault, context, err);
    return status;
}
