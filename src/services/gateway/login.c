/* login.c: register, log in, refresh, log out, and what a token says. */
#include <stdatomic.h>

#include "services/gateway/gateway_int.h"

enum { ANSWER_MAX = 64 << 10 };

static struct gateway *gateway_of(struct request *request)
{
    return request->context;
}

static struct str own_tenant(const struct gateway *gateway)
{
    return str_of(gateway->options.tenant);
}

static enum status respond(struct request *request, int http_status, struct buf *body,
                           enum status status)
{
    if (status == STATUS_OK)
        request_respond_json(request, http_status, body);
    else
        buf_release(body);
    return status;
}

enum status gateway_audit(struct gateway *gateway, const struct caller *caller, const char *action,
                          struct str object, bool success, struct arena *arena, struct error *err)
{
    struct record event = {.kind = STR("audit"),
                           .name = str_of(action),
                           .object = object,
                           .success = success,
                           .attributes = STR("{}")};
    return event_append(gateway->options.catalog, caller, &event, 1, arena, err);
}

/* --- registering --- */

static enum status find_invitation(struct gateway *gateway, struct request *request,
                                   struct record *ret)
{
    char hash[SECRET_HASH_TEXT];
    struct str text = request_str(request, "invitation");
    struct caller self = gateway_caller(tenant_of_secret(gateway, text));
    secret_hash(text, hash);
    char *name = arena_printf(request->arena, "invitation/%s", hash);
    if (!name)
        return error_no_memory(&request->error);
    enum status status = entry_find(gateway->options.catalog, &self, DOMAIN_PRINCIPAL, str_of(name),
                                    request->arena, ret, &request->error);
    bool late = status == STATUS_OK && ret->expires_us < sys_now_us(gateway->sys);
    if (late || status == STATUS_NOT_FOUND)
        return error_set(&request->error, STATUS_FORBIDDEN,
                         "The invitation is not known, was used, or has expired.");
    return status;
}

/* Which tenant and roles the new user gets. An invitation is used up before the user is made: it
 * serves one, even when two use it at the same time. */
static enum status admit_new(struct gateway *gateway, struct request *request, struct caller *self,
                             struct str_list *ret_roles)
{
    struct record invitation;
    if (request_has(request, "invitation")) {
        TRY(find_invitation(gateway, request, &invitation));
        *ret_roles = invitation.roles;
        self->tenant = invitation.tenant;
        TRY(gate_check_tenant(gateway->gate, self->tenant, &request->error));
        return entry_remove(gateway->options.catalog, self, DOMAIN_PRINCIPAL, invitation.id,
                            &request->error);
    }
    if (!gateway->options.open_registration)
        return error_set(&request->error, STATUS_FORBIDDEN,
                         "Registration needs an invitation; ask an admin for one (REGISTRATION).");
    struct str *role = ARENA_NEW(request->arena, struct str);
    if (!role)
        return error_no_memory(&request->error);
    *role = str_of(gateway->options.default_role);
    *ret_roles = (struct str_list){role, 1};
    return STATUS_OK;
}

static void write_user_answer(struct buf *body, const struct record *user)
{
    struct json_writer w;
    reply_begin(body, ANSWER_MAX, &w);
    json_keyz(&w, "user");
    user_write(&w, user);
    json_end_object(&w);
}

enum status gateway_register(struct request *request)
{
    struct gateway *gateway = gateway_of(request);
    struct caller self = gateway_caller(own_tenant(gateway));
    struct new_user user = {.username = request_str(request, "username"),
                            .password = request_str(request, "password"),
                            .email = request_str(request, "email")};
    struct record made;
    struct buf body;
    self.address = http_request_client(request->http);
    TRY(lockout_check(gateway->lockout, self.address, &request->error));
    TRY(admit_new(gateway, request, &self, &user.roles));
    TRY(user_create(gateway, &self, &user, request->arena, &made, &request->error));
    write_user_answer(&body, &made);
    return respond(request, 201, &body, STATUS_OK);
}

/* --- logging in --- */

/* Waits grow with failures for the name and, more slowly, for the address. */
static enum status check_lockouts(struct gateway *gateway, struct request *request, struct str name)
{
    TRY(lockout_check(gateway->lockout, name, &request->error));
    return lockout_check(gateway->lockout, http_request_client(request->http), &request->error);
}

static enum status refuse_login(struct gateway *gateway, struct request *request, struct str name,
                                const struct caller *caller)
{
    lockout_fail(gateway->lockout, name);
    lockout_fail(gateway->lockout, http_request_client(request->http));
    TRY(gateway_audit(gateway, caller, "auth.login", STR_NONE, false, request->arena,
                      &request->error));
    return error_set(&request->error, STATUS_UNAUTHENTICATED,
                     "The user name or the password is wrong.");
}

/* One answer, one duration for an unknown user, a wrong password and a disabled account. */
static enum status authenticate(struct gateway *gateway, struct request *request,
                                const struct credentials *shown, struct record *user,
                                struct caller *caller)
{
    char *name =
        arena_printf(request->arena, "%.*s/%.*s", STR_ARG(shown->tenant), STR_ARG(shown->username));
    if (!name)
        return error_no_memory(&request->error);
    TRY(check_lockouts(gateway, request, str_of(name)));
    enum status found =
        user_find(gateway, shown->tenant, shown->username, request->arena, user, &request->error);
    if (found != STATUS_OK && found != STATUS_NOT_FOUND && found != STATUS_INVALID_ARGUMENT)
        return found;
    TRY(password_enter(gateway, &request->error));
    bool right = user_has_password(gateway, found == STATUS_OK ? user : NULL, shown->password);
    password_leave(gateway);
    *caller = gateway_caller(shown->tenant);
    caller->address = http_request_client(request->http);
    caller->principal = found == STATUS_OK ? user->id : STR("unknown");
    if (!right || user_is_disabled(user))
        return refuse_login(gateway, request, str_of(name), caller);
    lockout_forget(gateway->lockout, str_of(name));
    return STATUS_OK;
}

enum status login_check(struct gateway *gateway, struct request *request,
                        const struct credentials *shown, struct record *ret_user,
                        struct caller *ret_caller)
{
    *ret_user = (struct record){0};
    TRY(authenticate(gateway, request, shown, ret_user, ret_caller));
    TRY(gate_check_tenant(gateway->gate, shown->tenant, &request->error));
    return gateway_audit(gateway, ret_caller, "auth.login", STR_NONE, true, request->arena,
                         &request->error);
}

static enum status respond_tokens(struct gateway *gateway, struct request *request,
                                  const struct record *user, struct str family)
{
    struct json_writer w;
    struct buf body;
    buf_init(&body, ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    enum status status = tokens_write(gateway, user, family, &w, &request->error);
    json_keyz(&w, "user");
    user_write(&w, user);
    json_end_object(&w);
    http_set_header(request->http, "Cache-Control", STR("no-store"));
    return respond(request, 200, &body, status);
}

enum status gateway_login(struct request *request)
{
    struct gateway *gateway = gateway_of(request);
    bool has_tenant = request_has(request, "tenant_id");
    struct credentials shown = {.tenant = has_tenant ? request_str(request, "tenant_id")
                                                     : own_tenant(gateway),
                                .username = request_str(request, "username"),
                                .password = request_str(request, "password")};
    struct caller caller;
    struct record user;
    TRY(login_check(gateway, request, &shown, &user, &caller));
    return respond_tokens(gateway, request, &user, STR_NONE);
}

/* --- refreshing --- */

enum status gateway_refresh(struct request *request)
{
    struct gateway *gateway = gateway_of(request);
    struct claims claims = {0};
    struct record user;
    enum status status =
        verifier_check(gateway->options.verifier, request_str(request, "refresh_token"),
                       request->arena, &claims, &request->error);
    if (status == STATUS_UNAUTHENTICATED && claims.use == TOKEN_REFRESH && claims.family.len)
        TRY(token_revoke(gateway, claims.family, claims.expires_s, NULL)); /* used twice */
    TRY(status);
    if (claims.use != TOKEN_REFRESH)
        return error_set(&request->error, STATUS_UNAUTHENTICATED, "This is no refresh token.");
    TRY(gate_check_tenant(gateway->gate, claims.tenant, &request->error));
    status =
        user_find(gateway, claims.tenant, claims.subject, request->arena, &user, &request->error);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && user_is_disabled(&user)))
        return error_set(&request->error, STATUS_UNAUTHENTICATED,
                         "The user of this token is gone or disabled.");
    TRY(status);
    TRY(token_revoke(gateway, claims.id, claims.expires_s, &request->error));
    return respond_tokens(gateway, request, &user, claims.family);
}

/* --- logging out --- */

enum status gateway_logout(struct request *request)
{
    struct gateway *gateway = gateway_of(request);
    const struct identity who = request->identity;
    struct caller caller = identity_caller(request, &who);
    int64_t until_s = sys_now_us(gateway->sys) / 1000000 + gateway->options.refresh_life_s;
    TRY(token_revoke(gateway, who.token_id, who.expires_s, &request->error));
    TRY(token_revoke(gateway, who.family, until_s, &request->error));
    TRY(gateway_audit(gateway, &caller, "auth.logout", STR_NONE, true, request->arena,
                      &request->error));
    return reply_success(request);
}

/* --- looking --- */

enum status gateway_validate(struct request *request)
{
    struct gateway *gateway = gateway_of(request);
    struct str header = http_request_header(request->http, "authorization");
    struct identity who;
    struct json_writer w;
    struct buf body;
    if (request_has(request, "token")) {
        char *text =
            arena_printf(request->arena, "Bearer %.*s", STR_ARG(request_str(request, "token")));
        if (!text)
            return error_no_memory(&request->error);
        header = str_of(text);
    }
    TRY(gate_identify(gateway->gate, header, request->arena, &who, &request->error));
    buf_init(&body, ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "valid", true);
    json_keyz(&w, "claims");
    json_begin_object(&w);
    identity_write(&w, &who);
    json_end_object(&w);
    json_end_object(&w);
    return respond(request, 200, &body, STATUS_OK);
}

enum status gateway_me(struct request *request)
{
    const struct identity who = request->identity;
    struct json_writer w;
    struct buf body;
    buf_init(&body, ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    identity_write(&w, &who);
    json_end_object(&w);
    return respond(request, 200, &body, STATUS_OK);
}

static void write_permissions(struct json_writer *w, const struct record *user)
{
    enum permission level = gate_level(user->roles.items, user->roles.len);
    json_begin_object(w);
    json_kv_str(w, "user_id", user->id);
    json_kv_str(w, "username", user->name);
    json_keyz(w, "roles");
    json_begin_array(w);
    for (uint32_t i = 0; i < user->roles.len; i++)
        json_string(w, user->roles.items[i]);
    json_end_array(w);
    json_keyz(w, "permissions");
    json_begin_array(w);
    for (int p = PERMISSION_READ; p <= (int)level; p++)
        json_stringz(w, permission_name((enum permission)p));
    json_end_array(w);
    json_end_object(w);
}

enum status gateway_permissions(struct request *request)
{
    struct gateway *gateway = gateway_of(request);
    struct str wanted = request_path_param(request, "user_id");
    const struct identity who = request->identity;
    struct record user;
    struct json_writer w;
    struct buf body;
    if (who.level < PERMISSION_ADMIN && !str_eq(wanted, who.user_id) &&
        !str_eq(wanted, who.username))
        return error_set(&request->error, STATUS_FORBIDDEN,
                         "Only an admin looks at the permissions of others.");
    TRY(user_find(gateway, who.tenant, wanted, request->arena, &user, &request->error));
    buf_init(&body, ANSWER_MAX);
    json_writer_init(&w, &body);
    write_permissions(&w, &user);
    return respond(request, 200, &body, STATUS_OK);
}

enum status gateway_jwks(struct request *request)
{
    struct json_writer w;
    struct buf body;
    buf_init(&body, 1 << 20);
    json_writer_init(&w, &body);
    keyring_write_jwks(gateway_of(request)->options.keys, &w);
    return respond(request, 200, &body, STATUS_OK);
}
