/* sql_plan.c: an SQL statement is planned, then answered: from the cache of results, by our own
 * operators, or by the SQL engine; what it took is told to the optimizer. */
#include "services/tenant/sql_plan_int.h"

/* --- planning --- */

static enum status choose(struct request *request, struct sql_plan *statement,
                          const struct access_work *work, struct error *err)
{
    struct tenant_node *node = statement->node;
    struct access_offer offer = {.own = statement->is_own, .duckdb = true};
    TRY(tenant_offer(request, &offer, err));
    if (!statement->is_own) {
        uint64_t fingerprint =
            lang_fingerprint(request->arena, statement->job->query, LANG_DUCKDB, NULL);
        optimizer_choose_engine(node->optimizer, fingerprint, work, &statement->choice);
        return STATUS_OK;
    }
    struct exec_context context = {.sys = node->sys};
    struct view *view = statement->job->tables[statement->own.table].view;
    own_offer_partials(node->cache, view, &statement->own.shape, &offer);
    enum status status = optimizer_choose(node->optimizer, view, &statement->own.shape, &offer,
                                          &context, &statement->choice, err);
    if (status != EXPR_DOUBT)
        return status;
    statement->is_own = false; /* it met one in the sample */
    return choose(request, statement, work, err);
}

/* The result itself is there: nothing is to be weighed. */
static void choose_cached(struct sql_plan *statement, const struct access_work *work)
{
    struct access_choice *choice = &statement->choice;
    const struct cached_result *cached = statement->cached;
    *choice = (struct access_choice){.template = 1,
                                     .plans_len = 1,
                                     .files_total = (uint64_t)work->files,
                                     .rows_total = (uint64_t)work->rows,
                                     .rows_found = cached->rows_found,
                                     .rows_raw = cached->rows_found,
                                     .rows_out = (double)cached->stats.rows};
    choice->plans[0] = (struct access_plan){
        .path = PATH_RESULT_CACHE, .ms = 0.01, .id = "result_cache-0000000000000001"};
}

static bool may_use_cache(struct request *request)
{
    struct access_offer offer = {.duckdb = true};
    struct error ignored = ERROR_INIT;
    return tenant_offer(request, &offer, &ignored) == STATUS_OK &&
           (!offer.forced || offer.force == PATH_RESULT_CACHE);
}

/* What our operators can do of it, and its key. What cannot be read is the engine's. */
static enum status read_statement(struct arena *arena, struct sql_plan *statement,
                                  struct access_work *work, struct error *err)
{
    const struct sql_job *job = statement->job;
    struct lang_query query;
    struct lang_problem problem;
    if (lang_parse(arena, job->query, LANG_DUCKDB, NULL, &query, &problem) != STATUS_OK)
        return problem.code == LANG_NO_MEMORY ? error_no_memory(err) : STATUS_OK;
    if (query.statement == LANG_SELECT)
        statement->is_own = own_statement_read(arena, query.root, job->parameters, job->tables,
                                               job->tables_len, &statement->own);
    sql_key_make(arena, &query, statement, &statement->key, work);
    return STATUS_OK;
}

enum status sql_plan_make(struct request *request, const struct sql_job *job, struct sql_plan *ret,
                          struct error *err)
{
    struct access_work work = {0};
    *ret = (struct sql_plan){.node = request->context, .job = job};
    buf_init(&ret->key, 8 << 20);
    TRY(read_statement(request->arena, ret, &work, err));
    if (ret->key.len && may_use_cache(request))
        ret->cached = value_cache_get(ret->node->cache, VALUE_CACHE_RESULTS, buf_str(&ret->key));
    if (ret->cached) {
        choose_cached(ret, &work);
        return STATUS_OK;
    }
    return choose(request, ret, &work, err);
}

void sql_plan_release(struct sql_plan *statement)
{
    own_statement_release(&statement->own);
    sql_result_unref(statement->cached);
    buf_release(&statement->key);
}

/* --- running --- */

static enum status run_own(struct sql_plan *statement, int64_t timeout_us,
                           const atomic_bool *cancelled, const struct sql_sink *sink,
                           struct error *err)
{
    struct tenant_node *node = statement->node;
    const struct sql_job *job = statement->job;
    struct exec_context context = {.sys = node->sys, .cancelled = cancelled};
    bool begun = false;
    int64_t began_us = sys_mono_us(node->sys);
    TRY(admission_enter(&node->admission, err));
    int64_t queue_us = sys_mono_us(node->sys) - began_us;
    context.deadline_us = began_us + timeout_us;
    uint32_t more = statement->own.shape.aggregates
                        ? admission_more(&node->admission, node->options.aggregate_threads)
                        : 0;
    context.threads = more + 1;
    enum status status = own_statement_run(
        node->cache, job->tables[statement->own.table].view, &statement->own, &statement->choice,
        job->limit, &context, sink, &statement->stats, &statement->exec, &begun, err);
    admission_less(&node->admission, more + 1);
    statement->doubt = status == EXPR_DOUBT && !begun;
    statement->stats.queue_us = queue_us;
    return status;
}

static enum status run_engine(struct sql_plan *statement, struct str query_id, int64_t timeout_us,
                              const struct sql_sink *sink, struct error *err)
{
    const struct sql_job *job = statement->job;
    struct sql_request query = {
        .query_id = query_id,
        .query = job->query,
        .parameters = job->parameters,
        .tables = job->tables,
        .tables_len = job->tables_len,
        .limit = job->limit,
        .timeout_us = timeout_us,
    };
    return sql_query(statement->node->sql, &query, sink, &statement->stats, err);
}

/* Our operators met something that the engine may do otherwise. */
static void choose_engine(struct sql_plan *statement)
{
    struct access_work none = {0};
    statement->exec = (struct exec_stats){0};
    optimizer_choose_engine(statement->node->optimizer, statement->choice.template, &none,
                            &statement->choice);
}

static void note_outcome(struct sql_plan *statement, const struct sql_tee *tee)
{
    const struct exec_stats *exec = &statement->exec;
    const struct sql_stats *stats = &statement->stats;
    bool own = access_chosen(&statement->choice)->path != PATH_DUCKDB;
    int64_t us = stats->prepare_us + stats->execute_us - tee->sink_us;
    statement->outcome = (struct access_outcome){
        .ms = (double)(us > 0 ? us : 1) / 1000,
        .rows_found = own ? (double)exec->rows_matched : -1,
        .rows_out = (double)stats->rows,
        .cut = stats->truncated || statement->own.shape.limit >= 0,
        .files = own ? (double)exec->segments_read : (double)stats->files,
        .rows_scanned = own ? (double)exec->rows_scanned : -1,
    };
    /* Of files whose partial was kept no rows were looked at. */
    if (own && access_chosen(&statement->choice)->path == PATH_FILE_PARTIALS)
        statement->outcome.rows_found = -1;
    if (own && access_chosen(&statement->choice)->path == PATH_METADATA)
        statement->outcome.rows_found = -1;
}

static void keep_result(struct sql_plan *statement, struct sql_tee *tee)
{
    struct cached_result *keep = tee->keep;
    if (!keep)
        return;
    keep->stats = statement->stats;
    keep->rows_found = statement->outcome.rows_found;
    int64_t cost_us = (int64_t)(statement->outcome.ms * 1000);
    value_cache_put(statement->node->cache, buf_str(&statement->key), keep, &sql_result_kind,
                    keep->bytes + keep->arena.total + sizeof *keep, cost_us);
    sql_result_unref(keep);
}

static enum status run_cached(struct sql_plan *statement, const struct sql_sink *sink,
                              struct error *err)
{
    int64_t began_us = sys_mono_us(statement->node->sys);
    enum status status = sql_result_replay(statement->cached, sink, &statement->stats, err);
    int64_t us = sys_mono_us(statement->node->sys) - began_us;
    statement->outcome = (struct access_outcome){.failed = status != STATUS_OK,
                                                 .ms = (double)us / 1000,
                                                 .rows_found = statement->cached->rows_found,
                                                 .rows_out = (double)statement->stats.rows};
    optimizer_record(statement->node->optimizer, &statement->choice, &statement->outcome);
    return status;
}

enum status sql_plan_run(struct sql_plan *statement, struct str query_id, int64_t timeout_us,
                         const atomic_bool *cancelled, const struct sql_sink *sink,
                         struct error *err)
{
    struct tenant_node *node = statement->node;
    struct value_cache_stats cache;
    if (statement->cached)
        return run_cached(statement, sink, err);
    value_cache_get_stats(node->cache, &cache);
    struct sql_tee tee = {
        .sink = sink, .sys = node->sys, .bytes_max = cache.bytes_max / VALUE_CACHE_SHARE_MAX};
    const struct sql_sink through = sql_tee_sink(&tee);
    if (statement->key.len && tee.bytes_max)
        tee.keep = sql_result_new();
    bool engine = access_chosen(&statement->choice)->path == PATH_DUCKDB;
    enum status status =
        engine ? STATUS_OK : run_own(statement, timeout_us, cancelled, &through, err);
    if (statement->doubt)
        choose_engine(statement);
    if (engine || statement->doubt)
        status = run_engine(statement, query_id, timeout_us, &through, err);
    note_outcome(statement, &tee);
    statement->outcome.failed = status != STATUS_OK;
    optimizer_record(node->optimizer, &statement->choice, &statement->outcome);
    if (status == STATUS_OK)
        keep_result(statement, &tee);
    else
        sql_tee_drop(&tee);
    return status;
}
