/* password.h: bcrypt ("$2b$", Provos and Mazieres 1999) through crypt_r.
 *
 * A hash takes from milliseconds (cost 4) to seconds (cost 15) of CPU on purpose: call it from
 * worker threads only. bcrypt sees 72 bytes and ends at a NUL, so longer passwords and such with a
 * NUL are refused rather than cut. Threads: any. */
#ifndef QUARRY_AUTH_PASSWORD_H
#define QUARRY_AUTH_PASSWORD_H

#include "sys/sys.h"

enum {
    PASSWORD_BYTES_MIN = 8,
    PASSWORD_BYTES_MAX = 72,
    PASSWORD_HASH_MAX = 64, /* with the NUL */
    PASSWORD_COST_MIN = 4,
    PASSWORD_COST_MAX = 15,
};

/* STATUS_INVALID_ARGUMENT says which rule a password that is to be set breaks. */
enum status password_check_rules(struct str password, struct error *err);
enum status password_hash(struct sys *sys, struct str password, int cost,
                          char ret_hash[PASSWORD_HASH_MAX], struct error *err);
/* `hash` data NULL: nobody's; takes as long as a real check of `cost` and is false, so that the
 * time does not tell whether a user exists. */
bool password_matches(struct str password, struct str hash, int cost);

#endif
