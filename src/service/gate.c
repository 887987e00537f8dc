#include "service/gate.h"

#include <stdlib.h>

#include "service/revocations.h"
#include "service/tenant_book.h"

struct gate {
    struct gate_options options;
};

static const struct {
    const char *role;
    enum permission level;
} ROLES[] = {
    {"reader", PERMISSION_READ}, {"viewer", PERMISSION_READ}, {"writer", PERMISSION_WRITE},
    {"user", PERMISSION_WRITE},  {"admin", PERMISSION_ADMIN},
};

enum status gate_new(const struct gate_options *options, struct gate **ret, struct error *err)
{
    struct gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return error_no_memory(err);
    gate->options = *options;
    *ret = gate;
    return STATUS_OK;
}

void gate_free(struct gate *gate)
{
    free(gate);
}

bool gate_audits(const struct gate *gate, bool denied)
{
    return gate->options.audit >= (denied ? ACCESS_AUDIT_DENIED : ACCESS_AUDIT_ALL);
}

enum permission gate_level(const struct str *roles, uint32_t len)
{
    enum permission level = PERMISSION_NONE;
    for (uint32_t i = 0; i < len; i++)
        for (size_t j = 0; j < sizeof ROLES / sizeof *ROLES; j++)
            if (str_is(roles[i], ROLES[j].role) && ROLES[j].level > level)
                level = ROLES[j].level;
    return level;
}

/* --- tenants --- */

enum status gate_check_tenant(struct gate *gate, struct str tenant, struct error *err)
{
    struct tenant_rule rule;
    if (!gate->options.tenants)
        return STATUS_OK;
    enum status status = tenant_book_find(gate->options.tenants, tenant, &rule, err);
    if (status == STATUS_NOT_FOUND && str_is(tenant, gate->options.tenant))
        return STATUS_OK; /* the place's own is always there */
    if (status == STATUS_NOT_FOUND)
        return error_set(err, STATUS_FORBIDDEN, "The token's tenant does not exist here.");
    TRY(status);
    if (rule.state == TENANT_ACTIVE)
        return STATUS_OK;
    return error_set(err, STATUS_TENANT_SUSPENDED, "The tenant '%.*s' is %s%s%s.", STR_ARG(tenant),
                     tenant_state_name(rule.state), rule.reason[0] ? ": " : "", rule.reason);
}

void gate_tenant_rule(struct gate *gate, struct str tenant, struct tenant_rule *ret)
{
    if (!gate->options.tenants ||
        tenant_book_find(gate->options.tenants, tenant, ret, NULL) != STATUS_OK)
        *ret = (struct tenant_rule){.state = TENANT_ACTIVE};
}

void gate_own_rule(struct gate *gate, struct tenant_rule *ret)
{
    gate_tenant_rule(gate, str_of(gate->options.tenant), ret);
}

/* --- tokens --- */

/* "Bearer <token>", the scheme in any case (RFC 9110 11.1). */
static enum status bearer(struct str header, struct str *ret_token, struct error *err)
{
    struct str scheme;
    *ret_token = header;
    str_split(ret_token, ' ', &scheme);
    if (!str_eq_nocase(scheme, STR("bearer")) || ret_token->len == 0)
        return error_set(err, STATUS_UNAUTHENTICATED,
                         "The Authorization header is not 'Bearer <token>'; get a token from "
                         "POST /auth/login.");
    *ret_token = str_trim(*ret_token);
    return STATUS_OK;
}

static enum status believe(struct gate *gate, struct str authorization, struct arena *arena,
                           struct identity *ret, struct error *err)
{
    struct claims claims;
    struct str token;
    TRY(bearer(authorization, &token, err));
    if (gate->options.revocations)
        TRY(revocations_refresh(gate->options.revocations, err));
    TRY(verifier_check(gate->options.verifier, token, arena, &claims, err));
    if (claims.use != TOKEN_ACCESS)
        return error_set(err, STATUS_UNAUTHENTICATED,
                         "This is a refresh token; POST /auth/refresh gives an access token.");
    *ret = (struct identity){.user_id = claims.subject,
                             .username = claims.username.data ? claims.username : claims.subject,
                             .tenant = claims.tenant,
                             .roles = claims.roles,
                             .roles_len = claims.roles_len,
                             .level = gate_level(claims.roles, claims.roles_len),
                             .token_id = claims.id,
                             .family = claims.family,
                             .expires_s = claims.expires_s};
    if (gate->options.one_tenant && !str_is(ret->tenant, gate->options.tenant))
        return error_set(err, STATUS_FORBIDDEN, "The token is not for this tenant.");
    return gate_check_tenant(gate, ret->tenant, err);
}

static enum status no_token(struct error *err)
{
    return error_set(err, STATUS_UNAUTHENTICATED,
                     "A token is needed: send 'Authorization: Bearer <token>'; get one from "
                     "POST /auth/login.");
}

enum status gate_identify(struct gate *gate, struct str authorization, struct arena *arena,
                          struct identity *ret, struct error *err)
{
    return authorization.data ? believe(gate, authorization, arena, ret, err) : no_token(err);
}

/* Roles know no operators. */
static enum permission level_of(enum permission needed)
{
    return needed == PERMISSION_OPERATOR ? PERMISSION_ADMIN : needed;
}

static const struct str LOCAL_ROLES[] = {STR("admin")};

/* Where no token is asked for: is what was shown, if anything, passed over? A token that is
 * believed counts with its roles, and one that is good but not for here is no key to more. */
static bool is_passed_over(struct gate *gate, enum permission needed, struct str authorization,
                           struct arena *arena)
{
    struct identity shown;
    if (gate->options.required || needed == PERMISSION_PERSON)
        return false;
    return !authorization.data || needed == PERMISSION_NONE ||
           believe(gate, authorization, arena, &shown, NULL) == STATUS_UNAUTHENTICATED;
}

enum status gate_admit(struct gate *gate, enum permission needed, struct str authorization,
                       struct arena *arena, struct identity *ret, struct error *err)
{
    *ret = (struct identity){.user_id = STR("local"),
                             .username = STR("local"),
                             .tenant = str_of(gate->options.tenant),
                             .roles = LOCAL_ROLES,
                             .roles_len = 1,
                             .level = PERMISSION_ADMIN,
                             .is_local = true};
    if (is_passed_over(gate, needed, authorization, arena))
        return STATUS_OK;
    *ret = (struct identity){.tenant = STR("")};
    if (needed == PERMISSION_NONE)
        return STATUS_OK;
    TRY(gate_identify(gate, authorization, arena, ret, err));
    if (needed == PERMISSION_OPERATOR && !str_is(ret->tenant, gate->options.tenant))
        return error_set(err, STATUS_FORBIDDEN, "This is for admins of the tenant '%s' only.",
                         gate->options.tenant);
    if (needed != PERMISSION_PERSON && ret->level < level_of(needed))
        return error_set(err, STATUS_FORBIDDEN,
                         "This needs the right to %s; your roles do not "
                         "give it.",
                         permission_name(level_of(needed)));
    return STATUS_OK;
}
