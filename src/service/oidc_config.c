/* oidc_config.c: the file of outside issuers. Unknown members are refused: a slip in a name must
 * not widen what is believed. */
#include "service/gate.h"
#include "service/oidc_int.h"

static enum status wrong(struct error *err, const char *member, const char *what)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "\"%s\" %s", member, what);
}

static const char *const MEMBERS[] = {
    "name",           "issuer",      "audience",        "algorithms",  "jwks_url",
    "jwks_file",      "ca_file",     "refresh_seconds", "tenant",      "tenant_claim",
    "username_claim", "roles_claim", "roles",           "default_role"};

static enum status check_members(yyjson_val *object, struct error *err)
{
    yyjson_val *key, *value;
    size_t i, len;
    yyjson_obj_foreach(object, i, len, key, value)
    {
        bool known = false;
        for (size_t m = 0; m < sizeof MEMBERS / sizeof *MEMBERS; m++)
            known = known || str_is(json_str_of(key), MEMBERS[m]);
        if (!known)
            return error_set(err, STATUS_INVALID_ARGUMENT, "an issuer has no member \"%.*s\"",
                             STR_ARG(json_str_of(key)));
    }
    return STATUS_OK;
}

static enum status read_text(yyjson_val *object, const char *member, bool required, size_t max,
                             struct arena *arena, struct str *ret, struct error *err)
{
    yyjson_val *value = json_get(object, member);
    *ret = STR_NONE;
    if (!value || yyjson_is_null(value))
        return required ? wrong(err, member, "is missing") : STATUS_OK;
    struct str text = json_str_of(value);
    if (!yyjson_is_str(value) || text.len == 0 || text.len > max)
        return wrong(err, member, "is no text, or too long");
    *ret = arena_str(arena, text);
    return ret->data ? STATUS_OK : error_no_memory(err);
}

static enum status check_name(struct str name, struct error *err)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.data[i];
        if (!((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-'))
            return wrong(err, "name", "has letters, digits and '-' only");
    }
    return STATUS_OK;
}

static enum status read_algorithms(yyjson_val *list, unsigned *ret, struct error *err)
{
    yyjson_val *one;
    size_t i, len;
    enum auth_alg alg;
    *ret = 1u << AUTH_RS256 | 1u << AUTH_ES256 | 1u << AUTH_EDDSA;
    if (!list)
        return STATUS_OK;
    *ret = 0;
    yyjson_arr_foreach(list, i, len, one)
    {
        if (!auth_alg_parse(json_str_of(one), &alg) || alg == AUTH_HS256)
            return wrong(err, "algorithms", "are of RS256, ES256, EdDSA");
        *ret |= 1u << alg;
    }
    return *ret ? STATUS_OK : wrong(err, "algorithms", "is no list of names");
}

static bool is_safe_url(struct str url)
{
    static const char *const SAFE[] = {"https://",
                                       "http://127.0.0.1:", "http://[::1]:", "http://localhost:"};
    for (size_t i = 0; i < sizeof SAFE / sizeof *SAFE; i++)
        if (str_starts(url, str_of(SAFE[i])))
            return true;
    return false;
}

static enum status read_source(yyjson_val *object, struct arena *arena, struct oidc_issuer *ret,
                               struct error *err)
{
    struct str url, file, ca_file;
    int64_t seconds = 3600;
    yyjson_val *refresh = json_get(object, "refresh_seconds");
    TRY(read_text(object, "jwks_url", false, 1024, arena, &url, err));
    TRY(read_text(object, "jwks_file", false, SYS_PATH_MAX - 1, arena, &file, err));
    TRY(read_text(object, "ca_file", false, SYS_PATH_MAX - 1, arena, &ca_file, err));
    if (!url.data == !file.data)
        return wrong(err, "jwks_url", "or \"jwks_file\" is needed, not both");
    if (url.data && !is_safe_url(url))
        return wrong(err, "jwks_url", "is https, or http on the loopback");
    if (refresh)
        seconds = yyjson_is_int(refresh) ? yyjson_get_sint(refresh) : 0;
    if (seconds < 60 || seconds > 86400)
        return wrong(err, "refresh_seconds", "is 60 to 86400");
    ret->url = url.data;
    ret->file = file.data;
    ret->ca_file = ca_file.data;
    ret->refresh_us = seconds * 1000000;
    return STATUS_OK;
}

static enum status check_role(struct str role, struct error *err)
{
    return gate_level(&role, 1) > PERMISSION_PERSON
               ? STATUS_OK
               : error_set(err, STATUS_INVALID_ARGUMENT, "'%.*s' is no role", STR_ARG(role));
}

static enum status read_roles(yyjson_val *map, struct arena *arena, struct outside_mapping *ret,
                              struct error *err)
{
    yyjson_val *key, *value;
    size_t i, len = yyjson_obj_size(map);
    struct outside_role *roles = arena_array(arena, len + 1, sizeof *roles);
    if (!roles)
        return error_no_memory(err);
    if ((map && !yyjson_is_obj(map)) || len > OIDC_ROLES_MAX)
        return wrong(err, "roles", "is no object of at most 256 names");
    yyjson_obj_foreach(map, i, len, key, value)
    {
        roles[i] = (struct outside_role){arena_str(arena, json_str_of(key)),
                                         arena_str(arena, json_str_of(value))};
        if (!roles[i].from.data || !roles[i].to.data)
            return error_no_memory(err);
        TRY(check_role(roles[i].to, err));
    }
    ret->roles = roles;
    ret->roles_len = (uint32_t)len;
    return STATUS_OK;
}

static enum status read_mapping(yyjson_val *object, struct arena *arena,
                                struct outside_mapping *ret, struct error *err)
{
    TRY(read_text(object, "name", true, OUTSIDE_NAME_MAX, arena, &ret->name, err));
    TRY(check_name(ret->name, err));
    TRY(read_text(object, "tenant", false, JWT_NAME_MAX, arena, &ret->tenant, err));
    TRY(read_text(object, "tenant_claim", false, JWT_NAME_MAX, arena, &ret->tenant_claim, err));
    TRY(read_text(object, "username_claim", false, JWT_NAME_MAX, arena, &ret->username_claim, err));
    TRY(read_text(object, "roles_claim", false, JWT_NAME_MAX, arena, &ret->roles_claim, err));
    TRY(read_text(object, "default_role", false, JWT_NAME_MAX, arena, &ret->default_role, err));
    if (!ret->tenant.data == !ret->tenant_claim.data)
        return wrong(err, "tenant", "or \"tenant_claim\" is needed, not both");
    if (ret->default_role.data)
        TRY(check_role(ret->default_role, err));
    return read_roles(json_get(object, "roles"), arena, ret, err);
}

static enum status read_issuer(yyjson_val *object, struct arena *arena, struct oidc_issuer *ret,
                               struct error *err)
{
    if (!yyjson_is_obj(object))
        return error_set(err, STATUS_INVALID_ARGUMENT, "an issuer is no object");
    TRY(check_members(object, err));
    TRY(read_text(object, "issuer", true, JWT_NAME_MAX, arena, &ret->issuer, err));
    TRY(read_text(object, "audience", true, JWT_NAME_MAX, arena, &ret->audience, err));
    TRY(read_algorithms(json_get(object, "algorithms"), &ret->algorithms, err));
    TRY(read_source(object, arena, ret, err));
    return read_mapping(object, arena, &ret->mapping, err);
}

static enum status read_list(yyjson_val *list, struct arena *arena, struct oidc_issuer **ret,
                             uint32_t *ret_len, struct error *err)
{
    yyjson_val *one;
    size_t i, len = yyjson_arr_size(list);
    if (!yyjson_is_arr(list) || len == 0 || len >= VERIFIER_ISSUERS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "\"issuers\" is no list of 1 to %d issuers",
                         VERIFIER_ISSUERS_MAX - 1);
    struct oidc_issuer *issuers = arena_array(arena, len, sizeof *issuers);
    if (!issuers)
        return error_no_memory(err);
    yyjson_arr_foreach(list, i, len, one)
    {
        TRY(read_issuer(one, arena, &issuers[i], err));
        for (size_t before = 0; before < i; before++)
            if (str_eq(issuers[before].mapping.name, issuers[i].mapping.name) ||
                str_eq(issuers[before].issuer, issuers[i].issuer))
                return wrong(err, "name", "and \"issuer\" are each one's own");
    }
    *ret = issuers;
    *ret_len = (uint32_t)len;
    return STATUS_OK;
}

enum status oidc_read_config(struct str text, struct arena *arena, struct oidc_issuer **ret,
                             uint32_t *ret_len, struct error *err)
{
    yyjson_doc *doc = NULL;
    TRY(json_parse(text, &doc, err));
    enum status status =
        read_list(json_get(yyjson_doc_get_root(doc), "issuers"), arena, ret, ret_len, err);
    yyjson_doc_free(doc);
    return status;
}
