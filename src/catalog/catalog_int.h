/* catalog_int.h: what the parts of the catalog share. */
#ifndef QUARRY_CATALOG_CATALOG_INT_H
#define QUARRY_CATALOG_CATALOG_INT_H

#include <pthread.h>

#include "catalog/catalog.h"
#include "sys/thread.h"

enum {
    EDIT_TRIES_MAX = 100, /* of a change without an expected revision */
    TOUCHED_MAX = 32768, /* assets with counts that are not written yet; more are written at once */
};

struct touched {
    char id[40], tenant[129];
    int64_t count, last_us;
};

struct catalog {
    struct sys *sys;
    struct backend *backend;
    uint64_t last_tick; /* of ids */
    /* accesses that wait to be written (touch.c) */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct touched *touched; /* open addressing, at most half full */
    uint32_t touched_len, touched_places;
    int64_t touch_interval_us;
    struct thread flusher;
    bool stopping;
};

/* --- catalog.c --- */
/* Fills id (when empty), tenant, revision and times of a new record. */
enum status catalog_record_begin(struct catalog *catalog, const struct caller *caller,
                                 struct record *record, struct arena *arena, struct error *err);
/* `part` with '%' and '/' escaped, so that parts joined by '/' stay apart. */
bool key_part(struct buf *buf, struct str part);
enum status key_join(const struct str *parts, uint32_t len, struct arena *arena, struct str *ret,
                     struct error *err);
/* An audit event as a change for the commit that it tells of. `detail` is a JSON object or empty.
 */
enum status audit_event(struct catalog *catalog, const struct caller *caller, const char *action,
                        const struct record *object, bool success, struct str detail,
                        struct arena *arena, struct record *ret, struct error *err);
/* Commits the changes with an audit event for `object`; without one where it is about the daily
 * work on collections and enable_audit_logging is false. */
enum status commit_audited(struct catalog *catalog, const struct caller *caller, const char *action,
                           const struct record *object, struct str detail,
                           const struct change *changes, uint32_t len, struct arena *arena,
                           struct commit_result *ret, struct error *err);

/* --- asset.c --- */
/* The asset when the caller has the permission; a refusal is audited. */
enum status asset_open(struct catalog *catalog, const struct caller *caller, struct str id,
                       enum right permission, const char *action, struct arena *arena,
                       struct record *ret, struct error *err);
enum status asset_missing(struct str id, struct error *err);
/* What the asset counts for in its storage location. */
int64_t asset_stored_bytes(const struct record *asset);

/* --- lifecycle.c, approval.c --- */
struct step_needs {
    enum right permission;
    bool approval; /* of one who is neither the owner nor who takes the step */
    bool security; /* of one who speaks for security */
    int64_t notice_days;
};
/* STATUS_INVALID_ARGUMENT: LC001, no state. STATUS_CONFLICT: LC003, no such step. */
enum status lifecycle_step(struct str from, struct str to, struct step_needs *ret,
                           struct error *err);
/* Where lifecycle_policy is strict: a node is born a draft but for admins, who bring some from
 * elsewhere, and moves by asset_transition only. Packages of npm know no drafts. */
enum status lifecycle_guard(struct catalog *catalog, const struct caller *caller,
                            const struct record *asset, struct str from, struct error *err);
/* Of a set of LACKS_APPROVAL and LACKS_NOTICE. */
unsigned step_lacks(const struct step_needs *needs, const struct record_page *open,
                    const struct record *asset, const struct caller *caller, struct str to,
                    int64_t now_us);
enum status approvals_open(struct catalog *catalog, const struct record *asset, struct arena *arena,
                           struct record_page *ret, struct error *err);
/* The event, altered, as a change for a commit. */
struct change approval_close(struct record *event, const char *how, int64_t now_us);

/* --- permission.c --- */
enum { VISIBLE_IDS_MAX = 10000 };

/* --- location.c --- */
/* The change that accounts `delta` bytes to the asset's storage location; *ret_changed false when
 * it has none. STATUS_STORAGE_FULL beyond its capacity. */
enum status location_account(struct catalog *catalog, const struct record *asset, int64_t delta,
                             struct arena *arena, struct record *ret, bool *ret_changed,
                             struct error *err);

/* --- touch.c --- */
enum status touch_start(struct catalog *catalog, struct error *err);
void touch_stop(struct catalog *catalog);
void touch_count(struct catalog *catalog, const struct record *asset);

#endif
