/* compaction.c: joining files on demand: start, status, one job, cancel (contracts 1.7). */
#include <stdlib.h>

#include "services/tenant/tenant_int.h"

static struct tenant_node *node_of(const struct request *request)
{
    return request->context;
}

static double mb(double bytes)
{
    return bytes / (1 << 20);
}

static uint64_t bytes_of(const struct request *request, const char *field)
{
    return request_has(request, field)
               ? (uint64_t)(request_double(request, field) * (double)(1 << 20))
               : 0;
}

static struct compact_policy decode_policy(const struct request *request)
{
    struct compact_policy policy = {
        .min_file_bytes = bytes_of(request, "min_file_size_mb"),
        .max_file_bytes = bytes_of(request, "max_file_size_mb"),
        .target_file_bytes = bytes_of(request, "target_file_size_mb"),
        .batch_files = request_has(request, "compaction_batch_size")
                           ? (uint32_t)request_int(request, "compaction_batch_size")
                           : 0,
        .io_bytes_per_s = bytes_of(request, "io_mb_per_second"),
    };
    if (request_has(request, "io_mb_per_second") && policy.io_bytes_per_s == 0)
        policy.io_bytes_per_s = UINT64_MAX;
    return policy;
}

/* Queues a job for each source; the first one is also "job_id". */
static enum status start_all(struct request *request, const struct source_set *set,
                             struct json_writer *w, struct error *err)
{
    struct compact_policy policy = decode_policy(request);
    char job[COMPACT_JOB_ID_MAX], first[COMPACT_JOB_ID_MAX] = "";
    json_keyz(w, "job_ids");
    json_begin_array(w);
    for (uint32_t i = 0; i < set->len; i++) {
        TRY(store_compact(node_of(request)->store, source_config(set->sources[i])->source_id,
                          &policy, job, err));
        json_stringz(w, job);
        if (i == 0)
            memcpy(first, job, sizeof first);
    }
    json_end_array(w);
    json_kv_strz(w, "job_id", first[0] ? first : NULL);
    return STATUS_OK;
}

static enum status open_sources(struct request *request, struct source_set *set, struct error *err)
{
    if (!request_has(request, "source_id"))
        return source_set_open(node_of(request), NULL, set, err);
    set->sources = calloc(1, sizeof(struct source *));
    if (!set->sources)
        return error_no_memory(err);
    TRY(store_get_source(node_of(request)->store, request_str(request, "source_id"),
                         &set->sources[0], err));
    set->len = 1;
    return STATUS_OK;
}

enum status handle_compaction_start(struct request *request)
{
    struct error *err = &request->error;
    struct source_set set = {0};
    struct buf body;
    struct json_writer w;
    enum status status = open_sources(request, &set, err);
    if (status != STATUS_OK) {
        source_set_close(&set);
        return status;
    }
    buf_init(&body, 1 << 20);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "success", true);
    status = start_all(request, &set, &w, err);
    json_kv_null(&w, "error_message");
    json_end_object(&w);
    source_set_close(&set);
    if (status != STATUS_OK) {
        buf_release(&body);
        return status;
    }
    request_respond_json(request, 202, &body);
    return STATUS_OK;
}

static void write_job(struct json_writer *w, const struct compact_job_info *job)
{
    json_begin_object(w);
    json_kv_strz(w, "job_id", job->id);
    json_kv_strz(w, "source_id", job->source_id);
    json_kv_strz(w, "status", compact_state_name(job->state));
    json_kv_bool(w, "automatic", job->automatic);
    tenant_write_time(w, "queued_at", job->queued_us);
    tenant_write_time(w, "started_at", job->started_us);
    tenant_write_time(w, "finished_at", job->finished_us);
    json_kv_double(w, "estimated_size_mb", mb((double)job->estimated_bytes));
    json_kv_int(w, "merges", (int64_t)job->merges);
    json_kv_int(w, "input_files_count", (int64_t)job->input_files);
    json_kv_int(w, "output_files_count", (int64_t)job->output_files);
    json_kv_int(w, "input_bytes", (int64_t)job->input_bytes);
    json_kv_int(w, "output_bytes", (int64_t)job->output_bytes);
    json_kv_int(w, "rows", (int64_t)job->rows);
    json_kv_strz(w, "failure", job->error[0] ? job->error : NULL);
    json_end_object(w);
}

static void write_jobs(struct json_writer *w, const char *key, const struct compact_job_info *jobs,
                       uint32_t len, bool ended)
{
    json_keyz(w, key);
    json_begin_array(w);
    for (uint32_t i = 0; i < len; i++) {
        if ((jobs[i].state >= COMPACT_DONE) == ended)
            write_job(w, &jobs[i]);
    }
    json_end_array(w);
}

enum status handle_compaction_status(struct request *request)
{
    struct error *err = &request->error;
    struct compact_status totals;
    struct compact_job_info *jobs;
    uint32_t len;
    struct answer answer;
    store_compact_status(node_of(request)->store, &totals);
    TRY(store_compact_jobs(node_of(request)->store, &jobs, &len, err));
    answer_init(&answer, request, STR("application/json"));
    struct json_writer *w = &answer.w;
    json_begin_object(w);
    json_kv_bool(w, "success", true);
    json_kv_bool(w, "automatic", totals.automatic);
    json_kv_int(w, "active_jobs", (int64_t)totals.active);
    json_kv_int(w, "queued_jobs", (int64_t)totals.queued);
    json_kv_int(w, "completed_jobs", (int64_t)totals.done);
    json_kv_int(w, "failed_jobs", (int64_t)totals.failed);
    json_kv_int(w, "cancelled_jobs", (int64_t)totals.cancelled);
    json_kv_int(w, "total_compactions", (int64_t)totals.merges);
    json_kv_double(w, "total_size_reduced_mb", mb((double)totals.bytes_reduced));
    json_kv_int(w, "total_files_reduced", (int64_t)totals.files_reduced);
    write_jobs(w, "current_jobs", jobs, len, false);
    write_jobs(w, "recent_jobs", jobs, len, true);
    json_kv_null(w, "error_message");
    json_end_object(w);
    free(jobs);
    enum status status = answer_end(&answer, err);
    answer_release(&answer);
    return status;
}

enum status handle_compaction_job(struct request *request)
{
    struct error *err = &request->error;
    struct compact_job_info job;
    struct answer answer;
    TRY(store_compact_job(node_of(request)->store, request_path_param(request, "job_id"), &job,
                          err));
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    json_keyz(&answer.w, "job");
    write_job(&answer.w, &job);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    enum status status = answer_end(&answer, err);
    answer_release(&answer);
    return status;
}

enum status handle_compaction_cancel(struct request *request)
{
    TRY(store_compact_cancel(node_of(request)->store, request_path_param(request, "job_id"),
                             &request->error));
    return answer_success(request);
}
