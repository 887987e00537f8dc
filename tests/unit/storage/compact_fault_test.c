/* compact_fault_test.c: as store_fault_test.c, over a story of writes, flushes, compactions, tags,
 * a rollback to the present state, expiry and restart.
 *
 * Whatever happened: it opens, it has every acknowledged batch, other batches wholly or not at all,
 * nothing twice, every value right, and it takes writes and flushes again. */
#include "fixture.h"
#include "sys/fault/fault.h"
#include "sys/sim/sim.h"

enum { BATCHES = 24, BATCH_ROWS = 20, SEGMENT_BYTES = 1 << 14 };

/* What the client was told. */
struct model {
    bool acknowledged[BATCHES];
};

struct run {
    struct sim *sim;
    struct fault *fault;
    struct model model;
};

static struct store *open_store(struct sys *sys)
{
    struct store_options options = {.path = "d",
                                    .wal_segment_bytes = SEGMENT_BYTES,
                                    .snapshot_retention_us = -1,
                                    .snapshots_min_kept = 2};
    struct store *store = NULL;
    return store_open(sys, &options, &store, &test_err) == STATUS_OK ? store : NULL;
}

static void write_batch(struct run *run, struct source *source, int number)
{
    struct write_result result;
    char id[16];
    snprintf(id, sizeof id, "w%d", number);
    if (fixture_try_write(source, (int64_t)number * BATCH_ROWS, BATCH_ROWS, id, &result) ==
        STATUS_OK) {
        assert_true(result.rows == BATCH_ROWS);
        run->model.acknowledged[number] = true;
    }
}

static void upkeep(struct source *source, int number)
{
    struct compact_policy policy = {.io_bytes_per_s = UINT64_MAX};
    struct snapshot_list list;
    uint64_t id;
    (void)source_flush(source, NULL);
    if (number % 6 == 5)
        (void)source_compact(source, &policy, NULL, NULL);
    if (source_list_snapshots(source, &list, NULL) != STATUS_OK)
        return;
    if (list.len && number % 6 == 2)
        (void)source_tag(source, list.items[0].id, STR("kept"), NULL);
    if (list.len && number == BATCHES / 2 - 1) { /* to the same rows, by another commit */
        struct as_of as_of = {.kind = AS_OF_TAG, .tag = STR("kept")};
        (void)source_untag(source, STR("kept"), NULL);
        (void)source_tag(source, list.items[0].id, STR("kept"), NULL);
        struct view view;
        if (view_open_as_of(source, &as_of, &view, NULL) == STATUS_OK) {
            struct source_stats stats;
            source_get_stats(source, &stats);
            bool same = view.rows == stats.rows; /* nothing is unflushed: no row may go */
            view_close(&view);
            if (same)
                (void)source_rollback(source, &as_of, &id, NULL);
        }
        (void)source_untag(source, STR("kept"), NULL);
    }
    snapshot_list_release(&list);
    (void)source_expire(source, NULL);
}

/* Two sessions with a restart between; failed writes are tried again once, as a client would. */
static void session(struct run *run, int first, int end, bool flush_at_end)
{
    struct sys *sys = fault_sys(run->fault);
    struct source_config config = fixture_config("s");
    struct source *source = NULL;
    struct store *store = open_store(sys);
    if (!store)
        return;
    (void)store_add_source(store, &config, NULL);
    if (store_get_source(store, STR("s"), &source, NULL) == STATUS_OK) {
        for (int i = first; i < end; i++) {
            write_batch(run, source, i);
            if (!run->model.acknowledged[i])
                write_batch(run, source, i);
            if (i % 2)
                upkeep(source, i);
        }
    }
    source_unref(source);
    store_close(store, flush_at_end);
}

static void story(struct run *run)
{
    session(run, 0, BATCHES / 2, false);
    session(run, BATCHES / 2, BATCHES, true);
}

/* The rows against the model; returns the number of batches that are there. */
static void check_rows(const struct run *run, struct source *source, const char *what)
{
    uint32_t len, present[BATCHES] = {0};
    int64_t *ids = fixture_ids(source, &len);
    for (uint32_t i = 0; i < len; i++) {
        if (i && ids[i] == ids[i - 1])
            fail_msg("%s: row %lld is there twice", what, (long long)ids[i]);
        assert_in_range(ids[i], 0, BATCHES * BATCH_ROWS - 1);
        present[ids[i] / BATCH_ROWS]++;
    }
    free(ids);
    for (int i = 0; i < BATCHES; i++) {
        if (run->model.acknowledged[i] && present[i] != BATCH_ROWS)
            fail_msg("%s: batch %d was acknowledged, %u rows are there", what, i, present[i]);
        if (present[i] && present[i] != BATCH_ROWS)
            fail_msg("%s: %u rows of batch %d", what, present[i], i);
    }
}

/* Every state that is listed can be read. */
static void check_history(struct source *source, const char *what)
{
    struct snapshot_list list;
    assert_ok(source_list_snapshots(source, &list, &test_err));
    for (uint32_t i = 0; i < list.len; i++) {
        struct as_of as_of = {.kind = AS_OF_ID, .id = list.items[i].id};
        struct view view;
        struct column ids;
        if (view_open_as_of(source, &as_of, &view, &test_err) != STATUS_OK)
            fail_msg("%s: snapshot %llu: %s", what, (unsigned long long)as_of.id, test_err.message);
        assert_int_equal(view.rows, list.items[i].rows);
        if (view.rows) {
            fixture_read(&view, "id", &ids);
            column_release(&ids);
        }
        view_close(&view);
    }
    snapshot_list_release(&list);
}

static void check_after(struct run *run, const char *what)
{
    struct source *source = NULL;
    struct source_config config = fixture_config("s");
    test_err = ERROR_INIT;
    struct store *store = open_store(sim_sys(run->sim));
    if (!store)
        fail_msg("%s: the store does not open: %s (%s)", what, test_err.message, test_err.cause);
    bool any = false;
    for (int i = 0; i < BATCHES; i++)
        any = any || run->model.acknowledged[i];
    if (any && store_get_source(store, STR("s"), &source, NULL) != STATUS_OK)
        fail_msg("%s: the source is gone", what);
    if (!source) {
        assert_ok(store_add_source(store, &config, &test_err));
        assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    }
    check_rows(run, source, what);
    for (int i = 0; i < BATCHES; i++) /* a client sends all again, with the same write ids */
        write_batch(run, source, i);
    fixture_check(source, BATCHES * BATCH_ROWS);
    if (source_flush(source, &test_err) != STATUS_OK)
        fail_msg("%s: no flush: %s", what, test_err.message);
    if (source_compact(source, NULL, NULL, &test_err) != STATUS_OK)
        fail_msg("%s: no compaction: %s", what, test_err.message);
    check_history(source, what);
    fixture_check(source, BATCHES * BATCH_ROWS);
    source_unref(source);
    store_close(store, false);
    store = open_store(sim_sys(run->sim));
    if (!store)
        fail_msg("%s: the store does not open again: %s", what, test_err.message);
    assert_ok(store_get_source(store, STR("s"), &source, &test_err));
    fixture_check(source, BATCHES * BATCH_ROWS);
    source_unref(source);
    store_close(store, false);
}

static void run_init(struct run *run, uint64_t seed)
{
    *run = (struct run){0};
    assert_ok(sim_new(seed, &run->sim, &test_err));
    assert_ok(fault_new(sim_sys(run->sim), &run->fault, &test_err));
}

static void run_release(struct run *run)
{
    fault_free(run->fault);
    sim_free(run->sim);
}

static uint64_t count_calls(enum fault_op op)
{
    struct run run;
    run_init(&run, 1);
    fault_plan(run.fault, NULL);
    story(&run);
    uint64_t calls = fault_calls(run.fault, op);
    for (int i = 0; i < BATCHES; i++)
        assert_true(run.model.acknowledged[i]);
    check_after(&run, "without a fault");
    run_release(&run);
    return calls;
}

/* Every `step`-th call fails as planned; QUARRY_TORTURE=1 takes all of them. */
static void each_call(struct fault_plan plan, bool cut, uint64_t step, const char *name)
{
    char what[128];
    uint64_t calls = count_calls(plan.op);
    assert_true(calls > 4);
    if (getenv("QUARRY_TORTURE"))
        step = 1;
    for (uint64_t at = 1 + (step > 1 ? calls % step : 0); at <= calls; at += step) {
        struct run run;
        run_init(&run, at);
        plan.at = at;
        fault_plan(run.fault, &plan);
        story(&run);
        fault_plan(run.fault, NULL);
        if (cut)
            sim_power_cut(run.sim, at);
        snprintf(what, sizeof what, "%s, call %llu of %llu", name, (unsigned long long)at,
                 (unsigned long long)calls);
        check_after(&run, what);
        run_release(&run);
    }
}

static void test_once(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_ANY}, false, 29, "one failure");
}

static void test_once_then_cut(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_ANY}, true, 29, "one failure, then a power cut");
}

static void test_crash(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_ANY, .crash = true}, false, 23, "crash");
}

static void test_power_cut(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_ANY, .crash = true}, true, 23, "power cut");
}

static void test_power_cut_at_syncs(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_SYNC, .crash = true}, true, 5, "power cut at a sync");
}

static void test_torn_writes(void **state)
{
    (void)state;
    each_call(
        (struct fault_plan){
            .op = FAULT_PWRITE, .crash = true, .write = FAULT_WRITE_TORN, .bytes = 700},
        true, 5, "torn write");
}

static void test_full_disk(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_PWRITE, .errnum = 28 /* ENOSPC */, .for_ever = true},
              false, 9, "full disk");
}

static void test_failing_syncs(void **state)
{
    (void)state;
    each_call((struct fault_plan){.op = FAULT_SYNC, .for_ever = true}, true, 9, "no sync any more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_once_then_cut),
        cmocka_unit_test(test_crash),
        cmocka_unit_test(test_power_cut),
        cmocka_unit_test(test_power_cut_at_syncs),
        cmocka_unit_test(test_torn_writes),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_failing_syncs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
