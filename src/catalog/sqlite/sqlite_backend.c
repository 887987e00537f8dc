/* sqlite_backend.c: opening and closing; the statements that are made once. */
#include "catalog/sqlite/sqlite_backend.h"

#include <stdlib.h>

#include "catalog/sqlite/sqlite_int.h"

static enum status sqlite_health(struct backend *base, struct error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct connection *connection = NULL;
    TRY(reader_take(backend, &connection, err));
    enum status status = connection_run(connection, "SELECT 1 FROM assets LIMIT 1", err);
    reader_give(backend, connection);
    return status;
}

static void close_reader(struct pool_item *item)
{
    sqlite_connection_close((struct connection *)item);
    free(item);
}

static void sqlite_close(struct backend *base)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    pool_release(&backend->readers, close_reader);
    sqlite_connection_close(&backend->writer);
    for (int i = 0; i < DOMAIN_COUNT; i++) {
        free(backend->columns[i]);
        free(backend->insert[i]);
        free(backend->update[i]);
    }
    commit_queue_release(&backend->commits);
    free(backend->path);
    free(backend);
}

static const struct backend_ops sqlite_ops = {
    .name = "sqlite",
    .get = sqlite_get,
    .get_now = sqlite_get_now,
    .find = sqlite_find,
    .query = sqlite_query,
    .group = sqlite_group,
    .commit = sqlite_commit,
    .scan = sqlite_scan,
    .verify = sqlite_verify,
    .health = sqlite_health,
    .close = sqlite_close,
};

/* What TOUCH counts is not set by an update, see backend.h. */
static void append_assignment(struct buf *buf, enum record_field field, int number)
{
    const char *member = record_field_info[field].member;
    if (field == RECORD_accessed_us)
        buf_printf(buf, "%s=max(%s,?%d)", member, member, number);
    else if (field == RECORD_access_count)
        buf_printf(buf, "%s=%s", member, member);
    else
        buf_printf(buf, "%s=?%d", member, number);
}

/* Parameters are numbered alike in both: the fields of the domain in order, from 1; id is 1. */
static enum status make_statements(struct sqlite_backend *backend, enum domain domain,
                                   struct error *err)
{
    struct buf columns, values, update;
    int number = 0;
    buf_init(&columns, 16384);
    buf_init(&values, 16384);
    buf_init(&update, 16384);
    buf_printf(&update, "UPDATE %s SET ", domain_name(domain));
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        enum record_field field = (enum record_field)i;
        if (!record_has_field(domain, field))
            continue;
        const char *comma = number ? "," : "";
        buf_printf(&columns, "%s%s", comma, record_field_info[i].member);
        buf_printf(&values, "%s?%d", comma, ++number);
        if (field == RECORD_id || field == RECORD_tenant || field == RECORD_created_us)
            continue;
        if (number > 3)
            buf_append_char(&update, ',');
        append_assignment(&update, field, number);
    }
    buf_printf(&update, " WHERE id=?1");
    buf_append_char(&columns, 0);
    backend->columns[domain] = buf_take(&columns, NULL);
    if (backend->columns[domain]) {
        struct buf insert;
        buf_init(&insert, 32768);
        buf_printf(&insert, "INSERT INTO %s(%s) VALUES(%.*s)", domain_name(domain),
                   backend->columns[domain], STR_ARG(buf_str(&values)));
        buf_append_char(&insert, 0);
        backend->insert[domain] = buf_take(&insert, NULL);
    }
    buf_append_char(&update, 0);
    backend->update[domain] = buf_take(&update, NULL);
    buf_release(&values);
    bool made = backend->columns[domain] && backend->insert[domain] && backend->update[domain];
    return made ? STATUS_OK : error_no_memory(err);
}

static enum status open_all(struct sqlite_backend *backend, struct error *err)
{
    for (int i = 0; i < DOMAIN_COUNT; i++)
        TRY(make_statements(backend, (enum domain)i, err));
    TRY(sqlite_connection_open(&backend->writer, backend->path, true, backend->busy_timeout_ms,
                               err));
    return schema_migrate(&backend->writer, backend->path, err);
}

enum status sqlite_backend_open(const struct sqlite_backend_options *options,
                                struct backend **ret_backend, struct error *err)
{
    struct sqlite_backend *backend = calloc(1, sizeof *backend);
    if (!backend)
        return error_no_memory(err);
    backend->base.ops = &sqlite_ops;
    pool_init(&backend->readers, options->readers_max ? options->readers_max : 8);
    backend->busy_timeout_ms = options->busy_timeout_ms ? options->busy_timeout_ms : 10000;
    commit_queue_init(&backend->commits, CHANGES_TOGETHER_MAX, sqlite_write_group, backend);
    backend->path = str_dup(str_of(options->path));
    enum status status = backend->path ? open_all(backend, err) : error_no_memory(err);
    if (status != STATUS_OK) {
        sqlite_close(&backend->base);
        return status;
    }
    *ret_backend = &backend->base;
    return STATUS_OK;
}

enum status sqlite_backend_copy(struct backend *base, const char *path, struct error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct connection *connection = NULL;
    sqlite3_stmt *stmt = NULL;
    TRY(reader_take(backend, &connection, err));
    enum status status = connection_run(connection, "PRAGMA query_only=OFF", err);
    if (status == STATUS_OK)
        status = connection_prepare(connection, STR("VACUUM INTO ?1"), &stmt, err);
    if (status == STATUS_OK) {
        bind_text(stmt, 1, str_of(path));
        if (sqlite3_step(stmt) != SQLITE_DONE)
            status = connection_failed(connection, err);
        statement_done(stmt);
    }
    if (status == STATUS_OK)
        status = connection_run(connection, "PRAGMA query_only=ON", err);
    reader_give(backend, connection);
    return status;
}
