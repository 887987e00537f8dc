/* oidc.h: outside issuers of tokens (OpenID Connect) by configuration: the file OIDC_ISSUERS.
 *
 *   {"issuers":[{
 *     "name": "corp",                     short; stands before its users' ids
 *     "issuer": "https://id.example",     exactly the tokens' iss
 *     "audience": "quarry",               one of the tokens' aud
 *     "algorithms": ["RS256"],            keys of others are passed over; default: RS256, ES256,
 * EdDSA "jwks_url": "https://...",          or "jwks_file"; http only on the loopback "ca_file":
 * "/etc/...",              whose certificates to believe; default: the system's "refresh_seconds":
 * 3600,            60 to 86400 "tenant": "acme",                   or "tenant_claim": "org"
 *     "username_claim": "preferred_username",
 *     "roles_claim": "groups", "roles": {"data-admins": "admin"}, "default_role": "reader"}]}
 *
 * A thread fetches the keys at once and every refresh_seconds, after a failure sooner; also when a
 * token does not fit the keys there are, but not more often than every OIDC_MISS_S. Until the first
 * fetch succeeds the issuer's tokens are refused. The keys of before stay when a fetch fails. */
#ifndef QUARRY_SERVICE_OIDC_H
#define QUARRY_SERVICE_OIDC_H

#include "auth/verifier.h"
#include "base/log.h"

enum {
    OIDC_CONFIG_MAX = 1 << 20,
    OIDC_JWKS_MAX = 1 << 20,
    OIDC_TIMEOUT_MS = 5000,
    OIDC_RETRY_S = 30, /* after a failure */
    OIDC_MISS_S = 5,
    OIDC_ROLES_MAX = 256,
};

struct oidc;

/* `path` "" : none, *ret NULL. The verifier (borrowed) must check nothing after oidc_close.
 * STATUS_INVALID_ARGUMENT names the file and what is wrong in it. */
enum status oidc_open(struct sys *sys, const char *path, struct verifier *verifier,
                      const struct log *log, struct oidc **ret, struct error *err);
void oidc_close(struct oidc *oidc); /* NULL is fine */

#endif
