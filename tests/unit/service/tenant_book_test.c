/* The file that tells processes about tenants: states, limits, what it is when there is none, when
 * it changes, when it is damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/tenant_book.h"
#include "sys/sim/sim.h"

static struct error err;

static struct sim *sim;
static struct tenant_book *book;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(sim_new(5, &sim, &err), STATUS_OK);
    assert_int_equal(sys_mkdirs(sim_sys(sim), "auth", &err), STATUS_OK);
    assert_int_equal(tenant_book_open(sim_sys(sim), "auth/tenants", &book, &err), STATUS_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tenant_book_close(book);
    sim_free(sim);
    return 0;
}

static void put(const char *text)
{
    assert_int_equal(
        sys_replace_file(sim_sys(sim), "auth/tenants", (struct slice){text, strlen(text)}, &err),
        STATUS_OK);
}

static enum status find(const char *tenant, struct tenant_rule *rule)
{
    err = ERROR_INIT;
    return tenant_book_find(book, str_of(tenant), rule, &err);
}

static void test_without_a_file_nobody_is_limited(void **state)
{
    struct tenant_rule rule;
    (void)state;
    assert_int_equal(find("anybody", &rule), STATUS_OK);
    assert_int_equal(rule.state, TENANT_ACTIVE);
    assert_true(rule.max_bytes == 0 && rule.max_sources == 0 && rule.requests_per_second == 0);
}

static void test_states_and_limits(void **state)
{
    struct tenant_rule rule;
    (void)state;
    put("{\"tenants\":[{\"tenant_id\":\"b\",\"state\":\"suspended\",\"reason\":\"bill\"},"
        "{\"tenant_id\":\"a\",\"state\":\"active\",\"reason\":null,\"requests_per_second\":0.5,"
        "\"burst\":3,\"max_bytes\":9007199254740993,\"max_sources\":7},"
        "{\"tenant_id\":\"c\",\"state\":\"deleted\"}]}");
    assert_int_equal(find("a", &rule), STATUS_OK);
    assert_int_equal(rule.state, TENANT_ACTIVE);
    assert_true(rule.requests_per_second == 0.5 && rule.burst == 3);
    assert_true(rule.max_bytes == INT64_C(9007199254740993) && rule.max_sources == 7);
    assert_int_equal(find("b", &rule), STATUS_OK);
    assert_int_equal(rule.state, TENANT_SUSPENDED);
    assert_string_equal(rule.reason, "bill");
    assert_int_equal(find("c", &rule), STATUS_OK);
    assert_int_equal(rule.state, TENANT_DELETED);
    assert_int_equal(find("d", &rule), STATUS_NOT_FOUND);
    assert_int_equal(find("", &rule), STATUS_NOT_FOUND);
    char longest[200] = {0};
    memset(longest, 'a', sizeof longest - 1);
    assert_int_equal(find(longest, &rule), STATUS_NOT_FOUND);
}

static void test_changes_are_heard(void **state)
{
    struct tenant_rule rule;
    (void)state;
    put("{\"tenants\":[{\"tenant_id\":\"a\",\"state\":\"active\"}]}");
    assert_int_equal(find("a", &rule), STATUS_OK);
    put("{\"tenants\":[{\"tenant_id\":\"b\",\"state\":\"active\"}]}"); /* of the same size */
    assert_int_equal(find("b", &rule), STATUS_NOT_FOUND);              /* too early to look */
    sim_advance(sim, TENANT_BOOK_LOOK_US);
    assert_int_equal(find("b", &rule), STATUS_OK);
    assert_int_equal(find("a", &rule), STATUS_NOT_FOUND);
    put("{\"tenants\":[]}");
    tenant_book_look_again(book);
    assert_int_equal(find("b", &rule), STATUS_NOT_FOUND);
}

static void test_a_damaged_file_lets_nobody_in(void **state)
{
    static const char *const wrong[] = {
        "",
        "{",
        "{}",
        "{\"tenants\":{}}",
        "{\"tenants\":[{}]}",
        "{\"tenants\":[{\"tenant_id\":\"../x\",\"state\":\"active\"}]}",
        "{\"tenants\":[{\"tenant_id\":\"x\",\"state\":\"fine\"}]}"};
    struct tenant_rule rule;
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        put(wrong[i]);
        tenant_book_look_again(book);
        enum status status = find("x", &rule);
        assert_true(status != STATUS_OK && status != STATUS_NOT_FOUND);
        assert_int_equal(find("x", &rule), status); /* also the next time */
    }
    put("{\"tenants\":[{\"tenant_id\":\"x\",\"state\":\"active\"}]}");
    assert_int_equal(find("x", &rule), STATUS_OK);
}

static void test_ids(void **state)
{
    (void)state;
    assert_true(tenant_id_is_valid(STR("a")) && tenant_id_is_valid(STR("default_tenant")));
    assert_true(tenant_id_is_valid(STR("9.x-Y_z")));
    static const char *const wrong[] = {"", ".a", "-a", "a/b", "a b", "..", "a\n", "ä"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(tenant_id_is_valid(str_of(wrong[i])));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_without_a_file_nobody_is_limited),
        T(test_states_and_limits),
        T(test_changes_are_heard),
        T(test_a_damaged_file_lets_nobody_in),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
