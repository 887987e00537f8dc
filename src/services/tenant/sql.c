/* sql.c: POST /query/sql, and how SQL of any front is run and answered (the list of queries:
 * queries.c). Rows are written as they come from the worker; a failure after the first bytes cuts
 * the connection, so that half an answer is never taken for a whole one. */
#include <stdio.h>
#include <stdlib.h>

#include "base/uuid.h"
#include "services/tenant/sql_write.h"

enum sql_form { SQL_AS_JSON, SQL_AS_LINES, SQL_AS_CSV };

struct run {
    struct tenant_node *node;
    struct request *request;
    struct answer answer;
    enum sql_form form;
    char query_id[64];
    const struct str *names; /* of the columns, in the request's arena */
    uint32_t names_len;
    const struct sql_job *job;
};

/* --- rows --- */

static void put_csv_text(struct buf *buf, struct str text)
{
    bool quote = text.len == 0;
    for (size_t i = 0; i < text.len && !quote; i++)
        quote = text.data[i] == '"' || text.data[i] == ',' || text.data[i] == '\n' ||
                text.data[i] == '\r';
    if (!quote) {
        buf_append_str(buf, text);
        return;
    }
    buf_append_char(buf, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] == '"')
            buf_append_char(buf, '"');
        buf_append_char(buf, text.data[i]);
    }
    buf_append_char(buf, '"');
}

static void put_csv_header(struct run *run)
{
    for (uint32_t i = 0; i < run->names_len; i++) {
        if (i)
            buf_append_char(&run->answer.buf, ',');
        put_csv_text(&run->answer.buf, run->names[i]);
    }
    buf_append_str(&run->answer.buf, STR("\r\n"));
}

static enum status put_columns(void *context, const struct str *names, const struct str *types,
                               uint32_t len, struct error *err)
{
    struct run *run = context;
    struct json_writer *w = &run->answer.w;
    struct str *copies = arena_array(run->request->arena, len ? len : 1, sizeof *copies);
    for (uint32_t i = 0; copies && i < len; i++)
        copies[i] = arena_str(run->request->arena, names[i]);
    if (!copies)
        return error_no_memory(err);
    run->names = copies;
    run->names_len = len;
    if (run->form == SQL_AS_CSV)
        put_csv_header(run);
    if (run->form == SQL_AS_JSON) {
        json_begin_object(w);
        json_kv_bool(w, "success", true);
        json_kv_strz(w, "query_id", run->query_id);
        json_keyz(w, "columns");
        json_begin_array(w);
        for (uint32_t i = 0; i < len; i++) {
            json_begin_object(w);
            json_kv_str(w, "name", names[i]);
            json_kv_str(w, "type", types[i]);
            json_end_object(w);
        }
        json_end_array(w);
        json_keyz(w, "rows");
        json_begin_array(w);
    }
    return STATUS_OK;
}

/* A null is an empty field, an empty text is "". */
static void put_csv_value(struct buf *buf, const struct column *column, uint32_t row)
{
    struct buf text;
    struct json_writer w;
    if (column_is_null(column, row))
        return;
    if (type_is_bytes(column->type)) {
        put_csv_text(buf, column_str(column, row));
        return;
    }
    buf_init(&text, 256);
    json_writer_init(&w, &text);
    column_write_json(&w, column, row);
    struct str json = buf_str(&text);
    if (json.len >= 2 && json.data[0] == '"') /* dates and times */
        json = str_make(json.data + 1, json.len - 2);
    buf_append_str(buf, json);
    buf_release(&text);
}

static void put_csv_row(struct run *run, const struct batch *batch, uint32_t row)
{
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        if (i)
            buf_append_char(&run->answer.buf, ',');
        put_csv_value(&run->answer.buf, &batch->columns[i].column, row);
    }
    buf_append_str(&run->answer.buf, STR("\r\n"));
}

static void put_json_row(struct run *run, const struct batch *batch, uint32_t row)
{
    struct json_writer *w = &run->answer.w;
    json_begin_array(w);
    for (uint32_t i = 0; i < batch->columns_len; i++)
        column_write_json(w, &batch->columns[i].column, row);
    json_end_array(w);
}

static void put_line(struct run *run, const struct batch *batch, uint32_t row)
{
    struct json_writer *w = &run->answer.w;
    json_writer_init(w, &run->answer.buf);
    json_begin_object(w);
    for (uint32_t i = 0; i < batch->columns_len; i++) {
        json_key(w, run->names[i]);
        column_write_json(w, &batch->columns[i].column, row);
    }
    json_end_object(w);
    buf_append_char(&run->answer.buf, '\n');
}

static enum status put_rows(void *context, const struct batch *batch, struct error *err)
{
    struct run *run = context;
    if (batch->columns_len != run->names_len)
        return error_set(err, STATUS_INTERNAL, "a worker sent rows of another shape");
    for (uint32_t row = 0; row < batch->rows; row++) {
        if (run->form == SQL_AS_JSON)
            put_json_row(run, batch, row);
        else if (run->form == SQL_AS_LINES)
            put_line(run, batch, row);
        else
            put_csv_row(run, batch, row);
        TRY(answer_push(&run->answer, false, err));
    }
    return STATUS_OK;
}

static void put_end(struct run *run, const struct sql_stats *stats)
{
    struct json_writer *w = &run->answer.w;
    if (run->form != SQL_AS_JSON)
        return;
    json_end_array(w);
    json_kv_int(w, "row_count", (int64_t)stats->rows);
    json_kv_bool(w, "truncated", stats->truncated);
    json_keyz(w, "statistics");
    json_begin_object(w);
    json_kv_double(w, "queue_ms", (double)stats->queue_us / 1000);
    json_kv_double(w, "prepare_ms", (double)stats->prepare_us / 1000);
    json_kv_double(w, "execute_ms", (double)stats->execute_us / 1000);
    json_kv_int(w, "files", (int64_t)stats->files);
    json_end_object(w);
    if (run->job->write_tail)
        run->job->write_tail(run->job->context, w, stats);
    json_kv_null(w, "error_message");
    json_end_object(w);
}

/* --- the request --- */

enum status tenant_views_open(struct request *request, struct tenant_views *ret, struct error *err)
{
    *ret = (struct tenant_views){0};
    TRY(source_set_open(request->context, NULL, &ret->set, err));
    uint32_t len = ret->set.len ? ret->set.len : 1;
    ret->views = arena_array(request->arena, len, sizeof *ret->views);
    ret->tables = arena_array(request->arena, len, sizeof *ret->tables);
    if (!ret->views || !ret->tables)
        return error_no_memory(err);
    bool has_as_of = request_has(request, "as_of");
    for (uint32_t i = 0; i < ret->set.len; i++) {
        struct view *view = &ret->views[ret->len];
        enum status status = tenant_view(request, ret->set.sources[i], view, err);
        if (status == STATUS_NOT_FOUND && has_as_of && ret->set.len > 1)
            continue; /* the source did not have that state: no table then */
        TRY(status);
        ret->tables[ret->len++].view = view;
    }
    return STATUS_OK;
}

void tenant_views_close(struct tenant_views *views)
{
    for (uint32_t i = 0; i < views->len; i++)
        view_close(&views->views[i]);
    views->len = 0;
    source_set_close(&views->set);
}

static enum status name_query(struct run *run, struct error *err)
{
    struct str id = request_str(run->request, "query_id");
    unsigned char random[10];
    if (!id.data) {
        sys_random(run->node->sys, random, sizeof random);
        uuid_format(uuid_v7((uint64_t)(sys_now_us(run->node->sys) / 1000), random), run->query_id);
        return STATUS_OK;
    }
    if (id.len == 0 || id.len >= sizeof run->query_id || memchr(id.data, 0, id.len))
        return error_set(err, STATUS_INVALID_ARGUMENT, "query_id has 1 to %zu bytes without NUL",
                         sizeof run->query_id - 1);
    memcpy(run->query_id, id.data, id.len);
    return STATUS_OK;
}

static enum status decode(struct run *run, struct error *err)
{
    struct str format = request_str(run->request, "format");
    run->form = str_is(format, "csv")      ? SQL_AS_CSV
                : str_is(format, "ndjson") ? SQL_AS_LINES
                                           : SQL_AS_JSON;
    return name_query(run, err);
}

static enum status enter_table(struct run *run, struct str text, struct error *err)
{
    struct running_query query = {.http = run->request->http,
                                  .started_us = sys_now_us(run->node->sys)};
    memcpy(query.id, run->query_id, sizeof query.id);
    snprintf(query.text, sizeof query.text, "%.*s",
             text.len < sizeof query.text ? (int)text.len : (int)sizeof query.text - 1, text.data);
    return query_table_enter(run->node, &query, err);
}

static enum status execute(struct run *run, struct error *err)
{
    const struct sql_job *job = run->job;
    struct sql_stats stats = {0};
    struct sql_sink sink = {run, put_columns, put_rows};
    struct sql_request query = {
        .query_id = str_of(run->query_id),
        .query = job->query,
        .parameters = job->parameters,
        .tables = job->tables,
        .tables_len = job->tables_len,
        .limit = job->limit,
        .timeout_us = request_int(run->request, "timeout_ms") * 1000,
    };
    TRY(enter_table(run, query.query, err));
    enum status status = sql_query(run->node->sql, &query, &sink, &stats, err);
    query_table_leave(run->node, run->query_id);
    TRY(status);
    tenant_count_sql(run->request, &stats);
    put_end(run, &stats);
    return answer_end(&run->answer, err);
}

enum status tenant_run_sql(struct request *request, const struct sql_job *job)
{
    static const char *const types[] = {"application/json", "application/x-ndjson", "text/csv"};
    struct error *err = &request->error;
    struct run run = {.node = request->context, .request = request, .job = job};
    TRY(decode(&run, err));
    answer_init(&run.answer, request, str_of(types[run.form]));
    enum status status = execute(&run, err);
    answer_release(&run.answer);
    return status;
}

enum status tenant_sql_into(struct request *request, const struct sql_job *job,
                            const struct sql_sink *sink, char ret_query_id[64],
                            struct sql_stats *stats, struct error *err)
{
    struct run run = {.node = request->context, .request = request, .job = job};
    TRY(name_query(&run, err));
    memcpy(ret_query_id, run.query_id, sizeof run.query_id);
    struct sql_request query = {
        .query_id = str_of(run.query_id),
        .query = job->query,
        .parameters = job->parameters,
        .tables = job->tables,
        .tables_len = job->tables_len,
        .limit = job->limit,
        .timeout_us = request_int(request, "timeout_ms") * 1000,
    };
    TRY(enter_table(&run, request_str(request, "query"), err));
    enum status status = sql_query(run.node->sql, &query, sink, stats, err);
    query_table_leave(run.node, run.query_id);
    return status;
}

/* What the statement is decides who does it; its tables are open. */
static enum status run_statement(struct statement *statement, struct error *err)
{
    struct request *request = statement->request;
    struct sql_job job = {
        .query = statement->text,
        .parameters = request_json(request, "parameters"),
        .limit = request_has(request, "limit") ? request_int(request, "limit") : -1,
        .tables = statement->tables,
        .tables_len = statement->tables_len,
    };
    switch (statement->is_read ? statement->query.statement : LANG_SELECT) {
    case LANG_INSERT:
    case LANG_UPDATE:
    case LANG_DELETE:
    case LANG_MERGE:
        return handle_sql_change(statement, err);
    case LANG_CREATE_TABLE:
    case LANG_ALTER:
    case LANG_DROP:
        return handle_sql_define(statement, err);
    case LANG_DESCRIBE:
        if (statement->query.dialect == LANG_DUCKDB) /* of queries, too */
            return tenant_run_sql(request, &job);
        return handle_sql_show(statement, err);
    case LANG_SHOW:
    case LANG_EXPLAIN:
        return handle_sql_show(statement, err);
    default: /* what is no query the workers refuse */
        return tenant_run_sql(request, &job);
    }
}

enum status handle_sql(struct request *request)
{
    struct error *err = &request->error;
    struct tenant_views views;
    struct statement statement;
    TRY(statement_read(request, &statement, err));
    enum status status = tenant_views_open(request, &views, err);
    if (status == STATUS_OK)
        status = statement_bind(&statement, &views, err);
    if (status == STATUS_OK && !statement.answered)
        status = statement_open(&statement, &views, err);
    if (status == STATUS_OK && !statement.answered)
        status = run_statement(&statement, err);
    statement_close(&statement);
    tenant_views_close(&views);
    return status;
}
