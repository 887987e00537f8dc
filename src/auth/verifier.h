/* verifier.h: believes or refuses tokens for one service, at a cost of microseconds.
 *
 * Holds Quarry's own keys and those of outside issuers, what was revoked, and a cache of tokens
 * whose asymmetric signature was found right (RSA costs 24 us, P-256 81 us, a look-up 0.2 us). The
 * cache compares whole tokens, never hashes alone; claims, times and revocations are checked every
 * time.
 *
 * Threads: any; keys may be replaced while tokens are checked. */
#ifndef QUARRY_AUTH_VERIFIER_H
#define QUARRY_AUTH_VERIFIER_H

#include "auth/outside.h"
#include "sys/sys.h"

enum {
    VERIFIER_CACHE = 4096,
    VERIFIER_REVOKED_MAX = 1 << 20,
    VERIFIER_ISSUERS_MAX = 16,
};

struct verifier;

enum status verifier_new(struct sys *sys, struct str issuer, struct str audience, int64_t skew_s,
                         struct verifier **ret, struct error *err);
void verifier_free(struct verifier *verifier);
/* Replaces the keys of an issuer (taken over); data NULL: Quarry's own. The cache is emptied. */
enum status verifier_set_keys(struct verifier *verifier, struct str issuer, struct str audience,
                              struct keyring *ring, struct error *err);
/* What the claims of that issuer mean (borrowed for the verifier's life). It must have keys. */
void verifier_set_mapping(struct verifier *verifier, struct str issuer,
                          const struct outside_mapping *mapping);
/* Called, under a lock, when a token of an outside issuer does not fit its keys: there may be new
 * ones. Must not block. Before tokens are checked. */
void verifier_on_miss(struct verifier *verifier, void (*fn)(void *context, struct str issuer),
                      void *context);
/* STATUS_UNAUTHENTICATED says why. */
enum status verifier_check(struct verifier *verifier, struct str token, struct arena *arena,
                           struct claims *ret, struct error *err);
/* A token (its jti), a family of tokens (one login), or a group of families (their names up to the
 * last '.': a user's logins so far) is void until `until_s`, when all would have expired anyway.
 * STATUS_RESOURCE_LIMIT when too many are remembered. */
enum status verifier_revoke(struct verifier *verifier, struct str id, int64_t until_s,
                            struct error *err);
/* Whether that very id was revoked. */
bool verifier_has_revoked(struct verifier *verifier, struct str id);

#endif
