/* gateway_int.h: what the gateway's files share. */
#ifndef QUARRY_SERVICES_GATEWAY_INT_H
#define QUARRY_SERVICES_GATEWAY_INT_H

#include "auth/lockout.h"
#include "auth/rate.h"
#include "auth/secret.h"
#include "catalog/catalog.h"
#include "service/reply.h"
#include "services/gateway/gateway.h"
#include "services/gateway/upstream.h"
#include "sys/thread.h"

enum {
    KEY_TOKEN_LIFE_S = 300, /* of the token that stands for an API key behind the gateway */
    KEY_TOKEN_REUSE_S = 60, /* a made one serves so long */
    KEY_TOKENS_MAX = 1024,
    PASSWORD_JOBS_DIVISOR = 4, /* at most this part of the workers hashes or waits to */
    PRINCIPAL_NAME_MAX = 128,
    TENANT_SECRET_MAX = SECRET_TEXT_MAX + 1 + TENANT_ID_MAX,
};

/* The token made for an API key, kept for a while. */
struct key_token {
    char hash[65]; /* of the key's text; "" : free */
    char *authorization;
    char key_id[40];
    int64_t until_s;
};

struct gateway {
    struct gateway_options options;
    struct sys *sys;
    const struct log *log;
    struct gate *gate;
    struct service *service;
    struct upstreams *upstreams;
    struct router *routers[SERVICE_COUNT]; /* of the services behind */
    bool tls;
    struct rate_limiter *limiter;
    struct lockout *lockout;
    _Atomic uint32_t websockets; /* open */
    _Atomic int password_jobs;
    int password_jobs_max;
    struct thread upkeep;
    pthread_mutex_t upkeep_lock;
    pthread_cond_t upkeep_now;
    int64_t heard_us;             /* since 1970: revocations until then are known; the upkeep's */
    bool ends;                    /* under upkeep_lock */
    pthread_mutex_t tenants_lock; /* one at a time writes the file of tenants */
    pthread_mutex_t keys_lock;
    struct key_token key_tokens[KEY_TOKENS_MAX];
};

extern const struct service_handler gateway_handlers[];
extern const size_t gateway_handlers_len;

/* proxy.c: a request that is none of the gateway's own operations. */
enum status gateway_proxy(struct request *request);

/* --- users.c: principals of kind "user" --- */

/* The gateway itself, acting in a tenant. */
struct caller gateway_caller(struct str tenant);
/* A person, acting in the own tenant. */
struct caller identity_caller(const struct request *request, const struct identity *identity);
/* API keys and invitations of other tenants than the own one end with ".<tenant>": so they can be
 * looked up. */
struct str tenant_of_secret(const struct gateway *gateway, struct str text);
void secret_for_tenant(struct gateway *gateway, const char *prefix, struct str tenant,
                       char ret[TENANT_SECRET_MAX]);
/* By id or name. STATUS_NOT_FOUND. */
enum status user_find(struct gateway *gateway, struct str tenant, struct str id_or_name,
                      struct arena *arena, struct record *ret, struct error *err);
struct new_user {
    struct str username, password, email;
    struct str_list roles;
};
enum status user_create(struct gateway *gateway, const struct caller *caller,
                        const struct new_user *user, struct arena *arena, struct record *ret,
                        struct error *err);
/* Takes about a quarter of a second of CPU. `user` NULL: nobody; costs the same. */
bool user_has_password(struct gateway *gateway, const struct record *user, struct str password);
bool user_is_disabled(const struct record *user);
void user_write(struct json_writer *w, const struct record *user);
/* Room for one more password to be hashed or checked; STATUS_TOO_MANY_REQUESTS. */
enum status password_enter(struct gateway *gateway, struct error *err);
void password_leave(struct gateway *gateway);
/* The tenant's first user: "admin" with a made password, printed once. */
enum status users_ensure_admin(struct gateway *gateway, struct error *err);
/* The same for a new tenant, without printing; `caller` acts in the tenant. */
enum status user_create_generated(struct gateway *gateway, const struct caller *caller,
                                  struct str username, char password[SECRET_TEXT_MAX],
                                  struct arena *arena, struct error *err);
/* One of reader, writer, user, admin. */
enum status roles_check(const struct str *roles, uint32_t len, struct error *err);

/* --- tokens.c --- */

/* Members access_token, token_type, expires_in, refresh_token of a login or refresh. `family`
 * empty: a new one. */
enum status tokens_write(struct gateway *gateway, const struct record *user, struct str family,
                         struct json_writer *w, struct error *err);
/* "Bearer <token>" that stands for a key's user for a short while, for the services behind. */
enum status token_for_key(struct gateway *gateway, const struct record *key, struct str username,
                          struct buf *ret, struct error *err);
enum status token_revoke(struct gateway *gateway, struct str id, int64_t until_s,
                         struct error *err);
/* Everything that the user was given until now is void. */
enum status user_logout_everywhere(struct gateway *gateway, const struct caller *caller,
                                   const struct record *user, struct error *err);
void identity_write(struct json_writer *w, const struct identity *identity);

/* --- api_keys.c --- */

/* An API key in place of a token: *authorization becomes that of a token. STATUS_UNAUTHENTICATED.
 * Anything else passes as it is. */
enum status api_key_exchange(struct gateway *gateway, struct request *request,
                             struct str *authorization);
void api_keys_release(struct gateway *gateway);
/* A key of `owner`; `text` is shown to its user this once. */
struct new_key {
    struct str owner, title;
    struct str_list roles;
    int64_t expires_us; /* 0: never */
};
enum status api_key_make(struct gateway *gateway, struct str tenant, const struct new_key *key,
                         struct arena *arena, char ret_text[TENANT_SECRET_MAX], struct record *ret,
                         struct error *err);
/* Makes the key with this text void; STATUS_NOT_FOUND: nobody has it. */
enum status api_key_end(struct gateway *gateway, struct str text, struct arena *arena,
                        struct error *err);

/* --- shared.c: what gateways of other machines hear of --- */

enum status shared_revoke(struct gateway *gateway, struct str id, int64_t until_s,
                          struct error *err);
enum status shared_upkeep(struct gateway *gateway, struct error *err);

/* --- tenants_list.c: principals of kind "tenant" of the own tenant --- */

enum { TENANT_LIMITS = 4 };
extern const char *const tenant_limits[TENANT_LIMITS]; /* attributes, and members of bodies */
/* The gateway in the own tenant, for the request's caller (NULL: for itself). */
struct caller tenants_own_caller(struct gateway *gateway, const struct request *request);
/* `for_people`: with name and times, else what the file tells. */
void tenant_write(struct json_writer *w, const struct record *tenant, bool for_people);
enum status tenants_page(struct gateway *gateway, struct str cursor, uint32_t limit,
                         struct arena *arena, struct record_page *ret, struct error *err);

/* The own one among them. */
enum status tenants_ensure_own(struct gateway *gateway, struct error *err);
/* Writes the file that tells the processes of this machine, when it would be another one. */
enum status tenants_publish(struct gateway *gateway, struct error *err);
/* Removes all that the catalog has of those whose grace is over, then them. */
enum status tenants_purge(struct gateway *gateway, struct error *err);

/* --- login.c --- */
struct credentials {
    struct str tenant, username, password;
};
/* Who has these; success and failure are audited. STATUS_UNAUTHENTICATED. */
enum status login_check(struct gateway *gateway, struct request *request,
                        const struct credentials *shown, struct record *ret_user,
                        struct caller *ret_caller);

/* --- tenants.c, login.c, api_keys.c, admin.c, npm.c: handlers --- */
enum status gateway_npm_login(struct request *request);
enum status gateway_npm_logout(struct request *request);
enum status gateway_tenants(struct request *request);
enum status gateway_tenant_create(struct request *request);
enum status gateway_tenant_get(struct request *request);
enum status gateway_tenant_update(struct request *request);
enum status gateway_tenant_suspend(struct request *request);
enum status gateway_tenant_resume(struct request *request);
enum status gateway_tenant_delete(struct request *request);
enum status gateway_tenant_undelete(struct request *request);
enum status gateway_register(struct request *request);
enum status gateway_login(struct request *request);
enum status gateway_refresh(struct request *request);
enum status gateway_logout(struct request *request);
enum status gateway_validate(struct request *request);
enum status gateway_permissions(struct request *request);
enum status gateway_me(struct request *request);
enum status gateway_password(struct request *request);
enum status gateway_jwks(struct request *request);
enum status gateway_users(struct request *request);
enum status gateway_user_create(struct request *request);
enum status gateway_user_update(struct request *request);
enum status gateway_user_delete(struct request *request);
enum status gateway_invite(struct request *request);
enum status gateway_keys(struct request *request);
enum status gateway_key_create(struct request *request);
enum status gateway_key_rotate(struct request *request);
enum status gateway_key_revoke(struct request *request);

/* One audit event. What cannot be audited is not done: callers return its failure. */
enum status gateway_audit(struct gateway *gateway, const struct caller *caller, const char *action,
                          struct str object, bool success, struct arena *arena, struct error *err);

#endif
