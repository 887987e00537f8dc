/* choose_int.h: one question on its way to a choice (choose.c, alternatives.c). */
#ifndef QUARRY_QUERY_CHOOSE_INT_H
#define QUARRY_QUERY_CHOOSE_INT_H

#include "query/optimize/optimizer_int.h"

/* Everything that the alternatives are made of. */
struct job {
    struct optimizer *optimizer;
    struct view *view;
    const struct query_shape *shape;
    const struct access_offer *offer;
    struct exec_forecast forecast;
    double all_files, all_rows, all_bytes;
    double found, groups;
    double filter_columns, out_columns;
    double distinct_own, distinct_engine, distinct_share; /* see alternatives.c */
    struct access_choice *choice;
    bool quick; /* the caller may look at few rows only: nothing is to be sketched for it */
};

void choice_add_plan(struct job *job, enum access_path path, struct access_work work,
                     bool index_used);
/* All that our operators can do; by the SQL engine. */
void choice_add_own(struct job *job, const struct sketch *sketch);
void choice_add_engine(struct job *job);

#endif
