/* outside.h: what the claims of an outside issuer (OpenID Connect) mean here.
 *
 * Nothing in such a token is taken for a right by itself: tenant and roles come from the claims
 * that the configuration names, roles only through its table. Subjects and token ids get the
 * issuer's short name before them ("corp:8f1..."), so that no issuer can name a user of ours, or of
 * another issuer. Pure. */
#ifndef QUARRY_AUTH_OUTSIDE_H
#define QUARRY_AUTH_OUTSIDE_H

#include "auth/jwt.h"

enum {
    OUTSIDE_NAME_MAX = 32,
    OUTSIDE_PATH_MAX = 8, /* members of a dotted claim name */
};

struct outside_role {
    struct str from, to; /* a value of the roles claim, a role of ours */
};

struct outside_mapping {
    struct str name;           /* short, of the issuer */
    struct str tenant;         /* of all its users; data NULL: the claim says */
    struct str tenant_claim;   /* dotted names lead into objects: "realm_access.roles" */
    struct str roles_claim;    /* a text of names with spaces, or a list; data NULL: none */
    struct str username_claim; /* data NULL: none */
    const struct outside_role *roles;
    uint32_t roles_len;
    struct str default_role; /* of whom no entry of the table fits; data NULL: none */
};

/* Changes claims that are believed; `payload` and `token` are where they come from.
 * STATUS_UNAUTHENTICATED: there is no tenant, or a name is too long. */
enum status outside_apply(const struct outside_mapping *mapping, struct str payload,
                          struct str token, struct arena *arena, struct claims *claims,
                          struct error *err);

#endif
