/* compact.c: one merge from plan to commit, and a job's merges one after the other.
 *
 *   1. plan on the current snapshot, which is referenced; no lock
 *   2. merge into new files; no lock but for taking numbers
 *   3. sync files and directories
 *   4. under flush_lock: unflushed deletes are flushed first, as the log names rows of files that
 *      are about to go. What was deleted of the inputs meanwhile is deleted of the outputs
 *      (compact_origin); of an input that is not current any more that is every row, wherever they
 *      may be now. One commit replaces the inputs by the outputs, beside whatever flushes have
 * added meanwhile. When most rows are of inputs that are gone, the outputs are removed
 *
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

/* What is deleted of an input now but was not when it was read; NULL: nothing. */
static struct deletion *newly_deleted(const struct snapshot *current,
                                      const struct compact_plan *plan, uint32_t input)
{
    uint64_t id = segment_meta(plan->inputs[input])->id;
    struct deletion *now = snapshot_find_deletion(current, id);
    return now == snapshot_find_deletion(plan->snapshot, id) ? NULL : now;
}

static bool is_current(const struct snapshot *current, const struct compact_plan *plan,
                       uint32_t input)
{
    return snapshot_find(current, segment_meta(plan->inputs[input])->id) != NULL;
}

/* Rows of the output at `*run`, from row `*skip` of that run on, that are deleted by now; moves
 * both behind the output. */
static enum status map_output(const struct snapshot *current, const struct compact_plan *plan,
                              const struct compact_origin *origin, uint64_t rows, uint64_t *run,
                              uint32_t *skip, struct deletion_builder *builder, struct error *err)
{
    for (uint64_t at = 0; at < rows;) {
        const struct compact_run_of_rows *from = &origin->runs[*run];
        uint64_t first = from->first + *skip, left = from->count - *skip;
        uint64_t end = first + (left < rows - at ? left : rows - at);
        struct deletion *deleted = newly_deleted(current, plan, from->input);
        bool all = !is_current(current, plan, from->input);
        for (uint64_t row = all ? first : deletion_next(deleted, first); row < end;
             row = all ? row + 1 : deletion_next(deleted, row + 1))
            TRY(deletion_builder_add(builder, at + row - first, err));
        at += end - first;
        *skip += (uint32_t)(end - first);
        if (*skip == from->count) {
            ++*run;
            *skip = 0;
        }
    }
    return STATUS_OK;
}

/* Delete files of the outputs, for what was deleted of the inputs since they were read; with
 * `deletions` (parallel to the outputs, NULL: none). */
static enum status map_deletions(const struct source *source, const struct compact_plan *plan,
                                 const struct compact_origin *origin, struct segment_batch *out,
                                 struct deletion **deletions, struct error *err)
{
    const struct snapshot *current = source->snapshot;
    uint64_t run = 0;
    uint32_t skip = 0;
    bool any = false;
    for (uint32_t i = 0; i < plan->inputs_len; i++) {
        struct deletion *deleted = newly_deleted(current, plan, i);
        any = any || deleted || !is_current(current, plan, i);
        TRY(deletion_load(deleted, err));
    }
    for (uint32_t i = 0; i < out->len && any; i++) {
        struct deletion_builder builder;
        struct deletion *mapped = NULL;
        uint64_t rows = segment_meta(out->segments[i])->rows;
        deletion_builder_init(&builder, rows);
        enum status status = map_output(current, plan, origin, rows, &run, &skip, &builder, err);
        if (status == STATUS_OK)
            status = deletion_builder_finish(&builder, &mapped, err);
        if (status == STATUS_OK && mapped)
            status = segment_batch_add_deletion(out, table_location(source->table),
                                                out->segments[i], mapped, err);
        if (status == STATUS_OK && mapped)
            deletions[i] = out->deletions[out->deletions_len - 1];
        deletion_builder_release(&builder);
        deletion_unref(mapped);
        TRY(status);
    }
    return any ? segment_batch_sync(out, err) : STATUS_OK;
}

static enum status set_deletions(struct snapshot *new, const struct segment_batch *out,
                                 struct deletion *const *deletions, struct error *err)
{
    for (uint32_t i = 0; i < new->segments_len; i++) {
        for (uint32_t k = 0; k < out->len; k++) {
            if (deletions[k] && new->segments[i] == out->segments[k])
                TRY(snapshot_set_deletion(new, i, deletions[k], err));
        }
    }
    return STATUS_OK;
}

/* The current segments without the inputs, with the outputs, by id. */
static enum status replaced(const struct snapshot *current, const struct compact_plan *plan,
                            const struct segment_batch *out, struct segment ***ret,
                            uint32_t *ret_len, struct error *err)
{
    uint32_t len = 0;
    uint64_t found = 0; /* rows of inputs that are still current */
    struct segment **all = malloc((current->segments_len + out->len + 1u) * sizeof(*all));
    if (!all)
        return error_no_memory(err);
    for (uint32_t i = 0; i < current->segments_len; i++) {
        if (is_input(plan, current->segments[i]))
            found += segment_meta(current->segments[i])->rows;
        else
            all[len++] = current->segments[i];
    }
    if (found < plan->rows / 2) {
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
    struct index_def then[SOURCE_INDEXES_MAX], now[SOURCE_INDEXES_MAX];
    const struct schema *schema = source->snapshot->schema;
    uint32_t then_len = source_indexes(used, schema, then);
    uint32_t now_len = source_indexes(source_config(source), schema, now);
    for (uint32_t i = 0; used != source_config(source) && i < then_len; i++) {
        bool kept = false;
        for (uint32_t k = 0; k < now_len && !kept; k++)
            kept = then[i].id == now[k].id;
        if (!kept)
            source_remove_sidecars(source, &then[i]);
    }
}

/* The state with the outputs in place of the inputs. */
static enum status make_snapshot(struct source *source, const struct compact_plan *plan,
                                 const struct compact_origin *origin, struct segment_batch *out,
                                 struct snapshot **ret, struct error *err)
{
    struct segment **all = NULL;
    uint32_t len = 0;
    struct deletion **deletions = calloc(out->len + 1u, sizeof(*deletions));
    if (!deletions)
        return error_no_memory(err);
    enum status status = replaced(source->snapshot, plan, out, &all, &len, err);
    if (status == STATUS_OK)
        status = map_deletions(source, plan, origin, out, deletions, err);
    if (status == STATUS_OK) {
        *ret = snapshot_new(source->snapshot->schema, all, len, err);
        status = *ret ? snapshot_keep_deletions(*ret, source->snapshot, err) : STATUS_NO_MEMORY;
    }
    if (status == STATUS_OK)
        status = set_deletions(*ret, out, deletions, err);
    free(all);
    free(deletions);
    return status;
}

/* flush_lock is held. */
static enum status commit_locked(struct source *source, const struct compact_plan *plan,
                                 const struct compact_origin *origin, struct segment_batch *out,
                                 bool *ret_maybe, struct error *err)
{
    struct snapshot *new = NULL;
    if (source->removed)
        return error_set(err, STATUS_CANCELLED, "the source has been removed");
    if (source->first_mutation_lsn)
        TRY(source_flush_locked(source, err));
    if (source->history.unsure) /* the disk may be ahead of us: the next flush settles it */
        return error_set(err, STATUS_UNAVAILABLE, "the last commit has not succeeded yet");
    enum status status = make_snapshot(source, plan, origin, out, &new, err);
    if (status == STATUS_OK)
        new->data_sequence = plan->snapshot->sequence; /* rows as of then */
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
                                  const struct compact_origin *origin, struct segment_batch *out,
                                  enum status status, struct error *err)
{
    bool maybe = false;
    pthread_mutex_lock(&source->flush_lock); /* also for removing: directories are made under it */
    if (status == STATUS_OK)
        status = commit_locked(source, plan, origin, out, &maybe, err);
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
                                .readers = &source->store->readers,
                                .config = source_config(source),
                                .schema = plan->snapshot->schema,
                                .next_id = &source->next_segment_id};
    struct compact_origin origin = {0};
    note(run, plan, NULL);
    enum status status = compact_merge(source, plan, &run->policy, pace, &out, &origin, err);
    if (status == STATUS_OK)
        status = segment_batch_sync(&out, err);
    status = commit_or_undo(source, plan, &origin, &out, status, err);
    free(origin.runs);
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

static bool has_deletes(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    bool any = source->first_mutation_lsn != 0;
    pthread_mutex_unlock(&source->lock);
    return any;
}

static uint64_t flushes_of(struct source *source)
{
    pthread_mutex_lock(&source->lock);
    uint64_t flushes = source->flushes;
    pthread_mutex_unlock(&source->lock);
    return flushes;
}

/* A file from before the job is among the inputs. */
static bool has_older(const struct compact_plan *plan, uint64_t first_id)
{
    for (uint32_t i = 0; i < plan->inputs_len; i++) {
        if (segment_meta(plan->inputs[i])->id < first_id)
            return true;
    }
    return false;
}

static uint64_t next_segment_id(struct source *source)
{
    pthread_mutex_lock(&source->flush_lock);
    uint64_t id = source->next_segment_id;
    pthread_mutex_unlock(&source->flush_lock);
    return id;
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
    bool moving = false;
    if (run->force && has_deletes(source)) /* so that plans know of them */
        TRY(source_flush(source, err));
    uint64_t first_id = next_segment_id(source), flushes = flushes_of(source);
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
        /* Flushes make new files, also those of deletes at a commit: under a stream of them there
         * would be no end. */
        moving = moving || has_deletes(source) || flushes_of(source) != flushes;
        if (moving && !has_older(&plan, first_id)) {
            compact_plan_release(&plan);
            return STATUS_OK;
        }
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
