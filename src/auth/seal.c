#include "auth/seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "auth/base64url.h"

#define VERSION "v1."
enum { NONCE = 12, TAG = 16, EXTRA = NONCE + TAG, FILE_TRIES = 100, FILE_WAIT_US = 10000 };

/* --- the key's file --- */

static enum status make_key(struct sys *sys, const char *path, struct error *err)
{
    uint8_t random[SEAL_KEY_BYTES];
    struct sys_file *file = NULL;
    enum status status =
        sys_open(sys, path, SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE | SYS_PRIVATE, &file, err);
    if (status == STATUS_CONFLICT)
        return STATUS_OK; /* it is there */
    TRY(status);
    sys_random(sys, random, sizeof random);
    status = sys_pwrite(sys, file, random, sizeof random, 0, err);
    if (status == STATUS_OK)
        status = sys_sync(sys, file, err);
    sys_close(sys, file);
    if (status != STATUS_OK)
        (void)sys_unlink(sys, path, NULL);
    OPENSSL_cleanse(random, sizeof random);
    return status;
}

/* Whoever is first makes the file; a reader that finds it short waits for the maker. */
static enum status read_key(struct sys *sys, const char *path, struct seal_key *ret,
                            struct error *err)
{
    struct buf bytes;
    buf_init(&bytes, SEAL_KEY_BYTES + 1);
    enum status status = sys_read_file(sys, path, &bytes, err);
    for (int i = 0; status == STATUS_OK && bytes.len < SEAL_KEY_BYTES && i < FILE_TRIES; i++) {
        sys_sleep_us(sys, FILE_WAIT_US);
        buf_clear(&bytes);
        status = sys_read_file(sys, path, &bytes, err);
    }
    if (status == STATUS_OK && bytes.len != SEAL_KEY_BYTES)
        status = error_set(err, STATUS_CORRUPT,
                           "%s does not hold a key of %d bytes; bring it back from a backup, "
                           "without it the encrypted settings are lost",
                           path, SEAL_KEY_BYTES);
    if (status == STATUS_OK)
        memcpy(ret->bytes, bytes.data, SEAL_KEY_BYTES);
    if (bytes.data)
        OPENSSL_cleanse(bytes.data, bytes.len);
    buf_release(&bytes);
    return status;
}

enum status seal_key_load(struct sys *sys, const char *folder, const char *name,
                          struct seal_key *ret, struct error *err)
{
    char path[SYS_PATH_MAX];
    TRY(sys_mkdirs(sys, folder, err));
    TRY(sys_path(path, err, "%s/%s", folder, name));
    TRY(make_key(sys, path, err));
    TRY(sys_sync_dir(sys, folder, err));
    return read_key(sys, path, ret, err);
}

void seal_key_forget(struct seal_key *key)
{
    OPENSSL_cleanse(key->bytes, sizeof key->bytes);
}

/* --- sealing --- */

/* `out`: nonce (given), then room for ciphertext and tag. */
static bool encrypt(const struct seal_key *key, struct str context, struct str text, uint8_t *out)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int len = 0, last = 0;
    bool done =
        cipher && EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->bytes, out) == 1 &&
        EVP_EncryptUpdate(cipher, NULL, &len, (const uint8_t *)context.data, (int)context.len) ==
            1 &&
        EVP_EncryptUpdate(cipher, out + NONCE, &len, (const uint8_t *)text.data, (int)text.len) ==
            1 &&
        EVP_EncryptFinal_ex(cipher, out + NONCE + len, &last) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, TAG, out + NONCE + text.len) == 1;
    EVP_CIPHER_CTX_free(cipher);
    return done;
}

enum status seal(struct sys *sys, const struct seal_key *key, struct str context, struct str text,
                 struct arena *arena, struct str *ret, struct error *err)
{
    uint8_t out[SEAL_TEXT_MAX + EXTRA];
    struct buf buf;
    if (text.len > SEAL_TEXT_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "an encrypted text has at most %d bytes, this one %zu", SEAL_TEXT_MAX,
                         text.len);
    sys_random(sys, out, NONCE);
    if (!encrypt(key, context, text, out))
        return error_set(err, STATUS_INTERNAL, "AES-256-GCM is not to be had of OpenSSL");
    buf_init(&buf, sizeof VERSION + BASE64URL_TEXT(sizeof out));
    buf_append_str(&buf, STR(VERSION));
    base64url_encode(&buf, (struct slice){out, text.len + EXTRA});
    enum status status = buf_check(&buf, "a sealed text", err);
    if (status == STATUS_OK) {
        *ret = arena_str(arena, buf_str(&buf));
        status = ret->data ? STATUS_OK : error_no_memory(err);
    }
    buf_release(&buf);
    return status;
}

static bool decrypt(const struct seal_key *key, struct str context, const uint8_t *in, size_t len,
                    uint8_t *out)
{
    EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
    int some = 0, last = 0, text_len = (int)(len - EXTRA);
    uint8_t tag[TAG];
    memcpy(tag, in + len - TAG, TAG);
    bool done =
        cipher && EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->bytes, in) == 1 &&
        EVP_DecryptUpdate(cipher, NULL, &some, (const uint8_t *)context.data, (int)context.len) ==
            1 &&
        EVP_DecryptUpdate(cipher, out, &some, in + NONCE, text_len) == 1 &&
        EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
        EVP_DecryptFinal_ex(cipher, out + some, &last) == 1;
    EVP_CIPHER_CTX_free(cipher);
    return done;
}

enum status seal_open(const struct seal_key *key, struct str context, struct str sealed,
                      struct arena *arena, struct str *ret, struct error *err)
{
    struct str body = STR_NONE;
    size_t len = 0;
    if (str_starts(sealed, STR(VERSION)))
        body = str_make(sealed.data + strlen(VERSION), sealed.len - strlen(VERSION));
    uint8_t *in = arena_alloc(arena, BASE64URL_BYTES_MAX(body.len));
    char *out = arena_alloc(arena, body.len + 1);
    if (!in || !out)
        return error_no_memory(err);
    if (!base64url_decode(body, in, &len) || len < EXTRA || len > SEAL_TEXT_MAX + EXTRA ||
        !decrypt(key, context, in, len, (uint8_t *)out))
        return error_set(err, STATUS_CORRUPT,
                         "the sealed text does not open: it was altered, or the key is another");
    out[len - EXTRA] = '\0';
    *ret = str_make(out, len - EXTRA);
    return STATUS_OK;
}
