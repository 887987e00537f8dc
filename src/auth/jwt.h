/* jwt.h: JSON Web Tokens: compact JWS (RFC 7515) around claims (RFC 7519), with the advice of
 * RFC 8725.
 *
 * A token is believed when it has three strict base64url parts, its header is a JSON object whose
 * "alg" is the one of the key that "kid" names, nothing critical ("crit") is unknown, the signature
 * fits, and the claims hold: exp in the future, nbf and iat not in it (within the skew), issuer and
 * audience as expected, a subject and a token id. "jku", "jwk", "x5u", "x5c" of a header are never
 * looked at.
 *
 * Threads: all functions are pure. */
#ifndef QUARRY_AUTH_JWT_H
#define QUARRY_AUTH_JWT_H

#include "auth/keyring.h"
#include "base/arena.h"

enum {
    JWT_BYTES_MAX = 8192,
    JWT_ROLES_MAX = 64,
    JWT_NAME_MAX = 200, /* bytes of sub, jti, tenant, iss, aud, a role */
};

enum token_use { TOKEN_ACCESS, TOKEN_REFRESH };

/* Texts are borrowed on the way in and from the arena on the way out. Times: seconds since 1970. */
struct claims {
    struct str subject;  /* user id */
    struct str username; /* may be NULL */
    struct str tenant;   /* NULL when a foreign issuer does not say */
    struct str id;       /* jti */
    struct str issuer, audience;
    int64_t issued_s, not_before_s, expires_s;
    enum token_use use;
    const struct str *roles;
    uint32_t roles_len;
    struct str family; /* of refresh tokens: the login they descend from */
};

struct jwt_rules {
    struct str issuer, audience; /* expected; data NULL: not checked */
    int64_t skew_s;              /* of clocks */
    bool foreign;                /* of another issuer: "jti", "tenant", "use" may be missing */
    bool mapped;                 /* what is not registered (RFC 7519 4.1) is outside.h's to read */
};

/* Signs with the first key of the ring. */
enum status jwt_sign(const struct keyring *ring, const struct claims *claims, struct buf *ret_token,
                     struct error *err);
/* All failures are STATUS_UNAUTHENTICATED with a message that says which check failed, except
 * STATUS_NO_MEMORY. `ret` lives in `arena`. */
enum status jwt_verify(const struct keyring *ring, const struct jwt_rules *rules, struct str token,
                       int64_t now_s, struct arena *arena, struct claims *ret, struct error *err);
/* Its two halves: the signature, with the payload's bytes into `arena` ... */
enum status jws_verify(const struct keyring *ring, struct str token, struct arena *arena,
                       struct str *ret_payload, struct error *err);
/* ... and the claims of a payload that is believed. */
enum status jwt_read_claims(struct str payload, const struct jwt_rules *rules, int64_t now_s,
                            struct arena *arena, struct claims *ret, struct error *err);
/* The payload of a token whose signature was checked before. */
enum status jws_payload(struct str token, struct arena *arena, struct str *ret_payload,
                        struct error *err);

#endif
