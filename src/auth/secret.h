/* secret.h: random texts that grant access (API keys, invitations, generated passwords), and what
 * is stored of them. They hold 256 random bits, so a plain SHA-256 is enough to store. */
#ifndef QUARRY_AUTH_SECRET_H
#define QUARRY_AUTH_SECRET_H

#include "sys/sys.h"

enum {
    SECRET_BYTES = 32,
    SECRET_TEXT_MAX = 64, /* prefix of at most 16, 43 characters, NUL */
    SECRET_HASH_TEXT = 65 /* hex of SHA-256, NUL */
};

/* "<prefix><43 characters of base64url>" */
void secret_make(struct sys *sys, const char *prefix, char out[SECRET_TEXT_MAX]);
void secret_hash(struct str secret, char out[SECRET_HASH_TEXT]);
/* In a time that depends on the lengths only. */
bool secret_equal(struct str a, struct str b);

#endif
