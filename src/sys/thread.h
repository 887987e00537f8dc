/* thread.h: threads with a name. Locks are plain pthread mutexes and conditions.
 *
 * A thread starts with all signals blocked, so that signals go to the main thread, which is the
 * only one that waits for them. Names show in `top -H`, at most 15 bytes. */
#ifndef QUARRY_SYS_THREAD_H
#define QUARRY_SYS_THREAD_H

#include <pthread.h>

#include "base/status.h"

struct thread {
    pthread_t id;
    bool started;
};

/* Runs fn(argument) on a new thread; STATUS_NO_MEMORY or STATUS_RESOURCE_LIMIT when there is none
 * to be had. stack_bytes 0: 1 MiB. */
enum status thread_start(struct thread *thread, const char *name, size_t stack_bytes,
                         void *(*fn)(void *), void *argument, struct error *err);
/* Waits for its end; does nothing when it never started. */
void thread_join(struct thread *thread);

/* A condition whose timed waits go by the monotonic clock. */
void thread_cond_init(pthread_cond_t *cond);
/* Waits until signalled or the monotonic time `until_us`; false when that has passed. */
bool thread_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_us);

#endif
