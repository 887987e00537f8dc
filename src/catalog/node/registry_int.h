/* registry_int.h: what the parts of the registry share. */
#ifndef QUARRY_CATALOG_NODE_REGISTRY_INT_H
#define QUARRY_CATALOG_NODE_REGISTRY_INT_H

#include "catalog/node/registry.h"

#define NODE_KIND "node"

/* Member of a block as text; empty when it is none. Borrows. */
struct str node_member(yyjson_val *block, const char *name);

#endif
