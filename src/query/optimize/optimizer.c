/* optimizer.c: the optimizer's life, and learning from outcomes. */
#include "query/optimize/optimizer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "query/optimize/optimizer_int.h"

enum { PLANS_DEFAULT = 5 };

enum status optimizer_open(const struct optimizer_options *options, struct optimizer **ret,
                           struct error *err)
{
    struct optimizer *optimizer = calloc(1, sizeof *optimizer);
    if (!optimizer)
        return error_no_memory(err);
    optimizer->options = *options;
    if (!optimizer->options.plans_max)
        optimizer->options.plans_max = PLANS_DEFAULT;
    pthread_mutex_init(&optimizer->lock, NULL);
    cost_init(&optimizer->costs);
    enum status status = learned_init(&optimizer->learned, err);
    if (status != STATUS_OK) {
        pthread_mutex_destroy(&optimizer->lock);
        free(optimizer);
        return status;
    }
    (void)optimizer_load(optimizer, NULL); /* none, or a damaged one: it is learned again */
    *ret = optimizer;
    return STATUS_OK;
}

void optimizer_close(struct optimizer *optimizer)
{
    if (!optimizer)
        return;
    (void)optimizer_save(optimizer, NULL);
    for (int i = 0; i < PROFILES_KEPT; i++)
        sketch_unref(optimizer->profiles[i].sketch);
    learned_free(&optimizer->learned);
    pthread_mutex_destroy(&optimizer->lock);
    free(optimizer);
}

void optimizer_reset(struct optimizer *optimizer)
{
    pthread_mutex_lock(&optimizer->lock);
    cost_init(&optimizer->costs);
    learned_reset(&optimizer->learned);
    memset(optimizer->recent, 0, sizeof optimizer->recent);
    memset(optimizer->runs, 0, sizeof optimizer->runs);
    optimizer->planned = optimizer->planned_from_cache = optimizer->recorded = 0;
    optimizer->plan_us = 0;
    pthread_mutex_unlock(&optimizer->lock);
}

/* --- learning --- */

/* The features as they were in truth, as far as they are known. */
static struct access_work true_work(const struct access_plan *plan,
                                    const struct access_outcome *outcome)
{
    struct access_work work = plan->work;
    double scale = 1;
    if (outcome->rows_scanned >= 0 && work.rows > 0)
        scale = outcome->rows_scanned / work.rows;
    if (plan->path == PATH_INDEX || plan->path == PATH_PRUNED_SCAN ||
        plan->path == PATH_FULL_SCAN) {
        work.values *= scale;
        work.rows *= scale;
        work.files = outcome->files;
    }
    if (outcome->rows_found >= 0)
        work.found = outcome->rows_found;
    if (outcome->rows_out >= 0)
        work.groups = outcome->rows_out;
    return work;
}

/* The optimizer's lock is held. Fewer than one row is as one. */
static void note_error(struct optimizer *optimizer, double estimated, double found)
{
    double a = fmax(estimated, 1), b = fmax(found, 1);
    histogram_add(&optimizer->errors, (int64_t)(fmin(fmax(a, b) / fmin(a, b), 1e6) * 1e6));
}

void optimizer_get_errors(struct optimizer *optimizer, struct histogram *ret)
{
    pthread_mutex_lock(&optimizer->lock);
    *ret = optimizer->errors;
    pthread_mutex_unlock(&optimizer->lock);
}

/* The optimizer's lock is held. */
static void learn(struct optimizer *optimizer, const struct access_choice *choice,
                  const struct access_outcome *outcome)
{
    const struct access_plan *plan = access_chosen(choice);
    struct template_history *known = learned_find(&optimizer->learned, choice->template);
    if (!known)
        known = learned_make(&optimizer->learned, choice->template, "sql");
    if (outcome->rows_found >= 0 && !outcome->cut && choice->rows_raw >= 0) {
        note_error(optimizer, choice->rows_found, outcome->rows_found);
        if (choice->from_cache)
            known->rows = 0.8 * known->rows + 0.2 * outcome->rows_found;
        else
            learned_learn_rows(known, choice->rows_raw, choice->rows_found, outcome->rows_found,
                               (double)choice->rows_total);
    }
    if (choice->from_cache) {
        learned_learn_time(known, plan->path, outcome->ms, outcome->ms);
        return;
    }
    double estimate = cost_ms(&optimizer->costs, plan->path, &plan->work);
    learned_learn_time(known, plan->path, estimate, outcome->ms);
    if (optimizer->options.learns) {
        struct access_work work = true_work(plan, outcome);
        cost_learn(&optimizer->costs, plan->path, &work, outcome->ms);
    }
}

void optimizer_record(struct optimizer *optimizer, const struct access_choice *choice,
                      const struct access_outcome *outcome)
{
    const struct access_plan *plan = access_chosen(choice);
    if (outcome->failed)
        return;
    pthread_mutex_lock(&optimizer->lock);
    struct recent_run *run = &optimizer->recent[optimizer->recorded++ % RECENT_RUNS];
    *run = (struct recent_run){.estimated_ms = plan->ms,
                               .ms = outcome->ms,
                               .estimated_rows = choice->rows_found,
                               .rows = outcome->rows_found,
                               .at_us = sys_now_us(optimizer->options.sys)};
    memcpy(run->plan_id, plan->id, sizeof run->plan_id);
    optimizer->runs[plan->path]++;
    if (plan->path != PATH_RESULT_CACHE && !optimizer->options.disabled)
        learn(optimizer, choice, outcome);
    pthread_mutex_unlock(&optimizer->lock);
}
