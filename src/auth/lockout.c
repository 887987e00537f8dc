#include "auth/lockout.h"

#include <pthread.h>
#include <stdlib.h>

#include "auth/slots.h"

/* slot.level: failures; slot.time_us: of the last one. */
struct lockout {
    struct sys *sys;
    pthread_mutex_t lock;
    struct slots table;
};

enum status lockout_new(struct sys *sys, struct lockout **ret, struct error *err)
{
    struct lockout *lockout = calloc(1, sizeof *lockout);
    if (!lockout)
        return error_no_memory(err);
    enum status status = slots_init(&lockout->table, sys, LOCKOUT_NAMES, err);
    if (status != STATUS_OK) {
        free(lockout);
        return status;
    }
    lockout->sys = sys;
    pthread_mutex_init(&lockout->lock, NULL);
    *ret = lockout;
    return STATUS_OK;
}

void lockout_free(struct lockout *lockout)
{
    if (!lockout)
        return;
    slots_release(&lockout->table);
    pthread_mutex_destroy(&lockout->lock);
    free(lockout);
}

static int64_t wait_us(const struct slot *slot)
{
    int over = (int)slot->level - LOCKOUT_FREE;
    if (over < 0)
        return 0;
    int64_t seconds = over >= 10 ? LOCKOUT_WAIT_MAX_S : INT64_C(1) << over;
    return 1000000 * (seconds > LOCKOUT_WAIT_MAX_S ? LOCKOUT_WAIT_MAX_S : seconds);
}

/* Few failures make room first, old ones before new ones. */
static double weigh(const struct slot *slot, int64_t now_us)
{
    return slot->level - (double)(now_us - slot->time_us) / 1e6 / LOCKOUT_FORGET_S;
}

static struct slot *find(struct lockout *lockout, struct str name, int64_t now)
{
    struct slot *slot = slots_get(&lockout->table, name, weigh, now);
    if (now - slot->time_us > INT64_C(1000000) * LOCKOUT_FORGET_S)
        slot->level = 0;
    return slot;
}

enum status lockout_check(struct lockout *lockout, struct str name, struct error *err)
{
    int64_t now = sys_mono_us(lockout->sys);
    pthread_mutex_lock(&lockout->lock);
    struct slot *slot = find(lockout, name, now);
    int64_t left = slot->time_us + wait_us(slot) - now;
    bool locked = wait_us(slot) > 0 && left > 0;
    pthread_mutex_unlock(&lockout->lock);
    if (!locked)
        return STATUS_OK;
    enum status status = error_set(err, STATUS_TOO_MANY_REQUESTS,
                                   "Too many failed logins; wait before the next one.");
    if (err)
        err->retry_after_s = (int)(left / 1000000) + 1;
    return status;
}

void lockout_fail(struct lockout *lockout, struct str name)
{
    int64_t now = sys_mono_us(lockout->sys);
    pthread_mutex_lock(&lockout->lock);
    struct slot *slot = find(lockout, name, now);
    slot->level += 1;
    slot->time_us = now;
    pthread_mutex_unlock(&lockout->lock);
}

void lockout_forget(struct lockout *lockout, struct str name)
{
    int64_t now = sys_mono_us(lockout->sys);
    pthread_mutex_lock(&lockout->lock);
    find(lockout, name, now)->level = 0;
    pthread_mutex_unlock(&lockout->lock);
}
