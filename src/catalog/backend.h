/* backend.h: what keeps records: the contract of all back ends, and the calls that go through it.
 *
 *   struct backend *backend;
 *   TRY(sqlite_backend_open(&options, &backend, err));
 *   TRY(backend_commit(backend, changes, 2, &result, err));
 *   TRY(backend_get(backend, DOMAIN_ASSET, tenant, id, &arena, &record, err));
 *   backend_close(backend);
 *
 * Every back end gives the same answers, so the contract has no capabilities: what one cannot do
 * by itself it builds from query.h. tests/lib/catalog_conformance.h is the proof.
 *
 * Promises of a back end:
 *   - a commit is durable and whole when it returns STATUS_OK; after any failure nothing of it is
 *     there (STATUS_UNAVAILABLE and STATUS_TIMEOUT of a remote one: it is whole or absent);
 *   - commits of one record are serial; a read that begins after a commit returned sees it;
 *   - readers neither wait for nor hinder writers;
 *   - all calls but close may come from any thread at the same time.
 * The records handed in are checked (record_check) and have id, tenant, revision and times; the
 * texts handed out live in the caller's arena. */
#ifndef QUARRY_CATALOG_BACKEND_H
#define QUARRY_CATALOG_BACKEND_H

#include "catalog/meter.h"
#include "catalog/pool.h"
#include "catalog/query.h"
#include "catalog/record.h"

enum { COMMIT_CHANGES_MAX = 1000 };

enum change_kind {
    /* A new record, stored as it is (revision too). CONFLICT_ID, CONFLICT_KEY. */
    CHANGE_INSERT,
    /* Replaces the record of that domain, tenant and id whose revision is `expected`; what TOUCH
     * keeps stays: the stored access_count and the later accessed_us.
     * CONFLICT_MISSING, CONFLICT_REVISION, CONFLICT_KEY. */
    CHANGE_UPDATE,
    /* Takes it away for good. `expected` 0: whatever its revision. CONFLICT_MISSING,
     * CONFLICT_REVISION. */
    CHANGE_REMOVE,
    /* Adds record->access_count to the stored one and raises accessed_us; revision and the rest
     * stay. A record that is missing is no failure. */
    CHANGE_TOUCH,
};

struct change {
    enum change_kind kind;
    int64_t expected;
    const struct record *record; /* borrowed; REMOVE and TOUCH look only at domain, tenant, id */
};

enum conflict {
    CONFLICT_NONE,
    CONFLICT_ID,       /* the id exists, perhaps with another tenant */
    CONFLICT_KEY,      /* a live record of this tenant and domain has the key */
    CONFLICT_MISSING,  /* no such record */
    CONFLICT_REVISION, /* it has another revision */
};

/* Why a commit was refused: set when it returns STATUS_CONFLICT, CONFLICT_NONE otherwise. */
struct commit_result {
    enum conflict conflict;
    uint32_t at;      /* which change */
    int64_t revision; /* CONFLICT_REVISION: the stored one */
};

struct backend;

/* What a back end found wrong with itself: `what` is one sentence. */
typedef void (*backend_fault_fn)(void *context, const char *what);

struct backend_ops {
    const char *name;
    /* Deleted ones too. STATUS_NOT_FOUND. */
    enum status (*get)(struct backend *backend, enum domain domain, struct str tenant,
                       struct str id, struct arena *arena, struct record *ret, struct error *err);
    /* The live one with the key. STATUS_NOT_FOUND. */
    enum status (*find)(struct backend *backend, enum domain domain, struct str tenant,
                        struct str key, struct arena *arena, struct record *ret, struct error *err);
    /* As get, without waiting for anybody; false: not found, or not now. May be NULL. */
    bool (*get_now)(struct backend *backend, enum domain domain, struct str tenant, struct str id,
                    struct arena *arena, struct record *ret);
    enum status (*query)(struct backend *backend, const struct record_query *query,
                         struct arena *arena, struct record_page *ret, struct error *err);
    enum status (*group)(struct backend *backend, const struct group_query *query,
                         struct arena *arena, struct group_answer *ret, struct error *err);
    /* All changes or none, in their order. */
    enum status (*commit)(struct backend *backend, const struct change *changes, uint32_t len,
                          struct commit_result *ret, struct error *err);
    /* Every record of a domain, of all tenants, deleted ones too, in the order of their ids: up to
     * `limit` behind `after` (empty: from the start). For migration and verification. */
    enum status (*scan)(struct backend *backend, enum domain domain, struct str after,
                        uint32_t limit, struct arena *arena, struct record_page *ret,
                        struct error *err);
    /* Compares indexes with records and looks for damage; each fault goes to `fault`. Failure
     * means that it could not look. */
    enum status (*verify)(struct backend *backend, backend_fault_fn fault, void *context,
                          struct error *err);
    /* Cheap probe: STATUS_OK when reads and writes would work now. */
    enum status (*health)(struct backend *backend, struct error *err);
    void (*close)(struct backend *backend);
};

/* Called after each commit that changed something, on the committing thread, before the caller
 * hears of it: for caches and watchers. A back end whose store others write to calls it for their
 * commits too (backend_notify), then `len` may be 0: anything may have changed. */
typedef void (*backend_watch_fn)(void *context, const struct change *changes, uint32_t len);

/* A back end's own struct starts with this. */
struct backend {
    const struct backend_ops *ops;
    backend_watch_fn watch; /* may be NULL */
    void *watch_context;
    struct meter meter; /* of the calls below */
    struct pool *pool;  /* of its connections; NULL: it has none */
};

/* Before the first commit; one at a time. */
void backend_watch(struct backend *backend, backend_watch_fn watch, void *context);
void backend_notify(struct backend *backend, const struct change *changes, uint32_t len);

/* The calls for everyone: arguments checked, then the back end's own. */
enum status backend_get(struct backend *backend, enum domain domain, struct str tenant,
                        struct str id, struct arena *arena, struct record *ret, struct error *err);
/* False also when the back end cannot do without waiting. */
bool backend_get_now(struct backend *backend, enum domain domain, struct str tenant, struct str id,
                     struct arena *arena, struct record *ret);
enum status backend_find(struct backend *backend, enum domain domain, struct str tenant,
                         struct str key, struct arena *arena, struct record *ret,
                         struct error *err);
enum status backend_query(struct backend *backend, const struct record_query *query,
                          struct arena *arena, struct record_page *ret, struct error *err);
enum status backend_group(struct backend *backend, const struct group_query *query,
                          struct arena *arena, struct group_answer *ret, struct error *err);
/* `ret` may be NULL. Records that break record_check: STATUS_INVALID_ARGUMENT. */
enum status backend_commit(struct backend *backend, const struct change *changes, uint32_t len,
                           struct commit_result *ret, struct error *err);
/* For back ends over others: changes that are checked already, nobody is told. */
enum status backend_commit_checked(struct backend *backend, const struct change *changes,
                                   uint32_t len, struct commit_result *ret, struct error *err);
enum status backend_scan(struct backend *backend, enum domain domain, struct str after,
                         uint32_t limit, struct arena *arena, struct record_page *ret,
                         struct error *err);
enum status backend_verify(struct backend *backend, backend_fault_fn fault, void *context,
                           struct error *err);
enum status backend_health(struct backend *backend, struct error *err);
void backend_close(struct backend *backend); /* NULL is fine */

/* For back ends: sets *ret and a message, returns STATUS_CONFLICT. */
enum status commit_refused(struct commit_result *ret, enum conflict conflict, uint32_t at,
                           int64_t revision, struct error *err);

#endif
