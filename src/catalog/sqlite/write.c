/* write.c: commits, many in one transaction, which is synced once (commit_queue.h).
 *
 * A commit that is refused drops out of its group. Nearly always its first change is refused, and
 * has then changed nothing. Else the transaction is rolled back and run anew without it, which is
 * dearer than a savepoint for each commit, but rare. When the transaction itself fails, every
 * commit in it gets that failure. */
#include "catalog/sqlite/sqlite_int.h"

static enum status step_write(struct connection *connection, sqlite3_stmt *stmt, int *ret_code,
                              struct error *err)
{
    int code = sqlite3_step(stmt);
    *ret_code = sqlite3_extended_errcode(connection->db);
    enum status status = code == SQLITE_DONE ? STATUS_OK : connection_failed(connection, err);
    statement_done(stmt);
    return status;
}

static enum status list_json(const struct str_list *list, struct buf *buf, struct error *err)
{
    struct json_writer w;
    json_writer_init(&w, buf);
    json_begin_array(&w);
    for (uint32_t i = 0; i < list->len; i++)
        json_string(&w, list->items[i]);
    json_end_array(&w);
    return buf_check(buf, "a list", err);
}

static enum status bind_field(sqlite3_stmt *stmt, int at, const struct record *record,
                              enum record_field field, struct error *err)
{
    struct str text;
    switch (record_field_info[field].type) {
    case RECORD_TEXT:
        bind_text(stmt, at, record_get_text(record, field));
        return STATUS_OK;
    case RECORD_JSON:
        text = record_get_text(record, field);
        bind_text(stmt, at, text.len ? text : STR("{}"));
        return STATUS_OK;
    case RECORD_LIST: {
        struct buf buf;
        buf_init(&buf, 1 << 20);
        enum status status = list_json(record_get_list(record, field), &buf, err);
        if (status == STATUS_OK)
            sqlite3_bind_text64(stmt, at, buf.data, buf.len, SQLITE_TRANSIENT, SQLITE_UTF8);
        buf_release(&buf);
        return status;
    }
    case RECORD_INT:
    case RECORD_BOOL:
    case RECORD_TIME:
        break;
    }
    sqlite3_bind_int64(stmt, at, record_get_int(record, field));
    return STATUS_OK;
}

static enum status bind_record(sqlite3_stmt *stmt, const struct record *record, struct error *err)
{
    int at = 0;
    for (int i = 0; i < RECORD_FIELD_COUNT; i++)
        if (record_has_field(record->domain, (enum record_field)i))
            TRY(bind_field(stmt, ++at, record, (enum record_field)i, err));
    return STATUS_OK;
}

/* Whether the id is taken; *ret_revision 0 when it is not this tenant's. */
static enum status stored_revision(struct sqlite_backend *backend, const struct record *record,
                                   bool *ret_exists, int64_t *ret_revision, struct error *err)
{
    char sql[128];
    sqlite3_stmt *stmt = NULL;
    sqlite3_snprintf(sizeof sql, sql, "SELECT revision, tenant=?2 FROM %s WHERE id=?1",
                     domain_name(record->domain));
    TRY(connection_prepare(&backend->writer, str_of(sql), &stmt, err));
    bind_text(stmt, 1, record->id);
    bind_text(stmt, 2, record->tenant);
    int code = sqlite3_step(stmt);
    *ret_exists = code == SQLITE_ROW;
    *ret_revision = *ret_exists && sqlite3_column_int(stmt, 1) ? sqlite3_column_int64(stmt, 0) : 0;
    enum status status = code == SQLITE_ROW || code == SQLITE_DONE
                             ? STATUS_OK
                             : connection_failed(&backend->writer, err);
    statement_done(stmt);
    return status;
}

/* INSERT or UPDATE; a key that is taken is a conflict. */
static enum status write_record(struct sqlite_backend *backend, const char *sql,
                                const struct record *record, uint32_t at, struct commit_result *ret,
                                struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int code = 0;
    TRY(connection_prepare(&backend->writer, str_of(sql), &stmt, err));
    enum status status = bind_record(stmt, record, err);
    if (status != STATUS_OK) {
        statement_done(stmt);
        return status;
    }
    status = step_write(&backend->writer, stmt, &code, err);
    if (status != STATUS_OK && code == SQLITE_CONSTRAINT_UNIQUE) {
        bool exists = false;
        int64_t revision = 0;
        if (sql == backend->insert[record->domain])
            TRY(stored_revision(backend, record, &exists, &revision, err));
        return commit_refused(ret, exists ? CONFLICT_ID : CONFLICT_KEY, at, 0, err);
    }
    return status;
}

/* The stored record is there and, when one is expected, has that revision. */
static enum status check_stored(struct sqlite_backend *backend, const struct change *change,
                                uint32_t at, struct commit_result *ret, struct error *err)
{
    bool exists = false;
    int64_t revision = 0;
    TRY(stored_revision(backend, change->record, &exists, &revision, err));
    if (!revision)
        return commit_refused(ret, CONFLICT_MISSING, at, 0, err);
    bool any = change->kind == CHANGE_REMOVE && !change->expected;
    if (!any && revision != change->expected)
        return commit_refused(ret, CONFLICT_REVISION, at, revision, err);
    return STATUS_OK;
}

static enum status remove_record(struct sqlite_backend *backend, const struct record *record,
                                 struct error *err)
{
    char sql[64];
    sqlite3_stmt *stmt = NULL;
    int code = 0;
    sqlite3_snprintf(sizeof sql, sql, "DELETE FROM %s WHERE id=?1", domain_name(record->domain));
    TRY(connection_prepare(&backend->writer, str_of(sql), &stmt, err));
    bind_text(stmt, 1, record->id);
    return step_write(&backend->writer, stmt, &code, err);
}

static enum status touch_record(struct sqlite_backend *backend, const struct record *record,
                                struct error *err)
{
    char sql[160];
    sqlite3_stmt *stmt = NULL;
    int code = 0;
    bool counts = record_has_field(record->domain, RECORD_access_count);
    if (!record_has_field(record->domain, RECORD_accessed_us))
        return STATUS_OK;
    sqlite3_snprintf(sizeof sql, sql,
                     "UPDATE %s SET accessed_us=max(accessed_us,?3)%s WHERE id=?1 AND tenant=?2",
                     domain_name(record->domain), counts ? ",access_count=access_count+?4" : "");
    TRY(connection_prepare(&backend->writer, str_of(sql), &stmt, err));
    bind_text(stmt, 1, record->id);
    bind_text(stmt, 2, record->tenant);
    sqlite3_bind_int64(stmt, 3, record->accessed_us);
    if (counts)
        sqlite3_bind_int64(stmt, 4, record->access_count);
    return step_write(&backend->writer, stmt, &code, err);
}

static enum status apply_change(struct sqlite_backend *backend, const struct change *change,
                                uint32_t at, struct commit_result *ret, struct error *err)
{
    const struct record *record = change->record;
    switch (change->kind) {
    case CHANGE_INSERT:
        return write_record(backend, backend->insert[record->domain], record, at, ret, err);
    case CHANGE_UPDATE:
        TRY(check_stored(backend, change, at, ret, err));
        return write_record(backend, backend->update[record->domain], record, at, ret, err);
    case CHANGE_REMOVE:
        TRY(check_stored(backend, change, at, ret, err));
        return remove_record(backend, record, err);
    case CHANGE_TOUCH:
        return touch_record(backend, record, err);
    }
    return STATUS_OK;
}

/* --- groups --- */

struct commit {
    struct queued_commit queued;
    const struct change *changes;
    struct commit_result result;
    struct error error;
    enum status status;
    bool refused; /* by what is stored, or by its own size: nobody else's affair */
};

static enum status run(struct connection *connection, struct str sql, struct error *err)
{
    sqlite3_stmt *stmt = NULL;
    int code = 0;
    TRY(connection_prepare(connection, sql, &stmt, err));
    return step_write(connection, stmt, &code, err);
}

/* *ret_undo: it was refused when it had changed something already. */
static enum status apply_commit(struct sqlite_backend *backend, struct commit *commit,
                                bool *ret_undo, struct error *err)
{
    uint32_t at = 0;
    commit->error = ERROR_INIT;
    commit->status = STATUS_OK;
    for (; at < commit->queued.changes && commit->status == STATUS_OK; at++)
        commit->status =
            apply_change(backend, &commit->changes[at], at, &commit->result, &commit->error);
    if (commit->status == STATUS_OK)
        return STATUS_OK;
    commit->refused =
        commit->result.conflict != CONFLICT_NONE || commit->status == STATUS_RESOURCE_LIMIT;
    *ret_undo = at > 1;
    if (commit->refused)
        return STATUS_OK;
    *err = commit->error;
    return commit->status;
}

/* Until one has to be undone. */
static enum status apply_group(struct sqlite_backend *backend, struct queued_commit *first,
                               bool *ret_undo, struct error *err)
{
    *ret_undo = false;
    for (; first && !*ret_undo; first = first->next)
        if (!((struct commit *)first)->refused)
            TRY(apply_commit(backend, (struct commit *)first, ret_undo, err));
    return STATUS_OK;
}

/* Again and again without those that had to be undone; what was decided before them stays so. */
static enum status apply_all(struct sqlite_backend *backend, struct queued_commit *first,
                             struct error *err)
{
    for (bool undo = true; undo;) {
        TRY(run(&backend->writer, STR("BEGIN IMMEDIATE"), err));
        TRY(apply_group(backend, first, &undo, err));
        if (undo)
            TRY(run(&backend->writer, STR("ROLLBACK"), err));
    }
    return STATUS_OK;
}

static enum status run_transaction(struct sqlite_backend *backend, struct queued_commit *first,
                                   struct error *err)
{
    enum status status = apply_all(backend, first, err);
    if (status == STATUS_OK)
        status = sqlite_journal_mark(&backend->writer, err);
    if (status == STATUS_OK)
        status = run(&backend->writer, STR("COMMIT"), err);
    /* The first failure is the news; without an open transaction this one says nothing. */
    if (status != STATUS_OK)
        (void)connection_run(&backend->writer, "ROLLBACK", NULL);
    return status;
}

void sqlite_write_group(void *backend, struct queued_commit *first)
{
    struct error err = ERROR_INIT;
    enum status status = run_transaction(backend, first, &err);
    for (; status != STATUS_OK && first; first = first->next) {
        struct commit *commit = (struct commit *)first;
        commit->status = status;
        commit->error = err;
        commit->result = (struct commit_result){0};
    }
}

enum status sqlite_commit(struct backend *base, const struct change *changes, uint32_t len,
                          struct commit_result *ret, struct error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct commit commit = {.queued.changes = len, .changes = changes};
    commit_queue_run(&backend->commits, &commit.queued);
    *ret = commit.result;
    if (commit.status != STATUS_OK && err)
        *err = commit.error;
    return commit.status;
}
