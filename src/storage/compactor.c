/* compactor.c: the background thread: jobs that were asked for, upkeep and compaction that were
 * not.
 *
 * The thread sleeps until a job is queued, a commit or the closing of a view has marked a source
 * (upkeep_due), or the interval is over; then, in this order: queued jobs, marked sources (files
 * that nobody holds any more are removed; with auto_compaction small files are joined), and once
 * an interval all sources (also expiry by age, and orphan files). One merge at a time: more would
 * only compete for the disk. Lock order: compactor.lock is a leaf. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "storage/compact_int.h"

enum { COMPACTION_NAP_US = 60000000 };
#define COMPACTION_INTERVAL_US (INT64_C(3600) * 1000000)

struct job {
    struct compact_job_info info;
    struct compact_policy policy;
    struct source *source; /* referenced until it has ended */
    _Atomic bool cancelled;
};

struct compactor {
    struct store *store;
    struct thread thread;
    pthread_mutex_t lock;
    pthread_cond_t work;
    bool stops;
    bool marked;       /* some source has upkeep_due */
    struct job **jobs; /* oldest first; COMPACT_JOBS_KEPT + COMPACT_JOBS_QUEUED_MAX */
    uint32_t jobs_len;
    struct compact_status totals;
};

const char *compact_state_name(enum compact_state state)
{
    static const char *const names[] = {"queued", "running", "completed", "failed", "cancelled"};
    return names[state];
}

static bool has_ended(const struct job *job)
{
    return job->info.state >= COMPACT_DONE;
}

/* --- the list of jobs; compactor->lock is held --- */

/* Room for one more: the oldest that has ended goes. */
static bool make_room(struct compactor *compactor)
{
    uint32_t ended = 0, first = UINT32_MAX;
    for (uint32_t i = 0; i < compactor->jobs_len; i++) {
        if (!has_ended(compactor->jobs[i]))
            continue;
        ended++;
        if (first == UINT32_MAX)
            first = i;
    }
    if (compactor->jobs_len - ended >= COMPACT_JOBS_QUEUED_MAX)
        return false;
    if (ended < COMPACT_JOBS_KEPT)
        return true;
    free(compactor->jobs[first]);
    compactor->jobs_len--;
    memmove(compactor->jobs + first, compactor->jobs + first + 1,
            (compactor->jobs_len - first) * sizeof(*compactor->jobs));
    return true;
}

static struct job *find_job(struct compactor *compactor, struct str id)
{
    for (uint32_t i = 0; i < compactor->jobs_len; i++) {
        if (str_is(id, compactor->jobs[i]->info.id))
            return compactor->jobs[i];
    }
    return NULL;
}

static struct job *job_new(struct store *store, struct source *source,
                           const struct compact_policy *policy)
{
    struct job *job = calloc(1, sizeof *job);
    unsigned char random[10];
    if (!job)
        return NULL;
    sys_random(store->sys, random, sizeof random);
    job->info.queued_us = sys_now_us(store->sys);
    uuid_format(uuid_v7((uint64_t)job->info.queued_us / 1000, random), job->info.id);
    snprintf(job->info.source_id, sizeof job->info.source_id, "%.*s",
             STR_ARG(source->config.source_id));
    job->policy = compact_policy_fill(policy, &store->options.compaction);
    job->source = source_ref(source);
    return job;
}

static enum status add_job(struct compactor *compactor, struct job *job, struct error *err)
{
    if (!make_room(compactor)) {
        error_set(err, STATUS_TOO_MANY_REQUESTS, "%d compactions wait already",
                  COMPACT_JOBS_QUEUED_MAX);
        if (err)
            err->retry_after_s = 10;
        return STATUS_TOO_MANY_REQUESTS;
    }
    compactor->jobs[compactor->jobs_len++] = job;
    return STATUS_OK;
}

/* --- running; the thread --- */

static void count(struct compact_status *totals, const struct compact_job_info *info)
{
    totals->done += info->state == COMPACT_DONE;
    totals->failed += info->state == COMPACT_FAILED;
    totals->cancelled += info->state == COMPACT_CANCELLED;
    totals->merges += info->merges;
    if (info->input_files > info->output_files)
        totals->files_reduced += info->input_files - info->output_files;
    totals->bytes_reduced += (int64_t)info->input_bytes - (int64_t)info->output_bytes;
}

static void run_job(struct compactor *compactor, struct job *job, bool force)
{
    struct error err = ERROR_INIT;
    struct compact_run run = {.source = job->source,
                              .policy = job->policy,
                              .force = force,
                              .cancelled = &job->cancelled,
                              .lock = &compactor->lock,
                              .info = &job->info};
    struct sys *sys = compactor->store->sys;
    enum status status = compact_run(&run, &err);
    pthread_mutex_lock(&compactor->lock);
    job->info.finished_us = sys_now_us(sys);
    job->info.state = status == STATUS_OK          ? COMPACT_DONE
                      : status == STATUS_CANCELLED ? COMPACT_CANCELLED
                                                   : COMPACT_FAILED;
    if (status != STATUS_OK)
        snprintf(job->info.error, sizeof job->info.error, "%.150s", err.message);
    struct source *source = job->source;
    job->source = NULL;
    count(&compactor->totals, &job->info);
    pthread_mutex_unlock(&compactor->lock);
    source->compact_not_before_us = status == STATUS_OK ? 0 : sys_mono_us(sys) + COMPACT_RETRY_US;
    source_unref(source);
    (void)malloc_trim(0); /* a merge's buffers go back to the system */
}

/* compactor->lock is held. */
static struct job *next_job(struct compactor *compactor)
{
    for (uint32_t i = 0; i < compactor->jobs_len; i++) {
        struct job *job = compactor->jobs[i];
        if (job->info.state != COMPACT_QUEUED)
            continue;
        job->info.state = COMPACT_RUNNING;
        job->info.started_us = sys_now_us(compactor->store->sys);
        return job;
    }
    return NULL;
}

/* Is there anything to join? Then a job is made of it, so that it can be seen and cancelled. */
static void compact_by_itself(struct compactor *compactor, struct source *source)
{
    struct store *store = compactor->store;
    struct compact_plan plan = {0};
    struct compact_policy policy = compact_policy_fill(NULL, &store->options.compaction);
    if (!store->options.auto_compaction || sys_mono_us(store->sys) < source->compact_not_before_us)
        return;
    pthread_mutex_lock(&source->lock);
    struct snapshot *snapshot = snapshot_ref(source->snapshot);
    pthread_mutex_unlock(&source->lock);
    enum status status = compact_plan_make(snapshot, source_config(source), &policy, false,
                                           sys_now_us(store->sys), &plan, NULL);
    bool any = status == STATUS_OK && plan.inputs_len;
    snapshot_unref(snapshot);
    compact_plan_release(&plan);
    struct job *job = any ? job_new(store, source, &policy) : NULL;
    if (!job)
        return;
    job->info.automatic = true;
    job->info.state = COMPACT_RUNNING;
    job->info.started_us = job->info.queued_us;
    pthread_mutex_lock(&compactor->lock);
    status = add_job(compactor, job, NULL);
    pthread_mutex_unlock(&compactor->lock);
    if (status == STATUS_OK) {
        run_job(compactor, job, false);
        return;
    }
    source_unref(job->source);
    free(job);
}

static void upkeep(struct compactor *compactor, struct source *source, bool expire)
{
    if (expire) {
        (void)source_expire(source, NULL); /* here and below: tried again in an interval */
        (void)source_remove_orphans(source, ORPHAN_AGE_US, NULL);
    } else if (atomic_load(&source->history.doomed_len)) {
        pthread_mutex_lock(&source->flush_lock);
        history_collect(source);
        pthread_mutex_unlock(&source->flush_lock);
    }
    source_retain_when_due(source);
    compact_by_itself(compactor, source);
}

static void upkeep_all(struct compactor *compactor, bool expire)
{
    struct source **sources = NULL;
    uint32_t len = 0;
    if (store_list_sources(compactor->store, &sources, &len, NULL) != STATUS_OK)
        return;
    for (uint32_t i = 0; i < len; i++) {
        bool due = atomic_exchange(&sources[i]->upkeep_due, false);
        if ((due || expire) && !atomic_load(&compactor->store->closing))
            upkeep(compactor, sources[i], expire);
        source_unref(sources[i]);
    }
    free(sources);
}

static int64_t interval_us(const struct store *store)
{
    int64_t us = store->options.compaction_interval_us;
    return us ? us : COMPACTION_INTERVAL_US;
}

static void *compactor_main(void *context)
{
    struct compactor *compactor = context;
    struct store *store = compactor->store;
    int64_t next_us = sys_mono_us(store->sys) + interval_us(store);
    pthread_mutex_lock(&compactor->lock);
    while (!compactor->stops) {
        struct job *job = next_job(compactor);
        bool marked = compactor->marked, whole = sys_mono_us(store->sys) >= next_us;
        if (!job && !marked && !whole) {
            (void)thread_cond_wait_until(&compactor->work, &compactor->lock,
                                         store_wait_until(COMPACTION_NAP_US));
            continue;
        }
        compactor->marked = job ? marked : false;
        pthread_mutex_unlock(&compactor->lock);
        if (job)
            run_job(compactor, job, true);
        else
            upkeep_all(compactor, whole);
        if (!job && whole)
            next_us = sys_mono_us(store->sys) + interval_us(store);
        pthread_mutex_lock(&compactor->lock);
    }
    pthread_mutex_unlock(&compactor->lock);
    return NULL;
}

/* --- life --- */

void compactor_release(struct store *store)
{
    struct compactor *compactor = store->compactor;
    if (!compactor)
        return;
    store->compactor = NULL;
    for (uint32_t i = 0; i < compactor->jobs_len; i++) {
        source_unref(compactor->jobs[i]->source);
        free(compactor->jobs[i]);
    }
    free(compactor->jobs);
    pthread_cond_destroy(&compactor->work);
    pthread_mutex_destroy(&compactor->lock);
    free(compactor);
}

enum status compactor_start(struct store *store, struct error *err)
{
    struct compactor *compactor = calloc(1, sizeof *compactor);
    if (!compactor)
        return error_no_memory(err);
    compactor->store = store;
    pthread_mutex_init(&compactor->lock, NULL);
    thread_cond_init(&compactor->work);
    compactor->marked = store->options.auto_compaction; /* what an earlier run has left */
    for (uint32_t i = 0; i < store->sources_len; i++)
        atomic_store(&store->sources[i]->upkeep_due, true);
    compactor->jobs =
        calloc(COMPACT_JOBS_KEPT + COMPACT_JOBS_QUEUED_MAX + 1, sizeof(*compactor->jobs));
    enum status status = compactor->jobs ? STATUS_OK : error_no_memory(err);
    store->compactor = compactor;
    if (status == STATUS_OK)
        status = thread_start(&compactor->thread, "compact", 0, compactor_main, compactor, err);
    if (status != STATUS_OK)
        compactor_release(store);
    return status;
}

void compactor_stop(struct store *store)
{
    struct compactor *compactor = store->compactor;
    if (!compactor)
        return;
    pthread_mutex_lock(&compactor->lock);
    compactor->stops = true;
    for (uint32_t i = 0; i < compactor->jobs_len; i++)
        atomic_store(&compactor->jobs[i]->cancelled, true);
    pthread_cond_broadcast(&compactor->work);
    pthread_mutex_unlock(&compactor->lock);
    thread_join(&compactor->thread);
}

void compactor_wake(struct source *source)
{
    struct compactor *compactor = source->store->compactor;
    if (!compactor)
        return;
    atomic_store(&source->upkeep_due, true);
    pthread_mutex_lock(&compactor->lock);
    compactor->marked = true;
    pthread_cond_signal(&compactor->work);
    pthread_mutex_unlock(&compactor->lock);
}

/* --- asked for --- */

enum status store_compact(struct store *store, struct str source_id,
                          const struct compact_policy *policy, char ret_job[COMPACT_JOB_ID_MAX],
                          struct error *err)
{
    struct source *source = NULL;
    struct compactor *compactor = store->compactor;
    if (!compactor)
        return error_set(err, STATUS_UNAVAILABLE, "the store is open for reading only");
    TRY(store_get_source(store, source_id, &source, err));
    struct job *job = job_new(store, source, policy);
    source_unref(source);
    if (!job)
        return error_no_memory(err);
    memcpy(ret_job, job->info.id, COMPACT_JOB_ID_MAX);
    pthread_mutex_lock(&compactor->lock);
    enum status status = add_job(compactor, job, err);
    pthread_cond_signal(&compactor->work);
    pthread_mutex_unlock(&compactor->lock);
    if (status != STATUS_OK) {
        source_unref(job->source);
        free(job);
    }
    return status;
}

static enum status unknown_job(struct str job, struct error *err)
{
    return error_set(err, STATUS_NOT_FOUND, "there is no compaction \"%.*s\"",
                     job.len < COMPACT_JOB_ID_MAX ? (int)job.len : COMPACT_JOB_ID_MAX, job.data);
}

enum status store_compact_job(struct store *store, struct str job_id, struct compact_job_info *ret,
                              struct error *err)
{
    struct compactor *compactor = store->compactor;
    if (!compactor)
        return unknown_job(job_id, err);
    pthread_mutex_lock(&compactor->lock);
    const struct job *job = find_job(compactor, job_id);
    if (job)
        *ret = job->info;
    pthread_mutex_unlock(&compactor->lock);
    return job ? STATUS_OK : unknown_job(job_id, err);
}

enum status store_compact_cancel(struct store *store, struct str job_id, struct error *err)
{
    struct compactor *compactor = store->compactor;
    struct source *source = NULL;
    if (!compactor)
        return unknown_job(job_id, err);
    pthread_mutex_lock(&compactor->lock);
    struct job *job = find_job(compactor, job_id);
    bool ended = job && has_ended(job);
    if (job && !ended)
        atomic_store(&job->cancelled, true);
    if (job && job->info.state == COMPACT_QUEUED) {
        job->info.state = COMPACT_CANCELLED;
        job->info.finished_us = sys_now_us(store->sys);
        source = job->source;
        job->source = NULL;
        count(&compactor->totals, &job->info);
    }
    pthread_mutex_unlock(&compactor->lock);
    source_unref(source);
    if (!job)
        return unknown_job(job_id, err);
    return ended ? error_set(err, STATUS_CONFLICT, "the compaction has ended already") : STATUS_OK;
}

void store_compact_status(struct store *store, struct compact_status *ret)
{
    struct compactor *compactor = store->compactor;
    *ret = (struct compact_status){0};
    if (!compactor)
        return;
    pthread_mutex_lock(&compactor->lock);
    *ret = compactor->totals;
    for (uint32_t i = 0; i < compactor->jobs_len; i++) {
        ret->active += compactor->jobs[i]->info.state == COMPACT_RUNNING;
        ret->queued += compactor->jobs[i]->info.state == COMPACT_QUEUED;
    }
    pthread_mutex_unlock(&compactor->lock);
    ret->automatic = store->options.auto_compaction;
}

enum status store_compact_jobs(struct store *store, struct compact_job_info **ret,
                               uint32_t *ret_len, struct error *err)
{
    struct compactor *compactor = store->compactor;
    *ret = calloc(COMPACT_JOBS_KEPT + COMPACT_JOBS_QUEUED_MAX + 1, sizeof **ret);
    *ret_len = 0;
    if (!*ret)
        return error_no_memory(err);
    if (!compactor)
        return STATUS_OK;
    pthread_mutex_lock(&compactor->lock);
    for (uint32_t i = compactor->jobs_len; i-- > 0;)
        (*ret)[(*ret_len)++] = compactor->jobs[i]->info;
    pthread_mutex_unlock(&compactor->lock);
    return STATUS_OK;
}
