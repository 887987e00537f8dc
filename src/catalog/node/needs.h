/* needs.h: the dependencies of a node, in any of the four ways of writing them (contracts 4.4):
 *
 *   "text@^1.0"                                        a list of texts; the range may be missing
 *   "tool://omninode.text@^1.0"                        a URI: <type>://<namespace>@<range>
 *   {id, type, version_spec, required}                 id is the node's uuid
 *   {name, type, target, binding, protocol_required, optional, description}
 *                                                      target is "uuid@range" for type onex_node
 */
#ifndef QUARRY_CATALOG_NODE_NEEDS_H
#define QUARRY_CATALOG_NODE_NEEDS_H

#include "base/arena.h"
#include "base/json.h"

enum need_form { NEED_TEXT, NEED_URI, NEED_ID, NEED_FULL };

/* How the node that is meant is named. */
enum need_by { NEED_BY_NAME, NEED_BY_NAMESPACE, NEED_BY_UUID, NEED_OUTSIDE };

struct node_need {
    enum need_form form;
    enum need_by by;   /* NEED_OUTSIDE: a library, a binary, ...: not the registry's business */
    struct str target; /* name, namespace or uuid */
    struct str range;  /* "*" when none was given */
    struct str type;   /* tool, validator, onex_node, library, ...; empty in the form of a text */
    bool optional;
};

enum { NODE_NEEDS_MAX = 1000 };

/* `value` is the member `dependencies`; NULL and null mean none. STATUS_INVALID_ARGUMENT names the
 * entry, with the code RG003 (bad type), MD004 (bad uuid) or MD002. */
enum status node_needs_parse(yyjson_val *value, struct arena *arena, struct node_need **ret,
                             uint32_t *ret_len, struct error *err);

#endif
