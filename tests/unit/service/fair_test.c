#include "service/fair.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct fair *make(uint32_t slots, uint32_t tenant_max, uint32_t waiting_max)
{
    struct fair *fair = NULL;
    const struct fair_options options = {
        .slots = slots, .tenant_max = tenant_max, .waiting_max = waiting_max};
    assert_int_equal(fair_new(&options, &fair, NULL), STATUS_OK);
    return fair;
}

static void add(struct fair *fair, const char *tenant, enum query_priority priority,
                struct fair_query *query)
{
    assert_int_equal(fair_add(fair, str_of(tenant), priority, query, NULL), STATUS_OK);
}

/* A tenant's queries run in the order of their arrival, and no more at once than there are slots.
 */
static void test_order_and_slots(void **state)
{
    (void)state;
    struct fair *fair = make(2, 2, 10);
    struct fair_query q[3];
    for (int i = 0; i < 3; i++)
        add(fair, "a", PRIORITY_INTERACTIVE, &q[i]);
    assert_ptr_equal(fair_next(fair), &q[0]);
    assert_ptr_equal(fair_next(fair), &q[1]);
    assert_null(fair_next(fair));
    assert_int_equal(fair_running(fair), 2);
    assert_int_equal(fair_waiting(fair), 1);
    fair_remove(fair, &q[0], 10);
    assert_ptr_equal(fair_next(fair), &q[2]);
    fair_remove(fair, &q[1], 10);
    fair_remove(fair, &q[2], 10);
    assert_int_equal(fair_running(fair), 0);
    fair_free(fair);
}

/* Who comes while another's flood waits is next; and in the long run both get the same time, also
 * when the queries of one take ten times as long. */
static void test_a_flood_does_not_delay_others(void **state)
{
    (void)state;
    enum { FLOOD = 100 };
    struct fair *fair = make(1, 1, FLOOD);
    static struct fair_query flood[FLOOD], calm[FLOOD];
    for (int i = 0; i < FLOOD; i++)
        add(fair, "flood", PRIORITY_INTERACTIVE, &flood[i]);
    assert_ptr_equal(fair_next(fair), &flood[0]);
    add(fair, "calm", PRIORITY_INTERACTIVE, &calm[0]);
    fair_remove(fair, &flood[0], 5000);
    assert_ptr_equal(fair_next(fair), &calm[0]);
    fair_remove(fair, &calm[0], 100);
    for (int i = 1; i < FLOOD; i++)
        add(fair, "calm", PRIORITY_INTERACTIVE, &calm[i]);
    int64_t time[2] = {0};
    for (int i = 0; i < FLOOD; i++) {
        struct fair_query *next = fair_next(fair);
        bool is_calm = next >= calm && next < calm + FLOOD;
        int64_t took = is_calm ? 1000 : 10000;
        time[is_calm] += took;
        fair_remove(fair, next, took);
    }
    assert_in_range(time[1], time[0] * 8 / 10, time[0] * 12 / 10);
    for (struct fair_query *next; (next = fair_next(fair));)
        fair_remove(fair, next, 0);
    fair_free(fair);
}

/* Batch gets a quarter of what interactive gets, and is not starved. */
static void test_priorities(void **state)
{
    (void)state;
    enum { ALL = 200 };
    struct fair *fair = make(1, 1, 2 * ALL);
    static struct fair_query fast[ALL], batch[ALL];
    for (int i = 0; i < ALL; i++) {
        add(fair, "a", PRIORITY_BATCH, &batch[i]);
        add(fair, "a", PRIORITY_INTERACTIVE, &fast[i]);
    }
    int batches = 0;
    for (int i = 0; i < 100; i++) {
        struct fair_query *next = fair_next(fair);
        batches += next >= batch && next < batch + ALL;
        fair_remove(fair, next, 1000);
    }
    assert_int_equal(batches, 20);
    for (struct fair_query *next; (next = fair_next(fair));)
        fair_remove(fair, next, 0);
    fair_free(fair);
}

/* A slot stays free for others, whatever waits. */
static void test_a_tenant_does_not_hold_all_slots(void **state)
{
    (void)state;
    struct fair *fair = make(4, 3, 10);
    struct fair_query q[5], other;
    for (int i = 0; i < 5; i++)
        add(fair, "a", PRIORITY_INTERACTIVE, &q[i]);
    for (int i = 0; i < 3; i++)
        assert_ptr_equal(fair_next(fair), &q[i]);
    assert_null(fair_next(fair));
    add(fair, "b", PRIORITY_MAINTENANCE, &other);
    assert_ptr_equal(fair_next(fair), &other);
    assert_null(fair_next(fair));
    fair_remove(fair, &q[1], 1);
    assert_ptr_equal(fair_next(fair), &q[3]);
    fair_remove(fair, &q[4], 0); /* given up while it waits */
    assert_int_equal(fair_waiting(fair), 0);
    fair_remove(fair, &q[0], 1);
    fair_remove(fair, &q[2], 1);
    fair_remove(fair, &q[3], 1);
    fair_remove(fair, &other, 1);
    fair_free(fair);
}

static void test_limits(void **state)
{
    (void)state;
    struct fair *fair = make(1, 1, 2);
    struct fair_query q[3], other;
    struct error err = ERROR_INIT;
    add(fair, "a", PRIORITY_INTERACTIVE, &q[0]);
    add(fair, "a", PRIORITY_BATCH, &q[1]);
    assert_int_equal(fair_add(fair, STR("a"), PRIORITY_INTERACTIVE, &q[2], &err),
                     STATUS_TOO_MANY_REQUESTS);
    assert_string_equal(err.message, "2 queries of this tenant wait already; ask again later.");
    assert_int_equal(err.retry_after_s, 1);
    add(fair, "b", PRIORITY_INTERACTIVE, &other);
    fair_remove(fair, &q[0], 0);
    fair_remove(fair, &q[1], 0);
    fair_remove(fair, &other, 0);
    assert_null(fair_next(fair));
    fair_free(fair);
}

/* Tenants that have nothing here make room for others; those that have do not. */
static void test_many_tenants(void **state)
{
    (void)state;
    struct fair *fair = make(1, 1, 2);
    static struct fair_query q[FAIR_TENANTS_MAX + 1];
    char name[16];
    for (int i = 0; i < 3 * FAIR_TENANTS_MAX; i++) {
        snprintf(name, sizeof name, "t%d", i);
        add(fair, name, PRIORITY_INTERACTIVE, &q[0]);
        assert_ptr_equal(fair_next(fair), &q[0]);
        fair_remove(fair, &q[0], 50);
    }
    for (int i = 0; i < FAIR_TENANTS_MAX; i++) {
        snprintf(name, sizeof name, "u%d", i);
        add(fair, name, PRIORITY_INTERACTIVE, &q[i]);
    }
    assert_int_equal(
        fair_add(fair, STR("one more"), PRIORITY_INTERACTIVE, &q[FAIR_TENANTS_MAX], NULL),
        STATUS_TOO_MANY_REQUESTS);
    for (int i = 0; i < FAIR_TENANTS_MAX; i++)
        fair_remove(fair, &q[i], 0);
    fair_free(fair);
}

static void test_names(void **state)
{
    (void)state;
    enum query_priority priority;
    assert_true(query_priority_parse(STR("batch"), &priority));
    assert_int_equal(priority, PRIORITY_BATCH);
    assert_string_equal(query_priority_name(PRIORITY_MAINTENANCE), "maintenance");
    assert_false(query_priority_parse(STR("urgent"), &priority));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_slots),
        cmocka_unit_test(test_a_flood_does_not_delay_others),
        cmocka_unit_test(test_priorities),
        cmocka_unit_test(test_a_tenant_does_not_hold_all_slots),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_many_tenants),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
