#include "auth/keyring.h"

void keyring_release(struct keyring *ring)
{
    for (uint32_t i = 0; i < ring->len; i++)
        auth_key_unref(ring->keys[i]);
    *ring = (struct keyring){0};
}

static const struct auth_key *find_kid(const struct keyring *ring, struct str kid)
{
    for (uint32_t i = 0; i < ring->len; i++)
        if (str_eq(auth_key_kid(ring->keys[i]), kid))
            return ring->keys[i];
    return NULL;
}

enum status keyring_add(struct keyring *ring, struct auth_key *key, struct error *err)
{
    enum status status = STATUS_OK;
    if (ring->len == KEYRING_KEYS_MAX)
        status = error_set(err, STATUS_RESOURCE_LIMIT, "More than %d keys.", KEYRING_KEYS_MAX);
    else if (find_kid(ring, auth_key_kid(key)))
        status =
            error_set(err, STATUS_CONFLICT, "Two keys are named '%.*s'; give each its own kid.",
                      STR_ARG(auth_key_kid(key)));
    else
        ring->keys[ring->len++] = key;
    if (status != STATUS_OK)
        auth_key_unref(key);
    return status;
}

enum status keyring_add_jwks(struct keyring *ring, yyjson_val *set, struct error *err)
{
    yyjson_val *keys = json_get(set, "keys"), *jwk;
    uint32_t before = ring->len;
    struct error why = ERROR_INIT;
    size_t i, len;
    if (!yyjson_is_arr(keys))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "A JSON Web Key Set is an object with an array \"keys\".");
    yyjson_arr_foreach(keys, i, len, jwk)
    {
        struct auth_key *key = NULL;
        enum status status = auth_key_from_jwk(jwk, false, &key, &why);
        if (status == STATUS_OK)
            TRY(keyring_add(ring, key, err));
        else if (status != STATUS_INVALID_ARGUMENT)
            return error_set(err, status, "%s", why.message);
    }
    if (ring->len > before)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID_ARGUMENT,
                     "The JSON Web Key Set has no key that can check tokens%s%s",
                     len > 0 ? ": " : ".", len > 0 ? why.message : "");
}

const struct auth_key *keyring_find(const struct keyring *ring, struct str kid)
{
    if (kid.data)
        return find_kid(ring, kid);
    return ring->len == 1 ? ring->keys[0] : NULL;
}

void keyring_write_jwks(const struct keyring *ring, struct json_writer *w)
{
    json_begin_object(w);
    json_keyz(w, "keys");
    json_begin_array(w);
    for (uint32_t i = 0; i < ring->len; i++)
        if (auth_key_alg(ring->keys[i]) != AUTH_HS256)
            auth_key_write_jwk(ring->keys[i], w);
    json_end_array(w);
    json_end_object(w);
}
