/* npm.c: npm login, adduser, logout: the old way of npm ("couch"), which npm takes by itself where
 * no login page is offered.
 *
 * A login is an API key, named after what it is: it serves through the gateway, lasts as long as a
 * refresh token would, shows up in GET /auth/keys, and ends with npm logout. Users of the own
 * tenant only: npm has no place for another tenant's name; others put an API key into .npmrc. */
#include "services/gateway/gateway_int.h"

#define USER_PREFIX "org.couchdb.user:"
enum { ANSWER_MAX = 64 << 10 };

/* adduser makes a user only where everyone may register; else it is a login. */
static enum status add_user(struct gateway *gateway, struct request *request,
                            const struct credentials *shown)
{
    struct caller self = gateway_caller(shown->tenant);
    struct str role = str_of(gateway->options.default_role);
    struct new_user draft = {.username = shown->username,
                             .password = shown->password,
                             .email = request_str(request, "email"),
                             .roles = {&role, 1}};
    struct record user;
    if (!gateway->options.open_registration || !draft.email.len)
        return STATUS_OK;
    self.address = http_request_client(request->http);
    TRY(lockout_check(gateway->lockout, self.address, &request->error));
    enum status found =
        user_find(gateway, shown->tenant, shown->username, request->arena, &user, &request->error);
    if (found != STATUS_NOT_FOUND)
        return found;
    return user_create(gateway, &self, &draft, request->arena, &user, &request->error);
}

static enum status answer_token(struct request *request, struct str username, const char *token)
{
    struct json_writer w;
    struct buf body;
    buf_init(&body, ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "ok", true);
    json_kv_bool(&w, "success", true);
    json_key(&w, STR("id"));
    json_string(&w, username);
    json_kv_strz(&w, "token", token);
    json_end_object(&w);
    http_set_header(request->http, "Cache-Control", STR("no-store"));
    request_respond_json(request, 201, &body);
    return STATUS_OK;
}

enum status gateway_npm_login(struct request *request)
{
    struct gateway *gateway = request->context;
    struct str name = request_path_param(request, "user"), prefix = STR(USER_PREFIX);
    char text[TENANT_SECRET_MAX];
    struct caller caller;
    struct record user, key;
    if (str_starts(name, prefix))
        name = str_make(name.data + prefix.len, name.len - prefix.len);
    struct credentials shown = {.tenant = str_of(gateway->options.tenant),
                                .username = name,
                                .password = request_str(request, "password")};
    TRY(add_user(gateway, request, &shown));
    TRY(login_check(gateway, request, &shown, &user, &caller));
    struct new_key draft = {.owner = user.id,
                            .title = STR("npm login"),
                            .roles = user.roles,
                            .expires_us = sys_now_us(gateway->sys) +
                                          gateway->options.refresh_life_s * INT64_C(1000000)};
    TRY(api_key_make(gateway, shown.tenant, &draft, request->arena, text, &key, &request->error));
    return answer_token(request, user.name, text);
}

/* Whoever can show the token may end it. */
enum status gateway_npm_logout(struct request *request)
{
    struct json_writer w;
    struct buf body;
    enum status status = api_key_end(request->context, request_path_param(request, "token"),
                                     request->arena, &request->error);
    if (status == STATUS_NOT_FOUND) /* whose message would show what was asked for */
        return error_set(&request->error, status, "This key is not known: it is void already.");
    TRY(status);
    buf_init(&body, ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_kv_bool(&w, "ok", true);
    json_kv_bool(&w, "success", true);
    return reply_end(request, 200, &body, &w);
}
