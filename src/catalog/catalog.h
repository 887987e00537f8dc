/* catalog.h: the catalog of everything a tenant owns: what services call.
 *
 *   struct catalog *catalog;
 *   TRY(catalog_open(&options, &catalog, err));
 *   TRY(asset_create(catalog, caller, &draft, &arena, &asset, err));
 *   catalog_close(catalog);
 *
 * Every call takes the caller and does, in this order: find the asset in the caller's tenant, check
 * the caller's permission on it, check what is asked, commit the change with its audit event in one
 * commit. What the caller may not even read does not exist for him (STATUS_NOT_FOUND); what he may
 * read but not change is STATUS_FORBIDDEN, and that is audited too.
 *
 * Changes name the revision they are made to (`expected`; 0: whatever is there, the call then
 * starts over when somebody else was faster, so nothing is lost). STATUS_CONFLICT: another
 * revision, or a name that is taken. All calls but open and close are thread-safe; records handed
 * out live in the caller's arena. */
#ifndef QUARRY_CATALOG_CATALOG_H
#define QUARRY_CATALOG_CATALOG_H

#include "catalog/backend.h"
#include "sys/sys.h"

struct catalog;

struct catalog_options {
    struct sys *sys;
    struct backend *backend;   /* owned by the catalog from a successful open on */
    int64_t touch_interval_us; /* access counts are written so often; 0: 5 s */
};

enum status catalog_open(const struct catalog_options *options, struct catalog **ret,
                         struct error *err);
/* Writes what is left of access counts. NULL is fine. */
void catalog_close(struct catalog *catalog);
struct backend *catalog_backend(struct catalog *catalog);
struct sys *catalog_sys(struct catalog *catalog);

/* Who calls. */
struct caller {
    struct str tenant;
    struct str principal; /* id, or a name such as "anonymous" */
    const struct str *roles;
    uint32_t roles_len;
    bool admin; /* of the tenant: may do everything in it */
    struct str address, user_agent, session;
};

/* admin includes write, write includes read; admin includes execute too. */
enum right { RIGHT_READ, RIGHT_WRITE, RIGHT_EXECUTE, RIGHT_ADMIN };
enum { RIGHT_COUNT = RIGHT_ADMIN + 1 };
const char *right_name(enum right permission);
bool right_parse(struct str name, enum right *ret);

/* --- assets (asset.c) --- */

/* Kind, name and the CREATE and FREE fields of `draft`, statistics too; owner and lifecycle when
 * set, else the caller and the kind's first state. */
enum status asset_create(struct catalog *catalog, const struct caller *caller,
                         const struct record *draft, struct arena *arena, struct record *ret,
                         struct error *err);
/* Live or deleted; counts the access. */
enum status asset_get(struct catalog *catalog, const struct caller *caller, struct str id,
                      struct arena *arena, struct record *ret, struct error *err);
/* The same for a thread that may not wait: only from a back end that need not either, and only
 * what the caller may read without a look at grants. False: ask asset_get, nothing happened. */
bool asset_get_now(struct catalog *catalog, const struct caller *caller, struct str id,
                   struct arena *arena, struct record *ret);
/* Live, by what is unique; namespace and version count for kinds that use them (asset_key). */
enum status asset_find(struct catalog *catalog, const struct caller *caller, struct str kind,
                       struct str namespace, struct str name, struct str version,
                       struct arena *arena, struct record *ret, struct error *err);
/* Like backend_query, but only what the caller may read; tenant and visibility are filled in. */
enum status asset_query(struct catalog *catalog, const struct caller *caller,
                        const struct record_query *query, struct arena *arena,
                        struct record_page *ret, struct error *err);
enum status asset_group(struct catalog *catalog, const struct caller *caller,
                        const struct group_query *query, struct arena *arena,
                        struct group_answer *ret, struct error *err);

/* A change of one's own: alters *record, whose texts must live as long as the arena. It may be
 * called again for a newer revision. */
typedef enum status (*asset_edit_fn)(void *context, struct record *record, struct arena *arena,
                                     struct error *err);
struct asset_edit {
    const char *action; /* in the audit: "asset.update" */
    enum right permission;
    int64_t expected; /* revision; 0: any */
    bool deleted;     /* also of a deleted asset */
    asset_edit_fn edit;
    void *context;
    /* What `edit` wants in the same commit; NULL: nothing. */
    struct changes_beside {
        struct change *list;
        uint32_t len; /* set by each call of edit */
    } * beside;
};
enum status asset_edit(struct catalog *catalog, const struct caller *caller, struct str id,
                       const struct asset_edit *edit, struct arena *arena, struct record *ret,
                       struct error *err);

/* Members of the object that are FREE fields; null clears; others are refused by name, but for
 * "revision", which is the caller's way to say `expected`. */
enum status asset_update(struct catalog *catalog, const struct caller *caller, struct str id,
                         int64_t expected, yyjson_val *members, struct arena *arena,
                         struct record *ret, struct error *err);
enum status asset_set_owner(struct catalog *catalog, const struct caller *caller, struct str id,
                            int64_t expected, struct str owner, struct arena *arena,
                            struct record *ret, struct error *err);
/* Counts that are -1 stay. Bytes are accounted to the asset's storage location. */
struct asset_statistics {
    int64_t row_count, node_count, edge_count, hyperedge_count, file_count, size_bytes;
};
enum status asset_set_statistics(struct catalog *catalog, const struct caller *caller,
                                 struct str id, const struct asset_statistics *statistics,
                                 struct arena *arena, struct record *ret, struct error *err);
/* Soft: hidden, its name free, until asset_undelete. */
enum status asset_delete(struct catalog *catalog, const struct caller *caller, struct str id,
                         int64_t expected, struct arena *arena, struct record *ret,
                         struct error *err);
enum status asset_undelete(struct catalog *catalog, const struct caller *caller, struct str id,
                           struct arena *arena, struct record *ret, struct error *err);
/* For good, with its relations and grants; its events stay. */
enum status asset_purge(struct catalog *catalog, const struct caller *caller, struct str id,
                        struct error *err);

/* Everything of a tenant, events too, for good. What was cut off is finished by another call. */
enum status catalog_remove_tenant(struct catalog *catalog, struct str tenant, struct error *err);

/* The unique name of an asset within its tenant. */
enum status asset_key(const struct record *asset, struct arena *arena, struct str *ret,
                      struct error *err);

/* --- lifecycle (lifecycle.c) --- */

struct transition {
    struct str to;            /* draft, active, deprecated, archived */
    struct str reason;        /* needed by some */
    struct str deprecated_by; /* id of the replacement; nodes need one to be deprecated */
    unsigned *ret_lacks;      /* what a node's step should have had (approval.h); may be NULL */
    asset_edit_fn also;       /* a change in the same commit, with write permission; may be NULL */
    void *context;
};
enum { LACKS_APPROVAL = 1, LACKS_NOTICE = 2 };
/* LC001 bad value, LC003 bad transition, LC005 no replacement, LC006 no reason: in the message.
 * Where the setting lifecycle_policy is "strict" also LC004 no approval, LC008 no notice. */
enum status asset_transition(struct catalog *catalog, const struct caller *caller, struct str id,
                             int64_t expected, const struct transition *transition,
                             struct arena *arena, struct record *ret, struct error *err);
bool lifecycle_is_state(struct str state);

/* --- permissions (permission.c) --- */

/* STATUS_OK when the caller may; else STATUS_NOT_FOUND or STATUS_FORBIDDEN. */
enum status permission_check(struct catalog *catalog, const struct caller *caller,
                             const struct record *asset, enum right permission, struct error *err);
/* What the caller may read, for queries that do not go through asset_query; NULL: everything. */
enum status permission_visible(struct catalog *catalog, const struct caller *caller,
                               struct arena *arena, const struct visibility **ret,
                               struct error *err);
struct grant {
    struct str principal; /* id; "role:NAME" for all that have the role; "*" for everyone */
    enum right permission;
    int64_t expires_us;    /* 0: never */
    struct str granted_by; /* what an admin of the tenant says; empty: the caller */
};
/* Again for the same three: the new expiry holds. */
enum status grant_put(struct catalog *catalog, const struct caller *caller, struct str asset,
                      const struct grant *grant, struct arena *arena, struct record *ret,
                      struct error *err);
enum status grant_revoke(struct catalog *catalog, const struct caller *caller, struct str asset,
                         struct str grant_id, struct error *err);
enum status grant_list(struct catalog *catalog, const struct caller *caller, struct str asset,
                       struct arena *arena, struct record_page *ret, struct error *err);
/* Whether the principal (with its roles, when it is a user) may, by ownership or a grant. */
enum status grant_check(struct catalog *catalog, const struct caller *caller, struct str asset,
                        struct str principal, enum right permission, bool *ret, struct error *err);

/* --- relations (relation.c) --- */

/* "derived_from", "merged_with", "subset_of", "depends_on", ... : `from` rests on `to`. */
enum status relation_add(struct catalog *catalog, const struct caller *caller, struct str from,
                         struct str to, struct str kind, struct str properties, struct arena *arena,
                         struct record *ret, struct error *err);
enum status relation_remove(struct catalog *catalog, const struct caller *caller, struct str asset,
                            struct str relation, struct error *err);
/* Both directions. */
enum status relation_list(struct catalog *catalog, const struct caller *caller, struct str id,
                          struct arena *arena, struct record_page *ret, struct error *err);

enum { LINEAGE_DEPTH_MAX = 32, LINEAGE_ASSETS_MAX = 1000 };
struct lineage_step {
    struct record asset;
    struct str kind; /* of the relation that led here */
    struct str from; /* asset that it led from */
    uint32_t depth;
};
struct lineage {
    struct lineage_step *steps; /* nearest first */
    uint32_t len;
    bool cut; /* there is more: depth or number was reached */
};
/* upstream: what it rests on; else what rests on it ("what breaks if this goes"). Assets that the
 * caller may not read are left out, and what lies behind them. */
enum status asset_lineage(struct catalog *catalog, const struct caller *caller, struct str id,
                          bool upstream, uint32_t depth, struct arena *arena, struct lineage *ret,
                          struct error *err);

/* --- the other domains (entry.c): tenant-wide things with a unique name ---
 *
 * For principals, configuration, locations and services. Anyone in the tenant may read them, an
 * admin changes them. `name` of a principal is "KIND/NAME" ("user/ann", "role/editor"). */
enum status entry_put(struct catalog *catalog, const struct caller *caller,
                      const struct record *record, struct arena *arena, struct record *ret,
                      struct error *err); /* by name: created or replaced */
enum status entry_create(struct catalog *catalog, const struct caller *caller,
                         const struct record *record, struct arena *arena, struct record *ret,
                         struct error *err); /* STATUS_CONFLICT when the name is taken */
enum status entry_get(struct catalog *catalog, const struct caller *caller, enum domain domain,
                      struct str id, struct arena *arena, struct record *ret, struct error *err);
enum status entry_find(struct catalog *catalog, const struct caller *caller, enum domain domain,
                       struct str name, struct arena *arena, struct record *ret, struct error *err);
/* The edit may set any field but id, tenant, kind and times. */
enum status entry_edit(struct catalog *catalog, const struct caller *caller, enum domain domain,
                       struct str id, const struct asset_edit *edit, struct arena *arena,
                       struct record *ret, struct error *err);
enum status entry_remove(struct catalog *catalog, const struct caller *caller, enum domain domain,
                         struct str id, struct error *err);
/* The value of a setting; `fallback` when there is none. */
enum status setting_get(struct catalog *catalog, const struct caller *caller, const char *name,
                        const char *fallback, struct arena *arena, struct str *ret,
                        struct error *err);
/* Any domain but assets; the tenant is filled in. */
enum status entry_query(struct catalog *catalog, const struct caller *caller,
                        const struct record_query *query, struct arena *arena,
                        struct record_page *ret, struct error *err);

/* The default settings of contracts 2.3 and 3.2 and the default storage location, where they are
 * missing. */
enum status catalog_ensure_defaults(struct catalog *catalog, struct str tenant,
                                    struct str parquet_base_path, struct error *err);

/* --- storage locations (location.c) --- */

/* The location by name, else the tenant's default one; STATUS_NOT_FOUND, STATUS_STORAGE_FULL when
 * its capacity is used up. */
enum status location_choose(struct catalog *catalog, const struct caller *caller, struct str name,
                            struct arena *arena, struct record *ret, struct error *err);

/* --- events (event.c) --- */

/* kind: audit, query, performance, ingestion; ids, tenant, times are filled in (ids live in the
 * arena). One commit. */
enum status event_append(struct catalog *catalog, const struct caller *caller,
                         struct record *events, uint32_t len, struct arena *arena,
                         struct error *err);
/* What happened to an asset, newest first; needs read on it. `kind` empty: all kinds. */
enum status asset_history(struct catalog *catalog, const struct caller *caller, struct str id,
                          struct str kind, uint32_t limit, struct str cursor, struct arena *arena,
                          struct record_page *ret, struct error *err);

/* --- text helpers (attributes.c) --- */

/* Member of a JSON object text as a string in the arena; empty when absent or not a string. */
struct str attribute_get(struct str json, const char *name, struct arena *arena);
/* The object with the member set to `value` (removed when empty). */
enum status attribute_set(struct str *json, const char *name, struct str value, struct arena *arena,
                          struct error *err);

#endif
