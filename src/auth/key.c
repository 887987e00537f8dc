/* key.c: keys from bytes and PEM, signing and checking, over OpenSSL's EVP. */
#include "auth/key_int.h"

#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "auth/base64url.h"

enum { ES256_HALF = 32, ES256_DER_MAX = 80 };

static const char *const ALG_NAMES[] = {"HS256", "RS256", "ES256", "EdDSA"};

const char *auth_alg_name(enum auth_alg alg)
{
    return ALG_NAMES[alg];
}

bool auth_alg_parse(struct str name, enum auth_alg *ret)
{
    for (unsigned i = 0; i < sizeof ALG_NAMES / sizeof *ALG_NAMES; i++)
        if (str_is(name, ALG_NAMES[i])) {
            *ret = (enum auth_alg)i;
            return true;
        }
    return false;
}

/* --- making --- */

static enum status set_kid(struct auth_key *key, struct str kid, struct error *err)
{
    if (kid.len == 0 || kid.len > AUTH_KID_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "The name of a key (kid) has %zu bytes; 1 to %d are allowed.", kid.len,
                         AUTH_KID_MAX);
    memcpy(key->kid, kid.data, kid.len);
    key->kid_len = kid.len;
    return STATUS_OK;
}

static struct auth_key *key_new(enum auth_alg alg)
{
    struct auth_key *key = calloc(1, sizeof *key);
    if (key) {
        atomic_init(&key->refs, 1);
        key->alg = alg;
    }
    return key;
}

enum status auth_key_from_secret(struct slice secret, struct str kid, struct auth_key **ret,
                                 struct error *err)
{
    if (secret.len < AUTH_SECRET_MIN || secret.len > AUTH_SECRET_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "The secret for HS256 has %zu bytes; %d to %d are needed. Make one with: "
                         "openssl rand -base64 48",
                         secret.len, AUTH_SECRET_MIN, AUTH_SECRET_MAX);
    struct auth_key *key = key_new(AUTH_HS256);
    if (!key)
        return error_no_memory(err);
    enum status status = set_kid(key, kid.data ? kid : STR("default"), err);
    if (status != STATUS_OK) {
        auth_key_unref(key);
        return status;
    }
    memcpy(key->secret, secret.data, secret.len);
    key->secret_len = secret.len;
    key->has_private = true;
    *ret = key;
    return STATUS_OK;
}

static enum status alg_of(const EVP_PKEY *pkey, enum auth_alg *ret, struct error *err)
{
    char group[32] = "";
    switch (EVP_PKEY_get_base_id(pkey)) {
    case EVP_PKEY_RSA:
        *ret = AUTH_RS256;
        if (EVP_PKEY_get_bits(pkey) < AUTH_RSA_BITS_MIN ||
            EVP_PKEY_get_bits(pkey) > AUTH_RSA_BITS_MAX)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "The RSA key has %d bits; %d to %d are allowed.",
                             EVP_PKEY_get_bits(pkey), AUTH_RSA_BITS_MIN, AUTH_RSA_BITS_MAX);
        return STATUS_OK;
    case EVP_PKEY_EC:
        *ret = AUTH_ES256;
        if (EVP_PKEY_get_group_name(pkey, group, sizeof group, NULL) != 1 ||
            strcmp(group, "prime256v1") != 0)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "The key's curve is %s; only P-256 (prime256v1) is taken.", group);
        return STATUS_OK;
    case EVP_PKEY_ED25519:
        *ret = AUTH_EDDSA;
        return STATUS_OK;
    default:
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "The key is neither RSA, nor P-256, nor Ed25519.");
    }
}

/* RFC 7638: SHA-256 over the public members in order, base64url. */
static enum status set_thumbprint(struct auth_key *key, struct error *err)
{
    struct buf text, kid;
    struct json_writer w;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    buf_init(&text, AUTH_PEM_MAX);
    buf_init(&kid, AUTH_KID_MAX);
    json_writer_init(&w, &text);
    json_begin_object(&w);
    auth_key_write_members(key, &w);
    json_end_object(&w);
    enum status status = buf_check(&text, "A key", err);
    if (status == STATUS_OK) {
        SHA256((const uint8_t *)text.data, text.len, digest);
        base64url_encode(&kid, (struct slice){digest, sizeof digest});
        status = buf_check(&kid, "A key's name", err);
    }
    if (status == STATUS_OK)
        status = set_kid(key, buf_str(&kid), err);
    buf_release(&text);
    buf_release(&kid);
    return status;
}

enum status auth_key_from_pkey(EVP_PKEY *pkey, bool has_private, struct str kid,
                               struct auth_key **ret, struct error *err)
{
    struct auth_key *key = key_new(AUTH_HS256);
    if (!key) {
        EVP_PKEY_free(pkey);
        return error_no_memory(err);
    }
    key->pkey = pkey;
    key->has_private = has_private;
    enum status status = alg_of(pkey, &key->alg, err);
    if (status == STATUS_OK)
        status = kid.data ? set_kid(key, kid, err) : set_thumbprint(key, err);
    if (status != STATUS_OK) {
        auth_key_unref(key);
        return status;
    }
    *ret = key;
    return STATUS_OK;
}

enum status auth_key_from_pem(struct str pem, struct str kid, struct auth_key **ret,
                              struct error *err)
{
    if (pem.len == 0 || pem.len > AUTH_PEM_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "A key file of %zu bytes; 1 to %d are allowed.", pem.len, AUTH_PEM_MAX);
    bool has_private = true;
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    char no_password[1] = "";
    EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, no_password) : NULL;
    if (bio && !pkey) {
        has_private = false;
        BIO_free(bio);
        bio = BIO_new_mem_buf(pem.data, (int)pem.len);
        pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    }
    BIO_free(bio);
    if (!pkey)
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "The key file holds no PEM key that can be read without a password.");
    return auth_key_from_pkey(pkey, has_private, kid, ret, err);
}

struct auth_key *auth_key_ref(struct auth_key *key)
{
    atomic_fetch_add_explicit(&key->refs, 1, memory_order_relaxed);
    return key;
}

void auth_key_unref(struct auth_key *key)
{
    if (!key || atomic_fetch_sub_explicit(&key->refs, 1, memory_order_acq_rel) != 1)
        return;
    EVP_PKEY_free(key->pkey);
    OPENSSL_cleanse(key, sizeof *key);
    free(key);
}

enum auth_alg auth_key_alg(const struct auth_key *key)
{
    return key->alg;
}

struct str auth_key_kid(const struct auth_key *key)
{
    return str_make(key->kid, key->kid_len);
}

bool auth_key_can_sign(const struct auth_key *key)
{
    return key->has_private;
}

/* --- signing --- */

static void hmac(const struct auth_key *key, struct str text, uint8_t out[SHA256_DIGEST_LENGTH])
{
    unsigned len = SHA256_DIGEST_LENGTH;
    HMAC(EVP_sha256(), key->secret, (int)key->secret_len, (const uint8_t *)text.data, text.len, out,
         &len);
}

static const EVP_MD *digest_of(const struct auth_key *key)
{
    return key->alg == AUTH_EDDSA ? NULL : EVP_sha256();
}

/* DER to the fixed form of RFC 7518 3.4. */
static bool from_der(uint8_t *signature, size_t *len)
{
    const uint8_t *at = signature;
    ECDSA_SIG *parts = d2i_ECDSA_SIG(NULL, &at, (long)*len);
    bool ok =
        parts && BN_bn2binpad(ECDSA_SIG_get0_r(parts), signature, ES256_HALF) == ES256_HALF &&
        BN_bn2binpad(ECDSA_SIG_get0_s(parts), signature + ES256_HALF, ES256_HALF) == ES256_HALF;
    ECDSA_SIG_free(parts);
    *len = (size_t)2 * ES256_HALF;
    return ok;
}

enum status auth_key_sign(const struct auth_key *key, struct str text,
                          uint8_t out[AUTH_SIGNATURE_MAX], size_t *ret_len, struct error *err)
{
    if (!key->has_private)
        return error_set(err, STATUS_INVALID_ARGUMENT, "Key '%s' is public and cannot sign.",
                         key->kid);
    if (key->alg == AUTH_HS256) {
        hmac(key, text, out);
        *ret_len = SHA256_DIGEST_LENGTH;
        return STATUS_OK;
    }
    *ret_len = AUTH_SIGNATURE_MAX;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context && EVP_DigestSignInit(context, NULL, digest_of(key), NULL, key->pkey) == 1 &&
              EVP_DigestSign(context, out, ret_len, (const uint8_t *)text.data, text.len) == 1 &&
              (key->alg != AUTH_ES256 || from_der(out, ret_len));
    EVP_MD_CTX_free(context);
    return ok ? STATUS_OK
              : error_set(err, STATUS_INTERNAL, "The token could not be signed with key '%s'.",
                          key->kid);
}

/* --- checking --- */

static bool to_der(struct slice signature, uint8_t out[ES256_DER_MAX], size_t *ret_len)
{
    if (signature.len != (size_t)2 * ES256_HALF)
        return false;
    const uint8_t *bytes = signature.data;
    ECDSA_SIG *parts = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes, ES256_HALF, NULL);
    BIGNUM *s = BN_bin2bn(bytes + ES256_HALF, ES256_HALF, NULL);
    bool ok = parts && r && s && ECDSA_SIG_set0(parts, r, s) == 1;
    if (!ok) {
        BN_free(r);
        BN_free(s);
    } else {
        int len = i2d_ECDSA_SIG(parts, &out);
        ok = len > 0;
        *ret_len = ok ? (size_t)len : 0;
    }
    ECDSA_SIG_free(parts);
    return ok;
}

bool auth_key_check(const struct auth_key *key, struct str text, struct slice signature)
{
    uint8_t der[ES256_DER_MAX];
    if (key->alg == AUTH_HS256) {
        uint8_t wanted[SHA256_DIGEST_LENGTH];
        hmac(key, text, wanted);
        return signature.len == sizeof wanted &&
               CRYPTO_memcmp(wanted, signature.data, sizeof wanted) == 0;
    }
    if (key->alg == AUTH_ES256) {
        size_t len = 0;
        if (!to_der(signature, der, &len))
            return false;
        signature = (struct slice){der, len};
    }
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool ok = context &&
              EVP_DigestVerifyInit(context, NULL, digest_of(key), NULL, key->pkey) == 1 &&
              EVP_DigestVerify(context, signature.data, signature.len, (const uint8_t *)text.data,
                               text.len) == 1;
    EVP_MD_CTX_free(context);
    return ok;
}
