/* Sealed texts: opened again, altered, with another key or context; the key's file. */
#include "auth/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/sim/sim.h"

static struct error err;
static struct sim *sim;
static struct sys *sys;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    assert_int_equal(sim_new(1, &sim, &err), STATUS_OK);
    sys = sim_sys(sim);
    arena_init(&arena, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_release(&arena);
    sim_free(sim);
    return 0;
}

static void test_round_trip(void **state)
{
    static const char bytes[] = "a\0\xff\n";
    const struct str texts[] = {STR(""), STR("x"), STR("päss"), {bytes, 4}};
    struct seal_key key = {{1, 2, 3}};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct str sealed, again, open;
        assert_int_equal(seal(sys, &key, STR("c"), texts[i], &arena, &sealed, &err), STATUS_OK);
        assert_int_equal(seal(sys, &key, STR("c"), texts[i], &arena, &again, &err), STATUS_OK);
        assert_false(str_eq(sealed, again)); /* a fresh nonce */
        assert_int_equal(seal_open(&key, STR("c"), sealed, &arena, &open, &err), STATUS_OK);
        assert_true(str_eq(open, texts[i]));
    }
}

static void test_limits(void **state)
{
    static char text[SEAL_TEXT_MAX + 1];
    struct seal_key key = {{7}};
    struct str sealed, open;
    (void)state;
    assert_int_equal(seal(sys, &key, STR(""), str_make(text, SEAL_TEXT_MAX), &arena, &sealed, &err),
                     STATUS_OK);
    assert_true(sealed.len <= 4096);
    assert_int_equal(seal_open(&key, STR(""), sealed, &arena, &open, &err), STATUS_OK);
    assert_int_equal(open.len, SEAL_TEXT_MAX);
    assert_int_equal(seal(sys, &key, STR(""), str_make(text, sizeof text), &arena, &sealed, &err),
                     STATUS_INVALID_ARGUMENT);
}

/* Every single altered character, another key, another context, every cut. */
static void test_refused(void **state)
{
    struct seal_key key = {{1}}, other = {{2}};
    struct str sealed, open;
    char text[200];
    (void)state;
    assert_int_equal(seal(sys, &key, STR("c"), STR("secret"), &arena, &sealed, &err), STATUS_OK);
    assert_int_equal(seal_open(&other, STR("c"), sealed, &arena, &open, &err), STATUS_CORRUPT);
    assert_int_equal(seal_open(&key, STR("d"), sealed, &arena, &open, &err), STATUS_CORRUPT);
    assert_true(sealed.len < sizeof text);
    for (size_t i = 0; i < sealed.len; i++) {
        memcpy(text, sealed.data, sealed.len);
        text[i] = text[i] == 'A' ? 'B' : 'A';
        assert_int_equal(seal_open(&key, STR("c"), str_make(text, sealed.len), &arena, &open, &err),
                         STATUS_CORRUPT);
        assert_int_equal(seal_open(&key, STR("c"), str_make(sealed.data, i), &arena, &open, &err),
                         STATUS_CORRUPT);
    }
}

static void test_key_file(void **state)
{
    struct seal_key first, second, other;
    (void)state;
    assert_int_equal(seal_key_load(sys, "/keys/here", "k", &first, &err), STATUS_OK);
    assert_int_equal(seal_key_load(sys, "/keys/here", "k", &second, &err), STATUS_OK);
    assert_memory_equal(&first, &second, sizeof first);
    assert_int_equal(seal_key_load(sys, "/keys/here", "l", &other, &err), STATUS_OK);
    assert_memory_not_equal(&first, &other, sizeof first);
    struct sys_file *file = NULL;
    assert_int_equal(sys_open(sys, "/keys/here/short", SYS_WRITE | SYS_CREATE, &file, &err),
                     STATUS_OK);
    assert_int_equal(sys_pwrite(sys, file, "abc", 3, 0, &err), STATUS_OK);
    sys_close(sys, file);
    assert_int_equal(seal_key_load(sys, "/keys/here", "short", &other, &err), STATUS_CORRUPT);
    seal_key_forget(&first);
    assert_int_equal(first.bytes[0], 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(test_round_trip), TEST(test_limits), TEST(test_refused),
                                       TEST(test_key_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
