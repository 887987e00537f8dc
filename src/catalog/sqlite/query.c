/* query.c: pages of matching records. */
#include "catalog/sqlite/builder_int.h"

/* Columns carry the alias where SQL of joined parts (json_each) could mean another column. */
static void append_order(struct builder *b, const struct record_query *query)
{
    const char *direction = query->descending ? " DESC" : "";
    buf_printf(&b->sql, " ORDER BY r.%s%s,r.id%s", record_field_info[query->order].member,
               direction, direction);
}

static enum status append_page(struct builder *b, const struct record_query *query)
{
    if (query->cursor.len) {
        struct cursor cursor;
        TRY(cursor_read(query, b->arena, &cursor, b->err));
        buf_printf(&b->sql, " AND (r.%s,r.id)%s(?,?)", record_field_info[query->order].member,
                   query->descending ? "<" : ">");
        if (record_field_info[query->order].type == RECORD_TEXT)
            sqlite_add_text(b, cursor.text);
        else
            add_int(b, cursor.number);
        sqlite_add_text(b, cursor.id);
    }
    append_order(b, query);
    buf_printf(&b->sql, " LIMIT ?");
    add_int(b, (int64_t)query->limit + 1);
    return STATUS_OK;
}

static enum status count_records(struct builder *b, struct connection *connection,
                                 const struct record_query *query, int64_t *ret)
{
    sqlite3_stmt *stmt = NULL;
    struct start other;
    TRY(choose_start(b, connection, query, false, &other));
    builder_clear(b);
    buf_printf(&b->sql, "SELECT count(*)");
    TRY(sqlite_add_filters(b, query));
    TRY(builder_prepare(b, connection, &stmt));
    enum status status = STATUS_OK;
    if (sqlite3_step(stmt) == SQLITE_ROW)
        *ret = sqlite3_column_int64(stmt, 0);
    else
        status = connection_failed(connection, b->err);
    statement_done(stmt);
    return status;
}

static enum status read_page(struct connection *connection, sqlite3_stmt *stmt,
                             const struct record_query *query, struct arena *arena,
                             struct record_page *ret, struct error *err)
{
    int code = SQLITE_DONE;
    ret->records = arena_array(arena, query->limit, sizeof *ret->records);
    if (!ret->records)
        return error_no_memory(err);
    while (ret->len < query->limit && (code = sqlite3_step(stmt)) == SQLITE_ROW)
        TRY(row_read(stmt, query->domain, arena, &ret->records[ret->len++], err));
    if (ret->len == query->limit && (code = sqlite3_step(stmt)) == SQLITE_ROW)
        return cursor_write(query, &ret->records[ret->len - 1], arena, &ret->next, err);
    return code == SQLITE_DONE ? STATUS_OK : connection_failed(connection, err);
}

static void append_columns(struct builder *b, enum domain domain)
{
    const char *comma = "SELECT ";
    for (int i = 0; i < RECORD_FIELD_COUNT; i++) {
        if (!record_has_field(domain, (enum record_field)i))
            continue;
        buf_printf(&b->sql, "%sr.%s", comma, record_field_info[i].member);
        comma = ",";
    }
}

/* Where rows have to be sorted, their numbers are, and the page's rows are read after that. */
static enum status append_select(struct builder *b, const struct record_query *query)
{
    bool sorts = b->start.at != START_ORDER;
    append_columns(b, query->domain);
    if (sorts)
        buf_printf(&b->sql, " FROM assets AS r WHERE r.seq IN (SELECT r.seq");
    TRY(sqlite_add_filters(b, query));
    TRY(append_page(b, query));
    if (!sorts)
        return STATUS_OK;
    buf_printf(&b->sql, ")");
    append_order(b, query);
    return STATUS_OK;
}

static enum status run_page(struct builder *b, struct connection *connection,
                            const struct record_query *query, struct record_page *ret)
{
    sqlite3_stmt *stmt = NULL;
    builder_clear(b);
    TRY(append_select(b, query));
    TRY(builder_prepare(b, connection, &stmt));
    start_walk(connection);
    enum status status = read_page(connection, stmt, query, b->arena, ret, b->err);
    statement_done(stmt);
    return status;
}

static enum status run_query(struct builder *b, struct connection *connection,
                             const struct record_query *query, struct record_page *ret)
{
    struct start other;
    TRY(choose_start(b, connection, query, true, &other));
    enum status status = run_page(b, connection, query, ret);
    if (status != STATUS_OK && b->start.bounded && connection->walk_ended) {
        *ret = (struct record_page){.total = -1};
        b->start = other;
        status = run_page(b, connection, query, ret);
    }
    if (status == STATUS_OK && query->count)
        status = count_records(b, connection, query, &ret->total);
    return status;
}

enum status sqlite_query(struct backend *base, const struct record_query *query,
                         struct arena *arena, struct record_page *ret, struct error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct builder builder;
    struct connection *connection = NULL;
    TRY(reader_take(backend, &connection, err));
    sqlite_builder_init(&builder, query->domain, arena, err);
    enum status status = run_query(&builder, connection, query, ret);
    builder_release(&builder);
    reader_give(backend, connection);
    return status;
}
