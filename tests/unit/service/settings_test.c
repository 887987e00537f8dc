/* settings: defaults, precedence, the file's grammar, and the text of every refusal. */
#include "service/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct settings *settings;

static int set_up(void **state)
{
    (void)state;
    return settings_new(&settings, NULL) != STATUS_OK;
}

static int tear_down(void **state)
{
    (void)state;
    settings_free(settings);
    return 0;
}

static void test_defaults(void **state)
{
    (void)state;
    assert_string_equal(settings_text(settings, SETTING_TENANT_ID), "default_tenant");
    assert_string_equal(settings_text(settings, SETTING_DATA_PATH), "./data");
    assert_int_equal(settings_int(settings, SETTING_REST_PORT), 8000);
    assert_int_equal(settings_int(settings, SETTING_MAX_CONCURRENT_SEARCHES), 10);
    assert_true(settings_bool(settings, SETTING_AUTO_COMPACTION_ENABLED));
    assert_true(settings_real(settings, SETTING_SCALE_UP_THRESHOLD_CPU) == 70.0);
    assert_int_equal(settings_source(settings, SETTING_REST_PORT), SETTING_DEFAULT);
}

static void test_precedence(void **state)
{
    (void)state;
    char *environment[] = {(char *)(uintptr_t) "REST_PORT=9001",
                           (char *)(uintptr_t) "TENANT_ID=from_environment",
                           (char *)(uintptr_t) "PATH=/bin", (char *)(uintptr_t) "ODD", NULL};
    assert_int_equal(settings_load_text(settings,
                                        STR("rest_port = 9000\ntenant_id = 'file'\n"
                                            "tenant_name=\"from file\" # why\n"),
                                        "q.toml", NULL),
                     STATUS_OK);
    assert_int_equal(settings_load_environment(settings, environment, NULL), STATUS_OK);
    assert_int_equal(settings_set(settings, STR("rest-port"), STR("9002"), SETTING_FLAG, NULL),
                     STATUS_OK);
    assert_int_equal(settings_int(settings, SETTING_REST_PORT), 9002);
    assert_int_equal(settings_source(settings, SETTING_REST_PORT), SETTING_FLAG);
    assert_string_equal(settings_text(settings, SETTING_TENANT_ID), "from_environment");
    assert_string_equal(settings_text(settings, SETTING_TENANT_NAME), "from file");
    assert_int_equal(settings_source(settings, SETTING_TENANT_NAME), SETTING_FILE);
}

static void test_file_grammar(void **state)
{
    (void)state;
    const char *text = "# comment\r\n"
                       "\n"
                       "  tenant_name = \"a \\\"b\\\" \\\\ # c\"   # behind\r\n"
                       "TENANT_ID\t=\tx\n"
                       "auto_scaling_enabled = OFF\n"
                       "scale_up_threshold_cpu = 12.5\n"
                       "data_path = 'C:\\x'";
    assert_int_equal(settings_load_text(settings, str_of(text), "q.toml", NULL), STATUS_OK);
    assert_string_equal(settings_text(settings, SETTING_TENANT_NAME), "a \"b\" \\ # c");
    assert_string_equal(settings_text(settings, SETTING_TENANT_ID), "x");
    assert_string_equal(settings_text(settings, SETTING_DATA_PATH), "C:\\x");
    assert_false(settings_bool(settings, SETTING_AUTO_SCALING_ENABLED));
    assert_true(settings_real(settings, SETTING_SCALE_UP_THRESHOLD_CPU) == 12.5);
}

static void expect_refusal(const char *text, const char *message)
{
    struct error err = ERROR_INIT;
    assert_int_equal(settings_load_text(settings, str_of(text), "q.toml", &err),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(err.message, message);
}

static void test_refusals(void **state)
{
    (void)state;
    expect_refusal("\nrest_prot = 1", "q.toml, line 2: unknown setting 'rest_prot'; did you mean "
                                      "'rest_port'?");
    expect_refusal("colour = 1",
                   "q.toml, line 1: unknown setting 'colour'; quarryd --help lists them");
    expect_refusal("rest_port = 70000",
                   "q.toml, line 1: REST_PORT must be an integer from 0 to 65535, not '70000'");
    expect_refusal("rest_port = x",
                   "q.toml, line 1: REST_PORT must be an integer from 0 to 65535, not 'x'");
    expect_refusal("scale_up_threshold_cpu = 101",
                   "q.toml, line 1: SCALE_UP_THRESHOLD_CPU must be a number from 0 to 100, not "
                   "'101'");
    expect_refusal("auto_scaling_enabled = maybe",
                   "q.toml, line 1: AUTO_SCALING_ENABLED must be true or false, not 'maybe'");
    expect_refusal("log_level = loud",
                   "q.toml, line 1: LOG_LEVEL must be one of debug|info|warn|error, not 'loud'");
    expect_refusal("[server]", "q.toml, line 1: tables are not used; write `key = value`");
    expect_refusal("rest_port", "q.toml, line 1: `key = value` is expected");
    expect_refusal("rest_port =", "q.toml, line 1: a value is expected behind '='");
    expect_refusal("rest_port = # 1", "q.toml, line 1: a value is expected behind '='");
    expect_refusal("rest_port = 1 2",
                   "q.toml, line 1: nothing but a comment may stand behind the value");
    expect_refusal("tenant_id = \"x",
                   "q.toml, line 1: the quoted text does not end, or has a wrong escape");
    expect_refusal("tenant_id = \"\\q\"",
                   "q.toml, line 1: the quoted text does not end, or has a wrong escape");
    expect_refusal("tenant_id = \"a\\nb\"",
                   "q.toml, line 1: TENANT_ID must be text of at most 1024 bytes without control "
                   "characters, not 'a?b'");
    assert_int_equal(settings_int(settings, SETTING_REST_PORT), 8000);
}

static void test_flag_and_environment_refusals(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    char *environment[] = {(char *)(uintptr_t) "MAX_WORKERS=0", NULL};
    assert_int_equal(settings_load_environment(settings, environment, &err),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(err.message, "the environment's MAX_WORKERS is wrong");
    assert_string_equal(err.cause, "MAX_WORKERS must be an integer from 1 to 1000, not '0'");
    assert_int_equal(settings_set(settings, STR("data-paht"), STR("x"), SETTING_FLAG, &err),
                     STATUS_INVALID_ARGUMENT);
    assert_string_equal(err.message, "unknown setting '--data-paht'; did you mean '--data-path'?");
}

/* What --print-settings writes is a file that reads back as the same. */
static void test_print(void **state)
{
    (void)state;
    struct buf text;
    struct settings *again;
    buf_init(&text, 1 << 20);
    settings_set(settings, STR("tenant_name"), STR("say \"hi\" \\"), SETTING_FLAG, NULL);
    settings_set(settings, STR("jwt_secret"), STR("hush"), SETTING_FLAG, NULL);
    settings_print(settings, &text);
    assert_int_equal(buf_check(&text, "text", NULL), STATUS_OK);
    assert_null(memmem(text.data, text.len, "hush", 4));
    assert_int_equal(settings_new(&again, NULL), STATUS_OK);
    assert_int_equal(settings_load_text(again, buf_str(&text), "p", NULL), STATUS_OK);
    for (int i = 0; i < SETTING_COUNT; i++)
        if (i != SETTING_JWT_SECRET)
            assert_string_equal(settings_text(again, (enum setting)i),
                                settings_text(settings, (enum setting)i));
    settings_free(again);
    buf_release(&text);
}

static void test_early(void **state)
{
    (void)state;
    assert_false(settings_is_early(settings, SETTING_BCRYPT_ROUNDS, "0.1.0"));
    settings_set(settings, STR("bcrypt_rounds"), STR("12"), SETTING_FLAG, NULL);
    settings_set(settings, STR("rest_port"), STR("1"), SETTING_FLAG, NULL);
    assert_true(settings_is_early(settings, SETTING_BCRYPT_ROUNDS, "0.1.0"));
    assert_false(settings_is_early(settings, SETTING_BCRYPT_ROUNDS, "0.5.0"));
    assert_false(settings_is_early(settings, SETTING_BCRYPT_ROUNDS, "1.0.0"));
    assert_false(settings_is_early(settings, SETTING_REST_PORT, "0.1.0"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_defaults),
        TEST(test_precedence),
        TEST(test_file_grammar),
        TEST(test_refusals),
        TEST(test_flag_and_environment_refusals),
        TEST(test_print),
        TEST(test_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
