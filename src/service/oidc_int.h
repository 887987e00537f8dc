/* oidc_int.h: the configuration of outside issuers, read by oidc_config.c, used by oidc.c. */
#ifndef QUARRY_SERVICE_OIDC_INT_H
#define QUARRY_SERVICE_OIDC_INT_H

#include "service/oidc.h"

struct oidc_issuer {
    struct outside_mapping mapping;
    struct str issuer, audience;
    const char *url, *file, *ca_file; /* one of the first two */
    unsigned algorithms;              /* set of 1 << auth_alg */
    int64_t refresh_us;
    int64_t due_us;   /* monotonic; the thread's */
    int64_t asked_us; /* of the last fetch, for whatever reason */
    bool has_keys, failed;
};

/* Texts live in the arena. */
enum status oidc_read_config(struct str text, struct arena *arena, struct oidc_issuer **ret,
                             uint32_t *ret_len, struct error *err);

#endif
