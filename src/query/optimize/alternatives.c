/* alternatives.c: the ways to answer a question and the work that each would be. */
#include <math.h>
#include <stdio.h>

#include "query/optimize/choose_int.h"

void choice_add_plan(struct job *job, enum access_path path, struct access_work work,
                     bool index_used)
{
    struct access_choice *choice = job->choice;
    struct access_plan *plan = &choice->plans[choice->plans_len++];
    work.bytes = job->all_rows > 0 ? job->all_bytes * work.rows / job->all_rows : 0;
    if (job->view && job->view->schema->fields_len) {
        double share = (job->filter_columns + job->out_columns) / job->view->schema->fields_len;
        work.bytes *= share < 1 ? share : 1;
    }
    *plan = (struct access_plan){.path = path, .work = work, .index_used = index_used};
    snprintf(plan->id, sizeof plan->id, "%s-%016llx", access_path_name(path),
             (unsigned long long)choice->template);
}

/* The part of the rows that is looked at until a limit is reached. */
static double part_read(const struct job *job)
{
    const struct query_shape *shape = job->shape;
    if (shape->aggregates || shape->limit < 0 || shape->order_len || job->found < 1)
        return 1;
    double wanted = (double)shape->limit + (double)shape->offset + 1;
    return wanted < job->found ? wanted / job->found : 1;
}

/* Counting distinct values, by a row found: in columns decoded. Measured; it grows with the share
 * of values that are new. */
#define DISTINCT_OWN        8.0
#define DISTINCT_OWN_NEW    180.0
#define DISTINCT_ENGINE     6.0
#define DISTINCT_ENGINE_NEW 30.0
#define DISTINCT_KEPT_MAX   0.25 /* beyond it partials are as large as what they are of */

static double share_of_new(const struct job *job, const struct sketch *sketch, struct str column)
{
    double distinct = sketch ? sketch_distinct(sketch, column) : -1;
    return distinct < 0 || job->found < 1 ? 0 : fmin(1, distinct / job->found);
}

static void note_distinct(struct job *job, const struct sketch *sketch)
{
    const struct query_shape *shape = job->shape;
    for (uint32_t i = 0; shape->aggregates && i < shape->specs_len; i++) {
        if (shape->specs[i].kind != AGG_COUNT_DISTINCT)
            continue;
        double share = share_of_new(job, sketch, shape->specs[i].column);
        job->distinct_own += DISTINCT_OWN + DISTINCT_OWN_NEW * share;
        job->distinct_engine += DISTINCT_ENGINE + DISTINCT_ENGINE_NEW * share;
        job->distinct_share = fmax(job->distinct_share, share);
    }
}

static struct access_work scan_work(const struct job *job, double files, double rows)
{
    double part = part_read(job), found = job->found * part;
    return (struct access_work){.files = ceil(files * part),
                                .rows = rows * part,
                                .values = rows * part * job->filter_columns +
                                          found * (job->out_columns + job->distinct_own),
                                .found = found,
                                .groups = job->groups};
}

/* Rows that the best index gives: at least those that match. */
static double indexed_rows(const struct job *job, const struct sketch *sketch)
{
    double rows = -1;
    for (uint32_t i = 0; i < job->forecast.points_len && sketch; i++) {
        struct str name = job->view->schema->fields[job->forecast.points[i].field].name;
        double distinct = sketch_distinct(sketch, name);
        if (!job->forecast.points[i].indexed || distinct < 1)
            continue;
        double some = job->all_rows * fmin(1, job->forecast.points[i].values / distinct);
        rows = rows < 0 || some < rows ? some : rows;
    }
    return fmax(rows, job->found);
}

static bool from_metadata(const struct job *job)
{
    const struct query_shape *shape = job->shape;
    if (!shape->aggregates || shape->keys_len || !filter_is_empty(shape->filter))
        return false;
    for (uint32_t i = 0; i < shape->specs_len; i++) {
        enum aggregate_kind kind = shape->specs[i].kind;
        if (kind != AGG_COUNT && kind != AGG_MIN && kind != AGG_MAX)
            return false;
        int32_t at = schema_find(job->view->schema, shape->specs[i].column);
        if (shape->computed_len && shape->specs[i].column.data && at < 0)
            return false;
        if (kind != AGG_COUNT && at >= 0 && job->view->schema->fields[at].type == TYPE_JSON)
            return false;
        if (job->view->deletions && shape->specs[i].column.data)
            return false; /* bounds cover deleted rows */
    }
    return true;
}

/* Groups of the base, and of each file when these are few enough to be kept (own.c). */
static double groups_merged(const struct job *job, double files)
{
    double each = files > 0 ? fmin(job->groups, (double)job->forecast.file_rows / files) : 0;
    double all = files * each;
    bool few = all < (double)job->forecast.file_rows / ACCESS_GROUP_SHARE;
    double left = fmax(0, files - (double)job->offer->kept_files);
    return 2 * job->groups + (few ? left * each : 0);
}

void choice_add_own(struct job *job, const struct sketch *sketch)
{
    const struct exec_forecast *forecast = &job->forecast;
    double files = (double)forecast->files;
    double chunk_rows = (double)forecast->chunk_rows, rows = (double)forecast->file_rows;
    note_distinct(job, sketch);
    if (from_metadata(job))
        choice_add_plan(job, PATH_METADATA,
                        (struct access_work){.files = job->all_files,
                                             .rows = chunk_rows,
                                             .values = chunk_rows * job->out_columns,
                                             .groups = 1},
                        false);
    if (forecast->indexed) {
        double some = fmin(indexed_rows(job, sketch), rows + chunk_rows);
        double columns = job->filter_columns + job->out_columns;
        choice_add_plan(job, PATH_INDEX,
                        (struct access_work){.files = fmin(files, fmax(1, some)),
                                             .rows = some,
                                             .values = some * columns,
                                             .found = some,
                                             .groups = job->groups},
                        true);
    }
    if (job->offer->partials && job->distinct_share <= DISTINCT_KEPT_MAX) {
        double left = fmax(0, rows - (double)job->offer->kept_rows);
        double part = rows > 0 ? left / rows : 0;
        struct access_work work = scan_work(job, files * part, left + chunk_rows);
        work.files = fmax(0, files - (double)job->offer->kept_files);
        work.found *= rows + chunk_rows > 0 ? (left + chunk_rows) / (rows + chunk_rows) : 0;
        work.values = (left + chunk_rows) * job->filter_columns +
                      work.found * (job->out_columns + job->distinct_own);
        work.groups = groups_merged(job, files);
        choice_add_plan(job, PATH_FILE_PARTIALS, work, false);
    }
    choice_add_plan(job, PATH_PRUNED_SCAN, scan_work(job, files, rows + chunk_rows), false);
    if (job->offer->forced && job->offer->force == PATH_FULL_SCAN)
        choice_add_plan(job, PATH_FULL_SCAN, scan_work(job, job->all_files, job->all_rows), false);
}

void choice_add_engine(struct job *job)
{
    struct access_work work = scan_work(
        job, job->all_files, (double)(job->forecast.file_rows + job->forecast.chunk_rows));
    work.files = job->all_files; /* all are opened */
    work.values += work.found * (job->distinct_engine - job->distinct_own);
    choice_add_plan(job, PATH_DUCKDB, work, false);
}
