/* to_plan.h: a query of the DSL as a logical plan. */
#ifndef QUARRY_QUERY_DSL_TO_PLAN_H
#define QUARRY_QUERY_DSL_TO_PLAN_H

#include "query/dsl/dsl.h"
#include "query/plan/plan.h"

/* The query must be without errors and outlive the plan. */
enum status dsl_to_plan(const struct dsl_query *query, struct plan *plan, struct error *err);

#endif
