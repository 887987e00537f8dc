/* elastic_rig.h: a catalog on the test tool of tests/lib/elastic, fresh for each test. */
#ifndef QUARRY_TESTS_ELASTIC_RIG_H
#define QUARRY_TESTS_ELASTIC_RIG_H

#include "catalog/backend.h"
#include "lib/catalog_conformance.h"
#include "lib/elastic_server.h"

enum { ELASTIC_RIG_TIMEOUT_MS = 20000 };

struct elastic_rig {
    struct backend *backend;
    struct arena arena;
    struct error err;
    struct record record; /* a made-up asset, not stored */
};

extern struct elastic_server elastic_rig_server;
extern char elastic_rig_url[128], elastic_rig_origin[64]; /* with the prefix "faults" */

/* Around all tests; set_up and tear_down around each. */
bool elastic_rig_start(void);
void elastic_rig_stop(void);
int elastic_rig_set_up(void **state);
int elastic_rig_tear_down(void **state);

enum status elastic_rig_open(uint32_t timeout_ms, struct backend **ret, struct error *err);
void elastic_rig_reopen(struct elastic_rig *rig); /* the rig's own, closed before */
void elastic_rig_faults(const char *faults);
enum status elastic_rig_commit(struct elastic_rig *rig, enum change_kind kind, int64_t expected,
                               const struct record *record);
enum status elastic_rig_get(struct elastic_rig *rig, struct record *ret);
/* These fail the test when it is not so. */
void elastic_rig_must_commit(struct elastic_rig *rig, enum change_kind kind, int64_t expected,
                             const struct record *record);
void elastic_rig_must_find(struct elastic_rig *rig, const struct record *want);
void elastic_rig_must_verify(struct elastic_rig *rig, int expected);

#endif
