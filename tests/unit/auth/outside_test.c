/* Claims of an outside issuer: names, tenant and roles by its mapping and by nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/outside.h"

static struct error err;

static const struct outside_role roles[] = {
    {STR("boss"), STR("admin")}, {STR("chief"), STR("admin")}, {STR("staff"), STR("reader")}};
static const struct outside_mapping by_claim = {.name = STR("corp"),
                                                .tenant_claim = STR("org.id"),
                                                .roles_claim = STR("https://x.example/roles"),
                                                .username_claim = STR("nick"),
                                                .roles = roles,
                                                .roles_len = 3};

static enum status apply(const struct outside_mapping *mapping, const char *payload,
                         struct arena *arena, struct claims *claims)
{
    *claims = (struct claims){.subject = STR("7"), .family = STR("f"), .use = TOKEN_REFRESH};
    err = ERROR_INIT;
    return outside_apply(mapping, str_of(payload), STR("token"), arena, claims, &err);
}

static void test_names_are_prefixed(void **state)
{
    struct arena arena;
    struct claims claims, other;
    (void)state;
    arena_init(&arena, 0);
    const char *payload = "{\"org\":{\"id\":\"acme\"},\"nick\":\"ada\"}";
    assert_int_equal(apply(&by_claim, payload, &arena, &claims), STATUS_OK);
    assert_true(str_is(claims.subject, "corp:7") && str_is(claims.username, "ada"));
    assert_true(str_is(claims.tenant, "acme") && !claims.family.data);
    assert_int_equal(claims.use, TOKEN_ACCESS);
    assert_true(str_starts(claims.id, STR("corp:")) && claims.id.len == 5 + 64);
    assert_int_equal(claims.roles_len, 0);
    assert_int_equal(apply(&by_claim, payload, &arena, &other), STATUS_OK);
    assert_true(str_eq(claims.id, other.id)); /* the same token, the same id */
    arena_release(&arena);
}

static void test_roles_by_the_table(void **state)
{
    static const struct {
        const char *claim;
        uint32_t len;
        const char *first;
    } cases[] = {{"[\"boss\",\"chief\"]", 1, "admin"},
                 {"[\"staff\",\"boss\"]", 2, "reader"},
                 {"\"x staff y\"", 1, "reader"},
                 {"[\"admin\"]", 0, ""},
                 {"\"admin\"", 0, ""},
                 {"7", 0, ""},
                 {"{\"boss\":1}", 0, ""},
                 {"[7,null,[\"boss\"]]", 0, ""},
                 {"\"\"", 0, ""},
                 {"null", 0, ""}};
    struct arena arena;
    struct claims claims;
    char payload[200];
    (void)state;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(payload, sizeof payload,
                 "{\"org\":{\"id\":\"a\"},\"https://x.example/roles\":%s,\"roles\":[\"admin\"]}",
                 cases[i].claim);
        assert_int_equal(apply(&by_claim, payload, &arena, &claims), STATUS_OK);
        assert_int_equal(claims.roles_len, cases[i].len);
        if (cases[i].len)
            assert_true(str_is(claims.roles[0], cases[i].first));
    }
    struct outside_mapping with_default = by_claim;
    with_default.default_role = STR("reader");
    assert_int_equal(apply(&with_default, "{\"org\":{\"id\":\"a\"}}", &arena, &claims), STATUS_OK);
    assert_int_equal(claims.roles_len, 1);
    arena_release(&arena);
}

static void test_a_tenant_is_needed(void **state)
{
    static const char *const wrong[] = {"{}",
                                        "{\"org\":\"a\"}",
                                        "{\"org\":{\"id\":\"\"}}",
                                        "{\"org\":{\"id\":{\"id\":\"a\"}}}",
                                        "{\"id\":\"a\"}",
                                        "[]"};
    struct arena arena;
    struct claims claims;
    (void)state;
    arena_init(&arena, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(apply(&by_claim, wrong[i], &arena, &claims), STATUS_UNAUTHENTICATED);
    struct outside_mapping fixed = by_claim;
    fixed.tenant = STR("acme");
    assert_int_equal(apply(&fixed, "{\"org\":{\"id\":\"evil\"}}", &arena, &claims), STATUS_OK);
    assert_true(str_is(claims.tenant, "acme"));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_prefixed),
        cmocka_unit_test(test_roles_by_the_table),
        cmocka_unit_test(test_a_tenant_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
