/* group.c: counts and sums of matching records. */
#include "catalog/sqlite/builder_int.h"

static void append_group(struct builder *b, const struct group_query *query, bool list)
{
    const char *by = query->by == GROUP_ALL ? NULL : record_field_info[query->by].member;
    buf_printf(&b->sql, "SELECT %s%s,count(*)",
               !by    ? "''"
               : list ? "g.value"
                      : "r.",
               by && !list ? by : "");
    for (uint32_t i = 0; i < query->numbers_len; i++) {
        const char *member = record_field_info[query->numbers[i]].member;
        buf_printf(&b->sql, ",sum(r.%s),min(r.%s),max(r.%s)", member, member, member);
    }
}

static enum status read_groups(struct connection *connection, sqlite3_stmt *stmt,
                               const struct group_query *query, struct arena *arena,
                               struct group_answer *ret, struct error *err)
{
    uint32_t cap = 0;
    int code;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        if (ret->len == GROUP_ROWS_MAX)
            return error_set(err, STATUS_RESOURCE_LIMIT, "there are more than %d groups",
                             GROUP_ROWS_MAX);
        if (ret->len == cap) {
            cap = cap ? cap * 2 : 16;
            struct group_row *rows = arena_array(arena, cap, sizeof *rows);
            if (!rows)
                return error_no_memory(err);
            if (ret->len)
                memcpy(rows, ret->rows, ret->len * sizeof *rows);
            ret->rows = rows;
        }
        struct group_row *row = &ret->rows[ret->len++];
        row->value = arena_str(arena, str_make((const char *)sqlite3_column_text(stmt, 0),
                                               (size_t)sqlite3_column_bytes(stmt, 0)));
        if (!row->value.data)
            return error_no_memory(err);
        row->count = sqlite3_column_int64(stmt, 1);
        for (uint32_t i = 0; i < query->numbers_len; i++) {
            row->sum[i] = sqlite3_column_int64(stmt, (int)(2 + 3 * i));
            row->min[i] = sqlite3_column_int64(stmt, (int)(3 + 3 * i));
            row->max[i] = sqlite3_column_int64(stmt, (int)(4 + 3 * i));
        }
    }
    return code == SQLITE_DONE ? STATUS_OK : connection_failed(connection, err);
}

/* A LIST field is joined with its entries; append_filters begins with FROM, so the join goes into
 * a sub-query of matching rows. */
static enum status run_group(struct builder *b, struct connection *connection,
                             const struct group_query *query, struct group_answer *ret)
{
    bool list = query->by != GROUP_ALL && record_field_info[query->by].type == RECORD_LIST;
    sqlite3_stmt *stmt = NULL;
    struct start other;
    TRY(choose_start(b, connection, &query->records, false, &other));
    append_group(b, query, list);
    if (list) {
        buf_printf(&b->sql, " FROM (SELECT *");
        TRY(sqlite_add_filters(b, &query->records));
        buf_printf(&b->sql, ") AS r, json_each(r.%s) AS g", record_field_info[query->by].member);
    } else {
        TRY(sqlite_add_filters(b, &query->records));
    }
    if (query->by != GROUP_ALL)
        buf_printf(&b->sql, " GROUP BY 1 ORDER BY 1");
    TRY(builder_prepare(b, connection, &stmt));
    enum status status = read_groups(connection, stmt, query, b->arena, ret, b->err);
    statement_done(stmt);
    return status;
}

enum status sqlite_group(struct backend *base, const struct group_query *query, struct arena *arena,
                         struct group_answer *ret, struct error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct builder builder;
    struct connection *connection = NULL;
    TRY(reader_take(backend, &connection, err));
    sqlite_builder_init(&builder, query->records.domain, arena, err);
    enum status status = run_group(&builder, connection, query, ret);
    builder_release(&builder);
    reader_give(backend, connection);
    return status;
}
