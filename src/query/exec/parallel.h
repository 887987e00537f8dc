/* parallel.h: independent tasks on a few threads, the caller's among them. */
#ifndef QUARRY_QUERY_PARALLEL_H
#define QUARRY_QUERY_PARALLEL_H

#include "base/status.h"

enum { PARALLEL_THREADS_MAX = 64 };

/* Task `task`; several run at once. */
typedef enum status (*parallel_task)(void *context, uint32_t task, struct error *err);

/* Runs tasks 0 .. tasks - 1, begun in this order, on at most `threads` threads; returns when none
 * runs any more. After a failure no further task is begun; the failure of the first task that
 * failed is the answer. Threads that cannot be had are done without. */
enum status parallel_run(uint32_t threads, uint32_t tasks, parallel_task run, void *context,
                         struct error *err);

#endif
