/* access.c: what clients say and hear of how a question is answered. */
#include <math.h>

#include "services/tenant/tenant_int.h"

bool tenant_has(const struct request *request, const char *field)
{
    return field_find(request->operation->fields, str_of(field)) >= 0 &&
           request_has(request, field);
}

enum status tenant_explain(const struct request *request, enum explain *ret, struct error *err)
{
    yyjson_val *value = tenant_has(request, "explain") ? request_json(request, "explain") : NULL;
    struct str text = json_str_of(value);
    *ret = EXPLAIN_NO;
    if (!value || yyjson_is_false(value))
        return STATUS_OK;
    *ret = yyjson_is_str(value) && str_is(text, "analyze") ? EXPLAIN_ANALYZE : EXPLAIN_PLAN;
    if (yyjson_is_true(value) || (text.data && (str_is(text, "analyze") || str_is(text, "plan"))))
        return STATUS_OK;
    return error_set(err, STATUS_INVALID_ARGUMENT, "explain is true, \"plan\" or \"analyze\"");
}

/* A plan's id begins with its path's name. */
static struct str path_of_plan(struct str plan_id)
{
    struct str path = plan_id;
    for (size_t i = 0; i < plan_id.len; i++)
        if (plan_id.data[i] == '-')
            path.len = i;
    return path;
}

enum status tenant_offer(const struct request *request, struct access_offer *offer,
                         struct error *err)
{
    struct str path = STR_NONE, plan = STR_NONE, level = STR_NONE;
    if (tenant_has(request, "hint"))
        path = json_str_of(json_get(request_json(request, "hint"), "access_path"));
    if (tenant_has(request, "plan_id"))
        plan = request_str(request, "plan_id");
    if (tenant_has(request, "optimization_level"))
        level = request_str(request, "optimization_level");
    if (!path.data && plan.data)
        path = path_of_plan(plan);
    if (!path.data && level.data && str_is(level, "none")) {
        offer->forced = true;
        offer->force = offer->duckdb ? PATH_DUCKDB : PATH_FULL_SCAN;
        return STATUS_OK;
    }
    if (!path.data)
        return STATUS_OK;
    offer->forced = access_path_parse(path, &offer->force);
    if (offer->forced)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "there is no access path '%.*s'; explain lists those of a query",
                     path.len < 60 ? (int)path.len : 60, path.data);
}

static void write_count(struct json_writer *w, const char *key, double value)
{
    json_keyz(w, key);
    if (value < 0 || !isfinite(value))
        json_null(w);
    else
        json_int(w, llround(value));
}

void write_access(struct json_writer *w, const struct access_choice *choice,
                  const struct access_outcome *outcome, const struct exec_stats *exec)
{
    const struct access_plan *plan = access_chosen(choice);
    json_kv_strz(w, "plan_id", plan->id);
    json_kv_strz(w, "access_path", access_path_name(plan->path));
    json_kv_int(w, "plan_us", choice->plan_us);
    json_kv_int(w, "exec_us", llround(outcome->ms * 1000));
    json_kv_double(w, "estimated_ms", plan->ms);
    write_count(w, "estimated_rows", choice->rows_found);
    write_count(w, "actual_rows", outcome->rows_found);
    write_count(w, "rows_out", outcome->rows_out);
    json_kv_int(w, "files_total", (int64_t)choice->files_total);
    write_count(w, "files_read", outcome->files);
    write_count(w, "estimated_bytes", plan->work.bytes);
    if (!exec)
        return;
    json_kv_int(w, "rows_scanned", (int64_t)exec->rows_scanned);
    json_kv_bool(w, "index_used", exec->index_used);
}
