/* registry.h: nodes as assets of the catalog.
 *
 * One version of a node is one asset of kind "node": key (namespace, name, version); its metadata
 * block is the asset's attributes, its capabilities are categories. Rights, lifecycle, history,
 * tags and deletion are the catalog's own (catalog.h); here is what versions add.
 *
 * A name that is looked up by text is "namespace/name" or a name that only one namespace has. */
#ifndef QUARRY_CATALOG_NODE_REGISTRY_H
#define QUARRY_CATALOG_NODE_REGISTRY_H

#include "catalog/catalog.h"
#include "catalog/node/metadata.h"
#include "catalog/node/resolve.h"

enum {
    NODE_VERSIONS_MAX = RESOLVE_VERSIONS_MAX,
    NODE_SCAN_MAX = 200000, /* assets looked at for one search with conditions on versions */
};

struct node_draft {
    struct str json; /* the metadata block; uuid, times, hash are filled in when missing */
    struct str body; /* of the file, for the hash; may be empty */
    bool strict;     /* refused when the block has errors (else only name, namespace, version) */
};

/* STATUS_CONFLICT: RG002, the version exists; MD009, the uuid belongs to another name.
 * STATUS_INVALID_ARGUMENT: the first error of the block. `issues` tells all in any case. */
enum status node_register(struct catalog *catalog, const struct caller *caller,
                          const struct node_draft *draft, struct arena *arena, struct record *ret,
                          struct metadata_issues *issues, struct error *err);
/* Replaces the block of a version; name, namespace, version and uuid must stay. A deprecated
 * version is frozen but for its description and tags. */
enum status node_replace(struct catalog *catalog, const struct caller *caller, struct str id,
                         int64_t expected, const struct node_draft *draft, struct arena *arena,
                         struct record *ret, struct metadata_issues *issues, struct error *err);

/* All versions of a name, oldest first; STATUS_NOT_FOUND (RG001) when there is none. */
enum status node_versions(struct catalog *catalog, const struct caller *caller,
                          struct str namespace, struct str name, struct arena *arena,
                          struct record **ret, uint32_t *ret_len, struct error *err);
/* The version named exactly, else the newest in the range ("latest", "^1.2", ...), among active
 * ones, then deprecated ones, then with `drafts` drafts. STATUS_NOT_FOUND: RG001. */
enum status node_get(struct catalog *catalog, const struct caller *caller, struct str namespace,
                     struct str name, struct str spec, bool drafts, struct arena *arena,
                     struct record *ret, struct error *err);

/* The dimensions of contracts 4.5; empty ones are not asked. */
struct node_search {
    struct str uuid, namespace, name, name_pattern, author, meta_type, version_pattern;
    struct str version_spec;  /* a range */
    struct str input, output; /* schema_ref or name of an input or output */
    struct str text;          /* words of name, namespace, description, tags, capabilities */
    const struct str *tags, *capabilities, *states;
    uint32_t tags_len, capabilities_len, states_len; /* states empty: active and deprecated */
    bool any_state;
    bool latest_only; /* the newest matching version of each name */
    uint32_t limit;   /* 1..QUERY_LIMIT_MAX */
    struct str cursor;
};
/* Sorted by name, then by id. */
enum status node_search(struct catalog *catalog, const struct caller *caller,
                        const struct node_search *search, struct arena *arena,
                        struct record_page *ret, struct error *err);

/* Resolution over the registry. Names of needs are "namespace/name"; needs of nodes are read from
 * their blocks (needs.h) and named so, or kept as they are written when nobody has that name. */
struct node_resolve {
    const struct resolve_need *needs;
    uint32_t needs_len;
    const struct resolve_pair *overrides, *locked;
    uint32_t overrides_len, locked_len;
    bool drafts, prereleases;
};
enum status node_resolve(struct catalog *catalog, const struct caller *caller,
                         const struct node_resolve *request, struct arena *arena,
                         struct resolution *ret, struct error *err);
/* The resolution as a lock file: JSON, the same bytes for the same answer. */
enum status node_write_lock(const struct resolution *resolution, struct buf *out,
                            struct error *err);
/* name -> version of such a lock file. */
enum status node_read_lock(struct str json, struct arena *arena, struct resolve_pair **ret,
                           uint32_t *ret_len, struct error *err);

/* Cuts "namespace/name" at its first slash; without one the namespace is empty. */
void node_split_name(struct str text, struct str *ret_namespace, struct str *ret_name);

#endif
