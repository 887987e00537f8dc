/* tokens.c: tokens for users.
 *
 * A login starts a family of tokens named <user>.<generation>.<random>. A refresh token is good for
 * one refresh; who shows it a second time has stolen it or was stolen from, and the family ends.
 * Raising a user's generation ends all families of it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/uuid.h"
#include "services/gateway/gateway_int.h"

static int64_t now_s(const struct gateway *gateway)
{
    return sys_now_us(gateway->sys) / 1000000;
}

static void make_id(struct gateway *gateway, char out[UUID_TEXT_LEN + 1])
{
    unsigned char random[10];
    sys_random(gateway->sys, random, sizeof random);
    uuid_format(uuid_v7((uint64_t)sys_now_us(gateway->sys) / 1000, random), out);
}

static struct str generation_of(const struct record *user, struct arena *arena)
{
    struct str generation = attribute_get(user->attributes, "generation", arena);
    return generation.len > 0 ? generation : STR("0");
}

static struct claims claims_of(struct gateway *gateway, const struct record *user)
{
    int64_t now = now_s(gateway);
    return (struct claims){.subject = user->id,
                           .username = user->name,
                           .tenant = user->tenant,
                           .issuer = str_of(gateway->options.issuer),
                           .audience = str_of(gateway->options.audience),
                           .issued_s = now,
                           .not_before_s = now,
                           .roles = user->roles.items,
                           .roles_len = user->roles.len};
}

static enum status write_token(struct gateway *gateway, struct claims claims, enum token_use use,
                               int64_t life_s, const char *name, struct json_writer *w,
                               struct error *err)
{
    char id[UUID_TEXT_LEN + 1];
    struct buf token;
    make_id(gateway, id);
    claims.id = str_of(id);
    claims.use = use;
    claims.expires_s = claims.issued_s + life_s;
    buf_init(&token, JWT_BYTES_MAX);
    enum status status = jwt_sign(gateway->options.keys, &claims, &token, err);
    if (status == STATUS_OK)
        json_kv_str(w, name, buf_str(&token));
    buf_release(&token);
    return status;
}

enum status tokens_write(struct gateway *gateway, const struct record *user, struct str family,
                         struct json_writer *w, struct error *err)
{
    char random[UUID_TEXT_LEN + 1], name[JWT_NAME_MAX];
    struct arena arena;
    struct claims claims = claims_of(gateway, user);
    if (!family.len) {
        arena_init(&arena, 0);
        make_id(gateway, random);
        int n = snprintf(name, sizeof name, "%.*s.%.*s.%s", STR_ARG(user->id),
                         STR_ARG(generation_of(user, &arena)), random);
        arena_release(&arena);
        family = str_make(name, (size_t)n);
    }
    claims.family = family;
    TRY(write_token(gateway, claims, TOKEN_ACCESS, gateway->options.access_life_s, "access_token",
                    w, err));
    json_kv_strz(w, "token_type", "bearer");
    json_kv_int(w, "expires_in", gateway->options.access_life_s);
    return write_token(gateway, claims, TOKEN_REFRESH, gateway->options.refresh_life_s,
                       "refresh_token", w, err);
}

enum status token_for_key(struct gateway *gateway, const struct record *key, struct str username,
                          struct buf *ret, struct error *err)
{
    char id[UUID_TEXT_LEN + 1];
    struct claims claims = claims_of(gateway, key);
    make_id(gateway, id);
    claims.id = str_of(id);
    claims.subject = key->owner;
    claims.username = username;
    claims.family = key->id;
    claims.expires_s = claims.issued_s + KEY_TOKEN_LIFE_S;
    buf_append_str(ret, STR("Bearer "));
    return jwt_sign(gateway->options.keys, &claims, ret, err);
}

enum status token_revoke(struct gateway *gateway, struct str id, int64_t until_s, struct error *err)
{
    if (!id.len)
        return STATUS_OK;
    TRY(revocations_add(gateway->options.revocations, id, until_s, err));
    return shared_revoke(gateway, id, until_s, err);
}

static enum status raise_generation(void *context, struct record *user, struct arena *arena,
                                    struct error *err)
{
    char text[24];
    int64_t generation = 0;
    (void)context;
    (void)str_to_int64(generation_of(user, arena), &generation);
    int n = snprintf(text, sizeof text, "%lld", (long long)generation + 1);
    return attribute_set(&user->attributes, "generation", str_make(text, (size_t)n), arena, err);
}

enum status user_logout_everywhere(struct gateway *gateway, const struct caller *caller,
                                   const struct record *user, struct error *err)
{
    struct caller self = gateway_caller(caller->tenant);
    const struct asset_edit edit = {.action = "principal.logout", .edit = raise_generation};
    struct record changed;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    char *group =
        arena_printf(&arena, "%.*s.%.*s", STR_ARG(user->id), STR_ARG(generation_of(user, &arena)));
    enum status status = group ? STATUS_OK : error_no_memory(err);
    self.principal = caller->principal;
    if (status == STATUS_OK)
        status = entry_edit(gateway->options.catalog, &self, DOMAIN_PRINCIPAL, user->id, &edit,
                            &arena, &changed, err);
    if (status == STATUS_OK)
        status = token_revoke(gateway, str_of(group),
                              now_s(gateway) + gateway->options.refresh_life_s, err);
    arena_release(&arena);
    return status;
}

void identity_write(struct json_writer *w, const struct identity *identity)
{
    json_kv_str(w, "user_id", identity->user_id);
    json_kv_str(w, "username", identity->username);
    json_kv_str(w, "tenant_id", identity->tenant);
    json_keyz(w, "roles");
    json_begin_array(w);
    for (uint32_t i = 0; i < identity->roles_len; i++)
        json_string(w, identity->roles[i]);
    json_end_array(w);
    json_kv_int(w, "exp", identity->expires_s);
}
