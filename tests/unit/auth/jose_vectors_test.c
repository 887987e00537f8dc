/* The public JOSE vectors (C2SP Wycheproof): what is invalid is refused; what is valid is believed,
 * if its algorithm is one of ours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "auth/jwt.h"
#include "sys/sys.h"

/* Vectors whose expectation is not ours:
 * - a key made by a faulty generator (ROCA, CVE-2017-15361): its form is right, only its history is
 *   wrong; looking for such keys is the issuer's business
 * - "invalidBase64Padding", also "InPayload": byte for byte the token of "ValidMac"
 * - "InvalidCharacterInserted...": said to be valid, with a '?' in them */
static const char *const EXEMPT[] = {
    "jws_rsa_roca_key", "invalidBase64Padding", "invalidBase64PaddingInPayload",
    "InvalidCharacterInsertedInHeader", "InvalidCharacterInsertedInPayload"};

struct tally {
    int believed, refused, foreign;
};

static yyjson_doc *load(const char *name)
{
    const char *shared = getenv("QUARRY_SHARED");
    struct buf text;
    char path[SYS_PATH_MAX];
    struct error err = ERROR_INIT;
    yyjson_doc *doc = NULL;
    snprintf(path, sizeof path, "%s/conformance/jose/testvectors_v1/%s",
             shared ? shared : "../shared", name);
    buf_init(&text, 64 << 20);
    if (sys_read_file(sys_posix(), path, &text, &err) != STATUS_OK)
        fail_msg("the JOSE vectors are not there, set QUARRY_SHARED: %s", err.message);
    assert_int_equal(json_parse(buf_str(&text), &doc, &err), STATUS_OK);
    buf_release(&text);
    return doc;
}

static bool is_exempt(yyjson_val *group, yyjson_val *test)
{
    for (size_t i = 0; i < sizeof EXEMPT / sizeof *EXEMPT; i++)
        if (str_is(json_str_of(json_get(group, "comment")), EXEMPT[i]) ||
            str_is(json_str_of(json_get(test, "comment")), EXEMPT[i]))
            return true;
    return false;
}

/* A set as an issuer of tokens would publish it, but with its secrets; mixed sets and doubled names
 * are refused by nobody else than the ring. */
static bool load_keys(yyjson_val *keys, struct keyring *ring)
{
    yyjson_val *list = json_get(keys, "keys"), *jwk;
    size_t i, len;
    bool secrets = false, only_secrets = true, all = true;
    if (!list) {
        struct auth_key *key = NULL;
        return auth_key_from_jwk(keys, true, &key, NULL) == STATUS_OK &&
               keyring_add(ring, key, NULL) == STATUS_OK;
    }
    yyjson_arr_foreach(list, i, len, jwk) *
        (str_is(json_str_of(json_get(jwk, "kty")), "oct") ? &secrets : &only_secrets) =
        str_is(json_str_of(json_get(jwk, "kty")), "oct");
    if (!secrets)
        return keyring_add_jwks(ring, keys, NULL) == STATUS_OK;
    yyjson_arr_foreach(list, i, len, jwk)
    {
        struct auth_key *key = NULL;
        /* secrets and public keys do not mix in a published set */
        all = all && only_secrets && auth_key_from_jwk(jwk, true, &key, NULL) == STATUS_OK &&
              keyring_add(ring, key, NULL) == STATUS_OK;
    }
    return all;
}

static bool believed(yyjson_val *keys, struct str token)
{
    struct keyring ring = {0};
    struct arena arena;
    struct str payload;
    arena_init(&arena, 0);
    bool ok =
        load_keys(keys, &ring) && jws_verify(&ring, token, &arena, &payload, NULL) == STATUS_OK;
    arena_release(&arena);
    keyring_release(&ring);
    return ok;
}

static bool is_ours(yyjson_val *keys)
{
    yyjson_val *first = json_get(keys, "keys") ? yyjson_arr_get(json_get(keys, "keys"), 0) : keys;
    enum auth_alg alg;
    return auth_alg_parse(json_str_of(json_get(first, "alg")), &alg);
}

static void check_group(yyjson_val *group, struct tally *tally)
{
    yyjson_val *keys =
        json_get(group, "public") ? json_get(group, "public") : json_get(group, "private");
    yyjson_val *test;
    size_t i, len;
    yyjson_arr_foreach(json_get(group, "tests"), i, len, test)
    {
        yyjson_val *token = json_get(test, "jws");
        if (!yyjson_is_str(token) || is_exempt(group, test))
            continue;
        bool ok = believed(keys, json_str_of(token));
        bool valid = str_is(json_str_of(json_get(test, "result")), "valid");
        if (valid && !is_ours(keys)) {
            assert_false(ok);
            tally->foreign++;
        } else {
            if (ok != valid)
                fail_msg("%s, test %lld (%s): %s", yyjson_get_str(json_get(group, "comment")),
                         (long long)yyjson_get_sint(json_get(test, "tcId")),
                         yyjson_get_str(json_get(test, "comment")), ok ? "believed" : "refused");
            *(ok ? &tally->believed : &tally->refused) += 1;
        }
    }
}

static struct tally check_file(const char *name)
{
    struct tally tally = {0};
    yyjson_doc *doc = load(name);
    yyjson_val *group;
    size_t i, len;
    yyjson_arr_foreach(json_get(yyjson_doc_get_root(doc), "testGroups"), i, len, group)
        check_group(group, &tally);
    yyjson_doc_free(doc);
    print_message("%s: %d believed, %d refused, %d of other algorithms\n", name, tally.believed,
                  tally.refused, tally.foreign);
    return tally;
}

static void test_signatures(void **state)
{
    (void)state;
    struct tally tally = check_file("json_web_signature_test.json");
    assert_int_equal(tally.believed, 18);
    assert_int_equal(tally.refused, 353);
    assert_int_equal(tally.foreign, 26);
}

static void test_keys(void **state)
{
    (void)state;
    struct tally tally = check_file("json_web_key_test.json");
    assert_int_equal(tally.believed, 3);
    assert_int_equal(tally.refused, 20);
    assert_int_equal(tally.foreign, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signatures),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
