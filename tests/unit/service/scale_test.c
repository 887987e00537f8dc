/* The policy of scaling, exactly: thresholds, windows, cool-downs, bounds, reasons. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/scale.h"

#define SECOND INT64_C(1000000)
#define STEP   (30 * SECOND)

static const struct scale_sample BUSY = {.cpu = 90, .memory = 50, .running = 3, .machine_free = -1};
static const struct scale_sample MIDDLE = {
    .cpu = 50, .memory = 50, .running = 3, .machine_free = -1};
static const struct scale_sample IDLE = {.cpu = 1, .memory = 10, .machine_free = -1};

/* One sample STEP after the last one. */
static struct scale_decision feed(struct scale_state *state, struct scale_sample sample)
{
    struct scale_decision decision = {.action = SCALE_HOLD};
    sample.at_us = state->has_sample ? state->last_us + STEP : 0;
    assert_int_equal(scale_decide(&scale_policy_default, state, &sample, &decision, NULL),
                     STATUS_OK);
    assert_int_equal(decision.at_us, sample.at_us);
    assert_int_equal(state->workers, decision.to);
    return decision;
}

static void test_it_takes_three_samples(void **context)
{
    (void)context;
    struct scale_state state = {.workers = 2};
    assert_string_equal(feed(&state, BUSY).reason, "1 of 3 samples");
    assert_string_equal(feed(&state, BUSY).reason, "2 of 3 samples");
    struct scale_decision decision = feed(&state, BUSY);
    assert_int_equal(decision.action, SCALE_UP);
    assert_int_equal(decision.from, 2);
    assert_int_equal(decision.to, 3);
    assert_string_equal(decision.reason, "cpu 90.0 % > 70.0 %");
    assert_string_equal(feed(&state, BUSY).reason, "1 of 3 samples"); /* the window begins anew */
}

static void test_up_by_half_to_the_most(void **context)
{
    (void)context;
    static const uint32_t steps[] = {3, 5, 8, 12, 18, 27, 41, 50};
    struct scale_state state = {.workers = 2};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int samples = 0;
        while (feed(&state, BUSY).action == SCALE_HOLD)
            samples++;
        assert_int_equal(state.workers, steps[i]);
        assert_int_equal(samples, i == 0 ? 2 : 9); /* 300 s after the last one */
    }
    for (int i = 0; i < 12; i++)
        assert_int_equal(feed(&state, BUSY).action, SCALE_HOLD);
    assert_string_equal(feed(&state, BUSY).reason, "at MAX_WORKERS: cpu 90.0 % > 70.0 %");
}

static void test_down_by_three_tenths_to_the_least(void **context)
{
    (void)context;
    static const uint32_t steps[] = {35, 24, 16, 11, 7, 4, 2};
    struct scale_state state = {.workers = 50};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        int samples = 0;
        while (feed(&state, IDLE).action == SCALE_HOLD)
            samples++;
        assert_int_equal(state.workers, steps[i]);
        assert_int_equal(samples, i == 0 ? 2 : 19); /* 600 s after the last one */
    }
    for (int i = 0; i < 25; i++)
        assert_int_equal(feed(&state, IDLE).action, SCALE_HOLD);
    assert_string_equal(feed(&state, IDLE).reason, "at MIN_WORKERS: all measures are low");
}

static void test_between_the_thresholds_nothing_happens(void **context)
{
    (void)context;
    struct scale_state state = {.workers = 10};
    for (int i = 0; i < 100; i++)
        assert_int_equal(feed(&state, MIDDLE).action, SCALE_HOLD);
    assert_string_equal(feed(&state, MIDDLE).reason, "cpu 50.0 % is between the thresholds");
}

static void test_each_measure_alone_lets_it_grow(void **context)
{
    (void)context;
    static const struct {
        struct scale_sample sample;
        const char *reason;
    } cases[] = {
        {{.cpu = 70.5}, "cpu 70.5 % > 70.0 %"},
        {{.memory = 81}, "memory 81.0 % > 80.0 %"},
        {{.running = 41}, "running queries 41.0 > 40.0"},
        {{.queued = 11}, "waiting queries 11.0 > 10.0"},
        {{.query_s = 31}, "time of a query 31.0 s > 30.0 s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scale_state state = {.workers = 4};
        struct scale_sample sample = cases[i].sample;
        sample.machine_free = -1;
        (void)feed(&state, sample);
        (void)feed(&state, sample);
        struct scale_decision decision = feed(&state, sample);
        assert_int_equal(decision.to, 6);
        assert_string_equal(decision.reason, cases[i].reason);
    }
}

static void test_each_measure_alone_keeps_it_from_shrinking(void **context)
{
    (void)context;
    static const struct scale_sample cases[] = {
        {.cpu = 30}, {.memory = 40}, {.running = 15}, {.queued = 1}, {.query_s = 15}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct scale_state state = {.workers = 10};
        struct scale_sample sample = cases[i];
        for (int n = 0; n < 6; n++)
            assert_int_equal(feed(&state, sample).action, SCALE_HOLD);
    }
}

static void test_up_needs_no_cool_down_after_a_down(void **context)
{
    (void)context;
    struct scale_state state = {.workers = 10};
    for (int i = 0; i < 3; i++)
        (void)feed(&state, IDLE);
    assert_int_equal(state.workers, 7);
    for (int i = 0; i < 3; i++)
        (void)feed(&state, BUSY);
    assert_int_equal(state.workers, 11);
    for (int i = 0; i < 19; i++) /* but down does after an up: 600 s */
        assert_int_equal(feed(&state, IDLE).action, SCALE_HOLD);
    assert_string_equal(feed(&state, IDLE).reason, "all measures are low");
    assert_int_equal(state.workers, 7);
}

static void test_a_machine_without_memory_gets_no_more_workers(void **context)
{
    (void)context;
    struct scale_state state = {.workers = 4};
    struct scale_sample sample = BUSY;
    sample.machine_free = 4.9;
    for (int i = 0; i < 2; i++)
        (void)feed(&state, sample);
    struct scale_decision decision = feed(&state, sample);
    assert_int_equal(decision.action, SCALE_HOLD);
    assert_string_equal(decision.reason, "the machine's memory is used up: cpu 90.0 % > 70.0 %");
    sample.machine_free = 5;
    assert_int_equal(feed(&state, sample).action, SCALE_UP);
}

static void test_from_none_to_one(void **context)
{
    (void)context;
    struct scale_policy policy = scale_policy_default;
    struct scale_state state = {.workers = 0};
    struct scale_decision decision;
    policy.min = 0;
    for (int i = 0; i < 3; i++) {
        struct scale_sample sample = BUSY;
        sample.at_us = i;
        assert_int_equal(scale_decide(&policy, &state, &sample, &decision, NULL), STATUS_OK);
    }
    assert_int_equal(decision.to, 1);
}

static void test_bad_samples_are_refused(void **context)
{
    (void)context;
    struct scale_state state = {.workers = 4};
    struct scale_decision decision;
    (void)feed(&state, MIDDLE);
    struct scale_state before = state;
    const struct scale_sample bad[] = {{.at_us = -1},
                                       {.at_us = 1, .cpu = -1},
                                       {.at_us = 1, .memory = NAN},
                                       {.at_us = 1, .query_s = INFINITY}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(scale_decide(&scale_policy_default, &state, &bad[i], &decision, NULL),
                         STATUS_INVALID_ARGUMENT);
    assert_int_equal(state.window_len, before.window_len);
}

static void test_policies_that_contradict_themselves(void **context)
{
    (void)context;
    assert_int_equal(scale_policy_check(&scale_policy_default, NULL), STATUS_OK);
    struct scale_policy policies[3] = {scale_policy_default, scale_policy_default,
                                       scale_policy_default};
    policies[0].min = 51;
    policies[1].cpu_down = 70;
    policies[2].memory_down = 90;
    for (int i = 0; i < 3; i++)
        assert_int_equal(scale_policy_check(&policies[i], NULL), STATUS_INVALID_ARGUMENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_takes_three_samples),
        cmocka_unit_test(test_up_by_half_to_the_most),
        cmocka_unit_test(test_down_by_three_tenths_to_the_least),
        cmocka_unit_test(test_between_the_thresholds_nothing_happens),
        cmocka_unit_test(test_each_measure_alone_lets_it_grow),
        cmocka_unit_test(test_each_measure_alone_keeps_it_from_shrinking),
        cmocka_unit_test(test_up_needs_no_cool_down_after_a_down),
        cmocka_unit_test(test_a_machine_without_memory_gets_no_more_workers),
        cmocka_unit_test(test_from_none_to_one),
        cmocka_unit_test(test_bad_samples_are_refused),
        cmocka_unit_test(test_policies_that_contradict_themselves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
