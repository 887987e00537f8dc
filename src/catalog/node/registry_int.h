/* registry_int.h: what the parts of the registry share. */
#ifndef QUARRY_CATALOG_NODE_REGISTRY_INT_H
#define QUARRY_CATALOG_NODE_REGISTRY_INT_H

#include "catalog/node/registry.h"

#define NODE_KIND "node"

/* Member of a block as text; empty when it is none. Borrows. */
struct str node_member(yyjson_val *block, const char *name);

/* The asset that a draft becomes, its block completed and judged. */
enum status node_prepare(struct catalog *catalog, const struct node_draft *draft,
                         struct arena *arena, struct record *ret, struct metadata_issues *issues,
                         struct error *err);
/* STATUS_CONFLICT, MD009: the asset's uuid belongs to another name. */
enum status node_check_uuid(struct catalog *catalog, const struct caller *caller,
                            const struct record *asset, struct arena *arena, struct error *err);

#endif
