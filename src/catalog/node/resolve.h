/* resolve.h: which versions to take so that everybody gets what it asked for, or why there are
 * none.
 *
 * PubGrub (Natalie Weizenbaum, 2018): conflict-driven search that keeps what it learns, and whose
 * proof of failure is an explanation for people. One version of each name. For each name the newest
 * version that fits is tried first; a deprecated one only when no other fits; a yanked or archived
 * one never, unless the lock names it; a draft only when asked for.
 *
 *   struct resolve_request request = {.root = STR("app"), .needs = needs, .needs_len = n,
 *                                     .universe = {context, releases_of}};
 *   TRY(resolve_run(&request, &arena, &result, err));
 *   if (!result.found) ... result.explanation ...
 *
 * The same request over the same universe always gives the same answer. */
#ifndef QUARRY_CATALOG_NODE_RESOLVE_H
#define QUARRY_CATALOG_NODE_RESOLVE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"

enum {
    RESOLVE_PACKAGES_MAX = 200000,
    RESOLVE_VERSIONS_MAX = 20000, /* of one name */
    RESOLVE_NEEDS_MAX = 4096,     /* of one version */
    RESOLVE_CONFLICTS_MAX = 200000,
    RESOLVE_CYCLES_MAX = 16,
    RESOLVE_LINES_MAX = 200, /* of an explanation */
};

enum release_state {
    RELEASE_ACTIVE,
    RELEASE_DEPRECATED,
    RELEASE_YANKED,
    RELEASE_ARCHIVED,
    RELEASE_DRAFT,
};

/* "name in range". An optional one is left out when it cannot be had; it never changes which
 * versions the others get. */
struct resolve_need {
    struct str name;
    struct str range; /* semver_range.h */
    bool optional;
};

struct resolve_release {
    struct str version; /* semver; a release with another version is never taken */
    enum release_state state;
    const struct resolve_need *needs;
    uint32_t needs_len;
};

/* Where releases come from. Each name is asked for at most once, when it is first needed. */
struct resolve_universe {
    void *context;
    /* All releases of `name`, in any order; none when the name is not known. They must live as long
     * as the arena, from which they may be taken. */
    enum status (*releases)(void *context, struct str name, struct arena *arena,
                            const struct resolve_release **ret, uint32_t *ret_len,
                            struct error *err);
};

struct resolve_pair {
    struct str name;
    struct str value;
};

struct resolve_request {
    struct str root; /* how to call what asks, in explanations */
    const struct resolve_need *needs;
    uint32_t needs_len;
    struct resolve_universe universe;
    const struct resolve_pair *overrides; /* name -> range that replaces what anybody asks for */
    uint32_t overrides_len;
    const struct resolve_pair *locked; /* name -> version to keep as long as it fits */
    uint32_t locked_len;
    bool drafts;            /* draft releases may be taken */
    bool prereleases;       /* prereleases fit like releases */
    uint32_t conflicts_max; /* 0: RESOLVE_CONFLICTS_MAX */
};

struct resolved {
    struct str name;
    const struct resolve_release *release;
    const uint32_t *needs; /* indices into resolution.nodes, sorted; optional ones when taken */
    uint32_t needs_len;
};

struct resolution {
    bool found;
    struct str explanation; /* when not found: lines of text */
    struct resolved *nodes; /* sorted by name */
    uint32_t len;
    uint32_t *order;                   /* indices of nodes: who is needed comes first */
    const struct str *cycles;          /* "a 1.0.0 -> b 2.0.0 -> a 1.0.0"; `order` breaks them */
    uint32_t cycles_len;               /* at most RESOLVE_CYCLES_MAX are named */
    const struct resolve_need *missed; /* optional needs that could not be had */
    uint32_t missed_len;
    uint32_t decisions, conflicts;
};

/* STATUS_OK also when nothing was found (then *ret says why). STATUS_INVALID_ARGUMENT: a root
 * need, override or lock that cannot be read. STATUS_RESOURCE_LIMIT: given up after conflicts_max
 * conflicts or beyond another limit. Failures of the universe are passed on. */
enum status resolve_run(const struct resolve_request *request, struct arena *arena,
                        struct resolution *ret, struct error *err);

#endif
