/* federation.h: nodes that come from elsewhere: another Quarry, a tree of files.
 *
 *   struct node_offer offer = {.json = block, .lifecycle = STR("active"), .origin = url};
 *   TRY(node_import(catalog, caller, &offer, IMPORT_NEWER, false, &arena, &result, err));
 *
 * A version that is there already with the same contents (hash of its block, and state) is left
 * alone, so an import may be repeated, and one that was cut off goes on. With other contents it is
 * a conflict, and the policy decides. Never decided by a policy: a block that is no valid node, a
 * uuid that belongs to another node, a version that the caller may not change: these are refused,
 * each by itself, and the import goes on.
 *
 * States only go on: an archived node stays so, and nothing becomes a draft again. */
#ifndef QUARRY_CATALOG_NODE_FEDERATION_H
#define QUARRY_CATALOG_NODE_FEDERATION_H

#include "catalog/node/registry.h"

enum import_policy {
    IMPORT_SKIP,       /* what is here stays */
    IMPORT_OVERWRITE,  /* what comes wins */
    IMPORT_NEWER,      /* the later last_modified_at wins; of states the further one */
    IMPORT_FAIL,       /* STATUS_CONFLICT */
    IMPORT_QUARANTINE, /* stays, and what comes is kept as an asset of kind quarantined_node */
};
/* Also local_prefer and remote_prefer (contracts 4.8). */
bool import_policy_parse(struct str name, enum import_policy *ret);

enum import_outcome {
    IMPORT_ADDED,
    IMPORT_SAME,
    IMPORT_REPLACED,
    IMPORT_KEPT,
    IMPORT_QUARANTINED,
    IMPORT_REFUSED,
    IMPORT_DELETED, /* by a pull that follows deletions */
};
enum { IMPORT_OUTCOMES = IMPORT_DELETED + 1 };
/* A property of nodes that such a pull has deleted: they may come again. */
#define NODE_DELETED_BY_PULL "deleted_by_pull"
const char *import_outcome_name(enum import_outcome outcome);

struct node_offer {
    struct str json;      /* metadata block */
    struct str body;      /* of the file, for the hash; may be empty */
    struct str lifecycle; /* state over there; empty: the block's */
    struct str origin;    /* URL or path, kept as the property "origin" of what is added */
    bool strict;
    bool pulled; /* what was deleted here stays away, but by IMPORT_OVERWRITE */
};

struct import_result {
    enum import_outcome outcome;
    struct str namespace, name, version; /* as far as they are known */
    struct str reason;                   /* of a conflict or a refusal; else empty */
};

/* One node, one commit. `dry`: what would happen. Failures are those of the catalog itself, and
 * STATUS_CONFLICT by IMPORT_FAIL. */
enum status node_import(struct catalog *catalog, const struct caller *caller,
                        const struct node_offer *offer, enum import_policy policy, bool dry,
                        struct arena *arena, struct import_result *ret, struct error *err);

#endif
