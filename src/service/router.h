/* router.h: from method and path to an operation of one service.
 *
 * A pattern is a list of segments, each a literal or a {param} that takes any one non-empty
 * segment. Where several patterns fit, the one with the earlier literal wins. The path is given as
 * it came on the wire: segments are cut first and percent-decoded after that, so an encoded slash
 * is part of its segment. A trailing slash makes an empty last segment, which fits nothing. HEAD
 * goes where GET goes. Immutable once made: any thread. */
#ifndef QUARRY_SERVICE_ROUTER_H
#define QUARRY_SERVICE_ROUTER_H

#include "base/arena.h"
#include "service/operation.h"

struct router;

enum { ROUTE_SEGMENTS_MAX = 8 };

/* All operations of the list for this service, those of every service, and aliases. Asserts that
 * the list is sound (known alias names, bounded segments and parameters). */
enum status router_new(enum service_kind kind, struct router **ret_router, struct error *err);
void router_free(struct router *router);

struct route {
    const struct operation *operation;
    unsigned methods;                       /* set of 1 << http_method that the path has */
    struct str names[OPERATION_PARAMS_MAX]; /* of the path's parameters */
    struct str values[OPERATION_PARAMS_MAX];
    uint32_t params;
};

/* Which operation. Decoded parameters come from `arena`. STATUS_UNKNOWN_ROUTE, with the nearest
 * known path; STATUS_METHOD_NOT_ALLOWED (ret_route->methods is set, for Allow);
 * STATUS_INVALID_ARGUMENT for broken percent-encoding, and NUL, "." or ".." as a parameter. */
enum status router_find(const struct router *router, enum http_method method, struct str path,
                        struct arena *arena, struct route *ret_route, struct error *err);
/* "GET, HEAD, OPTIONS" into out; NUL-ended. */
enum { ALLOW_TEXT_MAX = 96 };
void route_allow(unsigned methods, char out[ALLOW_TEXT_MAX]);

#endif
