/* breaker.h: a circuit breaker: who fails again and again is left alone for a while.
 *
 * Closed: calls pass. BREAKER_FAILURES failures in a row open it. Open: calls are refused at once.
 * After a wait (1 s, doubled by each failed probe up to BREAKER_WAIT_MAX_US) it is half-open: one
 * call passes as a probe; its success closes the breaker, its failure opens it again.
 * (M. Nygard, Release It!, 2007.) Threads: any. */
#ifndef QUARRY_NET_BREAKER_H
#define QUARRY_NET_BREAKER_H

#include <pthread.h>

#include "sys/sys.h"

enum { BREAKER_FAILURES = 5, BREAKER_WAIT_US = 1000000, BREAKER_WAIT_MAX_US = 30000000 };

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };

struct breaker {
    struct sys *sys;
    pthread_mutex_t lock;
    enum breaker_state state;
    uint32_t failures; /* in a row */
    int64_t wait_us, until_us;
    bool probing;
    uint64_t opened; /* how often */
};

void breaker_init(struct breaker *breaker, struct sys *sys);
void breaker_release(struct breaker *breaker);
/* May a call pass? STATUS_UNAVAILABLE with retry_after_s. Each call that may pass ends with
 * breaker_done. */
enum status breaker_enter(struct breaker *breaker, const char *name, struct error *err);
/* `ok`: the other side answered, whatever it said. */
void breaker_done(struct breaker *breaker, bool ok);
enum breaker_state breaker_look(struct breaker *breaker);
const char *breaker_state_name(enum breaker_state state);

#endif
