/* key_jwk.c: JSON Web Keys (RFC 7517, 7518 section 6, 8037) in and out. */
#include <assert.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/param_build.h>

#include "auth/base64url.h"
#include "auth/key_int.h"

enum { MEMBER_BYTES_MAX = AUTH_RSA_BITS_MAX / 8 + 1, COORDINATE = 32, POINT = 1 + 2 * COORDINATE };

struct member {
    uint8_t bytes[BASE64URL_BYTES_MAX(BASE64URL_TEXT(MEMBER_BYTES_MAX))];
    size_t len;
};

static enum status bad(struct error *err, const char *what)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "The JSON Web Key %s.", what);
}

static enum status read_member(yyjson_val *jwk, const char *name, struct member *ret,
                               struct error *err)
{
    yyjson_val *value = json_get(jwk, name);
    struct str text = yyjson_is_str(value) ? json_str_of(value) : STR_NONE;
    if (text.len == 0 || text.len > BASE64URL_TEXT(MEMBER_BYTES_MAX) ||
        !base64url_decode(text, ret->bytes, &ret->len))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "The JSON Web Key's member \"%s\" is not base64url of 1 to %d bytes.",
                         name, MEMBER_BYTES_MAX);
    return STATUS_OK;
}

/* --- in --- */

static EVP_PKEY *from_params(const char *type, OSSL_PARAM_BLD *builder)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = params ? EVP_PKEY_CTX_new_from_name(NULL, type, NULL) : NULL;
    if (context && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return pkey;
}

static enum status read_rsa(yyjson_val *jwk, EVP_PKEY **ret, struct error *err)
{
    struct member n, e;
    TRY(read_member(jwk, "n", &n, err));
    TRY(read_member(jwk, "e", &e, err));
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(n.bytes, (int)n.len, NULL);
    BIGNUM *exponent = BN_bin2bn(e.bytes, (int)e.len, NULL);
    if (builder && modulus && exponent && BN_is_odd(exponent) && BN_num_bits(exponent) <= 64 &&
        !BN_is_one(exponent) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        *ret = from_params("RSA", builder);
    OSSL_PARAM_BLD_free(builder);
    BN_free(modulus);
    BN_free(exponent);
    return *ret ? STATUS_OK : bad(err, "is no RSA key");
}

static enum status read_ec(yyjson_val *jwk, EVP_PKEY **ret, struct error *err)
{
    struct member x, y;
    uint8_t point[POINT] = {4}; /* uncompressed */
    if (!str_is(json_str_of(json_get(jwk, "crv")), "P-256"))
        return bad(err, "is on another curve than P-256");
    TRY(read_member(jwk, "x", &x, err));
    TRY(read_member(jwk, "y", &y, err));
    if (x.len != COORDINATE || y.len != COORDINATE)
        return bad(err, "has coordinates that are not 32 bytes long");
    memcpy(point + 1, x.bytes, COORDINATE);
    memcpy(point + 1 + COORDINATE, y.bytes, COORDINATE);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, POINT) == 1)
        *ret = from_params("EC", builder); /* refuses points off the curve */
    OSSL_PARAM_BLD_free(builder);
    return *ret ? STATUS_OK : bad(err, "is no point of P-256");
}

static enum status read_okp(yyjson_val *jwk, EVP_PKEY **ret, struct error *err)
{
    struct member x;
    if (!str_is(json_str_of(json_get(jwk, "crv")), "Ed25519"))
        return bad(err, "is on another curve than Ed25519");
    TRY(read_member(jwk, "x", &x, err));
    *ret = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x.bytes, x.len);
    return *ret ? STATUS_OK : bad(err, "is no Ed25519 key");
}

/* "use" and "key_ops" must allow checking signatures, "alg" must be the type's. */
static enum status check_purpose(yyjson_val *jwk, enum auth_alg alg, struct error *err)
{
    yyjson_val *use = json_get(jwk, "use"), *ops = json_get(jwk, "key_ops");
    yyjson_val *name = json_get(jwk, "alg");
    if (use && !(yyjson_is_str(use) && str_is(json_str_of(use), "sig")))
        return bad(err, "is not for signatures (\"use\")");
    if (ops) {
        bool found = false;
        size_t i, len;
        yyjson_val *op;
        yyjson_arr_foreach(ops, i, len, op) found |= str_is(json_str_of(op), "verify");
        if (!found)
            return bad(err, "may not check signatures (\"key_ops\")");
    }
    if (name && !(yyjson_is_str(name) && str_is(json_str_of(name), auth_alg_name(alg))))
        return bad(err, "names an algorithm that is not the one of its type");
    return STATUS_OK;
}

static enum status read_secret(yyjson_val *jwk, struct str kid, struct auth_key **ret,
                               struct error *err)
{
    struct member k;
    TRY(check_purpose(jwk, AUTH_HS256, err));
    TRY(read_member(jwk, "k", &k, err));
    enum status status = auth_key_from_secret((struct slice){k.bytes, k.len}, kid, ret, err);
    OPENSSL_cleanse(&k, sizeof k);
    return status;
}

enum status auth_key_from_jwk(yyjson_val *jwk, bool allow_secret, struct auth_key **ret,
                              struct error *err)
{
    static const struct {
        const char *kty;
        enum auth_alg alg;
        enum status (*read)(yyjson_val *jwk, EVP_PKEY **ret, struct error *err);
    } TYPES[] = {
        {"RSA", AUTH_RS256, read_rsa}, {"EC", AUTH_ES256, read_ec}, {"OKP", AUTH_EDDSA, read_okp}};
    yyjson_val *name = json_get(jwk, "kid");
    struct str kty = json_str_of(json_get(jwk, "kty"));
    struct str kid = yyjson_is_str(name) ? json_str_of(name) : STR_NONE;
    if (name && !yyjson_is_str(name))
        return bad(err, "has a \"kid\" that is not a string");
    if (str_is(kty, "oct"))
        return allow_secret ? read_secret(jwk, kid, ret, err)
                            : bad(err, "is a secret (\"kty\":\"oct\"), not a public key");
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++)
        if (str_is(kty, TYPES[i].kty)) {
            EVP_PKEY *pkey = NULL;
            TRY(check_purpose(jwk, TYPES[i].alg, err));
            TRY(TYPES[i].read(jwk, &pkey, err));
            return auth_key_from_pkey(pkey, false, kid, ret, err);
        }
    return bad(err, "is of none of the types RSA, EC, OKP");
}

/* --- out --- */

static void write_bytes(struct json_writer *w, const char *name, struct slice bytes)
{
    struct buf text;
    buf_init(&text, BASE64URL_TEXT(MEMBER_BYTES_MAX));
    if (base64url_encode(&text, bytes))
        json_kv_str(w, name, buf_str(&text));
    else
        w->buf->failed = true;
    buf_release(&text);
}

static void write_number(const struct auth_key *key, const char *param, const char *name,
                         struct json_writer *w)
{
    uint8_t bytes[MEMBER_BYTES_MAX];
    BIGNUM *number = NULL;
    if (EVP_PKEY_get_bn_param(key->pkey, param, &number) != 1 ||
        BN_num_bytes(number) > MEMBER_BYTES_MAX) {
        w->buf->failed = true;
    } else {
        int len = key->alg == AUTH_ES256 ? BN_bn2binpad(number, bytes, COORDINATE)
                                         : BN_bn2bin(number, bytes);
        write_bytes(w, name, (struct slice){bytes, len > 0 ? (size_t)len : 0});
    }
    BN_free(number);
}

static void write_raw(const struct auth_key *key, struct json_writer *w)
{
    uint8_t bytes[COORDINATE];
    size_t len = sizeof bytes;
    if (EVP_PKEY_get_raw_public_key(key->pkey, bytes, &len) != 1)
        w->buf->failed = true;
    else
        write_bytes(w, "x", (struct slice){bytes, len});
}

void auth_key_write_members(const struct auth_key *key, struct json_writer *w)
{
    assert(key->alg != AUTH_HS256);
    if (key->alg == AUTH_RS256) {
        write_number(key, OSSL_PKEY_PARAM_RSA_E, "e", w);
        json_kv_strz(w, "kty", "RSA");
        write_number(key, OSSL_PKEY_PARAM_RSA_N, "n", w);
    } else if (key->alg == AUTH_ES256) {
        json_kv_strz(w, "crv", "P-256");
        json_kv_strz(w, "kty", "EC");
        write_number(key, OSSL_PKEY_PARAM_EC_PUB_X, "x", w);
        write_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, "y", w);
    } else {
        json_kv_strz(w, "crv", "Ed25519");
        json_kv_strz(w, "kty", "OKP");
        write_raw(key, w);
    }
}

void auth_key_write_jwk(const struct auth_key *key, struct json_writer *w)
{
    json_begin_object(w);
    auth_key_write_members(key, w);
    json_kv_strz(w, "alg", auth_alg_name(key->alg));
    json_kv_strz(w, "use", "sig");
    json_kv_str(w, "kid", auth_key_kid(key));
    json_end_object(w);
}
