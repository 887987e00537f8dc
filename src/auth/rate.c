#include "auth/rate.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "auth/slots.h"

/* slot.level: calls taken that have not flown back yet, as of slot.time_us. */
struct rate_limiter {
    struct sys *sys;
    pthread_mutex_t lock;
    struct slots table;
};

enum status rate_limiter_new(struct sys *sys, struct rate_limiter **ret, struct error *err)
{
    struct rate_limiter *limiter = calloc(1, sizeof *limiter);
    if (!limiter)
        return error_no_memory(err);
    enum status status = slots_init(&limiter->table, sys, RATE_NAMES, err);
    if (status != STATUS_OK) {
        free(limiter);
        return status;
    }
    limiter->sys = sys;
    pthread_mutex_init(&limiter->lock, NULL);
    *ret = limiter;
    return STATUS_OK;
}

void rate_limiter_free(struct rate_limiter *limiter)
{
    if (!limiter)
        return;
    slots_release(&limiter->table);
    pthread_mutex_destroy(&limiter->lock);
    free(limiter);
}

/* The one that was seen least lately makes room. */
static double weigh(const struct slot *slot, int64_t now_us)
{
    return (double)(slot->time_us - now_us);
}

enum status rate_take(struct rate_limiter *limiter, struct str name, struct rate rate,
                      struct rate_state *ret_state, struct error *err)
{
    enum status status = STATUS_OK;
    double burst = rate.burst < 1 ? 1 : rate.burst;
    if (rate.per_second <= 0)
        return STATUS_OK;
    int64_t now = sys_mono_us(limiter->sys);
    pthread_mutex_lock(&limiter->lock);
    struct slot *slot = slots_get(&limiter->table, name, weigh, now);
    double taken = slot->level - (double)(now - slot->time_us) / 1e6 * rate.per_second;
    taken = taken < 0 || slot->time_us == 0 ? 0 : taken;
    bool room = taken + 1 <= burst;
    slot->level = room ? taken + 1 : taken;
    slot->time_us = now;
    taken = slot->level;
    pthread_mutex_unlock(&limiter->lock);
    if (!room) {
        status = error_set(err, STATUS_TOO_MANY_REQUESTS,
                           "More than %g requests a second (burst %g) for this caller.",
                           rate.per_second, burst);
        if (err)
            err->retry_after_s = (int)ceil((taken + 1 - burst) / rate.per_second);
    }
    if (ret_state)
        *ret_state =
            (struct rate_state){(uint32_t)(burst - taken), (uint32_t)ceil(taken / rate.per_second)};
    return status;
}
