/* query.c: a record_query as SQL: texts of our own, every value a parameter. */
#include <stdlib.h>

#include "catalog/sqlite/sqlite_int.h"

enum { PARAMETERS_MAX = 6 * QUERY_MATCHES_MAX + 16 };

struct parameter {
    enum { PARAMETER_TEXT, PARAMETER_INT, PARAMETER_REAL } type;
    struct str text;
    int64_t number;
    double real;
};

/* A statement in the making. */
struct builder {
    struct buf sql;
    struct parameter parameters[PARAMETERS_MAX];
    int parameters_len;
    enum domain domain;
    bool few; /* sqlite_few_assets */
    struct arena *arena;
    struct error *err;
};

static void add_text(struct builder *b, struct str text)
{
    if (b->parameters_len < PARAMETERS_MAX)
        b->parameters[b->parameters_len++] =
            (struct parameter){.type = PARAMETER_TEXT, .text = text};
}

static void add_int(struct builder *b, int64_t number)
{
    if (b->parameters_len < PARAMETERS_MAX)
        b->parameters[b->parameters_len++] =
            (struct parameter){.type = PARAMETER_INT, .number = number};
}

/* The texts as a JSON array, for json_each: one statement whatever their number. */
static enum status add_texts(struct builder *b, const struct str *texts, uint32_t len)
{
    struct buf buf;
    struct json_writer w;
    buf_init(&buf, 4 << 20);
    json_writer_init(&w, &buf);
    json_begin_array(&w);
    for (uint32_t i = 0; i < len; i++)
        json_string(&w, texts[i]);
    json_end_array(&w);
    enum status status = buf_check(&buf, "a list of values", b->err);
    if (status == STATUS_OK) {
        struct str copy = arena_str(b->arena, buf_str(&buf));
        add_text(b, copy);
        status = copy.data ? STATUS_OK : error_no_memory(b->err);
    }
    buf_release(&buf);
    return status;
}

/* SQLite's GLOB also has character classes: '[' stands for itself here. */
static enum status add_glob(struct builder *b, struct str pattern)
{
    struct buf buf;
    buf_init(&buf, 3 * RECORD_TEXT_MAX);
    for (size_t i = 0; i < pattern.len; i++) {
        if (pattern.data[i] == '[')
            buf_append_str(&buf, STR("[[]"));
        else
            buf_append_char(&buf, pattern.data[i]);
    }
    enum status status = buf_check(&buf, "a pattern", b->err);
    if (status == STATUS_OK) {
        struct str copy = arena_str(b->arena, buf_str(&buf));
        add_text(b, copy);
        status = copy.data ? STATUS_OK : error_no_memory(b->err);
    }
    buf_release(&buf);
    return status;
}

static void add_real(struct builder *b, double real)
{
    if (b->parameters_len < PARAMETERS_MAX)
        b->parameters[b->parameters_len++] =
            (struct parameter){.type = PARAMETER_REAL, .real = real};
}

/* A scalar as SQLite's JSON functions give it. */
static enum status add_scalar(struct builder *b, yyjson_val *value)
{
    struct str copy = STR("");
    if (yyjson_is_str(value))
        add_text(b, copy = arena_str(b->arena, json_str_of(value)));
    else if (yyjson_is_bool(value))
        add_int(b, yyjson_get_bool(value));
    else if (yyjson_is_int(value))
        add_int(b, yyjson_get_sint(value));
    else
        add_real(b, yyjson_get_num(value));
    return copy.data ? STATUS_OK : error_no_memory(b->err);
}

/* Narrows to what the table of properties finds; the exact comparison follows it. */
static enum status append_property_rows(struct builder *b, const struct match *match,
                                        yyjson_val *value)
{
    struct str name = sqlite_property_name(match, b->arena);
    if (!name.data)
        return error_no_memory(b->err);
    buf_printf(&b->sql, " AND r.seq IN (SELECT asset FROM asset_properties WHERE name=? AND"
                        " value=?)");
    add_text(b, name);
    return add_scalar(b, value);
}

static enum status append_json_value(struct builder *b, const struct match *match,
                                     yyjson_val *value)
{
    const char *column = record_field_info[match->field].member;
    if (!yyjson_is_str(value) && !yyjson_is_bool(value) && !yyjson_is_num(value)) {
        buf_printf(&b->sql, " AND 0");
        return STATUS_OK;
    }
    if (b->domain == DOMAIN_ASSET && sqlite_property_indexed(match, value))
        TRY(append_property_rows(b, match, value));
    buf_printf(&b->sql, " AND EXISTS(SELECT 1 FROM json_each(r.%s) AS j WHERE j.key=? AND", column);
    add_text(b, match->path);
    buf_printf(&b->sql, " j.type IN (%s) AND j.value=?)",
               yyjson_is_str(value)     ? "'text'"
               : yyjson_is_num(value)   ? "'integer','real'"
               : yyjson_get_bool(value) ? "'true'"
                                        : "'false'");
    return add_scalar(b, value);
}

static enum status append_json_match(struct builder *b, const struct match *match)
{
    yyjson_doc *doc = yyjson_read(match->json.data, match->json.len, 0);
    enum status status = append_json_value(b, match, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return status;
}

static enum status append_list_match(struct builder *b, const struct match *match)
{
    const char *column = record_field_info[match->field].member;
    for (uint32_t i = 0; i < match->values_len; i++) {
        if (match->field == RECORD_tags)
            buf_printf(&b->sql, " AND r.seq IN (SELECT asset FROM asset_tags WHERE tag=?)");
        else
            buf_printf(&b->sql, " AND EXISTS(SELECT 1 FROM json_each(r.%s) AS j WHERE j.value=?)",
                       column);
        if (b->parameters_len + 16 > PARAMETERS_MAX)
            return error_set(b->err, STATUS_RESOURCE_LIMIT, "the query has too many values");
        add_text(b, match->values[i]);
    }
    return STATUS_OK;
}

static enum status append_match(struct builder *b, const struct match *match)
{
    static const char *const compare[] = {
        [MATCH_EQ] = "=",   [MATCH_NE] = "<>", [MATCH_LT] = "<",
        [MATCH_LTE] = "<=", [MATCH_GT] = ">",  [MATCH_GTE] = ">=",
    };
    const char *column = record_field_info[match->field].member;
    bool text = record_field_info[match->field].type == RECORD_TEXT;
    switch (match->op) {
    case MATCH_EQ:
    case MATCH_NE:
    case MATCH_LT:
    case MATCH_LTE:
    case MATCH_GT:
    case MATCH_GTE:
        buf_printf(&b->sql, " AND r.%s%s?", column, compare[match->op]);
        if (text)
            add_text(b, match->values[0]);
        else
            add_int(b, match->number);
        return STATUS_OK;
    case MATCH_IN:
        if (match->values_len == 1) { /* so that an index may also give the order */
            buf_printf(&b->sql, " AND r.%s=?", column);
            add_text(b, match->values[0]);
            return STATUS_OK;
        }
        buf_printf(&b->sql, " AND r.%s IN (SELECT value FROM json_each(?))", column);
        return add_texts(b, match->values, match->values_len);
    case MATCH_PREFIX:
        buf_printf(&b->sql, " AND substr(CAST(r.%s AS BLOB),1,?)=CAST(? AS BLOB)", column);
        add_int(b, (int64_t)match->values[0].len);
        add_text(b, match->values[0]);
        return STATUS_OK;
    case MATCH_GLOB:
        buf_printf(&b->sql, " AND r.%s GLOB ?", column);
        return add_glob(b, match->values[0]);
    case MATCH_HAS:
        return append_list_match(b, match);
    case MATCH_JSON:
        return append_json_match(b, match);
    }
    return STATUS_OK;
}

/* "w1"* AND "w2"*: words hold letters, digits and bytes >= 0x80 only, so quotes suffice. */
static enum status append_text(struct builder *b, struct str text)
{
    struct str words[QUERY_WORDS_MAX];
    uint32_t len = text_words(text, b->arena, words, QUERY_WORDS_MAX);
    struct buf buf;
    if (!len)
        return STATUS_OK;
    buf_init(&buf, 8 * QUERY_TEXT_MAX);
    for (uint32_t i = 0; i < len; i++)
        buf_printf(&buf, "%s\"%.*s\"*", i ? " AND " : "", STR_ARG(words[i]));
    struct str copy = arena_str(b->arena, buf_str(&buf));
    buf_printf(&b->sql, " AND r.seq IN (SELECT rowid FROM asset_words(?))");
    add_text(b, copy);
    enum status status = buf_check(&buf, "the search text", b->err);
    buf_release(&buf);
    return status == STATUS_OK && !copy.data ? error_no_memory(b->err) : status;
}

static enum status append_filters(struct builder *b, const struct record_query *query)
{
    static const char *const deleted[] = {
        [DELETED_HIDE] = " AND r.deleted_us=0",
        [DELETED_ONLY] = " AND r.deleted_us<>0",
        [DELETED_SHOW] = "",
    };
    /* NOT INDEXED leaves the row numbers that the tables of tags and properties give. */
    buf_printf(&b->sql, " FROM %s AS r%s WHERE r.tenant=?%s", domain_name(query->domain),
               b->few ? " NOT INDEXED" : "", deleted[query->deleted]);
    add_text(b, query->tenant);
    for (uint32_t i = 0; i < query->matches_len; i++)
        TRY(append_match(b, &query->matches[i]));
    if (query->visible) {
        buf_printf(&b->sql, " AND (r.is_public OR r.owner=?"
                            " OR r.id IN (SELECT value FROM json_each(?)))");
        add_text(b, query->visible->owner);
        TRY(add_texts(b, query->visible->ids, query->visible->ids_len));
    }
    return append_text(b, query->text);
}

/* Columns carry the alias where SQL of joined parts (json_each) could mean another column. */
static enum status append_page(struct builder *b, const struct record_query *query)
{
    const char *order = record_field_info[query->order].member;
    const char *direction = query->descending ? " DESC" : "";
    if (query->cursor.len) {
        struct cursor cursor;
        TRY(cursor_read(query, b->arena, &cursor, b->err));
        buf_printf(&b->sql, " AND (r.%s,r.id)%s(?,?)", order, query->descending ? "<" : ">");
        if (record_field_info[query->order].type == RECORD_TEXT)
            add_text(b, cursor.text);
        else
            add_int(b, cursor.number);
        add_text(b, cursor.id);
    }
    buf_printf(&b->sql, " ORDER BY r.%s%s,r.id%s LIMIT ?", order, direction, direction);
    add_int(b, (int64_t)query->limit + 1);
    return STATUS_OK;
}

static enum status prepare(struct builder *b, struct connection *connection, sqlite3_stmt **ret)
{
    TRY(buf_check(&b->sql, "the query", b->err));
    if (b->parameters_len == PARAMETERS_MAX)
        return error_set(b->err, STATUS_RESOURCE_LIMIT, "the query has too many values");
    TRY(connection_prepare(connection, buf_str(&b->sql), ret, b->err));
    for (int i = 0; i < b->parameters_len; i++) {
        const struct parameter *parameter = &b->parameters[i];
        if (parameter->type == PARAMETER_TEXT)
            bind_text(*ret, i + 1, parameter->text);
        else if (parameter->type == PARAMETER_INT)
            sqlite3_bind_int64(*ret, i + 1, parameter->number);
        else
            sqlite3_bind_double(*ret, i + 1, parameter->real);
    }
    return STATUS_OK;
}

static enum status count_records(struct builder *b, struct connection *connection,
                                 const struct record_query *query, int64_t *ret)
{
    sqlite3_stmt *stmt = NULL;
    buf_clear(&b->sql);
    b->parameters_len = 0;
    buf_printf(&b->sql, "SELECT count(*)");
    TRY(append_filters(b, query));
    TRY(prepare(b, connection, &stmt));
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

static enum status run_query(struct builder *b, struct connection *connection,
                             const struct record_query *query, struct record_page *ret)
{
    sqlite3_stmt *stmt = NULL;
    TRY(sqlite_few_assets(connection, query, &b->few, b->err));
    append_columns(b, query->domain);
    TRY(append_filters(b, query));
    TRY(append_page(b, query));
    TRY(prepare(b, connection, &stmt));
    enum status status = read_page(connection, stmt, query, b->arena, ret, b->err);
    statement_done(stmt);
    if (status == STATUS_OK && query->count)
        status = count_records(b, connection, query, &ret->total);
    return status;
}

enum status sqlite_query(struct backend *base, const struct record_query *query,
                         struct arena *arena, struct record_page *ret, struct error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct builder builder = {.domain = query->domain, .arena = arena, .err = err};
    struct connection *connection = NULL;
    TRY(reader_take(backend, &connection, err));
    buf_init(&builder.sql, 65536);
    enum status status = run_query(&builder, connection, query, ret);
    buf_release(&builder.sql);
    reader_give(backend, connection);
    return status;
}

/* --- groups --- */

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
    TRY(sqlite_few_assets(connection, &query->records, &b->few, b->err));
    append_group(b, query, list);
    if (list) {
        buf_printf(&b->sql, " FROM (SELECT *");
        TRY(append_filters(b, &query->records));
        buf_printf(&b->sql, ") AS r, json_each(r.%s) AS g", record_field_info[query->by].member);
    } else {
        TRY(append_filters(b, &query->records));
    }
    if (query->by != GROUP_ALL)
        buf_printf(&b->sql, " GROUP BY 1 ORDER BY 1");
    TRY(prepare(b, connection, &stmt));
    enum status status = read_groups(connection, stmt, query, b->arena, ret, b->err);
    statement_done(stmt);
    return status;
}

enum status sqlite_group(struct backend *base, const struct group_query *query, struct arena *arena,
                         struct group_answer *ret, struct error *err)
{
    struct sqlite_backend *backend = (struct sqlite_backend *)base;
    struct builder builder = {.domain = query->records.domain, .arena = arena, .err = err};
    struct connection *connection = NULL;
    TRY(reader_take(backend, &connection, err));
    buf_init(&builder.sql, 65536);
    enum status status = run_group(&builder, connection, query, ret);
    buf_release(&builder.sql);
    reader_give(backend, connection);
    return status;
}
