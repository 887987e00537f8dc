/* jwt_fuzz.c: any bytes as a token and as a JSON Web Key Set: no crash, no leak, and nothing is
 * believed that the secret did not sign. The corpus holds a token signed with the secret below. */
#include <stdlib.h>

#include "auth/jwt.h"

static const char SECRET[] = "0123456789abcdef0123456789abcdef";

static void check_token(struct str text)
{
    struct keyring ring = {0};
    struct auth_key *key = NULL;
    struct arena arena;
    struct claims claims;
    arena_init(&arena, 1 << 20);
    if (auth_key_from_secret((struct slice){SECRET, 32}, STR("k"), &key, NULL) != STATUS_OK ||
        keyring_add(&ring, key, NULL) != STATUS_OK)
        abort();
    if (jwt_verify(&ring, &(struct jwt_rules){0}, text, 1500, &arena, &claims, NULL) == STATUS_OK &&
        (!claims.subject.data || !claims.tenant.data))
        abort();
    keyring_release(&ring);
    arena_release(&arena);
}

static void check_set(struct str text)
{
    struct keyring ring = {0};
    yyjson_doc *doc = NULL;
    if (json_parse(text, &doc, NULL) == STATUS_OK)
        (void)keyring_add_jwks(&ring, yyjson_doc_get_root(doc), NULL);
    yyjson_doc_free(doc);
    keyring_release(&ring);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = str_make((const char *)data, size);
    check_token(text);
    check_set(text);
    return 0;
}
