#include "auth/password.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/utf8.h"

enum { SALT_BYTES = 16 };

enum status password_check_rules(struct str password, struct error *err)
{
    if (password.len < PASSWORD_BYTES_MIN || password.len > PASSWORD_BYTES_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "A password has %d to %d bytes; this one has %zu.", PASSWORD_BYTES_MIN,
                         PASSWORD_BYTES_MAX, password.len);
    if (memchr(password.data, 0, password.len) || !utf8_is_valid(password.data, password.len))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "A password is UTF-8 text without NUL characters.");
    return STATUS_OK;
}

/* What crypt_r makes of it; false when it refuses. The NUL-ended copy is wiped. */
static bool run(struct str password, const char *setting, char ret_hash[PASSWORD_HASH_MAX])
{
    char text[PASSWORD_BYTES_MAX + 1] = "";
    struct crypt_data *data = calloc(1, sizeof *data);
    if (!data || password.len > PASSWORD_BYTES_MAX) {
        free(data);
        return false;
    }
    memcpy(text, password.data, password.len);
    const char *hash = crypt_r(text, setting, data);
    bool ok = hash && hash[0] == '$' && strlen(hash) < PASSWORD_HASH_MAX;
    if (ok)
        strcpy(ret_hash, hash); // NOLINT: checked above
    OPENSSL_cleanse(text, sizeof text);
    OPENSSL_cleanse(data, sizeof *data);
    free(data);
    return ok;
}

enum status password_hash(struct sys *sys, struct str password, int cost,
                          char ret_hash[PASSWORD_HASH_MAX], struct error *err)
{
    char salt[SALT_BYTES], setting[PASSWORD_HASH_MAX];
    TRY(password_check_rules(password, err));
    if (cost < PASSWORD_COST_MIN || cost > PASSWORD_COST_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "BCRYPT_ROUNDS is %d; %d to %d are allowed.",
                         cost, PASSWORD_COST_MIN, PASSWORD_COST_MAX);
    sys_random(sys, salt, sizeof salt);
    if (!crypt_gensalt_rn("$2b$", (unsigned long)cost, salt, sizeof salt, setting,
                          sizeof setting) ||
        !run(password, setting, ret_hash))
        return error_set(err, STATUS_INTERNAL, "The password could not be hashed.");
    return STATUS_OK;
}

/* A setting of that cost which is the hash of no password: its last part is missing. */
static void nobody(int cost, char out[PASSWORD_HASH_MAX])
{
    static const char SALT[SALT_BYTES] = {0};
    int bounded = cost < PASSWORD_COST_MIN   ? PASSWORD_COST_MIN
                  : cost > PASSWORD_COST_MAX ? PASSWORD_COST_MAX
                                             : cost;
    crypt_gensalt_rn("$2b$", (unsigned long)bounded, SALT, sizeof SALT, out, PASSWORD_HASH_MAX);
}

bool password_matches(struct str password, struct str hash, int cost)
{
    char setting[PASSWORD_HASH_MAX] = "", found[PASSWORD_HASH_MAX] = "";
    bool known = hash.data && hash.len < sizeof setting;
    if (known)
        memcpy(setting, hash.data, hash.len);
    else
        nobody(cost, setting);
    if (!run(password, setting, found))
        return false;
    return known && strlen(found) == hash.len && CRYPTO_memcmp(found, setting, hash.len) == 0;
}
