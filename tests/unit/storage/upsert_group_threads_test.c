/* upsert_group_threads_test.c: upserts that come at the same time share one sync and one mutation,
 * each with its own counts and its own error; fit for TSan. */
#include "mutation_fixture.h"

#include <errno.h>
#include <pthread.h>

#include "storage/store_int.h"
#include "sys/fault/fault.h"
#include "sys/sim/sim.h"

enum { THREADS = 8, ROUNDS = 30, SHARED = 0, SHARED_TOO = 1 };

struct upserter {
    struct source *source;
    int number;
    bool bad; /* a row without a key */
    pthread_t thread;
    enum status status;
    struct write_result result;
    uint64_t rows, deleted; /* over all rounds */
};

/* Its own key twice, and one that all have. */
static void *upsert_once(void *context)
{
    struct upserter *u = context;
    const int64_t own = 100 + u->number, ids[] = {own, SHARED, own};
    const double values[] = {0.5, u->number, 1000 + u->number};
    struct error err = ERROR_INIT;
    struct batch *batch = model_batch(ids, values, 3);
    if (u->bad) {
        column_truncate(&batch->columns[batch_find(batch, STR("id"))].column, 2);
        (void)column_append_null(&batch->columns[batch_find(batch, STR("id"))].column);
    }
    u->status = source_upsert(u->source, batch, STR_NONE, &u->result, &err);
    batch_unref(batch);
    return NULL;
}

static uint32_t queued(struct source *source)
{
    pthread_mutex_lock(&source->upsert_lock);
    uint32_t len = source->upserts_len;
    pthread_mutex_unlock(&source->upsert_lock);
    return len;
}

static uint64_t syncs(struct store *store)
{
    struct store_stats stats;
    uint64_t n = 0;
    store_get_stats(store, &stats);
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        n += stats.wal_syncs.counts[i];
    return n;
}

/* All of them while another mutation stands: then they go together. Ones fewer than all are bad. */
static void run_together(struct source *source, struct upserter all[THREADS], int bad)
{
    struct mutation *mutation = NULL;
    struct write_result result;
    assert_ok(mutation_begin(source, STR_NONE, &mutation, &result, &test_err));
    for (int i = 0; i < THREADS; i++) {
        all[i] = (struct upserter){.source = source, .number = i, .bad = i == bad};
        pthread_create(&all[i].thread, NULL, upsert_once, &all[i]);
    }
    while (queued(source) < THREADS)
        usleep(200);
    mutation_end(mutation);
    for (int i = 0; i < THREADS; i++)
        pthread_join(all[i].thread, NULL);
}

static void test_one_sync(void **state)
{
    (void)state;
    char dir[256];
    struct upserter all[THREADS];
    struct source_config config = mutation_config("s");
    struct source *source;
    static struct model found;
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    assert_ok(store_add_source(store, &config, &test_err));
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    for (int round = 0; round < 2; round++) {
        uint64_t before = syncs(store), deleted = 0;
        run_together(source, all, -1);
        assert_int_equal(syncs(store) - before, 1);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(all[i].status, STATUS_OK);
            assert_int_equal(all[i].result.rows, 2);
            assert_int_equal(all[i].result.lsn, all[0].result.lsn);
            assert_in_range(all[i].result.deleted, round, 2);
            deleted += all[i].result.deleted;
        }
        /* The first time each but the first replaces the shared row, then each both of its rows. */
        assert_int_equal(deleted, round ? 2 * THREADS : THREADS - 1);
        model_of_source(source, &found);
        assert_int_equal(found.count[SHARED], 1);
        for (int i = 0; i < THREADS; i++)
            assert_true(found.count[100 + i] == 1 && found.value[100 + i] == 1000 + i);
        assert_ok(source_flush(source, &test_err));
    }
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

/* One that does not fit is told so, the others are stored. */
static void test_one_bad(void **state)
{
    (void)state;
    char dir[256];
    struct upserter all[THREADS];
    struct source_config config = mutation_config("s");
    struct source *source;
    static struct model found;
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    assert_ok(store_add_source(store, &config, &test_err));
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    run_together(source, all, 3);
    model_of_source(source, &found);
    assert_int_equal(found.count[SHARED], 1);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(all[i].status, i == 3 ? STATUS_SCHEMA : STATUS_OK);
        assert_int_equal(found.count[100 + i], i != 3);
    }
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

/* A sync that fails is told to all, and nothing is stored. */
static void test_failed_sync(void **state)
{
    (void)state;
    struct sim *sim;
    struct fault *fault;
    struct upserter all[THREADS];
    struct source_config config = mutation_config("s");
    struct source *source;
    static struct model found;
    assert_ok(sim_new(1, &sim, &test_err));
    assert_ok(fault_new(sim_sys(sim), &fault, &test_err));
    struct store *store = fixture_open(fault_sys(fault), "d");
    assert_ok(store_add_source(store, &config, &test_err));
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    const struct fault_plan plan = {.op = FAULT_SYNC, .at = 1, .errnum = ENOSPC};
    fault_plan(fault, &plan);
    run_together(source, all, -1);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(all[i].status, STATUS_STORAGE_FULL);
    model_of_source(source, &found);
    assert_int_equal(found.count[SHARED], 0);
    run_together(source, all, -1);
    model_of_source(source, &found);
    assert_int_equal(found.count[SHARED], 1);
    source_unref(source);
    store_close(store, true);
    fault_free(fault);
    sim_free(sim);
}

/* --- as they come, beside flushes --- */

static void *upsert_many(void *context)
{
    struct upserter *u = context;
    for (int round = 0; round < ROUNDS; round++) {
        const int64_t ids[] = {SHARED, 100 + u->number * ROUNDS + round, SHARED_TOO};
        const double values[] = {1, 2, 3};
        struct error err = ERROR_INIT;
        struct batch *batch = model_batch(ids, values, 3);
        u->status = source_upsert(u->source, batch, STR_NONE, &u->result, &err);
        batch_unref(batch);
        if (u->status != STATUS_OK)
            return NULL;
        u->rows += u->result.rows;
        u->deleted += u->result.deleted;
    }
    return NULL;
}

static void test_as_they_come(void **state)
{
    (void)state;
    char dir[256];
    struct upserter all[THREADS];
    struct source_config config = mutation_config("s");
    struct source *source;
    static struct model found;
    uint64_t rows = 0, deleted = 0;
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    assert_ok(store_add_source(store, &config, &test_err));
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    for (int i = 0; i < THREADS; i++) {
        all[i] = (struct upserter){.source = source, .number = i};
        pthread_create(&all[i].thread, NULL, upsert_many, &all[i]);
    }
    for (int i = 0; i < 5; i++)
        assert_ok(source_flush(source, &test_err));
    for (int i = 0; i < THREADS; i++) {
        pthread_join(all[i].thread, NULL);
        assert_int_equal(all[i].status, STATUS_OK);
        rows += all[i].rows;
        deleted += all[i].deleted;
    }
    assert_int_equal(rows, 3 * THREADS * ROUNDS);
    assert_int_equal(rows - deleted, 2 + THREADS * ROUNDS);
    model_of_source(source, &found);
    assert_true(found.count[SHARED] == 1 && found.count[SHARED_TOO] == 1);
    for (int i = 0; i < THREADS * ROUNDS; i++)
        assert_int_equal(found.count[100 + i], 1);
    source_unref(source);
    store_close(store, false);
    fixture_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_sync),
        cmocka_unit_test(test_one_bad),
        cmocka_unit_test(test_failed_sync),
        cmocka_unit_test(test_as_they_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
