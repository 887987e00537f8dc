#include "auth/outside.h"

#include "auth/secret.h"

/* A claim by its name, or, when there is none of that name, by its path. */
static yyjson_val *find_claim(yyjson_val *root, struct str name)
{
    yyjson_val *found = yyjson_obj_getn(root, name.data, name.len);
    struct str rest = name, part;
    if (found)
        return found;
    found = root;
    for (int i = 0; i < OUTSIDE_PATH_MAX && found && str_split(&rest, '.', &part); i++)
        found = yyjson_obj_getn(found, part.data, part.len);
    return rest.data ? NULL : found;
}

static enum status copy_claim(yyjson_val *root, struct str name, bool required, struct arena *arena,
                              struct str *ret, struct error *err)
{
    yyjson_val *value = name.data ? find_claim(root, name) : NULL;
    struct str text = json_str_of(value);
    *ret = STR_NONE;
    if (!yyjson_is_str(value) || text.len == 0 || text.len > JWT_NAME_MAX)
        return required ? error_set(err, STATUS_UNAUTHENTICATED,
                                    "The token is refused: its claim '%.*s' is no text of 1 to %d "
                                    "bytes.",
                                    STR_ARG(name), JWT_NAME_MAX)
                        : STATUS_OK;
    *ret = arena_str(arena, text);
    return ret->data ? STATUS_OK : error_no_memory(err);
}

/* --- roles --- */

static void add_role(struct str *roles, uint32_t *len, struct str role)
{
    for (uint32_t i = 0; i < *len; i++)
        if (str_eq(roles[i], role))
            return;
    roles[(*len)++] = role;
}

static void map_role(const struct outside_mapping *mapping, struct str name, struct str *roles,
                     uint32_t *len)
{
    for (uint32_t i = 0; i < mapping->roles_len; i++)
        if (str_eq(mapping->roles[i].from, name))
            add_role(roles, len, mapping->roles[i].to);
}

/* A claim of another form, or none, gives nothing. */
static enum status map_roles(const struct outside_mapping *mapping, yyjson_val *root,
                             struct arena *arena, struct claims *claims, struct error *err)
{
    yyjson_val *value = mapping->roles_claim.data ? find_claim(root, mapping->roles_claim) : NULL;
    yyjson_val *one;
    size_t i, count;
    uint32_t len = 0;
    struct str rest = json_str_of(value), name;
    struct str *roles = arena_array(arena, mapping->roles_len + 1, sizeof *roles);
    if (!roles)
        return error_no_memory(err);
    while (yyjson_is_str(value) && str_split(&rest, ' ', &name))
        map_role(mapping, name, roles, &len);
    if (yyjson_is_arr(value))
        yyjson_arr_foreach(value, i, count, one) map_role(mapping, json_str_of(one), roles, &len);
    if (len == 0 && mapping->default_role.data)
        roles[len++] = mapping->default_role;
    claims->roles = roles;
    claims->roles_len = len;
    return STATUS_OK;
}

/* --- names --- */

static enum status prefixed(const struct outside_mapping *mapping, struct str text,
                            struct arena *arena, struct str *ret, struct error *err)
{
    char *made = arena_printf(arena, "%.*s:%.*s", STR_ARG(mapping->name), STR_ARG(text));
    if (!made)
        return error_no_memory(err);
    *ret = str_of(made);
    return STATUS_OK;
}

static enum status set_names(const struct outside_mapping *mapping, struct str token,
                             struct arena *arena, struct claims *claims, struct error *err)
{
    char hash[SECRET_HASH_TEXT];
    secret_hash(token, hash); /* so that a token without an id can be taken back, too */
    TRY(prefixed(mapping, claims->subject, arena, &claims->subject, err));
    return prefixed(mapping, claims->id.data ? claims->id : str_of(hash), arena, &claims->id, err);
}

static enum status apply(const struct outside_mapping *mapping, yyjson_val *root, struct str token,
                         struct arena *arena, struct claims *claims, struct error *err)
{
    TRY(set_names(mapping, token, arena, claims, err));
    TRY(copy_claim(root, mapping->username_claim, false, arena, &claims->username, err));
    if (mapping->tenant.data)
        claims->tenant = mapping->tenant;
    else
        TRY(copy_claim(root, mapping->tenant_claim, true, arena, &claims->tenant, err));
    claims->family = STR_NONE;
    claims->use = TOKEN_ACCESS;
    return map_roles(mapping, root, arena, claims, err);
}

enum status outside_apply(const struct outside_mapping *mapping, struct str payload,
                          struct str token, struct arena *arena, struct claims *claims,
                          struct error *err)
{
    yyjson_doc *doc = NULL;
    TRY(json_parse(payload, &doc, err));
    enum status status = apply(mapping, yyjson_doc_get_root(doc), token, arena, claims, err);
    yyjson_doc_free(doc);
    return status;
}
