/* rate.h: token buckets: so many calls a second a name, with a burst.
 *
 * Generic cell rate algorithm in its bucket form (ITU-T I.371). Threads: any. */
#ifndef QUARRY_AUTH_RATE_H
#define QUARRY_AUTH_RATE_H

#include "sys/sys.h"

enum { RATE_NAMES = 65536 };

struct rate_limiter;

struct rate {
    double per_second; /* 0: unlimited */
    double burst;      /* at least 1 */
};

/* What the RateLimit headers say (draft-ietf-httpapi-ratelimit-headers). */
struct rate_state {
    uint32_t remaining;
    uint32_t reset_s; /* until the bucket is full again */
};

enum status rate_limiter_new(struct sys *sys, struct rate_limiter **ret, struct error *err);
void rate_limiter_free(struct rate_limiter *limiter);
/* Takes one call from the name's bucket. STATUS_TOO_MANY_REQUESTS with retry_after_s when it is
 * empty. `ret_state` may be NULL. */
enum status rate_take(struct rate_limiter *limiter, struct str name, struct rate rate,
                      struct rate_state *ret_state, struct error *err);

#endif
