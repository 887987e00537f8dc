/* gate.h: who calls, and whether they may: asked once for each request, before its body is read.
 *
 * The caller shows a token of Quarry's (Authorization: Bearer). The gate believes nobody else's
 * word: not a header of the gateway's, not a field of the body. The tenant is the token's. What an
 * operation needs stands in api/operations.def (NONE, PERSON, READ, WRITE, ADMIN, OPERATOR); what a
 * role may do is in gate.c. Rights on single assets are the catalog's and come on top.
 *
 * With `required` false, calls without a token that can be believed are taken for the local
 * operator's, who may do anything; one that is believed counts, with its roles. Threads: any. */
#ifndef QUARRY_SERVICE_GATE_H
#define QUARRY_SERVICE_GATE_H

#include "auth/verifier.h"
#include "base/arena.h"
#include "service/operation.h"

struct gate;
struct revocations;
struct tenant_book;
struct tenant_rule;

/* Texts live in the arena given, or for ever. */
struct identity {
    struct str user_id, username, tenant;
    const struct str *roles;
    uint32_t roles_len;
    enum permission level; /* the most that the roles allow */
    struct str token_id, family;
    int64_t expires_s;
    bool is_local; /* nobody asked for a token */
};

/* Which decisions are logged; by the service, the gate only knows. */
enum access_audit { ACCESS_AUDIT_NONE, ACCESS_AUDIT_DENIED, ACCESS_AUDIT_ALL };

struct gate_options {
    struct sys *sys;
    struct verifier *verifier;       /* borrowed */
    struct revocations *revocations; /* borrowed; NULL: none */
    struct tenant_book *tenants;     /* borrowed; NULL: all are active */
    bool required;
    const char *tenant; /* of the local operator; and with `one_tenant` of everybody */
    enum access_audit audit;
    bool one_tenant; /* tokens of other tenants are refused */
};

enum status gate_new(const struct gate_options *options, struct gate **ret, struct error *err);
void gate_free(struct gate *gate);

/* `authorization`: the header, data NULL when there is none. STATUS_UNAUTHENTICATED: no token or a
 * bad one, where one is needed; STATUS_FORBIDDEN: another tenant, or the roles do not allow it;
 * STATUS_TENANT_SUSPENDED. */
enum status gate_admit(struct gate *gate, enum permission needed, struct str authorization,
                       struct arena *arena, struct identity *ret, struct error *err);
/* Who shows this token, whatever the roles allow. STATUS_UNAUTHENTICATED without a header, too. */
enum status gate_identify(struct gate *gate, struct str authorization, struct arena *arena,
                          struct identity *ret, struct error *err);
/* Whether the tenant is there and not suspended. STATUS_TENANT_SUSPENDED, STATUS_FORBIDDEN. */
enum status gate_check_tenant(struct gate *gate, struct str tenant, struct error *err);
/* What a tenant may use. One that is not known, or a book that cannot be read: no limits. */
void gate_tenant_rule(struct gate *gate, struct str tenant, struct tenant_rule *ret);
/* The same of the gate's own tenant. */
void gate_own_rule(struct gate *gate, struct tenant_rule *ret);
/* Whether a decision is to be logged. */
bool gate_audits(const struct gate *gate, bool denied);
/* The most that a set of roles allows. */
enum permission gate_level(const struct str *roles, uint32_t len);

#endif
