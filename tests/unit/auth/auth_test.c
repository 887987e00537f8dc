/* Tokens, keys, passwords, secrets, limits: made and believed, forged and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "auth/base64url.h"
#include "auth/lockout.h"
#include "auth/password.h"
#include "auth/rate.h"
#include "auth/secret.h"
#include "auth/verifier.h"
#include "sys/sim/sim.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static struct error err;

static struct auth_key *secret_key(const char *kid)
{
    struct auth_key *key = NULL;
    assert_int_equal(auth_key_from_secret((struct slice){SECRET, 32}, str_of(kid), &key, &err),
                     STATUS_OK);
    return key;
}

/* A fresh private key as PEM. */
static char *pem_of(EVP_PKEY *pkey, bool public)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL;
    if (public)
        assert_int_equal(PEM_write_bio_PUBKEY(bio, pkey), 1);
    else
        assert_int_equal(PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &data);
    char *copy = str_dup(str_make(data, (size_t)len));
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return copy;
}

static struct auth_key *pem_key(EVP_PKEY *pkey, const char *kid)
{
    struct auth_key *key = NULL;
    char *pem = pem_of(pkey, false);
    assert_int_equal(auth_key_from_pem(str_of(pem), str_of(kid), &key, &err), STATUS_OK);
    free(pem);
    return key;
}

static struct keyring ring_of(struct auth_key *key)
{
    struct keyring ring = {0};
    assert_int_equal(keyring_add(&ring, key, &err), STATUS_OK);
    return ring;
}

static const struct str ROLES[] = {STR("reader"), STR("writer")};

static struct claims some_claims(void)
{
    return (struct claims){.subject = STR("u1"),
                           .username = STR("Ada"),
                           .tenant = STR("acme"),
                           .id = STR("t1"),
                           .issuer = STR("quarry"),
                           .audience = STR("quarry-api"),
                           .issued_s = 1000,
                           .not_before_s = 1000,
                           .expires_s = 2000,
                           .roles = ROLES,
                           .roles_len = 2};
}

static const struct jwt_rules RULES = {.issuer = STR("quarry"), .audience = STR("quarry-api")};

/* Signs the claims and checks them; the status of the check. */
static enum status round_trip(const struct keyring *ring, const struct claims *claims,
                              const struct jwt_rules *rules, int64_t now_s, struct claims *ret,
                              struct arena *arena)
{
    struct buf token;
    buf_init(&token, 1 << 16);
    assert_int_equal(jwt_sign(ring, claims, &token, &err), STATUS_OK);
    err = ERROR_INIT;
    enum status status = jwt_verify(ring, rules, buf_str(&token), now_s, arena, ret, &err);
    buf_release(&token);
    return status;
}

static void test_base64url_is_strict(void **state)
{
    (void)state;
    uint8_t bytes[16];
    size_t len;
    struct buf text;
    buf_init(&text, 64);
    base64url_encode(&text, (struct slice){"\xfb\xff\xfe z", 5});
    assert_true(str_is(buf_str(&text), "-__-IHo"));
    assert_true(base64url_decode(buf_str(&text), bytes, &len));
    assert_int_equal(len, 5);
    assert_memory_equal(bytes, "\xfb\xff\xfe z", 5);
    buf_release(&text);
    assert_true(base64url_decode(STR(""), bytes, &len) && len == 0);
    const char *const wrong[] = {"A", "AB=", "A+==", "A/AA", "A AA", "AB", "AAB", "AA\n"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(base64url_decode(str_of(wrong[i]), bytes, &len));
}

static void test_every_algorithm_round_trips(void **state)
{
    (void)state;
    struct auth_key *keys[] = {secret_key("a"), pem_key(EVP_RSA_gen(2048), "b"),
                               pem_key(EVP_EC_gen("P-256"), "c"),
                               pem_key(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "d")};
    const char *const names[] = {"HS256", "RS256", "ES256", "EdDSA"};
    struct arena arena;
    arena_init(&arena, 0);
    for (int i = 0; i < 4; i++) {
        struct claims claims = some_claims(), got;
        struct keyring ring = ring_of(keys[i]);
        assert_string_equal(auth_alg_name(auth_key_alg(keys[i])), names[i]);
        assert_int_equal(round_trip(&ring, &claims, &RULES, 1500, &got, &arena), STATUS_OK);
        assert_true(str_is(got.subject, "u1") && str_is(got.username, "Ada"));
        assert_true(str_is(got.tenant, "acme") && str_is(got.id, "t1"));
        assert_int_equal(got.expires_s, 2000);
        assert_int_equal(got.roles_len, 2);
        assert_true(str_is(got.roles[1], "writer"));
        keyring_release(&ring);
    }
    arena_release(&arena);
}

static void test_claims_are_checked(void **state)
{
    (void)state;
    struct keyring ring = ring_of(secret_key("a"));
    struct jwt_rules skewed = RULES;
    struct arena arena;
    struct claims got;
    skewed.skew_s = 60;
    const struct {
        int64_t now_s;
        const struct jwt_rules *rules;
        enum status status;
    } times[] = {
        {1000, &RULES, STATUS_OK},
        {1999, &RULES, STATUS_OK},
        {2000, &RULES, STATUS_UNAUTHENTICATED},
        {999, &RULES, STATUS_UNAUTHENTICATED},
        {2059, &skewed, STATUS_OK},
        {2060, &skewed, STATUS_UNAUTHENTICATED},
        {940, &skewed, STATUS_OK},
        {939, &skewed, STATUS_UNAUTHENTICATED},
    };
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct claims claims = some_claims();
        assert_int_equal(round_trip(&ring, &claims, times[i].rules, times[i].now_s, &got, &arena),
                         times[i].status);
    }
    struct claims claims = some_claims();
    claims.issuer = STR("evil");
    assert_int_equal(round_trip(&ring, &claims, &RULES, 1500, &got, &arena),
                     STATUS_UNAUTHENTICATED);
    assert_string_equal(err.message, "The token is refused: it is of another issuer.");
    claims = some_claims();
    claims.audience = STR("other");
    assert_int_equal(round_trip(&ring, &claims, &RULES, 1500, &got, &arena),
                     STATUS_UNAUTHENTICATED);
    assert_string_equal(err.message, "The token is refused: it is for another audience.");
    claims = some_claims();
    claims.tenant = STR_NONE;
    assert_int_equal(round_trip(&ring, &claims, &RULES, 1500, &got, &arena),
                     STATUS_UNAUTHENTICATED);
    assert_string_equal(err.message, "The token is refused: it has no \"tenant_id\".");
    keyring_release(&ring);
    arena_release(&arena);
}

/* A token of any header and payload, signed with SECRET. */
static void forge(struct buf *token, const char *header, const char *payload,
                  const struct auth_key *key)
{
    uint8_t signature[AUTH_SIGNATURE_MAX];
    size_t len = 0;
    buf_clear(token);
    base64url_encode(token, (struct slice){header, strlen(header)});
    buf_append_char(token, '.');
    base64url_encode(token, (struct slice){payload, strlen(payload)});
    if (key)
        assert_int_equal(auth_key_sign(key, buf_str(token), signature, &len, &err), STATUS_OK);
    buf_append_char(token, '.');
    base64url_encode(token, (struct slice){signature, len});
}

static void test_forged_headers_are_refused(void **state)
{
    (void)state;
    const char *const payload = "{\"sub\":\"admin\"}";
    struct auth_key *key = secret_key("a");
    struct keyring ring = ring_of(key);
    struct arena arena;
    struct buf token;
    struct str text;
    const char *const headers[] = {
        "{\"alg\":\"none\",\"kid\":\"a\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"RS256\",\"kid\":\"a\"}",
        "{\"alg\":\"HS512\",\"kid\":\"a\"}",
        "{\"alg\":\"HS256\",\"kid\":\"../../etc/passwd\"}",
        "{\"alg\":\"HS256\",\"kid\":7}",
        "{\"alg\":[\"HS256\"],\"kid\":\"a\"}",
        "{\"kid\":\"a\"}",
        "{\"alg\":\"HS256\",\"kid\":\"a\",\"crit\":[\"exp\"]}",
        "{\"alg\":\"none\",\"alg\":\"HS256\",\"kid\":\"a\"}",
        "[\"HS256\"]",
        "not json",
    };
    arena_init(&arena, 0);
    buf_init(&token, 1 << 16);
    forge(&token, "{\"alg\":\"HS256\",\"kid\":\"a\",\"jku\":\"http://evil/\"}", payload, key);
    assert_int_equal(jws_verify(&ring, buf_str(&token), &arena, &text, &err), STATUS_OK);
    assert_true(str_is(text, payload));
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        forge(&token, headers[i], payload, key);
        assert_int_equal(jws_verify(&ring, buf_str(&token), &arena, &text, &err),
                         STATUS_UNAUTHENTICATED);
    }
    forge(&token, "{\"alg\":\"HS256\",\"kid\":\"a\"}", payload, NULL);
    assert_int_equal(jws_verify(&ring, buf_str(&token), &arena, &text, &err),
                     STATUS_UNAUTHENTICATED);
    const char *const broken[] = {"",      ".",   "..",        "...",
                                  "a.b.c", "a.b", "eyJ9.e30.", "e30.e30.e30.e30"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++)
        assert_int_equal(jws_verify(&ring, str_of(broken[i]), &arena, &text, &err),
                         STATUS_UNAUTHENTICATED);
    buf_release(&token);
    keyring_release(&ring);
    arena_release(&arena);
}

/* An RSA public key's PEM used as HMAC secret: the classic confusion. */
static void test_public_key_is_no_secret(void **state)
{
    (void)state;
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    EVP_PKEY_up_ref(pkey);
    char *pem = pem_of(pkey, true);
    struct auth_key *public = NULL, *forged = NULL;
    assert_int_equal(auth_key_from_pem(str_of(pem), STR("k"), &public, &err), STATUS_OK);
    assert_int_equal(
        auth_key_from_secret((struct slice){pem, strlen(pem)}, STR("k"), &forged, &err), STATUS_OK);
    assert_false(auth_key_can_sign(public));
    struct keyring ring = ring_of(public);
    struct arena arena;
    struct buf token;
    struct str text;
    arena_init(&arena, 0);
    buf_init(&token, 1 << 16);
    forge(&token, "{\"alg\":\"HS256\",\"kid\":\"k\"}", "{}", forged);
    assert_int_equal(jws_verify(&ring, buf_str(&token), &arena, &text, &err),
                     STATUS_UNAUTHENTICATED);
    forge(&token, "{\"alg\":\"RS256\",\"kid\":\"k\"}", "{}", forged);
    assert_int_equal(jws_verify(&ring, buf_str(&token), &arena, &text, &err),
                     STATUS_UNAUTHENTICATED);
    struct claims claims = some_claims();
    buf_clear(&token);
    assert_int_equal(jwt_sign(&ring, &claims, &token, &err), STATUS_INVALID_ARGUMENT);
    assert_string_equal(err.message, "Key 'k' is public and cannot sign.");
    EVP_PKEY_free(pkey);
    auth_key_unref(forged);
    keyring_release(&ring);
    arena_release(&arena);
    buf_release(&token);
    free(pem);
}

static void test_bad_keys_are_refused(void **state)
{
    (void)state;
    struct auth_key *key = NULL;
    char *weak = pem_of(EVP_RSA_gen(1024), false), *curve = pem_of(EVP_EC_gen("P-384"), false);
    assert_int_equal(auth_key_from_secret((struct slice){SECRET, 31}, STR_NONE, &key, &err),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(auth_key_from_pem(str_of(weak), STR_NONE, &key, &err),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(err.message, "The RSA key has 1024 bits; 2048 to 8192 are allowed.");
    assert_int_equal(auth_key_from_pem(str_of(curve), STR_NONE, &key, &err),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(auth_key_from_pem(STR("no key"), STR_NONE, &key, &err),
                     STATUS_INVALID_ARGUMENT);
    assert_null(key);
    free(weak);
    free(curve);
}

static void test_published_set_reads_back(void **state)
{
    (void)state;
    struct keyring ring = {0}, back = {0};
    struct json_writer w;
    struct buf text;
    yyjson_doc *doc = NULL;
    assert_int_equal(keyring_add(&ring, secret_key("secret"), &err), STATUS_OK);
    assert_int_equal(keyring_add(&ring, pem_key(EVP_RSA_gen(2048), NULL), &err), STATUS_OK);
    assert_int_equal(keyring_add(&ring, pem_key(EVP_EC_gen("P-256"), "ec"), &err), STATUS_OK);
    assert_int_equal(
        keyring_add(&ring, pem_key(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "ed"), &err),
        STATUS_OK);
    assert_int_equal(keyring_add(&ring, secret_key("ec"), &err), STATUS_CONFLICT);
    buf_init(&text, 1 << 16);
    json_writer_init(&w, &text);
    keyring_write_jwks(&ring, &w);
    assert_int_equal(json_parse(buf_str(&text), &doc, &err), STATUS_OK);
    assert_null(memmem(text.data, text.len, "oct", 3));
    assert_int_equal(keyring_add_jwks(&back, yyjson_doc_get_root(doc), &err), STATUS_OK);
    assert_int_equal(back.len, 3);
    for (uint32_t i = 0; i < back.len; i++) {
        uint8_t signature[AUTH_SIGNATURE_MAX];
        size_t len = 0;
        assert_true(str_eq(auth_key_kid(back.keys[i]), auth_key_kid(ring.keys[i + 1])));
        assert_int_equal(auth_key_sign(ring.keys[i + 1], STR("text"), signature, &len, &err),
                         STATUS_OK);
        assert_true(auth_key_check(back.keys[i], STR("text"), (struct slice){signature, len}));
        assert_false(auth_key_check(back.keys[i], STR("texT"), (struct slice){signature, len}));
    }
    assert_null(keyring_find(&back, STR_NONE));
    assert_non_null(keyring_find(&back, STR("ed")));
    yyjson_doc_free(doc);
    buf_release(&text);
    keyring_release(&ring);
    keyring_release(&back);
}

static void test_thumbprint_is_rfc7638s(void **state)
{
    (void)state;
    /* the example of RFC 7638 section 3.1, without its kid */
    static const char JWK[] =
        "{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86"
        "zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7"
        "_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n"
        "91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFC"
        "ur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\"}";
    yyjson_doc *doc = NULL;
    struct auth_key *key = NULL;
    assert_int_equal(json_parse(STR(JWK), &doc, &err), STATUS_OK);
    assert_int_equal(auth_key_from_jwk(yyjson_doc_get_root(doc), false, &key, &err), STATUS_OK);
    assert_true(str_is(auth_key_kid(key), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"));
    auth_key_unref(key);
    yyjson_doc_free(doc);
}

static void test_passwords(void **state)
{
    (void)state;
    struct sys *sys = sys_posix();
    char hash[PASSWORD_HASH_MAX], long_one[80];
    memset(long_one, 'x', sizeof long_one);
    assert_int_equal(password_hash(sys, STR("correct horse"), 4, hash, &err), STATUS_OK);
    assert_memory_equal(hash, "$2b$04$", 7);
    assert_true(password_matches(STR("correct horse"), str_of(hash), 4));
    assert_false(password_matches(STR("correct horsf"), str_of(hash), 4));
    assert_false(password_matches(STR("correct horse"), STR_NONE, 4));
    assert_false(password_matches(STR("correct horse"), STR("$2b$04$short"), 4));
    assert_false(password_matches(STR("correct horse"), STR("x"), 4));
    /* a published vector of crypt_blowfish */
    assert_true(password_matches(
        STR("U*U*U"), STR("$2b$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"), 5));
    assert_int_equal(password_hash(sys, STR("short"), 4, hash, &err), STATUS_INVALID_ARGUMENT);
    assert_int_equal(password_hash(sys, str_make(long_one, 73), 4, hash, &err),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(password_hash(sys, str_make("with\0zero", 9), 4, hash, &err),
                     STATUS_INVALID_ARGUMENT);
    assert_int_equal(password_hash(sys, STR("correct horse"), 3, hash, &err),
                     STATUS_INVALID_ARGUMENT);
}

static void test_secrets(void **state)
{
    (void)state;
    char a[SECRET_TEXT_MAX], b[SECRET_TEXT_MAX], hash[SECRET_HASH_TEXT];
    secret_make(sys_posix(), "qk_", a);
    secret_make(sys_posix(), "qk_", b);
    assert_int_equal(strlen(a), 46);
    assert_memory_equal(a, "qk_", 3);
    assert_false(secret_equal(str_of(a), str_of(b)));
    assert_true(secret_equal(str_of(a), str_of(a)));
    secret_hash(STR("abc"), hash);
    assert_string_equal(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static struct sim *new_sim(void)
{
    struct sim *sim = NULL;
    assert_int_equal(sim_new(7, &sim, &err), STATUS_OK);
    sim_advance(sim, 1000000);
    return sim;
}

static void test_rates(void **state)
{
    (void)state;
    struct sim *sim = new_sim();
    struct rate_limiter *limiter = NULL;
    struct rate rate = {.per_second = 2, .burst = 3};
    struct rate_state left;
    assert_int_equal(rate_limiter_new(sim_sys(sim), &limiter, &err), STATUS_OK);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(rate_take(limiter, STR("a"), rate, &left, &err), STATUS_OK);
        assert_int_equal(left.remaining, 2 - i);
    }
    assert_int_equal(rate_take(limiter, STR("a"), rate, &left, &err), STATUS_TOO_MANY_REQUESTS);
    assert_int_equal(err.retry_after_s, 1);
    assert_int_equal(left.remaining, 0);
    assert_int_equal(left.reset_s, 2);
    assert_int_equal(rate_take(limiter, STR("b"), rate, NULL, &err), STATUS_OK);
    sim_advance(sim, 500000);
    assert_int_equal(rate_take(limiter, STR("a"), rate, NULL, &err), STATUS_OK);
    assert_int_equal(rate_take(limiter, STR("a"), rate, NULL, &err), STATUS_TOO_MANY_REQUESTS);
    assert_int_equal(rate_take(limiter, STR("a"), (struct rate){0}, NULL, &err), STATUS_OK);
    rate_limiter_free(limiter);
    sim_free(sim);
}

/* More names than places: the table stays as it is, a limit may be forgotten, nothing breaks. */
static void test_rates_of_many_names(void **state)
{
    (void)state;
    struct sim *sim = new_sim();
    struct rate_limiter *limiter = NULL;
    char name[16];
    assert_int_equal(rate_limiter_new(sim_sys(sim), &limiter, &err), STATUS_OK);
    for (int i = 0; i < 3 * RATE_NAMES; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(rate_take(limiter, str_of(name), (struct rate){1, 1}, NULL, &err),
                         STATUS_OK);
    }
    assert_int_equal(rate_take(limiter, str_of(name), (struct rate){1, 1}, NULL, &err),
                     STATUS_TOO_MANY_REQUESTS);
    rate_limiter_free(limiter);
    sim_free(sim);
}

static void test_lockout(void **state)
{
    (void)state;
    struct sim *sim = new_sim();
    struct lockout *lockout = NULL;
    assert_int_equal(lockout_new(sim_sys(sim), &lockout, &err), STATUS_OK);
    for (int i = 0; i < LOCKOUT_FREE; i++) {
        assert_int_equal(lockout_check(lockout, STR("ada"), &err), STATUS_OK);
        lockout_fail(lockout, STR("ada"));
    }
    int waits[12];
    for (int i = 0; i < 12; i++) {
        assert_int_equal(lockout_check(lockout, STR("ada"), &err), STATUS_TOO_MANY_REQUESTS);
        waits[i] = err.retry_after_s;
        sim_advance(sim, (int64_t)waits[i] * 1000000);
        assert_int_equal(lockout_check(lockout, STR("ada"), &err), STATUS_OK);
        lockout_fail(lockout, STR("ada"));
    }
    const int wanted[12] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900};
    assert_memory_equal(waits, wanted, sizeof wanted);
    assert_int_equal(lockout_check(lockout, STR("bob"), &err), STATUS_OK);
    lockout_forget(lockout, STR("ada"));
    assert_int_equal(lockout_check(lockout, STR("ada"), &err), STATUS_OK);
    lockout_free(lockout);
    sim_free(sim);
}

/* --- the verifier --- */

static void sign_at(const struct keyring *ring, int64_t now_s, const char *id, const char *issuer,
                    struct buf *token)
{
    struct claims claims = some_claims();
    claims.issued_s = claims.not_before_s = now_s;
    claims.expires_s = now_s + 100;
    claims.id = str_of(id);
    claims.issuer = str_of(issuer);
    buf_clear(token);
    assert_int_equal(jwt_sign(ring, &claims, token, &err), STATUS_OK);
}

static enum status check(struct verifier *verifier, const struct buf *token)
{
    struct arena arena;
    struct claims claims;
    arena_init(&arena, 0);
    err = ERROR_INIT;
    enum status status = verifier_check(verifier, buf_str(token), &arena, &claims, &err);
    arena_release(&arena);
    return status;
}

static void test_verifier_checks_caches_revokes(void **state)
{
    (void)state;
    struct sim *sim = new_sim();
    struct verifier *verifier = NULL;
    struct keyring own = ring_of(pem_key(EVP_EC_gen("P-256"), "k1"));
    struct keyring shared = ring_of(auth_key_ref(own.keys[0])), none = {0};
    struct buf token;
    int64_t now_s = sys_now_us(sim_sys(sim)) / 1000000;
    buf_init(&token, 1 << 16);
    assert_int_equal(
        verifier_new(sim_sys(sim), STR("quarry"), STR("quarry-api"), 0, &verifier, &err),
        STATUS_OK);
    assert_int_equal(verifier_set_keys(verifier, STR_NONE, STR_NONE, &shared, &err), STATUS_OK);
    sign_at(&own, now_s, "t1", "quarry", &token);
    for (int i = 0; i < 3; i++) /* the second time from the cache */
        assert_int_equal(check(verifier, &token), STATUS_OK);
    assert_int_equal(verifier_revoke(verifier, STR("t1"), now_s + 100, &err), STATUS_OK);
    assert_int_equal(check(verifier, &token), STATUS_UNAUTHENTICATED);
    assert_string_equal(err.message, "The token is refused: it was revoked.");
    sign_at(&own, now_s, "t2", "quarry", &token);
    assert_int_equal(check(verifier, &token), STATUS_OK);
    sim_advance(sim, 101000000);
    assert_int_equal(check(verifier, &token), STATUS_UNAUTHENTICATED);
    assert_string_equal(err.message, "The token is refused: it has expired.");
    sign_at(&own, now_s + 101, "t3", "quarry", &token);
    assert_int_equal(check(verifier, &token), STATUS_OK);
    assert_int_equal(verifier_set_keys(verifier, STR_NONE, STR_NONE, &none, &err), STATUS_OK);
    assert_int_equal(check(verifier, &token), STATUS_UNAUTHENTICATED);
    verifier_free(verifier);
    keyring_release(&own);
    buf_release(&token);
    sim_free(sim);
}

static void test_verifier_keeps_issuers_apart(void **state)
{
    (void)state;
    struct sim *sim = new_sim();
    struct verifier *verifier = NULL;
    struct keyring own = ring_of(secret_key("k")),
                   other = ring_of(pem_key(EVP_EC_gen("P-256"), "k"));
    struct keyring own_copy = ring_of(auth_key_ref(own.keys[0]));
    struct keyring other_copy = ring_of(auth_key_ref(other.keys[0]));
    struct buf token;
    int64_t now_s = sys_now_us(sim_sys(sim)) / 1000000;
    buf_init(&token, 1 << 16);
    assert_int_equal(
        verifier_new(sim_sys(sim), STR("quarry"), STR("quarry-api"), 0, &verifier, &err),
        STATUS_OK);
    assert_int_equal(verifier_set_keys(verifier, STR_NONE, STR_NONE, &own_copy, &err), STATUS_OK);
    assert_int_equal(
        verifier_set_keys(verifier, STR("https://id.example"), STR_NONE, &other_copy, &err),
        STATUS_OK);
    sign_at(&other, now_s, "t1", "https://id.example", &token);
    assert_int_equal(check(verifier, &token), STATUS_OK);
    sign_at(&other, now_s, "t1", "quarry", &token); /* a foreign key in our name */
    assert_int_equal(check(verifier, &token), STATUS_UNAUTHENTICATED);
    sign_at(&own, now_s, "t1", "https://id.example", &token);
    assert_int_equal(check(verifier, &token), STATUS_UNAUTHENTICATED);
    verifier_free(verifier);
    keyring_release(&own);
    keyring_release(&other);
    buf_release(&token);
    sim_free(sim);
}

static void test_verifier_remembers_many_revocations(void **state)
{
    (void)state;
    struct sim *sim = new_sim();
    struct verifier *verifier = NULL;
    struct keyring own = ring_of(secret_key("k"));
    struct keyring copy = ring_of(auth_key_ref(own.keys[0]));
    struct buf token;
    char id[16];
    int64_t now_s = sys_now_us(sim_sys(sim)) / 1000000;
    buf_init(&token, 1 << 16);
    assert_int_equal(
        verifier_new(sim_sys(sim), STR("quarry"), STR("quarry-api"), 0, &verifier, &err),
        STATUS_OK);
    assert_int_equal(verifier_set_keys(verifier, STR_NONE, STR_NONE, &copy, &err), STATUS_OK);
    for (int i = 0; i < 10000; i++) {
        snprintf(id, sizeof id, "t%d", i);
        assert_int_equal(verifier_revoke(verifier, str_of(id), now_s + 1000, &err), STATUS_OK);
    }
    for (int i = 0; i < 10010; i += 10) {
        snprintf(id, sizeof id, "t%d", i);
        sign_at(&own, now_s, id, "quarry", &token);
        assert_int_equal(check(verifier, &token), i < 10000 ? STATUS_UNAUTHENTICATED : STATUS_OK);
    }
    verifier_free(verifier);
    keyring_release(&own);
    buf_release(&token);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base64url_is_strict),
        cmocka_unit_test(test_every_algorithm_round_trips),
        cmocka_unit_test(test_claims_are_checked),
        cmocka_unit_test(test_forged_headers_are_refused),
        cmocka_unit_test(test_public_key_is_no_secret),
        cmocka_unit_test(test_bad_keys_are_refused),
        cmocka_unit_test(test_published_set_reads_back),
        cmocka_unit_test(test_thumbprint_is_rfc7638s),
        cmocka_unit_test(test_passwords),
        cmocka_unit_test(test_secrets),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_rates_of_many_names),
        cmocka_unit_test(test_lockout),
        cmocka_unit_test(test_verifier_checks_caches_revokes),
        cmocka_unit_test(test_verifier_keeps_issuers_apart),
        cmocka_unit_test(test_verifier_remembers_many_revocations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
