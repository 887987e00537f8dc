/* Alerts: reading samples and rules; pending, firing, resolved with their waits and two thresholds;
 * rates, quotients, single series; the bound on states. Time is what the test says. */
#include "services/monitoring/alert_engine.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_samples(void **state)
{
    (void)state;
    struct str text =
        STR("# HELP a text\n# TYPE a counter\na 1\nb{x=\"1\",y=\"q\\\"}, \\\\\"} 2.5\n"
            "\nbroken{x=\"1\" 3\nnovalue\nc{} +Inf\nd NaN\ne{z=\"\"} -3e2");
    struct sample sample;
    assert_true(sample_next(&text, &sample));
    assert_true(str_is(sample.name, "a") && str_is(sample.labels, ""));
    assert_true(sample_next(&text, &sample));
    assert_true(str_is(sample_label(&sample, STR("x")), "1"));
    assert_true(str_is(sample_label(&sample, STR("y")), "q\\\"}, \\\\"));
    assert_null(sample_label(&sample, STR("z")).data);
    assert_float_equal(sample.value, 2.5, 0);
    assert_true(sample_next(&text, &sample) && str_is(sample.name, "c") && isinf(sample.value));
    assert_true(sample_next(&text, &sample) && str_is(sample.name, "d") && isnan(sample.value));
    assert_true(sample_next(&text, &sample) && sample.value < -299);
    assert_non_null(sample_label(&sample, STR("z")).data);
    assert_false(sample_next(&text, &sample));
}

static void test_bad_rules(void **state)
{
    static const char *const bad[] = {
        "{}",
        "[{}]",
        "[{\"name\":\"a\"}]",
        "[{\"name\":\"a\",\"metric\":\"m\",\"op\":\"~\",\"threshold\":1}]",
        "[{\"name\":\"a\",\"metric\":\"m\",\"op\":\">\"}]",
        "[{\"name\":\"a\",\"metric\":\"m\",\"op\":\">\",\"threshold\":\"1\"}]",
        "[{\"name\":\"a\",\"metric\":\"m\",\"op\":\">\",\"threshold\":1,\"of\":\"sum\"}]",
        "[{\"name\":\"a\",\"metric\":\"m\",\"op\":\">\",\"threshold\":1,\"for_seconds\":-1}]",
        "[{\"name\":\"a\",\"metric\":\"m\",\"op\":\">\",\"threshold\":1,\"labels\":{\"x\":1}}]",
        "[{\"name\":\"a\",\"metric\":\"m\",\"op\":\">\",\"threshold\":1,\"treshold\":1}]",
        "[{\"name\":\"a\",\"metric\":\"m\",\"op\":\">\",\"threshold\":1,\"each\":true,"
        "\"per\":{\"metric\":\"n\"}}]",
        "[{\"name\":\"a\",\"metric\":\"m\",\"op\":\">\",\"threshold\":1},"
        "{\"name\":\"a\",\"metric\":\"m\",\"op\":\">\",\"threshold\":1}]",
    };
    struct alert_rules rules;
    struct error err = ERROR_INIT;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(alert_rules_parse(str_of(bad[i]), &rules, &err), STATUS_INVALID_ARGUMENT);
    assert_int_equal(alert_rules_parse(STR("nonsense"), &rules, &err), STATUS_INVALID_JSON);
    assert_int_equal(alert_rules_load(sys_posix(), "/none", &rules, &err), STATUS_NOT_FOUND);
    assert_int_equal(alert_rules_load(sys_posix(), NULL, &rules, &err), STATUS_OK);
    assert_true(rules.len >= 5);
    alert_rules_release(&rules);
}

/* --- phases --- */

struct told {
    int firing, resolved;
    double value;
    char labels[64];
};

static void on_change(void *context, const struct alert *alert)
{
    struct told *told = context;
    told->firing += alert->phase == ALERT_FIRING;
    told->resolved += alert->phase == ALERT_RESOLVED;
    told->value = alert->value;
    snprintf(told->labels, sizeof told->labels, "%.63s", alert->labels);
}

struct fixture {
    struct alert_rules rules;
    struct alert_engine *engine;
    struct told told;
};

static void open_engine(struct fixture *f, const char *rules)
{
    *f = (struct fixture){0};
    assert_int_equal(alert_rules_parse(str_of(rules), &f->rules, NULL), STATUS_OK);
    assert_int_equal(alert_engine_new(&f->rules, on_change, &f->told, &f->engine, NULL), STATUS_OK);
}

static void close_engine(struct fixture *f)
{
    alert_engine_free(f->engine);
    alert_rules_release(&f->rules);
}

static enum alert_phase at(struct fixture *f, int second, const char *text)
{
    struct alert alerts[4];
    const struct alert_input input = {"s", str_of(text)};
    int64_t us = (int64_t)second * 1000000 + 1000000;
    alerts_evaluate(f->engine, &input, 1, us, us);
    size_t n = alerts_list(f->engine, alerts, 4);
    return n && alerts[0].phase != ALERT_RESOLVED ? alerts[0].phase : ALERT_INACTIVE;
}

static void test_hysteresis(void **state)
{
    struct fixture f;
    (void)state;
    open_engine(&f, "[{\"name\":\"hot\",\"metric\":\"t\",\"op\":\">\",\"threshold\":10,\"clear\":8,"
                    "\"for_seconds\":20,\"keep_seconds\":30}]");
    assert_int_equal(at(&f, 0, "t 5\n"), ALERT_INACTIVE);
    assert_int_equal(at(&f, 10, "t 11\n"), ALERT_PENDING);
    assert_int_equal(at(&f, 20, "t 9\n"), ALERT_INACTIVE); /* pending ends at once */
    assert_int_equal(at(&f, 30, "t 11\n"), ALERT_PENDING);
    assert_int_equal(at(&f, 40, "t 12\n"), ALERT_PENDING);
    assert_int_equal(at(&f, 50, "t 13\n"), ALERT_FIRING);
    assert_int_equal(at(&f, 60, "t 9\n"), ALERT_FIRING); /* above clear: still on */
    assert_int_equal(at(&f, 100, "t 9\n"), ALERT_FIRING);
    assert_int_equal(at(&f, 110, "t 7\n"), ALERT_FIRING);
    assert_int_equal(at(&f, 120, "t 9\n"), ALERT_FIRING); /* the wait begins anew */
    assert_int_equal(at(&f, 130, "t 7\n"), ALERT_FIRING);
    assert_int_equal(at(&f, 150, ""), ALERT_FIRING); /* no samples: nothing holds */
    assert_int_equal(at(&f, 160, "t 7\n"), ALERT_INACTIVE);
    assert_int_equal(f.told.firing, 1);
    assert_int_equal(f.told.resolved, 1);
    struct alert alert;
    assert_int_equal(alerts_list(f.engine, &alert, 1), 1);
    assert_int_equal(alert.phase, ALERT_RESOLVED);
    assert_int_equal(alert.resolved_us, 161000000);
    close_engine(&f);
}

static void test_rates(void **state)
{
    struct fixture f;
    (void)state;
    open_engine(&f, "[{\"name\":\"e\",\"metric\":\"r\",\"labels\":{\"status\":\"50*|429\"},"
                    "\"of\":\"rate\",\"per\":{\"metric\":\"r\"},\"op\":\">=\",\"threshold\":0.5}]");
    assert_int_equal(at(&f, 0, "r{status=\"200\"} 100\nr{status=\"500\"} 1000\n"), ALERT_INACTIVE);
    assert_int_equal(at(&f, 10, "r{status=\"200\"} 106\nr{status=\"500\"} 1004\n"), ALERT_INACTIVE);
    assert_int_equal(at(&f, 20,
                        "r{status=\"200\"} 107\nr{status=\"503\"} 1\nr{status=\"500\"} "
                        "1004\nr{status=\"404\"} 0\n"),
                     ALERT_FIRING);
    assert_float_equal(f.told.value, 0.5, 1e-9);
    /* the counters began anew: no value, and without keep_seconds the end */
    assert_int_equal(at(&f, 30, "r{status=\"500\"} 5\n"), ALERT_INACTIVE);
    assert_int_equal(f.told.resolved, 1);
    close_engine(&f);

    open_engine(&f, "[{\"name\":\"g\",\"metric\":\"n\",\"of\":\"rate\",\"op\":\">\","
                    "\"threshold\":2}]");
    assert_int_equal(at(&f, 0, "n 1000\n"), ALERT_INACTIVE);
    assert_int_equal(at(&f, 10, "n 1020\n"), ALERT_INACTIVE);
    assert_int_equal(at(&f, 20, "n 1050\n"), ALERT_FIRING);
    assert_float_equal(f.told.value, 3, 1e-9);
    close_engine(&f);
}

static void test_each(void **state)
{
    struct fixture f;
    struct alert alerts[4];
    struct alert_counts counts;
    (void)state;
    open_engine(&f,
                "[{\"name\":\"d\",\"metric\":\"up\",\"each\":true,\"op\":\"<\",\"threshold\":1}]");
    assert_int_equal(at(&f, 0, "up{target=\"a\"} 1\nup{target=\"b\"} 0\n"), ALERT_FIRING);
    assert_string_equal(f.told.labels, "target=\"b\"");
    assert_int_equal(alerts_list(f.engine, alerts, 4), 1);
    assert_int_equal(at(&f, 10, "up{target=\"a\"} 0\nup{target=\"b\"} 0\n"), ALERT_FIRING);
    alerts_count(f.engine, &counts);
    assert_int_equal(counts.firing, 2);
    assert_int_equal(at(&f, 20, "up{target=\"a\"} 1\nup{target=\"b\"} 1\n"), ALERT_INACTIVE);
    assert_int_equal(f.told.resolved, 2);
    close_engine(&f);
}

static void test_bound(void **state)
{
    struct fixture f;
    struct alert_counts counts;
    struct buf text;
    (void)state;
    open_engine(&f, "[{\"name\":\"d\",\"metric\":\"m\",\"each\":true,\"op\":\">\",\"threshold\":0,"
                    "\"for_seconds\":60}]");
    buf_init(&text, 1 << 20);
    for (int i = 0; i < ALERT_STATES_MAX + 5; i++)
        buf_printf(&text, "m{x=\"%d\"} 1\n", i);
    buf_append_char(&text, 0);
    assert_int_equal(at(&f, 0, text.data), ALERT_PENDING);
    alerts_count(f.engine, &counts);
    assert_int_equal(counts.pending, ALERT_STATES_MAX);
    assert_int_equal(counts.unwatched, 5);
    assert_int_equal(at(&f, 10, ""), ALERT_INACTIVE); /* all make room again */
    assert_int_equal(at(&f, 20, "m{x=\"new\"} 1\n"), ALERT_PENDING);
    alerts_count(f.engine, &counts);
    assert_int_equal(counts.unwatched, 0);
    buf_release(&text);
    close_engine(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samples),    cmocka_unit_test(test_bad_rules),
        cmocka_unit_test(test_hysteresis), cmocka_unit_test(test_rates),
        cmocka_unit_test(test_each),       cmocka_unit_test(test_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
