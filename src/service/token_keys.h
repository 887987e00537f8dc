/* token_keys.h: where the keys of tokens come from.
 *
 *   JWT_KEY_FILES  PEM files, comma-separated: the first (private) signs, all check
 *   JWT_SECRET     else: the HS256 secret itself, at least 32 bytes
 *   <folder>/jwt.secret  else: 48 random bytes as base64url, made at the first start, mode 0600
 *
 * The sample secrets of the documents that Quarry replaces are refused. */
#ifndef QUARRY_SERVICE_TOKEN_KEYS_H
#define QUARRY_SERVICE_TOKEN_KEYS_H

#include "auth/keyring.h"
#include "sys/sys.h"

struct token_key_options {
    struct sys *sys;
    const char *folder;    /* made when missing */
    const char *secret;    /* JWT_SECRET or "" */
    const char *key_files; /* JWT_KEY_FILES or "" */
};

/* STATUS_INVALID_ARGUMENT names the setting or the file. */
enum status token_keys_load(const struct token_key_options *options, struct keyring *ret,
                            struct error *err);

#endif
