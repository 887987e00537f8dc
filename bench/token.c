/* token.c: what checking a token costs, in this process: signature, claims, revocations.
 *
 *   token
 *
 * HS256, RS256 (2048 bits), ES256 and EdDSA; each the same token over and over, as a client sends
 * it
 * ("again"), and for asymmetric keys with the cache of right signatures emptied before ("first").
 * 100,000 other tokens are revoked meanwhile. CPU microseconds; one line of JSON for each. Build:
 * see bench/run.sh (token). */
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "auth/verifier.h"

enum { ROUNDS = 20000, FIRST_ROUNDS = 500, REVOKED = 100000 };

static void must(enum status status, const struct error *err)
{
    if (status == STATUS_OK)
        return;
    fprintf(stderr, "token: %s\n", err->message);
    exit(1);
}

static double now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static struct auth_key *make_key(enum auth_alg alg)
{
    struct error err = ERROR_INIT;
    struct auth_key *key = NULL;
    char *text = NULL;
    if (alg == AUTH_HS256) {
        must(auth_key_from_secret((struct slice){"0123456789abcdef0123456789abcdef", 32}, STR_NONE,
                                  &key, &err),
             &err);
        return key;
    }
    EVP_PKEY *pkey = alg == AUTH_RS256   ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048)
                     : alg == AUTH_ES256 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
                                         : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);
    long len = BIO_get_mem_data(bio, &text);
    must(auth_key_from_pem(str_make(text, (size_t)len), STR_NONE, &key, &err), &err);
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return key;
}

static void set_keys(struct verifier *verifier, struct auth_key *key)
{
    struct error err = ERROR_INIT;
    struct keyring ring = {0};
    must(keyring_add(&ring, auth_key_ref(key), &err), &err);
    must(verifier_set_keys(verifier, STR_NONE, STR_NONE, &ring, &err), &err);
}

static double check(struct verifier *verifier, struct auth_key *key, struct str token, int rounds,
                    bool first)
{
    struct error err = ERROR_INIT;
    double total = 0;
    for (int i = 0; i < rounds; i++) {
        struct arena arena;
        struct claims claims;
        if (first)
            set_keys(verifier, key); /* empties the cache */
        double begun = now_us();
        arena_init(&arena, 0);
        must(verifier_check(verifier, token, &arena, &claims, &err), &err);
        arena_release(&arena);
        total += now_us() - begun;
    }
    return total / rounds;
}

static void measure(enum auth_alg alg)
{
    struct error err = ERROR_INIT;
    struct verifier *verifier = NULL;
    struct keyring ring = {0};
    struct buf token;
    struct str roles[] = {STR("reader"), STR("writer")};
    int64_t now_s = sys_now_us(sys_posix()) / 1000000;
    char id[40];
    struct claims claims = {.subject = STR("01a1fd75-5b19-798e-9f34-043e5a099e10"),
                            .username = STR("ada"),
                            .tenant = STR("default_tenant"),
                            .id = STR("01a1fd75-5b19-798e-9f34-043e5a099e11"),
                            .family = STR("01a1fd75-5b19-798e-9f34-043e5a099e10.0.x"),
                            .issuer = STR("quarry"),
                            .audience = STR("quarry"),
                            .issued_s = now_s,
                            .not_before_s = now_s,
                            .expires_s = now_s + 3600,
                            .roles = roles,
                            .roles_len = 2};
    struct auth_key *key = make_key(alg);
    must(verifier_new(sys_posix(), STR("quarry"), STR("quarry"), 30, &verifier, &err), &err);
    set_keys(verifier, key);
    for (int i = 0; i < REVOKED; i++) {
        snprintf(id, sizeof id, "revoked-%d", i);
        must(verifier_revoke(verifier, str_of(id), now_s + 3600, &err), &err);
    }
    buf_init(&token, JWT_BYTES_MAX);
    must(keyring_add(&ring, auth_key_ref(key), &err), &err);
    must(jwt_sign(&ring, &claims, &token, &err), &err);
    double first = check(verifier, key, buf_str(&token), FIRST_ROUNDS, true);
    double again = check(verifier, key, buf_str(&token), ROUNDS, false);
    printf("{\"algorithm\":\"%s\",\"first_us\":%.2f,\"again_us\":%.2f}\n", auth_alg_name(alg),
           first, again);
    buf_release(&token);
    keyring_release(&ring);
    verifier_free(verifier);
    auth_key_unref(key);
}

int main(void)
{
    for (int alg = AUTH_HS256; alg <= AUTH_EDDSA; alg++)
        measure((enum auth_alg)alg);
    return 0;
}
