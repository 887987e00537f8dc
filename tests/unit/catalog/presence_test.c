/* Processes tell of each other through a catalog: beats, looks, a death within the TTL, a clean
 * leave, clocks that do not agree, beats of which nobody knows whether they were stored. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "catalog/open.h"
#include "catalog/presence.h"
#include "sys/sim/sim.h"

#define TTL_US INT64_C(8000000)

struct fixture {
    struct sim *sim;
    struct backend *backend;
    struct presence *one, *two;
    struct arena arena;
};

static const struct instance ONE[] = {
    {.service = STR("catalog"), .url = STR("http://one:8083")},
    {.service = STR("tenant"), .url = STR("http://one:8000"), .tenant = STR("t")}};

static struct presence *make(struct sim *sim, struct backend *backend, const char *host)
{
    struct presence *presence = NULL;
    const struct presence_options options = {.sys = sim_sys(sim),
                                             .backend = backend,
                                             .ttl_us = TTL_US,
                                             .host = host,
                                             .version = "1.2",
                                             .pid = 77};
    assert_int_equal(presence_new(&options, &presence, NULL), STATUS_OK);
    return presence;
}

static int setup(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    assert_int_equal(sim_new(7, &f.sim, NULL), STATUS_OK);
    assert_int_equal(catalog_backend_open(sim_sys(f.sim), "file:cat", &f.backend, NULL), STATUS_OK);
    f.one = make(f.sim, f.backend, "host-one");
    f.two = make(f.sim, f.backend, "host-two");
    arena_init(&f.arena, 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    presence_free(f->one);
    presence_free(f->two);
    backend_close(f->backend);
    sim_free(f->sim);
    arena_release(&f->arena);
    return 0;
}

static void beat(struct presence *presence)
{
    struct error err = ERROR_INIT;
    if (presence_beat(presence, ONE, 2, &err) != STATUS_OK)
        fail_msg("%s: %s", err.message, err.cause);
}

static struct instances look(struct fixture *f, struct presence *presence)
{
    struct instances found;
    struct error err = ERROR_INIT;
    if (presence_look(presence, &f->arena, &found, &err) != STATUS_OK)
        fail_msg("%s: %s", err.message, err.cause);
    return found;
}

static void test_what_one_says_another_sees(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(look(f, f->two).len, 0);
    beat(f->one);
    assert_int_equal(look(f, f->one).len, 0); /* not itself */
    struct instances found = look(f, f->two);
    assert_int_equal(found.len, 2);
    const struct instance *tenant = &found.items[1];
    assert_true(str_is(found.items[0].service, "catalog"));
    assert_int_equal(found.items[0].tenant.len, 0);
    assert_true(str_is(tenant->url, "http://one:8000") && str_is(tenant->tenant, "t"));
    assert_true(str_is(tenant->host, "host-one") && str_is(tenant->version, "1.2"));
    assert_true(str_is(tenant->process, presence_id(f->one)));
    assert_int_equal(tenant->pid, 77);
    assert_int_equal(tenant->expires_us - tenant->heartbeat_us, TTL_US);
    assert_true(tenant->alive);
}

static void test_a_killed_one_is_noticed_within_its_ttl(void **state)
{
    struct fixture *f = *state;
    bool alive = true;
    int quarters = 0;
    beat(f->one); /* and never again */
    assert_true(look(f, f->two).items[0].alive);
    for (; alive && quarters < 10; quarters++) {
        sim_advance(f->sim, TTL_US / PRESENCE_BEATS);
        alive = look(f, f->two).items[0].alive;
    }
    assert_false(alive);
    assert_in_range(quarters, 2, PRESENCE_BEATS);
    beat(f->one); /* it was only slow */
    assert_true(look(f, f->two).items[0].alive);
}

static void test_one_that_beats_lives_on(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 40; i++) {
        beat(f->one);
        assert_true(look(f, f->two).items[1].alive);
        sim_advance(f->sim, TTL_US / PRESENCE_BEATS);
    }
}

static void test_one_that_leaves_is_gone_at_once(void **state)
{
    struct fixture *f = *state;
    beat(f->one);
    assert_int_equal(look(f, f->two).len, 2);
    assert_int_equal(presence_leave(f->one, NULL), STATUS_OK);
    assert_int_equal(look(f, f->two).len, 0);
    assert_int_equal(presence_leave(f->one, NULL), STATUS_OK); /* twice is no fault */
    beat(f->one);
    assert_int_equal(look(f, f->two).len, 2);
}

static void test_clocks_need_not_agree(void **state)
{
    struct fixture *f = *state;
    struct sim *ahead = NULL;
    assert_int_equal(sim_new(8, &ahead, NULL), STATUS_OK);
    sim_advance(ahead, INT64_C(3600000000)); /* less than what is forgotten */
    struct presence *looker = make(ahead, f->backend, "elsewhere");
    beat(f->one);
    assert_false(look(f, looker).items[0].alive); /* who knows how old it is */
    beat(f->one);
    assert_true(look(f, looker).items[0].alive);
    sim_advance(ahead, TTL_US / 2);
    assert_false(look(f, looker).items[0].alive);
    presence_free(looker);
    sim_free(ahead);
}

static void test_the_long_lost_are_forgotten(void **state)
{
    struct fixture *f = *state;
    struct record stored;
    beat(f->one);
    assert_true(look(f, f->two).items[0].alive);
    sim_advance(f->sim, TTL_US + INT64_C(1000000) * PRESENCE_FORGET_S / 2);
    assert_int_equal(look(f, f->two).len, 2); /* lost, but still told */
    sim_advance(f->sim, INT64_C(1000000) * PRESENCE_FORGET_S);
    assert_int_equal(look(f, f->two).len, 0);
    assert_int_equal(backend_get(f->backend, DOMAIN_SERVICE, STR(PRESENCE_TENANT),
                                 str_of(presence_id(f->one)), &f->arena, &stored, NULL),
                     STATUS_NOT_FOUND);
    beat(f->one); /* finds that its record is gone */
    assert_true(look(f, f->two).items[0].alive);
}

static void test_a_beat_whose_fate_is_unknown(void **state)
{
    struct fixture *f = *state;
    struct record stored;
    beat(f->one);
    assert_int_equal(backend_get(f->backend, DOMAIN_SERVICE, STR(PRESENCE_TENANT),
                                 str_of(presence_id(f->one)), &f->arena, &stored, NULL),
                     STATUS_OK);
    stored.revision = 9; /* as if a beat had been stored though its answer was lost */
    const struct change change = {.kind = CHANGE_UPDATE, .expected = 1, .record = &stored};
    assert_int_equal(backend_commit(f->backend, &change, 1, NULL, NULL), STATUS_OK);
    beat(f->one);
    assert_int_equal(look(f, f->two).len, 2);
    beat(f->one);
}

static void test_too_many_services(void **state)
{
    struct fixture *f = *state;
    static struct instance many[PRESENCE_SERVICES_MAX + 1];
    for (int i = 0; i <= PRESENCE_SERVICES_MAX; i++)
        many[i] = ONE[0];
    assert_int_equal(presence_beat(f->one, many, PRESENCE_SERVICES_MAX, NULL), STATUS_OK);
    assert_int_equal(look(f, f->two).len, PRESENCE_SERVICES_MAX);
    assert_int_equal(presence_beat(f->one, many, PRESENCE_SERVICES_MAX + 1, NULL),
                     STATUS_RESOURCE_LIMIT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_one_says_another_sees),   TEST(test_a_killed_one_is_noticed_within_its_ttl),
        TEST(test_one_that_beats_lives_on),      TEST(test_one_that_leaves_is_gone_at_once),
        TEST(test_clocks_need_not_agree),        TEST(test_the_long_lost_are_forgotten),
        TEST(test_a_beat_whose_fate_is_unknown), TEST(test_too_many_services),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
