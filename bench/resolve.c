/* resolve.c: how long version resolution takes, over made-up universes with fixed seeds.
 *
 *   resolve
 *
 * typical: 10,000 packages of 20 versions (4 releases of major 1..5), each release with 0 to 5
 * needs on packages of a lower number, mostly "^MAJOR.MINOR"; 200 roots with 10 needs each.
 * satisfiable, unsatisfiable: random 3-SAT near its threshold (4.26 clauses a variable): a variable
 *          is a package with two versions, a clause one with three, each of which needs one
 * literal. Prints one line of JSON for each. Build: see bench/run.sh (resolve). */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/arena.h"
#include "catalog/node/resolve.h"

enum { PACKAGES = 10000, VERSIONS = 20, ROOTS = 200, ROOT_NEEDS = 10 };

static uint64_t state_of_random = 4711;

static uint32_t pick(uint32_t below)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return (uint32_t)((state_of_random >> 20) % below);
}

static double seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct str text(struct arena *arena, const char *format, unsigned a, unsigned b)
{
    return str_of(arena_printf(arena, format, a, b));
}

struct universe {
    struct arena arena;
    struct resolve_release *releases; /* VERSIONS or 3 a package */
    uint32_t a_package;
    uint32_t packages;
};

static enum status releases_of(void *context, struct str name, struct arena *arena,
                               const struct resolve_release **ret, uint32_t *ret_len,
                               struct error *err)
{
    struct universe *u = context;
    (void)arena;
    (void)err;
    uint32_t number = (uint32_t)strtoul(name.data + 1, NULL, 10);
    *ret = &u->releases[number * u->a_package];
    *ret_len = 0;
    while (*ret_len < u->a_package && (*ret)[*ret_len].version.len)
        ++*ret_len;
    return STATUS_OK;
}

/* Needs that newer releases share with older ones, with the range moved along now and then. */
static struct resolve_need *typical_needs(struct universe *u, uint32_t package, uint32_t major,
                                          uint32_t *ret_len)
{
    uint32_t len = package < 10 ? 0 : pick(6);
    struct resolve_need *needs = arena_array(&u->arena, len, sizeof *needs);
    for (uint32_t i = 0; i < len; i++) {
        /* Popular packages have low numbers. */
        uint32_t target = pick(2) ? pick(package / 10 + 1) : pick(package);
        needs[i].name = text(&u->arena, "p%u", target, 0);
        needs[i].range = pick(3) == 0 ? text(&u->arena, ">=1.%u", pick(10), 0)
                         : pick(12)   ? text(&u->arena, "^2.%u.0", pick(major > 1 ? 10 : 3), 0)
                                      : text(&u->arena, "^1.%u", pick(10), 0);
        needs[i].optional = pick(20) == 0;
    }
    *ret_len = len;
    return needs;
}

static void make_typical(struct universe *u)
{
    u->a_package = VERSIONS;
    u->packages = PACKAGES;
    u->releases = arena_array(&u->arena, PACKAGES * VERSIONS, sizeof *u->releases);
    for (uint32_t p = 0; p < PACKAGES; p++) {
        struct resolve_need *needs = NULL;
        uint32_t len = 0;
        for (uint32_t v = 0; v < VERSIONS; v++) {
            struct resolve_release *r = &u->releases[p * VERSIONS + v];
            if (v % 4 == 0)
                needs = typical_needs(u, p, 1 + v / 10, &len);
            r->version = text(&u->arena, "%u.%u.0", 1 + v / 10, v % 10);
            r->state = pick(50) == 0 ? RELEASE_YANKED : RELEASE_ACTIVE;
            r->needs = needs;
            r->needs_len = len;
        }
    }
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static void run_typical(void)
{
    struct universe u = {0};
    double times[ROOTS];
    uint32_t found = 0, nodes = 0, conflicts = 0;
    arena_init(&u.arena, 0);
    make_typical(&u);
    for (int i = 0; i < ROOTS; i++) {
        struct resolve_need needs[ROOT_NEEDS] = {0};
        struct arena arena;
        struct resolution result;
        for (int n = 0; n < ROOT_NEEDS; n++) {
            needs[n].name = text(&u.arena, "p%u", pick(PACKAGES), 0);
            needs[n].range = pick(2) ? STR("*") : text(&u.arena, "^2.%u.0", pick(8), 0);
        }
        struct resolve_request request = {.root = STR("root"),
                                          .needs = needs,
                                          .needs_len = ROOT_NEEDS,
                                          .universe = {&u, releases_of}};
        arena_init(&arena, 0);
        double begin = seconds();
        if (resolve_run(&request, &arena, &result, NULL) != STATUS_OK)
            exit(1);
        times[i] = seconds() - begin;
        found += result.found;
        nodes += result.len;
        conflicts += result.conflicts;
        arena_release(&arena);
    }
    qsort(times, ROOTS, sizeof *times, compare);
    printf("{\"case\":\"typical\",\"roots\":%d,\"found\":%u,\"nodes\":%u,\"conflicts\":%u,"
           "\"p50_ms\":%.2f,\"p95_ms\":%.2f,\"max_ms\":%.2f}\n",
           ROOTS, found, nodes, conflicts, times[ROOTS / 2] * 1e3, times[ROOTS * 95 / 100] * 1e3,
           times[ROOTS - 1] * 1e3);
    arena_release(&u.arena);
}

/* Variables are packages 0..variables-1, clauses follow. */
static void make_puzzle(struct universe *u, uint32_t variables, uint32_t clauses)
{
    u->a_package = 3;
    u->packages = variables + clauses;
    u->releases = arena_array(&u->arena, (size_t)u->packages * 3, sizeof *u->releases);
    for (uint32_t v = 0; v < variables; v++) {
        u->releases[v * 3].version = STR("1.0.0");
        u->releases[v * 3 + 1].version = STR("2.0.0");
    }
    for (uint32_t c = 0; c < clauses; c++)
        for (uint32_t i = 0; i < 3; i++) {
            struct resolve_release *r = &u->releases[(variables + c) * 3 + i];
            struct resolve_need *need = arena_array(&u->arena, 1, sizeof *need);
            need->name = text(&u->arena, "p%u", pick(variables), 0);
            need->range = pick(2) ? STR("1.0.0") : STR("2.0.0");
            r->version = text(&u->arena, "%u.0.0", i + 1, 0);
            r->needs = need;
            r->needs_len = 1;
        }
}

static void run_puzzles(uint32_t variables, uint32_t count)
{
    uint32_t clauses = variables * 426 / 100, found = 0, conflicts = 0, given_up = 0;
    double worst = 0, sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct universe u = {0};
        struct resolution result;
        arena_init(&u.arena, 0);
        make_puzzle(&u, variables, clauses);
        struct resolve_need *needs = arena_array(&u.arena, clauses, sizeof *needs);
        for (uint32_t c = 0; c < clauses; c++)
            needs[c] =
                (struct resolve_need){text(&u.arena, "p%u", variables + c, 0), STR("*"), false};
        struct resolve_request request = {.root = STR("root"),
                                          .needs = needs,
                                          .needs_len = clauses,
                                          .universe = {&u, releases_of}};
        double begin = seconds();
        given_up += resolve_run(&request, &u.arena, &result, NULL) != STATUS_OK;
        double took = seconds() - begin;
        found += result.found;
        conflicts += result.conflicts;
        worst = took > worst ? took : worst;
        sum += took;
        arena_release(&u.arena);
    }
    printf("{\"case\":\"3-sat\",\"variables\":%u,\"clauses\":%u,\"puzzles\":%u,\"satisfiable\":%u,"
           "\"given_up\":%u,\"conflicts\":%u,\"mean_ms\":%.1f,\"max_ms\":%.1f}\n",
           variables, clauses, count, found, given_up, conflicts, sum / count * 1e3, worst * 1e3);
}

int main(void)
{
    run_typical();
    run_puzzles(30, 20);
    run_puzzles(60, 20);
    run_puzzles(100, 10);
    return 0;
}
