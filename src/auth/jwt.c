/* jwt.c: making and believing tokens. Header and payload are parsed with the strict JSON reader, so
 * duplicate names are refused. */
#include "auth/jwt.h"

#include "auth/base64url.h"

static enum status refuse(struct error *err, const char *why)
{
    return error_set(err, STATUS_UNAUTHENTICATED, "The token is refused: %s.", why);
}

/* --- making --- */

static void write_text(struct json_writer *w, const char *name, struct str text)
{
    if (text.data)
        json_kv_str(w, name, text);
}

static void write_claims(const struct claims *claims, struct json_writer *w)
{
    json_begin_object(w);
    write_text(w, "iss", claims->issuer);
    write_text(w, "aud", claims->audience);
    write_text(w, "sub", claims->subject);
    write_text(w, "username", claims->username);
    write_text(w, "tenant_id", claims->tenant);
    write_text(w, "jti", claims->id);
    write_text(w, "family", claims->family);
    json_kv_strz(w, "use", claims->use == TOKEN_REFRESH ? "refresh" : "access");
    json_kv_int(w, "iat", claims->issued_s);
    json_kv_int(w, "nbf", claims->not_before_s);
    json_kv_int(w, "exp", claims->expires_s);
    json_keyz(w, "roles");
    json_begin_array(w);
    for (uint32_t i = 0; i < claims->roles_len; i++)
        json_string(w, claims->roles[i]);
    json_end_array(w);
    json_end_object(w);
}

static void write_header(const struct auth_key *key, struct json_writer *w)
{
    json_begin_object(w);
    json_kv_strz(w, "alg", auth_alg_name(auth_key_alg(key)));
    json_kv_strz(w, "typ", "JWT");
    json_kv_str(w, "kid", auth_key_kid(key));
    json_end_object(w);
}

static void append_part(struct buf *token, struct buf *json)
{
    if (buf_failed(json))
        token->failed = true;
    base64url_encode(token, (struct slice){json->data, json->len});
    buf_clear(json);
}

enum status jwt_sign(const struct keyring *ring, const struct claims *claims, struct buf *ret_token,
                     struct error *err)
{
    uint8_t signature[AUTH_SIGNATURE_MAX];
    size_t signature_len = 0, start = ret_token->len;
    struct json_writer w;
    struct buf json;
    if (ring->len == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "There is no key to sign tokens with.");
    buf_init(&json, JWT_BYTES_MAX);
    json_writer_init(&w, &json);
    write_header(ring->keys[0], &w);
    append_part(ret_token, &json);
    buf_append_char(ret_token, '.');
    json_writer_init(&w, &json);
    write_claims(claims, &w);
    append_part(ret_token, &json);
    buf_release(&json);
    TRY(buf_check(ret_token, "A token", err));
    struct str signed_text = str_make(ret_token->data + start, ret_token->len - start);
    TRY(auth_key_sign(ring->keys[0], signed_text, signature, &signature_len, err));
    buf_append_char(ret_token, '.');
    base64url_encode(ret_token, (struct slice){signature, signature_len});
    TRY(buf_check(ret_token, "A token", err));
    if (ret_token->len - start > JWT_BYTES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "A token would be longer than %d bytes.",
                         JWT_BYTES_MAX);
    return STATUS_OK;
}

/* --- the signature --- */

static enum status decode(struct str part, struct arena *arena, struct str *ret, struct error *err)
{
    uint8_t *bytes = arena_alloc(arena, BASE64URL_BYTES_MAX(part.len));
    size_t len = 0;
    if (!bytes)
        return error_no_memory(err);
    if (part.len == 0 || !base64url_decode(part, bytes, &len))
        return refuse(err, "a part of it is not base64url");
    *ret = str_make((const char *)bytes, len);
    return STATUS_OK;
}

static enum status pick_key(const struct keyring *ring, struct str header,
                            const struct auth_key **ret, struct error *err)
{
    yyjson_doc *doc = NULL;
    enum status status = STATUS_OK;
    if (json_parse(header, &doc, NULL) != STATUS_OK)
        return refuse(err, "its header is not JSON");
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *alg = json_get(root, "alg"), *kid = json_get(root, "kid");
    if (!yyjson_is_obj(root) || !yyjson_is_str(alg) || (kid && !yyjson_is_str(kid)))
        status = refuse(err, "its header lacks \"alg\", or \"kid\" is no string");
    else if (json_get(root, "crit"))
        status = refuse(err, "its header has critical extensions");
    else if (!(*ret = keyring_find(ring, kid ? json_str_of(kid) : STR_NONE)))
        status = refuse(err, kid ? "its key (\"kid\") is not known" : "it names no key (\"kid\")");
    else if (!str_is(json_str_of(alg), auth_alg_name(auth_key_alg(*ret))))
        status = refuse(err, "its algorithm is not the one of its key");
    yyjson_doc_free(doc);
    return status;
}

/* The three parts as they stand in the token. */
static enum status cut(struct str token, struct str parts[3], struct error *err)
{
    struct str rest = token;
    if (token.len > JWT_BYTES_MAX)
        return refuse(err, "it is longer than 8192 bytes");
    for (int i = 0; i < 3; i++)
        if (!str_split(&rest, '.', &parts[i]))
            return refuse(err, "it does not have three parts");
    return rest.data ? refuse(err, "it does not have three parts") : STATUS_OK;
}

enum status jws_payload(struct str token, struct arena *arena, struct str *ret_payload,
                        struct error *err)
{
    struct str parts[3];
    TRY(cut(token, parts, err));
    *ret_payload = STR("");
    return parts[1].len > 0 ? decode(parts[1], arena, ret_payload, err) : STATUS_OK;
}

enum status jws_verify(const struct keyring *ring, struct str token, struct arena *arena,
                       struct str *ret_payload, struct error *err)
{
    struct str parts[3], bytes;
    const struct auth_key *key = NULL;
    TRY(cut(token, parts, err));
    TRY(decode(parts[0], arena, &bytes, err));
    TRY(pick_key(ring, bytes, &key, err));
    TRY(decode(parts[2], arena, &bytes, err));
    struct str signed_text = str_make(token.data, parts[0].len + 1 + parts[1].len);
    if (!auth_key_check(key, signed_text, (struct slice){bytes.data, bytes.len}))
        return refuse(err, "its signature is wrong");
    return jws_payload(token, arena, ret_payload, err);
}

/* --- the claims --- */

static enum status read_text(yyjson_val *root, const char *name, bool required, struct arena *arena,
                             struct str *ret, struct error *err)
{
    yyjson_val *value = json_get(root, name);
    *ret = STR_NONE;
    if (!value || yyjson_is_null(value))
        return required ? error_set(err, STATUS_UNAUTHENTICATED,
                                    "The token is refused: it has no \"%s\".", name)
                        : STATUS_OK;
    if (!yyjson_is_str(value) || yyjson_get_len(value) == 0 || yyjson_get_len(value) > JWT_NAME_MAX)
        return error_set(err, STATUS_UNAUTHENTICATED,
                         "The token is refused: \"%s\" is not a text of 1 to %d bytes.", name,
                         JWT_NAME_MAX);
    *ret = arena_str(arena, json_str_of(value));
    return ret->data ? STATUS_OK : error_no_memory(err);
}

/* NumericDate of RFC 7519: seconds, perhaps with a fraction. */
static enum status read_time(yyjson_val *root, const char *name, bool required, int64_t *ret,
                             struct error *err)
{
    yyjson_val *value = json_get(root, name);
    double seconds = yyjson_get_num(value);
    if (!value && !required)
        return STATUS_OK;
    if (!yyjson_is_num(value) || !(seconds >= 0 && seconds < 1e12))
        return error_set(err, STATUS_UNAUTHENTICATED,
                         "The token is refused: \"%s\" is missing or no time in seconds.", name);
    *ret = (int64_t)seconds;
    return STATUS_OK;
}

static enum status read_roles(yyjson_val *root, struct arena *arena, struct claims *ret,
                              struct error *err)
{
    yyjson_val *list = json_get(root, "roles"), *role;
    size_t i, len;
    if (!list)
        return STATUS_OK;
    if (!yyjson_is_arr(list) || yyjson_arr_size(list) > JWT_ROLES_MAX)
        return refuse(err, "\"roles\" is no list of at most 64 names");
    struct str *roles = arena_array(arena, yyjson_arr_size(list) + 1, sizeof *roles);
    if (!roles)
        return error_no_memory(err);
    yyjson_arr_foreach(list, i, len, role)
    {
        if (!yyjson_is_str(role) || yyjson_get_len(role) > JWT_NAME_MAX)
            return refuse(err, "a role is no name");
        roles[i] = arena_str(arena, json_str_of(role));
        if (!roles[i].data)
            return error_no_memory(err);
    }
    ret->roles = roles;
    ret->roles_len = (uint32_t)yyjson_arr_size(list);
    return STATUS_OK;
}

static enum status check_times(const struct claims *claims, const struct jwt_rules *rules,
                               int64_t now_s, struct error *err)
{
    if (claims->expires_s + rules->skew_s <= now_s)
        return refuse(err, "it has expired");
    if (claims->not_before_s - rules->skew_s > now_s)
        return refuse(err, "it is not valid yet");
    if (claims->issued_s - rules->skew_s > now_s)
        return refuse(err, "it was issued in the future");
    return STATUS_OK;
}

/* "aud" is a text or a list of texts, of which one must be ours. */
static enum status check_audience(yyjson_val *root, const struct jwt_rules *rules,
                                  struct claims *ret, struct error *err)
{
    yyjson_val *value = json_get(root, "aud"), *one;
    size_t i, len;
    if (!rules->audience.data)
        return STATUS_OK;
    ret->audience = rules->audience;
    if (yyjson_is_str(value) && str_eq(json_str_of(value), rules->audience))
        return STATUS_OK;
    yyjson_arr_foreach(value, i, len,
                       one) if (yyjson_is_str(one) &&
                                str_eq(json_str_of(one), rules->audience)) return STATUS_OK;
    return refuse(err, "it is for another audience");
}

static enum status read_claims(yyjson_val *root, const struct jwt_rules *rules, int64_t now_s,
                               struct arena *arena, struct claims *ret, struct error *err)
{
    bool own = !rules->foreign;
    struct str use;
    *ret = (struct claims){0};
    TRY(read_time(root, "exp", true, &ret->expires_s, err));
    TRY(read_time(root, "nbf", own, &ret->not_before_s, err));
    TRY(read_time(root, "iat", own, &ret->issued_s, err));
    TRY(check_times(ret, rules, now_s, err));
    TRY(read_text(root, "iss", rules->issuer.data != NULL, arena, &ret->issuer, err));
    if (rules->issuer.data && !str_eq(ret->issuer, rules->issuer))
        return refuse(err, "it is of another issuer");
    TRY(check_audience(root, rules, ret, err));
    TRY(read_text(root, "sub", true, arena, &ret->subject, err));
    TRY(read_text(root, "jti", own, arena, &ret->id, err));
    if (rules->mapped)
        return STATUS_OK;
    TRY(read_text(root, "tenant_id", own, arena, &ret->tenant, err));
    TRY(read_text(root, "username", false, arena, &ret->username, err));
    TRY(read_text(root, "family", false, arena, &ret->family, err));
    TRY(read_text(root, "use", own, arena, &use, err));
    ret->use = str_is(use, "refresh") ? TOKEN_REFRESH : TOKEN_ACCESS;
    return read_roles(root, arena, ret, err);
}

enum status jwt_read_claims(struct str payload, const struct jwt_rules *rules, int64_t now_s,
                            struct arena *arena, struct claims *ret, struct error *err)
{
    yyjson_doc *doc = NULL;
    if (json_parse(payload, &doc, NULL) != STATUS_OK)
        return refuse(err, "its claims are not JSON");
    yyjson_val *root = yyjson_doc_get_root(doc);
    enum status status = yyjson_is_obj(root) ? read_claims(root, rules, now_s, arena, ret, err)
                                             : refuse(err, "its claims are no object");
    yyjson_doc_free(doc);
    return status;
}

enum status jwt_verify(const struct keyring *ring, const struct jwt_rules *rules, struct str token,
                       int64_t now_s, struct arena *arena, struct claims *ret, struct error *err)
{
    struct str payload;
    TRY(jws_verify(ring, token, arena, &payload, err));
    return jwt_read_claims(payload, rules, now_s, arena, ret, err);
}
