/* choose.c: the alternatives of one question and the cheapest of them. */
#include <math.h>

#include "query/optimize/choose_int.h"
#include "query/optimize/estimate.h"
#include "query/stats/profile.h"

#define INVESTMENT    1.25
#define INVESTMENT_MS 0.2

/* --- the profile --- */

static bool about_the_same(const struct kept_profile *kept, const struct view *view)
{
    uint64_t apart = kept->rows > view->rows ? kept->rows - view->rows : view->rows - kept->rows;
    return kept->sketch && str_is(source_config(view->source)->source_id, kept->source_id) &&
           apart <= kept->rows / 20;
}

static struct sketch *take_kept(struct optimizer *optimizer, struct kept_profile *kept,
                                const struct view *view)
{
    pthread_mutex_lock(&optimizer->lock);
    struct sketch *sketch = about_the_same(kept, view) ? sketch_ref(kept->sketch) : NULL;
    pthread_mutex_unlock(&optimizer->lock);
    return sketch;
}

static void keep(struct optimizer *optimizer, struct kept_profile *kept, const struct view *view,
                 struct sketch *sketch)
{
    struct str id = source_config(view->source)->source_id;
    pthread_mutex_lock(&optimizer->lock);
    struct sketch *old = kept->sketch;
    *kept = (struct kept_profile){.rows = view->rows, .sketch = sketch_ref(sketch)};
    memcpy(kept->source_id, id.data, id.len);
    pthread_mutex_unlock(&optimizer->lock);
    sketch_unref(old);
}

/* *ret NULL: nothing is known of the source's values. */
static enum status profile_of(struct job *job, struct sketch **ret, struct error *err)
{
    struct optimizer *optimizer = job->optimizer;
    const struct view *view = job->view;
    *ret = NULL;
    if (!view->source)
        return STATUS_OK;
    uint64_t hash = str_hash(source_config(view->source)->source_id);
    struct kept_profile *kept = &optimizer->profiles[hash % PROFILES_KEPT];
    *ret = take_kept(optimizer, kept, view);
    if (*ret)
        return STATUS_OK;
    if (job->quick) {
        *ret = source_sketch(view->source);
        return STATUS_OK;
    }
    TRY(profile_of_view(view, ret, err));
    if (*ret)
        keep(optimizer, kept, view, *ret);
    return STATUS_OK;
}

/* --- choosing --- */

/* The optimizer's lock is held. */
static void price(struct job *job, const struct template_history *known)
{
    struct access_choice *choice = job->choice;
    for (uint32_t i = 0; i < choice->plans_len; i++) {
        struct access_plan *plan = &choice->plans[i];
        double ms = cost_ms(&job->optimizer->costs, plan->path, &plan->work);
        plan->ms = ms * exp2(learned_time_correction(known, plan->path));
    }
    for (uint32_t i = 1; i < choice->plans_len; i++) /* insertion sort: a handful */
        for (uint32_t k = i; k > 0 && choice->plans[k].ms < choice->plans[k - 1].ms; k--) {
            struct access_plan other = choice->plans[k];
            choice->plans[k] = choice->plans[k - 1];
            choice->plans[k - 1] = other;
        }
}

/* Partial aggregates are worth a little more the first time: they make the next time cheap. */
static uint32_t cheapest(const struct access_choice *choice)
{
    const struct access_plan *first = &choice->plans[0];
    bool reads = first->path == PATH_PRUNED_SCAN || first->path == PATH_DUCKDB;
    for (uint32_t i = 1; reads && i < choice->plans_len; i++)
        if (choice->plans[i].path == PATH_FILE_PARTIALS &&
            choice->plans[i].ms <= first->ms * INVESTMENT + INVESTMENT_MS)
            return i;
    return 0;
}

static void pick(struct job *job)
{
    struct access_choice *choice = job->choice;
    uint32_t most = job->optimizer->options.plans_max;
    choice->chosen = cheapest(choice);
    for (uint32_t i = 0; job->offer->forced && i < choice->plans_len; i++)
        if (choice->plans[i].path == job->offer->force)
            choice->chosen = i;
    if (choice->plans_len <= most)
        return;
    if (choice->chosen >= most) {
        choice->plans[most - 1] = choice->plans[choice->chosen];
        choice->chosen = most - 1;
    }
    choice->plans_len = most;
}

static void measure(struct job *job)
{
    const struct view *view = job->view;
    const struct query_shape *shape = job->shape;
    job->all_files = view->segments_len;
    job->all_rows = (double)view->rows;
    for (uint32_t i = 0; i < view->segments_len; i++)
        job->all_bytes += (double)segment_info(view->segments[i]).bytes;
    job->filter_columns = job->forecast.conditions;
    job->out_columns = shape->columns ? shape->columns_len : view->schema->fields_len;
    if (!shape->aggregates)
        return;
    job->out_columns = shape->keys_len;
    for (uint32_t i = 0; i < shape->specs_len; i++)
        job->out_columns += shape->specs[i].column.data != NULL;
}

/* A plan that was kept: only for look-ups by index, whose constants make no difference. */
static bool take_kept_plan(struct job *job, const struct template_history *known, int64_t now_us)
{
    struct access_choice *choice = job->choice;
    if (!known || known->kept_until_us <= now_us || job->offer->forced || !job->offer->own)
        return false;
    job->found = known->rows;
    job->all_rows = (double)job->view->rows;
    choice->rows_found = choice->rows_raw = known->rows;
    choice->rows_out = known->rows;
    choice->files_total = job->view->segments_len;
    choice->rows_total = job->view->rows;
    choice_add_plan(
        job, known->kept_path,
        (struct access_work){.files = fmin((double)job->view->segments_len, known->rows),
                             .rows = known->rows,
                             .found = known->rows},
        true);
    choice->plans[0].ms = known->paths[known->kept_path].ms;
    choice->from_cache = true;
    return true;
}

static void keep_plan(struct job *job, struct template_history *known, int64_t now_us)
{
    const struct access_choice *choice = job->choice;
    const struct exec_forecast *forecast = &job->forecast;
    if (known && access_chosen(choice)->path == PATH_INDEX && !job->offer->forced &&
        known->runs >= HISTORY_SEEN_MIN && forecast->points_len == forecast->conditions)
        known->kept_until_us = now_us + job->optimizer->options.plan_life_us;
}

static enum status estimate(struct job *job, const struct exec_context *context,
                            struct sketch **ret_sketch, struct error *err)
{
    struct access_choice *choice = job->choice;
    TRY(exec_forecast(job->view, job->shape->filter, context, &job->forecast, err));
    TRY(profile_of(job, ret_sketch, err));
    TRY(estimate_rows(job->view, job->shape, &job->forecast, *ret_sketch, context,
                      &choice->rows_raw, err));
    measure(job);
    choice->files_total = (uint64_t)job->all_files;
    choice->rows_total = job->view->rows;
    return STATUS_OK;
}

/* The optimizer's lock is held. */
static void choose_locked(struct job *job, const struct sketch *sketch, const char *label,
                          int64_t now_us)
{
    struct optimizer *optimizer = job->optimizer;
    struct access_choice *choice = job->choice;
    struct template_history *known = learned_make(&optimizer->learned, choice->template, label);
    learned_check_rows(known, job->all_rows);
    double correction = optimizer->options.learns ? learned_row_correction(known) : 0;
    job->found = fmin(choice->rows_raw * exp2(correction),
                      (double)(job->forecast.file_rows + job->forecast.chunk_rows));
    job->groups = estimate_groups(job->view, job->shape, sketch, job->found);
    choice->rows_found = job->found;
    choice->rows_out = job->groups;
    if (job->offer->own)
        choice_add_own(job, sketch);
    if (job->offer->duckdb)
        choice_add_engine(job);
    price(job, optimizer->options.learns ? known : NULL);
    pick(job);
    keep_plan(job, known, now_us);
}

static void planned(struct optimizer *optimizer, struct access_choice *choice, int64_t began_us)
{
    choice->plan_us = sys_mono_us(optimizer->options.sys) - began_us;
    optimizer->planned++;
    optimizer->planned_from_cache += choice->from_cache;
    optimizer->plan_us = 0.95 * optimizer->plan_us + 0.05 * (double)choice->plan_us;
}

static enum status choose_anew(struct job *job, const struct exec_context *context,
                               const char *label, struct error *err)
{
    struct optimizer *optimizer = job->optimizer;
    struct sketch *sketch = NULL;
    struct exec_context plain = *context; /* the limit of rows is the answer's, not the sample's */
    plain.rows_max = 0;
    enum status status = estimate(job, &plain, &sketch, err);
    if (status == STATUS_OK) {
        pthread_mutex_lock(&optimizer->lock);
        choose_locked(job, sketch, label, sys_mono_us(optimizer->options.sys));
        pthread_mutex_unlock(&optimizer->lock);
    }
    sketch_unref(sketch);
    return status;
}

enum status optimizer_choose(struct optimizer *optimizer, struct view *view,
                             const struct query_shape *shape, const struct access_offer *offer,
                             const struct exec_context *context, struct access_choice *ret,
                             struct error *err)
{
    char label[HISTORY_LABEL_MAX];
    int64_t began_us = sys_mono_us(optimizer->options.sys);
    struct job job = {.optimizer = optimizer,
                      .view = view,
                      .shape = shape,
                      .offer = offer,
                      .choice = ret,
                      .quick = context->rows_max > 0};
    *ret = (struct access_choice){.template = shape_template(shape, label), .rows_found = -1};
    if (optimizer->options.disabled && !offer->forced) {
        choice_add_plan(&job, offer->own ? PATH_INDEX : PATH_DUCKDB, (struct access_work){0},
                        false);
        return STATUS_OK;
    }
    pthread_mutex_lock(&optimizer->lock);
    bool kept = take_kept_plan(&job, learned_find(&optimizer->learned, ret->template), began_us);
    pthread_mutex_unlock(&optimizer->lock);
    if (!kept)
        TRY(choose_anew(&job, context, label, err));
    pthread_mutex_lock(&optimizer->lock);
    planned(optimizer, ret, began_us);
    pthread_mutex_unlock(&optimizer->lock);
    return STATUS_OK;
}

void optimizer_choose_engine(struct optimizer *optimizer, uint64_t fingerprint,
                             const struct access_work *tables, struct access_choice *ret)
{
    static const struct access_offer offer = {.duckdb = true};
    struct job job = {.optimizer = optimizer, .offer = &offer, .choice = ret};
    *ret = (struct access_choice){.template = fingerprint ? fingerprint : 1,
                                  .files_total = (uint64_t)tables->files,
                                  .rows_total = (uint64_t)tables->rows,
                                  .rows_found = -1,
                                  .rows_out = -1};
    choice_add_plan(&job, PATH_DUCKDB, *tables, false);
    pthread_mutex_lock(&optimizer->lock);
    price(&job,
          optimizer->options.learns ? learned_find(&optimizer->learned, ret->template) : NULL);
    optimizer->planned++;
    pthread_mutex_unlock(&optimizer->lock);
}
