/* semver_range.h: sets of versions as people write them.
 *
 *   range      ::= set ( "||" set )*
 *   set        ::= partial " - " partial | comparator ( (" " | ",") comparator )* | ""
 *   comparator ::= ( "<" | "<=" | ">" | ">=" | "=" | "~" | "~>" | "^" )? partial | "latest"
 *   partial    ::= like a version, where numbers may be left out at the end or be "x", "X" or "*"
 *
 * The meaning is npm's, whose `semver` package is the oracle of the tests; the comma (AND) and the
 * word "latest" are ours. A prerelease is in a set only when one of the set's comparators names a
 * prerelease of the same three numbers, unless the range was parsed with `prereleases`.
 *
 * "latest" depends on which versions there are: semver_range_has says no to all but `is_latest`. */
#ifndef QUARRY_CATALOG_NODE_SEMVER_RANGE_H
#define QUARRY_CATALOG_NODE_SEMVER_RANGE_H

#include "base/arena.h"
#include "catalog/node/semver.h"

enum { SEMVER_RANGE_TEXT_MAX = 4096 };

enum semver_op { SEMVER_ANY, SEMVER_LATEST, SEMVER_LT, SEMVER_LE, SEMVER_GT, SEMVER_GE, SEMVER_EQ };

struct semver_comparator {
    enum semver_op op;
    struct semver version;
};

/* All comparators of one set must hold. */
struct semver_set {
    struct semver_comparator *comparators;
    uint32_t len;
};

/* One of the sets must hold; no sets: nothing fits. */
struct semver_range {
    struct semver_set *sets;
    uint32_t len;
    bool prereleases;
};

/* Everything comes from `arena`; `text` is not kept. STATUS_INVALID_ARGUMENT names the part that
 * cannot be read. */
enum status semver_range_parse(struct str text, bool prereleases, struct arena *arena,
                               struct semver_range *ret, struct error *err);
bool semver_range_has(const struct semver_range *range, const struct semver *version,
                      bool is_latest);
/* The newest of `versions` (in any order) that the range has; -1: none. What counts as latest is
 * the newest release, or the newest prerelease when there is no release. */
int64_t semver_range_newest(const struct semver_range *range, const struct semver *versions,
                            uint32_t len);
int64_t semver_latest(const struct semver *versions, uint32_t len);

#endif
