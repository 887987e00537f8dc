/* users.c: principals of kind "user": found, made, recognized by their password.
 *
 * The secret is a bcrypt hash, or "sha256:" and the hash of a generated password, which has so many
 * random bits that nobody can try them. */
#include <stdatomic.h>
#include <stdio.h>

#include "auth/password.h"
#include "base/utf8.h"
#include "services/gateway/gateway_int.h"

#define GENERATED "sha256:"

static const struct str ADMIN_ROLES[] = {STR("admin")};

struct caller gateway_caller(struct str tenant)
{
    return (struct caller){.tenant = tenant,
                           .principal = STR("gateway"),
                           .roles = ADMIN_ROLES,
                           .roles_len = 1,
                           .admin = true};
}

struct caller identity_caller(const struct request *request, const struct identity *identity)
{
    return (struct caller){.tenant = identity->tenant,
                           .principal = identity->user_id,
                           .roles = identity->roles,
                           .roles_len = identity->roles_len,
                           .admin = identity->level == PERMISSION_ADMIN,
                           .address = http_request_client(request->http),
                           .user_agent = http_request_header(request->http, "user-agent"),
                           .session = identity->family};
}

struct str tenant_of_secret(const struct gateway *gateway, struct str text)
{
    const char *dot = memchr(text.data, '.', text.len);
    size_t before = dot ? (size_t)(dot - text.data) + 1 : 0;
    return dot ? str_make(text.data + before, text.len - before) : str_of(gateway->options.tenant);
}

void secret_for_tenant(struct gateway *gateway, const char *prefix, struct str tenant,
                       char ret[TENANT_SECRET_MAX])
{
    char text[SECRET_TEXT_MAX];
    bool own = str_is(tenant, gateway->options.tenant);
    secret_make(gateway->sys, prefix, text);
    snprintf(ret, TENANT_SECRET_MAX, "%s%s%.*s", text, own ? "" : ".", own ? 0 : (int)tenant.len,
             own ? "" : tenant.data);
}

/* --- finding --- */

enum status user_find(struct gateway *gateway, struct str tenant, struct str id_or_name,
                      struct arena *arena, struct record *ret, struct error *err)
{
    struct catalog *catalog = gateway->options.catalog;
    struct caller caller = gateway_caller(tenant);
    char *name = arena_printf(arena, "user/%.*s", STR_ARG(id_or_name));
    if (!name)
        return error_no_memory(err);
    enum status status =
        entry_find(catalog, &caller, DOMAIN_PRINCIPAL, str_of(name), arena, ret, err);
    if (status == STATUS_NOT_FOUND)
        status = entry_get(catalog, &caller, DOMAIN_PRINCIPAL, id_or_name, arena, ret, err);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && !str_is(ret->kind, "user")))
        return error_set(err, STATUS_NOT_FOUND, "There is no user '%.*s'.", STR_ARG(id_or_name));
    return status;
}

bool user_is_disabled(const struct record *user)
{
    return str_is(user->lifecycle, "disabled");
}

void user_write(struct json_writer *w, const struct record *user)
{
    json_begin_object(w);
    json_kv_str(w, "user_id", user->id);
    json_kv_str(w, "username", user->name);
    json_kv_str(w, "tenant_id", user->tenant);
    json_kv_bool(w, "disabled", user_is_disabled(user));
    json_keyz(w, "roles");
    json_begin_array(w);
    for (uint32_t i = 0; i < user->roles.len; i++)
        json_string(w, user->roles.items[i]);
    json_end_array(w);
    json_end_object(w);
}

/* --- passwords --- */

enum status password_enter(struct gateway *gateway, struct error *err)
{
    if (atomic_fetch_add(&gateway->password_jobs, 1) < gateway->password_jobs_max)
        return STATUS_OK;
    password_leave(gateway);
    if (err)
        *err = ERROR_INIT;
    enum status status = error_set(err, STATUS_TOO_MANY_REQUESTS,
                                   "Too many logins at the same time; try again in a moment.");
    if (err)
        err->retry_after_s = 1;
    return status;
}

void password_leave(struct gateway *gateway)
{
    atomic_fetch_sub(&gateway->password_jobs, 1);
}

bool user_has_password(struct gateway *gateway, const struct record *user, struct str password)
{
    char hash[SECRET_HASH_TEXT];
    struct str secret = user ? user->secret : STR_NONE;
    if (!str_starts(secret, STR(GENERATED)))
        return password_matches(password, secret, gateway->options.bcrypt_rounds);
    secret_hash(password, hash);
    struct str kept = str_make(secret.data + strlen(GENERATED), secret.len - strlen(GENERATED));
    return secret_equal(kept, str_of(hash));
}

/* --- making --- */

enum status roles_check(const struct str *roles, uint32_t len, struct error *err)
{
    for (uint32_t i = 0; i < len; i++)
        if (gate_level(&roles[i], 1) == PERMISSION_NONE)
            return error_set(err, STATUS_INVALID_ARGUMENT,
                             "'%.*s' is no role; there are reader, writer, user, admin.",
                             STR_ARG(roles[i]));
    return STATUS_OK;
}

static bool is_plain(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.data[i] <= ' ' || name.data[i] == '/' || name.data[i] == 0x7f)
            return false;
    return utf8_is_valid(name.data, name.len);
}

static enum status check_name(struct str name, struct error *err)
{
    if (name.len == 0 || name.len > PRINCIPAL_NAME_MAX || !is_plain(name))
        return error_set(err, STATUS_INVALID_ARGUMENT,
                         "A user's name has 1 to %d bytes, without spaces, '/' and control "
                         "characters.",
                         PRINCIPAL_NAME_MAX);
    return STATUS_OK;
}

enum status user_create(struct gateway *gateway, const struct caller *caller,
                        const struct new_user *user, struct arena *arena, struct record *ret,
                        struct error *err)
{
    char hash[PASSWORD_HASH_MAX];
    struct record draft = {.domain = DOMAIN_PRINCIPAL,
                           .kind = STR("user"),
                           .name = user->username,
                           .roles = user->roles,
                           .attributes = STR("{}")};
    TRY(check_name(user->username, err));
    TRY(roles_check(user->roles.items, user->roles.len, err));
    TRY(password_check_rules(user->password, err));
    if (user->email.len > 0)
        TRY(attribute_set(&draft.attributes, "email", user->email, arena, err));
    TRY(password_enter(gateway, err));
    enum status status =
        password_hash(gateway->sys, user->password, gateway->options.bcrypt_rounds, hash, err);
    password_leave(gateway);
    TRY(status);
    draft.secret = str_of(hash);
    status = entry_create(gateway->options.catalog, caller, &draft, arena, ret, err);
    if (status == STATUS_CONFLICT)
        return error_set(err, status, "The name '%.*s' or the address is taken.",
                         STR_ARG(user->username));
    return status;
}

enum status user_create_generated(struct gateway *gateway, const struct caller *caller,
                                  struct str username, char password[SECRET_TEXT_MAX],
                                  struct arena *arena, struct error *err)
{
    struct str roles[] = {STR("admin")};
    char hash[SECRET_HASH_TEXT], secret[SECRET_HASH_TEXT + 8];
    struct record made;
    TRY(check_name(username, err));
    secret_make(gateway->sys, "", password);
    secret_hash(str_of(password), hash);
    snprintf(secret, sizeof secret, GENERATED "%s", hash);
    struct record draft = {.domain = DOMAIN_PRINCIPAL,
                           .kind = STR("user"),
                           .name = username,
                           .roles = {roles, 1},
                           .attributes = STR("{}"),
                           .secret = str_of(secret)};
    return entry_create(gateway->options.catalog, caller, &draft, arena, &made, err);
}

enum status users_ensure_admin(struct gateway *gateway, struct error *err)
{
    struct caller caller = gateway_caller(str_of(gateway->options.tenant));
    struct str kind = STR("user");
    struct match match = {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1};
    struct record_query query = {
        .domain = DOMAIN_PRINCIPAL, .matches = &match, .matches_len = 1, .limit = 1};
    char password[SECRET_TEXT_MAX];
    struct record_page page;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    enum status status = entry_query(gateway->options.catalog, &caller, &query, &arena, &page, err);
    if (status == STATUS_OK && page.len == 0) {
        status = user_create_generated(gateway, &caller, STR("admin"), password, &arena, err);
        if (status == STATUS_OK && gateway->options.first_admin)
            gateway->options.first_admin(gateway->options.first_admin_context, "admin", password);
        else if (status == STATUS_CONFLICT)
            status = STATUS_OK; /* another gateway was faster */
    }
    arena_release(&arena);
    return status;
}
