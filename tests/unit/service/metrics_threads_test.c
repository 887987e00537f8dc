/* metrics from several threads: nothing is lost, series are made once, the text may be written
 * meanwhile. */
#include "service/metrics.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { THREADS = 4, ROUNDS = 2000, NAMES = 16 };

static struct metrics *metrics;

static void *count(void *argument)
{
    (void)argument;
    char name[16];
    for (int i = 0; i < ROUNDS; i++) {
        snprintf(name, sizeof name, "s%d", i % NAMES);
        metric_add(metrics_series(metrics, METRIC_SQL_QUERIES, (const char *[]){name}), 1);
        metric_observe_us(
            metrics_series(metrics, METRIC_HTTP_DURATION, (const char *[]){"x", name}), i);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct buf text;
    buf_init(&text, 1 << 20);
    assert_int_equal(metrics_new(&metrics, NULL), STATUS_OK);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, NULL), 0);
    for (int i = 0; i < 20; i++) {
        buf_clear(&text);
        metrics_write(metrics, &text);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    buf_clear(&text);
    metrics_write(metrics, &text);
    buf_append_char(&text, 0);
    for (int i = 0; i < NAMES; i++) {
        char line[64];
        snprintf(line, sizeof line, "{outcome=\"s%d\"} %d\n", i, THREADS * ROUNDS / NAMES);
        assert_non_null(strstr(text.data, line));
    }
    buf_release(&text);
    metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
