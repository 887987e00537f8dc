/* store_kill_test.c: a process that writes, flushes and is killed with SIGKILL at some moment,
 * again and again on the same store. What it was told to be stored (it says so through a pipe) is
 * there, every batch wholly or not at all, nothing twice.
 *
 * QUARRY_TORTURE=1: 300 rounds instead of 8. */
#include "fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

enum { WRITERS = 4, ROWS = 16, ROUNDS = 8, TORTURE_ROUNDS = 300, BATCHES_MAX = 1 << 20 };

static struct source *child_source;
static int child_pipe;
static int64_t child_first;

static void *child_writer(void *context)
{
    int64_t number = child_first + (int64_t)(intptr_t)context;
    for (;; number += WRITERS) {
        struct write_result result;
        char id[32];
        snprintf(id, sizeof id, "w%lld", (long long)number);
        struct batch *batch = fixture_batch(number * ROWS, ROWS);
        if (source_write(child_source, batch, str_of(id), &result, NULL) != STATUS_OK)
            _exit(3);
        batch_unref(batch);
        if (write(child_pipe, &number, sizeof number) != sizeof number)
            _exit(0);
    }
    return NULL;
}

/* Never returns. */
static void child_main(const char *dir)
{
    struct store_options options = {
        .path = dir, .wal_segment_bytes = 1 << 16, .memtable_bytes = 1 << 20};
    struct store *store = NULL;
    struct source_config config = fixture_config("s");
    if (store_open(sys_posix(), &options, &store, NULL) != STATUS_OK ||
        store_add_source(store, &config, NULL) != STATUS_OK ||
        store_get_source(store, STR("s"), &child_source, NULL) != STATUS_OK)
        _exit(2);
    for (intptr_t i = 0; i < WRITERS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, child_writer, (void *)i) != 0)
            _exit(4);
    }
    for (;;) {
        usleep(3000);
        if (source_flush(child_source, NULL) != STATUS_OK)
            _exit(5);
    }
}

/* Runs a child for `us`; marks what it says; returns the first number that it did not use. */
static int64_t run_child(const char *dir, char *acknowledged, int64_t first, useconds_t us)
{
    int ends[2], status;
    int64_t number, next = first;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        child_pipe = ends[1];
        child_first = first;
        child_main(dir);
    }
    close(ends[1]);
    usleep(us);
    kill(child, SIGKILL);
    while (read(ends[0], &number, sizeof number) == sizeof number) {
        assert_in_range(number, 0, BATCHES_MAX - 1);
        acknowledged[number] = 1;
        if (number >= next)
            next = number + 1;
    }
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status)); /* not by an error of its own */
    return next + WRITERS;
}

static void check(const char *dir, const char *acknowledged)
{
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source;
    if (store_get_source(store, STR("s"), &source, NULL) != STATUS_OK) {
        for (int i = 0; i < BATCHES_MAX; i++)
            assert_false(acknowledged[i]);
        store_close(store, false);
        return;
    }
    uint32_t len;
    int64_t *ids = fixture_ids(source, &len);
    char *present = calloc(BATCHES_MAX, 1);
    assert_non_null(present);
    for (uint32_t i = 0; i < len; i++) {
        assert_true(i == 0 || ids[i] != ids[i - 1]);
        assert_in_range(ids[i], 0, (int64_t)BATCHES_MAX * ROWS - 1);
        present[ids[i] / ROWS]++;
    }
    for (int i = 0; i < BATCHES_MAX; i++) {
        if (present[i] != 0 && present[i] != ROWS)
            fail_msg("batch %d has %d rows", i, present[i]);
        if (acknowledged[i] && !present[i])
            fail_msg("batch %d was acknowledged and is gone", i);
    }
    free(present);
    free(ids);
    source_unref(source);
    store_close(store, false);
}

static void test_kill(void **state)
{
    (void)state;
    char dir[256];
    char *acknowledged = calloc(BATCHES_MAX, 1);
    int rounds = getenv("QUARRY_TORTURE") ? TORTURE_ROUNDS : ROUNDS;
    int64_t next = 0;
    assert_non_null(acknowledged);
    fixture_dir(dir);
    for (int round = 0; round < rounds && next < BATCHES_MAX - 100000; round++) {
        next = run_child(dir, acknowledged, next, 20000 + (useconds_t)(round * 7919 % 60000));
        check(dir, acknowledged);
    }
    assert_true(next > 0);
    free(acknowledged);
    fixture_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_kill)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
