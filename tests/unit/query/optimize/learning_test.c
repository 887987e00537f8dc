/* Learning: coefficients come near a machine's true ones, stay in bounds whatever is measured;
 * corrections need several runs, are clamped, decay, and are forgotten. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "query/optimize/cost.h"
#include "query/optimize/learned.h"

static double chance(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 33) / (double)(1u << 31);
}

static struct access_work work_of(uint64_t *random)
{
    double rows = exp(chance(random) * 14);
    return (struct access_work){.files = 1 + floor(chance(random) * 500),
                                .rows = rows,
                                .values = rows * (1 + floor(chance(random) * 6)),
                                .found = rows * chance(random),
                                .groups = exp(chance(random) * 8)};
}

/* A machine on which everything takes three times as long and files ten times. */
static double true_ms(const struct access_work *work)
{
    return 0.09 + work->files * 0.2 + work->values * 15e-6 + work->found * 30e-6 +
           work->groups * 450e-6;
}

static double error_of(const struct cost_model *model, uint64_t seed)
{
    double sum = 0;
    for (int i = 0; i < 200; i++) {
        struct access_work work = work_of(&seed);
        sum += fabs(log2(true_ms(&work) / cost_ms(model, PATH_PRUNED_SCAN, &work)));
    }
    return sum / 200;
}

static void test_costs_come_near(void **state)
{
    (void)state;
    struct cost_model model;
    uint64_t random = 7;
    cost_init(&model);
    double before = error_of(&model, 99);
    for (int i = 0; i < 500; i++) {
        struct access_work work = work_of(&random);
        cost_learn(&model, PATH_PRUNED_SCAN, &work, true_ms(&work) * (0.8 + 0.4 * chance(&random)));
    }
    double after = error_of(&model, 99);
    assert_true(before > 1.5);
    assert_true(after < 0.3);
    assert_int_equal(model.paths[PATH_PRUNED_SCAN].runs, 500);
    assert_int_equal(model.paths[PATH_INDEX].runs, 0);
}

static void test_costs_stay_in_bounds(void **state)
{
    (void)state;
    static const double wild[] = {1e-9, 1e12, 0, -5, NAN, INFINITY, 1e300};
    struct cost_model model, first;
    uint64_t random = 3;
    cost_init(&first);
    cost_init(&model);
    for (int i = 0; i < 2000; i++) {
        struct access_work work = work_of(&random);
        cost_learn(&model, PATH_INDEX, &work, wild[i % 7]);
        for (int k = 0; k < COST_FEATURES; k++) {
            double weight = model.paths[PATH_INDEX].weights[k];
            double begin = first.paths[PATH_INDEX].weights[k];
            assert_true(isfinite(weight) && weight >= begin / 20.1 && weight <= begin * 20.1);
        }
        assert_true(isfinite(cost_ms(&model, PATH_INDEX, &work)));
    }
}

static void test_corrections(void **state)
{
    (void)state;
    struct learned learned;
    assert_int_equal(learned_init(&learned, NULL), STATUS_OK);
    assert_null(learned_find(&learned, 5));
    struct template_history *one = learned_make(&learned, 5, "question");
    assert_ptr_equal(learned_make(&learned, 5, "question"), one);
    for (int i = 0; i < 2; i++)
        learned_learn_rows(one, 100, 100, 400, 10000);
    assert_true(learned_row_correction(one) == 0); /* twice is chance */
    learned_learn_rows(one, 100, 100, 400, 10000);
    assert_true(fabs(learned_row_correction(one) - 2) < 1e-9);
    for (int i = 0; i < 50; i++)
        learned_learn_rows(one, 1, 1, 1e9, 10000);
    assert_true(learned_row_correction(one) <= 3.3);
    struct template_history *both = learned_make(&learned, 6, "errs to both sides");
    for (int i = 0; i < 20; i++)
        learned_learn_rows(both, 100, 100, i % 2 ? 400 : 25, 10000);
    assert_true(learned_row_correction(both) == 0);
    learned_check_rows(one, 10500);
    assert_true(learned_row_correction(one) > 3);
    learned_check_rows(one, 13000); /* another source by now */
    assert_true(learned_row_correction(one) == 0);
    for (int i = 0; i < 5; i++)
        learned_learn_time(one, PATH_INDEX, 1, 4);
    assert_true(fabs(learned_time_correction(one, PATH_INDEX) - 2) < 1e-9);
    assert_true(learned_time_correction(one, PATH_DUCKDB) == 0);
    for (uint64_t key = 1; key <= 5000; key++)
        assert_non_null(learned_make(&learned, key * 977, "many"));
    assert_true(learned.len <= HISTORY_TEMPLATES);
    learned_reset(&learned);
    assert_null(learned_find(&learned, 977));
    learned_free(&learned);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_costs_come_near),
        cmocka_unit_test(test_costs_stay_in_bounds),
        cmocka_unit_test(test_corrections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
