/* resolve_solver.c: unit propagation, conflict resolution, decisions.
 *
 * 1. Propagate: for each package whose set has changed, look at the facts that watch it, the newest
 *    first. All terms of a fact hold: a conflict. All but one: the opposite of that one follows.
 * 2. Conflict: go back over the trail, and replace the term that the latest assignment made true by
 *    the terms that caused the assignment, until only one assignment of its level is involved; keep
 *    the result as a learned fact, jump back to where it first implies something, and go on at 1.
 * 3. Nothing changes any more: decide a version for a package that must be taken and has none.
 *
 * When a conflict does not depend on any decision, there is no solution. */
#include <stdlib.h>

#include "catalog/node/resolve_int.h"

uint64_t *solver_new_set(struct solver *s, const struct package *package)
{
    return arena_array(&s->arena, package->words, sizeof(uint64_t));
}

const uint64_t *solver_left(const struct solver *s, const struct package *p)
{
    return p->trail_len ? s->trail_words + s->trail[p->trail[p->trail_len - 1]].left : p->all;
}

/* What was left of the package after its first `count` assignments. */
static const uint64_t *left_after(const struct solver *s, const struct package *p, uint32_t count)
{
    return count ? s->trail_words + s->trail[p->trail[count - 1]].left : p->all;
}

static enum status watch(struct solver *s, uint32_t package, uint32_t fact, struct error *err)
{
    struct package *p = s->packages[package];
    if (!RESOLVE_GROW(s, p->watching, p->watching_len, p->watching_cap))
        return error_no_memory(err);
    p->watching[p->watching_len++] = fact;
    return STATUS_OK;
}

enum status solver_add_fact(struct solver *s, struct fact fact, struct error *err)
{
    if (!RESOLVE_GROW(s, s->facts, s->facts_len, s->facts_cap))
        return error_no_memory(err);
    for (uint32_t i = 0; i < fact.len && i < 2; i++)
        TRY(watch(s, fact.terms[i].package, s->facts_len, err));
    s->facts[s->facts_len++] = fact;
    return STATUS_OK;
}

static bool enqueue(struct solver *s, uint32_t package)
{
    struct package *p = s->packages[package];
    if (p->queued)
        return true;
    if (!RESOLVE_GROW(s, s->queue, s->queue_len, s->queue_cap))
        return false;
    p->queued = true;
    s->queue[s->queue_len++] = package;
    return true;
}

static void clear_queue(struct solver *s)
{
    for (uint32_t i = 0; i < s->queue_len; i++)
        s->packages[s->queue[i]]->queued = false;
    s->queue_len = 0;
}

static bool reserve_words(struct solver *s, uint32_t words)
{
    if (s->trail_words_len + words <= s->trail_words_cap)
        return true;
    size_t cap = s->trail_words_cap * 2 + words + 1024;
    uint64_t *grown = realloc(s->trail_words, cap * sizeof *grown);
    if (!grown)
        return false;
    s->trail_words = grown;
    s->trail_words_cap = cap;
    return true;
}

/* What is left of the package becomes what is left without `out`. */
static enum status assign(struct solver *s, uint32_t package, const uint64_t *out, uint32_t cause,
                          struct error *err)
{
    struct package *p = s->packages[package];
    if (!RESOLVE_GROW(s, s->trail, s->trail_len, s->trail_cap) ||
        !RESOLVE_GROW(s, p->trail, p->trail_len, p->trail_cap) ||
        !RESOLVE_GROW(s, s->open, s->open_len, s->open_cap) || !reserve_words(s, p->words) ||
        !enqueue(s, package))
        return error_no_memory(err);
    const uint64_t *before = solver_left(s, p);
    uint64_t *left = s->trail_words + s->trail_words_len;
    for (uint32_t i = 0; i < p->words; i++)
        left[i] = before[i] & ~out[i];
    s->trail[s->trail_len] = (struct assignment){package, s->level, cause, s->trail_words_len};
    s->trail_words_len += p->words;
    p->trail[p->trail_len++] = s->trail_len++;
    if (!p->open && !set_has(left, p->len)) {
        p->open = true;
        s->open[s->open_len++] = package;
    }
    return STATUS_OK;
}

static void backtrack(struct solver *s, uint32_t level)
{
    while (s->trail_len && s->trail[s->trail_len - 1].level > level) {
        const struct assignment *last = &s->trail[--s->trail_len];
        s->trail_words_len = last->left;
        s->packages[last->package]->trail_len--;
    }
    s->level = level;
}

/* --- propagation --- */

static bool holds(const struct solver *s, const struct term *term)
{
    const struct package *p = s->packages[term->package];
    return set_within(solver_left(s, p), term->set, p->words);
}

static bool may_hold(const struct solver *s, const struct term *term)
{
    const struct package *p = s->packages[term->package];
    return set_meets(solver_left(s, p), term->set, p->words);
}

enum relation {
    RELATION_NOTHING,
    RELATION_IMPLIES,
    RELATION_CONFLICT,
    RELATION_MOVED,
    RELATION_FAILED, /* memory is out */
};

/* Two terms of each fact, the first two, are watched: as long as neither holds there is nothing to
 * do. When one does, a later one that does not takes its place (RELATION_MOVED: the fact watches
 * another package now); without such, the other one decides. *ret_open: the term that must not be.
 */
static enum relation look(struct solver *s, uint32_t number, uint32_t package, uint32_t *ret_open,
                          struct error *err)
{
    struct fact *fact = &s->facts[number];
    uint32_t mine = fact->terms[0].package == package ? 0 : 1;
    *ret_open = fact->len == 1 ? 0 : 1 - mine;
    struct term *other = &fact->terms[*ret_open];
    if (fact->len > 1 && !holds(s, &fact->terms[mine]))
        return RELATION_NOTHING;
    if (!may_hold(s, other))
        return RELATION_NOTHING;
    for (uint32_t i = 2; i < fact->len; i++) {
        if (holds(s, &fact->terms[i]))
            continue;
        struct term moved = fact->terms[i];
        if (watch(s, moved.package, number, err) != STATUS_OK)
            return RELATION_FAILED;
        fact->terms[i] = fact->terms[mine];
        fact->terms[mine] = moved;
        return RELATION_MOVED;
    }
    return holds(s, other) ? RELATION_CONFLICT : RELATION_IMPLIES;
}

static enum status learn(struct solver *s, uint32_t conflict, uint32_t *ret_fact,
                         uint32_t *ret_package, struct error *err);

/* Puts what a fact says about a package, that its term must not hold, on the trail. */
static enum status imply(struct solver *s, uint32_t fact, uint32_t package, struct error *err)
{
    const struct term *term = s->facts[fact].terms;
    while (term->package != package)
        term++;
    return assign(s, package, term->set, fact, err);
}

/* The queue then holds only what the learned fact implies. */
static enum status on_conflict(struct solver *s, uint32_t conflict, struct error *err)
{
    uint32_t fact = conflict, package = 0;
    TRY(learn(s, conflict, &fact, &package, err));
    clear_queue(s);
    return s->failed ? STATUS_OK : imply(s, fact, package, err);
}

/* Looks at the facts that watch the package, the newest first. */
static enum status propagate_package(struct solver *s, uint32_t package, struct error *err)
{
    struct package *p = s->packages[package];
    for (uint32_t i = p->watching_len; i-- > 0;) {
        uint32_t number = p->watching[i], open = 0;
        switch (look(s, number, package, &open, err)) {
        case RELATION_NOTHING:
            break;
        case RELATION_MOVED:
            p->watching[i] = p->watching[--p->watching_len];
            break;
        case RELATION_IMPLIES:
            TRY(imply(s, number, s->facts[number].terms[open].package, err));
            break;
        case RELATION_CONFLICT:
            return on_conflict(s, number, err);
        case RELATION_FAILED:
            return STATUS_NO_MEMORY;
        }
    }
    return STATUS_OK;
}

static enum status propagate(struct solver *s, struct error *err)
{
    while (s->queue_len && !s->failed) {
        uint32_t package = s->queue[--s->queue_len];
        s->packages[package]->queued = false;
        TRY(propagate_package(s, package, err));
    }
    return STATUS_OK;
}

/* --- conflicts: the incompatibility in work is spread over the packages --- */

static enum status work_add(struct solver *s, const struct term *term, struct error *err)
{
    struct package *p = s->packages[term->package];
    if (p->in_work) {
        for (uint32_t i = 0; i < p->words; i++)
            p->work[i] &= term->set[i];
        return STATUS_OK;
    }
    if (!RESOLVE_GROW(s, s->work, s->work_len, s->work_cap))
        return error_no_memory(err);
    memcpy(p->work, term->set, p->words * sizeof *p->work);
    p->in_work = true;
    s->work[s->work_len++] = term->package;
    return STATUS_OK;
}

enum status work_begin(struct solver *s, uint32_t fact, struct error *err)
{
    for (uint32_t i = 0; i < s->facts[fact].len; i++)
        TRY(work_add(s, &s->facts[fact].terms[i], err));
    return STATUS_OK;
}

static void work_drop(struct solver *s, uint32_t package)
{
    uint32_t at = 0;
    while (s->work[at] != package)
        at++;
    s->work[at] = s->work[--s->work_len];
    s->packages[package]->in_work = false;
}

/* The rule of resolution: of the pivot's terms one must hold; of every other package both. */
enum status work_resolve(struct solver *s, uint32_t number, uint32_t pivot, struct error *err)
{
    struct package *p = s->packages[pivot];
    for (uint32_t i = 0; i < s->facts[number].len; i++) {
        const struct term *term = &s->facts[number].terms[i];
        if (term->package != pivot) {
            TRY(work_add(s, term, err));
            continue;
        }
        for (uint32_t w = 0; w < p->words; w++)
            p->work[w] |= term->set[w];
    }
    if (memcmp(p->work, p->all, p->words * sizeof *p->work) == 0)
        work_drop(s, pivot);
    return STATUS_OK;
}

void work_end(struct solver *s)
{
    for (uint32_t i = 0; i < s->work_len; i++)
        s->packages[s->work[i]]->in_work = false;
    s->work_len = 0;
}

/* Index in the trail of the first assignment after which the package's set is within `set`, looking
 * at its first `count` assignments only; RESOLVE_NONE when it was so from the start. */
static uint32_t satisfier(const struct solver *s, const struct package *p, const uint64_t *set,
                          uint32_t count)
{
    while (count && set_within(left_after(s, p, count - 1), set, p->words))
        count--;
    return count ? p->trail[count - 1] : RESOLVE_NONE;
}

/* The assignment that made the last term of the incompatibility in work true. */
static uint32_t last_satisfier(const struct solver *s)
{
    uint32_t last = 0;
    for (uint32_t i = 0; i < s->work_len; i++) {
        const struct package *p = s->packages[s->work[i]];
        uint32_t at = satisfier(s, p, p->work, p->trail_len);
        if (at != RESOLVE_NONE && at > last)
            last = at;
    }
    return last;
}

static const struct term *term_of(const struct fact *fact, uint32_t package)
{
    uint32_t i = 0;
    while (fact->terms[i].package != package)
        i++;
    return &fact->terms[i];
}

static uint32_t level_at(const struct solver *s, uint32_t assignment)
{
    return assignment == RESOLVE_NONE ? 0 : s->trail[assignment].level;
}

/* The level at which all terms but for the effect of assignment `last` hold. *before: what must be
 * left of last's package without it. */
static uint32_t previous_level(struct solver *s, uint32_t last, uint64_t *before)
{
    uint32_t level = 0;
    const struct assignment *a = &s->trail[last];
    for (uint32_t i = 0; i < s->work_len; i++) {
        const struct package *p = s->packages[s->work[i]];
        const uint64_t *set = p->work;
        uint32_t count = p->trail_len;
        if (s->work[i] == a->package) {
            if (a->cause == RESOLVE_NONE)
                continue;
            const struct term *term = term_of(&s->facts[a->cause], a->package);
            for (uint32_t w = 0; w < p->words; w++)
                before[w] = p->work[w] | term->set[w];
            set = before;
            while (count && p->trail[count - 1] >= last)
                count--;
        }
        uint32_t at = level_at(s, satisfier(s, p, set, count));
        level = at > level ? at : level;
    }
    return level;
}

static enum status add_step(struct solver *s, uint32_t fact, uint32_t pivot, struct error *err)
{
    if (!RESOLVE_GROW(s, s->steps, s->steps_len, s->steps_cap))
        return error_no_memory(err);
    s->steps[s->steps_len++] = (struct step){fact, pivot};
    return STATUS_OK;
}

enum { BUMP_LIMIT = 1000000000 };
static const double BUMP_GROWTH = 1.05;

/* Packages in conflicts are decided earlier from now on. */
static void bump(struct solver *s, struct package *p)
{
    p->activity += s->bump;
    if (p->activity < BUMP_LIMIT)
        return;
    for (uint32_t i = 0; i < s->packages_len; i++)
        s->packages[i]->activity /= BUMP_LIMIT;
    s->bump /= BUMP_LIMIT;
}

/* The terms to watch come first: that of the package about which the fact will say something, then
 * of the others the one that came to hold last, since it is the first to be undone. */
static void order_terms(const struct solver *s, struct fact *fact, uint32_t package)
{
    uint32_t best_level = 0;
    for (uint32_t i = 0; i < fact->len; i++) {
        struct term term = fact->terms[i];
        const struct package *p = s->packages[term.package];
        uint32_t to = 0;
        if (term.package != package) {
            uint32_t level = level_at(s, satisfier(s, p, term.set, p->trail_len));
            bool first = i == 0 || (i == 1 && fact->terms[0].package == package);
            if (!first && level <= best_level)
                continue;
            best_level = level;
            to = fact->terms[0].package == package ? 1 : 0;
        }
        fact->terms[i] = fact->terms[to];
        fact->terms[to] = term;
    }
}

/* The incompatibility in work, with the steps to it, becomes a fact. */
static enum status keep_work(struct solver *s, uint32_t package, uint32_t *ret_fact,
                             struct error *err)
{
    struct fact fact = {.len = s->work_len, .kind = FACT_LEARNED, .steps_len = s->steps_len};
    fact.terms = arena_array(&s->arena, s->work_len, sizeof *fact.terms);
    fact.steps = arena_array(&s->arena, s->steps_len, sizeof *fact.steps);
    if (!fact.terms || !fact.steps)
        return error_no_memory(err);
    memcpy(fact.steps, s->steps, s->steps_len * sizeof *fact.steps);
    for (uint32_t i = 0; i < s->work_len; i++) {
        struct package *p = s->packages[s->work[i]];
        uint64_t *set = solver_new_set(s, p);
        if (!set)
            return error_no_memory(err);
        memcpy(set, p->work, p->words * sizeof *set);
        fact.terms[i] = (struct term){s->work[i], set};
        bump(s, p);
    }
    s->bump *= BUMP_GROWTH;
    order_terms(s, &fact, package);
    *ret_fact = s->facts_len;
    return solver_add_fact(s, fact, err);
}

/* Only the root is left: whatever one decides, it cannot be. */
static bool is_final(const struct solver *s)
{
    return s->work_len == 0 || (s->work_len == 1 && s->work[0] == 0);
}

/* *ret_package: the one about which the fact says something after the jump back. */
static enum status resolve_conflict(struct solver *s, uint32_t conflict, uint32_t *ret_fact,
                                    uint32_t *ret_package, struct error *err)
{
    uint64_t *before = NULL;
    uint32_t before_words = 0;
    *ret_fact = conflict;
    s->steps_len = 0;
    TRY(work_begin(s, conflict, err));
    TRY(add_step(s, conflict, RESOLVE_NONE, err));
    while (!is_final(s)) {
        uint32_t last = last_satisfier(s);
        const struct assignment a = s->trail[last];
        uint32_t words = s->packages[a.package]->words;
        if (words > before_words && !(before = arena_array(&s->arena, words, sizeof *before)))
            return error_no_memory(err);
        before_words = words > before_words ? words : before_words;
        uint32_t level = previous_level(s, last, before);
        if (a.cause == RESOLVE_NONE || level < a.level) {
            *ret_package = a.package;
            if (s->steps_len > 1 || s->facts[conflict].len > 2)
                TRY(keep_work(s, a.package, ret_fact, err));
            backtrack(s, level);
            return STATUS_OK;
        }
        TRY(work_resolve(s, a.cause, a.package, err));
        TRY(add_step(s, a.cause, a.package, err));
    }
    s->failed = true;
    if (s->steps_len > 1)
        TRY(keep_work(s, 0, ret_fact, err));
    s->failure = *ret_fact;
    return STATUS_OK;
}

static enum status learn(struct solver *s, uint32_t conflict, uint32_t *ret_fact,
                         uint32_t *ret_package, struct error *err)
{
    uint32_t max = s->request->conflicts_max ? s->request->conflicts_max : RESOLVE_CONFLICTS_MAX;
    if (++s->conflicts > max)
        return error_set(err, STATUS_RESOURCE_LIMIT,
                         "no answer after %u conflicts between versions: narrow the ranges", max);
    enum status status = resolve_conflict(s, conflict, ret_fact, ret_package, err);
    work_end(s);
    return status;
}

/* --- decisions --- */

/* Whether a is to be decided before b: links last, then what conflicts most, then what has the
 * fewest versions left, then what came first. */
static bool goes_first(const struct package *a, uint32_t choices_a, const struct package *b,
                       uint32_t choices_b)
{
    if (a->optional_link != b->optional_link)
        return b->optional_link;
    if (a->activity > b->activity || a->activity < b->activity)
        return a->activity > b->activity;
    return choices_a < choices_b;
}

static bool is_decided(const struct solver *s, const struct package *p)
{
    return s->trail[p->trail[p->trail_len - 1]].cause == RESOLVE_NONE;
}

/* Forgets those that need not be taken any more; picks one without a decision. */
static uint32_t pick_package(struct solver *s)
{
    uint32_t kept = 0, best = RESOLVE_NONE, best_choices = 0;
    for (uint32_t i = 0; i < s->open_len; i++) {
        uint32_t package = s->open[i];
        struct package *p = s->packages[package];
        const uint64_t *left = solver_left(s, p);
        if (set_has(left, p->len)) {
            p->open = false;
            continue;
        }
        s->open[kept++] = package;
        if (is_decided(s, p))
            continue;
        uint32_t choices = set_count(left, p->words);
        if (best == RESOLVE_NONE || goes_first(p, choices, s->packages[best], best_choices)) {
            best = package;
            best_choices = choices;
        }
    }
    s->open_len = kept;
    return best;
}

/* The locked version, else the newest that is not deprecated, else the newest. */
static uint32_t pick_release(const struct solver *s, const struct package *p)
{
    const uint64_t *left = solver_left(s, p);
    if (p->locked >= 0 && set_has(left, (uint32_t)p->locked))
        return (uint32_t)p->locked;
    for (uint32_t word = p->words; word-- > 0;) {
        uint64_t bits = left[word] & p->liked[word];
        if (bits)
            return word * WORD_BITS + 63 - (uint32_t)__builtin_clzll(bits);
    }
    return (uint32_t)set_highest(left, p->len);
}

static enum status decide_release(struct solver *s, uint32_t package, uint32_t release,
                                  struct error *err)
{
    const struct package *p = s->packages[package];
    uint64_t *out = s->packages[package]->work; /* no incompatibility is in work now */
    memcpy(out, p->all, p->words * sizeof *out);
    set_drop(out, release);
    s->decisions++;
    return assign(s, package, out, RESOLVE_NONE, err);
}

/* *ret_done: everything that must be taken has a version. */
static enum status decide(struct solver *s, bool *ret_done, struct error *err)
{
    uint32_t package = pick_package(s);
    bool blocked;
    *ret_done = package == RESOLVE_NONE;
    if (*ret_done)
        return STATUS_OK;
    uint32_t release = pick_release(s, s->packages[package]);
    TRY(package_link(s, package, release, &blocked, err));
    if (blocked)
        return enqueue(s, package) ? STATUS_OK : error_no_memory(err);
    s->level++;
    return decide_release(s, package, release, err);
}

enum status solver_run(struct solver *s, struct error *err)
{
    bool blocked, done = false;
    s->bump = 1;
    TRY(package_add_root(s, err));
    TRY(package_link(s, 0, 0, &blocked, err));
    TRY(decide_release(s, 0, 0, err));
    while (!done && !s->failed) {
        TRY(propagate(s, err));
        if (!s->failed)
            TRY(decide(s, &done, err));
    }
    return STATUS_OK;
}
