#ifndef QUARRY_AUTH_KEY_INT_H
#define QUARRY_AUTH_KEY_INT_H

#include <openssl/evp.h>

#include "auth/key.h"

struct auth_key {
    _Atomic uint32_t refs;
    enum auth_alg alg;
    char kid[AUTH_KID_MAX + 1];
    size_t kid_len;
    EVP_PKEY *pkey; /* NULL for HS256 */
    bool has_private;
    uint8_t secret[AUTH_SECRET_MAX];
    size_t secret_len;
};

/* key.c: takes `pkey` over, also on failure. */
enum status auth_key_from_pkey(EVP_PKEY *pkey, bool has_private, struct str kid,
                               struct auth_key **ret, struct error *err);

/* key_jwk.c: a key's public members into the begun object, in the order of RFC 7638. */
void auth_key_write_members(const struct auth_key *key, struct json_writer *w);

#endif
