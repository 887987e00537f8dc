/* redis_backend.h: the catalog in Redis: for those who have it, and as the cache of the hybrid one.
 *
 * A commit is one Lua script, which Redis runs alone: all of it or nothing. Index entries of a
 * record are kept beside it, so that an update takes away exactly those that it made. As a primary
 * store Redis must sync each write (appendonly yes, appendfsync always): opening asks for that and
 * fails when it cannot be had. One server; Redis Cluster is not supported. */
#ifndef QUARRY_CATALOG_REDIS_BACKEND_H
#define QUARRY_CATALOG_REDIS_BACKEND_H

#include "catalog/backend.h"

struct redis_backend_options {
    const char *url;          /* "redis://[:PASSWORD@]HOST:PORT[/DB]" or "unix:PATH" */
    const char *prefix;       /* of all keys; NULL: "quarry" */
    uint32_t connections_max; /* 0: 16 */
    uint32_t timeout_ms;      /* of connecting and of one command; 0: 5000 */
    bool is_cache; /* what is lost is no loss: the server need not sync, nor be there at opening */
};

/* STATUS_UNAVAILABLE: no server there; STATUS_INVALID_ARGUMENT: the URL, or a server that does not
 * sync its writes and does not let us change that. */
enum status redis_backend_open(const struct redis_backend_options *options,
                               struct backend **ret_backend, struct error *err);

#endif
