/* aggregate.c: POST /data/aggregate: per source and over all of them, from mergeable states, so
 * that an average over sources is the sum of sums by the sum of counts. */
#include <stdlib.h>

#include "services/tenant/tenant_int.h"

struct job {
    struct tenant_node *node;
    struct request *request;
    struct exec_context context;
    struct filter *filter;
    struct aggregate_spec *specs;
    uint32_t specs_len;
    struct str *keys;
    uint32_t keys_len;
    struct source_set set;
    struct aggregate *total;
    struct exec_stats stats;
    struct access_run *runs; /* as the set's sources */
};

static struct str default_alias(struct arena *arena, struct str type, struct str column)
{
    if (!column.data)
        return type;
    struct str alias = {arena_printf(arena, "%.*s_%.*s", STR_ARG(type), STR_ARG(column)), 0};
    alias.len = alias.data ? strlen(alias.data) : 0;
    return alias;
}

static enum status decode_spec(struct job *job, yyjson_val *item, struct aggregate_spec *spec,
                               struct error *err)
{
    struct str type = json_str_of(json_get(item, "type"));
    yyjson_val *percentile = json_get(item, "percentile");
    *spec = (struct aggregate_spec){.column = json_str_of(json_get(item, "column")),
                                    .alias = json_str_of(json_get(item, "alias")),
                                    .percentile = 0.5};
    if (!aggregate_kind_parse(type, &spec->kind))
        return error_set(err, STATUS_INVALID_ARGUMENT, "unknown aggregation type '%.*s'",
                         type.len < 60 ? (int)type.len : 60, type.data ? type.data : "");
    if (str_is(spec->column, "*") && spec->kind == AGG_COUNT)
        spec->column = STR_NONE;
    if (!spec->column.data && spec->kind != AGG_COUNT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "aggregation '%.*s' needs a column",
                         STR_ARG(type));
    if (percentile && !yyjson_is_null(percentile))
        spec->percentile = yyjson_get_num(percentile);
    if (!spec->alias.data)
        spec->alias = default_alias(job->request->arena, type, spec->column);
    return spec->alias.data ? STATUS_OK : error_no_memory(err);
}

static enum status check_names(const struct job *job, struct error *err)
{
    for (uint32_t i = 0; i < job->specs_len; i++) {
        struct str alias = job->specs[i].alias;
        bool twice = false;
        for (uint32_t k = 0; k < i; k++)
            twice = twice || str_eq(job->specs[k].alias, alias);
        for (uint32_t k = 0; k < job->keys_len; k++)
            twice = twice || str_eq(job->keys[k], alias);
        if (twice)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "two results would have the name '%.*s': give another alias",
                             alias.len < 100 ? (int)alias.len : 100, alias.data);
    }
    return STATUS_OK;
}

static enum status decode(struct job *job, struct error *err)
{
    struct request *request = job->request;
    yyjson_val *list = request_json(request, "aggregations"), *item;
    yyjson_val *keys = request_json(request, "group_by");
    size_t count = yyjson_arr_size(list), i, max;
    size_t keys_len = yyjson_arr_size(keys);
    if (count == 0 || count > AGGREGATE_SPECS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "aggregations holds 1 to %d items",
                         AGGREGATE_SPECS_MAX);
    if (keys_len > AGGREGATE_KEYS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "group_by names at most %d columns",
                         AGGREGATE_KEYS_MAX);
    job->specs = arena_array(request->arena, count, sizeof *job->specs);
    job->keys = arena_array(request->arena, keys_len ? keys_len : 1, sizeof *job->keys);
    if (!job->specs || !job->keys)
        return error_no_memory(err);
    job->specs_len = (uint32_t)count;
    job->keys_len = (uint32_t)keys_len;
    yyjson_arr_foreach(keys, i, max, item)
    {
        job->keys[i] = json_str_of(item);
    }
    yyjson_arr_foreach(list, i, max, item)
    {
        TRY(decode_spec(job, item, &job->specs[i], err));
    }
    TRY(check_names(job, err));
    return filter_parse(request_json(request, "filters"), &job->filter, err);
}

static enum status write_result(const struct job *job, const struct aggregate *aggregate,
                                struct json_writer *w, struct error *err)
{
    if (job->keys_len)
        return aggregate_write_groups(aggregate, w, err);
    json_begin_object(w);
    TRY(aggregate_write_members(aggregate, w, err));
    json_end_object(w);
    return STATUS_OK;
}

static struct query_shape shape_of(const struct job *job)
{
    return (struct query_shape){.aggregates = true,
                                .filter = job->filter,
                                .filters = request_json(job->request, "filters"),
                                .limit = -1,
                                .specs = job->specs,
                                .specs_len = job->specs_len,
                                .keys = job->keys,
                                .keys_len = job->keys_len};
}

/* By the cheapest way; *ret is the source's aggregate. */
static enum status aggregate_view(struct job *job, struct view *view, struct access_run *run,
                                  struct aggregate **ret, struct error *err)
{
    struct query_shape shape = shape_of(job);
    struct exec_stats stats = {0};
    shape.source_id = source_config(view->source)->source_id;
    TRY(access_begin(run, job->request, view, &shape, &job->context, err));
    TRY(own_aggregate(job->node->cache, view, &shape, &run->choice, &run->context, &stats, ret,
                      err));
    access_end(run, &stats, aggregate_groups(*ret), false);
    exec_stats_add(&job->stats, &stats);
    return STATUS_OK;
}

static enum status add_source(struct job *job, uint32_t index, struct json_writer *w,
                              struct error *err)
{
    struct source *source = job->set.sources[index];
    struct aggregate *part = NULL;
    struct view view;
    int span = span_begin(job->request, "aggregate.scan", SPAN_INTERNAL);
    struct exec_stats before = job->stats;
    TRY(tenant_view(job->request, source, &view, err));
    enum status status = aggregate_view(job, &view, &job->runs[index], &part, err);
    if (status == STATUS_OK) {
        json_key(w, source_config(source)->source_id);
        status = write_result(job, part, w, err);
    }
    if (status == STATUS_OK)
        status = aggregate_merge(job->total, part, err);
    span_note(job->request, span, "rows_scanned",
              (int64_t)(job->stats.rows_scanned - before.rows_scanned));
    span_note(job->request, span, "files", (int64_t)(job->stats.segments - before.segments));
    span_note(job->request, span, "files_pruned",
              (int64_t)(job->stats.segments_pruned - before.segments_pruned));
    span_end(job->request, span);
    aggregate_free(part);
    view_close(&view);
    return status;
}

static void write_plans(const struct job *job, struct json_writer *w)
{
    json_keyz(w, "plans");
    json_begin_array(w);
    for (uint32_t i = 0; i < job->set.len; i++) {
        const struct access_run *run = &job->runs[i];
        json_begin_object(w);
        json_kv_str(w, "source_id", source_config(job->set.sources[i])->source_id);
        write_access(w, &run->choice, &run->outcome, &run->stats);
        json_end_object(w);
    }
    json_end_array(w);
}

static enum status run(struct job *job, struct json_writer *w, struct error *err)
{
    TRY(decode(job, err));
    TRY(source_set_open(job->node, request_json(job->request, "source_ids"), &job->set, err));
    TRY(aggregate_new(job->specs, job->specs_len, job->keys, job->keys_len, &job->total, err));
    job->runs = arena_array(job->request->arena, job->set.len + 1u, sizeof *job->runs);
    if (!job->runs)
        return error_no_memory(err);
    json_begin_object(w);
    json_kv_bool(w, "success", true);
    json_kv_strz(w, "tenant_id", job->node->options.tenant_id);
    json_keyz(w, "source_results");
    json_begin_object(w);
    for (uint32_t i = 0; i < job->set.len; i++)
        TRY(add_source(job, i, w, err));
    json_end_object(w);
    json_keyz(w, "final_results");
    TRY(write_result(job, job->total, w, err));
    json_kv_null(w, "error_message");
    json_keyz(w, "statistics");
    json_begin_object(w);
    json_kv_int(w, "rows_scanned", (int64_t)job->stats.rows_scanned);
    json_kv_int(w, "rows_matched", (int64_t)job->stats.rows_matched);
    json_kv_int(w, "files", (int64_t)job->stats.segments);
    json_kv_int(w, "files_pruned", (int64_t)job->stats.segments_pruned);
    json_kv_bool(w, "index_used", job->stats.index_used);
    write_plans(job, w);
    json_end_object(w);
    json_end_object(w);
    return STATUS_OK;
}

enum status aggregate_explain(struct request *request, enum explain explain)
{
    struct job job = {.node = request->context, .request = request};
    enum status status = decode(&job, &request->error);
    if (status == STATUS_OK) {
        struct query_shape shape = shape_of(&job);
        status = tenant_explain_sources(request, &shape, explain);
    }
    filter_free(job.filter);
    return status;
}

enum status handle_aggregate(struct request *request)
{
    struct error *err = &request->error;
    enum explain explain;
    TRY(tenant_explain(request, &explain, err));
    if (explain)
        return aggregate_explain(request, explain);
    struct job job = {.node = request->context, .request = request};
    struct answer answer;
    job.context.sys = job.node->sys;
    job.context.deadline_us = sys_mono_us(job.node->sys) + job.node->options.search_timeout_us;
    TRY(admission_enter(&job.node->admission, err));
    uint32_t more = admission_more(&job.node->admission, job.node->options.aggregate_threads);
    job.context.threads = more + 1;
    answer_init(&answer, request, STR("application/json"));
    enum status status = run(&job, &answer.w, err);
    admission_less(&job.node->admission, more + 1);
    if (status == STATUS_OK)
        status = answer_end(&answer, err);
    tenant_count_reads(request, &job.stats, NULL);
    answer_release(&answer);
    aggregate_free(job.total);
    source_set_close(&job.set);
    filter_free(job.filter);
    return status;
}
