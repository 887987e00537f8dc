/* backup.c: POST and GET /admin/backup: a hot backup as a job of this node, one at a time.
 *
 * The node writes to a path that the caller names, so the caller must be on this machine, and the
 * path absolute and outside of DATA_PATH. */
#include <stdio.h>
#include <stdlib.h>

#include "services/tenant/tenant_int.h"

void backup_job_init(struct backup_job *job)
{
    pthread_mutex_init(&job->lock, NULL);
}

void backup_job_stop(struct backup_job *job)
{
    atomic_store(&job->progress.cancel, true);
    thread_join(&job->thread);
    job->thread.started = false;
}

void backup_job_release(struct backup_job *job)
{
    pthread_mutex_destroy(&job->lock);
}

static void *run(void *context)
{
    struct tenant_node *node = context;
    struct backup_job *job = &node->backup;
    struct backup_result result = {0};
    struct error local = ERROR_INIT;
    enum status status = backup_hot(node->store, job->path, &job->progress, &result, &local);
    pthread_mutex_lock(&job->lock);
    job->result = result;
    job->error = local;
    job->state = status == STATUS_OK ? BACKUP_DONE : BACKUP_FAILED;
    job->ended_us = sys_now_us(node->sys);
    pthread_mutex_unlock(&job->lock);
    return NULL;
}

/* --- who may, where to --- */

static bool is_local(struct str client)
{
    return str_starts(client, STR("127.")) || str_is(client, "::1") ||
           str_starts(client, STR("::ffff:127."));
}

/* The path with its existing part resolved; that a folder is missing is fine. */
static bool resolve(const char *path, char out[SYS_PATH_MAX])
{
    char part[SYS_PATH_MAX];
    if (sys_path(part, NULL, "%s", path) != STATUS_OK)
        return false;
    for (;;) {
        char *real = realpath(part, NULL);
        if (real) {
            enum status status = sys_path(out, NULL, "%s%s", real, path + strlen(part));
            free(real);
            return status == STATUS_OK;
        }
        char *slash = strrchr(part, '/');
        if (!slash || slash == part)
            return false;
        *slash = 0;
    }
}

static enum status check_path(struct tenant_node *node, struct str path, struct error *err)
{
    char text[SYS_PATH_MAX], dest[SYS_PATH_MAX], data[SYS_PATH_MAX];
    if (path.len < 2 || path.len >= SYS_PATH_MAX / 2 || path.data[0] != '/' ||
        memchr(path.data, 0, path.len))
        return error_set(err, STATUS_INVALID_ARGUMENT, "path must be absolute");
    TRY(sys_path(text, err, "%.*s/", STR_ARG(path)));
    if (strstr(text, "/../") || strstr(text, "//"))
        return error_set(err, STATUS_INVALID_ARGUMENT, "path must be absolute, without \"..\"");
    if (!resolve(node->options.data_path, data) || !resolve(text, dest))
        return error_set(err, STATUS_INVALID_ARGUMENT, "path cannot be resolved");
    size_t len = strlen(data);
    if (strncmp(dest, data, len) == 0 && (dest[len] == '/' || dest[len] == 0))
        return error_set(err, STATUS_INVALID_ARGUMENT, "path must be outside of DATA_PATH");
    return STATUS_OK;
}

/* --- handlers --- */

/* job->lock is held. */
static void write_job(struct json_writer *w, const struct backup_job *job)
{
    static const char *const states[] = {"none", "running", "done", "failed"};
    json_begin_object(w);
    json_kv_strz(w, "state", states[job->state]);
    json_kv_strz(w, "path", job->path);
    tenant_write_time(w, "started", job->started_us);
    tenant_write_time(w, "ended", job->ended_us);
    json_kv_int(w, "generation", (int64_t)job->result.generation);
    json_kv_int(w, "sources", (int64_t)job->result.sources);
    json_kv_int(w, "files", (int64_t)atomic_load(&job->progress.files));
    json_kv_int(w, "bytes", (int64_t)atomic_load(&job->progress.bytes));
    json_kv_int(w, "copied_files", (int64_t)atomic_load(&job->progress.copied_files));
    json_kv_int(w, "copied_bytes", (int64_t)atomic_load(&job->progress.copied_bytes));
    if (job->state == BACKUP_FAILED)
        json_kv_strz(w, "error_message", job->error.message);
    else
        json_kv_null(w, "error_message");
    json_end_object(w);
}

static enum status answer_job(struct request *request)
{
    struct tenant_node *node = request->context;
    struct answer answer;
    answer_init(&answer, request, STR("application/json"));
    json_begin_object(&answer.w);
    json_kv_bool(&answer.w, "success", true);
    json_keyz(&answer.w, "backup");
    pthread_mutex_lock(&node->backup.lock);
    write_job(&answer.w, &node->backup);
    pthread_mutex_unlock(&node->backup.lock);
    json_kv_null(&answer.w, "error_message");
    json_end_object(&answer.w);
    enum status status = answer_end(&answer, &request->error);
    answer_release(&answer);
    return status;
}

/* job->lock is held. */
static enum status start_locked(struct tenant_node *node, struct str path, struct error *err)
{
    struct backup_job *job = &node->backup;
    if (job->state == BACKUP_RUNNING)
        return error_set(err, STATUS_CONFLICT, "a backup to %s runs", job->path);
    thread_join(&job->thread); /* it has ended */
    job->thread.started = false;
    atomic_store(&job->progress.files, 0);
    atomic_store(&job->progress.bytes, 0);
    atomic_store(&job->progress.copied_files, 0);
    atomic_store(&job->progress.copied_bytes, 0);
    snprintf(job->path, sizeof job->path, "%.*s", STR_ARG(path));
    job->result = (struct backup_result){0};
    job->started_us = sys_now_us(node->sys);
    job->ended_us = 0;
    TRY(thread_start(&job->thread, "backup", 0, run, node, err));
    job->state = BACKUP_RUNNING;
    return STATUS_OK;
}

enum status handle_backup_start(struct request *request)
{
    struct tenant_node *node = request->context;
    struct str path = request_str(request, "path");
    if (!is_local(http_request_client(request->http)))
        return error_set(&request->error, STATUS_FORBIDDEN,
                         "a backup can only be asked for on the node's own machine");
    TRY(check_path(node, path, &request->error));
    pthread_mutex_lock(&node->backup.lock);
    enum status status = start_locked(node, path, &request->error);
    pthread_mutex_unlock(&node->backup.lock);
    return status == STATUS_OK ? answer_job(request) : status;
}

enum status handle_backup_status(struct request *request)
{
    return answer_job(request);
}
