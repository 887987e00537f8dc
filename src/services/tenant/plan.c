/* plan.c: questions about one source (searches, aggregates) are planned here; explaining them;
 * POST /query/plan, GET /query/statistics and its reset. */
#include "services/tenant/tenant_int.h"

enum status access_begin(struct access_run *run, struct request *request, struct view *view,
                         const struct query_shape *shape, const struct exec_context *context,
                         struct error *err)
{
    struct tenant_node *node = request->context;
    struct access_offer offer = {.own = true};
    *run = (struct access_run){.node = node, .context = *context};
    TRY(tenant_offer(request, &offer, err));
    own_offer_partials(node->cache, view, shape, &offer);
    TRY(optimizer_choose(node->optimizer, view, shape, &offer, context, &run->choice, err));
    run->context.access = own_access(access_chosen(&run->choice)->path);
    run->began_us = sys_mono_us(node->sys);
    return STATUS_OK;
}

void access_end(struct access_run *run, const struct exec_stats *stats, uint64_t rows_out, bool cut)
{
    enum access_path path = access_chosen(&run->choice)->path;
    bool known = path != PATH_FILE_PARTIALS && path != PATH_METADATA;
    run->stats = *stats;
    run->outcome = (struct access_outcome){
        .ms = (double)(sys_mono_us(run->node->sys) - run->began_us - run->outside_us) / 1000,
        .rows_found = known ? (double)stats->rows_matched : -1,
        .rows_out = (double)rows_out,
        .cut = cut,
        .files = (double)stats->segments_read,
        .rows_scanned = (double)stats->rows_scanned,
    };
    optimizer_record(run->node->optimizer, &run->choice, &run->outcome);
}

/* --- explaining --- */

static enum status run_search(struct view *view, const struct query_shape *shape,
                              struct access_run *run, struct error *err)
{
    struct search_options options = {.filter = shape->filter,
                                     .columns = shape->columns,
                                     .columns_len = shape->columns_len,
                                     .limit = shape->limit,
                                     .offset = shape->offset,
                                     .order = shape->order,
                                     .order_len = shape->order_len};
    struct search *search = NULL;
    uint64_t rows = 0;
    TRY(search_open(view, &options, &run->context, &search, err));
    enum status status = STATUS_OK;
    for (struct batch *batch = NULL; status == STATUS_OK;) {
        status = search_next(search, &batch, err);
        if (status != STATUS_OK || !batch)
            break;
        rows += batch->rows;
        batch_unref(batch);
    }
    if (status == STATUS_OK)
        access_end(run, search_stats(search), rows, shape->limit >= 0);
    search_close(search);
    return status;
}

static enum status run_aggregate(struct view *view, const struct query_shape *shape,
                                 struct access_run *run, struct error *err)
{
    struct exec_stats stats = {0};
    struct aggregate *agg = NULL;
    TRY(own_aggregate(run->node->cache, view, shape, &run->choice, &run->context, &stats, &agg,
                      err));
    access_end(run, &stats, aggregate_groups(agg), false);
    aggregate_free(agg);
    return STATUS_OK;
}

static enum status explain_view(struct request *request, struct view *view,
                                const struct query_shape *shape, bool analyze,
                                struct json_writer *w, struct error *err)
{
    struct tenant_node *node = request->context;
    struct exec_context context = {
        .sys = node->sys, .deadline_us = sys_mono_us(node->sys) + node->options.search_timeout_us};
    struct access_run run;
    TRY(access_begin(&run, request, view, shape, &context, err));
    if (analyze)
        TRY(shape->aggregates ? run_aggregate(view, shape, &run, err)
                              : run_search(view, shape, &run, err));
    json_kv_str(w, "source_id", shape->source_id);
    access_choice_write(&run.choice, shape, w);
    if (analyze) {
        json_keyz(w, "actual");
        json_begin_object(w);
        write_access(w, &run.choice, &run.outcome, &run.stats);
        json_end_object(w);
    }
    return STATUS_OK;
}

static enum status explain_source(struct request *request, struct source *source,
                                  const struct query_shape *shape, bool analyze,
                                  struct json_writer *w, struct error *err)
{
    struct query_shape one = *shape;
    struct view view;
    one.source_id = source_config(source)->source_id;
    TRY(tenant_view(request, source, &view, err));
    enum status status = explain_view(request, &view, &one, analyze, w, err);
    view_close(&view);
    return status;
}

static enum status write_explain(struct request *request, const struct source_set *set,
                                 const struct query_shape *shape, bool analyze,
                                 struct json_writer *w, struct error *err)
{
    json_begin_object(w);
    json_kv_bool(w, "success", true);
    json_keyz(w, "explain");
    json_begin_array(w);
    for (uint32_t i = 0; i < set->len; i++) {
        json_begin_object(w);
        TRY(explain_source(request, set->sources[i], shape, analyze, w, err));
        json_end_object(w);
    }
    json_end_array(w);
    json_kv_null(w, "error_message");
    json_end_object(w);
    return STATUS_OK;
}

enum status tenant_explain_sources(struct request *request, const struct query_shape *shape,
                                   enum explain explain)
{
    struct tenant_node *node = request->context;
    struct error *err = &request->error;
    struct source_set set;
    struct answer answer;
    TRY(source_set_open(node, request_json(request, "source_ids"), &set, err));
    enum status status = admission_enter(&node->admission, err);
    if (status != STATUS_OK) {
        source_set_close(&set);
        return status;
    }
    answer_init(&answer, request, STR("application/json"));
    status = write_explain(request, &set, shape, explain == EXPLAIN_ANALYZE, &answer.w, err);
    if (status == STATUS_OK)
        status = answer_end(&answer, err);
    answer_release(&answer);
    admission_leave(&node->admission);
    source_set_close(&set);
    return status;
}

/* --- operations --- */

enum status handle_query_plan(struct request *request)
{
    if (request_has(request, "query"))
        return sql_explain(request);
    return request_has(request, "aggregations") ? aggregate_explain(request, EXPLAIN_PLAN)
                                                : search_explain(request, EXPLAIN_PLAN);
}

static void write_cache(struct json_writer *w, struct tenant_node *node)
{
    struct value_cache_stats stats;
    value_cache_get_stats(node->cache, &stats);
    json_keyz(w, "cache");
    json_begin_object(w);
    json_kv_int(w, "result_hits", (int64_t)stats.hits[VALUE_CACHE_RESULTS]);
    json_kv_int(w, "result_misses", (int64_t)stats.misses[VALUE_CACHE_RESULTS]);
    json_kv_int(w, "partial_hits", (int64_t)stats.hits[VALUE_CACHE_PARTIALS]);
    json_kv_int(w, "partial_misses", (int64_t)stats.misses[VALUE_CACHE_PARTIALS]);
    json_kv_int(w, "bytes", (int64_t)stats.bytes);
    json_kv_int(w, "bytes_max", (int64_t)stats.bytes_max);
    json_kv_int(w, "entries", (int64_t)stats.entries);
    json_kv_int(w, "evicted", (int64_t)stats.evicted);
    json_end_object(w);
}

enum status handle_optimizer_stats(struct request *request)
{
    struct tenant_node *node = request->context;
    struct source_set set;
    struct answer answer;
    TRY(source_set_open(node, NULL, &set, &request->error));
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    json_kv_int(&answer.w, "tables_analyzed", set.len);
    json_kv_int(&answer.w, "statistics_rebuilt", (int64_t)node->statistics.rebuilt);
    optimizer_write_stats(node->optimizer, &answer.w);
    write_cache(&answer.w, node);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    source_set_close(&set);
    enum status status = answer_end(&answer, &request->error);
    answer_release(&answer);
    return status;
}

enum status handle_optimizer_reset(struct request *request)
{
    struct tenant_node *node = request->context;
    optimizer_reset(node->optimizer);
    value_cache_clear(node->cache);
    return answer_success(request);
}
