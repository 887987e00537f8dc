/* resolve_int.h: the solver's state.
 *
 * The versions of a package are finite and known, so a set of them is a row of bits, one a version
 * (oldest first) and one more, the highest, for "not taken at all". With that bit a negative term
 * of PubGrub ("not a ^1") is a set like any other, and the whole algebra is and, or and subset.
 *
 * An incompatibility is a list of terms (package, set) that must not all hold. The trail holds the
 * assignments in order; each remembers what is left of its package's versions from then on.
 *
 * Invariants:
 *   1. along a package's assignments the sets left only shrink, and are never empty
 *   2. levels along the trail only grow; level 0 holds the root and what follows from it
 *   3. a learned incompatibility refers only to ones with a smaller number */
#ifndef QUARRY_CATALOG_NODE_RESOLVE_INT_H
#define QUARRY_CATALOG_NODE_RESOLVE_INT_H

#include "catalog/node/resolve.h"
#include "catalog/node/semver_range.h"

enum { RESOLVE_NONE = UINT32_MAX, WORD_BITS = 64 };

struct need; /* an interned "name in range" */

struct release {
    struct semver semver;
    const struct resolve_release *given;
    uint32_t *needs; /* numbers of needs, NULL until first wanted */
    uint32_t needs_len;
    bool linked; /* its needs have become incompatibilities */
    bool bad;    /* a need of it cannot be read */
};

struct package {
    struct str name;
    struct release *releases; /* oldest first */
    uint32_t len;             /* releases; bit `len` is "not taken" */
    uint32_t words;
    uint64_t *all;   /* every bit */
    uint64_t *liked; /* releases that are not deprecated */
    int64_t latest, locked;
    bool loaded;
    bool optional_link; /* made up for an optional need: release 0 without it, release 1 with it */
    uint32_t link_need;
    uint32_t *needed_by; /* numbers of needs for this package, to name sets */
    uint32_t needed_by_len, needed_by_cap;
    uint32_t *linked; /* needs that are incompatibilities of this package already */
    uint32_t linked_len, linked_cap;
    uint32_t *watching; /* facts that are looked at when its set changes */
    uint32_t watching_len, watching_cap;
    uint32_t *trail; /* its assignments */
    uint32_t trail_len, trail_cap;
    bool queued, open;
    double activity;
    uint64_t *work; /* its term of the incompatibility in work */
    bool in_work;
};

struct need {
    struct str name, range; /* with an override, its range */
    bool optional, overridden;
    bool bad; /* the range cannot be read */
    uint32_t package;
    uint64_t *set; /* releases that fit, without "not taken"; NULL until known */
    uint32_t link; /* of an optional one: its link package */
    uint64_t hash;
};

struct term {
    uint32_t package;
    uint64_t *set;
};

enum fact_kind {
    FACT_ROOT,    /* the root must be taken */
    FACT_NEED,    /* a release without what it needs */
    FACT_STATE,   /* releases that may not be taken */
    FACT_BAD,     /* releases that cannot be read */
    FACT_LEARNED, /* follows from others */
};

/* One step of a proof: the fact that was put in, and the package whose term it removed. */
struct step {
    uint32_t fact;
    uint32_t pivot;
};

struct fact {
    struct term *terms;
    uint32_t len;
    enum fact_kind kind;
    uint32_t need;            /* FACT_NEED */
    enum release_state state; /* FACT_STATE */
    struct step *steps;       /* FACT_LEARNED; the first has no pivot */
    uint32_t steps_len;
};

struct assignment {
    uint32_t package;
    uint32_t level;
    uint32_t cause; /* RESOLVE_NONE: a decision */
    size_t left;    /* offset into trail_words */
};

struct solver {
    const struct resolve_request *request;
    struct arena *results; /* lives on */
    struct arena arena;    /* freed at the end */
    struct package **packages;
    uint32_t packages_len, packages_cap;
    uint32_t *package_table; /* open addressing by name */
    uint32_t package_table_cap;
    struct need *needs;
    uint32_t needs_len, needs_cap;
    uint32_t *need_table;
    uint32_t need_table_cap;
    struct fact *facts;
    uint32_t facts_len, facts_cap;
    struct assignment *trail;
    uint32_t trail_len, trail_cap;
    uint64_t *trail_words;
    size_t trail_words_len, trail_words_cap;
    uint32_t level;
    uint32_t *queue; /* packages whose set has changed */
    uint32_t queue_len, queue_cap;
    uint32_t *open; /* packages that must be taken, decided ones too */
    uint32_t open_len, open_cap;
    uint32_t *work; /* packages of the incompatibility in work */
    uint32_t work_len, work_cap;
    struct step *steps;
    uint32_t steps_len, steps_cap;
    double bump;
    uint32_t decisions, conflicts;
    bool failed;      /* there is no solution */
    uint32_t failure; /* the fact that says so */
};

/* --- sets --- */

static inline bool set_has(const uint64_t *set, uint32_t bit)
{
    return set[bit / WORD_BITS] >> (bit % WORD_BITS) & 1;
}

static inline void set_add(uint64_t *set, uint32_t bit)
{
    set[bit / WORD_BITS] |= 1ULL << (bit % WORD_BITS);
}

static inline void set_drop(uint64_t *set, uint32_t bit)
{
    set[bit / WORD_BITS] &= ~(1ULL << (bit % WORD_BITS));
}

static inline bool set_within(const uint64_t *a, const uint64_t *b, uint32_t words)
{
    for (uint32_t i = 0; i < words; i++)
        if (a[i] & ~b[i])
            return false;
    return true;
}

static inline bool set_meets(const uint64_t *a, const uint64_t *b, uint32_t words)
{
    for (uint32_t i = 0; i < words; i++)
        if (a[i] & b[i])
            return true;
    return false;
}

static inline uint32_t set_count(const uint64_t *set, uint32_t words)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < words; i++)
        count += (uint32_t)__builtin_popcountll(set[i]);
    return count;
}

/* Highest bit below `end`; -1: none. */
int64_t set_highest(const uint64_t *set, uint32_t end);

/* Doubles an array that lives in the arena; false when memory is out. */
bool resolve_grow(struct arena *arena, void **array, uint32_t len, uint32_t *cap, size_t size);
#define RESOLVE_GROW(s, array, len, cap)                                                           \
    ((len) < (cap) || resolve_grow(&(s)->arena, (void **)&(array), (len), &(cap), sizeof *(array)))

/* --- resolve_packages.c: names, releases, needs --- */

enum status package_find(struct solver *s, struct str name, uint32_t *ret, struct error *err);
/* Asks the universe; facts about releases that may not be taken are added. */
enum status package_load(struct solver *s, uint32_t package, struct error *err);
/* The root, which is release 0 of package 0. */
enum status package_add_root(struct solver *s, struct error *err);
/* Makes a release's needs into facts; *ret_blocked: one of them forbids the release as things are.
 */
enum status package_link(struct solver *s, uint32_t package, uint32_t release, bool *ret_blocked,
                         struct error *err);

/* --- resolve_solver.c: the search --- */

uint64_t *solver_new_set(struct solver *s, const struct package *package);
enum status solver_add_fact(struct solver *s, struct fact fact, struct error *err);
/* Versions of the package that are left. */
const uint64_t *solver_left(const struct solver *s, const struct package *package);
enum status solver_run(struct solver *s, struct error *err);
/* Puts a fact's terms into work, or resolves the one in work with `fact` over `pivot`. */
enum status work_begin(struct solver *s, uint32_t fact, struct error *err);
enum status work_resolve(struct solver *s, uint32_t number, uint32_t pivot, struct error *err);
void work_end(struct solver *s);

/* --- resolve_explain.c, resolve_result.c --- */

enum status solver_explain(struct solver *s, struct str *ret, struct error *err);
enum status solver_result(struct solver *s, struct resolution *ret, struct error *err);

#endif
