/* optimizer.h: chooses the cheapest way to answer a question and learns from what it took.
 *
 *     optimizer_choose(optimizer, &view, &shape, &offer, &choice, &err)
 *     ... what access_chosen(&choice) says is done ...
 *     optimizer_record(optimizer, &choice, &outcome)
 *
 * One a tenant. Any thread; one lock, held for microseconds. Estimates come from the source's
 * profile (query/stats), pruning from bounds and key filters, costs from the cost model. */
#ifndef QUARRY_QUERY_OPTIMIZER_H
#define QUARRY_QUERY_OPTIMIZER_H

#include "base/histogram.h"
#include "query/optimize/access.h"

struct optimizer;

struct optimizer_options {
    struct sys *sys;
    const char *state_path; /* what was learned, kept over restarts; NULL: it is not */
    bool disabled;          /* QUERY_OPTIMIZATION_ENABLED: the first way that works, no estimates */
    bool learns;            /* COST_MODEL_LEARNING_ENABLED */
    uint32_t plans_max;     /* MAX_EXECUTION_PLANS; 0: 5 */
    int64_t plan_life_us;   /* QUERY_CACHE_TTL; 0: plans are not kept */
};

/* A state file that cannot be read is as none. */
enum status optimizer_open(const struct optimizer_options *options, struct optimizer **ret,
                           struct error *err);
/* Writes the state. NULL is fine. */
void optimizer_close(struct optimizer *optimizer);
enum status optimizer_save(struct optimizer *optimizer, struct error *err);
void optimizer_reset(struct optimizer *optimizer);

/* What the caller can do beside Quarry's own operators over the view, and what it wants. */
struct access_offer {
    bool own;            /* search or aggregate can answer it at all */
    bool duckdb;         /* the SQL engine can */
    uint64_t kept_files; /* partial aggregates that are kept for this question: files, rows */
    uint64_t kept_rows;
    bool partials;        /* they may be used and made */
    uint64_t fingerprint; /* of a statement without shape; else 0 */
    bool forced;          /* do it this way, if it can be done so */
    enum access_path force;
};

/* `shape` NULL: a statement of which only the tables are known; then `view` is NULL too and
 * `rows`, `files`, `bytes` of the work come from `tables`. */
enum status optimizer_choose(struct optimizer *optimizer, struct view *view,
                             const struct query_shape *shape, const struct access_offer *offer,
                             const struct exec_context *context, struct access_choice *ret,
                             struct error *err);
/* A statement that only the SQL engine can answer, over tables of this size. */
void optimizer_choose_engine(struct optimizer *optimizer, uint64_t fingerprint,
                             const struct access_work *tables, struct access_choice *ret);

/* What it took. */
struct access_outcome {
    bool failed;       /* then nothing is learned */
    bool cut;          /* stopped early (a limit): rows found say nothing */
    double ms;         /* of the execution, the client's reading not counted as far as known */
    double rows_found; /* that the filter let through; negative: not known */
    double rows_out;
    double files, rows_scanned;
};
void optimizer_record(struct optimizer *optimizer, const struct access_choice *choice,
                      const struct access_outcome *outcome);

/* How far estimates of rows were off: the larger by the smaller, in millionths. */
void optimizer_get_errors(struct optimizer *optimizer, struct histogram *ret);

/* The contract's objects (1.6): a plan, and all of a choice with its alternatives. */
void access_plan_write(const struct access_choice *choice, uint32_t index,
                       const struct query_shape *shape, struct json_writer *w);
void access_choice_write(const struct access_choice *choice, const struct query_shape *shape,
                         struct json_writer *w);
/* GET /stats/execution: members into a begun object. */
void optimizer_write_stats(struct optimizer *optimizer, struct json_writer *w);

#endif
