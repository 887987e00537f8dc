/* write.c: commits, many in one transaction.
 *
 * 1. A commit is queued. If nobody writes, its thread becomes the writer, else it waits.
 * 2. The writer takes what is queued (COMMITS_TOGETHER_MAX at the most) and runs it in one
 *    transaction, each commit in a savepoint: one that is refused is undone alone.
 * 3. It commits (one sync), tells those that wait, and the next of them becomes the writer.
 *
 * When the transaction itself fails, it is rolled back and every commit in it gets that failure. */
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

/* One commit inside the transaction. A conflict is its own affair; another failure is everyone's.
 */
static enum status apply_commit(struct sqlite_backend *backend, struct pending *commit,
                                struct error *err)
{
    commit->error = ERROR_INIT;
    commit->status = STATUS_OK;
    TRY(connection_run(&backend->writer, "SAVEPOINT one", err));
    for (uint32_t i = 0; i < commit->len && commit->status == STATUS_OK; i++)
        commit->status =
            apply_change(backend, &commit->changes[i], i, &commit->result, &commit->error);
    if (commit->status == STATUS_OK)
        return connection_run(&backend->writer, "RELEASE one", err);
    bool own = commit->result.conflict != CONFLICT_NONE || commit->status == STATUS_RESOURCE_LIMIT;
    if (!own) {
        *err = commit->error;
        return commit->status;
    }
    return connection_run(&backend->writer, "ROLLBACK TO one; RELEASE one", err);
}

static enum status run_transaction(struct sqlite_backend *backend, struct pending *first,
                                   struct error *err)
{
    TRY(connection_run(&backend->writer, "BEGIN IMMEDIATE", err));
    enum status status = STATUS_OK;
    for (struct pending *commit = first; commit && status == STATUS_OK; commit = commit->next)
        status = apply_commit(backend, commit, err);
    if (status == STATUS_OK)
        status = sqlite_journal_mark(&backend->writer, err);
    if (status == STATUS_OK)
        status = connection_run(&backend->writer, "COMMIT", err);
    /* The first failure is the news; without an open transaction this one says nothing. */
    if (status != STATUS_OK)
        (void)connection_run(&backend->writer, "ROLLBACK", NULL);
    return status;
}

static void write_together(struct sqlite_backend *backend, struct pending *first)
{
    struct error err = ERROR_INIT;
    enum status status = run_transaction(backend, first, &err);
    if (status == STATUS_OK)
        return;
    for (struct pending *commit = first; commit; commit = commit->next) {
        commit->status = status;
        commit->error = err;
        commit->result = (struct commit_result){0};
    }
}

/* Takes up to COMMITS_TOGETHER_MAX off the queue. With the lock. */
static struct pending *take_waiting(struct sqlite_backend *backend)
{
    struct pending *first = backend->waiting, *last = first;
    for (int i = 1; i < COMMITS_TOGETHER_MAX && last->next; i++)
        last = last->next;
    backend->waiting = last->next;
    if (!backend->waiting)
        backend->waiting_end = &backend->waiting;
    last->next = NULL;
    return first;
}

/* Writes what waits, one's own commit perhaps with it. With the lock, which is let go meanwhile. */
static void write_turn(struct sqlite_backend *backend)
{
    struct pending *first = take_waiting(backend);
    backend->writing = true;
    pthread_mutex_unlock(&backend->write_lock);
    write_together(backend, first);
    pthread_mutex_lock(&backend->write_lock);
    backend->writing = false;
    while (first) {
        struct pending *next = first->next; /* a commit that is done may be gone at once */
        first->done = true;
        first = next;
    }
    pthread_cond_broadcast(&backend->written);
}

enum status sqlite_commit(struct backend *base, const struct change *changes, uint32_t len,
                          struct commit_result *ret, struct error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct pending commit = {.changes = changes, .len = len};
    pthread_mutex_lock(&backend->write_lock);
    *backend->waiting_end = &commit;
    backend->waiting_end = &commit.next;
    while (!commit.done) {
        if (backend->writing)
            pthread_cond_wait(&backend->written, &backend->write_lock);
        else
            write_turn(backend);
    }
    pthread_mutex_unlock(&backend->write_lock);
    *ret = commit.result;
    if (commit.status != STATUS_OK && err)
        *err = commit.error;
    return commit.status;
}

void writer_take(struct sqlite_backend *backend)
{
    pthread_mutex_lock(&backend->write_lock);
    while (backend->writing)
        pthread_cond_wait(&backend->written, &backend->write_lock);
    backend->writing = true;
    pthread_mutex_unlock(&backend->write_lock);
}

void writer_give(struct sqlite_backend *backend)
{
    pthread_mutex_lock(&backend->write_lock);
    backend->writing = false;
    pthread_cond_broadcast(&backend->written);
    pthread_mutex_unlock(&backend->write_lock);
}
