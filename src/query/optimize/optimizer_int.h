/* optimizer_int.h: the optimizer's state (optimizer.c, choose.c, state.c). */
#ifndef QUARRY_QUERY_OPTIMIZER_INT_H
#define QUARRY_QUERY_OPTIMIZER_INT_H

#include <pthread.h>

#include "query/optimize/cost.h"
#include "query/optimize/learned.h"
#include "query/optimize/optimizer.h"
#include "storage/sketch/sketch.h"

enum { PROFILES_KEPT = 64, RECENT_RUNS = 50 };

/* A source's profile, used while its rows are about the same. */
struct kept_profile {
    char source_id[SOURCE_ID_MAX + 1];
    uint64_t rows, snapshot_id;
    struct sketch *sketch; /* referenced */
};

struct recent_run {
    char plan_id[40];
    double estimated_ms, ms, estimated_rows, rows;
    int64_t at_us;
};

struct optimizer {
    struct optimizer_options options;
    pthread_mutex_t lock;
    struct cost_model costs;
    struct learned learned;
    struct kept_profile profiles[PROFILES_KEPT];
    struct recent_run recent[RECENT_RUNS];
    uint64_t runs[PATHS], planned, planned_from_cache, recorded;
    struct histogram errors; /* of rows found */
    double plan_us;          /* decaying mean */
};

/* state.c */
enum status optimizer_load(struct optimizer *optimizer, struct error *err);

/* shape.c: of the question without its constants; never 0. */
uint64_t shape_template(const struct query_shape *shape, char label[HISTORY_LABEL_MAX]);

#endif
