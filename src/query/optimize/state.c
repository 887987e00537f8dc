/* state.c: what was learned, as a JSON file beside the tenant's data, and as told to people. */
#include <math.h>
#include <stdio.h>

#include "query/optimize/optimizer_int.h"

enum { STATE_MAX = 16 << 20 };

static void write_template(const struct template_history *known, struct json_writer *w)
{
    char key[20];
    snprintf(key, sizeof key, "%016llx", (unsigned long long)known->key);
    json_begin_object(w);
    json_kv_strz(w, "template", key);
    json_kv_strz(w, "question", known->label);
    json_kv_int(w, "runs", (int64_t)known->runs);
    json_kv_int(w, "seen", known->seen);
    json_kv_double(w, "source_rows", known->rows_total);
    json_kv_double(w, "mean_rows", known->rows);
    json_kv_double(w, "rows_log2_miss", known->miss);
    json_kv_double(w, "rows_log2_noise", known->noise);
    json_kv_double(w, "rows_log2_error", known->spread);
    json_keyz(w, "paths");
    json_begin_object(w);
    for (int p = 0; p < PATHS; p++) {
        const struct path_history *path = &known->paths[p];
        if (!path->runs)
            continue;
        json_keyz(w, access_path_name((enum access_path)p));
        json_begin_object(w);
        json_kv_int(w, "runs", path->runs);
        json_kv_double(w, "mean_ms", path->ms);
        json_kv_double(w, "best_ms", path->best_ms);
        json_kv_double(w, "log2_miss", path->miss);
        json_end_object(w);
    }
    json_end_object(w);
    json_end_object(w);
}

static void write_templates(const struct optimizer *optimizer, struct json_writer *w)
{
    json_begin_array(w);
    for (int i = 0; i < HISTORY_TEMPLATES; i++)
        if (optimizer->learned.templates[i].key)
            write_template(&optimizer->learned.templates[i], w);
    json_end_array(w);
}

enum status optimizer_save(struct optimizer *optimizer, struct error *err)
{
    struct buf buf;
    struct json_writer w;
    if (!optimizer->options.state_path || !optimizer->options.learns)
        return STATUS_OK;
    buf_init(&buf, STATE_MAX);
    json_writer_init(&w, &buf);
    pthread_mutex_lock(&optimizer->lock);
    json_begin_object(&w);
    json_keyz(&w, "costs");
    cost_write(&optimizer->costs, &w);
    json_keyz(&w, "templates");
    write_templates(optimizer, &w);
    json_end_object(&w);
    pthread_mutex_unlock(&optimizer->lock);
    enum status status = buf_check(&buf, "what the optimizer has learned", err);
    if (status == STATUS_OK)
        status = sys_replace_file(optimizer->options.sys, optimizer->options.state_path,
                                  (struct slice){buf.data, buf.len}, err);
    buf_release(&buf);
    return status;
}

static double number_of(yyjson_val *json, const char *key)
{
    double value = yyjson_get_num(json_get(json, key));
    return isfinite(value) ? value : 0;
}

static uint32_t count_of(yyjson_val *json, const char *key)
{
    uint64_t value = yyjson_get_uint(json_get(json, key));
    return value < UINT32_MAX ? (uint32_t)value : UINT32_MAX;
}

static void read_template(struct learned *learned, yyjson_val *json)
{
    struct str hex = json_str_of(json_get(json, "template"));
    const char *label = yyjson_get_str(json_get(json, "question"));
    unsigned long long key = 0;
    if (hex.len != 16 || sscanf(hex.data, "%16llx", &key) != 1 || !key)
        return;
    struct template_history *known = learned_make(learned, key, label ? label : "");
    known->seen = count_of(json, "seen");
    known->runs = count_of(json, "runs");
    known->rows_total = number_of(json, "source_rows");
    known->rows = number_of(json, "mean_rows");
    known->miss = number_of(json, "rows_log2_miss");
    known->noise = number_of(json, "rows_log2_noise");
    known->spread = number_of(json, "rows_log2_error");
    for (int p = 0; p < PATHS; p++) {
        yyjson_val *path = json_get(json_get(json, "paths"), access_path_name((enum access_path)p));
        known->paths[p] = (struct path_history){.runs = count_of(path, "runs"),
                                                .miss = number_of(path, "log2_miss"),
                                                .ms = number_of(path, "mean_ms"),
                                                .best_ms = number_of(path, "best_ms")};
    }
}

enum status optimizer_load(struct optimizer *optimizer, struct error *err)
{
    struct buf buf;
    yyjson_doc *doc = NULL;
    if (!optimizer->options.state_path || !optimizer->options.learns)
        return STATUS_OK;
    buf_init(&buf, STATE_MAX);
    enum status status =
        sys_read_file(optimizer->options.sys, optimizer->options.state_path, &buf, err);
    if (status == STATUS_OK)
        status = json_parse(buf_str(&buf), &doc, err);
    buf_release(&buf);
    TRY(status);
    yyjson_val *root = yyjson_doc_get_root(doc), *item;
    size_t i, max;
    cost_read(&optimizer->costs, json_get(root, "costs"));
    yyjson_arr_foreach(json_get(root, "templates"), i, max, item)
    {
        read_template(&optimizer->learned, item);
    }
    yyjson_doc_free(doc);
    return STATUS_OK;
}

/* --- telling --- */

static void write_recent(const struct optimizer *optimizer, struct json_writer *w)
{
    uint64_t n = optimizer->recorded < RECENT_RUNS ? optimizer->recorded : RECENT_RUNS;
    json_keyz(w, "recent_plans");
    json_begin_array(w);
    for (uint64_t i = 1; i <= n; i++) {
        const struct recent_run *run = &optimizer->recent[(optimizer->recorded - i) % RECENT_RUNS];
        json_begin_object(w);
        json_kv_strz(w, "plan_id", run->plan_id);
        json_kv_double(w, "estimated_time_ms", run->estimated_ms);
        json_kv_double(w, "execution_time_ms", run->ms);
        json_keyz(w, "estimated_rows");
        json_double(w, run->estimated_rows < 0 ? NAN : run->estimated_rows);
        json_keyz(w, "actual_rows");
        json_double(w, run->rows < 0 ? NAN : run->rows);
        json_end_object(w);
    }
    json_end_array(w);
}

/* How near the estimates were, over the questions that were answered. */
static void write_accuracy(const struct optimizer *optimizer, struct json_writer *w)
{
    double rows = 0, time = 0, runs = 0;
    uint32_t templates = 0;
    for (int i = 0; i < HISTORY_TEMPLATES; i++) {
        const struct template_history *known = &optimizer->learned.templates[i];
        templates += known->seen > 0;
        rows += known->seen ? known->spread : 0;
    }
    for (int p = 0; p < PATHS; p++) {
        time += optimizer->costs.paths[p].error * (double)optimizer->costs.paths[p].runs;
        runs += (double)optimizer->costs.paths[p].runs;
    }
    json_keyz(w, "accuracy");
    json_begin_object(w);
    json_kv_int(w, "templates", templates);
    json_kv_double(w, "rows_q_error", templates ? exp2(rows / templates) : 1);
    json_kv_double(w, "time_q_error", runs > 0 ? exp2(time / runs) : 1);
    json_end_object(w);
}

void optimizer_write_stats(struct optimizer *optimizer, struct json_writer *w)
{
    pthread_mutex_lock(&optimizer->lock);
    json_kv_bool(w, "enabled", !optimizer->options.disabled);
    json_kv_bool(w, "learning", optimizer->options.learns);
    json_kv_int(w, "plans_made", (int64_t)optimizer->planned);
    json_kv_int(w, "plans_from_cache", (int64_t)optimizer->planned_from_cache);
    json_kv_double(w, "mean_plan_us", optimizer->plan_us);
    json_keyz(w, "execution_history");
    json_begin_object(w);
    for (int p = 0; p < PATHS; p++)
        json_kv_int(w, access_path_name((enum access_path)p), (int64_t)optimizer->runs[p]);
    json_end_object(w);
    json_keyz(w, "cost_factors");
    cost_write(&optimizer->costs, w);
    write_accuracy(optimizer, w);
    write_recent(optimizer, w);
    json_keyz(w, "templates");
    write_templates(optimizer, w);
    pthread_mutex_unlock(&optimizer->lock);
}
