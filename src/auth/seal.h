/* seal.h: texts that are stored encrypted: AES-256-GCM, a fresh nonce each time.
 *
 * A sealed text is "v1." and the base64url of nonce (12 bytes), ciphertext, tag (16 bytes). It
 * opens only with the same key and the same context (tenant, name of the setting, ...), so that one
 * cannot be put in another's place. */
#ifndef QUARRY_AUTH_SEAL_H
#define QUARRY_AUTH_SEAL_H

#include "base/arena.h"
#include "sys/sys.h"

enum {
    SEAL_KEY_BYTES = 32,
    SEAL_TEXT_MAX = 3000, /* bytes of a text; sealed it has at most 4096 */
};

struct seal_key {
    uint8_t bytes[SEAL_KEY_BYTES];
};

/* From the file FOLDER/NAME; made with mode 0600 when there is none. */
enum status seal_key_load(struct sys *sys, const char *folder, const char *name,
                          struct seal_key *ret, struct error *err);
/* Overwrites the key. */
void seal_key_forget(struct seal_key *key);
enum status seal(struct sys *sys, const struct seal_key *key, struct str context, struct str text,
                 struct arena *arena, struct str *ret, struct error *err);
/* STATUS_CORRUPT when it is not what seal made with this key and context. */
enum status seal_open(const struct seal_key *key, struct str context, struct str sealed,
                      struct arena *arena, struct str *ret, struct error *err);

#endif
