#include "auth/secret.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "auth/base64url.h"

void secret_make(struct sys *sys, const char *prefix, char out[SECRET_TEXT_MAX])
{
    uint8_t bytes[SECRET_BYTES];
    size_t prefix_len = strlen(prefix);
    assert(prefix_len <= 16);
    struct buf text = {.data = out, .cap = SECRET_TEXT_MAX, .max = SECRET_TEXT_MAX};
    sys_random(sys, bytes, sizeof bytes);
    buf_append(&text, prefix, prefix_len);
    base64url_encode(&text, (struct slice){bytes, sizeof bytes});
    out[text.len] = '\0';
    OPENSSL_cleanse(bytes, sizeof bytes);
}

void secret_hash(struct str secret, char out[SECRET_HASH_TEXT])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256((const uint8_t *)secret.data, secret.len, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

bool secret_equal(struct str a, struct str b)
{
    return a.len == b.len && CRYPTO_memcmp(a.data, b.data, a.len) == 0;
}
