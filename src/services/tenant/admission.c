/* admission.c: how many searches and aggregates run at once. A caller waits for a place for at most
 * SEARCH_WAIT_US, and only when not too many wait already. */
#include <errno.h>
#include <time.h>

#include "services/tenant/tenant_int.h"

void admission_init(struct admission *admission, uint32_t running_max, uint32_t waiting_max)
{
    *admission = (struct admission){.running_max = running_max, .waiting_max = waiting_max};
    pthread_mutex_init(&admission->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&admission->freed, &attributes);
    pthread_condattr_destroy(&attributes);
}

void admission_release(struct admission *admission)
{
    pthread_cond_destroy(&admission->freed);
    pthread_mutex_destroy(&admission->lock);
}

static enum status refuse(struct admission *admission, struct error *err)
{
    admission->refused++;
    enum status status = error_set(
        err, STATUS_TOO_MANY_REQUESTS,
        "%u searches run and %u wait, which is the most (MAX_CONCURRENT_SEARCHES): try again",
        admission->running, admission->waiting);
    if (err)
        err->retry_after_s = 1;
    return status;
}

static enum status wait_for_place(struct admission *admission, struct error *err)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += SEARCH_WAIT_US / 1000000;
    int woken = 0;
    admission->waiting++;
    while (admission->running >= admission->running_max && woken != ETIMEDOUT)
        woken = pthread_cond_timedwait(&admission->freed, &admission->lock, &until);
    admission->waiting--;
    return admission->running < admission->running_max ? STATUS_OK : refuse(admission, err);
}

bool admission_try(struct admission *admission)
{
    pthread_mutex_lock(&admission->lock);
    bool free = admission->running < admission->running_max;
    admission->running += free;
    pthread_mutex_unlock(&admission->lock);
    return free;
}

enum status admission_enter(struct admission *admission, struct error *err)
{
    enum status status = STATUS_OK;
    pthread_mutex_lock(&admission->lock);
    if (admission->running >= admission->running_max)
        status = admission->waiting < admission->waiting_max ? wait_for_place(admission, err)
                                                             : refuse(admission, err);
    if (status == STATUS_OK)
        admission->running++;
    pthread_mutex_unlock(&admission->lock);
    return status;
}

void admission_leave(struct admission *admission)
{
    pthread_mutex_lock(&admission->lock);
    admission->running--;
    pthread_cond_signal(&admission->freed);
    pthread_mutex_unlock(&admission->lock);
}

uint32_t admission_more(struct admission *admission, uint32_t threads)
{
    uint32_t places = 0;
    while (places + 1 < threads && admission_try(admission))
        places++;
    return places;
}

void admission_less(struct admission *admission, uint32_t places)
{
    while (places--)
        admission_leave(admission);
}
