#include "net/breaker.h"

void breaker_init(struct breaker *breaker, struct sys *sys)
{
    *breaker = (struct breaker){.sys = sys, .wait_us = BREAKER_WAIT_US};
    pthread_mutex_init(&breaker->lock, NULL);
}

void breaker_release(struct breaker *breaker)
{
    pthread_mutex_destroy(&breaker->lock);
}

enum status breaker_enter(struct breaker *breaker, const char *name, struct error *err)
{
    int64_t now = sys_mono_us(breaker->sys), left = 0;
    pthread_mutex_lock(&breaker->lock);
    if (breaker->state == BREAKER_OPEN && now >= breaker->until_us)
        breaker->state = BREAKER_HALF_OPEN;
    bool pass = breaker->state == BREAKER_CLOSED ||
                (breaker->state == BREAKER_HALF_OPEN && !breaker->probing);
    if (pass)
        breaker->probing = breaker->state == BREAKER_HALF_OPEN;
    else
        left = breaker->until_us - now;
    pthread_mutex_unlock(&breaker->lock);
    if (pass)
        return STATUS_OK;
    enum status status = error_set(err, STATUS_UNAVAILABLE,
                                   "%s has failed repeatedly and is left alone for a while.", name);
    if (err)
        err->retry_after_s = left > 0 ? (int)(left / 1000000) + 1 : 1;
    return status;
}

void breaker_done(struct breaker *breaker, bool ok)
{
    pthread_mutex_lock(&breaker->lock);
    bool probe = breaker->state == BREAKER_HALF_OPEN;
    breaker->probing = false;
    if (ok) {
        breaker->state = BREAKER_CLOSED;
        breaker->failures = 0;
        breaker->wait_us = BREAKER_WAIT_US;
    } else if (breaker->state != BREAKER_OPEN &&
               (probe || ++breaker->failures >= BREAKER_FAILURES)) {
        if (probe)
            breaker->wait_us = breaker->wait_us * 2 < BREAKER_WAIT_MAX_US ? breaker->wait_us * 2
                                                                          : BREAKER_WAIT_MAX_US;
        breaker->state = BREAKER_OPEN;
        breaker->until_us = sys_mono_us(breaker->sys) + breaker->wait_us;
        breaker->opened++;
    }
    pthread_mutex_unlock(&breaker->lock);
}

enum breaker_state breaker_look(struct breaker *breaker)
{
    pthread_mutex_lock(&breaker->lock);
    enum breaker_state state = breaker->state;
    if (state == BREAKER_OPEN && sys_mono_us(breaker->sys) >= breaker->until_us)
        state = BREAKER_HALF_OPEN;
    pthread_mutex_unlock(&breaker->lock);
    return state;
}

const char *breaker_state_name(enum breaker_state state)
{
    static const char *const names[] = {"closed", "open", "half_open"};
    return names[state];
}
