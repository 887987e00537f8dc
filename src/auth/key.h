/* key.h: one key that signs or checks tokens, bound to one algorithm for its whole life.
 *
 * The algorithm comes with the key and never from a token (RFC 8725 section 3.1): a public RSA key
 * cannot be taken for an HMAC secret. Algorithms: HS256 (RFC 7518 3.2), RS256 (3.3), ES256 (3.4),
 * EdDSA with Ed25519 (RFC 8037). Keys come from PEM files, from JSON Web Keys (RFC 7517) and, for
 * HS256, from bytes. Without a name given, an asymmetric key is named by its thumbprint (RFC 7638).
 *
 * Threads: immutable once made; any thread. */
#ifndef QUARRY_AUTH_KEY_H
#define QUARRY_AUTH_KEY_H

#include "base/json.h"

enum {
    AUTH_KID_MAX = 128,
    AUTH_SECRET_MIN = 32,  /* bytes, RFC 7518 3.2 */
    AUTH_SECRET_MAX = 512, /* bytes */
    AUTH_RSA_BITS_MIN = 2048,
    AUTH_RSA_BITS_MAX = 8192, /* larger ones only burn time */
    AUTH_SIGNATURE_MAX = AUTH_RSA_BITS_MAX / 8,
    AUTH_PEM_MAX = 64 << 10,
};

enum auth_alg { AUTH_HS256, AUTH_RS256, AUTH_ES256, AUTH_EDDSA };
/* "HS256", "RS256", "ES256", "EdDSA" */
const char *auth_alg_name(enum auth_alg alg);
bool auth_alg_parse(struct str name, enum auth_alg *ret);

struct auth_key;

/* `kid` data NULL: "default". STATUS_INVALID_ARGUMENT when too short or long. */
enum status auth_key_from_secret(struct slice secret, struct str kid, struct auth_key **ret,
                                 struct error *err);
/* A private key (can sign) or a public one; the algorithm follows from its type: RSA, P-256,
 * Ed25519. Other types and weak RSA keys are STATUS_INVALID_ARGUMENT. */
enum status auth_key_from_pem(struct str pem, struct str kid, struct auth_key **ret,
                              struct error *err);
/* One JWK object. Symmetric keys only with `allow_secret`: a published set must never hold one. A
 * private part is not taken in. */
enum status auth_key_from_jwk(yyjson_val *jwk, bool allow_secret, struct auth_key **ret,
                              struct error *err);
struct auth_key *auth_key_ref(struct auth_key *key);
void auth_key_unref(struct auth_key *key); /* NULL is fine; secrets are wiped */

enum auth_alg auth_key_alg(const struct auth_key *key);
struct str auth_key_kid(const struct auth_key *key);
bool auth_key_can_sign(const struct auth_key *key);
/* The public part as a JWK object; not for HS256 (asserts). */
void auth_key_write_jwk(const struct auth_key *key, struct json_writer *w);

/* Signature of `text` in JOSE form (ES256: r and s, 32 bytes each). STATUS_INVALID_ARGUMENT when
 * the key cannot sign. */
enum status auth_key_sign(const struct auth_key *key, struct str text,
                          uint8_t out[AUTH_SIGNATURE_MAX], size_t *ret_len, struct error *err);
/* Does the signature belong to the text? Takes the same time for all wrong HS256 signatures. */
bool auth_key_check(const struct auth_key *key, struct str text, struct slice signature);

#endif
