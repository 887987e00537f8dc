/* query.c: a record_query as SQL: texts of our own, every value a parameter. */
#include <stdlib.h>

#include "catalog/postgres/postgres_int.h"

/* A statement in the making. */
struct builder {
    struct buf sql;
    struct pg_parameters *parameters;
    struct arena *arena;
    struct error *err;
};

/* The number of the value added last. */
static int last(const struct builder *b)
{
    return b->parameters->len;
}

static void add_copy(struct builder *b, struct buf *buf)
{
    if (buf_failed(buf))
        b->parameters->failed = true;
    else
        pg_add_text(b->parameters, buf_str(buf));
    buf_release(buf);
}

/* '*' and '?' as LIKE's '%' and '_'; what LIKE would take for its own is escaped. */
static void add_glob(struct builder *b, struct str pattern)
{
    struct buf buf;
    buf_init(&buf, 3 * RECORD_TEXT_MAX);
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.data[i];
        if (c == '%' || c == '_' || c == '\\')
            buf_append_char(&buf, '\\');
        buf_append_char(&buf, c == '*' ? '%' : c == '?' ? '_' : c);
    }
    add_copy(b, &buf);
}

/* {"path": scalar}: jsonb's containment compares numbers by value, and scalars with scalars. */
static void append_json_match(struct builder *b, const struct match *match)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, RECORD_JSON_MAX);
    json_writer_init(&w, &buf);
    json_begin_object(&w);
    json_key(&w, match->path);
    json_raw(&w, match->json);
    json_end_object(&w);
    add_copy(b, &buf);
    buf_printf(&b->sql, " AND r.%s_j @> as_jsonb($%d)", record_field_info[match->field].member,
               last(b));
}

static void append_match(struct builder *b, const struct match *match)
{
    static const char *const compare[] = {
        [MATCH_EQ] = "=",   [MATCH_NE] = "<>", [MATCH_LT] = "<",
        [MATCH_LTE] = "<=", [MATCH_GT] = ">",  [MATCH_GTE] = ">=",
    };
    const char *column = record_field_info[match->field].member;
    enum record_type type = record_field_info[match->field].type;
    switch (match->op) {
    case MATCH_EQ:
    case MATCH_NE:
    case MATCH_LT:
    case MATCH_LTE:
    case MATCH_GT:
    case MATCH_GTE:
        if (type == RECORD_TEXT)
            pg_add_text(b->parameters, match->values[0]);
        else
            pg_add_number(b->parameters, match->number);
        buf_printf(&b->sql, type == RECORD_BOOL ? " AND r.%s::int%s$%d" : " AND r.%s%s$%d", column,
                   compare[match->op], last(b));
        return;
    case MATCH_IN:
        pg_add_texts(b->parameters, match->values, match->values_len);
        buf_printf(&b->sql, " AND r.%s = ANY($%d::text[])", column, last(b));
        return;
    case MATCH_PREFIX:
        pg_add_text(b->parameters, match->values[0]);
        buf_printf(&b->sql, " AND starts_with(r.%s,$%d)", column, last(b));
        return;
    case MATCH_GLOB:
        add_glob(b, match->values[0]);
        buf_printf(&b->sql, " AND r.%s LIKE $%d", column, last(b));
        return;
    case MATCH_HAS:
        pg_add_texts(b->parameters, match->values, match->values_len);
        buf_printf(&b->sql, " AND r.%s @> $%d::text[]", column, last(b));
        return;
    case MATCH_JSON:
        append_json_match(b, match);
        return;
    }
}

/* 'w1':* & 'w2':*; words hold letters, digits and bytes >= 0x80 only, so quotes suffice. */
static void append_text(struct builder *b, struct str text)
{
    struct str words[QUERY_WORDS_MAX];
    uint32_t len = text_words(text, b->arena, words, QUERY_WORDS_MAX);
    struct buf buf;
    if (!len)
        return;
    buf_init(&buf, 8 * QUERY_TEXT_MAX);
    for (uint32_t i = 0; i < len; i++)
        buf_printf(&buf, "%s'%.*s':*", i ? " & " : "", STR_ARG(words[i]));
    add_copy(b, &buf);
    buf_printf(&b->sql, " AND r.words @@ $%d::tsquery", last(b));
}

static void append_filters(struct builder *b, const struct record_query *query)
{
    static const char *const deleted[] = {
        [DELETED_HIDE] = " AND r.deleted_us=0",
        [DELETED_ONLY] = " AND r.deleted_us<>0",
        [DELETED_SHOW] = "",
    };
    pg_add_text(b->parameters, query->tenant);
    buf_printf(&b->sql, " FROM %s AS r WHERE r.tenant=$%d%s", domain_name(query->domain), last(b),
               deleted[query->deleted]);
    for (uint32_t i = 0; i < query->matches_len; i++)
        append_match(b, &query->matches[i]);
    if (query->visible) {
        pg_add_text(b->parameters, query->visible->owner);
        pg_add_texts(b->parameters, query->visible->ids, query->visible->ids_len);
        buf_printf(&b->sql, " AND (r.is_public OR r.owner=$%d OR r.id = ANY($%d::text[]))",
                   last(b) - 1, last(b));
    }
    append_text(b, query->text);
}

static enum status append_page(struct builder *b, const struct record_query *query)
{
    const char *order = record_field_info[query->order].member;
    const char *direction = query->descending ? " DESC" : "";
    if (query->cursor.len) {
        struct cursor cursor;
        TRY(cursor_read(query, b->arena, &cursor, b->err));
        if (record_field_info[query->order].type == RECORD_TEXT)
            pg_add_text(b->parameters, cursor.text);
        else
            pg_add_number(b->parameters, cursor.number);
        pg_add_text(b->parameters, cursor.id);
        buf_printf(&b->sql, " AND (r.%s,r.id)%s($%d,$%d)", order, query->descending ? "<" : ">",
                   last(b) - 1, last(b));
    }
    pg_add_number(b->parameters, (int64_t)query->limit + 1);
    buf_printf(&b->sql, " ORDER BY r.%s%s,r.id%s LIMIT $%d", order, direction, direction, last(b));
    return STATUS_OK;
}

static enum status run(struct builder *b, struct postgres_backend *backend,
                       struct pg_connection **connection, PGresult **ret)
{
    TRY(buf_check(&b->sql, "the query", b->err));
    return pg_select(backend, connection, buf_str(&b->sql), b->parameters, ret, b->err);
}

static enum status count_records(struct builder *b, struct postgres_backend *backend,
                                 struct pg_connection **connection,
                                 const struct record_query *query, int64_t *ret)
{
    PGresult *result = NULL;
    buf_clear(&b->sql);
    b->parameters->len = 0;
    buf_printf(&b->sql, "SELECT count(*)");
    append_filters(b, query);
    TRY(run(b, backend, connection, &result));
    *ret = pg_value_int(result, 0, 0);
    PQclear(result);
    return STATUS_OK;
}

static enum status read_page(const PGresult *result, const struct record_query *query,
                             struct arena *arena, struct record_page *ret, struct error *err)
{
    ret->records = arena_array(arena, query->limit, sizeof *ret->records);
    if (!ret->records)
        return error_no_memory(err);
    for (int row = 0; row < PQntuples(result) && ret->len < query->limit; row++)
        TRY(pg_row_read(result, row, query->domain, arena, &ret->records[ret->len++], err));
    if (PQntuples(result) > (int)query->limit)
        return cursor_write(query, &ret->records[ret->len - 1], arena, &ret->next, err);
    return STATUS_OK;
}

static enum status run_query(struct builder *b, struct postgres_backend *backend,
                             struct pg_connection **connection, const struct record_query *query,
                             struct record_page *ret)
{
    PGresult *result = NULL;
    buf_printf(&b->sql, "SELECT %s", backend->columns[query->domain]);
    append_filters(b, query);
    TRY(append_page(b, query));
    TRY(run(b, backend, connection, &result));
    enum status status = read_page(result, query, b->arena, ret, b->err);
    PQclear(result);
    if (status == STATUS_OK && query->count)
        status = count_records(b, backend, connection, query, &ret->total);
    return status;
}

static enum status builder_init(struct builder *b, struct arena *arena, struct error *err)
{
    *b = (struct builder){
        .parameters = ARENA_NEW(arena, struct pg_parameters), .arena = arena, .err = err};
    if (!b->parameters)
        return error_no_memory(err);
    b->parameters->arena = arena;
    buf_init(&b->sql, 1 << 20);
    return STATUS_OK;
}

enum status postgres_query(struct backend *base, const struct record_query *query,
                           struct arena *arena, struct record_page *ret, struct error *err)
{
    struct postgres_backend *backend = (struct postgres_backend *)base;
    struct pg_connection *connection = NULL;
    struct builder builder;
    TRY(builder_init(&builder, arena, err));
    enum status status = pg_take(backend, &connection, err);
    if (status == STATUS_OK) {
        status = run_query(&builder, backend, &connection, query, ret);
        pg_give(backend, connection);
    }
    buf_release(&builder.sql);
    return status;
}

/* --- groups --- */

/* sum() of bigint is numeric: back to what fits. */
static void append_group(struct builder *b, const struct group_query *query, const char *value)
{
    buf_printf(&b->sql, "SELECT %s,count(*)", value);
    for (uint32_t i = 0; i < query->numbers_len; i++) {
        const char *member = record_field_info[query->numbers[i]].member;
        buf_printf(&b->sql,
                   ",coalesce(sum(r.%s),0)::bigint,coalesce(min(r.%s),0),"
                   "coalesce(max(r.%s),0)",
                   member, member, member);
    }
}

static enum status read_groups(const PGresult *result, const struct group_query *query,
                               struct arena *arena, struct group_answer *ret, struct error *err)
{
    int rows = PQntuples(result);
    if (rows > GROUP_ROWS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "there are more than %d groups",
                         GROUP_ROWS_MAX);
    ret->rows = arena_array(arena, (size_t)rows + 1, sizeof *ret->rows);
    if (!ret->rows)
        return error_no_memory(err);
    for (int at = 0; at < rows; at++) {
        struct group_row *row = &ret->rows[ret->len++];
        row->value = arena_str(arena, pg_value_text(result, at, 0));
        if (!row->value.data)
            return error_no_memory(err);
        row->count = pg_value_int(result, at, 1);
        for (int i = 0; i < (int)query->numbers_len; i++) {
            row->sum[i] = pg_value_int(result, at, 2 + 3 * i);
            row->min[i] = pg_value_int(result, at, 3 + 3 * i);
            row->max[i] = pg_value_int(result, at, 4 + 3 * i);
        }
    }
    return STATUS_OK;
}

static enum status run_group(struct builder *b, struct postgres_backend *backend,
                             struct pg_connection **connection, const struct group_query *query,
                             struct group_answer *ret)
{
    const char *by = query->by == GROUP_ALL ? NULL : record_field_info[query->by].member;
    bool list = by && record_field_info[query->by].type == RECORD_LIST;
    PGresult *result = NULL;
    if (list) {
        append_group(b, query, "g.value");
        buf_printf(&b->sql, " FROM (SELECT *");
        append_filters(b, &query->records);
        buf_printf(&b->sql, ") AS r CROSS JOIN unnest(r.%s) AS g(value)", by);
    } else {
        append_group(b, query, by ? arena_printf(b->arena, "r.%s", by) : "''");
        append_filters(b, &query->records);
    }
    if (by) {
        pg_add_number(b->parameters, GROUP_ROWS_MAX + 1);
        buf_printf(&b->sql, " GROUP BY 1 ORDER BY 1 LIMIT $%d", last(b));
    }
    TRY(run(b, backend, connection, &result));
    enum status status = read_groups(result, query, b->arena, ret, b->err);
    PQclear(result);
    return status;
}

enum status postgres_group(struct backend *base, const struct group_query *query,
                           struct arena *arena, struct group_answer *ret, struct error *err)
{
    struct postgres_backend *backend = (struct postgres_backend *)base;
    struct pg_connection *connection = NULL;
    struct builder builder;
    TRY(builder_init(&builder, arena, err));
    enum status status = pg_take(backend, &connection, err);
    if (status == STATUS_OK) {
        status = run_group(&builder, backend, &connection, query, ret);
        pg_give(backend, connection);
    }
    buf_release(&builder.sql);
    return status;
}
