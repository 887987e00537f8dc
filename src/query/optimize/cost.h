/* cost.h: what a path costs on this machine, learned from what it did cost.
 *
 * ms = sum of coefficient x feature, one set of coefficients a path. Each measured run corrects
 * them by recursive least squares with forgetting (the textbook form: Haykin, Adaptive Filter
 * Theory, ch. 13). Guards: a coefficient stays within COST_RANGE of its first value, a run that
 * took more than COST_OUTLIER times its estimate counts as that much, and so does one that was too
 * short. Not thread-safe: the optimizer's lock is around it. */
#ifndef QUARRY_QUERY_COST_H
#define QUARRY_QUERY_COST_H

#include "query/optimize/access.h"

enum { COST_FEATURES = 5 };

struct cost_path {
    double weights[COST_FEATURES];
    double spread[COST_FEATURES][COST_FEATURES]; /* the inverse correlation */
    uint64_t runs;
    double error; /* decaying mean of |log2(ms / estimate)| */
};

struct cost_model {
    struct cost_path paths[PATHS];
};

void cost_init(struct cost_model *model);
double cost_ms(const struct cost_model *model, enum access_path path,
               const struct access_work *work);
void cost_learn(struct cost_model *model, enum access_path path, const struct access_work *work,
                double ms);
/* {"<path>":{"weights":[...],"runs":n,"error":x}, ...}: also its form on disk. */
void cost_write(const struct cost_model *model, struct json_writer *w);
/* What it does not understand stays as it is. */
void cost_read(struct cost_model *model, yyjson_val *json);

#endif
