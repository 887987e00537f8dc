/* resolve_packages.c: names become packages, releases become bits, needs become facts.
 *
 * Needs are interned: most releases of a package need the same things, and the set of releases that
 * fit is computed once for each "name in range". When a release is about to be taken, each of its
 * needs becomes one incompatibility for all releases of the package that share it, so that one
 * conflict rules out all of them and explanations speak of ranges.
 *
 * An optional need goes through a made-up package with two releases, 0 "without" and 1 "with": the
 * release needs the link, the link's release 1 needs the thing. Links are decided last. */
#include <stdlib.h>

#include "catalog/node/resolve_int.h"

int64_t set_highest(const uint64_t *set, uint32_t end)
{
    for (uint32_t word = (end + WORD_BITS - 1) / WORD_BITS; word-- > 0;) {
        uint64_t bits = set[word];
        if (word == end / WORD_BITS)
            bits &= (1ULL << (end % WORD_BITS)) - 1;
        if (bits)
            return (int64_t)word * WORD_BITS + 63 - __builtin_clzll(bits);
    }
    return -1;
}

bool resolve_grow(struct arena *arena, void **array, uint32_t len, uint32_t *cap, size_t size)
{
    uint32_t more = *cap ? *cap * 2 : 8;
    void *grown = more > *cap ? arena_array(arena, more, size) : NULL;
    if (!grown)
        return false;
    if (len)
        memcpy(grown, *array, len * size);
    *array = grown;
    *cap = more;
    return true;
}

/* --- names --- */

/* Makes the table of slots at least twice as large as what it holds. */
static uint32_t *new_table(struct solver *s, uint32_t len, uint32_t *cap)
{
    *cap = *cap ? *cap * 2 : 256;
    while (*cap < 2 * len + 2)
        *cap *= 2;
    uint32_t *table = arena_array(&s->arena, *cap, sizeof *table);
    if (table)
        memset(table, 0xff, *cap * sizeof *table);
    return table;
}

static uint32_t *package_slot(const struct solver *s, struct str name)
{
    uint32_t at = (uint32_t)str_hash(name) & (s->package_table_cap - 1);
    while (s->package_table[at] != RESOLVE_NONE &&
           !str_eq(s->packages[s->package_table[at]]->name, name))
        at = (at + 1) & (s->package_table_cap - 1);
    return &s->package_table[at];
}

static bool package_table_fits(struct solver *s)
{
    if (2 * (s->packages_len + 1) < s->package_table_cap)
        return true;
    s->package_table = new_table(s, s->packages_len, &s->package_table_cap);
    if (!s->package_table)
        return false;
    for (uint32_t i = 1; i < s->packages_len; i++) /* not the root: it may be called anything */
        if (!s->packages[i]->optional_link)
            *package_slot(s, s->packages[i]->name) = i;
    return true;
}

static enum status package_new(struct solver *s, struct str name, uint32_t *ret, struct error *err)
{
    if (s->packages_len >= RESOLVE_PACKAGES_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "more than %d packages take part",
                         RESOLVE_PACKAGES_MAX);
    struct package *package = ARENA_NEW(&s->arena, struct package);
    if (!package || !RESOLVE_GROW(s, s->packages, s->packages_len, s->packages_cap))
        return error_no_memory(err);
    package->name = name;
    package->latest = package->locked = -1;
    *ret = s->packages_len;
    s->packages[s->packages_len++] = package;
    return STATUS_OK;
}

enum status package_find(struct solver *s, struct str name, uint32_t *ret, struct error *err)
{
    if (!package_table_fits(s))
        return error_no_memory(err);
    uint32_t *slot = package_slot(s, name);
    if (*slot == RESOLVE_NONE)
        TRY(package_new(s, name, slot, err));
    *ret = *slot;
    return STATUS_OK;
}

/* --- releases --- */

static int compare_releases(const void *a, const void *b)
{
    const struct release *x = a, *y = b;
    return semver_compare_all(&x->semver, &y->semver);
}

static enum status make_sets(struct solver *s, struct package *p, struct error *err)
{
    p->words = p->len / WORD_BITS + 1;
    p->all = solver_new_set(s, p);
    p->liked = solver_new_set(s, p);
    p->work = solver_new_set(s, p);
    if (!p->all || !p->liked || !p->work)
        return error_no_memory(err);
    for (uint32_t i = 0; i <= p->len; i++)
        set_add(p->all, i);
    p->loaded = true;
    return STATUS_OK;
}

static struct str locked_version(const struct resolve_request *request, struct str name)
{
    for (uint32_t i = 0; i < request->locked_len; i++)
        if (str_eq(request->locked[i].name, name))
            return request->locked[i].value;
    return STR_NONE;
}

/* Sorts in the releases that have a version; two with the same are one, the first. */
static enum status sort_releases(struct solver *s, struct package *p,
                                 const struct resolve_release *given, uint32_t len,
                                 struct error *err)
{
    if (len > RESOLVE_VERSIONS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "%.*s has more than %d versions",
                         STR_ARG(p->name), RESOLVE_VERSIONS_MAX);
    p->releases = arena_array(&s->arena, len, sizeof *p->releases);
    if (!p->releases)
        return error_no_memory(err);
    for (uint32_t i = 0; i < len; i++) {
        struct release *release = &p->releases[p->len];
        release->given = &given[i];
        if (semver_parse(given[i].version, &release->semver, NULL) == STATUS_OK)
            p->len++;
    }
    if (p->len == 0)
        return STATUS_OK;
    qsort(p->releases, p->len, sizeof *p->releases, compare_releases);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < p->len; i++)
        if (compare_releases(&p->releases[i], &p->releases[kept - 1]) != 0)
            p->releases[kept++] = p->releases[i];
    p->len = kept;
    return STATUS_OK;
}

static bool may_take(const struct solver *s, enum release_state state)
{
    return state == RELEASE_ACTIVE || state == RELEASE_DEPRECATED ||
           (state == RELEASE_DRAFT && s->request->drafts);
}

/* One fact for each state whose releases may not be taken. */
static enum status forbid_state(struct solver *s, uint32_t package, enum release_state state,
                                struct error *err)
{
    struct package *p = s->packages[package];
    uint64_t *set = NULL;
    for (uint32_t i = 0; i < p->len; i++) {
        if (p->releases[i].given->state != state || i == p->locked)
            continue;
        if (!set && !(set = solver_new_set(s, p)))
            return error_no_memory(err);
        set_add(set, i);
    }
    struct term *terms = set ? ARENA_NEW(&s->arena, struct term) : NULL;
    if (!set)
        return STATUS_OK;
    if (!terms)
        return error_no_memory(err);
    *terms = (struct term){package, set};
    return solver_add_fact(
        s, (struct fact){.terms = terms, .len = 1, .kind = FACT_STATE, .state = state}, err);
}

/* "latest" is the newest release that may be taken; without such, the newest prerelease. */
static void find_latest(const struct solver *s, struct package *p)
{
    for (uint32_t i = 0; i < p->len; i++) {
        const struct release *release = &p->releases[i];
        if (!may_take(s, release->given->state))
            continue;
        if (p->latest < 0 || release->semver.pre.len == 0 ||
            p->releases[p->latest].semver.pre.len > 0)
            p->latest = i;
    }
}

enum status package_load(struct solver *s, uint32_t package, struct error *err)
{
    struct package *p = s->packages[package];
    const struct resolve_release *given = NULL;
    uint32_t len = 0;
    if (p->loaded)
        return STATUS_OK;
    const struct resolve_universe *universe = &s->request->universe;
    TRY(universe->releases(universe->context, p->name, s->results, &given, &len, err));
    TRY(sort_releases(s, p, given, len, err));
    TRY(make_sets(s, p, err));
    struct str locked = locked_version(s->request, p->name);
    for (uint32_t i = 0; i < p->len; i++) {
        if (p->releases[i].given->state != RELEASE_DEPRECATED)
            set_add(p->liked, i);
        if (locked.data && str_eq(p->releases[i].given->version, locked))
            p->locked = i;
    }
    find_latest(s, p);
    TRY(forbid_state(s, package, RELEASE_YANKED, err));
    TRY(forbid_state(s, package, RELEASE_ARCHIVED, err));
    if (!s->request->drafts)
        TRY(forbid_state(s, package, RELEASE_DRAFT, err));
    return STATUS_OK;
}

enum status package_add_root(struct solver *s, struct error *err)
{
    uint32_t root = 0;
    TRY(package_new(s, s->request->root, &root, err));
    struct package *p = s->packages[root];
    struct resolve_release *given = ARENA_NEW(&s->arena, struct resolve_release);
    p->releases = ARENA_NEW(&s->arena, struct release);
    if (!given || !p->releases)
        return error_no_memory(err);
    *given = (struct resolve_release){
        .version = STR("0.0.0"), .needs = s->request->needs, .needs_len = s->request->needs_len};
    p->releases[0].given = given;
    p->len = 1;
    TRY(make_sets(s, p, err));
    set_add(p->liked, 0);
    uint64_t *absent = solver_new_set(s, p);
    struct term *term = ARENA_NEW(&s->arena, struct term);
    if (!absent || !term)
        return error_no_memory(err);
    set_add(absent, 1);
    *term = (struct term){root, absent};
    return solver_add_fact(s, (struct fact){.terms = term, .len = 1, .kind = FACT_ROOT}, err);
}

/* --- needs --- */

static uint64_t need_hash(struct str name, struct str range, bool optional)
{
    return str_hash(name) * 31 + str_hash(range) * 7 + optional;
}

static uint32_t *need_slot(const struct solver *s, struct str name, struct str range, bool optional,
                           uint64_t hash)
{
    uint32_t mask = s->need_table_cap - 1, at = (uint32_t)(hash >> 7) & mask;
    for (; s->need_table[at] != RESOLVE_NONE; at = (at + 1) & mask) {
        const struct need *have = &s->needs[s->need_table[at]];
        if (have->hash == hash && have->optional == optional && str_eq(have->name, name) &&
            str_eq(have->range, range))
            break;
    }
    return &s->need_table[at];
}

static bool need_table_fits(struct solver *s)
{
    if (2 * (s->needs_len + 1) < s->need_table_cap)
        return true;
    s->need_table = new_table(s, s->needs_len, &s->need_table_cap);
    if (!s->need_table)
        return false;
    for (uint32_t i = 0; i < s->needs_len; i++) {
        const struct need *n = &s->needs[i];
        *need_slot(s, n->name, n->range, n->optional, n->hash) = i;
    }
    return true;
}

/* Number of the interned need, with an override in place of its range. */
static enum status need_find(struct solver *s, const struct resolve_need *given, uint32_t *ret,
                             struct error *err)
{
    struct str range = given->range;
    bool overridden = false;
    for (uint32_t i = 0; i < s->request->overrides_len && !overridden; i++)
        if (str_eq(s->request->overrides[i].name, given->name)) {
            range = s->request->overrides[i].value;
            overridden = true;
        }
    if (!need_table_fits(s) || !RESOLVE_GROW(s, s->needs, s->needs_len, s->needs_cap))
        return error_no_memory(err);
    uint64_t hash = need_hash(given->name, range, given->optional);
    uint32_t *slot = need_slot(s, given->name, range, given->optional, hash);
    if (*slot == RESOLVE_NONE) {
        struct need need = {.name = given->name,
                            .range = range,
                            .optional = given->optional,
                            .overridden = overridden,
                            .link = RESOLVE_NONE,
                            .hash = hash};
        *slot = s->needs_len;
        s->needs[s->needs_len++] = need;
        TRY(package_find(s, given->name, &s->needs[*slot].package, err));
    }
    *ret = *slot;
    return STATUS_OK;
}

static enum status name_needs(struct solver *s, struct release *release, struct error *err)
{
    uint32_t len = release->given->needs_len;
    if (release->needs)
        return STATUS_OK;
    if (len > RESOLVE_NEEDS_MAX)
        return error_set(err, STATUS_RESOURCE_LIMIT, "a version has more than %d dependencies",
                         RESOLVE_NEEDS_MAX);
    release->needs = arena_array(&s->arena, len, sizeof *release->needs);
    if (!release->needs)
        return error_no_memory(err);
    for (uint32_t i = 0; i < len; i++)
        TRY(need_find(s, &release->given->needs[i], &release->needs[i], err));
    release->needs_len = len;
    return STATUS_OK;
}

/* Which releases fit. */
static enum status need_fill(struct solver *s, uint32_t number, struct error *err)
{
    struct need *need = &s->needs[number];
    if (need->set || need->bad)
        return STATUS_OK;
    TRY(package_load(s, need->package, err));
    struct package *p = s->packages[need->package];
    struct semver_range range;
    enum status status =
        semver_range_parse(need->range, s->request->prereleases, &s->arena, &range, NULL);
    need->bad = status != STATUS_OK;
    if (status == STATUS_INVALID_ARGUMENT)
        return STATUS_OK;
    need->set = solver_new_set(s, p);
    if (status != STATUS_OK || !need->set ||
        !RESOLVE_GROW(s, p->needed_by, p->needed_by_len, p->needed_by_cap))
        return error_no_memory(err);
    for (uint32_t i = 0; i < p->len; i++)
        if (semver_range_has(&range, &p->releases[i].semver, i == p->latest))
            set_add(need->set, i);
    p->needed_by[p->needed_by_len++] = number;
    return STATUS_OK;
}

/* Releases that need another release of their own name cannot be taken. */
static enum status add_self_fact(struct solver *s, uint32_t package, uint64_t *set,
                                 const uint64_t *wanted, uint32_t need, struct error *err)
{
    struct term *term = ARENA_NEW(&s->arena, struct term);
    if (!term)
        return error_no_memory(err);
    uint32_t words = s->packages[package]->words;
    for (uint32_t i = 0; i < words; i++)
        set[i] &= ~wanted[i];
    *term = (struct term){package, set};
    if (set_count(set, words) == 0)
        return STATUS_OK;
    return solver_add_fact(
        s, (struct fact){.terms = term, .len = 1, .kind = FACT_NEED, .need = need}, err);
}

/* {package in set} and not {target in wanted}. Takes over `set`. */
static enum status add_need_fact(struct solver *s, uint32_t package, uint64_t *set, uint32_t target,
                                 const uint64_t *wanted, uint32_t need, struct error *err)
{
    const struct package *t = s->packages[target];
    if (package == target)
        return add_self_fact(s, package, set, wanted, need, err);
    struct term *terms = arena_array(&s->arena, 2, sizeof *terms);
    uint64_t *unwanted = solver_new_set(s, t);
    if (!terms || !unwanted)
        return error_no_memory(err);
    for (uint32_t i = 0; i < t->words; i++)
        unwanted[i] = t->all[i] & ~wanted[i];
    terms[0] = (struct term){package, set};
    terms[1] = (struct term){target, unwanted};
    /* A term that always holds says nothing: nothing fits, the releases are out. */
    uint32_t len = memcmp(unwanted, t->all, t->words * sizeof *unwanted) == 0 ? 1 : 2;
    return solver_add_fact(
        s, (struct fact){.terms = terms, .len = len, .kind = FACT_NEED, .need = need}, err);
}

/* The package between an optional need and its target, made on first use. */
static enum status make_link(struct solver *s, uint32_t number, struct error *err)
{
    uint32_t link = 0;
    if (s->needs[number].link != RESOLVE_NONE)
        return STATUS_OK;
    TRY(package_new(s, s->needs[number].name, &link, err));
    struct package *p = s->packages[link];
    p->optional_link = true;
    p->link_need = number;
    p->len = 2;
    TRY(make_sets(s, p, err));
    set_add(p->liked, 0);
    set_add(p->liked, 1);
    s->needs[number].link = link;
    uint64_t *with = solver_new_set(s, p);
    if (!with)
        return error_no_memory(err);
    set_add(with, 1);
    return add_need_fact(s, link, with, s->needs[number].package, s->needs[number].set, number,
                         err);
}

static bool is_linked(const struct package *p, uint32_t need)
{
    for (uint32_t i = 0; i < p->linked_len; i++)
        if (p->linked[i] == need)
            return true;
    return false;
}

/* The releases of the package that have this need. */
static enum status sharers(struct solver *s, uint32_t package, uint32_t need, uint64_t **ret,
                           struct error *err)
{
    struct package *p = s->packages[package];
    *ret = solver_new_set(s, p);
    if (!*ret)
        return error_no_memory(err);
    for (uint32_t i = 0; i < p->len; i++) {
        TRY(name_needs(s, &p->releases[i], err));
        for (uint32_t n = 0; n < p->releases[i].needs_len; n++)
            if (p->releases[i].needs[n] == need)
                set_add(*ret, i);
    }
    return STATUS_OK;
}

/* A need that cannot be read: an optional one counts as not to be had; the root's is an error. */
static enum status refuse_need(struct solver *s, uint32_t package, uint32_t number, uint64_t *set,
                               struct error *err)
{
    const struct need *need = &s->needs[number];
    struct arena *arena = &s->arena;
    struct semver_range range;
    if (need->optional)
        return STATUS_OK;
    if (package == 0 || need->overridden) {
        TRY(semver_range_parse(need->range, false, arena, &range, err));
        return STATUS_OK;
    }
    struct term *terms = ARENA_NEW(arena, struct term);
    if (!terms)
        return error_no_memory(err);
    *terms = (struct term){package, set};
    return solver_add_fact(
        s, (struct fact){.terms = terms, .len = 1, .kind = FACT_BAD, .need = number}, err);
}

static enum status link_need(struct solver *s, uint32_t package, uint32_t number, struct error *err)
{
    struct package *p = s->packages[package];
    uint64_t *set = NULL;
    if (is_linked(p, number))
        return STATUS_OK;
    if (!RESOLVE_GROW(s, p->linked, p->linked_len, p->linked_cap))
        return error_no_memory(err);
    p->linked[p->linked_len++] = number;
    TRY(sharers(s, package, number, &set, err));
    TRY(need_fill(s, number, err));
    if (s->needs[number].bad)
        return refuse_need(s, package, number, set, err);
    if (!s->needs[number].optional)
        return add_need_fact(s, package, set, s->needs[number].package, s->needs[number].set,
                             number, err);
    TRY(make_link(s, number, err));
    uint32_t link = s->needs[number].link;
    return add_need_fact(s, package, set, link, s->packages[link]->liked, number, err);
}

/* A fact all of whose terms but the package's own hold already. */
static bool blocks(const struct solver *s, const struct fact *fact, uint32_t package,
                   uint32_t release)
{
    for (uint32_t i = 0; i < fact->len; i++) {
        const struct term *term = &fact->terms[i];
        const struct package *p = s->packages[term->package];
        if (term->package == package ? !set_has(term->set, release)
                                     : !set_within(solver_left(s, p), term->set, p->words))
            return false;
    }
    return true;
}

enum status package_link(struct solver *s, uint32_t package, uint32_t release, bool *ret_blocked,
                         struct error *err)
{
    struct release *r = &s->packages[package]->releases[release];
    *ret_blocked = false;
    if (s->packages[package]->optional_link || r->linked)
        return STATUS_OK;
    uint32_t before = s->facts_len;
    TRY(name_needs(s, r, err));
    for (uint32_t i = 0; i < r->needs_len; i++)
        TRY(link_need(s, package, r->needs[i], err));
    r->linked = true;
    for (uint32_t i = before; i < s->facts_len && !*ret_blocked; i++)
        *ret_blocked = blocks(s, &s->facts[i], package, release);
    return STATUS_OK;
}
