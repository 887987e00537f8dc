#include "service/token_keys.h"

#include <openssl/crypto.h>

#include "auth/base64url.h"

enum { SECRET_RANDOM = 48, FILE_TRIES = 100, FILE_WAIT_US = 10000 };

static const char *const SAMPLES[] = {"your-secret-key", "your-super-secret-key-here",
                                      "your-secret-key-change-in-production", "secret", "changeme"};

static enum status from_secret(const char *secret, struct keyring *ring, struct error *err)
{
    struct auth_key *key = NULL;
    for (size_t i = 0; i < sizeof SAMPLES / sizeof *SAMPLES; i++)
        if (strcmp(secret, SAMPLES[i]) == 0)
            return error_set(
                err, STATUS_INVALID_ARGUMENT,
                "JWT_SECRET is the sample of a manual, which everybody knows; leave it "
                "out and one is made.");
    if (auth_key_from_secret((struct slice){secret, strlen(secret)}, STR_NONE, &key, err) !=
        STATUS_OK)
        return error_wrap(err, "JWT_SECRET cannot be used");
    return keyring_add(ring, key, err);
}

/* --- files --- */

static enum status add_pem(struct sys *sys, struct str name, struct keyring *ring,
                           struct error *err)
{
    char path[SYS_PATH_MAX];
    struct auth_key *key = NULL;
    struct buf text;
    TRY(sys_path(path, err, "%.*s", STR_ARG(name)));
    buf_init(&text, AUTH_PEM_MAX);
    enum status status = sys_read_file(sys, path, &text, err);
    if (status == STATUS_OK)
        status = auth_key_from_pem(buf_str(&text), STR_NONE, &key, err);
    if (text.data)
        OPENSSL_cleanse(text.data, text.len);
    buf_release(&text);
    if (status != STATUS_OK)
        return error_wrap(err, "the key file %s of JWT_KEY_FILES cannot be used", path);
    return keyring_add(ring, key, err);
}

static enum status from_files(struct sys *sys, const char *list, struct keyring *ring,
                              struct error *err)
{
    struct str rest = str_of(list), name;
    while (str_split(&rest, ',', &name))
        if (str_trim(name).len > 0)
            TRY(add_pem(sys, str_trim(name), ring, err));
    if (ring->len == 0 || !auth_key_can_sign(ring->keys[0]))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "The first file of JWT_KEY_FILES must hold a private key.");
    return STATUS_OK;
}

/* --- the generated secret --- */

/* Whoever is first makes it; the file is whole before it has its name for good: a reader that finds
 * it short waits. */
static enum status make_secret(struct sys *sys, const char *path, struct error *err)
{
    uint8_t random[SECRET_RANDOM];
    struct sys_file *file = NULL;
    struct buf text;
    enum status status =
        sys_open(sys, path, SYS_WRITE | SYS_CREATE | SYS_EXCLUSIVE | SYS_PRIVATE, &file, err);
    if (status == STATUS_CONFLICT)
        return STATUS_OK;
    TRY(status);
    buf_init(&text, BASE64URL_TEXT(SECRET_RANDOM));
    sys_random(sys, random, sizeof random);
    base64url_encode(&text, (struct slice){random, sizeof random});
    status = buf_check(&text, "A secret", err);
    if (status == STATUS_OK)
        status = sys_pwrite(sys, file, text.data, text.len, 0, err);
    if (status == STATUS_OK)
        status = sys_sync(sys, file, err);
    sys_close(sys, file);
    if (status != STATUS_OK)
        (void)sys_unlink(sys, path, NULL);
    OPENSSL_cleanse(random, sizeof random);
    if (text.data)
        OPENSSL_cleanse(text.data, text.len);
    buf_release(&text);
    return status;
}

static enum status from_generated(struct sys *sys, const char *folder, struct keyring *ring,
                                  struct error *err)
{
    char path[SYS_PATH_MAX];
    struct auth_key *key = NULL;
    struct buf text;
    TRY(sys_mkdirs(sys, folder, err));
    TRY(sys_path(path, err, "%s/jwt.secret", folder));
    TRY(make_secret(sys, path, err));
    TRY(sys_sync_dir(sys, folder, err));
    buf_init(&text, AUTH_SECRET_MAX);
    enum status status = sys_read_file(sys, path, &text, err);
    for (int i = 0; status == STATUS_OK && text.len < BASE64URL_TEXT(SECRET_RANDOM); i++) {
        if (i == FILE_TRIES)
            status =
                error_set(err, STATUS_CORRUPT,
                          "%s is too short; remove it and a new one is made (all tokens become "
                          "void).",
                          path);
        sys_sleep_us(sys, FILE_WAIT_US);
        buf_clear(&text);
        if (status == STATUS_OK)
            status = sys_read_file(sys, path, &text, err);
    }
    if (status == STATUS_OK)
        status = auth_key_from_secret((struct slice){text.data, text.len}, STR_NONE, &key, err);
    if (status == STATUS_OK)
        status = keyring_add(ring, key, err);
    if (text.data)
        OPENSSL_cleanse(text.data, text.len);
    buf_release(&text);
    return status;
}

enum status token_keys_load(const struct token_key_options *options, struct keyring *ret,
                            struct error *err)
{
    *ret = (struct keyring){0};
    enum status status =
        options->key_files[0] ? from_files(options->sys, options->key_files, ret, err)
        : options->secret[0]  ? from_secret(options->secret, ret, err)
                              : from_generated(options->sys, options->folder, ret, err);
    if (status != STATUS_OK)
        keyring_release(ret);
    return status;
}
