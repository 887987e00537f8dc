/* Small random universes, each resolved by us and by trying all combinations: both must agree on
 * whether there is an answer, and ours must be one: every need met, nothing that nobody needs, and
 * the order puts needs first. Optional needs never change whether there is an answer. The seed is
 * fixed; asking again gives the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "catalog/node/semver_range.h"
#include "unit/catalog/node/text_universe.h"

enum { UNIVERSES = 2500, NAMES = 5, VERSIONS = 3 };

static uint64_t state_of_random = 77;

static uint32_t pick(uint32_t below)
{
    state_of_random ^= state_of_random << 13;
    state_of_random ^= state_of_random >> 7;
    state_of_random ^= state_of_random << 17;
    return (uint32_t)((state_of_random >> 20) % below);
}

static void make_needs(struct buf *out, uint32_t most, bool optional)
{
    static const char *const RANGES[] = {"*",  "1.0.0",          ">=2", "^3.0.0", "<3",
                                         "^2", "1.0.0 || 3.0.0", "<=2", "9"};
    for (uint32_t n = pick(most + 1); n; n--)
        buf_printf(out, " %s%c %s;", optional && pick(4) == 0 ? "?" : "", (char)('a' + pick(NAMES)),
                   RANGES[pick(sizeof RANGES / sizeof *RANGES - (pick(3) > 0))]);
}

static void make_universe(struct buf *out, bool optional)
{
    static const char *const STATES[] = {"", "", "", "", "", " deprecated", " yanked", " draft"};
    for (char name = 'a'; name < 'a' + NAMES; name++)
        for (uint32_t v = 1; v <= VERSIONS; v++) {
            if (pick(8) == 0)
                continue;
            buf_printf(out, "%c %u.0.0%s:", name, v, STATES[pick(8)]);
            make_needs(out, 3, optional);
            buf_append_char(out, '\n');
        }
}

/* What a combination takes of each name: index into u->releases, -1: nothing. */
struct combination {
    int taken[NAMES];
};

/* Which of the versions 1.0.0, 2.0.0, 3.0.0 a range has, as bits; each range is read once. */
static unsigned range_bits(struct str text)
{
    static struct {
        char text[16];
        unsigned bits;
    } known[16];
    struct arena arena;
    struct semver_range range;
    uint32_t at = 0;
    while (known[at].text[0] && !str_is(text, known[at].text))
        at++;
    if (known[at].text[0])
        return known[at].bits;
    arena_init(&arena, 0);
    assert_int_equal(semver_range_parse(text, false, &arena, &range, NULL), STATUS_OK);
    for (uint32_t v = 1; v <= VERSIONS; v++)
        if (semver_range_has(&range, &(struct semver){.major = v}, false))
            known[at].bits |= 1U << v;
    arena_release(&arena);
    memcpy(known[at].text, text.data, text.len);
    return known[at].bits;
}

static bool is_met(const struct text_universe *u, const struct combination *c,
                   const struct resolve_need *need)
{
    int release = c->taken[need->name.data[0] - 'a'];
    return release >= 0 &&
           range_bits(need->range) >> (u->releases[release].release.version.data[0] - '0') & 1;
}

static bool all_met(const struct text_universe *u, const struct combination *c,
                    const struct resolve_need *needs, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        if (!needs[i].optional && !is_met(u, c, &needs[i]))
            return false;
    return true;
}

static bool is_answer(const struct text_universe *u, const struct combination *c,
                      const struct resolve_need *root, uint32_t root_len)
{
    if (!all_met(u, c, root, root_len))
        return false;
    for (int n = 0; n < NAMES; n++) {
        if (c->taken[n] < 0)
            continue;
        const struct resolve_release *release = &u->releases[c->taken[n]].release;
        if (release->state == RELEASE_YANKED || release->state == RELEASE_DRAFT ||
            !all_met(u, c, release->needs, release->needs_len))
            return false;
    }
    return true;
}

/* Counts through all combinations as through an odometer. */
static bool answer_exists(const struct text_universe *u, const struct resolve_need *root,
                          uint32_t root_len)
{
    struct combination c;
    for (int n = 0; n < NAMES; n++)
        c.taken[n] = -1;
    for (;;) {
        if (is_answer(u, &c, root, root_len))
            return true;
        int n = 0;
        for (; n < NAMES; n++) {
            int next = c.taken[n] + 1;
            while (next < (int)u->len && u->releases[next].name.data[0] != 'a' + n)
                next++;
            c.taken[n] = next < (int)u->len ? next : -1;
            if (c.taken[n] >= 0)
                break;
        }
        if (n == NAMES)
            return false;
    }
}

static uint32_t release_index(const struct text_universe *u, const struct resolved *node)
{
    for (uint32_t i = 0; i < u->len; i++)
        if (str_eq(u->releases[i].name, node->name) &&
            str_eq(u->releases[i].release.version, node->release->version))
            return i;
    fail();
    return 0;
}

static bool is_needed(const struct resolution *r, uint32_t at, const struct resolve_need *root,
                      uint32_t root_len)
{
    for (uint32_t i = 0; i < root_len; i++)
        if (str_eq(root[i].name, r->nodes[at].name))
            return true;
    for (uint32_t i = 0; i < r->len; i++)
        for (uint32_t n = 0; n < r->nodes[i].needs_len; n++)
            if (r->nodes[i].needs[n] == at)
                return true;
    return false;
}

static void check_order(const struct resolution *r)
{
    uint32_t place[NAMES] = {0};
    for (uint32_t i = 0; i < r->len; i++)
        place[r->order[i]] = i;
    for (uint32_t i = 0; i < r->len && r->cycles_len == 0; i++)
        for (uint32_t n = 0; n < r->nodes[i].needs_len; n++)
            assert_true(place[r->nodes[i].needs[n]] < place[i]);
}

static void check_answer(const struct text_universe *u, const struct resolution *r,
                         const struct resolve_need *root, uint32_t root_len)
{
    struct combination c;
    for (int n = 0; n < NAMES; n++)
        c.taken[n] = -1;
    for (uint32_t i = 0; i < r->len; i++) {
        c.taken[r->nodes[i].name.data[0] - 'a'] = (int)release_index(u, &r->nodes[i]);
        assert_true(is_needed(r, i, root, root_len));
    }
    assert_true(is_answer(u, &c, root, root_len));
    check_order(r);
}

static void run(bool optional)
{
    uint32_t found = 0;
    for (int i = 0; i < UNIVERSES; i++) {
        struct buf text, needs;
        struct text_universe u;
        struct resolution one, two;
        buf_init(&text, 1 << 16);
        buf_init(&needs, 1 << 16);
        make_universe(&text, optional);
        make_needs(&needs, 4, optional);
        buf_append_char(&text, 0);
        buf_append_char(&needs, 0);
        text_universe_init(&u, text.data);
        struct resolve_request request = {.root = STR("root"), .universe = {&u, text_releases_of}};
        struct resolve_need *root = text_needs(&u.arena, str_of(needs.data), &request.needs_len);
        request.needs = root;
        assert_int_equal(resolve_run(&request, &u.arena, &one, NULL), STATUS_OK);
        assert_int_equal(resolve_run(&request, &u.arena, &two, NULL), STATUS_OK);
        if (one.found != answer_exists(&u, root, request.needs_len))
            fail_msg("%s\nneeds:%s\nfound: %d\n%.*s", text.data, needs.data, one.found,
                     STR_ARG(one.explanation));
        if (one.found)
            check_answer(&u, &one, root, request.needs_len);
        else
            assert_true(one.explanation.len > 0);
        assert_int_equal(one.len, two.len);
        assert_true(str_eq(one.explanation, two.explanation));
        found += one.found;
        arena_release(&u.arena);
        buf_release(&text);
        buf_release(&needs);
    }
    /* Both outcomes were really tried. */
    assert_in_range(found, UNIVERSES / 10, UNIVERSES * 9 / 10);
}

static void same_as_brute_force(void **state)
{
    (void)state;
    run(false);
}

static void optional_needs_change_nothing(void **state)
{
    (void)state;
    run(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_brute_force),
                                       cmocka_unit_test(optional_needs_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
