/* semver.h: versions after Semantic Versioning 2.0.0.
 *
 * A version borrows the text that it was parsed from. Numbers go up to 2^53 - 1, as in npm, so that
 * any JSON reader keeps them. Pure functions: any thread. */
#ifndef QUARRY_CATALOG_NODE_SEMVER_H
#define QUARRY_CATALOG_NODE_SEMVER_H

#include "base/status.h"
#include "base/str.h"

#define SEMVER_NUMBER_MAX 9007199254740991ULL

enum { SEMVER_TEXT_MAX = 256 };

struct semver {
    uint64_t major, minor, patch;
    struct str pre;   /* "alpha.1"; empty: a release */
    struct str build; /* "20260101"; takes no part in the order */
};

/* Strictly MAJOR.MINOR.PATCH[-PRE][+BUILD]; anything else is STATUS_INVALID_ARGUMENT. */
enum status semver_parse(struct str text, struct semver *ret, struct error *err);

/* The order of precedence (section 11 of the specification): -1, 0, 1. Build is ignored. */
int semver_compare(const struct semver *a, const struct semver *b);
/* The same with ties broken by the bytes of build, so that sorting is deterministic. */
int semver_compare_all(const struct semver *a, const struct semver *b);

/* Whether `newer` may stand in for `base`: not older, and nothing breaking lies between them by the
 * caret rule (0.x breaks with the minor number, 0.0.x with each patch). A prerelease stands in only
 * for prereleases of the same three numbers. */
bool semver_is_compatible(const struct semver *base, const struct semver *newer);

/* NUL-ended; returns the length. */
size_t semver_format(const struct semver *version, char out[SEMVER_TEXT_MAX + 1]);

/* Takes one decimal number without leading zeros off the front of *text; false when there is none
 * or it is too large. For the parser of ranges. */
bool semver_take_number(struct str *text, uint64_t *ret);
/* Length of a well-formed dotted list of identifiers at the front of `text`; 0 when there is none.
 * `numeric_zeros`: numbers may begin with 0 (build metadata). */
size_t semver_identifiers(struct str text, bool numeric_zeros);

#endif
