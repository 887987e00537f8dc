/* admin.c: users as an admin sees them, one's own password, invitations. */
#include "auth/password.h"
#include "services/gateway/gateway_int.h"

enum { ANSWER_MAX = 1 << 20 };

/* The admin that the gate has let in. The local operator acts in the tenant of this place. */
static struct caller admin_caller(struct request *request)
{
    return identity_caller(request, &request->identity);
}

static enum status answer_user(struct request *request, int status, const struct record *user)
{
    struct json_writer w;
    struct buf body;
    reply_begin(&body, ANSWER_MAX, &w);
    if (user) {
        json_keyz(&w, "user");
        user_write(&w, user);
    }
    return reply_end(request, status, &body, &w);
}

/* The roles of a body, or the default one. */
static enum status read_roles(struct request *request, struct str_list *ret)
{
    struct gateway *gateway = request->context;
    yyjson_val *list = request_json(request, "roles"), *one;
    size_t i, len = yyjson_arr_size(list);
    struct str *roles = arena_array(request->arena, len + 1, sizeof *roles);
    if (!roles)
        return error_no_memory(&request->error);
    if (!list)
        roles[0] = str_of(gateway->options.default_role);
    yyjson_arr_foreach(list, i, len, one) roles[i] = json_str_of(one);
    *ret = (struct str_list){roles, list ? (uint32_t)len : 1};
    return roles_check(ret->items, ret->len, &request->error);
}

/* --- users --- */

enum status gateway_users(struct request *request)
{
    struct gateway *gateway = request->context;
    struct caller caller = admin_caller(request);
    struct str kind = STR("user");
    struct match match = {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1};
    struct record_query query = {.domain = DOMAIN_PRINCIPAL,
                                 .matches = &match,
                                 .matches_len = 1,
                                 .order = RECORD_name,
                                 .cursor = request_str(request, "cursor"),
                                 .limit = (uint32_t)request_int(request, "limit"),
                                 .count = true};
    struct record_page page;
    struct json_writer w;
    struct buf body;
    TRY(entry_query(gateway->options.catalog, &caller, &query, request->arena, &page,
                    &request->error));
    reply_begin(&body, ANSWER_MAX, &w);
    json_keyz(&w, "users");
    json_begin_array(&w);
    for (uint32_t i = 0; i < page.len; i++)
        user_write(&w, &page.records[i]);
    json_end_array(&w);
    json_kv_int(&w, "total", page.total);
    json_kv_str(&w, "next", page.next.len ? page.next : STR_NONE);
    return reply_end(request, 200, &body, &w);
}

enum status gateway_user_create(struct request *request)
{
    struct caller caller = admin_caller(request);
    struct new_user user = {.username = request_str(request, "username"),
                            .password = request_str(request, "password"),
                            .email = request_str(request, "email")};
    struct record made;
    TRY(read_roles(request, &user.roles));
    TRY(user_create(request->context, &caller, &user, request->arena, &made, &request->error));
    return answer_user(request, 201, &made);
}

/* What is to change; the rest stays. */
struct user_changes {
    const struct str_list *roles;
    struct str secret;
    struct str lifecycle;
};

static enum status change_user(void *context, struct record *user, struct arena *arena,
                               struct error *err)
{
    const struct user_changes *changes = context;
    (void)arena;
    (void)err;
    if (changes->roles)
        user->roles = *changes->roles;
    if (changes->secret.data)
        user->secret = changes->secret;
    if (changes->lifecycle.data)
        user->lifecycle = changes->lifecycle;
    return STATUS_OK;
}

static enum status hash_into(struct request *request, struct str password, struct str *ret)
{
    struct gateway *gateway = request->context;
    char hash[PASSWORD_HASH_MAX];
    TRY(password_enter(gateway, &request->error));
    enum status status = password_hash(gateway->sys, password, gateway->options.bcrypt_rounds, hash,
                                       &request->error);
    password_leave(gateway);
    TRY(status);
    *ret = arena_str(request->arena, str_of(hash));
    return ret->data ? STATUS_OK : error_no_memory(&request->error);
}

enum status gateway_user_update(struct request *request)
{
    struct gateway *gateway = request->context;
    struct caller caller = admin_caller(request);
    struct user_changes changes = {0};
    struct str_list roles;
    const struct asset_edit edit = {
        .action = "principal.update", .edit = change_user, .context = &changes};
    struct record user, changed;
    TRY(user_find(gateway, caller.tenant, request_path_param(request, "user_id"), request->arena,
                  &user, &request->error));
    TRY(read_roles(request, &roles));
    if (request_has(request, "roles"))
        changes.roles = &roles;
    if (request_has(request, "disabled"))
        changes.lifecycle = request_bool(request, "disabled") ? STR("disabled") : STR("active");
    if (request_has(request, "password"))
        TRY(hash_into(request, request_str(request, "password"), &changes.secret));
    TRY(entry_edit(gateway->options.catalog, &caller, DOMAIN_PRINCIPAL, user.id, &edit,
                   request->arena, &changed, &request->error));
    TRY(user_logout_everywhere(gateway, &caller, &changed, &request->error));
    return answer_user(request, 200, &changed);
}

enum status gateway_user_delete(struct request *request)
{
    struct gateway *gateway = request->context;
    struct caller caller = admin_caller(request);
    struct record user;
    TRY(user_find(gateway, caller.tenant, request_path_param(request, "user_id"), request->arena,
                  &user, &request->error));
    if (str_eq(user.id, caller.principal))
        return error_set(&request->error, STATUS_CONFLICT, "Nobody removes himself.");
    TRY(user_logout_everywhere(gateway, &caller, &user, &request->error));
    TRY(entry_remove(gateway->options.catalog, &caller, DOMAIN_PRINCIPAL, user.id,
                     &request->error));
    return answer_user(request, 200, NULL);
}

/* --- one's own password --- */

enum status gateway_password(struct request *request)
{
    struct gateway *gateway = request->context;
    struct user_changes changes = {0};
    const struct asset_edit edit = {
        .action = "principal.password", .edit = change_user, .context = &changes};
    const struct identity who = request->identity;
    struct record user, changed;
    struct caller self = gateway_caller(who.tenant);
    self.principal = who.user_id;
    TRY(lockout_check(gateway->lockout, who.user_id, &request->error));
    TRY(user_find(gateway, who.tenant, who.user_id, request->arena, &user, &request->error));
    TRY(password_enter(gateway, &request->error));
    bool right = user_has_password(gateway, &user, request_str(request, "current_password"));
    password_leave(gateway);
    if (!right) {
        lockout_fail(gateway->lockout, who.user_id);
        return error_set(&request->error, STATUS_FORBIDDEN, "The current password is wrong.");
    }
    TRY(hash_into(request, request_str(request, "new_password"), &changes.secret));
    TRY(entry_edit(gateway->options.catalog, &self, DOMAIN_PRINCIPAL, user.id, &edit,
                   request->arena, &changed, &request->error));
    TRY(user_logout_everywhere(gateway, &self, &changed, &request->error));
    return answer_user(request, 200, NULL);
}

/* --- invitations --- */

enum status gateway_invite(struct request *request)
{
    struct gateway *gateway = request->context;
    struct caller caller = admin_caller(request);
    char secret[TENANT_SECRET_MAX], hash[SECRET_HASH_TEXT];
    struct record made,
        draft = {.domain = DOMAIN_PRINCIPAL, .kind = STR("invitation"), .attributes = STR("{}")};
    struct json_writer w;
    struct buf body;
    TRY(read_roles(request, &draft.roles));
    secret_for_tenant(gateway, "qi_", caller.tenant, secret);
    secret_hash(str_of(secret), hash);
    draft.name = str_of(hash);
    draft.expires_us =
        sys_now_us(gateway->sys) + request_int(request, "expires_hours") * INT64_C(3600) * 1000000;
    TRY(entry_create(gateway->options.catalog, &caller, &draft, request->arena, &made,
                     &request->error));
    reply_begin(&body, ANSWER_MAX, &w);
    json_kv_strz(&w, "invitation", secret);
    json_kv_int(&w, "expires_at_s", draft.expires_us / 1000000);
    return reply_end(request, 201, &body, &w);
}
