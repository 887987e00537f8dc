#include "query/sqlworker/session.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "query/sqlworker/answer.h"
#include "query/sqlworker/cage.h"
#include "query/sqlworker/errors.h"
#include "query/sqlworker/gate.h"
#include "query/sqlworker/params.h"

/* One query under way. */
struct query {
    struct session *session;
    struct str sql;
    char *sql_text; /* NUL-ended */
    yyjson_val *parameters;
    int64_t limit; /* -1: none */
    duckdb_connection con;
    duckdb_prepared_statement statement;
    duckdb_result result;
    struct answer answer;
    uint64_t rows;
    bool truncated;
    bool channel_failed; /* no error frame can be sent any more */
};

void session_init(struct session *session, struct sys *sys, int channel)
{
    *session = (struct session){.sys = sys, .channel = channel};
    buf_init(&session->in, SQL_FRAME_MAX);
    buf_init(&session->out, SQL_FRAME_MAX);
}

enum status session_send(struct session *session, enum sql_frame kind, struct error *err)
{
    TRY(buf_check(&session->out, "an answer", err));
    return sql_wire_send(session->sys, session->channel, kind, buf_str(&session->out), 0, err);
}

enum status session_send_error(struct session *session, const struct error *failure, bool replace)
{
    struct json_writer w;
    buf_clear(&session->out);
    json_writer_init(&w, &session->out);
    json_begin_object(&w);
    json_kv_strz(&w, "status", status_info(failure->status)->code);
    json_kv_strz(&w, "message", failure->message);
    json_kv_int(&w, "line", failure->line);
    json_kv_int(&w, "column", failure->column);
    json_kv_int(&w, "offset", failure->offset);
    json_kv_bool(&w, "replace", replace);
    json_end_object(&w);
    return session_send(session, SQL_FRAME_ERROR, NULL);
}

static enum status send(struct query *query, enum sql_frame kind, struct error *err)
{
    enum status status = session_send(query->session, kind, err);
    if (status == STATUS_UNAVAILABLE)
        query->channel_failed = true;
    return status;
}

static void begin_frame(struct session *session, struct json_writer *w)
{
    buf_clear(&session->out);
    json_writer_init(w, &session->out);
    json_begin_object(w);
}

/* --- tables --- */

static enum status send_wanted(struct query *query, const struct gate_result *gate,
                               struct error *err)
{
    struct json_writer w;
    begin_frame(query->session, &w);
    json_keyz(&w, "tables");
    json_begin_array(&w);
    for (uint32_t i = 0; i < gate->tables_len; i++) {
        json_begin_object(&w);
        json_kv_str(&w, "name", gate->tables[i].name);
        json_kv_int(&w, "offset", (int64_t)gate->tables[i].offset);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    return send(query, SQL_FRAME_WANTED, err);
}

/* *ret_go false: the pool gave the query up. */
static enum status receive_tables(struct query *query, bool *ret_go, struct error *err)
{
    struct session *s = query->session;
    enum sql_frame kind;
    yyjson_doc *doc;
    enum status status = sql_wire_receive(s->sys, s->channel, &s->in, &kind, 0, err);
    if (status != STATUS_OK || (kind != SQL_FRAME_TABLES && kind != SQL_FRAME_FORGET)) {
        query->channel_failed = true;
        return status != STATUS_OK ? status : error_set(err, STATUS_CORRUPT, "a frame out of turn");
    }
    *ret_go = kind == SQL_FRAME_TABLES;
    if (!*ret_go)
        return STATUS_OK;
    doc = yyjson_read(s->in.data, s->in.len, 0);
    if (!doc)
        return error_set(err, STATUS_INTERNAL, "a list of tables is not JSON");
    status = views_make(&s->engine, json_get(yyjson_doc_get_root(doc), "tables"), err);
    yyjson_doc_free(doc);
    return status;
}

static enum status pass_gate(struct query *query, bool *ret_go, struct error *err)
{
    struct gate_result gate;
    enum status status = gate_check(&query->session->engine, query->sql, &gate, err);
    if (status == STATUS_OK)
        status = send_wanted(query, &gate, err);
    gate_release(&gate);
    TRY(status);
    return receive_tables(query, ret_go, err);
}

/* --- running --- */

static enum status prepare(struct query *query, struct error *err)
{
    struct engine *engine = &query->session->engine;
    if (duckdb_connect(engine->db, &query->con) != DuckDBSuccess)
        return error_set(err, STATUS_UNAVAILABLE, "the SQL engine gives no connection");
    if (duckdb_prepare(query->con, query->sql_text, &query->statement) != DuckDBSuccess)
        return errors_map(duckdb_prepare_error(query->statement), query->sql, err);
    /* The second gate: the engine's own word for what it is about to run. */
    if (duckdb_prepared_statement_type(query->statement) != DUCKDB_STATEMENT_TYPE_SELECT)
        return error_set(err, STATUS_SQL_REFUSED, "only queries can be run");
    return params_bind(query->statement, query->parameters, err);
}

static enum status execute(struct query *query, struct error *err)
{
    duckdb_pending_result pending = NULL;
    enum status status = STATUS_OK;
    if (duckdb_pending_prepared_streaming(query->statement, &pending) != DuckDBSuccess)
        status = errors_map(duckdb_pending_error(pending), query->sql, err);
    else if (duckdb_execute_pending(pending, &query->result) != DuckDBSuccess)
        status = errors_map(duckdb_result_error(&query->result), query->sql, err);
    duckdb_destroy_pending(&pending);
    TRY(status);
    return answer_init(&query->answer, &query->result, err);
}

static enum status send_columns(struct query *query, struct error *err)
{
    struct json_writer w;
    buf_clear(&query->session->out);
    json_writer_init(&w, &query->session->out);
    answer_write_columns(&query->answer, &w);
    return send(query, SQL_FRAME_COLUMNS, err);
}

static enum status too_large(struct error *err)
{
    return error_set(err, STATUS_RESOURCE_LIMIT, "a row is larger than %d MiB",
                     SQL_FRAME_MAX >> 20);
}

/* Rows [first, first + count) as one frame; halved when they do not fit into one. */
static enum status send_rows(struct query *query, duckdb_data_chunk chunk, idx_t first, idx_t count,
                             struct error *err)
{
    struct batch *batch = NULL;
    struct buf *out = &query->session->out;
    buf_clear(out);
    enum status status = answer_batch(&query->answer, chunk, first, count, &batch, err);
    if (status == STATUS_OK)
        status = batch_encode(batch, out, err);
    batch_unref(batch);
    if (status == STATUS_OK)
        return send(query, SQL_FRAME_ROWS, err);
    if (status != STATUS_RESOURCE_LIMIT)
        return err && err->status == status ? status : error_set(err, status, "an answer failed");
    if (count == 1)
        return too_large(err);
    TRY(send_rows(query, chunk, first, count / 2, err));
    return send_rows(query, chunk, first + count / 2, count - count / 2, err);
}

static enum status send_all_rows(struct query *query, struct error *err)
{
    while (!query->truncated) {
        duckdb_data_chunk chunk = duckdb_stream_fetch_chunk(query->result);
        if (!chunk) {
            const char *why = duckdb_result_error(&query->result);
            return why && why[0] ? errors_map(why, query->sql, err) : STATUS_OK;
        }
        uint64_t count = duckdb_data_chunk_get_size(chunk);
        bool last = count == 0;
        if (query->limit >= 0 && count > (uint64_t)query->limit - query->rows) {
            count = (uint64_t)query->limit - query->rows;
            query->truncated = true;
        }
        enum status status = count ? send_rows(query, chunk, 0, count, err) : STATUS_OK;
        query->rows += count;
        duckdb_destroy_data_chunk(&chunk);
        TRY(status);
        if (last)
            return STATUS_OK;
    }
    return STATUS_OK;
}

static double cpu_seconds(void)
{
    struct rusage u;
    if (getrusage(RUSAGE_SELF, &u) < 0)
        return 0;
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static enum status send_done(struct query *query, struct error *err)
{
    struct json_writer w;
    begin_frame(query->session, &w);
    json_kv_int(&w, "rows", (int64_t)query->rows);
    json_kv_bool(&w, "truncated", query->truncated);
    json_kv_int(&w, "prepare_us", query->session->prepare_us);
    json_kv_int(&w, "execute_us", query->session->execute_us);
    json_kv_double(&w, "cpu_seconds", cpu_seconds());
    json_end_object(&w);
    return send(query, SQL_FRAME_DONE, err);
}

static enum status run(struct query *query, struct error *err)
{
    struct session *s = query->session;
    bool go = false;
    int64_t start = sys_mono_us(s->sys);
    TRY(pass_gate(query, &go, err));
    if (!go)
        return STATUS_OK;
    TRY(prepare(query, err));
    int64_t prepared = sys_mono_us(s->sys);
    TRY(execute(query, err));
    TRY(send_columns(query, err));
    TRY(send_all_rows(query, err));
    s->prepare_us = prepared - start;
    s->execute_us = sys_mono_us(s->sys) - prepared;
    return send_done(query, err);
}

static void query_release(struct query *query)
{
    answer_release(&query->answer);
    duckdb_destroy_result(&query->result);
    duckdb_destroy_prepare(&query->statement);
    duckdb_disconnect(&query->con);
    free(query->sql_text);
}

static enum status serve_document(struct session *session, yyjson_val *root)
{
    struct error failure = ERROR_INIT;
    struct query query = {.session = session,
                          .sql = json_str_of(json_get(root, "sql")),
                          .parameters = json_get(root, "parameters"),
                          .limit = yyjson_get_sint(json_get(root, "limit"))};
    query.sql_text = str_dup(query.sql);
    cage_limit_cpu(yyjson_get_uint(json_get(root, "cpu_seconds")));
    enum status status = query.sql_text ? run(&query, &failure) : error_no_memory(&failure);
    query_release(&query);
    if (status == STATUS_OK)
        return STATUS_OK;
    if (query.channel_failed)
        return status;
    return session_send_error(session, &failure, errors_spoil_engine(status));
}

enum status session_serve(struct session *session, struct error *err)
{
    enum sql_frame kind;
    TRY(sql_wire_receive(session->sys, session->channel, &session->in, &kind, 0, err));
    if (kind != SQL_FRAME_QUERY)
        return error_set(err, STATUS_CORRUPT, "a frame out of turn");
    /* Parameters point into the document until the query ends. */
    yyjson_doc *doc = yyjson_read(session->in.data, session->in.len, 0);
    if (!doc)
        return error_set(err, STATUS_CORRUPT, "a query is not JSON");
    enum status status = serve_document(session, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return status;
}
