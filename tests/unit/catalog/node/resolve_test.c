/* Resolution picks exactly these versions, explains conflicts in exactly these words, and obeys
 * states, locks, overrides, optional needs and prereleases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "unit/catalog/node/text_universe.h"

struct question {
    const char *universe;
    const char *needs;
    struct resolve_pair overrides[2], locked[2];
    uint32_t overrides_len, locked_len;
    bool drafts, prereleases;
};

/* Asks, and writes "a 1.0.0, b 2.0.0" in execution order, or the explanation. */
static enum status ask(const struct question *q, char *out, size_t cap, struct error *err)
{
    struct text_universe u;
    struct resolution result;
    text_universe_init(&u, q->universe);
    struct resolve_request request = {.root = STR("app"),
                                      .universe = {&u, text_releases_of},
                                      .overrides = q->overrides,
                                      .overrides_len = q->overrides_len,
                                      .locked = q->locked,
                                      .locked_len = q->locked_len,
                                      .drafts = q->drafts,
                                      .prereleases = q->prereleases};
    request.needs = text_needs(&u.arena, str_of(q->needs), &request.needs_len);
    enum status status = resolve_run(&request, &u.arena, &result, err);
    struct buf text;
    buf_init(&text, cap - 1);
    if (status == STATUS_OK && !result.found)
        buf_append_str(&text, result.explanation);
    for (uint32_t i = 0; status == STATUS_OK && i < result.len; i++) {
        const struct resolved *node = &result.nodes[result.order[i]];
        buf_printf(&text, "%s%.*s %.*s", i ? ", " : "", STR_ARG(node->name),
                   STR_ARG(node->release->version));
    }
    for (uint32_t i = 0; status == STATUS_OK && i < result.cycles_len; i++)
        buf_printf(&text, "; cycle %.*s", STR_ARG(result.cycles[i]));
    for (uint32_t i = 0; status == STATUS_OK && i < result.missed_len; i++)
        buf_printf(&text, "; missed %.*s", STR_ARG(result.missed[i].name));
    out[0] = 0;
    if (text.len)
        snprintf(out, cap, "%.*s", STR_ARG(buf_str(&text)));
    buf_release(&text);
    arena_release(&u.arena);
    return status;
}

static void expect(const struct question *q, const char *wanted)
{
    char got[8192];
    struct error err = ERROR_INIT;
    assert_int_equal(ask(q, got, sizeof got, &err), STATUS_OK);
    assert_string_equal(got, wanted);
}

static void newest_that_fit(void **state)
{
    (void)state;
    expect(&(struct question){.universe = "", .needs = ""}, "");
    expect(&(struct question){.universe = "a 1.0.0: b ^1.0.0\na 1.1.0: b ^1.1.0\na 2.0.0:\n"
                                          "b 1.0.0:\nb 1.1.0: c *\nb 1.2.0-rc.1:\nc 3.0.0:\n",
                              .needs = "a ^1.0.0"},
           "c 3.0.0, b 1.1.0, a 1.1.0");
    /* The newest a is given up because of what it needs. */
    expect(&(struct question){.universe = "a 1.0.0:\na 1.1.0: b 2.0.0\nb 1.0.0:\nb 2.0.0:\n",
                              .needs = "a *; b ^1.0.0"},
           "a 1.0.0, b 1.0.0");
}

static void conflict_in_words(void **state)
{
    (void)state;
    expect(&(struct question){.universe = "a 1.0.0: c ^1.0.0\nb 1.0.0: c ^2.0.0\n"
                                          "c 1.0.0:\nc 2.0.0:\n",
                              .needs = "a ^1.0.0; b ^1.0.0"},
           "Because b 1.0.0 needs c ^2.0.0 and a 1.0.0 needs c ^1.0.0, "
           "b 1.0.0 and a 1.0.0 exclude each other.\n"
           "And because app needs a ^1.0.0, b 1.0.0 cannot be taken.\n"
           "And because app needs b ^1.0.0, app cannot be satisfied.");
    expect(&(struct question){.universe = "a 1.0.0: gone ^1\n", .needs = "a *"},
           "Because a 1.0.0 needs gone ^1, which is not known and app needs a *, "
           "app cannot be satisfied.");
    expect(&(struct question){.universe = "a 1.0.0:\n", .needs = "a ^2"},
           "app needs a ^2, which no version matches, so app cannot be satisfied.");
    expect(&(struct question){.universe = "a 1.0.0: b one\n", .needs = "a *"},
           "Because a 1.0.0 needs b one, which is not a range of versions and app needs a *, "
           "app cannot be satisfied.");
}

static void branching_conflict_is_numbered(void **state)
{
    (void)state;
    char got[8192];
    struct question q = {.universe =
                             "foo 1.0.0: a ^1.0.0; b ^1.0.0\nfoo 1.1.0: x ^1.0.0; y ^1.0.0\n"
                             "a 1.0.0: b ^2.0.0\nb 1.0.0:\nb 2.0.0:\n"
                             "x 1.0.0: y ^2.0.0\ny 1.0.0:\ny 2.0.0:\n",
                         .needs = "foo ^1.0.0"};
    assert_int_equal(ask(&q, got, sizeof got, NULL), STATUS_OK);
    assert_string_equal(
        got,
        "Because x 1.0.0 needs y ^2.0.0 and foo 1.1.0 needs x ^1.0.0, foo 1.1.0 needs y 2.0.0.\n"
        "And because foo 1.1.0 needs y ^1.0.0, foo 1.1.0 cannot be taken (1).\n"
        "Because a 1.0.0 needs b ^2.0.0 and foo 1.0.0 needs a ^1.0.0, "
        "foo 1.0.0 needs b 2.0.0 (2).\n"
        "Because foo 1.0.0 needs b ^1.0.0 and because of (2), foo 1.0.0 cannot be taken.\n"
        "And because of (1), no version of foo can be taken.\n"
        "And because app needs foo ^1.0.0, app cannot be satisfied.");
}

static void states(void **state)
{
    (void)state;
    const char *universe = "a 1.0.0:\na 1.1.0:\na 1.2.0 deprecated:\na 1.3.0 yanked:\n"
                           "a 1.4.0 archived:\na 1.5.0 draft:\n";
    expect(&(struct question){.universe = universe, .needs = "a *"}, "a 1.1.0");
    expect(&(struct question){.universe = universe, .needs = "a latest"}, "a 1.2.0");
    expect(&(struct question){.universe = universe, .needs = "a >=1.2"}, "a 1.2.0");
    expect(&(struct question){.universe = universe, .needs = "a *", .drafts = true}, "a 1.5.0");
    expect(&(struct question){.universe = universe, .needs = "a 1.3.0"},
           "Because a 1.3.0 is yanked and app needs a 1.3.0, app cannot be satisfied.");
    expect(&(struct question){.universe = universe, .needs = "a 1.5.0"},
           "Because a 1.5.0 is only a draft and app needs a 1.5.0, app cannot be satisfied.");
    /* A lock keeps what was yanked since. */
    expect(&(struct question){.universe = universe,
                              .needs = "a *",
                              .locked = {{STR("a"), STR("1.3.0")}},
                              .locked_len = 1},
           "a 1.3.0");
}

static void locks_and_overrides(void **state)
{
    (void)state;
    const char *universe = "a 1.0.0: b ^1\nb 1.0.0:\nb 1.1.0:\nb 1.2.0:\nb 2.0.0:\n";
    struct question q = {.universe = universe, .needs = "a *"};
    expect(&q, "b 1.2.0, a 1.0.0");
    q.locked_len = 1;
    q.locked[0] = (struct resolve_pair){STR("b"), STR("1.1.0")};
    expect(&q, "b 1.1.0, a 1.0.0");
    q.locked[0].value = STR("2.0.0"); /* fits no longer: let go */
    expect(&q, "b 1.2.0, a 1.0.0");
    q.overrides_len = 1;
    q.overrides[0] = (struct resolve_pair){STR("b"), STR("2")};
    expect(&q, "b 2.0.0, a 1.0.0");
    q.overrides[0].value = STR("3");
    expect(&q, "Because a 1.0.0 needs b 3 (by override), which no version matches and "
               "app needs a *, app cannot be satisfied.");
}

static void optional_needs(void **state)
{
    (void)state;
    const char *universe = "a 1.0.0: ?b ^1; ?gone *; ?odd nonsense\nb 1.0.0:\nb 1.1.0: c ^1\n"
                           "b 2.0.0:\nc 1.0.0:\nc 2.0.0:\nodd 1.0.0:\n";
    expect(&(struct question){.universe = universe, .needs = "a *"},
           "c 1.0.0, b 1.1.0, a 1.0.0; missed gone; missed odd");
    /* Required things come first: c 2 rules out b 1.1, b 1.0 is taken instead. */
    expect(&(struct question){.universe = universe, .needs = "a *; c ^2"},
           "b 1.0.0, a 1.0.0, c 2.0.0; missed gone; missed odd");
    expect(&(struct question){.universe = universe, .needs = "a *; b ^2"},
           "a 1.0.0, b 2.0.0; missed b; missed gone; missed odd");
    expect(&(struct question){.universe = universe, .needs = "?a ^7"}, "; missed a");
}

static void prereleases_and_cycles(void **state)
{
    (void)state;
    const char *universe = "a 1.0.0: b *\na 1.1.0-beta.1: b *\nb 1.0.0: c *\nc 1.0.0: a *; c 1\n";
    expect(&(struct question){.universe = universe, .needs = "a *"},
           "c 1.0.0, b 1.0.0, a 1.0.0; cycle a 1.0.0 -> b 1.0.0 -> c 1.0.0 -> a 1.0.0");
    expect(&(struct question){.universe = universe, .needs = "a *", .prereleases = true},
           "c 1.0.0, b 1.0.0, a 1.1.0-beta.1; "
           "cycle a 1.1.0-beta.1 -> b 1.0.0 -> c 1.0.0 -> a 1.1.0-beta.1");
    expect(&(struct question){.universe = "a 1.0.0: a 2.0.0\na 2.0.0:\n", .needs = "a 1"},
           "Because a 1.0.0 needs a 2.0.0 and app needs a 1, app cannot be satisfied.");
    /* What asks may have the name of something else. */
    expect(&(struct question){.universe = "app 1.0.0:\n", .needs = "app 1"}, "app 1.0.0");
}

static void bad_requests(void **state)
{
    (void)state;
    char got[512];
    struct error err = ERROR_INIT;
    struct question q = {.universe = "a 1.0.0:\n", .needs = "a what"};
    assert_int_equal(ask(&q, got, sizeof got, &err), STATUS_INVALID_ARGUMENT);
    assert_string_equal(err.message, "\"what\" is not a range of versions: expected a version such "
                                     "as 1.2.3, 1.2 or 1.x");
    q = (struct question){.universe = "a 1.0.0:\n",
                          .needs = "a *",
                          .locked = {{STR("a"), STR("x")}},
                          .locked_len = 1};
    assert_int_equal(ask(&q, got, sizeof got, &err), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(newest_that_fit),
        cmocka_unit_test(conflict_in_words),
        cmocka_unit_test(branching_conflict_is_numbered),
        cmocka_unit_test(states),
        cmocka_unit_test(locks_and_overrides),
        cmocka_unit_test(optional_needs),
        cmocka_unit_test(prereleases_and_cycles),
        cmocka_unit_test(bad_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
