/* keyring.h: the keys by which tokens are signed and checked.
 *
 * The first key signs; all of them check, so that a new key can be put before the old one and the
 * old one stays until its last token has expired (rotation with overlap). Names (kid) are unique.
 *
 * Threads: immutable once shared; build it, then share it. */
#ifndef QUARRY_AUTH_KEYRING_H
#define QUARRY_AUTH_KEYRING_H

#include "auth/key.h"

enum { KEYRING_KEYS_MAX = 64 };

struct keyring {
    struct auth_key *keys[KEYRING_KEYS_MAX];
    uint32_t len;
};

void keyring_release(struct keyring *ring);
/* Takes the reference over, also on failure. STATUS_CONFLICT: the name is taken;
 * STATUS_RESOURCE_LIMIT. */
enum status keyring_add(struct keyring *ring, struct auth_key *key, struct error *err);
/* Adds the keys of a JWK Set (RFC 7517 section 5). Keys of types and uses that are not for us are
 * passed over, as the RFC wants; a set without any key for us is STATUS_INVALID_ARGUMENT. */
enum status keyring_add_jwks(struct keyring *ring, yyjson_val *set, struct error *err);
/* NULL when there is none. `kid` data NULL: the only key, if there is only one. */
const struct auth_key *keyring_find(const struct keyring *ring, struct str kid);
/* {"keys":[...]}: the public parts; HS256 keys are left out. */
void keyring_write_jwks(const struct keyring *ring, struct json_writer *w);

#endif
