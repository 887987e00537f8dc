/* agg_parallel.c: one aggregate over one view on several threads.
 *
 * The view is cut into tasks: neighbouring files of about TASK_ROWS rows together, large files by
 * row groups (every n-th of them), the unflushed rows. Each task fills states of its own, which are
 * merged in the order of the tasks: groups and sums of doubles do not depend on which thread was
 * faster. How a view is cut depends on its files only. */
#include <stdlib.h>

#include "query/exec/agg_int.h"
#include "query/exec/parallel.h"

enum {
    TASK_ROWS = 262144,
    FILE_PARTS_MAX = 64,
    SHARED_MIN_ROWS = 2 * TASK_ROWS, /* fewer are left to one thread */
};

struct task {
    uint32_t first, files, part, parts;
    bool chunks;
    struct aggregate *agg;
    struct exec_stats stats;
};

struct shared {
    const struct aggregate *like;
    struct view *view;
    const struct filter *filter;
    const struct exec_context *context;
    struct task *tasks;
    uint32_t len, cap;
};

/* --- cutting --- */

static bool add_task(struct shared *shared, struct task task)
{
    if (shared->len == shared->cap) {
        uint32_t cap = shared->cap ? 2 * shared->cap : 16;
        struct task *grown = realloc(shared->tasks, cap * sizeof *grown);
        if (!grown)
            return false;
        shared->tasks = grown;
        shared->cap = cap;
    }
    shared->tasks[shared->len++] = task;
    return true;
}

static bool add_file(struct shared *shared, uint32_t file, uint64_t rows)
{
    uint64_t parts = (rows + TASK_ROWS - 1) / TASK_ROWS;
    parts = parts < FILE_PARTS_MAX ? parts : FILE_PARTS_MAX;
    for (uint32_t i = 0; i < parts; i++)
        if (!add_task(shared, (struct task){
                                  .first = file, .files = 1, .part = i, .parts = (uint32_t)parts}))
            return false;
    return true;
}

static bool cut(struct shared *shared)
{
    const struct view *view = shared->view;
    uint32_t first = 0;
    uint64_t together = 0;
    bool good = true;
    for (uint32_t i = 0; i <= view->segments_len && good; i++) {
        uint64_t rows = i < view->segments_len ? segment_info(view->segments[i]).rows : UINT64_MAX;
        if (together + (rows < TASK_ROWS ? rows : TASK_ROWS) < TASK_ROWS) {
            together += rows;
            continue;
        }
        if (i > first)
            good = add_task(shared, (struct task){.first = first, .files = i - first});
        if (i < view->segments_len && rows >= TASK_ROWS && good) {
            good = add_file(shared, i, rows);
            first = i + 1;
            together = 0;
        } else {
            first = i;
            together = rows;
        }
    }
    if (view->chunks_len && good)
        good = add_task(shared, (struct task){.first = view->segments_len, .chunks = true});
    return good;
}

/* --- working --- */

static enum status new_like(const struct aggregate *like, struct aggregate **ret, struct error *err)
{
    struct aggregate_spec *specs = calloc((size_t)like->states_len + 1, sizeof *specs);
    if (!specs)
        return error_no_memory(err);
    for (uint32_t i = 0; i < like->states_len; i++)
        specs[i] = like->states[i].spec;
    enum status status =
        aggregate_new(specs, like->states_len, like->keys, like->keys_len, ret, err);
    free(specs);
    if (status == STATUS_OK)
        aggregate_compute(*ret, like->computed, like->computed_len);
    return status;
}

static enum status run_task(void *context, uint32_t index, struct error *err)
{
    struct shared *shared = context;
    struct task *task = &shared->tasks[index];
    struct view view = *shared->view;
    struct exec_context one = *shared->context;
    view.source = NULL; /* no index over all files is asked */
    view.segments += task->first;
    view.segments_len = task->files;
    view.deletions = view.deletions ? view.deletions + task->first : NULL;
    view.chunks_len = task->chunks ? view.chunks_len : 0;
    one.threads = 1;
    one.part = task->part;
    one.parts = task->parts;
    TRY(new_like(shared->like, &task->agg, err));
    return aggregate_add_view(task->agg, &view, shared->filter, &one, &task->stats, err);
}

static enum status merge(struct shared *shared, struct aggregate *agg, struct exec_stats *stats,
                         struct error *err)
{
    for (uint32_t i = 0; i < shared->len; i++) {
        struct task *task = &shared->tasks[i];
        TRY(aggregate_merge(agg, task->agg, err));
        aggregate_free(task->agg);
        task->agg = NULL;
        if (!stats)
            continue;
        if (task->part) /* the file was counted by its first part */
            task->stats = (struct exec_stats){.rows_scanned = task->stats.rows_scanned,
                                              .rows_matched = task->stats.rows_matched};
        exec_stats_add(stats, &task->stats);
    }
    return STATUS_OK;
}

/* --- */

bool agg_is_shared(const struct view *view, const struct exec_context *context)
{
    return context->threads > 1 && context->access != EXEC_ANY && !context->rows_max &&
           view->rows >= SHARED_MIN_ROWS;
}

enum status agg_add_shared(struct aggregate *agg, struct view *view, const struct filter *filter,
                           const struct exec_context *context, struct exec_stats *stats,
                           struct error *err)
{
    struct shared shared = {.like = agg, .view = view, .filter = filter, .context = context};
    enum status status = cut(&shared) ? STATUS_OK : error_no_memory(err);
    if (status == STATUS_OK)
        status = parallel_run(context->threads, shared.len, run_task, &shared, err);
    if (status == STATUS_OK)
        status = merge(&shared, agg, stats, err);
    for (uint32_t i = 0; i < shared.len; i++)
        aggregate_free(shared.tasks[i].agg);
    free(shared.tasks);
    return status;
}
