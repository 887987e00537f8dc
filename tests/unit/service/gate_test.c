/* Who may come in: keys, roles, tenants, revocation, on a simulated machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "service/gate.h"
#include "service/revocations.h"
#include "service/token_keys.h"
#include "sys/sim/sim.h"

static struct error err;

struct world {
    struct sim *sim;
    struct sys *sys;
    struct keyring keys;
    struct verifier *verifier;
    struct revocations *revocations;
    struct gate *gate;
    struct arena arena;
    struct buf header;
};

static void open_world(struct world *w, bool required, bool one_tenant)
{
    struct keyring copy = {0};
    *w = (struct world){0};
    assert_int_equal(sim_new(3, &w->sim, &err), STATUS_OK);
    w->sys = sim_sys(w->sim);
    sim_advance(w->sim, INT64_C(1000000000) * 1000000);
    assert_int_equal(
        token_keys_load(&(struct token_key_options){w->sys, "auth", "", ""}, &w->keys, &err),
        STATUS_OK);
    assert_int_equal(keyring_add(&copy, auth_key_ref(w->keys.keys[0]), &err), STATUS_OK);
    assert_int_equal(verifier_new(w->sys, STR("quarry"), STR("quarry"), 0, &w->verifier, &err),
                     STATUS_OK);
    assert_int_equal(verifier_set_keys(w->verifier, STR_NONE, STR_NONE, &copy, &err), STATUS_OK);
    assert_int_equal(
        revocations_open(w->sys, "auth/revoked", true, w->verifier, &w->revocations, &err),
        STATUS_OK);
    const struct gate_options options = {.sys = w->sys,
                                         .verifier = w->verifier,
                                         .revocations = w->revocations,
                                         .required = required,
                                         .tenant = "acme",
                                         .one_tenant = one_tenant};
    assert_int_equal(gate_new(&options, &w->gate, &err), STATUS_OK);
    arena_init(&w->arena, 0);
    buf_init(&w->header, 1 << 16);
}

static void close_world(struct world *w)
{
    gate_free(w->gate);
    revocations_close(w->revocations);
    verifier_free(w->verifier);
    keyring_release(&w->keys);
    arena_release(&w->arena);
    buf_release(&w->header);
    sim_free(w->sim);
}

static void make_token(struct world *w, const char *tenant, const char *role, enum token_use use)
{
    struct str roles[] = {str_of(role)};
    int64_t now_s = sys_now_us(w->sys) / 1000000;
    struct claims claims = {.subject = STR("u1"),
                            .tenant = str_of(tenant),
                            .id = STR("t1"),
                            .family = STR("f1"),
                            .issuer = STR("quarry"),
                            .audience = STR("quarry"),
                            .issued_s = now_s,
                            .not_before_s = now_s,
                            .expires_s = now_s + 60,
                            .use = use,
                            .roles = roles,
                            .roles_len = 1};
    buf_clear(&w->header);
    buf_append_str(&w->header, STR("bearer "));
    assert_int_equal(jwt_sign(&w->keys, &claims, &w->header, &err), STATUS_OK);
}

static enum status admit(struct world *w, enum permission needed, struct str header)
{
    struct identity identity;
    err = ERROR_INIT;
    return gate_admit(w->gate, needed, header, &w->arena, &identity, &err);
}

static void test_roles_and_tenants(void **state)
{
    (void)state;
    struct world w;
    static const struct {
        const char *role;
        enum permission most;
    } roles[] = {{"reader", PERMISSION_READ},   {"writer", PERMISSION_WRITE},
                 {"user", PERMISSION_WRITE},    {"admin", PERMISSION_ADMIN},
                 {"nobody", PERMISSION_PERSON}, {"Admin", PERMISSION_PERSON}};
    open_world(&w, true, true);
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        make_token(&w, "acme", roles[i].role, TOKEN_ACCESS);
        for (int p = PERMISSION_NONE; p <= PERMISSION_ADMIN; p++)
            assert_int_equal(admit(&w, (enum permission)p, buf_str(&w.header)),
                             (enum permission)p <= roles[i].most ? STATUS_OK : STATUS_FORBIDDEN);
    }
    make_token(&w, "acme", "admin", TOKEN_ACCESS);
    assert_int_equal(admit(&w, PERMISSION_OPERATOR, buf_str(&w.header)), STATUS_OK);
    make_token(&w, "acme", "writer", TOKEN_ACCESS);
    assert_int_equal(admit(&w, PERMISSION_OPERATOR, buf_str(&w.header)), STATUS_FORBIDDEN);
    make_token(&w, "other", "admin", TOKEN_ACCESS);
    assert_int_equal(admit(&w, PERMISSION_READ, buf_str(&w.header)), STATUS_FORBIDDEN);
    make_token(&w, "acme", "admin", TOKEN_REFRESH);
    assert_int_equal(admit(&w, PERMISSION_READ, buf_str(&w.header)), STATUS_UNAUTHENTICATED);
    close_world(&w);
}

static void test_headers(void **state)
{
    (void)state;
    struct world w;
    const char *const wrong[] = {"", "Basic dTpw", "Bearer", "Bearer ", "Bearer x", "token"};
    open_world(&w, true, false);
    assert_int_equal(admit(&w, PERMISSION_NONE, STR_NONE), STATUS_OK);
    assert_int_equal(admit(&w, PERMISSION_READ, STR_NONE), STATUS_UNAUTHENTICATED);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(admit(&w, PERMISSION_READ, str_of(wrong[i])), STATUS_UNAUTHENTICATED);
    close_world(&w);
}

static void test_local_operator(void **state)
{
    (void)state;
    struct world w;
    struct identity who;
    open_world(&w, false, true);
    assert_int_equal(gate_admit(w.gate, PERMISSION_ADMIN, STR_NONE, &w.arena, &who, &err),
                     STATUS_OK);
    assert_true(who.is_local && str_is(who.tenant, "acme") && str_is(who.user_id, "local"));
    assert_int_equal(
        gate_admit(w.gate, PERMISSION_ADMIN, STR("Bearer x.y.z"), &w.arena, &who, &err), STATUS_OK);
    assert_true(who.is_local);
    assert_int_equal(admit(&w, PERMISSION_OPERATOR, STR_NONE), STATUS_OK);
    assert_int_equal(admit(&w, PERMISSION_PERSON, STR_NONE), STATUS_UNAUTHENTICATED);
    make_token(&w, "other", "admin", TOKEN_ACCESS); /* no pass for the operator's rights */
    assert_int_equal(admit(&w, PERMISSION_READ, buf_str(&w.header)), STATUS_FORBIDDEN);
    make_token(&w, "acme", "reader", TOKEN_ACCESS);
    assert_int_equal(admit(&w, PERMISSION_WRITE, buf_str(&w.header)), STATUS_FORBIDDEN);
    close_world(&w);
}

/* Several tenants behind one door: only the place's own admin is the operator. */
static void test_operator(void **state)
{
    (void)state;
    struct world w;
    open_world(&w, true, false);
    make_token(&w, "other", "admin", TOKEN_ACCESS);
    assert_int_equal(admit(&w, PERMISSION_ADMIN, buf_str(&w.header)), STATUS_OK);
    assert_int_equal(admit(&w, PERMISSION_OPERATOR, buf_str(&w.header)), STATUS_FORBIDDEN);
    close_world(&w);
}

/* What one process takes back, another hears of, also after a restart and a rewrite of the file. */
static void test_revocation_reaches_others(void **state)
{
    (void)state;
    struct world w;
    struct verifier *other = NULL;
    struct revocations *follower = NULL;
    struct keyring copy = {0};
    struct claims claims;
    open_world(&w, true, true);
    assert_int_equal(keyring_add(&copy, auth_key_ref(w.keys.keys[0]), &err), STATUS_OK);
    assert_int_equal(verifier_new(w.sys, STR("quarry"), STR("quarry"), 0, &other, &err), STATUS_OK);
    assert_int_equal(verifier_set_keys(other, STR_NONE, STR_NONE, &copy, &err), STATUS_OK);
    assert_int_equal(revocations_open(w.sys, "auth/revoked", false, other, &follower, &err),
                     STATUS_OK);
    make_token(&w, "acme", "admin", TOKEN_ACCESS);
    struct str token = str_make(w.header.data + 7, w.header.len - 7);
    int64_t until_s = sys_now_us(w.sys) / 1000000 + 60;
    assert_int_equal(verifier_check(other, token, &w.arena, &claims, &err), STATUS_OK);
    assert_int_equal(revocations_add(w.revocations, STR("x"), until_s, &err), STATUS_OK);
    assert_int_equal(revocations_add(w.revocations, STR("f1"), until_s, &err), STATUS_OK);
    assert_int_equal(admit(&w, PERMISSION_READ, buf_str(&w.header)), STATUS_UNAUTHENTICATED);
    sim_advance(w.sim, REVOCATIONS_LOOK_US);
    assert_int_equal(revocations_refresh(follower, &err), STATUS_OK);
    assert_int_equal(verifier_check(other, token, &w.arena, &claims, &err), STATUS_UNAUTHENTICATED);
    /* the gateway starts again: entries survive, the follower goes on with the new file */
    revocations_close(w.revocations);
    assert_int_equal(
        revocations_open(w.sys, "auth/revoked", true, w.verifier, &w.revocations, &err), STATUS_OK);
    assert_int_equal(revocations_add(w.revocations, STR("t9"), until_s, &err), STATUS_OK);
    sim_advance(w.sim, REVOCATIONS_LOOK_US);
    assert_int_equal(revocations_refresh(follower, &err), STATUS_OK);
    assert_int_equal(verifier_check(other, token, &w.arena, &claims, &err), STATUS_UNAUTHENTICATED);
    revocations_close(follower);
    verifier_free(other);
    close_world(&w);
}

static void test_damaged_list_lets_nobody_in(void **state)
{
    (void)state;
    struct world w;
    struct revocations *follower = NULL;
    open_world(&w, true, true);
    assert_int_equal(
        sys_replace_file(w.sys, "auth/revoked",
                         (struct slice){"01234567-89ab-7def-8123-456789abcdef\nnonsense\n", 46},
                         &err),
        STATUS_OK);
    assert_int_equal(revocations_open(w.sys, "auth/revoked", false, w.verifier, &follower, &err),
                     STATUS_CORRUPT);
    close_world(&w);
}

static void test_keys(void **state)
{
    (void)state;
    struct sim *sim = NULL;
    struct keyring a, b;
    assert_int_equal(sim_new(5, &sim, &err), STATUS_OK);
    struct token_key_options options = {sim_sys(sim), "auth", "", ""};
    uint8_t one[AUTH_SIGNATURE_MAX];
    size_t len;
    /* the generated secret stays */
    assert_int_equal(token_keys_load(&options, &a, &err), STATUS_OK);
    assert_int_equal(token_keys_load(&options, &b, &err), STATUS_OK);
    assert_int_equal(auth_key_sign(a.keys[0], STR("x"), one, &len, &err), STATUS_OK);
    assert_true(auth_key_check(b.keys[0], STR("x"), (struct slice){one, len}));
    keyring_release(&a);
    keyring_release(&b);
    options.secret = "your-secret-key";
    assert_int_equal(token_keys_load(&options, &a, &err), STATUS_INVALID_ARGUMENT);
    options.secret = "too short";
    assert_int_equal(token_keys_load(&options, &a, &err), STATUS_INVALID_ARGUMENT);
    assert_string_equal(err.message, "JWT_SECRET cannot be used");
    options.secret = "a secret of at least thirty-two bytes";
    assert_int_equal(token_keys_load(&options, &a, &err), STATUS_OK);
    keyring_release(&a);
    options.key_files = "none.pem";
    assert_int_equal(token_keys_load(&options, &a, &err), STATUS_NOT_FOUND);
    sim_free(sim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles_and_tenants),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_local_operator),
        cmocka_unit_test(test_operator),
        cmocka_unit_test(test_revocation_reaches_others),
        cmocka_unit_test(test_damaged_list_lets_nobody_in),
        cmocka_unit_test(test_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
