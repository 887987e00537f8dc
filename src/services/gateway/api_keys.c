/* api_keys.c: keys for programs.
 *
 * A key is a principal of kind "api_key", named by the hash of its text, owned by its user; its
 * roles are its scopes. The gateway puts a token of a few minutes in its place, so that the
 * services behind know tokens only; a made token serves for a minute. */
#include <stdatomic.h>
#include <stdlib.h>

#include "services/gateway/gateway_int.h"

#define KEY_PREFIX "qk_"
#define DAY_US     (INT64_C(86400) * 1000000)
enum { ANSWER_MAX = 1 << 20, KEYS_LISTED_MAX = 1000 };

/* --- in place of a token --- */

static struct key_token *slot_of(struct gateway *gateway, const char *hash)
{
    return &gateway->key_tokens[str_hash(str_of(hash)) % KEY_TOKENS_MAX];
}

static bool take_kept(struct gateway *gateway, const char *hash, struct arena *arena,
                      struct str *ret)
{
    bool found = false;
    pthread_mutex_lock(&gateway->keys_lock);
    struct key_token *slot = slot_of(gateway, hash);
    if (strcmp(slot->hash, hash) == 0 && slot->until_s > sys_now_us(gateway->sys) / 1000000) {
        *ret = arena_str(arena, str_of(slot->authorization));
        found = ret->data != NULL;
    }
    pthread_mutex_unlock(&gateway->keys_lock);
    return found;
}

static void keep(struct gateway *gateway, const char *hash, struct str key_id,
                 struct str authorization)
{
    char *copy = str_dup(authorization);
    if (!copy)
        return;
    pthread_mutex_lock(&gateway->keys_lock);
    struct key_token *slot = slot_of(gateway, hash);
    free(slot->authorization);
    *slot = (struct key_token){.authorization = copy,
                               .until_s = sys_now_us(gateway->sys) / 1000000 + KEY_TOKEN_REUSE_S};
    memcpy(slot->hash, hash, strlen(hash));
    memcpy(slot->key_id, key_id.data,
           key_id.len < sizeof slot->key_id ? key_id.len : sizeof slot->key_id - 1);
    pthread_mutex_unlock(&gateway->keys_lock);
}

static void forget(struct gateway *gateway, struct str key_id)
{
    pthread_mutex_lock(&gateway->keys_lock);
    for (int i = 0; i < KEY_TOKENS_MAX; i++)
        if (str_is(key_id, gateway->key_tokens[i].key_id))
            gateway->key_tokens[i].hash[0] = '\0';
    pthread_mutex_unlock(&gateway->keys_lock);
}

void api_keys_release(struct gateway *gateway)
{
    for (int i = 0; i < KEY_TOKENS_MAX; i++)
        free(gateway->key_tokens[i].authorization);
}

static enum status refuse(struct request *request)
{
    return error_set(&request->error, STATUS_UNAUTHENTICATED,
                     "The API key is not known, was revoked, or has expired.");
}

static void touch(struct gateway *gateway, const struct record *key)
{
    struct record used = {.domain = DOMAIN_PRINCIPAL,
                          .tenant = key->tenant,
                          .id = key->id,
                          .accessed_us = sys_now_us(gateway->sys)};
    const struct change change = {.kind = CHANGE_TOUCH, .record = &used};
    (void)backend_commit(catalog_backend(gateway->options.catalog), &change, 1, NULL, NULL);
}

static enum status make_token(struct gateway *gateway, struct request *request, struct str tenant,
                              const char *hash, struct str *ret)
{
    struct caller self = gateway_caller(tenant);
    char *name = arena_printf(request->arena, "api_key/%s", hash);
    struct record key, owner;
    struct buf token;
    if (!name)
        return error_no_memory(&request->error);
    enum status status = entry_find(gateway->options.catalog, &self, DOMAIN_PRINCIPAL, str_of(name),
                                    request->arena, &key, &request->error);
    if (status == STATUS_NOT_FOUND ||
        (status == STATUS_OK && key.expires_us && key.expires_us < sys_now_us(gateway->sys)))
        return refuse(request);
    TRY(status);
    status = user_find(gateway, self.tenant, key.owner, request->arena, &owner, &request->error);
    if (status == STATUS_NOT_FOUND || (status == STATUS_OK && user_is_disabled(&owner)))
        return refuse(request);
    TRY(status);
    touch(gateway, &key);
    buf_init(&token, JWT_BYTES_MAX);
    status = token_for_key(gateway, &key, owner.name, &token, &request->error);
    if (status == STATUS_OK) {
        *ret = arena_str(request->arena, buf_str(&token));
        keep(gateway, hash, key.id, buf_str(&token));
    }
    buf_release(&token);
    return status == STATUS_OK && !ret->data ? error_no_memory(&request->error) : status;
}

enum status api_key_exchange(struct gateway *gateway, struct request *request,
                             struct str *authorization)
{
    struct str text = http_request_header(request->http, "x-api-key"), rest = *authorization;
    struct str scheme;
    char hash[SECRET_HASH_TEXT];
    if (!text.data && rest.data && str_split(&rest, ' ', &scheme) &&
        str_eq_nocase(scheme, STR("bearer")) && str_starts(str_trim(rest), STR(KEY_PREFIX)))
        text = str_trim(rest);
    if (!text.data)
        return STATUS_OK;
    secret_hash(text, hash);
    if (take_kept(gateway, hash, request->arena, authorization))
        return STATUS_OK;
    struct str tenant = tenant_of_secret(gateway, text);
    return make_token(gateway, request, tenant, hash, authorization);
}

/* --- as things of a user --- */

static void write_key(struct json_writer *w, const struct record *key)
{
    json_begin_object(w);
    json_kv_str(w, "key_id", key->id);
    json_kv_str(w, "name", key->title);
    json_keyz(w, "scopes");
    json_begin_array(w);
    for (uint32_t i = 0; i < key->roles.len; i++)
        json_string(w, key->roles.items[i]);
    json_end_array(w);
    json_kv_int(w, "created_at_s", key->created_us / 1000000);
    json_keyz(w, "expires_at_s");
    key->expires_us ? json_int(w, key->expires_us / 1000000) : json_null(w);
    json_keyz(w, "last_used_at_s");
    key->accessed_us ? json_int(w, key->accessed_us / 1000000) : json_null(w);
    json_end_object(w);
}

static enum status answer_key(struct request *request, int status, const struct record *key,
                              const char *text)
{
    struct json_writer w;
    struct buf body;
    reply_begin(&body, ANSWER_MAX, &w);
    if (text)
        json_kv_strz(&w, "api_key", text);
    if (key) {
        json_keyz(&w, "key");
        write_key(&w, key);
    }
    json_end_object(&w);
    http_set_header(request->http, "Cache-Control", STR("no-store"));
    request_respond_json(request, status, &body);
    return STATUS_OK;
}

/* Scopes: none that allows more than the caller may. */
static enum status read_scopes(struct request *request, const struct identity *who,
                               struct str_list *ret)
{
    yyjson_val *list = request_json(request, "scopes"), *one;
    size_t i, len = list ? yyjson_arr_size(list) : who->roles_len;
    struct str *roles = arena_array(request->arena, len + 1, sizeof *roles);
    if (!roles)
        return error_no_memory(&request->error);
    for (uint32_t at = 0; !list && at < who->roles_len; at++)
        roles[at] = who->roles[at];
    yyjson_arr_foreach(list, i, len, one) roles[i] = json_str_of(one);
    *ret = (struct str_list){roles, (uint32_t)(list ? yyjson_arr_size(list) : who->roles_len)};
    TRY(roles_check(ret->items, ret->len, &request->error));
    if (gate_level(ret->items, ret->len) > who->level)
        return error_set(&request->error, STATUS_FORBIDDEN, "A key cannot do more than its owner.");
    return STATUS_OK;
}

enum status api_key_make(struct gateway *gateway, struct str tenant, const struct new_key *key,
                         struct arena *arena, char ret_text[TENANT_SECRET_MAX], struct record *ret,
                         struct error *err)
{
    char hash[SECRET_HASH_TEXT];
    struct record draft = {.domain = DOMAIN_PRINCIPAL,
                           .kind = STR("api_key"),
                           .attributes = STR("{}"),
                           .title = key->title,
                           .roles = key->roles,
                           .owner = key->owner,
                           .expires_us = key->expires_us};
    struct caller self = gateway_caller(tenant);
    self.principal = key->owner;
    secret_for_tenant(gateway, KEY_PREFIX, tenant, ret_text);
    secret_hash(str_of(ret_text), hash);
    draft.name = str_of(hash);
    return entry_create(gateway->options.catalog, &self, &draft, arena, ret, err);
}

enum status gateway_key_create(struct request *request)
{
    struct gateway *gateway = request->context;
    const struct identity who = request->identity;
    char text[TENANT_SECRET_MAX];
    struct record made;
    struct new_key key = {.owner = who.user_id, .title = request_str(request, "name")};
    TRY(user_find(gateway, who.tenant, who.user_id, request->arena, &made, &request->error));
    TRY(read_scopes(request, &who, &key.roles));
    if (request_has(request, "expires_days"))
        key.expires_us = sys_now_us(gateway->sys) + request_int(request, "expires_days") * DAY_US;
    TRY(api_key_make(gateway, who.tenant, &key, request->arena, text, &made, &request->error));
    return answer_key(request, 201, &made, text);
}

enum status gateway_keys(struct request *request)
{
    struct gateway *gateway = request->context;
    const struct identity who = request->identity;
    struct record_page page;
    struct json_writer w;
    struct buf body;
    struct caller self = identity_caller(request, &who);
    struct str kind = STR("api_key");
    struct match matches[] = {
        {.field = RECORD_kind, .op = MATCH_EQ, .values = &kind, .values_len = 1},
        {.field = RECORD_owner, .op = MATCH_EQ, .values = &who.user_id, .values_len = 1}};
    struct record_query query = {
        .domain = DOMAIN_PRINCIPAL, .matches = matches, .matches_len = 2, .limit = KEYS_LISTED_MAX};
    TRY(entry_query(gateway->options.catalog, &self, &query, request->arena, &page,
                    &request->error));
    buf_init(&body, ANSWER_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_keyz(&w, "keys");
    json_begin_array(&w);
    for (uint32_t i = 0; i < page.len; i++)
        write_key(&w, &page.records[i]);
    json_end_array(&w);
    return reply_end(request, 200, &body, &w);
}

/* The caller's own key, or any of the tenant for an admin. */
static enum status own_key(struct request *request, struct record *ret)
{
    struct gateway *gateway = request->context;
    const struct identity *who = &request->identity;
    struct str id = request_path_param(request, "key_id");
    struct caller self = identity_caller(request, who);
    enum status status = entry_get(gateway->options.catalog, &self, DOMAIN_PRINCIPAL, id,
                                   request->arena, ret, &request->error);
    bool own = status == STATUS_OK && str_is(ret->kind, "api_key") &&
               (str_eq(ret->owner, who->user_id) || who->level == PERMISSION_ADMIN);
    if (status != STATUS_OK && status != STATUS_NOT_FOUND)
        return status;
    return own ? STATUS_OK
               : error_set(&request->error, STATUS_NOT_FOUND, "You have no key '%.*s'.",
                           STR_ARG(id));
}

/* Tokens made for the key belong to the family that has its id. */
static enum status void_key(struct gateway *gateway, const struct record *key, struct error *err)
{
    forget(gateway, key->id);
    return token_revoke(gateway, key->id, sys_now_us(gateway->sys) / 1000000 + KEY_TOKEN_LIFE_S,
                        err);
}

static enum status remove_key(struct gateway *gateway, struct str who, const struct record *key,
                              struct error *err)
{
    struct caller self = gateway_caller(key->tenant);
    self.principal = who;
    TRY(entry_remove(gateway->options.catalog, &self, DOMAIN_PRINCIPAL, key->id, err));
    return void_key(gateway, key, err);
}

enum status api_key_end(struct gateway *gateway, struct str text, struct arena *arena,
                        struct error *err)
{
    char hash[SECRET_HASH_TEXT];
    struct caller self = gateway_caller(tenant_of_secret(gateway, text));
    struct record key;
    secret_hash(text, hash);
    char *name = arena_printf(arena, "api_key/%s", hash);
    if (!name)
        return error_no_memory(err);
    TRY(entry_find(gateway->options.catalog, &self, DOMAIN_PRINCIPAL, str_of(name), arena, &key,
                   err));
    return remove_key(gateway, key.owner, &key, err);
}

enum status gateway_key_revoke(struct request *request)
{
    struct record key;
    TRY(own_key(request, &key));
    TRY(remove_key(request->context, request->identity.user_id, &key, &request->error));
    return answer_key(request, 200, NULL, NULL);
}

/* A new key with all that the old one had, then the old one goes: between the two both work. */
enum status gateway_key_rotate(struct request *request)
{
    struct gateway *gateway = request->context;
    const struct identity who = request->identity;
    struct record key, made;
    char text[TENANT_SECRET_MAX];
    TRY(own_key(request, &key));
    struct new_key again = {
        .owner = key.owner, .title = key.title, .roles = key.roles, .expires_us = key.expires_us};
    TRY(api_key_make(gateway, who.tenant, &again, request->arena, text, &made, &request->error));
    TRY(remove_key(gateway, who.user_id, &key, &request->error));
    return answer_key(request, 200, &made, text);
}
