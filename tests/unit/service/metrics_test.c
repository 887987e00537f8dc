/* metrics: the exact Prometheus text, escapes, the bound on series. */
#include "service/metrics.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct metrics *metrics;
static struct buf text;

static int set_up(void **state)
{
    (void)state;
    buf_init(&text, 1 << 20);
    return metrics_new(&metrics, NULL) != STATUS_OK;
}

static int tear_down(void **state)
{
    (void)state;
    buf_release(&text);
    metrics_free(metrics);
    return 0;
}

static const char *written(void)
{
    buf_clear(&text);
    metrics_write(metrics, &text);
    buf_append_char(&text, 0);
    assert_false(buf_failed(&text));
    return text.data;
}

static void test_empty(void **state)
{
    (void)state;
    assert_string_equal(written(), "");
}

static void test_counter_and_gauge(void **state)
{
    (void)state;
    metrics_add(metrics, METRIC_WRITES, 2);
    metrics_add(metrics, METRIC_WRITES, 3);
    metrics_raise(metrics, METRIC_ROWS_WRITTEN, 10);
    metrics_raise(metrics, METRIC_ROWS_WRITTEN, 7); /* counters do not go back */
    metrics_set(metrics, METRIC_SOURCES, 1.5);
    metrics_raise(metrics, METRIC_PROCESS_CPU, 1234567);
    assert_string_equal(
        written(), "# HELP process_cpu_seconds_total User and system CPU time of the process.\n"
                   "# TYPE process_cpu_seconds_total counter\n"
                   "process_cpu_seconds_total 1.234567\n"
                   "# HELP quarry_sources Sources.\n"
                   "# TYPE quarry_sources gauge\n"
                   "quarry_sources 1.5\n"
                   "# HELP quarry_writes_total Batches acknowledged.\n"
                   "# TYPE quarry_writes_total counter\n"
                   "quarry_writes_total 5\n"
                   "# HELP quarry_rows_written_total Rows acknowledged.\n"
                   "# TYPE quarry_rows_written_total counter\n"
                   "quarry_rows_written_total 10\n");
}

static void test_labels(void **state)
{
    (void)state;
    const char *odd[] = {"a\"b\\c\nd"};
    metric_add(metrics_series(metrics, METRIC_SQL_QUERIES, odd), 1);
    metric_add(metrics_series(metrics, METRIC_SQL_QUERIES, (const char *[]){"ok"}), 1);
    assert_ptr_equal(metrics_series(metrics, METRIC_SQL_QUERIES, odd),
                     metrics_series(metrics, METRIC_SQL_QUERIES, odd));
    metric_add(metrics_series(metrics, METRIC_SQL_QUERIES, odd), 1);
    assert_string_equal(written(),
                        "# HELP quarry_sql_queries_total SQL queries by how they ended.\n"
                        "# TYPE quarry_sql_queries_total counter\n"
                        "quarry_sql_queries_total{outcome=\"a\\\"b\\\\c\\nd\"} 2\n"
                        "quarry_sql_queries_total{outcome=\"ok\"} 1\n");
}

static void test_gauge_extremes(void **state)
{
    (void)state;
    metrics_set(metrics, METRIC_ROWS, INFINITY);
    assert_non_null(strstr(written(), "\nquarry_rows +Inf\n"));
    metrics_set(metrics, METRIC_ROWS, NAN);
    assert_non_null(strstr(written(), "\nquarry_rows NaN\n"));
    metrics_set(metrics, METRIC_ROWS, 12345678);
    assert_non_null(strstr(written(), "\nquarry_rows 12345678\n"));
}

static void test_histogram(void **state)
{
    (void)state;
    struct metric_series *series =
        metrics_series(metrics, METRIC_HTTP_DURATION, (const char *[]){"s", "o"});
    metric_observe_us(series, -5);
    metric_observe_us(series, 100);
    metric_observe_us(series, 101);
    metric_observe_us(series, 40000000);
    const char *got = written();
#define NAME "quarry_http_request_duration_seconds"
    assert_non_null(strstr(got, "# TYPE " NAME " histogram\n"));
    assert_non_null(strstr(got, NAME "_bucket{service=\"s\",operation=\"o\",le=\"0.0001\"} 2\n"));
    assert_non_null(strstr(got, NAME "_bucket{service=\"s\",operation=\"o\",le=\"0.00025\"} 3\n"));
    assert_non_null(strstr(got, NAME "_bucket{service=\"s\",operation=\"o\",le=\"30\"} 3\n"));
    assert_non_null(strstr(got, NAME "_bucket{service=\"s\",operation=\"o\",le=\"+Inf\"} 4\n"));
    assert_non_null(strstr(got, NAME "_sum{service=\"s\",operation=\"o\"} 40.000201\n"));
    assert_non_null(strstr(got, NAME "_count{service=\"s\",operation=\"o\"} 4\n"));
}

static void test_bound(void **state)
{
    (void)state;
    char name[16];
    for (int i = 0; i < METRIC_SERIES_MAX + 10; i++) {
        snprintf(name, sizeof name, "s%d", i);
        metric_add(metrics_series(metrics, METRIC_SQL_QUERIES, (const char *[]){name}), 1);
    }
    const char *got = written();
    assert_non_null(strstr(got, "{outcome=\"s2047\"} 1\n"));
    assert_null(strstr(got, "{outcome=\"s2048\"}"));
    assert_non_null(strstr(got, "{outcome=\"other\"} 10\n"));
}

static void test_list(void **state)
{
    (void)state;
    for (int i = 0; i < METRIC_COUNT; i++) {
        const struct metric_info *info = metric_info((enum metric)i);
        bool total =
            strlen(info->name) > 6 && strcmp(info->name + strlen(info->name) - 6, "_total") == 0;
        assert_int_equal(total, info->kind == METRIC_COUNTER || info->kind == METRIC_TIME);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(info->name, metric_info((enum metric)j)->name);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_empty),          TEST(test_counter_and_gauge), TEST(test_labels),
        TEST(test_gauge_extremes), TEST(test_histogram),         TEST(test_bound),
        TEST(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
