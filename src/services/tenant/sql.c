/* sql.c: POST /query/sql, and how SQL of any front is run and answered (how it is planned:
 * sql_plan.c; the list of queries: queries.c). Rows are written as they come; a failure after the
 * first bytes cuts the connection, so that half an answer is never taken for a whole one. */
#include <stdio.h>
#include <stdlib.h>

#include "base/uuid.h"
#include "query/lang/node.h"
#include "services/tenant/sql_write.h"

struct run {
    struct tenant_node *node;
    struct request *request;
    struct result result;
    const struct sql_job *job;
    struct sql_plan plan;
    enum explain explain;
    atomic_bool cancelled;
};

/* --- the request --- */

static enum status name_query(struct run *run, struct error *err)
{
    struct str id =
        tenant_has(run->request, "query_id") ? request_str(run->request, "query_id") : STR_NONE;
    char *name = run->result.query_id;
    unsigned char random[10];
    if (!id.data) {
        sys_random(run->node->sys, random, sizeof random);
        uuid_format(uuid_v7((uint64_t)(sys_now_us(run->node->sys) / 1000), random), name);
        return STATUS_OK;
    }
    if (id.len == 0 || id.len >= sizeof run->result.query_id || memchr(id.data, 0, id.len))
        return error_set(err, STATUS_INVALID_ARGUMENT, "query_id has 1 to %zu bytes without NUL",
                         sizeof run->result.query_id - 1);
    memcpy(name, id.data, id.len);
    return STATUS_OK;
}

static enum status enter_table(struct run *run, struct str text, struct error *err)
{
    struct running_query query = {.http = run->request->http,
                                  .cancelled = &run->cancelled,
                                  .started_us = sys_now_us(run->node->sys)};
    memcpy(query.id, run->result.query_id, sizeof query.id);
    snprintf(query.text, sizeof query.text, "%.*s",
             text.len < sizeof query.text ? (int)text.len : (int)sizeof query.text - 1, text.data);
    return query_table_enter(run->node, &query, err);
}

/* --- the answer --- */

static void write_cache(struct json_writer *w, const struct sql_plan *plan)
{
    json_kv_bool(w, "result_cached", plan->cached != NULL);
    json_kv_bool(w, "result_cacheable", plan->key.len > 0);
}

static void put_end(struct run *run)
{
    struct json_writer *w = &run->result.answer.w;
    const struct sql_plan *plan = &run->plan;
    const struct sql_stats *stats = &plan->stats;
    if (run->result.form != RESULT_JSON)
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
    write_access(w, &plan->choice, &plan->outcome, &plan->exec);
    write_cache(w, plan);
    json_end_object(w);
    if (run->job->write_tail)
        run->job->write_tail(run->job->context, w, stats);
    json_kv_null(w, "error_message");
    json_end_object(w);
}

/* EXPLAIN ANALYZE's sink: the rows are not wanted. */
static enum status drop_columns(void *context, const struct str *names, const struct str *types,
                                uint32_t len, struct error *err)
{
    (void)context, (void)names, (void)types, (void)len, (void)err;
    return STATUS_OK;
}

static enum status drop_rows(void *context, const struct batch *batch, struct error *err)
{
    (void)context, (void)batch, (void)err;
    return STATUS_OK;
}

static void write_plan(struct run *run, struct json_writer *w)
{
    const struct sql_plan *plan = &run->plan;
    const struct query_shape *shape = plan->is_own ? &plan->own.shape : NULL;
    json_begin_object(w);
    json_kv_str(w, "sql", run->job->query);
    json_kv_bool(w, "own_operators", plan->is_own);
    write_cache(w, plan);
    access_choice_write(&plan->choice, shape, w);
    if (run->explain == EXPLAIN_ANALYZE) {
        json_keyz(w, "actual");
        json_begin_object(w);
        write_access(w, &plan->choice, &plan->outcome, &plan->exec);
        json_end_object(w);
    }
    json_end_object(w);
}

/* As the member "explain", or as the one row of a statement EXPLAIN. */
static enum status answer_plan(struct run *run, struct error *err)
{
    static const struct str name = STR("plan"), type = STR("JSON");
    struct json_writer *w = &run->result.answer.w;
    if (!run->job->explain_row) {
        json_begin_object(w);
        json_kv_bool(w, "success", true);
        json_kv_strz(w, "query_id", run->result.query_id);
        json_keyz(w, "explain");
        write_plan(run, w);
        json_kv_null(w, "error_message");
        json_end_object(w);
        run->result.form = RESULT_JSON;
        return result_end(&run->result, err);
    }
    struct buf text;
    struct json_writer plan;
    uint32_t index;
    struct batch *batch = batch_new();
    buf_init(&text, 4 << 20);
    json_writer_init(&plan, &text);
    write_plan(run, &plan);
    enum status status =
        batch ? batch_add_column(batch, name, TYPE_JSON, &index) : STATUS_NO_MEMORY;
    if (status == STATUS_OK)
        status = column_append_bytes(&batch->columns[0].column, buf_str(&text));
    if (status == STATUS_OK)
        status = batch_set_rows(batch, 1);
    if (status != STATUS_OK)
        status = error_no_memory(err);
    if (status == STATUS_OK)
        status = result_columns(&run->result, &name, &type, 1, err);
    if (status == STATUS_OK)
        status = result_rows(&run->result, batch, err);
    buf_release(&text);
    batch_unref(batch);
    TRY(status);
    run->plan.stats.rows = 1;
    put_end(run);
    return result_end(&run->result, err);
}

/* --- running --- */

static enum status execute(struct run *run, struct error *err)
{
    static const struct sql_sink nowhere = {NULL, drop_columns, drop_rows};
    const struct sql_sink result = {&run->result, result_columns, result_rows};
    bool analyze = run->explain == EXPLAIN_ANALYZE;
    TRY(enter_table(run, run->job->query, err));
    enum status status = sql_plan_run(&run->plan, str_of(run->result.query_id),
                                      request_int(run->request, "timeout_ms") * 1000,
                                      &run->cancelled, analyze ? &nowhere : &result, err);
    query_table_leave(run->node, run->result.query_id);
    TRY(status);
    tenant_count_sql(run->request, &run->plan.stats);
    tenant_count_reads(run->request, &run->plan.exec, NULL);
    if (analyze)
        return answer_plan(run, err);
    put_end(run);
    return result_end(&run->result, err);
}

static enum status plan_and_run(struct run *run, struct error *err)
{
    TRY(name_query(run, err));
    TRY(sql_plan_make(run->request, run->job, &run->plan, err));
    return run->explain == EXPLAIN_PLAN ? answer_plan(run, err) : execute(run, err);
}

enum status tenant_run_sql(struct request *request, const struct sql_job *job)
{
    struct error *err = &request->error;
    struct run run = {.node = request->context, .request = request, .job = job};
    request->work.statement = job->query;
    run.explain = job->explain;
    if (!run.explain)
        TRY(tenant_explain(request, &run.explain, err));
    result_init(&run.result, request);
    enum status status = plan_and_run(&run, err);
    sql_plan_release(&run.plan);
    result_release(&run.result);
    return status;
}

/* Takes the word and white space behind it off the front. */
static bool take_word(struct str *text, const char *word)
{
    size_t len = strlen(word);
    if (text->len <= len || !str_eq_nocase(str_make(text->data, len), str_make(word, len)) ||
        !strchr(" \t\r\n", text->data[len]))
        return false;
    *text = str_trim(str_make(text->data + len, text->len - len));
    return true;
}

static enum explain take_explain(struct str *query)
{
    struct str text = str_trim(*query);
    if (!take_word(&text, "EXPLAIN"))
        return EXPLAIN_NO;
    bool analyze = take_word(&text, "ANALYZE");
    *query = text;
    return analyze ? EXPLAIN_ANALYZE : EXPLAIN_PLAN;
}

enum status tenant_sql_into(struct request *request, const struct sql_job *job,
                            const struct sql_sink *sink, char ret_query_id[64],
                            struct sql_stats *stats, struct error *err)
{
    struct run run = {.node = request->context, .request = request, .job = job};
    TRY(name_query(&run, err));
    memcpy(ret_query_id, run.result.query_id, sizeof run.result.query_id);
    struct sql_request query = {
        .query_id = str_of(ret_query_id),
        .query = job->query,
        .parameters = job->parameters,
        .tables = job->tables,
        .tables_len = job->tables_len,
        .limit = job->limit,
        .timeout_us = request_int(request, "timeout_ms") * 1000,
    };
    TRY(enter_table(&run, request_str(request, "query"), err));
    enum status status = sql_query(run.node->sql, &query, sink, stats, err);
    query_table_leave(run.node, ret_query_id);
    return status;
}

/* What the statement is decides who does it; its tables are open. */
static enum status run_statement(struct statement *statement, struct sql_job *job,
                                 struct error *err)
{
    struct request *request = statement->request;
    job->query = statement->text;
    job->tables = statement->tables;
    job->tables_len = statement->tables_len;
    bool is_query = !statement->is_read || statement->query.statement == LANG_SELECT;
    enum explain explain = job->explain;
    if (!explain)
        TRY(tenant_explain(request, &explain, err));
    if (explain && !is_query)
        return error_set(err, STATUS_UNSUPPORTED_SQL, "EXPLAIN is for queries");
    switch (is_query ? LANG_SELECT : statement->query.statement) {
    case LANG_INSERT:
    case LANG_UPDATE:
    case LANG_DELETE:
    case LANG_MERGE:
        return handle_sql_change(statement, err);
    case LANG_CREATE_VIEW:
    case LANG_REFRESH:
        return handle_sql_view(statement, err);
    case LANG_DROP:
        return str_is(statement->query.root->text, "VIEW") ? handle_sql_view(statement, err)
                                                           : handle_sql_define(statement, err);
    case LANG_CREATE_TABLE:
    case LANG_ALTER:
        return handle_sql_define(statement, err);
    case LANG_DESCRIBE:
        if (statement->query.dialect == LANG_DUCKDB &&
            !sql_shows_view(statement)) /* of queries, too */
            return tenant_run_sql(request, job);
        return handle_sql_show(statement, err);
    case LANG_SHOW:
        return handle_sql_show(statement, err);
    default: /* what is no query the workers refuse */
        return tenant_run_sql(request, job);
    }
}

/* Read, checked, translated, and then run or explained. */
static enum status answer_statement(struct request *request, struct sql_job *job)
{
    struct error *err = &request->error;
    struct tenant_views views;
    struct statement statement;
    int span = span_begin(request, "sql.open", SPAN_INTERNAL);
    TRY(statement_read(request, job->query, &statement, err));
    const struct table_names *names = statement_table_names(&statement);
    enum status status = tenant_views_open(request, names, &views, err);
    if (status == STATUS_OK)
        status = statement_bind(&statement, &views, err);
    span_end(request, span);
    if (status == STATUS_OK && !statement.answered)
        status = statement_open(&statement, &views, err);
    if (status == STATUS_OK && !statement.answered)
        status = run_statement(&statement, job, err);
    statement_close(&statement);
    tenant_views_close(&views);
    return status;
}

enum status handle_sql(struct request *request)
{
    struct sql_job job = {
        .query = request_str(request, "query"),
        .parameters = request_json(request, "parameters"),
        .limit = request_has(request, "limit") ? request_int(request, "limit") : -1,
    };
    job.explain = take_explain(&job.query);
    job.explain_row = job.explain != EXPLAIN_NO;
    return answer_statement(request, &job);
}

enum status sql_explain(struct request *request)
{
    struct sql_job job = {.query = request_str(request, "query"),
                          .parameters = request_json(request, "parameters"),
                          .limit = -1,
                          .explain = EXPLAIN_PLAN};
    return answer_statement(request, &job);
}
