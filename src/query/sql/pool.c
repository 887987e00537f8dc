/* pool.c: workers_max slots, a list of idle workers, a queue of queries.
 *
 * A slot is a right to have a worker. stats.workers counts slots in use (idle, busy, starting). A
 * query takes an idle worker, or a free slot and starts a worker itself, or waits. Who gives a slot
 * back hands it, with or without a worker in it, to the query that waits longest; so nobody who
 * comes later overtakes. A thread ends idle workers above workers_min after idle_us. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/utf8.h"
#include "query/sql/sql_int.h"

static const uint64_t memory_default = UINT64_C(4) << 30;
static const uint64_t spill_default = UINT64_C(2) << 30;
static const int64_t idle_default_us = 60000000;

/* --- slots --- */

static void unlink_waiter(struct sql_pool *pool, struct sql_run *run)
{
    struct sql_run **at = &pool->waiting_first, *last = NULL;
    while (*at && *at != run) {
        last = *at;
        at = &(*at)->next_waiting;
    }
    if (!*at)
        return;
    *at = run->next_waiting;
    if (pool->waiting_last == run)
        pool->waiting_last = last;
    pool->stats.waiting--;
}

void sql_pool_give_slot(struct sql_pool *pool, struct sql_worker *worker)
{
    struct sql_run *next = pool->waiting_first;
    if (next) {
        unlink_waiter(pool, next);
        next->granted = true;
        next->worker = worker;
        pthread_cond_signal(&next->granted_cond);
    } else if (worker) {
        worker->idle_since_us = sys_mono_us(pool->sys);
        worker->next = pool->idle;
        pool->idle = worker;
        pool->idle_len++;
        pthread_cond_signal(&pool->reaper_cond);
    } else {
        pool->stats.workers--;
    }
}

static enum status wait_turn(struct sql_pool *pool, struct sql_run *run, struct error *err)
{
    if (pool->stats.waiting >= pool->options.queue_max) {
        error_set(err, STATUS_TOO_MANY_REQUESTS, "%u queries wait already", pool->stats.waiting);
        if (err)
            err->retry_after_s = 1;
        return STATUS_TOO_MANY_REQUESTS;
    }
    run->next_waiting = NULL;
    if (pool->waiting_last)
        pool->waiting_last->next_waiting = run;
    else
        pool->waiting_first = run;
    pool->waiting_last = run;
    pool->stats.waiting++;
    while (!run->granted && !run->cancelled && !pool->closing)
        if (!thread_cond_wait_until(&run->granted_cond, &pool->mutex, run->until_us))
            break;
    if (run->granted)
        return STATUS_OK;
    unlink_waiter(pool, run);
    if (run->cancelled)
        return error_set(err, STATUS_CANCELLED, "the query was cancelled");
    if (pool->closing)
        return error_set(err, STATUS_UNAVAILABLE, "the node is shutting down");
    return error_set(err, STATUS_TIMEOUT, "the query's time was over before it could start");
}

/* A slot, perhaps with a worker in it (run->worker). Locked. */
static enum status take_slot(struct sql_pool *pool, struct sql_run *run, struct error *err)
{
    if (pool->closing)
        return error_set(err, STATUS_UNAVAILABLE, "the node is shutting down");
    if (pool->waiting_first)
        return wait_turn(pool, run, err);
    if (pool->idle) {
        run->worker = pool->idle;
        pool->idle = run->worker->next;
        pool->idle_len--;
        return STATUS_OK;
    }
    if (pool->stats.workers < pool->options.workers_max) {
        pool->stats.workers++;
        return STATUS_OK;
    }
    return wait_turn(pool, run, err);
}

/* Puts a living worker into the slot that `run` holds. */
static enum status fill_slot(struct sql_pool *pool, struct sql_run *run, struct error *err)
{
    struct sql_worker *worker = run->worker;
    if (worker && !sql_worker_lives(worker)) {
        sql_worker_end(pool, worker);
        worker = NULL;
    }
    run->worker = NULL;
    if (!worker) {
        pthread_mutex_lock(&pool->mutex);
        uint64_t number = pool->next_number++;
        pool->stats.workers_started++;
        pthread_mutex_unlock(&pool->mutex);
        TRY(sql_worker_start(pool, number, run->until_us, &worker, err));
    }
    pthread_mutex_lock(&pool->mutex);
    pool->stats.landlock = worker->landlock > 0;
    pool->stats.seccomp = worker->seccomp;
    pool->stats.address_limit = worker->address_limit;
    run->worker = worker;
    run->killable = true;
    bool cancelled = run->cancelled || pool->closing;
    pthread_mutex_unlock(&pool->mutex);
    return cancelled ? error_set(err, STATUS_CANCELLED, "the query was cancelled") : STATUS_OK;
}

static void give_back(struct sql_pool *pool, struct sql_run *run, bool healthy)
{
    pthread_mutex_lock(&pool->mutex);
    healthy = healthy && !run->cancelled && !pool->closing;
    pthread_mutex_unlock(&pool->mutex);
    bool killed = run->worker && !healthy;
    if (killed) {
        sql_worker_end(pool, run->worker);
        run->worker = NULL;
    }
    pthread_mutex_lock(&pool->mutex);
    pool->stats.workers_killed += killed;
    struct sql_worker *surplus = NULL;
    if (pool->stats.workers > pool->options.workers_max) {
        surplus = run->worker;
        pool->stats.workers--;
    } else {
        sql_pool_give_slot(pool, run->worker);
    }
    pthread_mutex_unlock(&pool->mutex);
    sql_worker_end(pool, surplus);
}

/* --- queries --- */

static bool same_id(const struct sql_run *run, struct str query_id)
{
    return run->query_id.len > 0 && str_eq(run->query_id, query_id);
}

static enum status enter(struct sql_pool *pool, struct sql_run *run, struct error *err)
{
    for (struct sql_run *other = pool->runs; other; other = other->next)
        if (same_id(other, run->query_id))
            return error_set(err, STATUS_CONFLICT, "a query of this id is running");
    run->next = pool->runs;
    pool->runs = run;
    pool->stats.queries++;
    return STATUS_OK;
}

static void leave(struct sql_pool *pool, struct sql_run *run)
{
    struct sql_run **at = &pool->runs;
    while (*at != run)
        at = &(*at)->next;
    *at = run->next;
    pthread_cond_signal(&pool->drained_cond);
}

static void count(struct sql_pool *pool, enum status status, int64_t took_us)
{
    pool->stats.ended++;
    pool->stats.took_us += (uint64_t)took_us;
    pool->stats.failed += status != STATUS_OK;
    pool->stats.cancelled += status == STATUS_CANCELLED;
    pool->stats.timed_out += status == STATUS_TIMEOUT;
}

/* One try with one worker. */
static enum status run_once(struct sql_pool *pool, struct sql_run *run,
                            const struct sql_request *request, const struct sql_tables *tables,
                            const struct sql_sink *sink, struct sql_stats *stats, bool *ret_again,
                            bool *ret_healthy, struct error *err)
{
    bool broken = false;
    TRY(fill_slot(pool, run, err));
    bool used = run->worker->used;
    run->worker->used = true;
    enum status status =
        sql_converse(pool, run, request, tables, sink, stats, ret_healthy, &broken, err);
    pthread_mutex_lock(&pool->mutex);
    run->killable = false; /* from here on the worker may be reaped */
    bool cancelled = run->cancelled || pool->closing;
    pthread_mutex_unlock(&pool->mutex);
    bool died = broken && status == STATUS_UNAVAILABLE;
    *ret_again = died && used && !run->heard && !cancelled;
    return died ? sql_worker_why(run->worker, err) : status;
}

/* A worker that was found dead before it said a word costs the query nothing: one more try. */
static enum status run_in_slot(struct sql_pool *pool, struct sql_run *run,
                               const struct sql_request *request, const struct sql_tables *tables,
                               const struct sql_sink *sink, struct sql_stats *stats,
                               struct error *err)
{
    bool healthy = false, again = false;
    enum status status = run_once(pool, run, request, tables, sink, stats, &again, &healthy, err);
    if (again) {
        sql_worker_end(pool, run->worker);
        run->worker = NULL;
        status = run_once(pool, run, request, tables, sink, stats, &again, &healthy, err);
    }
    give_back(pool, run, healthy);
    return status;
}

static enum status check_request(const struct sql_request *request, struct error *err)
{
    if (request->query.len > SQL_TEXT_MAX)
        return error_set(err, STATUS_TOO_LARGE, "a statement may have at most %d bytes",
                         SQL_TEXT_MAX);
    const char *zero =
        request->query.len ? memchr(request->query.data, 0, request->query.len) : NULL;
    size_t valid = utf8_valid_prefix(request->query.data, request->query.len);
    if (valid == request->query.len && !zero)
        return STATUS_OK;
    size_t bad = zero && (size_t)(zero - request->query.data) < valid
                     ? (size_t)(zero - request->query.data)
                     : valid;
    error_set(err, STATUS_INVALID_SQL, "the statement is not UTF-8 text without zero bytes");
    sql_place(request->query, bad, err);
    return STATUS_INVALID_SQL;
}

enum status sql_pool_run(struct sql_pool *pool, const struct sql_request *request,
                         const struct sql_tables *tables, const struct sql_sink *sink,
                         struct sql_stats *ret_stats, struct error *err)
{
    int64_t start = sys_mono_us(pool->sys);
    int64_t timeout = request->timeout_us > 0 ? request->timeout_us : QUERY_TIMEOUT_DEFAULT_US;
    struct sql_run run = {.query_id = request->query_id, .until_us = start + timeout};
    struct error local = ERROR_INIT;
    struct sql_stats stats = {0};
    err = err ? err : &local;
    TRY(check_request(request, err));
    thread_cond_init(&run.granted_cond);
    pthread_mutex_lock(&pool->mutex);
    enum status status = enter(pool, &run, err);
    bool entered = status == STATUS_OK;
    if (entered)
        status = take_slot(pool, &run, err);
    pthread_mutex_unlock(&pool->mutex);
    stats.queue_us = sys_mono_us(pool->sys) - start;
    if (status == STATUS_OK)
        status = run_in_slot(pool, &run, request, tables, sink, &stats, err);
    pthread_mutex_lock(&pool->mutex);
    if (run.cancelled && status != STATUS_OK)
        status = error_set(err, STATUS_CANCELLED, "the query was cancelled");
    if (entered)
        leave(pool, &run);
    count(pool, status, sys_mono_us(pool->sys) - start);
    pthread_mutex_unlock(&pool->mutex);
    pthread_cond_destroy(&run.granted_cond);
    if (ret_stats)
        *ret_stats = stats;
    return status;
}

enum status sql_cancel(struct sql_pool *pool, struct str query_id, struct error *err)
{
    bool found = false;
    pthread_mutex_lock(&pool->mutex);
    for (struct sql_run *run = pool->runs; run && !found; run = run->next) {
        found = same_id(run, query_id);
        if (!found)
            continue;
        run->cancelled = true;
        if (run->killable)
            process_kill(&run->worker->process, SIGKILL);
        pthread_cond_signal(&run->granted_cond);
    }
    pthread_mutex_unlock(&pool->mutex);
    return found ? STATUS_OK : error_set(err, STATUS_NOT_FOUND, "no such query is running");
}

void sql_pool_get_stats(struct sql_pool *pool, struct sql_pool_stats *ret)
{
    pthread_mutex_lock(&pool->mutex);
    *ret = pool->stats;
    ret->busy = pool->stats.workers - pool->idle_len;
    ret->workers_max = pool->options.workers_max;
    pthread_mutex_unlock(&pool->mutex);
}

/* --- open and close --- */

static void fill_defaults(struct sql_pool_options *o)
{
    o->workers_max = o->workers_max ? o->workers_max : POOL_WORKERS_DEFAULT;
    o->workers_max = o->workers_max > POOL_WORKERS_MAX ? POOL_WORKERS_MAX : o->workers_max;
    o->queue_max = o->queue_max ? o->queue_max : POOL_QUEUE_DEFAULT;
    o->memory_bytes = o->memory_bytes ? o->memory_bytes : memory_default;
    o->spill_bytes = o->spill_bytes ? o->spill_bytes : spill_default;
    o->threads = o->threads ? o->threads : POOL_THREADS_DEFAULT;
    o->idle_us = o->idle_us > 0 ? o->idle_us : idle_default_us;
}

static enum status remove_stale(void *context, const struct sys_dir_entry *entry, struct error *err)
{
    struct sql_pool *pool = context;
    char path[SYS_PATH_MAX];
    int64_t pid;
    /* Folders of nodes that are gone; a reader node beside us keeps its own. */
    if (str_to_int64(str_of(entry->name), &pid) && kill((pid_t)pid, 0) == 0 && pid != getpid())
        return STATUS_OK;
    TRY(sys_path(path, err, "%s/tmp/sql/%s", pool->data_path, entry->name));
    return sys_remove_tree(pool->sys, path, err);
}

static enum status open_folders(struct sql_pool *pool, struct error *err)
{
    struct sys *sys = pool->sys;
    const char *given = pool->options.data_path;
    char real[PATH_MAX], path[SYS_PATH_MAX];
    TRY(sys_path(pool->given_path, err, "%s", given));
    for (size_t n = strlen(pool->given_path); n > 1 && pool->given_path[n - 1] == '/'; n--)
        pool->given_path[n - 1] = '\0';
    TRY(sys_mkdirs(sys, given, err));
    if (!realpath(given, real))
        return error_set(err, STATUS_IO, "the data folder cannot be resolved");
    TRY(sys_path(pool->data_path, err, "%s", real));
    TRY(sys_path(pool->worker_path, err, "%s", pool->options.worker_path));
    const char *names[] = {"sources", "run", "tmp/sql"};
    for (int i = 0; i < 3; i++) {
        TRY(sys_path(path, err, "%s/%s", real, names[i]));
        TRY(sys_mkdirs(sys, path, err));
    }
    TRY(sys_list_dir(sys, path, remove_stale, pool, err));
    return sys_path(pool->temp_root, err, "%s/%d", path, (int)getpid());
}

enum status sql_pool_open(struct sys *sys, const struct sql_pool_options *options,
                          struct sql_pool **ret_pool, struct error *err)
{
    struct sql_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return error_no_memory(err);
    pool->sys = sys;
    pool->options = *options;
    fill_defaults(&pool->options);
    enum status status = open_folders(pool, err);
    if (status != STATUS_OK) {
        free(pool);
        return status;
    }
    pthread_mutex_init(&pool->mutex, NULL);
    thread_cond_init(&pool->reaper_cond);
    thread_cond_init(&pool->drained_cond);
    status = thread_start(&pool->reaper, "sql-reaper", 0, sql_pool_reap, pool, err);
    if (status == STATUS_OK)
        *ret_pool = pool;
    else
        sql_pool_close(pool);
    return status;
}

void sql_pool_close(struct sql_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->mutex);
    pool->closing = true;
    for (struct sql_run *run = pool->runs; run; run = run->next) {
        pthread_cond_signal(&run->granted_cond);
        if (run->killable)
            process_kill(&run->worker->process, SIGKILL);
    }
    pthread_cond_signal(&pool->reaper_cond);
    while (pool->runs)
        pthread_cond_wait(&pool->drained_cond, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
    thread_join(&pool->reaper);
    while (pool->idle) {
        struct sql_worker *worker = pool->idle;
        pool->idle = worker->next;
        sql_worker_end(pool, worker);
    }
    (void)sys_remove_tree(pool->sys, pool->temp_root, NULL); /* tried again at the next open */
    pthread_cond_destroy(&pool->reaper_cond);
    pthread_cond_destroy(&pool->drained_cond);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}
