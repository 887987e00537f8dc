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
enum status record_begin(struct catalog *catalog, const struct caller *caller,
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
/* Commits the changes with an audit event for `object`. */
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
