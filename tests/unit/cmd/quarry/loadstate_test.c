/* What a load remembers: gaps between acknowledged batches, saving and taking up again, refusing a
 * changed file. The program's own source is part of this test. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <unistd.h>

#include "cmd/quarry/loadstate.c"

static char folder[] = "/tmp/quarry-loadstate-XXXXXX";
static char file[128];

static void write_file(const char *text)
{
    assert_int_equal(sys_replace_file(sys_posix(), file, (struct slice){text, strlen(text)}, NULL),
                     STATUS_OK);
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(file, sizeof file, "%s/data.ndjson", folder);
    write_file("one");
    return setenv("XDG_CACHE_HOME", folder, 1);
}

static int tear_down(void **state)
{
    (void)state;
    return sys_remove_tree(sys_posix(), folder, NULL) != STATUS_OK;
}

static struct load_identity identity(void)
{
    return (struct load_identity){"http://x", "s", file, "ndjson", 100};
}

static void gaps_close(void **state)
{
    (void)state;
    struct load_state s = {0};
    assert_int_equal(load_state_add(&s, 2, 10, NULL), STATUS_OK);
    assert_int_equal(load_state_add(&s, 1, 10, NULL), STATUS_OK);
    assert_int_equal(s.done, 0);
    assert_int_equal(s.ahead_len, 2);
    assert_true(load_state_has(&s, 1));
    assert_false(load_state_has(&s, 0));
    assert_int_equal(load_state_add(&s, 0, 10, NULL), STATUS_OK);
    assert_int_equal(s.done, 3);
    assert_int_equal(s.ahead_len, 0);
    assert_int_equal(load_state_add(&s, 1, 10, NULL), STATUS_OK); /* twice counts once */
    assert_int_equal(s.records, 30);
}

static void too_far_ahead(void **state)
{
    (void)state;
    struct load_state s = {0};
    for (uint64_t i = 1; i <= LOADSTATE_AHEAD_MAX; i++)
        assert_int_equal(load_state_add(&s, i, 1, NULL), STATUS_OK);
    assert_int_equal(load_state_add(&s, 1000, 1, NULL), STATUS_RESOURCE_LIMIT);
}

static void is_taken_up_again(void **state)
{
    (void)state;
    struct load_identity id = identity();
    struct load_state first, second;
    char key[LOAD_KEY_MAX], again[LOAD_KEY_MAX];
    assert_int_equal(load_state_open(&first, &id, false, NULL), STATUS_OK);
    assert_false(first.resumed);
    assert_int_equal(load_state_add(&first, 0, 100, NULL), STATUS_OK);
    assert_int_equal(load_state_add(&first, 4, 100, NULL), STATUS_OK);
    assert_int_equal(load_state_save(&first, NULL), STATUS_OK);

    assert_int_equal(load_state_open(&second, &id, false, NULL), STATUS_OK);
    assert_true(second.resumed);
    assert_int_equal(second.done, 1);
    assert_int_equal(second.records, 200);
    assert_true(load_state_has(&second, 4));
    load_state_key(&first, 2, key);
    load_state_key(&second, 2, again);
    assert_string_equal(key, again);

    load_state_remove(&second);
    assert_int_equal(load_state_open(&second, &id, false, NULL), STATUS_OK);
    assert_false(second.resumed);
    load_state_key(&second, 2, again);
    assert_string_not_equal(key, again);
}

static void a_changed_file_is_refused(void **state)
{
    (void)state;
    struct load_identity id = identity();
    struct load_state s;
    assert_int_equal(load_state_open(&s, &id, false, NULL), STATUS_OK);
    assert_int_equal(load_state_save(&s, NULL), STATUS_OK);
    id.records_max = 200;
    assert_int_equal(load_state_open(&s, &id, false, NULL), STATUS_CONFLICT);
    id.records_max = 100;
    write_file("two and more");
    assert_int_equal(load_state_open(&s, &id, false, NULL), STATUS_CONFLICT);
    assert_int_equal(load_state_open(&s, &id, true, NULL), STATUS_OK);
    assert_false(s.resumed);
}

static void a_damaged_state_is_refused(void **state)
{
    (void)state;
    struct load_identity id = identity();
    struct load_state s;
    assert_int_equal(load_state_open(&s, &id, true, NULL), STATUS_OK);
    static const char *const texts[] = {"{}", "{\"load_id\":\"x\",\"done\":1}", "nothing", ""};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct slice bytes = {texts[i], strlen(texts[i])};
        assert_int_equal(sys_replace_file(sys_posix(), s.path, bytes, NULL), STATUS_OK);
        struct load_state other;
        assert_int_not_equal(load_state_open(&other, &id, false, NULL), STATUS_OK);
    }
    load_state_remove(&s);
}

static void standard_input_has_no_state(void **state)
{
    (void)state;
    struct load_identity id = {"http://x", "s", "-", "ndjson", 100};
    struct load_state s;
    assert_int_equal(load_state_open(&s, &id, false, NULL), STATUS_OK);
    assert_string_equal(s.path, "");
    assert_int_equal(load_state_save(&s, NULL), STATUS_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_close),
        cmocka_unit_test(too_far_ahead),
        cmocka_unit_test(is_taken_up_again),
        cmocka_unit_test(a_changed_file_is_refused),
        cmocka_unit_test(a_damaged_state_is_refused),
        cmocka_unit_test(standard_input_has_no_state),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
