/* write_later_threads_test.c: writes that nobody waits for: one sync for many of them, visible when
 * told, given back where they would have to wait, beside writers that do wait; fit for TSan. */
#include "fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "sys/fault/fault.h"
#include "sys/sim/sim.h"

enum { THREADS = 3, WAITERS = 2, ROUNDS = 40, ROUND_WRITES = 8 };

/* One write on its way, as a handler keeps it. */
struct later {
    struct later_write *write;
    struct write_result result;
    _Atomic uint32_t told;
};

static void on_settled(void *context)
{
    struct later *later = context;
    atomic_fetch_add(&later->told, 1);
}

static enum status begin(struct source *source, int64_t first, uint32_t rows, const char *id,
                         struct later *later)
{
    const struct later_call call = {on_settled, later};
    struct batch *batch = fixture_batch(first, rows);
    *later = (struct later){0};
    enum status status = source_write_later(source, batch, str_of(id), &call, &later->write,
                                            &later->result, &test_err);
    batch_unref(batch);
    return status;
}

static enum status end(struct later *later)
{
    assert_int_equal(atomic_load(&later->told), 1);
    return later_write_end(later->write, &later->result, &test_err);
}

static uint64_t syncs_of(const struct store_stats *stats)
{
    uint64_t syncs = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        syncs += stats->wal_syncs.counts[i];
    return syncs;
}

static void test_one_sync(void **state)
{
    (void)state;
    char dir[256];
    struct later writes[ROUND_WRITES];
    struct store_stats before, after;
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    store_get_stats(store, &before);
    for (int i = 0; i < ROUND_WRITES; i++) {
        assert_ok(begin(source, i, 1, NULL, &writes[i]));
        assert_non_null(writes[i].write);
        assert_int_equal(atomic_load(&writes[i].told), 0);
    }
    store_commit(store, true);
    for (int i = 0; i < ROUND_WRITES; i++) {
        assert_ok(end(&writes[i]));
        assert_int_equal(writes[i].result.rows, 1);
    }
    fixture_check(source, ROUND_WRITES);
    store_get_stats(store, &after);
    assert_int_equal(syncs_of(&after) - syncs_of(&before), 1);
    source_unref(source);
    store_close(store, false);
    store = fixture_open(sys_posix(), dir); /* from the log */
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    fixture_check(source, ROUND_WRITES);
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

/* An id that is under way makes the second one wait: it is given back; later it is a duplicate. */
static void test_ids(void **state)
{
    (void)state;
    char dir[256];
    struct later first, second;
    fixture_dir(dir);
    struct store *store = fixture_open(sys_posix(), dir);
    struct source *source = fixture_source(store, "s");
    assert_ok(begin(source, 0, 3, "same", &first));
    assert_ok(begin(source, 0, 3, "same", &second));
    assert_null(second.write);
    assert_false(second.result.duplicate);
    store_commit(store, true);
    assert_ok(end(&first));
    assert_ok(begin(source, 0, 3, "same", &second));
    assert_null(second.write);
    assert_true(second.result.duplicate);
    assert_int_equal(second.result.rows, 3);
    fixture_check(source, 3);
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

/* No room in memory: given back, nothing happened; what does not fit the schema is told at once. */
static void test_refused(void **state)
{
    (void)state;
    char dir[256];
    struct later later, full;
    fixture_dir(dir);
    struct store_options options = {.path = dir, .memtable_bytes = 64, .memtable_max_bytes = 64};
    struct store *store = NULL;
    assert_ok(store_open(sys_posix(), &options, &store, &test_err));
    struct source *source = fixture_source(store, "s");
    assert_ok(begin(source, 0, 2, NULL, &later)); /* alone it is let in */
    assert_ok(begin(source, 2, 2, NULL, &full));
    assert_true(later.write && !full.write && !full.result.duplicate);
    store_commit(store, true);
    assert_ok(end(&later));
    assert_ok(source_flush(source, &test_err));
    fixture_check(source, 2);
    struct batch *batch = batch_new();
    uint32_t id;
    assert_int_equal(batch_add_column(batch, STR("id"), TYPE_STRING, &id), STATUS_OK);
    assert_int_equal(column_append_bytes(&batch->columns[id].column, STR("x")), STATUS_OK);
    assert_int_equal(batch_set_rows(batch, 1), STATUS_OK);
    const struct later_call call = {on_settled, &later};
    assert_int_equal(
        source_write_later(source, batch, STR_NONE, &call, &later.write, &later.result, &test_err),
        STATUS_SCHEMA);
    assert_null(later.write);
    batch_unref(batch);
    source_unref(source);
    store_close(store, true);
    fixture_remove(dir);
}

/* A sync that fails is told to all whose it was; the next ones are stored. */
static void test_failed_sync(void **state)
{
    (void)state;
    static const int errnums[] = {EIO, ENOSPC};
    static const enum status told[] = {STATUS_UNAVAILABLE, STATUS_STORAGE_FULL};
    struct sim *sim;
    struct fault *fault;
    assert_ok(sim_new(1, &sim, &test_err));
    assert_ok(fault_new(sim_sys(sim), &fault, &test_err));
    struct store *store = fixture_open(fault_sys(fault), "d");
    struct source *source = fixture_source(store, "s");
    for (int k = 0; k < 2; k++) {
        struct later writes[3];
        for (int i = 0; i < 3; i++)
            assert_ok(begin(source, 100 + i, 1, NULL, &writes[i]));
        const struct fault_plan plan = {.op = FAULT_SYNC, .at = 1, .errnum = errnums[k]};
        fault_plan(fault, &plan);
        store_commit(store, true);
        fault_plan(fault, NULL);
        for (int i = 0; i < 3; i++)
            assert_int_equal(end(&writes[i]), told[k]);
        fixture_check(source, (uint32_t)k);
        assert_ok(begin(source, k, 1, NULL, &writes[0]));
        store_commit(store, true);
        assert_ok(end(&writes[0]));
        fixture_check(source, (uint32_t)k + 1);
    }
    source_unref(source);
    store_close(store, true);
    fault_free(fault);
    sim_free(sim);
}

/* --- beside others --- */

struct shared {
    struct store *store;
    struct source *source;
    _Atomic uint32_t failures;
};

struct runner {
    struct shared *shared;
    int number;
    pthread_t thread;
};

/* As an I/O thread does: begins a round of writes, then either waits or is told. */
static void *later_main(void *context)
{
    struct runner *runner = context;
    struct shared *shared = runner->shared;
    struct later writes[ROUND_WRITES];
    for (int round = 0; round < ROUNDS; round++) {
        bool wait = (round + runner->number) % 3 != 0;
        int64_t first = ((int64_t)runner->number * ROUNDS + round) * ROUND_WRITES;
        for (int i = 0; i < ROUND_WRITES; i++)
            if (begin(shared->source, first + i, 1, NULL, &writes[i]) != STATUS_OK ||
                !writes[i].write)
                abort();
        store_commit(shared->store, wait);
        for (int i = 0; i < ROUND_WRITES; i++) {
            if (wait && !atomic_load(&writes[i].told))
                atomic_fetch_add(&shared->failures, 1);
            while (!atomic_load(&writes[i].told))
                usleep(10);
            if (later_write_end(writes[i].write, &writes[i].result, NULL) != STATUS_OK)
                atomic_fetch_add(&shared->failures, 1);
        }
    }
    return NULL;
}

static void *waiter_main(void *context)
{
    struct runner *runner = context;
    struct shared *shared = runner->shared;
    for (int i = 0; i < ROUNDS * ROUND_WRITES; i++) {
        int64_t row = (int64_t)runner->number * ROUNDS * ROUND_WRITES + i;
        struct write_result result;
        if (fixture_try_write(shared->source, row, 1, NULL, &result) != STATUS_OK)
            atomic_fetch_add(&shared->failures, 1);
    }
    return NULL;
}

static void test_beside_others(void **state)
{
    (void)state;
    char dir[256];
    struct runner runners[THREADS + WAITERS];
    fixture_dir(dir);
    struct shared shared = {.store = fixture_open(sys_posix(), dir)};
    shared.source = fixture_source(shared.store, "s");
    for (int i = 0; i < THREADS + WAITERS; i++) {
        runners[i] = (struct runner){.shared = &shared, .number = i};
        pthread_create(&runners[i].thread, NULL, i < THREADS ? later_main : waiter_main,
                       &runners[i]);
    }
    for (int i = 0; i < THREADS + WAITERS; i++)
        pthread_join(runners[i].thread, NULL);
    assert_int_equal(atomic_load(&shared.failures), 0);
    fixture_check(shared.source, (THREADS + WAITERS) * ROUNDS * ROUND_WRITES);
    source_unref(shared.source);
    store_close(shared.store, true);
    fixture_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_sync),      cmocka_unit_test(test_ids),
        cmocka_unit_test(test_refused),       cmocka_unit_test(test_failed_sync),
        cmocka_unit_test(test_beside_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
