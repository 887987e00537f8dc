/* access.h: what a process needs to check tokens: keys, what was revoked, a gate for each kind of
 * service. One for each process; made before its services, gone after them. */
#ifndef QUARRY_CMD_QUARRYD_ACCESS_H
#define QUARRY_CMD_QUARRYD_ACCESS_H

#include "cmd/quarryd/options.h"
#include "service/gate.h"
#include "service/oidc.h"
#include "service/revocations.h"
#include "service/tenant_book.h"

enum { ACCESS_TOKEN_LIFE_S = 120 };

struct access {
    struct sys *sys;
    const struct settings *settings;
    struct verifier *verifier;
    struct revocations *revocations;
    struct tenant_book *tenants;
    struct oidc *oidc; /* NULL: no outside issuers */
    char tenants_path[SYS_PATH_MAX];
    struct keyring keys;       /* the gateway signs with them */
    struct gate *gate;         /* for all services of this process */
    char folder[SYS_PATH_MAX]; /* AUTH_PATH: keys and what was revoked */
};

/* The process that runs the gateway is the `writer` of the list of revoked tokens. */
enum status access_open(const struct quarryd_options *options, struct sys *sys,
                        const struct log *log, struct access *ret, struct error *err);
void access_close(struct access *access);
/* "Bearer <token>" of an admin of TENANT_ID, for what the services of this process ask of others.
 * `context` is the access, for call backs; any thread. */
enum status access_operator_token(void *context, struct buf *ret, struct error *err);
/* Whether calls to that kind of service need a token. */
bool access_is_required(const struct quarryd_options *options, enum service_kind kind);

#endif
