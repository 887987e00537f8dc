/* The pool around its workers: deadlines, cancel, memory, killed workers, queue, many threads, idle
 * workers, back-pressure, close. Real worker processes; times are upper bounds, never waited for.
 */
#include <pthread.h>
#include <signal.h>

#include "unit/query/sql/fixture.h"

#ifdef QUARRY_SANITIZED
enum { SLACK_US = 10000000 };
#else
enum { SLACK_US = 500000 };
#endif

static const char endless[] =
    "SELECT sum(a.i * b.i) FROM range(10000000) a(i), range(10000000) b(i)";

struct asked {
    struct fixture *f;
    const char *sql, *id;
    int64_t timeout_us;
    struct error err;
    struct sql_stats stats;
    enum status status;
    struct buf text;
    pthread_t thread;
};

static void *ask(void *argument)
{
    struct asked *a = argument;
    struct fixture_answer answer = {0};
    struct sql_request request = {.query = str_of(a->sql),
                                  .query_id = str_of(a->id),
                                  .limit = -1,
                                  .timeout_us = a->timeout_us};
    buf_init(&answer.text, 1 << 20);
    a->status = fixture_ask(a->f, &request, &answer, &a->stats, &a->err);
    a->text = answer.text;
    return NULL;
}

static void start(struct asked *a)
{
    assert_int_equal(pthread_create(&a->thread, NULL, ask, a), 0);
}

static void finish(struct asked *a)
{
    assert_int_equal(pthread_join(a->thread, NULL), 0);
    buf_release(&a->text);
}

static void wait_until(struct fixture *f, uint32_t busy, uint32_t waiting)
{
    struct sql_pool_stats stats;
    for (int i = 0; i < 3000; i++) {
        sql_pool_get_stats(f->pool, &stats);
        if (stats.busy >= busy && stats.waiting >= waiting)
            return;
        usleep(10000);
    }
    fail_msg("busy %u, waiting %u", stats.busy, stats.waiting);
}

static void expect_alive(struct fixture *f)
{
    expect_query(f, "SELECT count(*) n FROM orders", "n:BIGINT\n1000\n");
}

static void deadline_stops_endless_queries(void **state)
{
    (void)state;
    static const char *const bombs[] = {
        endless,
        "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r) SELECT count(*) FROM r",
        "SELECT max(length(repeat(i::VARCHAR, 100000))) FROM range(100000000) t(i)",
        "SELECT count(*) FROM orders a, orders b, orders c, orders d WHERE a.id+b.id+c.id+d.id = "
        "-1",
    };
    struct fixture f;
    fixture_open(&f);
    expect_alive(&f);
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        struct asked a = {.f = &f, .sql = bombs[i], .timeout_us = 400000};
        int64_t begin = sys_mono_us(f.sys);
        ask(&a);
        int64_t took = sys_mono_us(f.sys) - begin;
        buf_release(&a.text);
        assert_int_equal(a.status, STATUS_TIMEOUT);
        assert_in_range(took, 400000, 400000 + SLACK_US);
        expect_alive(&f);
    }
    struct sql_pool_stats stats;
    sql_pool_get_stats(f.pool, &stats);
    assert_int_equal(stats.timed_out, 4);
    assert_int_equal(stats.workers_killed, 4);
    assert_int_equal(stats.busy, 0);
    fixture_close(&f);
}

static void memory_is_bounded(void **state)
{
    (void)state;
#ifdef QUARRY_SANITIZED
    skip(); /* no RLIMIT_AS beside a sanitizer */
#endif
    static const char *const bombs[] = {
        "SELECT length(repeat('x', 3000000000))",
        "SELECT list(repeat('x', 1000000)) FROM range(100000)",
        "SELECT unnest(range(1000000000))",
        "SELECT max(s) FROM (SELECT repeat(i::VARCHAR, 1000000) s FROM range(10000000) t(i))",
    };
    struct fixture f;
    fixture_open_with(
        &f, (struct sql_pool_options){.memory_bytes = UINT64_C(1) << 30, .spill_bytes = 256 << 20});
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        struct asked a = {.f = &f, .sql = bombs[i], .timeout_us = 60000000};
        ask(&a);
        buf_release(&a.text);
        if (a.status != STATUS_RESOURCE_LIMIT)
            fail_msg("%s: %s", bombs[i], a.err.message);
        expect_alive(&f);
    }
    fixture_close(&f);
}

/* A sort that does not fit goes to the temp folder, within the cage, and its files are gone then.
 */
static void spills_to_its_folder(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_with(&f, (struct sql_pool_options){.memory_bytes = UINT64_C(1) << 30});
    struct asked a = {.f = &f,
                      .sql = "SELECT count(*) FROM (SELECT i, repeat('x', 200) s FROM "
                             "range(4000000) t(i) ORDER BY hash(i))",
                      .timeout_us = 100000000};
    ask(&a);
    buf_release(&a.text);
    if (a.status != STATUS_OK)
        fail_msg("%s", a.err.message);
    expect_alive(&f);
    fixture_close(&f);
}

static void cancel_running_and_waiting(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_with(&f, (struct sql_pool_options){.workers_max = 1});
    struct asked running = {.f = &f, .sql = endless, .id = "q1", .timeout_us = 60000000};
    struct asked waiting = {.f = &f, .sql = "SELECT 1", .id = "q2", .timeout_us = 60000000};
    assert_int_equal(sql_cancel(f.pool, STR("q1"), NULL), STATUS_NOT_FOUND);
    start(&running);
    wait_until(&f, 1, 0);
    start(&waiting);
    wait_until(&f, 1, 1);
    struct asked twin = {.f = &f, .sql = "SELECT 1", .id = "q1"};
    ask(&twin);
    assert_int_equal(twin.status, STATUS_CONFLICT);
    assert_int_equal(sql_cancel(f.pool, STR("q2"), NULL), STATUS_OK);
    finish(&waiting);
    assert_int_equal(waiting.status, STATUS_CANCELLED);
    int64_t begin = sys_mono_us(f.sys);
    assert_int_equal(sql_cancel(f.pool, STR("q1"), NULL), STATUS_OK);
    finish(&running);
    assert_int_equal(running.status, STATUS_CANCELLED);
    assert_true(sys_mono_us(f.sys) - begin < SLACK_US);
    assert_int_equal(sql_cancel(f.pool, STR("q1"), NULL), STATUS_NOT_FOUND);
    assert_int_equal(sql_cancel(f.pool, STR(""), NULL), STATUS_NOT_FOUND);
    expect_alive(&f);
    fixture_close(&f);
}

static void queue_is_bounded(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_with(&f, (struct sql_pool_options){.workers_max = 1, .queue_max = 2});
    struct asked a[4] = {{.f = &f, .sql = endless, .id = "a"},
                         {.f = &f, .sql = "SELECT 1", .id = "b"},
                         {.f = &f, .sql = "SELECT 1", .id = "c", .timeout_us = 100000},
                         {.f = &f, .sql = "SELECT 1", .id = "d"}};
    start(&a[0]);
    wait_until(&f, 1, 0);
    start(&a[1]);
    wait_until(&f, 1, 1);
    start(&a[2]);
    wait_until(&f, 1, 2);
    ask(&a[3]);
    assert_int_equal(a[3].status, STATUS_TOO_MANY_REQUESTS);
    assert_int_equal(a[3].err.retry_after_s, 1);
    finish(&a[2]); /* its time is over while it waits */
    assert_int_equal(a[2].status, STATUS_TIMEOUT);
    assert_int_equal(sql_cancel(f.pool, STR("a"), NULL), STATUS_OK);
    finish(&a[0]);
    finish(&a[1]);
    assert_int_equal(a[1].status, STATUS_OK);
    fixture_close(&f);
}

static void killed_worker_is_replaced(void **state)
{
    (void)state;
    struct fixture f;
    struct sql_pool_stats stats;
    fixture_open_with(&f, (struct sql_pool_options){.workers_max = 1});
    expect_alive(&f);
    /* idle: nobody notices */
    process_kill(&f.pool->idle->process, SIGKILL);
    expect_alive(&f);
    process_kill(&f.pool->idle->process, SIGKILL);
    expect_alive(&f);
    /* in a query */
    struct asked a = {.f = &f, .sql = endless, .id = "a"};
    start(&a);
    wait_until(&f, 1, 0);
    /* Again and again: a worker that dies before it has said a word is replaced once, silently. */
    while (pthread_tryjoin_np(a.thread, NULL) != 0) {
        pthread_mutex_lock(&f.pool->mutex);
        if (f.pool->runs && f.pool->runs->killable)
            process_kill(&f.pool->runs->worker->process, SIGTERM);
        pthread_mutex_unlock(&f.pool->mutex);
        usleep(20000);
    }
    buf_release(&a.text);
    assert_int_equal(a.status, STATUS_UNAVAILABLE);
    expect_alive(&f);
    sql_pool_get_stats(f.pool, &stats);
    assert_in_range(stats.workers_started, 4, 5);
    assert_int_equal(stats.workers, 1);
    fixture_close(&f);
}

static void *ask_many(void *argument)
{
    struct asked *a = argument;
    for (int i = 0; i < 12; i++) {
        char sql[128], expected[64];
        snprintf(sql, sizeof sql, "SELECT id, %d AS me FROM orders WHERE id = %d", i, i * 83);
        snprintf(expected, sizeof expected, "id:BIGINT|me:INTEGER\n%d|%d\n", i * 83, i);
        char *answer = fixture_query(a->f, sql, NULL, -1);
        a->status = strcmp(answer, expected) == 0 ? a->status : STATUS_INTERNAL;
        free(answer);
        char *refused = fixture_query(a->f, "SELECT * FROM glob('*')", NULL, -1);
        a->status = strncmp(refused, "sql_refused", 11) == 0 ? a->status : STATUS_INTERNAL;
        free(refused);
    }
    return NULL;
}

static void four_threads(void **state)
{
    (void)state;
    struct fixture f;
    struct sql_pool_stats stats;
    struct asked a[4];
    fixture_open(&f);
    for (int i = 0; i < 4; i++) {
        a[i] = (struct asked){.f = &f, .status = STATUS_OK};
        assert_int_equal(pthread_create(&a[i].thread, NULL, ask_many, &a[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(a[i].thread, NULL), 0);
        assert_int_equal(a[i].status, STATUS_OK);
    }
    sql_pool_get_stats(f.pool, &stats);
    assert_int_equal(stats.queries, 96);
    assert_int_equal(stats.failed, 48);
    assert_int_equal(stats.busy, 0);
    assert_true(stats.workers <= 2);
    fixture_close(&f);
}

static void idle_workers_end(void **state)
{
    (void)state;
    struct fixture f;
    struct sql_pool_stats stats;
    fixture_open_with(&f, (struct sql_pool_options){.idle_us = 50000});
    expect_alive(&f);
    for (int i = 0; i < 1000; i++) {
        sql_pool_get_stats(f.pool, &stats);
        if (stats.workers == 0)
            break;
        usleep(10000);
    }
    assert_int_equal(stats.workers, 0);
    expect_alive(&f);
    fixture_close(&f);
}

static void await_workers(struct fixture *f, uint32_t workers)
{
    struct sql_pool_stats stats = {0};
    for (int i = 0; i < 3000 && (i == 0 || stats.workers != workers); i++) {
        sql_pool_get_stats(f->pool, &stats);
        usleep(10000);
    }
    assert_int_equal(stats.workers, workers);
}

/* Raised: who waits may start. Lowered: idle workers end, busy ones after their query. */
static void workers_max_changes_while_queries_run(void **state)
{
    (void)state;
    struct fixture f;
    struct sql_pool_usage usage;
    fixture_open_with(&f, (struct sql_pool_options){.workers_max = 1});
    struct asked a[3] = {{.f = &f, .sql = endless, .id = "a", .timeout_us = 60000000},
                         {.f = &f, .sql = endless, .id = "b", .timeout_us = 60000000},
                         {.f = &f, .sql = endless, .id = "c", .timeout_us = 60000000}};
    start(&a[0]);
    wait_until(&f, 1, 0);
    start(&a[1]);
    wait_until(&f, 1, 1);
    start(&a[2]);
    wait_until(&f, 1, 2);
    sql_pool_set_workers(f.pool, 3);
    wait_until(&f, 3, 0);
    do /* they may only just have started */
        sql_pool_get_usage(f.pool, &usage);
    while (usage.memory_bytes < 3 << 20 || usage.cpu_us == 0);
    sql_pool_set_workers(f.pool, 2);
    assert_int_equal(sql_cancel(f.pool, STR("a"), NULL), STATUS_OK);
    finish(&a[0]);
    await_workers(&f, 2);
    assert_int_equal(sql_cancel(f.pool, STR("b"), NULL), STATUS_OK);
    assert_int_equal(sql_cancel(f.pool, STR("c"), NULL), STATUS_OK);
    finish(&a[1]);
    finish(&a[2]);
    expect_alive(&f);
    sql_pool_set_workers(f.pool, 0); /* one at the least */
    expect_alive(&f);
    await_workers(&f, 1);
    fixture_close(&f);
}

static void sink_stops_the_query(void **state)
{
    (void)state;
    struct fixture f;
    struct fixture_answer answer = {.refuse = STATUS_CANCELLED};
    struct sql_stats stats;
    struct error err;
    struct sql_request request = {.query = STR("SELECT * FROM range(100000000)"), .limit = -1};
    fixture_open(&f);
    buf_init(&answer.text, 1 << 20);
    assert_int_equal(fixture_ask(&f, &request, &answer, &stats, &err), STATUS_CANCELLED);
    assert_string_equal(err.message, "refused by the sink");
    assert_int_equal(answer.row_frames, 1);
    buf_release(&answer.text);
    expect_alive(&f);
    fixture_close(&f);
}

static void close_stops_queries(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open_with(&f, (struct sql_pool_options){.workers_max = 1});
    struct asked running = {.f = &f, .sql = endless, .id = "a", .timeout_us = 60000000};
    struct asked waiting = {.f = &f, .sql = endless, .id = "b", .timeout_us = 60000000};
    start(&running);
    wait_until(&f, 1, 0);
    start(&waiting);
    wait_until(&f, 1, 1);
    fixture_close(&f);
    finish(&running);
    finish(&waiting);
    assert_true(running.status == STATUS_UNAVAILABLE || running.status == STATUS_CANCELLED);
    assert_int_equal(waiting.status, STATUS_UNAVAILABLE);
}

static void no_worker_program(void **state)
{
    (void)state;
    struct fixture f;
    fixture_open(&f);
    snprintf(f.pool->worker_path, sizeof f.pool->worker_path, "/nonexistent/worker");
    expect_prefix(&f, "SELECT 1", "unavailable: a SQL worker does not start");
    snprintf(f.pool->worker_path, sizeof f.pool->worker_path, "/bin/true");
    expect_prefix(&f, "SELECT 1", "unavailable: a SQL worker does not start");
    snprintf(f.pool->worker_path, sizeof f.pool->worker_path, "%s", fixture_worker());
    expect_alive(&f);
    fixture_close(&f);
}

static void cage_is_reported(void **state)
{
    (void)state;
    struct fixture f;
    struct sql_pool_stats stats;
    fixture_open(&f);
    expect_alive(&f);
    sql_pool_get_stats(f.pool, &stats);
    assert_true(stats.seccomp);
#ifndef QUARRY_SANITIZED
    assert_true(stats.address_limit);
#endif
    if (!stats.landlock)
        print_message("this kernel has no Landlock: the other layers were tested only\n");
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadline_stops_endless_queries),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(spills_to_its_folder),
        cmocka_unit_test(cancel_running_and_waiting),
        cmocka_unit_test(queue_is_bounded),
        cmocka_unit_test(killed_worker_is_replaced),
        cmocka_unit_test(four_threads),
        cmocka_unit_test(idle_workers_end),
        cmocka_unit_test(workers_max_changes_while_queries_run),
        cmocka_unit_test(sink_stops_the_query),
        cmocka_unit_test(close_stops_queries),
        cmocka_unit_test(no_worker_program),
        cmocka_unit_test(cage_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
