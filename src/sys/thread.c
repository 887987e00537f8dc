#include "sys/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

enum { STACK_BYTES = 1 << 20 };

static int create(struct thread *thread, size_t stack_bytes, void *(*fn)(void *), void *argument)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int r = pthread_attr_init(&attributes);
    if (r)
        return r;
    r = pthread_attr_setstacksize(&attributes, stack_bytes ? stack_bytes : STACK_BYTES);
    if (!r) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        r = pthread_create(&thread->id, &attributes, fn, argument);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    pthread_attr_destroy(&attributes);
    return r;
}

enum status thread_start(struct thread *thread, const char *name, size_t stack_bytes,
                         void *(*fn)(void *), void *argument, struct error *err)
{
    *thread = (struct thread){0};
    int r = create(thread, stack_bytes, fn, argument);
    if (r == EAGAIN)
        return error_set(err, STATUS_RESOURCE_LIMIT, "no more threads can be started (%s)", name);
    if (r)
        return error_errno(err, r, "cannot start thread %s", name);
    thread->started = true;
    char cut[16];
    snprintf(cut, sizeof cut, "%s", name);
    (void)pthread_setname_np(thread->id, cut); /* only for people who look */
    return STATUS_OK;
}

void thread_join(struct thread *thread)
{
    if (thread->started)
        pthread_join(thread->id, NULL);
    thread->started = false;
}

void thread_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

bool thread_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t until_us)
{
    struct timespec until = {.tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000};
    return pthread_cond_timedwait(cond, mutex, &until) != ETIMEDOUT;
}
