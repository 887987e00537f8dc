/* compact.c: one merge from plan to commit, and a job's merges one after the other.
 *
 *   1. plan on the current snapshot, which is referenced; no lock
 *   2. merge into new files; no lock but for taking numbers
 *   3. sync files and directories
 *   4. under flush_lock: all inputs still current? then one commit that replaces them by the
 *      outputs, beside whatever flushes have added meanwhile; else the outputs are removed
 * The rows do not change, so neither does the LSN, and a view is right before and after. */
#include <stdio.h>
#include <stdlib.h>

#include "storage/compact_int.h"

enum status compact_pace_spend(struct compact_pace *pace, uint64_t bytes, struct error *err)
{
    int64_t now_us = sys_mono_us(pace->sys);
    pace->bytes += bytes;
    for (;;) {
        if ((pace->cancelled && atomic_load(pace->cancelled)) ||
            (pace->closing && atomic_load(pace->closing)))
            return error_set(err, STATUS_CANCELLED, "the compaction was stopped");
        if (pace->bytes_per_s == UINT64_MAX)
            return STATUS_OK;
        double due_us = (double)pace->bytes * 1e6 / (double)pace->bytes_per_s;
        int64_t wait_us = pace->started_us + (int64_t)due_us - now_us;
        if (wait_us <= 0)
            return STATUS_OK;
        sys_sleep_us(pace->sys, wait_us < COMPACT_SLEEP_US ? wait_us : COMPACT_SLEEP_US);
        now_us = sys_mono_us(pace->sys);
    }
}

/* --- 4 --- */

static bool is_input(const struct compact_plan *plan, const struct segment *segment)
{
    uint64_t id = segment_meta(segment)->id;
    uint32_t low = 0, high = plan->inputs_len;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t other = segment_meta(plan->inputs[middle])->id;
        if (other == id)
            return true;
        if (other < id)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = segment_meta(*(struct segment *const *)a)->id;
    uint64_t y = segment_meta(*(struct segment *const *)b)->id;
    return x < y ? -1 : x > y;
}

/* The current segments without the inputs, with the outputs, by id. */
static enum status replaced(const struct snapshot *current, const struct compact_plan *plan,
                            const struct segment_batch *out, struct segment ***ret,
                            uint32_t *ret_len, struct error *err)
{
    uint32_t len = 0, found = 0;
    struct segment **all = malloc((current->segments_len + out->len + 1u) * sizeof(*all));
    if (!all)
        return error_no_memory(err);
    for (uint32_t i = 0; i < current->segments_len; i++) {
        if (is_input(plan, current->segments[i]))
            found++;
        else
            all[len++] = current->segments[i];
    }
    if (found != plan->inputs_len) {
        free(all);
        return error_set(err, STATUS_CONFLICT, "files were replaced while they were being joined");
    }
    for (uint32_t i = 0; i < out->len; i++)
        all[len++] = out->segments[i];
    qsort(all, len, sizeof(*all), by_id);
    *ret = all;
    *ret_len = len;
    return STATUS_OK;
}

/* flush_lock is held. */
static enum status write_commit(struct source *source, struct snapshot *new, bool *ret_maybe,
                                struct error *err)
{
    struct commit commit = {0};
    enum status status = commit_begin(&commit, source, new, SNAPSHOT_REPLACE, err);
    if (status == STATUS_OK)
        status = commit_keep_write_ids(source, new, err);
    if (status == STATUS_OK)
        status = commit_write(&commit, err);
    if (status == STATUS_OK) {
        pthread_mutex_lock(&source->lock);
        struct snapshot *former = commit_publish(&commit);
        pthread_mutex_unlock(&source->lock);
        snapshot_unref(former);
        commit_finish(&commit);
    }
    *ret_maybe = commit.maybe;
    commit_release(&commit);
    return status;
}

/* Indexes dropped while their sidecars were being made; flush_lock is held. */
static void drop_sidecars(struct source *source, const struct source_config *used)
{
    int32_t then[SOURCE_INDEXES_MAX], now[SOURCE_INDEXES_MAX];
    const struct schema *schema = source->snapshot->schema;
    uint32_t then_len = source_index_ids(used, schema, then);
    uint32_t now_len = source_index_ids(source_config(source), schema, now);
    for (uint32_t i = 0; used != source_config(source) && i < then_len; i++) {
        bool kept = false;
        for (uint32_t k = 0; k < now_len && !kept; k++)
            kept = then[i] == now[k];
        if (!kept)
            source_remove_sidecars(source, then[i]);
    }
}

/* flush_lock is held. */
static enum status commit_locked(struct source *source, const struct compact_plan *plan,
                                 const struct segment_batch *out, bool *ret_maybe,
                                 struct error *err)
{
    struct segment **all = NULL;
    uint32_t len = 0;
    if (source->removed)
        return error_set(err, STATUS_CANCELLED, "the source has been removed");
    if (source->history.unsure) /* the disk may be ahead of us: the next flush settles it */
        return error_set(err, STATUS_UNAVAILABLE, "the last commit has not succeeded yet");
    TRY(replaced(source->snapshot, plan, out, &all, &len, err));
    struct snapshot *new = snapshot_new(source->snapshot->schema, all, len, err);
    free(all);
    if (!new)
        return STATUS_NO_MEMORY;
    new->data_sequence = plan->snapshot->sequence; /* rows as of then */
    enum status status = snapshot_keep_deletions(new, source->snapshot, err);
    if (status == STATUS_OK &&
        new->rows != source->snapshot->rows) /* never: but then nothing may be lost */
        status = error_set(err, STATUS_INTERNAL, "a merge of %llu rows gave another number",
                           (unsigned long long)plan->rows);
    if (status == STATUS_OK)
        status = write_commit(source, new, ret_maybe, err);
    if (status == STATUS_OK)
        drop_sidecars(source, out->config);
    snapshot_unref(new);
    return status;
}

static enum status commit_or_undo(struct source *source, const struct compact_plan *plan,
                                  struct segment_batch *out, enum status status, struct error *err)
{
    bool maybe = false;
    pthread_mutex_lock(&source->flush_lock); /* also for removing: directories are made under it */
    if (status == STATUS_OK)
        status = commit_locked(source, plan, out, &maybe, err);
    if (status != STATUS_OK && !maybe && !source->removed)
        segment_batch_discard(out);
    pthread_mutex_unlock(&source->flush_lock);
    return status;
}

/* --- a job --- */

static void note(struct compact_run *run, const struct compact_plan *plan,
                 const struct segment_batch *out)
{
    struct compact_job_info *info = run->info;
    if (!info)
        return;
    if (run->lock)
        pthread_mutex_lock(run->lock);
    info->estimated_bytes = plan->bytes;
    if (out) {
        info->merges++;
        info->input_files += plan->inputs_len;
        info->input_bytes += plan->bytes;
        info->rows += plan->rows;
        info->output_files += out->len;
        for (uint32_t i = 0; i < out->len; i++)
            info->output_bytes += segment_meta(out->segments[i])->bytes;
    }
    if (run->lock)
        pthread_mutex_unlock(run->lock);
}

static enum status merge_once(struct compact_run *run, const struct compact_plan *plan,
                              struct compact_pace *pace, struct error *err)
{
    struct source *source = run->source;
    struct segment_batch out = {.sys = source->store->sys,
                                .dir = source->dir,
                                .config = source_config(source),
                                .schema = plan->snapshot->schema,
                                .next_id = &source->next_segment_id};
    note(run, plan, NULL);
    enum status status = compact_merge(source, plan, &run->policy, pace, &out, err);
    if (status == STATUS_OK)
        status = segment_batch_sync(&out, err);
    status = commit_or_undo(source, plan, &out, status, err);
    if (status == STATUS_OK)
        note(run, plan, &out);
    segment_batch_release(&out);
    return status;
}

/* The plan has held the inputs until now. */
static void collect(struct source *source)
{
    if (!atomic_load(&source->history.doomed_len))
        return;
    pthread_mutex_lock(&source->flush_lock);
    history_collect(source);
    pthread_mutex_unlock(&source->flush_lock);
}

enum status compact_run(struct compact_run *run, struct error *err)
{
    struct source *source = run->source;
    struct sys *sys = source->store->sys;
    struct compact_pace pace = {.sys = sys,
                                .cancelled = run->cancelled,
                                .closing = &source->store->closing,
                                .bytes_per_s = run->policy.io_bytes_per_s,
                                .started_us = sys_mono_us(sys)};
    for (;;) {
        struct compact_plan plan;
        pthread_mutex_lock(&source->lock);
        struct snapshot *snapshot = snapshot_ref(source->snapshot);
        pthread_mutex_unlock(&source->lock);
        enum status status = compact_plan_make(snapshot, source_config(source), &run->policy,
                                               run->force, sys_now_us(sys), &plan, err);
        snapshot_unref(snapshot);
        if (status != STATUS_OK || !plan.inputs_len)
            return status;
        status = merge_once(run, &plan, &pace, err);
        compact_plan_release(&plan);
        collect(source);
        TRY(status);
    }
}

enum status source_compact(struct source *source, const struct compact_policy *policy,
                           struct compact_job_info *ret, struct error *err)
{
    const struct store *store = source->store;
    struct compact_job_info info = {0};
    struct compact_run run = {.source = source,
                              .policy = compact_policy_fill(policy, &store->options.compaction),
                              .force = true,
                              .info = ret ? ret : &info};
    if (store->options.read_only)
        return error_set(err, STATUS_UNAVAILABLE, "the store is open for reading only");
    *run.info = info;
    return compact_run(&run, err);
}
