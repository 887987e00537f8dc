/* explain.c: plans as the contract has them (1.6): operators with cost, selectivity and rows, the
 * parts of the cost, files pruned; and the names of sql-design's measures beside them. */
#include <math.h>

#include "query/optimize/optimizer.h"

static const char *const kinds[] = {
    [AGG_COUNT] = "count",   [AGG_SUM] = "sum",
    [AGG_AVG] = "avg",       [AGG_MIN] = "min",
    [AGG_MAX] = "max",       [AGG_COUNT_DISTINCT] = "count_distinct",
    [AGG_STDDEV] = "stddev", [AGG_PERCENTILE] = "percentile",
};

static void write_rows(struct json_writer *w, const char *key, double rows)
{
    json_keyz(w, key);
    if (rows < 0 || !isfinite(rows))
        json_null(w);
    else
        json_int(w, llround(fmin(rows, 9e15)));
}

/* The time in its parts: reading files, deciding and moving rows, holding groups. */
static void write_cost(const struct access_plan *plan, struct json_writer *w)
{
    const struct access_work *work = &plan->work;
    double io = work->files * 0.02, cpu = plan->ms - io;
    double memory = work->groups * 1e-4;
    json_begin_object(w);
    json_kv_double(w, "cpu_cost", cpu > 0 ? cpu : 0);
    json_kv_double(w, "io_cost", cpu > 0 ? io : plan->ms);
    json_kv_double(w, "memory_cost", memory);
    json_kv_double(w, "network_cost", 0);
    json_kv_double(w, "total_cost", plan->ms);
    json_end_object(w);
}

static void begin_operator(struct json_writer *w, const char *type, double cost, double selectivity,
                           double rows)
{
    json_begin_object(w);
    json_kv_strz(w, "type", type);
    json_kv_double(w, "cost", cost);
    json_kv_double(w, "selectivity", selectivity);
    write_rows(w, "rows_out", rows);
}

static void write_aggregations(const struct query_shape *shape, struct json_writer *w)
{
    json_keyz(w, "aggregations");
    json_begin_array(w);
    for (uint32_t i = 0; i < shape->specs_len; i++) {
        json_begin_object(w);
        json_kv_strz(w, "type", kinds[shape->specs[i].kind]);
        json_kv_str(w, "column", shape->specs[i].column);
        json_end_object(w);
    }
    json_end_array(w);
    json_keyz(w, "group_by");
    json_begin_array(w);
    for (uint32_t i = 0; i < shape->keys_len; i++)
        json_string(w, shape->keys[i]);
    json_end_array(w);
}

static void write_order(const struct query_shape *shape, struct json_writer *w)
{
    json_keyz(w, "order_by");
    json_begin_array(w);
    for (uint32_t i = 0; i < shape->order_len; i++) {
        json_begin_object(w);
        json_kv_str(w, "column", shape->order[i].column);
        json_kv_strz(w, "direction", shape->order[i].descending ? "desc" : "asc");
        json_end_object(w);
    }
    json_end_array(w);
}

static void write_operators(const struct access_choice *choice, const struct access_plan *plan,
                            const struct query_shape *shape, struct json_writer *w)
{
    double total = (double)choice->rows_total, share = total > 0 ? choice->rows_found / total : 1;
    json_keyz(w, "operators");
    json_begin_array(w);
    begin_operator(w, "scan", plan->ms, total > 0 ? plan->work.rows / total : 1, plan->work.rows);
    json_kv_strz(w, "access_path", access_path_name(plan->path));
    if (shape)
        json_kv_str(w, "source_id", shape->source_id);
    json_end_object(w);
    if (shape && shape->filters && yyjson_obj_size(shape->filters)) {
        begin_operator(w, "filter", 0, share, choice->rows_found);
        json_keyz(w, "filter");
        json_value(w, shape->filters);
        json_end_object(w);
    }
    if (shape && shape->aggregates) {
        begin_operator(w, "aggregate", 0, 1, choice->rows_out);
        write_aggregations(shape, w);
        json_end_object(w);
    }
    if (shape && shape->order_len) {
        begin_operator(w, "sort", 0, 1, choice->rows_out);
        write_order(shape, w);
        json_end_object(w);
    }
    if (shape && shape->limit >= 0) {
        begin_operator(w, "limit", 0, 1, choice->rows_out);
        json_kv_int(w, "limit", shape->limit);
        json_kv_int(w, "offset", (int64_t)shape->offset);
        json_end_object(w);
    }
    json_end_array(w);
}

void access_plan_write(const struct access_choice *choice, uint32_t index,
                       const struct query_shape *shape, struct json_writer *w)
{
    const struct access_plan *plan = &choice->plans[index];
    json_begin_object(w);
    json_kv_strz(w, "plan_id", plan->id);
    json_kv_strz(w, "access_path", access_path_name(plan->path));
    json_kv_bool(w, "chosen", index == choice->chosen);
    write_operators(choice, plan, shape, w);
    json_keyz(w, "estimated_cost");
    write_cost(plan, w);
    json_kv_double(w, "estimated_time_ms", plan->ms);
    json_kv_int(w, "parallelism_factor", plan->path == PATH_DUCKDB ? 2 : 1);
    json_keyz(w, "index_usage");
    json_begin_array(w);
    if (shape && plan->index_used)
        json_string(w, shape->source_id);
    json_end_array(w);
    json_keyz(w, "file_pruning");
    json_begin_object(w);
    json_kv_int(w, "files_total", (int64_t)choice->files_total);
    write_rows(w, "files_read", plan->work.files);
    json_end_object(w);
    write_rows(w, "files", plan->work.files);
    write_rows(w, "est_rows", choice->rows_found);
    write_rows(w, "est_bytes", plan->work.bytes);
    json_kv_double(w, "est_ms", plan->ms);
    json_end_object(w);
}

void access_choice_write(const struct access_choice *choice, const struct query_shape *shape,
                         struct json_writer *w)
{
    json_kv_strz(w, "plan_id", access_chosen(choice)->id);
    json_kv_strz(w, "access_path", access_path_name(access_chosen(choice)->path));
    json_kv_int(w, "plan_us", choice->plan_us);
    json_kv_bool(w, "plan_from_cache", choice->from_cache);
    write_rows(w, "estimated_rows", choice->rows_found);
    write_rows(w, "estimated_result_rows", choice->rows_out);
    json_keyz(w, "chosen_plan");
    access_plan_write(choice, choice->chosen, shape, w);
    json_keyz(w, "plans");
    json_begin_array(w);
    for (uint32_t i = 0; i < choice->plans_len; i++)
        access_plan_write(choice, i, shape, w);
    json_end_array(w);
}
