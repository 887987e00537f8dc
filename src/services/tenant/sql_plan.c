/* sql_plan.c: an SQL statement is planned, then answered: from the cache of results, by our own
 * operators, or by the SQL engine; what it took is told to the optimizer.
 *
 * A result is kept under the statement's text, its parameters, and the exact state of every table
 * it names; only statements of functions that give the same for the same are kept. */
#include <stdlib.h>

#include "query/lang/delta.h"
#include "query/lang/lang.h"
#include "query/lang/node.h"
#include "services/tenant/tenant_int.h"

/* --- results that are kept --- */

struct cached_result {
    _Atomic uint32_t refs;
    struct arena arena;
    struct str *names, *types;
    uint32_t len;
    struct batch **batches;
    uint32_t batches_len, batches_cap;
    uint64_t bytes;
    struct sql_stats stats;
    double rows_found;
};

enum { RESULT_BATCHES_MAX = 4096 };

static void result_ref(void *value)
{
    struct cached_result *result = value;
    atomic_fetch_add_explicit(&result->refs, 1, memory_order_relaxed);
}

static void result_unref(void *value)
{
    struct cached_result *result = value;
    if (!result || atomic_fetch_sub_explicit(&result->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < result->batches_len; i++)
        batch_unref(result->batches[i]);
    free(result->batches);
    arena_release(&result->arena);
    free(result);
}

static const struct value_cache_kind result_kind = {result_ref, result_unref};

static struct cached_result *result_new(void)
{
    struct cached_result *result = calloc(1, sizeof *result);
    if (!result)
        return NULL;
    atomic_init(&result->refs, 1);
    arena_init(&result->arena, 0);
    return result;
}

/* Hands rows on and keeps them, as long as they are few. `keep` NULL: too many, or no memory. */
struct tee {
    const struct sql_sink *sink;
    struct sys *sys;
    struct cached_result *keep;
    uint64_t bytes_max;
    int64_t sink_us; /* spent in the sink: the client's pace */
};

static void tee_drop(struct tee *tee)
{
    result_unref(tee->keep);
    tee->keep = NULL;
}

static bool keep_columns(struct cached_result *keep, const struct str *names,
                         const struct str *types, uint32_t len)
{
    keep->names = arena_array(&keep->arena, len + 1u, sizeof *keep->names);
    keep->types = arena_array(&keep->arena, len + 1u, sizeof *keep->types);
    for (uint32_t i = 0; keep->names && keep->types && i < len; i++) {
        keep->names[i] = arena_str(&keep->arena, names[i]);
        keep->types[i] = arena_str(&keep->arena, types[i]);
        if (!keep->names[i].data || !keep->types[i].data)
            return false;
    }
    keep->len = len;
    return keep->names && keep->types;
}

static enum status tee_columns(void *context, const struct str *names, const struct str *types,
                               uint32_t len, struct error *err)
{
    struct tee *tee = context;
    if (tee->keep && !keep_columns(tee->keep, names, types, len))
        tee_drop(tee);
    return tee->sink->columns(tee->sink->context, names, types, len, err);
}

static bool keep_batch(struct tee *tee, const struct batch *batch)
{
    struct cached_result *keep = tee->keep;
    keep->bytes += batch_memory(batch);
    if (keep->bytes > tee->bytes_max || keep->batches_len == RESULT_BATCHES_MAX)
        return false;
    if (keep->batches_len == keep->batches_cap) {
        uint32_t cap = keep->batches_cap ? 2 * keep->batches_cap : 4;
        struct batch **grown = realloc(keep->batches, cap * sizeof *grown);
        if (!grown)
            return false;
        keep->batches = grown;
        keep->batches_cap = cap;
    }
    keep->batches[keep->batches_len++] = batch_ref((struct batch *)(uintptr_t)batch);
    return true;
}

static enum status tee_rows(void *context, const struct batch *batch, struct error *err)
{
    struct tee *tee = context;
    int64_t began_us = sys_mono_us(tee->sys);
    if (tee->keep && !keep_batch(tee, batch))
        tee_drop(tee);
    enum status status = tee->sink->rows(tee->sink->context, batch, err);
    tee->sink_us += sys_mono_us(tee->sys) - began_us;
    return status;
}

static enum status replay(struct sql_plan *statement, const struct sql_sink *sink,
                          struct error *err)
{
    const struct cached_result *cached = statement->cached;
    TRY(sink->columns(sink->context, cached->names, cached->types, cached->len, err));
    for (uint32_t i = 0; i < cached->batches_len; i++)
        TRY(sink->rows(sink->context, cached->batches[i], err));
    statement->stats = cached->stats;
    statement->stats.queue_us = statement->stats.prepare_us = statement->stats.execute_us = 0;
    statement->stats.cpu_us = 0;
    return STATUS_OK;
}

/* --- may a result be kept? --- */

static void put_table(struct buf *key, const struct view *view)
{
    struct uuid incarnation = source_incarnation(view->source);
    buf_append(key, &incarnation, sizeof incarnation);
    buf_append_u64(key, view->snapshot_id);
    buf_append_u64(key, view->lsn);
    buf_append_u64(key, view->rows);
    buf_append_u32(key, (uint32_t)view->schema->id);
    buf_append_u32(key, view->schema->epoch);
    buf_append_u32(key, view->chunks_len);
}

static const struct view *table_named(const struct sql_job *job, struct str name)
{
    const struct view *found = NULL;
    for (uint32_t i = 0; i < job->tables_len; i++) {
        if (!job->tables[i].view) /* no source */
            continue;
        struct str id = source_config(job->tables[i].view->source)->source_id;
        if (str_eq(id, name))
            return job->tables[i].view;
        if (id.len == name.len && str_eq_nocase(id, name)) {
            if (found)
                return NULL;
            found = job->tables[i].view;
        }
    }
    return found;
}

static bool is_cte(const struct lang_analysis *facts, struct str name)
{
    for (size_t i = 0; i < facts->cte_count; i++)
        if (str_eq_nocase(facts->ctes[i], name))
            return true;
    return false;
}

/* The state of every table, into the key; their size into `work`. False: one is not known. */
static bool put_tables(const struct sql_job *job, const struct lang_analysis *facts,
                       struct buf *key, struct access_work *work)
{
    for (size_t i = 0; i < facts->table_count; i++) {
        const struct lang_table *table = &facts->tables[i];
        const struct view *view = table_named(job, table->last);
        if (table->is_function || (!view && !is_cte(facts, table->last)))
            return false;
        if (!view)
            continue;
        put_table(key, view);
        work->files += view->segments_len;
        work->rows += (double)view->rows;
        for (uint32_t k = 0; k < view->segments_len; k++)
            work->bytes += (double)segment_info(view->segments[k]).bytes;
    }
    work->values = 2 * work->rows; /* columns of a usual statement */
    return true;
}

static bool put_question(const struct sql_job *job, struct buf *key)
{
    struct json_writer w;
    buf_append_u64(key, (uint64_t)job->limit);
    buf_append_u32(key, (uint32_t)job->query.len);
    buf_append_str(key, job->query);
    json_writer_init(&w, key);
    if (job->parameters)
        json_value(&w, job->parameters);
    return !buf_failed(key);
}

/* Leaves the key empty when the result may not be kept. */
static void make_key(struct arena *arena, struct sql_plan *statement, struct access_work *work)
{
    const struct sql_job *job = statement->job;
    struct lang_query query;
    struct lang_analysis facts;
    struct lang_problem problem;
    bool good = lang_parse(arena, job->query, LANG_DUCKDB, NULL, &query, &problem) == STATUS_OK &&
                query.statement == LANG_SELECT &&
                lang_analyze(arena, &query, &facts, &problem) == STATUS_OK &&
                put_tables(job, &facts, &statement->key, work) && lang_is_pure(query.root) &&
                put_question(job, &statement->key);
    if (!good)
        buf_clear(&statement->key);
}

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

enum status sql_plan_make(struct request *request, const struct sql_job *job, struct sql_plan *ret,
                          struct error *err)
{
    struct access_work work = {0};
    *ret = (struct sql_plan){.node = request->context, .job = job};
    buf_init(&ret->key, 8 << 20);
    make_key(request->arena, ret, &work);
    if (ret->key.len && may_use_cache(request))
        ret->cached = value_cache_get(ret->node->cache, VALUE_CACHE_RESULTS, buf_str(&ret->key));
    if (ret->cached) {
        choose_cached(ret, &work);
        return STATUS_OK;
    }
    TRY(own_statement_read(request->arena, job->query, job->parameters, job->tables,
                           job->tables_len, &ret->own, &ret->is_own, err));
    return choose(request, ret, &work, err);
}

void sql_plan_release(struct sql_plan *statement)
{
    own_statement_release(&statement->own);
    result_unref(statement->cached);
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
    enum status status = own_statement_run(
        node->cache, job->tables[statement->own.table].view, &statement->own, &statement->choice,
        job->limit, &context, sink, &statement->stats, &statement->exec, &begun, err);
    admission_leave(&node->admission);
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

static void note_outcome(struct sql_plan *statement, const struct tee *tee)
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

static void keep_result(struct sql_plan *statement, struct tee *tee)
{
    struct cached_result *keep = tee->keep;
    if (!keep)
        return;
    keep->stats = statement->stats;
    keep->rows_found = statement->outcome.rows_found;
    int64_t cost_us = (int64_t)(statement->outcome.ms * 1000);
    value_cache_put(statement->node->cache, buf_str(&statement->key), keep, &result_kind,
                    keep->bytes + keep->arena.total + sizeof *keep, cost_us);
    result_unref(keep);
}

static enum status run_cached(struct sql_plan *statement, const struct sql_sink *sink,
                              struct error *err)
{
    int64_t began_us = sys_mono_us(statement->node->sys);
    enum status status = replay(statement, sink, err);
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
    struct tee tee = {
        .sink = sink, .sys = node->sys, .bytes_max = cache.bytes_max / VALUE_CACHE_SHARE_MAX};
    const struct sql_sink through = {&tee, tee_columns, tee_rows};
    if (statement->key.len && tee.bytes_max)
        tee.keep = result_new();
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
        tee_drop(&tee);
    return status;
}
