/* yaml_json.h: YAML in and out, as far as JSON goes.
 *
 * Read: one document; scalars become null, booleans, numbers or strings as in YAML's core schema
 * (a plain 1.2.3, 2025-05-27T07:17:06 or 5e3 is text; 12 and 1.5 are numbers). Anchors, aliases,
 * tags other than !!str, and keys that are no scalars are refused. Written: block style. */
#ifndef QUARRY_CATALOG_NODE_YAML_JSON_H
#define QUARRY_CATALOG_NODE_YAML_JSON_H

#include "base/json.h"

enum {
    YAML_TEXT_MAX = 1 << 20,
    YAML_DEPTH_MAX = 32,
    YAML_KEY_MAX = 160, /* bytes; YAML allows 1024 characters, escapes included */
};

/* Appends the document as JSON. STATUS_INVALID_ARGUMENT with line and column. Two equal keys in a
 * mapping are left to the JSON reader, which refuses them. */
enum status yaml_to_json(struct str yaml, struct buf *out, struct error *err);

struct yaml_style {
    const char *prefix; /* of each line, "# " for instance */
    bool sorted;        /* keys in byte order, and empty members (null, "", [], {}) left out */
};

/* Appends an object as lines of YAML. */
enum status yaml_write(yyjson_val *object, const struct yaml_style *style, struct buf *out,
                       struct error *err);

#endif
