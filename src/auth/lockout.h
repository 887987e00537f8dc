/* lockout.h: failed logins slow the next ones down, for each user name and each address.
 *
 * After LOCKOUT_FREE failures every further one doubles the wait, up to LOCKOUT_WAIT_MAX_S; a
 * success forgets them, and so does a quiet LOCKOUT_FORGET_S. Threads: any. */
#ifndef QUARRY_AUTH_LOCKOUT_H
#define QUARRY_AUTH_LOCKOUT_H

#include "sys/sys.h"

enum {
    LOCKOUT_NAMES = 65536,
    LOCKOUT_FREE = 5,
    LOCKOUT_WAIT_MAX_S = 900,
    LOCKOUT_FORGET_S = 3600,
};

struct lockout;

enum status lockout_new(struct sys *sys, struct lockout **ret, struct error *err);
void lockout_free(struct lockout *lockout);
/* STATUS_TOO_MANY_REQUESTS with retry_after_s while the name has to wait. */
enum status lockout_check(struct lockout *lockout, struct str name, struct error *err);
void lockout_fail(struct lockout *lockout, struct str name);
void lockout_forget(struct lockout *lockout, struct str name);

#endif
